package spid_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/beevik/etree"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/spid"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/egress"
	"diresco/internal/platform/egress/egresstest"
)

const otherID = "https://other.example.it"

// many puts descriptions of providers into one file.
func many(attributes string, all ...string) string {
	return `<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" ID="_all" ` + attributes + `>` + strings.Join(all, "") +
		`</md:EntitiesDescriptor>`
}

func one(id string) string { return idpMetadata(id, key("idp"), "HTTP-Redirect") }

// opened makes a service that reads the metadata of an origin.
func opened(t *testing.T, o spid.Origin) (*spid.Service, *clock.Manual, *bytes.Buffer, error) {
	t.Helper()
	o.Kind = federation.SPID
	at, log := clock.NewManual(start), &bytes.Buffer{}
	s, err := spid.New(config(), spid.Deps{Clock: at, Random: rand.Reader, Log: slog.New(slog.NewTextHandler(log, nil))}, spid.NewRegistry(o))
	if err != nil {
		t.Fatal(err)
	}
	return s, at, log, s.Open(t.Context())
}

// names are those of the providers that a service knows.
func names(s *spid.Service) string {
	var all []string
	for _, p := range s.Providers() {
		all = append(all, strings.SplitN(p.About().ID, "-example", 2)[0])
	}
	return strings.Join(all, " ")
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "metadata.xml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRegistry_File(t *testing.T) {
	path := file(t, many("", one(idpID), many("", one(otherID))))
	s, at, _, err := opened(t, spid.Origin{Location: path})
	if err != nil || names(s) != "spid-idp spid-other" {
		t.Fatalf("%s, %v", names(s), err)
	}
	if err := os.WriteFile(path, []byte(one(otherID)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Refresh(t.Context())
	if names(s) != "spid-idp spid-other" {
		t.Error("they were read again before they were old")
	}
	at.Advance(6 * time.Hour)
	if s.Refresh(t.Context()); names(s) != "spid-other" {
		t.Errorf("once they were old: %s", names(s))
	}
}

func TestRegistry_WrongMetadataStopTheStart(t *testing.T) {
	short := key("idp")
	for name, c := range map[string]struct{ content, says string }{
		"no XML":               {"<hunter2", "no XML"},
		"a text":               {"hunter2", "no metadata"},
		"a document type":      {"<!DOCTYPE a>" + one(idpID), "document type"},
		"something else":       {"<a/>", "no metadata"},
		"nobody":               {many(""), "no provider"},
		"a service":            {`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="x"/>`, "no provider"},
		"no key":               {strings.Replace(one(idpID), `use="signing"`, `use="encryption"`, 1), "no provider"},
		"login without https":  {strings.Replace(one(idpID), "https://idp.example.it/login", "http://idp.example.it/login", 1), "no provider"},
		"login by another way": {idpMetadata(idpID, short, "SOAP"), "no provider"},
		"a broken certificate": {strings.Replace(one(idpID), "<ds:X509Certificate>", "<ds:X509Certificate>AAAA", 1), "no provider"},
	} {
		_, _, _, err := opened(t, spid.Origin{Location: file(t, c.content)})
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, _, err := opened(t, spid.Origin{Location: "/nowhere"}); err == nil {
		t.Error("a file that is not there")
	}
}

// A provider that cannot be used is left out; the others go on.
func TestRegistry_OneWrongProvider(t *testing.T) {
	s, _, log, err := opened(t, spid.Origin{Location: file(t, many("", idpMetadata(otherID, key("idp"), "SOAP"), one(idpID)))})
	if err != nil || names(s) != "spid-idp" || !strings.Contains(log.String(), "spid-other-example-it") {
		t.Errorf("%s, %v, %s", names(s), err, log)
	}
	ended := strings.Replace(one(otherID), "entityID", `validUntil="2026-03-16T07:59:59Z" entityID`, 1)
	s, _, log, err = opened(t, spid.Origin{Location: file(t, many("", ended, one(idpID)))})
	if err != nil || names(s) != "spid-idp" || !strings.Contains(log.String(), "valid no more") {
		t.Errorf("one that ended: %s, %v, %s", names(s), err, log)
	}
	s, _, log, err = opened(t, spid.Origin{Location: file(t, many("", one(idpID), one(idpID)))})
	if err != nil || names(s) != "spid-idp" || !strings.Contains(log.String(), "twice") {
		t.Errorf("one twice: %s, %v, %s", names(s), err, log)
	}
}

// server serves metadata, or an error while they are empty.
type server struct {
	*httptest.Server
	content atomic.Pointer[string]
	asked   atomic.Int32
}

func serve(t *testing.T, content string) (*server, egress.Options) {
	t.Helper()
	s := &server{}
	s.content.Store(&content)
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.asked.Add(1)
		if *s.content.Load() == "" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = w.Write([]byte(*s.content.Load()))
	}))
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s, egress.Options{RootCAs: roots}
}

