package notification_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"diresco/internal/notification"
	"diresco/internal/person"
)

const filed = `{"protocol_number": "INPS.7000.16/07/2026.0000042", "type": "151-2015", "title": "Assunzione di lavoratori con disabilità", "submitted_at": "2026-07-16T22:15:04.218301Z"}`

// realistic is the data of each kind as the code that promises the message writes it.
var realistic = map[string]string{
	"declaration.received":             filed,
	"declaration.awaiting_credentials": filed,
	"declaration.withdrawn":            `{"protocol_number": "INPS.7000.16/07/2026.0000042", "type": "151-2015"}`,
	"pin.changed":                      `{}`,
	"pin.many_wrong_tries":             `{"tries": 100}`,
}

// kindsInCode finds the kinds that the program promises: texts in the form "noun.event" in files that make messages.
func kindsInCode(t *testing.T) map[string]string {
	t.Helper()
	form := regexp.MustCompile(`^[a-z_]+\.[a-z_]+$`)
	kinds := map[string]string{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		promises := false
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			promises = promises || ok && call.Sel.Name == "NewMessage"
			return true
		})
		if !promises {
			return nil
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if s, err := strconv.Unquote(literal.Value); err == nil && form.MatchString(s) {
					kinds[s] = path
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return kinds
}

func TestEveryKindInTheCodeHasTexts(t *testing.T) {
	kinds := kindsInCode(t)
	if kinds["declaration.received"] == "" || kinds["pin.many_wrong_tries"] == "" {
		t.Fatalf("the search found only %v", kinds)
	}
	for kind, path := range kinds {
		if _, known := realistic[kind]; !known {
			t.Errorf("%s, which %s promises, has no data here", kind, path)
		}
	}
}

func TestTexts(t *testing.T) {
	known, err := notification.Kinds()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range known {
		if _, tested := realistic[kind]; !tested {
			t.Errorf("%s has texts that nothing tests", kind)
		}
	}
	for kind, data := range realistic {
		var before notification.Text
		for _, locale := range notification.Locales() {
			text, err := notification.Render(kind, data, locale)
			if err != nil {
				t.Errorf("%s in %s: %v", kind, locale, err)
				continue
			}
			if text == before {
				t.Errorf("%s is the same in %s", kind, locale)
			}
			before = text
			whole := text.Subject + text.Body + text.Short
			if strings.Contains(whole, "<no value>") || strings.Contains(whole, "{{") || strings.Contains(whole, "%!") {
				t.Errorf("%s in %s has a gap:\n%s", kind, locale, whole)
			}
			if text.Subject == "" || text.Body == "" || text.Short == "" || strings.ContainsAny(text.Subject+text.Short, "\r\n") || utf8.RuneCountInString(text.Short) > 160 {
				t.Errorf("%s in %s: %q, %q", kind, locale, text.Subject, text.Short)
			}
		}
	}
}

func TestReceivedDeclarationTellsNumberAndRomanTime(t *testing.T) {
	text, err := notification.Render("declaration.received", filed, notification.Italian)
	if err != nil {
		t.Fatal(err)
	}
	// 22:15 UTC on 16 July is past midnight in Rome.
	for _, want := range []string{"la Sua dichiarazione", "numero di protocollo INPS.7000.16/07/2026.0000042", "17/07/2026 alle ore 00:15:04", "Assunzione di lavoratori con disabilità"} {
		if !strings.Contains(text.Body, want) {
			t.Errorf("%q is missing in:\n%s", want, text.Body)
		}
	}
	if english, err := notification.Render("declaration.received", filed, notification.English); err != nil || !strings.Contains(english.Body, "17 July 2026 at 00:15:04") {
		t.Errorf("%v\n%s", err, english.Body)
	}
}

func TestValuesStayInTheirLine(t *testing.T) {
	text, err := notification.Render("declaration.withdrawn", `{"protocol_number": "1\r\nBcc: thief@example.org", "type": "<b>&\n.\n"}`, notification.Italian)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(text.Subject, "\r\n") || strings.Contains(text.Body, "\n.\n") || strings.Contains(text.Body, "\r") {
		t.Errorf("%q\n%q", text.Subject, text.Body)
	}
	if !strings.Contains(text.Body, "<b>&") {
		t.Errorf("plain text was escaped: %q", text.Body)
	}
}

func TestRefusals(t *testing.T) {
	if _, err := notification.Render("declaration.forgotten", `{}`, notification.Italian); !errors.Is(err, notification.ErrUnknownKind) {
		t.Errorf("unknown kind: %v", err)
	}
	for name, data := range map[string]string{
		"value missing": `{"type": "151-2015"}`, "no object": `[]`, "broken": `{`,
	} {
		if text, err := notification.Render("declaration.withdrawn", data, notification.Italian); err == nil {
			t.Errorf("%s: %q", name, text.Body)
		}
	}
	if _, err := notification.Render("declaration.received", strings.Replace(filed, "2026-07-16T", "yesterday ", 1), notification.Italian); err == nil {
		t.Error("a wrong instant was written out")
	}
	if text, err := notification.Render("pin.changed", `{}`, "de"); err != nil || !strings.Contains(text.Body, "Gentile utente") {
		t.Errorf("a language without texts: %v\n%s", err, text.Body)
	}
}

func TestRecipients(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	contact := func(kind person.ContactKind, value string, verified bool) person.Contact {
		c := person.Contact{Kind: kind, Value: value}
		if verified {
			c.VerifiedAt = &at
		}
		return c
	}
	mobile, email := contact(person.Mobile, "+393331234567", true), contact(person.Email, "m@posta.example", true)
	pec, postal := contact(person.PEC, "m@pec.example", true), contact(person.Postal, "Via Roma 1, 00100 Roma", true)
	for name, tt := range map[string]struct {
		kind     string
		contacts []person.Contact
		want     []notification.Recipient
	}{
		"e-mail first":       {"declaration.received", []person.Contact{mobile, pec, email}, []notification.Recipient{{Channel: notification.Email, To: "m@posta.example"}}},
		"then PEC":           {"pin.changed", []person.Contact{mobile, pec}, []notification.Recipient{{Channel: notification.PEC, To: "m@pec.example"}}},
		"then SMS":           {"pin.changed", []person.Contact{postal, mobile}, []notification.Recipient{{Channel: notification.SMS, To: "+393331234567"}}},
		"unverified e-mail":  {"pin.changed", []person.Contact{contact(person.Email, "x@posta.example", false), mobile}, []notification.Recipient{{Channel: notification.SMS, To: "+393331234567"}}},
		"only an address":    {"pin.changed", []person.Contact{postal}, nil},
		"nobody":             {"pin.changed", nil, nil},
		"attack: everywhere": {"pin.many_wrong_tries", []person.Contact{mobile, postal, email, contact(person.PEC, "y@pec.example", false)}, []notification.Recipient{{Channel: notification.Email, To: "m@posta.example"}, {Channel: notification.SMS, To: "+393331234567"}, {Channel: notification.Letter, To: "Via Roma 1, 00100 Roma"}}},
	} {
		if got := notification.Recipients(tt.kind, tt.contacts); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
