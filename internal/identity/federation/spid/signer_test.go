package spid_test

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/spid"
)

// shortLived is a pair whose certificate ends an hour after the start.
func shortLived(t *testing.T) (spid.KeyPair, []byte) {
	t.Helper()
	made, err := spid.NewCertificate(rand.Reader, entityID, config().Organisation, "Roma", start, start.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := spid.ParseKeys(made)
	if err != nil {
		t.Fatal(err)
	}
	return pair, made
}

// The next certificate signs once the first has ended, and none does that has ended.
func TestKeys_ACertificateThatEndedSignsNothing(t *testing.T) {
	ending, _ := shortLived(t)
	c := config()
	c.Keys = []spid.KeyPair{ending, key("ours")}
	w := newWorld(t, c, federation.SPID)
	w.clock.Advance(time.Hour)
	_, _, d := w.begin(2)
	checkQuery(t, d.URL, "SAMLRequest")
	w.clock.Advance(3 * 366 * 24 * time.Hour)
	_, err := w.provider.Begin(t.Context(), federation.Attempt{Level: 2, State: state, BegunAt: start})
	var refusal *federation.Refusal
	if !errors.As(err, &refusal) || refusal.Outcome != federation.Unavailable || refusal.Rule != "own-certificate-ended" {
		t.Errorf("with none that is good: %v", err)
	}
}

func TestKeys_ACertificateThatEndedSignsNoLogoutEither(t *testing.T) {
	ending, _ := shortLived(t)
	c := config()
	c.Keys = []spid.KeyPair{ending, key("ours")}
	w := newWorld(t, c, federation.SPID, "HTTP-POST")
	w.clock.Advance(time.Hour)
	d, err := w.service.Logout(posted(t, logoutRequest(w.clock.Now(), logoutPlace), "idp"))
	if err != nil {
		t.Fatal(err)
	}
	verify(t, w.message(d, "SAMLResponse"))
}

func TestKeys_OneFileTwice(t *testing.T) {
	_, made := shortLived(t)
	path := filepath.Join(t.TempDir(), "spid.pem")
	if err := os.WriteFile(path, made, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := spid.LoadKeys([]string{path, path}); err == nil || !strings.Contains(err.Error(), "file 2 has the same certificate as file 1") {
		t.Error(err)
	}
}

func TestCertificate_NamesTheBody(t *testing.T) {
	pair, _ := shortLived(t)
	o := config().Organisation
	if differs := pair.Differs(o); differs != "" {
		t.Error(differs)
	}
	o.IPACode = "other"
	if differs := pair.Differs(o); !strings.Contains(differs, "DIRESCO_SPID_IPA_CODE") {
		t.Errorf("another code: %q", differs)
	}
	o.Name = "Altro ente"
	if differs := pair.Differs(o); !strings.Contains(differs, "DIRESCO_INSTITUTION_NAME") {
		t.Errorf("another name: %q", differs)
	}
}
