package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"diresco/internal/platform/secret"
)

const pin = "7K3QZW9P"

type login struct {
	TaxCode string
	PIN     secret.Text
	Older   []secret.Text
	ByKind  map[string]secret.Text
	Pointer *secret.Text
}

type marked struct{ PIN secret.Text }

func newLogin() login {
	text := secret.Text(pin)
	return login{TaxCode: "x", PIN: text, Older: []secret.Text{text}, ByKind: map[string]secret.Text{"a": text}, Pointer: &text}
}

// leaks reports whether a text shows the secret, plainly or in another alphabet.
func leaks(text string) bool {
	for _, form := range []string{pin, fmt.Sprintf("%x", pin), fmt.Sprintf("%X", pin), fmt.Sprintf("% x", pin)} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

func TestSecret_NoVerbPrintsASecret(t *testing.T) {
	for _, flags := range []string{"", "+", "#", " ", "0", "-", "20", ".3", "+#20.3"} {
		for verb := range 128 {
			// %T prints the type; %p and %w with a secret do not pass go vet.
			if verb < 'A' || verb > 'z' || strings.ContainsRune("Tpw", rune(verb)) {
				continue
			}
			format := "%" + flags + string(rune(verb))
			for _, value := range []any{secret.Text(pin), newLogin(), []secret.Text{pin}} {
				if text := fmt.Sprintf(format, value); leaks(text) || strings.Contains(text, pin[:3]) {
					t.Errorf("%s prints %s", format, text)
				}
			}
		}
	}
	if text := fmt.Sprint(secret.Text(pin)); text != "[redacted]" {
		t.Errorf("the placeholder is %s", text)
	}
	if err := fmt.Errorf("wrong: %w", fmt.Errorf("%v", secret.Text(pin))); leaks(err.Error()) {
		t.Error(err)
	}
}

func TestSecret_NoLogOrEncoderShowsASecret(t *testing.T) {
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("login", "pin", secret.Text(pin), "login", newLogin(), slog.Group("group", "pin", secret.Text(pin)))
	}
	encoded, err := json.Marshal(newLogin())
	if err != nil {
		t.Fatal(err)
	}
	element, err := xml.Marshal(marked{pin})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{log.String(), string(encoded), string(element)} {
		if leaks(text) || !strings.Contains(text, "[redacted]") {
			t.Error(text)
		}
	}
}

func TestSecret_IsReadAndRevealed(t *testing.T) {
	var l struct{ PIN secret.Text }
	if err := json.Unmarshal([]byte(`{"PIN":"`+pin+`"}`), &l); err != nil {
		t.Fatal(err)
	}
	if l.PIN.Reveal() != pin {
		t.Error("another secret came out than went in")
	}
}
