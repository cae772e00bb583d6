package problem

// Language is the language of an answer's texts.
type Language int

// Italian is the language unless the caller prefers English.
const (
	Italian Language = iota
	English
)

var languageTags = [...]string{Italian: "it", English: "en"}

// String returns the language's tag.
func (l Language) String() string { return languageTags[l] }
