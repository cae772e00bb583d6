package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The other two headers.
const (
	timestampHeader = "Webhook-Timestamp"
	signatureHeader = "Webhook-Signature"
)

// sender signs as the service does.
type sender struct {
	secrets [][]byte
	key     ed25519.PrivateKey
}

func newSender(secrets ...string) sender {
	s := sender{key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))}
	for _, secret := range secrets {
		s.secrets = append(s.secrets, []byte(secret))
	}
	return s
}

func (s sender) sign(id string, at time.Time, body string) http.Header {
	stamp := strconv.FormatInt(at.Unix(), 10)
	signed := []byte(id + "." + stamp + "." + body)
	var all []string
	for _, secret := range s.secrets {
		mac := hmac.New(sha256.New, secret)
		_, _ = mac.Write(signed)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if s.key != nil {
		all = append(all, "v1a,"+base64.StdEncoding.EncodeToString(ed25519.Sign(s.key, signed)))
	}
	return http.Header{idHeader: {id}, timestampHeader: {stamp}, signatureHeader: {strings.Join(all, " ")}}
}

// keysOf has the secrets and the key of the sender, as the service shows them.
func keysOf(secrets ...string) keys {
	var k keys
	for _, secret := range secrets {
		k.Secrets = append(k.Secrets, "whsec_"+base64.StdEncoding.EncodeToString([]byte(secret)))
	}
	public, _ := newSender().key.Public().(ed25519.PublicKey)
	k.PublicKey = "whpk_" + base64.StdEncoding.EncodeToString(public)
	return k
}

func verifierOf(t *testing.T, secrets ...string) verifier {
	t.Helper()
	v, err := newVerifier(keysOf(secrets...))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const event = `{"type":"declaration.submitted","timestamp":"2026-11-29T18:00:00Z","data":{"event_id":"018f3b62-1a2b-7c3d-8e4f-5a6b7c8d9e11","subject":{"kind":"declaration","id":"d-1"}}}`

func TestVerifier_TakesWhatTheServiceSent(t *testing.T) {
	t.Parallel()
	now := time.Now()
	with := func(name, value string) func(http.Header) {
		return func(h http.Header) { h.Set(name, value) }
	}
	for name, c := range map[string]struct {
		sender sender
		at     time.Time
		change func(http.Header)
		body   string
		want   string
	}{
		"as it is":              {sender: newSender("new")},
		"while a secret is new": {sender: newSender("newer", "new")},
		"by the secret before":  {sender: newSender("old")},
		"another secret":        {sender: newSender("guessed"), want: "secret"},
		"without the key":       {sender: sender{secrets: [][]byte{[]byte("new")}}, want: "key"},
		"by another key":        {sender: sender{[][]byte{[]byte("new")}, ed25519.NewKeyFromSeed(make([]byte, 32))}, want: "key"},
		"the key alone":         {sender: newSender(), want: "secret"},
		"another body":          {sender: newSender("new"), body: event + " ", want: "secret"},
		"another id":            {sender: newSender("new"), change: with(idHeader, "e-2"), want: "secret"},
		"no id":                 {sender: newSender("new"), change: with(idHeader, ""), want: "header"},
		"a time later":          {sender: newSender("new"), change: with(timestampHeader, strconv.FormatInt(now.Unix()+1, 10)), want: "secret"},
		"an old copy":           {sender: newSender("new"), at: now.Add(-6 * time.Minute), want: "time"},
		"from the future":       {sender: newSender("new"), at: now.Add(6 * time.Minute), want: "time"},
		"no time":               {sender: newSender("new"), change: with(timestampHeader, "now"), want: "header"},
		"no signature":          {sender: newSender("new"), change: with(signatureHeader, "v1 v1,% v2,AA=="), want: "secret"},
	} {
		if c.at.IsZero() {
			c.at = now
		}
		header := c.sender.sign("e-1", c.at, event)
		if c.change != nil {
			c.change(header)
		}
		if c.body == "" {
			c.body = event
		}
		_, err := verifierOf(t, "new", "old").verify(header, []byte(c.body))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, wrong := range [][2]string{{"", "whpk_AA=="}, {"MfKQ", "whpk_AA=="}, {"whsec_MfKQ", "whpk_AA=="}, {"whsec_MfKQ", ""}} {
		if _, err := newVerifier(keys{Secrets: strings.Fields(wrong[0]), PublicKey: wrong[1]}); err == nil {
			t.Errorf("%q and %q are taken", wrong[0], wrong[1])
		}
	}
}

// TestReceiver_KeepsEachEventOnce: however often and however much at once it is sent, and after a
// process that was killed while it wrote.
func TestReceiver_KeepsEachEventOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "events.jsonl")
	// send sends 8 events 4 times each, at once, to a receiver that has just started.
	send := func() {
		kept, err := openStore(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = kept.Close() }()
		r := receiver{verifierOf(t, "new"), kept, io.Discard}
		var all sync.WaitGroup
		for n := range 32 {
			all.Go(func() {
				id := fmt.Sprintf("e-%d", n%8)
				request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/events", strings.NewReader(event))
				for name, values := range newSender("new").sign(id, time.Now(), event) {
					request.Header[name] = values
				}
				answer := httptest.NewRecorder()
				r.routes().ServeHTTP(answer, request)
				if answer.Code != http.StatusNoContent {
					t.Errorf("answered %d %s", answer.Code, answer.Body)
				}
			})
		}
		all.Wait()
	}
	send()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text[:len(text)-20], 0o600); err != nil { // killed in the last line
		t.Fatal(err)
	}
	send()
	text, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 8 {
		if found := strings.Count(string(text), fmt.Sprintf(`{"webhook_id":"e-%d","event":{"type":"declaration.submitted",`, n)); found != 1 {
			t.Errorf("e-%d is kept %d times: %s", n, found, text)
		}
	}
	if lines := strings.Count(string(text), "\n"); lines != 8 {
		t.Errorf("%d lines: %s", lines, text)
	}
}

func TestReceiver_RefusesWhatIsNotSigned(t *testing.T) {
	t.Parallel()
	kept, err := openStore(filepath.Join(t.TempDir(), "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = kept.Close() }()
	var out bytes.Buffer
	r := receiver{verifierOf(t, "new"), kept, &out}
	for body, status := range map[string]int{event: http.StatusUnauthorized, strings.Repeat("x", largest+1): http.StatusBadRequest} {
		answer := httptest.NewRecorder()
		r.routes().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/events", strings.NewReader(body)))
		if answer.Code != status {
			t.Errorf("answered %d", answer.Code)
		}
	}
	if len(kept.ids) != 0 || !strings.Contains(out.String(), "refused: by the secret: not a webhook of this service") {
		t.Errorf("kept %v, said %s", kept.ids, out.String())
	}
}
