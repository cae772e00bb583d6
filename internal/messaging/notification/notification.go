// Package notification puts promised messages into words and chooses where they go.
//
// The words stand in texts/, one file for each kind of message and language. A file has three
// parts: the subject, the body for e-mail, PEC and letters, and a short text for SMS. To add a
// kind, add its files and an example of its data, with its secrets, as testdata/<kind>.json, and
// declare it (outbox.Declare) beside the code that promises it.
package notification

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"text/template"
	"time"
	"unicode"

	"diresco/internal/platform/calendar"
	"diresco/internal/platform/institution"
	"diresco/internal/platform/money"
	"diresco/internal/platform/secret"
)

// Locale is a language that messages are written in.
type Locale string

// The locales. Italian is the default.
const (
	Italian Locale = "it"
	English Locale = "en"
)

// Locales lists the locales.
func Locales() []Locale { return []Locale{Italian, English} }

// Text is a message in words.
type Text struct {
	// Subject is one line and holds no secret.
	Subject string
	// Body has several lines, and HTML says the same as a page.
	Body, HTML string
	// Short is one line that says the same in one SMS: 160 septets at most.
	Short string
}

// ErrUnknownKind means that there are no words for a kind of message.
var ErrUnknownKind = errors.New("no text for this kind of message")

// Render puts a message of the given kind into words. data is the JSON object of the outbox
// message, and secrets are what was sealed in it; a text that needs what is in neither is an error,
// and so is an unknown kind (ErrUnknownKind). A locale without texts gets Italian. Times are those
// of Europe/Rome.
func Render(kind, data string, secrets map[string]secret.Text, locale Locale) (Text, error) {
	return RenderFor(institution.Institution{}, kind, data, secrets, locale)
}

// RenderFor is Render in the name of an institution, which stands below the body.
func RenderFor(by institution.Institution, kind, data string, secrets map[string]secret.Text, locale Locale) (Text, error) {
	t, err := templateOf(kind, locale)
	if err != nil {
		return Text{}, err
	}
	values, err := decode(data)
	if err != nil {
		return Text{}, fmt.Errorf("message %s: %w", kind, err)
	}
	for key, value := range secrets {
		values[key] = inLine(value.Reveal())
	}
	var text Text
	for part, into := range map[string]*string{"subject": &text.Subject, "body": &text.Body} {
		if *into, err = execute(t, part, values); err != nil {
			return Text{}, fmt.Errorf("message %s: %w", kind, err)
		}
	}
	if text.Short, err = shortOf(t, values); err != nil {
		return Text{}, fmt.Errorf("message %s: %w", kind, err)
	}
	if text.HTML, err = htmlOf(text, locale, by); err != nil {
		return Text{}, err
	}
	if lines := by.Lines(locale == English); len(lines) > 0 {
		text.Body += "\n\n" + strings.Join(lines, "\n")
	}
	return text, nil
}

// Subject puts the subject alone into words, for which no secret is needed. Errors are those of
// Render.
func Subject(kind, data string, locale Locale) (string, error) {
	t, err := templateOf(kind, locale)
	if err != nil {
		return "", err
	}
	values, err := decode(data)
	if err != nil {
		return "", fmt.Errorf("message %s: %w", kind, err)
	}
	return execute(t, "subject", values)
}

func templateOf(kind string, locale Locale) (*template.Template, error) {
	all, err := texts()
	if err != nil {
		return nil, err
	}
	for _, l := range []Locale{locale, Italian} {
		if t, found := all[name{kind, l}]; found {
			return t, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrUnknownKind, kind)
}

func execute(t *template.Template, part string, values map[string]any) (string, error) {
	var b strings.Builder
	err := t.ExecuteTemplate(&b, part, values)
	return strings.TrimSpace(twoStops.ReplaceAllString(b.String(), "$1.$2")), err
}

// Kinds lists the kinds of message that have words, in alphabetical order.
func Kinds() ([]string, error) {
	all, err := texts()
	if err != nil {
		return nil, err
	}
	kinds := map[string]bool{}
	for n := range all {
		kinds[n.kind] = true
	}
	return slices.Sorted(maps.Keys(kinds)), nil
}

// decode reads a message's data. Control characters become spaces: a value must not break out of
// its line, least of all of a subject, where a line break would begin another header.
func decode(data string) (map[string]any, error) {
	decoder := json.NewDecoder(strings.NewReader(data))
	decoder.UseNumber()
	var values map[string]any
	if err := decoder.Decode(&values); err != nil {
		return nil, err
	}
	if values == nil {
		return nil, errors.New("no data")
	}
	for key, value := range values {
		if s, ok := value.(string); ok {
			values[key] = inLine(s)
		}
	}
	return values, nil
}

func inLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

//go:embed texts
var files embed.FS

type name struct {
	kind   string
	locale Locale
}

// texts reads the files once.
var texts = sync.OnceValues(func() (map[name]*template.Template, error) {
	entries, err := files.ReadDir("texts")
	if err != nil {
		return nil, err
	}
	all := make(map[name]*template.Template, len(entries))
	for _, entry := range entries {
		if path.Ext(entry.Name()) != ".txt" {
			continue
		}
		content, err := files.ReadFile(path.Join("texts", entry.Name()))
		if err != nil {
			return nil, err
		}
		stem := strings.TrimSuffix(entry.Name(), ".txt")
		dot := strings.LastIndexByte(stem, '.')
		if dot < 0 {
			return nil, fmt.Errorf("text %s has no locale in its name", entry.Name())
		}
		n := name{kind: stem[:dot], locale: Locale(stem[dot+1:])}
		t, err := template.New(stem).Option("missingkey=error").Funcs(functions(n.locale)).Parse(string(content))
		if err != nil {
			return nil, fmt.Errorf("text %s: %w", entry.Name(), err)
		}
		all[n] = t
	}
	return all, nil
})

// functions are what the texts can call: when writes an instant out, moment writes it in few
// characters.
func functions(locale Locale) template.FuncMap {
	long, short, whose := "02/01/2006 alle ore 15:04:05", "02/01/2006 15:04", ""
	if locale == English {
		long, short, whose = "2 January 2006 at 15:04:05", "2 Jan 2006 15:04", "Italian time"
	}
	in := func(layout, whose string) func(string) (string, error) {
		return func(instant string) (string, error) {
			t, err := time.Parse(time.RFC3339Nano, instant)
			if err != nil {
				return "", errors.New("not an instant")
			}
			text := t.In(calendar.Rome).Format(layout)
			// The offset stands there in the hour that exists twice.
			notes := slices.DeleteFunc([]string{whose, calendar.Offset(t)}, func(note string) bool { return note == "" })
			if len(notes) > 0 {
				text += " (" + strings.Join(notes, ", ") + ")"
			}
			return text, nil
		}
	}
	return template.FuncMap{"when": in(long, whose), "moment": in(short, ""), "euro": euro(locale)}
}

// euro writes an amount as the API has it ("1234.50") as people write it: "1.234,50 euro".
// Whatever else is there stays as it is.
func euro(locale Locale) func(string) string {
	group, point, before, behind := ".", ",", "", " euro"
	if locale == English {
		group, point, before, behind = ",", ".", "EUR ", ""
	}
	return func(amount string) string {
		if _, err := money.Parse(amount); err != nil {
			return amount
		}
		whole, cents, _ := strings.Cut(amount, ".")
		for i := len(whole) - 3; i > 0; i -= 3 {
			whole = whole[:i] + group + whole[i:]
		}
		return before + whole + point + cents + behind
	}
}
