package httpapi

import (
	"context"

	xlanguage "golang.org/x/text/language"
)

// language is the language of an answer's texts.
type language int

// Italian is the language unless the caller prefers English.
const (
	italian language = iota
	english
)

var (
	languageTags   = [...]string{italian: "it", english: "en"}
	languageValues = [...][]string{italian: {"it"}, english: {"en"}}
	matcher        = xlanguage.NewMatcher([]xlanguage.Tag{italian: xlanguage.Italian, english: xlanguage.English})
)

// String returns the language's tag.
func (l language) String() string { return languageTags[l] }

// maxAcceptLanguage bounds what is parsed: the parser's work grows with it.
const maxAcceptLanguage = 255

// chooseLanguage picks the language of the texts.
func (e *edge) chooseLanguage(x *exchange) error {
	x.lang = preferredLanguage(x.c.Request().Header.Get("Accept-Language"))
	x.c.Response().Header()[contentLanguage] = languageValues[x.lang]
	if x.lang != italian {
		request := x.c.Request()
		x.c.SetRequest(request.WithContext(context.WithValue(request.Context(), languageKey{}, x.lang)))
	}
	return nil
}

type languageKey struct{}

// languageOf is the language of the answer that is being made: Italian where none is noted.
func languageOf(ctx context.Context) language {
	lang, _ := ctx.Value(languageKey{}).(language)
	return lang
}

// notice returns the text that an answer gives in every case, in the caller's language.
func notice(ctx context.Context, name string) string {
	return dictionaries[languageOf(ctx)].notices[name]
}

// inEnglishAsked reports whether the caller prefers English.
func inEnglishAsked(ctx context.Context) bool {
	return languageOf(ctx) == english
}

func preferredLanguage(accept string) language {
	if accept == "" || accept == "it" || len(accept) > maxAcceptLanguage {
		return italian
	}
	wanted, weights, err := xlanguage.ParseAcceptLanguage(accept)
	if err != nil {
		return italian
	}
	// The parser sorts by weight and keeps what the caller refuses.
	for len(weights) > 0 && weights[len(weights)-1] <= 0 {
		wanted, weights = wanted[:len(weights)-1], weights[:len(weights)-1]
	}
	_, index, confidence := matcher.Match(wanted...)
	if confidence == xlanguage.No {
		return italian
	}
	return language(index)
}
