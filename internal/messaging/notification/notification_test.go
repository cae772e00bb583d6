package notification_test

import (
	"errors"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"diresco/internal/messaging/notification"
)

const filed = `{"protocol_number": "INPS.7000.16/07/2026.0000042", "type": "151-2015", "title": "Assunzione di lavoratori con disabilità", "submitted_at": "2026-07-16T22:15:04.218301Z"}`

// realistic returns, by kind, the data that the code which promises a message writes, with what it
// seals: testdata/<kind>.json.
func realistic(t *testing.T) map[string]string {
	t.Helper()
	found, err := filepath.Glob("testdata/*.json")
	if err != nil || len(found) == 0 {
		t.Fatalf("no test data, %v", err)
	}
	all := map[string]string{}
	for _, path := range found {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(path), ".json")] = string(content)
	}
	return all
}

func TestNotification_Texts(t *testing.T) {
	known, err := notification.Kinds()
	if err != nil {
		t.Fatal(err)
	}
	samples := realistic(t)
	for _, kind := range known {
		if _, tested := samples[kind]; !tested {
			t.Errorf("%s has texts that nothing tests", kind)
		}
	}
	for kind, data := range samples {
		var before notification.Text
		for _, locale := range notification.Locales() {
			text, err := notification.Render(kind, data, nil, locale)
			if err != nil {
				t.Errorf("%s in %s: %v", kind, locale, err)
				continue
			}
			if text == before {
				t.Errorf("%s is the same in %s", kind, locale)
			}
			before = text
			whole := text.Subject + text.Body + text.Short + text.HTML
			if strings.Contains(whole, "<no value>") || strings.Contains(whole, "{{") || strings.Contains(whole, "%!") {
				t.Errorf("%s in %s has a gap:\n%s", kind, locale, whole)
			}
			if subject, err := notification.Subject(kind, data, locale); err != nil || subject != text.Subject {
				t.Errorf("the subject of %s in %s alone is %q, %v", kind, locale, subject, err)
			}
			if text.Subject == "" || text.Body == "" || text.Short == "" || strings.ContainsAny(text.Subject+text.Short, "\r\n") ||
				utf8.RuneCountInString(text.Short) > 160 {
				t.Errorf("%s in %s: %q, %q", kind, locale, text.Subject, text.Short)
			}
		}
	}
}

func TestNotification_ReceivedDeclarationTellsNumberAndRomanTime(t *testing.T) {
	text, err := notification.Render("declaration.received", filed, nil, notification.Italian)
	if err != nil {
		t.Fatal(err)
	}
	// 22:15 UTC on 16 July is past midnight in Rome.
	for _, want := range []string{
		"la Sua dichiarazione", "numero di protocollo INPS.7000.16/07/2026.0000042", "17/07/2026 alle ore 00:15:04",
		"Assunzione di lavoratori con disabilità",
	} {
		if !strings.Contains(text.Body, want) {
			t.Errorf("%q is missing in:\n%s", want, text.Body)
		}
	}
	if english, err := notification.Render("declaration.received", filed, nil, notification.English); err != nil ||
		!strings.Contains(english.Body, "17 July 2026 at 00:15:04") {
		t.Errorf("%v\n%s", err, english.Body)
	}
}

func TestNotification_ValuesStayInTheirLine(t *testing.T) {
	text, err := notification.Render(
		"declaration.withdrawn", `{"protocol_number": "1\r\nBcc: thief@example.org", "type": "<b>&\n.\n"}`, nil, notification.Italian,
	)
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

func TestNotification_Refusals(t *testing.T) {
	if _, err := notification.Render(
		"declaration.forgotten", `{}`, nil, notification.Italian,
	); !errors.Is(err, notification.ErrUnknownKind) {
		t.Errorf("unknown kind: %v", err)
	}
	for name, data := range map[string]string{
		"value missing": `{"type": "151-2015"}`, "no object": `[]`, "broken": `{`,
	} {
		if text, err := notification.Render("declaration.withdrawn", data, nil, notification.Italian); err == nil {
			t.Errorf("%s: %q", name, text.Body)
		}
	}
	if _, err := notification.Render(
		"declaration.received", strings.Replace(filed, "2026-07-16T", "yesterday ", 1), nil, notification.Italian,
	); err == nil {
		t.Error("a wrong instant was written out")
	}
	if text, err := notification.Render("pin.changed", `{}`, nil, "de"); err != nil || !strings.Contains(text.Body, "Gentile utente") {
		t.Errorf("a language without texts: %v\n%s", err, text.Body)
	}
}

// TestNotification_TheDoubleHourIsTold: on the last Sunday of October an hour exists twice. The
// offset says which one is meant, in every text, and an SMS stays one message.
func TestNotification_TheDoubleHourIsTold(t *testing.T) {
	instant := regexp.MustCompile(`"\d{4}-\d{2}-\d{2}T[0-9:.]+Z"`)
	for at, want := range map[string]string{"2026-10-25T00:30:00Z": "UTC+2", "2026-10-25T01:30:00Z": "UTC+1", "2026-10-25T02:30:00Z": ""} {
		told := 0
		for kind, data := range realistic(t) {
			data = instant.ReplaceAllString(data, `"`+at+`"`)
			for _, locale := range notification.Locales() {
				text, err := notification.Render(kind, data, nil, locale)
				if err != nil {
					t.Fatalf("%s: %v", kind, err)
				}
				if utf8.RuneCountInString(text.Short) > 160 {
					t.Errorf("%s in %s: %q has more than 160 characters", kind, locale, text.Short)
				}
				for _, part := range []string{text.Body, text.Short, html.UnescapeString(text.HTML)} {
					if strings.Contains(part, "02:30") != (want != "" && strings.Contains(part, want)) || want == "" && strings.Contains(part, "UTC") {
						t.Errorf("%s in %s at %s: %s", kind, locale, at, part)
					}
					if strings.Contains(part, "UTC") {
						told++
					}
				}
			}
		}
		if told < 10 && want != "" {
			t.Errorf("at %s only %d texts tell it", at, told)
		}
	}
}