func TestRegistry_URL(t *testing.T) {
	from, network := serve(t, one(idpID))
	o := spid.Origin{Location: from.URL, Network: network, Cache: filepath.Join(t.TempDir(), "federation", "spid.xml")}
	s, at, log, err := opened(t, o)
	// The start asks nobody, and goes on without providers.
	if err != nil || names(s) != "" || from.asked.Load() != 0 || !strings.Contains(log.String(), "until their metadata have been fetched") {
		t.Fatalf("at the start: %s, %v, %s", names(s), err, log)
	}
	if s.Refresh(t.Context()); names(s) != "spid-idp" || !strings.Contains(log.String(), "people can log in by them") {
		t.Fatalf("%s, %s", names(s), log)
	}
	if s.Refresh(t.Context()); from.asked.Load() != 1 {
		t.Error("fresh ones are asked for again")
	}
	for name, bad := range map[string]string{"an error": "", "no XML": "hunter2", "too much": strings.Repeat(" ", 4<<20) + one(otherID)} {
		from.content.Store(&bad)
		at.Advance(6 * time.Hour)
		if s.Refresh(t.Context()); names(s) != "spid-idp" {
			t.Errorf("%s: %s", name, names(s))
		}
	}
	if strings.Count(log.String(), "the old ones stay in force") != 3 {
		t.Errorf("log: %s", log)
	}
	asked := from.asked.Load()
	if s.Refresh(t.Context()); from.asked.Load() != asked {
		t.Error("what could not be had is asked for again at once")
	}
	at.Advance(10 * time.Minute)
	fresh := one(otherID)
	from.content.Store(&fresh)
	if s.Refresh(t.Context()); names(s) != "spid-other" {
		t.Errorf("good ones: %s", names(s))
	}
	// The next start finds the copy, and asks for newer ones beside.
	if s, _, log, err := opened(t, o); err != nil || names(s) != "spid-other" || log.Len() > 0 {
		t.Errorf("from the copy: %s, %v, %s", names(s), err, log)
	}
	if from.asked.Load() != asked+1 {
		t.Error("a start asks the network")
	}
}

// Without a copy, and while the metadata cannot be had, the start goes on and nobody is known. They
// appear when the metadata are there.
func TestRegistry_URLThatCannotBeHadAtTheStart(t *testing.T) {
	from, network := serve(t, "")
	s, at, log, err := opened(t, spid.Origin{Location: from.URL, Network: network, Cache: filepath.Join(t.TempDir(), "none.xml")})
	if err != nil {
		t.Fatal(err)
	}
	known := s.Known()
	if n, configured := known[federation.SPID]; n != 0 || !configured || len(known) != 1 {
		t.Errorf("known: %v", known)
	}
	if s.Refresh(t.Context()); names(s) != "" || !strings.Contains(log.String(), "nobody can log in by these providers until their metadata can be had") {
		t.Errorf("%s, %s", names(s), log)
	}
	good := one(idpID)
	from.content.Store(&good)
	at.Advance(spid.RefreshEvery)
	if s.Refresh(t.Context()); names(s) != "spid-idp" || s.Known()[federation.SPID] != 1 {
		t.Errorf("when they are there: %s, %s", names(s), log)
	}
}

