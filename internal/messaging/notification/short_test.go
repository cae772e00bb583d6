package notification_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"diresco/internal/messaging/notification"
	"diresco/internal/platform/secret"
)

// septets are how many an SMS counts, by the tables of GSM 03.38: the basic alphabet, and what
// counts twice.
func septets(t *testing.T, text string) int {
	t.Helper()
	const basic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§" +
		"¿abcdefghijklmnopqrstuvwxyzäöñüà"
	n := 0
	for _, r := range text {
		switch {
		case strings.ContainsRune(basic, r):
			n++
		case strings.ContainsRune("^{}\\[~]|€", r):
			n += 2
		default:
			t.Errorf("%q is in no alphabet of an SMS: %q", r, text)
		}
	}
	return n
}

// What people and companies are called must not cost a second message, or its letters all others.
func TestShort_FitsOneSMSForEveryValue(t *testing.T) {
	values := []string{
		strings.Repeat("Società Cooperativa È ", 20), strings.Repeat("€", 200), strings.Repeat("Đorđe Łukasz ’–… ", 15),
		"漢字" + strings.Repeat("ż", 90),
		"L’ÀNCORA DI PIÙ S.r.l.", strings.Repeat("[", 161), "n\u0303e\u0300", "",
	}
	for kind, sample := range realistic(t) {
		for _, locale := range notification.Locales() {
			for _, value := range values {
				var data map[string]any
				if err := json.Unmarshal([]byte(sample), &data); err != nil {
					t.Fatal(err)
				}
				for key, before := range data {
					text, is := before.(string)
					if _, err := time.Parse(time.RFC3339Nano, text); is && err != nil {
						data[key] = value
					}
				}
				changed, err := json.Marshal(data)
				if err != nil {
					t.Fatal(err)
				}
				text, err := notification.Render(kind, string(changed), nil, locale)
				if err != nil {
					t.Fatal(err)
				}
				if n := septets(t, text.Short); n > 160 || n == 0 {
					t.Errorf("%s in %s: %d septets: %s", kind, locale, n, text.Short)
				}
			}
		}
	}
}

// Names give way: what the message is for stays whole.
func TestShort_CutsNamesAndNothingElse(t *testing.T) {
	data := `{"reference": "DLG-2026-000042", "delegate": "` + strings.Repeat(
		"Consulenti del Lavoro Associati ", 10,
	) + `", "contributor": "` +
		strings.Repeat("Fratelli Bianchi ", 20) + `", "position_numbers": "1", "exclusive": false}`
	text, err := notification.Render("delegation.otp", data, map[string]secret.Text{"otp": "40718265"}, notification.Italian)
	if err != nil {
		t.Fatal(err)
	}
	for _, whole := range []string{"40718265", "DLG-2026-000042", "Consulenti del Lavoro", "ha firmato il modulo."} {
		if !strings.Contains(text.Short, whole) {
			t.Errorf("%q is missing: %s", whole, text.Short)
		}
	}
}

func TestText_EndsASentenceOnce(t *testing.T) {
	for kind, sample := range realistic(t) {
		var data map[string]any
		if err := json.Unmarshal([]byte(sample), &data); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"delegate", "contributor", "person", "reason", "place"} {
			if _, is := data[name].(string); is {
				data[name] = "Rossi S.r.l."
			}
		}
		changed, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, locale := range notification.Locales() {
			text, err := notification.Render(kind, string(changed), nil, locale)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(text.Subject+text.Body+text.Short, "..") {
				t.Errorf("%s in %s: %s\n%s", kind, locale, text.Body, text.Short)
			}
		}
	}
}
