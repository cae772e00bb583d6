package keyring_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"diresco/internal/platform/keyring"
)

func TestFederation_KeysAreMadeOnceAndExchanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "federation-keys.json")
	first, err := keyring.LoadOrCreateFederation(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	again, err := keyring.LoadOrCreateFederation(path)
	if err != nil || again.Requests[0].KeyID != first.Requests[0].KeyID {
		t.Fatalf("another key: %v", err)
	}
	if err := keyring.AddFederation(path); err != nil {
		t.Fatal(err)
	}
	both, err := keyring.LoadFederation(path)
	if err != nil || len(both.Statements) != 2 || len(both.Requests) != 2 || len(both.Answers) != 2 ||
		both.Requests[0].KeyID != first.Requests[0].KeyID {
		t.Fatalf("the new keys are not behind the old ones: %v", err)
	}
	if err := keyring.RemoveFederation(path, first.Requests[0].KeyID); err != nil {
		t.Fatal(err)
	}
	after, err := keyring.LoadFederation(path)
	if err != nil || len(after.Requests) != 1 || after.Requests[0].KeyID != both.Requests[1].KeyID {
		t.Fatalf("the old key is not gone: %v", err)
	}
	if err := keyring.RemoveFederation(path, "request-unknown-key"); err == nil {
		t.Error("a key was removed that is not there")
	}
	if err := keyring.RemoveFederation(path, after.Requests[0].KeyID); err == nil {
		t.Error("the last key of a kind was removed")
	}
}

func TestFederation_WrongFilesAreRefusedWithoutTheirContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	if _, err := keyring.LoadOrCreateFederation(path); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	good := string(content)
	ec, err := os.ReadFile(signingFile(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, want string }{
		"no JSON":     {"s3cret", "not a JWK set"},
		"no keys":     {`{"keys": []}`, "at least one key for statements"},
		"other curve": {string(ec), "is not a private RSA key"},
		"kid":         {strings.Replace(good, `"answer-`, `"other-`, 1), "its kid must be"},
		"use":         {strings.Replace(good, `"use": "enc"`, `"use": "sig"`, 1), "its use is not what its kid says"},
		"one is missing": {
			strings.Replace(strings.Replace(good, `"answer-`, `"request-`, 1), `"use": "enc"`, `"use": "sig"`, 1),
			"at least one key for statements",
		},
	} {
		if _, err := keyring.ParseFederation([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := keyring.ParseFederation(content); err != nil {
		t.Error(err)
	}
}

// signingFile writes a set of other keys.
func signingFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "signing.json")
	if _, err := keyring.LoadOrCreate(path); err != nil {
		t.Fatal(err)
	}
	return path
}