// An operator may have the metadata in a network of theirs, if that is listed.
func TestRegistry_URLInAPrivateNetwork(t *testing.T) {
	from, network := serve(t, one(idpID))
	network.Resolver = egresstest.Resolver(t, "127.0.0.1")
	// The test's certificate has this name.
	o := spid.Origin{Location: strings.Replace(from.URL, "127.0.0.1", "metadata.example.com", 1), Network: network}
	s, _, log, err := opened(t, o)
	if err != nil {
		t.Fatal(err)
	}
	if s.Refresh(t.Context()); names(s) != "" || from.asked.Load() != 0 || !strings.Contains(log.String(), "not on the public Internet") {
		t.Errorf("not listed: %s, %s", names(s), log)
	}
	o.Network.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	if s, _, _, err = opened(t, o); err != nil {
		t.Fatal(err)
	}
	if s.Refresh(t.Context()); names(s) != "spid-idp" {
		t.Errorf("listed: %s", names(s))
	}
}

func TestRegistry_Signature(t *testing.T) {
	document := etree.NewDocument()
	if err := document.ReadFromString(many("", one(idpID))); err != nil {
		t.Fatal(err)
	}
	sign(t, document.Root(), key("registry"))
	signed, err := document.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		content, signer string
		good            bool
	}{
		"right":      {signed, "registry", true},
		"a stranger": {signed, "stranger", false},
		"changed":    {strings.Replace(signed, "/login", "/elsewhere", 1), "registry", false},
		"not at all": {one(idpID), "registry", false},
	} {
		s, _, _, err := opened(t, spid.Origin{Location: file(t, c.content), Signers: certificates(c.signer)})
		if (err == nil) != c.good || (names(s) == "spid-idp") != c.good {
			t.Errorf("%s: %s, %v", name, names(s), err)
		}
	}
}

// Metadata end while the program runs: then nobody is sent to the provider, nor believed.
func TestRegistry_MetadataThatEnd(t *testing.T) {
	s, at, _, err := opened(t, spid.Origin{Location: file(t, many(`validUntil="2026-03-16T08:30:00Z"`, one(idpID)))})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, clock: at, service: s, provider: s.Providers()[0]}
	a, request, _ := w.begin(2)
	at.Advance(30 * time.Minute)
	if n := s.Known()[federation.SPID]; names(s) != "" || n != 0 {
		t.Errorf("it is still listed: %s, %d", names(s), n)
	}
	values := signed(t, answer(request.SelectAttrValue("ID", ""), "https://www.spid.gov.it/SpidL2", at.Now()))
	if _, err := w.provider.Finish(t.Context(), a, values); refusal(t, err).Outcome != federation.Invalid {
		t.Error(err)
	}
	if _, err := w.provider.Begin(t.Context(), a); refusal(t, err).Outcome != federation.Unavailable {
		t.Error(err)
	}
}

// A file whose metadata have ended keeps nobody from the other ways of logging in. One that was never
// good stops the start.
func TestRegistry_AFileThatEndedStopsNothingElse(t *testing.T) {
	s, _, log, err := opened(t, spid.Origin{Location: file(t, many(`validUntil="2026-03-15T08:30:00Z"`, one(idpID)))})
	if err != nil || names(s) != "" || !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "valid no more") {
		t.Errorf("%s, %v, %s", names(s), err, log)
	}
	insecure := strings.Replace(one(idpID), "https://idp.example.it/login", "http://idp.example.it/login", 1)
	if _, _, _, err := opened(t, spid.Origin{Location: file(t, many("", insecure))}); err == nil {
		t.Error("a file without a provider that could ever be used")
	}
}

func TestRegistry_StopsWithTheProgram(t *testing.T) {
	from, network := serve(t, one(idpID))
	s, at, log, err := opened(t, spid.Origin{Location: from.URL, Network: network})
	if err != nil {
		t.Fatal(err)
	}
	s.Refresh(t.Context())
	log.Reset()
	at.Advance(6 * time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s.Refresh(ctx); log.Len() > 0 || !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("log: %s", log)
	}
}
