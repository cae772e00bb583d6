package outbox

import (
	"fmt"
	"maps"
	"slices"
)

// Kind is one kind of message. It is declared once, beside the code that promises it.
type Kind struct {
	// Name is stored with the message and names its texts, as "noun.event". It never changes.
	Name string
	// Audience says which contacts of a person are told.
	Audience Audience
	// Mute is the category under which a person may decline it. What concerns the safety of an
	// account has none.
	Mute Category
}

// Audience says which of a person's verified contacts are told.
type Audience int

// The audiences.
const (
	// FirstContact is the one that the person prefers, else the first e-mail, else PEC, else
	// mobile.
	FirstContact Audience = iota
	// EveryContact is for what an attacker who holds one of them must not hear alone (INPS PIN
	// rules).
	EveryContact
)

// Category is a group of kinds that a person may decline. Those about PIN, contacts and login are
// in none.
type Category string

// The categories.
const (
	// AboutDeclarations are messages about what was filed.
	AboutDeclarations Category = "declarations"
	// Reminders are messages of something that will be due.
	Reminders Category = "reminders"
)

// declared has every kind by its name. It is filled while packages are initialised, and only read
// after that.
var declared = map[string]Kind{}

// Declare makes a kind known and returns it. It is for package-level variables: a kind that was not
// declared cannot be promised, so that the list of them is complete. It panics where a name was
// declared before with other properties.
func Declare(k Kind) Kind {
	if before, known := declared[k.Name]; known && before != k {
		panic(fmt.Sprintf("message kind %s is declared twice, differently", k.Name))
	}
	declared[k.Name] = k
	return k
}

// KindNamed returns the declared kind of a stored message. One that an older program promised, and
// that is declared no more, goes to the first contact.
func KindNamed(name string) Kind {
	if k, known := declared[name]; known {
		return k
	}
	return Kind{Name: name}
}

// Kinds lists the declared kinds in the order of their names.
func Kinds() []Kind {
	names := slices.Sorted(maps.Keys(declared))
	all := make([]Kind, len(names))
	for i, name := range names {
		all[i] = declared[name]
	}
	return all
}
