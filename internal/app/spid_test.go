package app

import (
	"bytes"
	"crypto/rand"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"diresco/internal/identity/federation/spid"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
)

// Where the certificate of SPID has ended, people still log in by the other ways.
func TestSPID_AnEndedCertificateStopsNothingElse(t *testing.T) {
	const origin = "https://diresco.example.org"
	now := time.Date(2026, time.March, 16, 9, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	pair, err := spid.NewCertificate(
		rand.Reader, origin, spid.Organisation{Name: "Istituto", IPACode: "istsc_rm"}, "Roma", now.AddDate(-2, 0, 0), now.AddDate(0, 0, -1),
	)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "spid.pem")
	if err := os.WriteFile(path, pair, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	p := platform{
		config: config.Config{PublicURL: origin, SPID: config.SPID{SPIDMetadata: path, SPIDKeys: []string{path}}},
		log:    slog.New(slog.NewTextHandler(&log, nil)), clock: clock.NewOffset(clock.NewManual(now)),
	}
	if err := p.addProviders(t.Context()); err != nil || len(p.identitySources) != 0 || p.spid != nil {
		t.Errorf("%d sources, %v", len(p.identitySources), err)
	}
	if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "the certificate has ended") {
		t.Errorf("the log says %q", log.String())
	}
}
