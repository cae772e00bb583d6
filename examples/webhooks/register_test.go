package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"diresco/examples/internal/trial"
)

// endpoints lists what the application has.
func (s sandbox) endpoints(t *testing.T) (found []webhook) {
	t.Helper()
	s, err := s.logIn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	application, err := s.application(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if found, err = s.webhooks(t.Context(), application); err != nil {
		t.Fatal(err)
	}
	return found
}

func (s sandbox) disable(t *testing.T, k keys) {
	t.Helper()
	s, err := s.logIn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPatch,
		s.url+"/v1/applications/"+k.ApplicationID+"/webhooks/"+k.WebhookID, strings.NewReader(`{"state": "disabled"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {"application/merge-patch+json"}, "If-Match": {"*"}, "Authorization": {"Bearer " + s.token}}
	answer, err := http.DefaultClient.Do(r)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", answer, err)
	}
	_ = answer.Body.Close()
}

// TestRegister_LeavesOneEndpoint: whatever became of the one before, and of its secret.
func TestRegister_LeavesOneEndpoint(t *testing.T) {
	t.Parallel()
	s := sandbox{url: trial.Sandbox(t), owner: "consulente", clientID: "sandbox-payroll"}
	file := keyFile{filepath.Join(t.TempDir(), "keys.json")}
	const here, elsewhere = "http://127.0.0.1:9099/events", "http://127.0.0.1:9098/events"
	register := func(name, receiver string, rotate, same bool) keys {
		t.Helper()
		before, err := file.read()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.register(t.Context(), file, receiver, rotate); err != nil {
			t.Fatal(name, err)
		}
		k, err := file.read()
		if err != nil {
			t.Fatal(err)
		}
		found := s.endpoints(t)
		if len(found) != 1 || found[0].ID != k.WebhookID || found[0].URL != receiver || found[0].State != "enabled" {
			t.Errorf("%s: the application has %+v", name, found)
		}
		if (before.WebhookID == k.WebhookID) != same {
			t.Errorf("%s: %s after %s", name, k.WebhookID, before.WebhookID)
		}
		if len(k.Secrets) == 0 || !strings.HasPrefix(k.Secrets[0], "whsec_") {
			t.Errorf("%s: %d secrets", name, len(k.Secrets))
		}
		return k
	}
	first := register("the first time", here, false, false)
	if again := register("again", here, false, true); again.Secrets[0] != first.Secrets[0] {
		t.Error("again: another secret")
	}
	s.disable(t, first)
	register("disabled", here, false, false)
	moved := register("moved", elsewhere, false, false)
	if err := os.Remove(file.path); err != nil { // it was stopped before it kept the secret
		t.Fatal(err)
	}
	lost := register("without its secret", elsewhere, false, false)
	if lost.WebhookID == moved.WebhookID || lost.Secrets[0] == moved.Secrets[0] {
		t.Error("without its secret: the same as before")
	}
	rotated := register("with a new secret", elsewhere, true, true)
	if len(rotated.Secrets) != 2 || rotated.Secrets[1] != lost.Secrets[0] || rotated.RotatedAt == nil {
		t.Errorf("with a new secret: %d secrets, at %v", len(rotated.Secrets), rotated.RotatedAt)
	}
	// It was stopped after the service made a secret, before it was kept.
	rotated.Rotating = true
	if err := file.write(rotated); err != nil {
		t.Fatal(err)
	}
	if k := register("stopped meanwhile", elsewhere, false, true); k.Rotating || k.Secrets[0] == rotated.Secrets[0] {
		t.Error("stopped meanwhile: the lost secret is not replaced")
	}
}

// TestVerifier_DropsTheSecretBefore: a day after it was replaced, in a receiver that runs all the time.
func TestVerifier_DropsTheSecretBefore(t *testing.T) {
	t.Parallel()
	known := keysOf("new", "old")
	rotated := time.Now().Add(-time.Hour)
	known.RotatedAt = &rotated
	v, err := newVerifier(known)
	if err != nil {
		t.Fatal(err)
	}
	for hours, want := range map[int]bool{0: true, 22: true, 24: false} {
		v.now = func() time.Time { return time.Now().Add(time.Duration(hours) * time.Hour) }
		_, err := v.verify(newSender("old").sign("e-1", time.Now(), event), []byte(event))
		if (err == nil) != want {
			t.Errorf("%d hours later by the secret before: %v", hours, err)
		}
		if _, err := v.verify(newSender("new").sign("e-1", time.Now(), event), []byte(event)); err != nil {
			t.Errorf("%d hours later: %v", hours, err)
		}
	}
}
