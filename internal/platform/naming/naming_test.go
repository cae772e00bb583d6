package naming_test

import (
	"strings"
	"testing"

	"diresco/internal/platform/fault"
	"diresco/internal/platform/naming"
)

func TestName_OfAPerson(t *testing.T) {
	for typed, want := range map[string]string{
		"Mario": "Mario", "D'Angelo": "D'Angelo", "D’Angelo": "D’Angelo", "D`Angelo": "D'Angelo", "Nicolo´": "Nicolo'",
		"Maria-Grazia": "Maria-Grazia", "J. R. Müller": "J. R. Müller", "De  Luca ": "De Luca", "Rossi, Mario": "Rossi Mario",
		"e\u0301ric": "e\u0301ric", "Đorđe": "Đorđe", "李小龍": "李小龍", "محمد": "محمد", "Niccolò": "Niccolò",
		// What turns the direction of writing, or is not seen, is dropped.
		"Ma\u202erio": "Mario", "\u2066Ma\u200brio\u2069": "Mario", "\ufeffMario": "Mario", "De\u00a0Luca": "De Luca",
	} {
		if got, wrong := naming.Person(typed, 100); got != want || wrong != "" {
			t.Errorf("%q is kept as %q, %s; want %q", typed, got, wrong, want)
		}
	}
	for typed, want := range map[string]string{
		"<img src=x>": fault.FieldCharacter, "clicca http://x.example": fault.FieldCharacter, "Mario & Luigi": fault.FieldCharacter,
		"Mario2": fault.FieldCharacter, "Mario\nRossi": fault.FieldCharacter, "Mario\x00": fault.FieldCharacter,
		"Mario😀": fault.FieldCharacter, "a\xff": fault.FieldCharacter, "Mario\ufffd": fault.FieldCharacter,
		"a\u2028b": fault.FieldCharacter,
		"":         fault.FieldPattern, " ": fault.FieldPattern, "\u202e": fault.FieldPattern, "-.'": fault.FieldPattern,
		strings.Repeat("à", 101): fault.FieldTooLong,
	} {
		if got, wrong := naming.Person(typed, 100); got != typed || wrong != want {
			t.Errorf("%q: %q, %s; want %s", typed, got, wrong, want)
		}
	}
	if got, wrong := naming.Person(strings.Repeat("à", 100), 100); wrong != "" || len(got) != 200 {
		t.Errorf("a hundred characters: %s", wrong)
	}
}

func TestName_OfAnOrganisation(t *testing.T) {
	for typed, want := range map[string]string{
		"Rossi & Figli S.r.l.": "", "3B <Impianti> 100%": "", "Ditta n° 7/A, (già “Alfa”)": "", "Müller 😀": "",
		"Al\u202efa": fault.FieldCharacter, "Al\u200dfa": fault.FieldCharacter, "Al\ufefffa": fault.FieldCharacter,
		"Alfa\nBeta": fault.FieldCharacter, "Alfa\u2029": fault.FieldCharacter, "Alfa\ufffd": fault.FieldCharacter,
		"a\xff": fault.FieldCharacter, "": fault.FieldPattern, " ": fault.FieldPattern, strings.Repeat("a", 251): fault.FieldTooLong,
	} {
		if got := naming.Display(typed, 250); got != want {
			t.Errorf("%q: %s, want %s", typed, got, want)
		}
	}
}
