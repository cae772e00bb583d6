package card_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"diresco/internal/identity/federation/card"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/egress"
	"diresco/internal/platform/egress/egresstest"
)

const (
	idv        = "http://uri.etsi.org/TrstSvc/Svctype/IdV"
	recognised = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/recognisedatnationallevel"
)

// listed is a service of a trusted list.
type listed struct {
	kind, status string
	authority    *x509.Certificate
	since        time.Time
}

// trustedList writes a list as the national one is written, without a signature.
func trustedList(sequence int, next time.Time, services ...listed) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?>
<tsl:TrustServiceStatusList xmlns:tsl="http://uri.etsi.org/02231/v2#" Id="list" TSLTag="http://uri.etsi.org/19612/TSLTag">
<tsl:SchemeInformation><tsl:TSLVersionIdentifier>5</tsl:TSLVersionIdentifier><tsl:TSLSequenceNumber>%d</tsl:TSLSequenceNumber>
<tsl:SchemeTerritory>IT</tsl:SchemeTerritory><tsl:NextUpdate><tsl:dateTime>%s</tsl:dateTime></tsl:NextUpdate></tsl:SchemeInformation>
<tsl:TrustServiceProviderList><tsl:TrustServiceProvider><tsl:TSPServices>`, sequence, next.Format(time.RFC3339))
	for _, s := range services {
		fmt.Fprintf(&b, `<tsl:TSPService><tsl:ServiceInformation><tsl:ServiceTypeIdentifier>%s</tsl:ServiceTypeIdentifier>
<tsl:ServiceDigitalIdentity><tsl:DigitalId><tsl:X509Certificate>
%s
</tsl:X509Certificate></tsl:DigitalId><tsl:DigitalId><tsl:X509SubjectName>CN=x</tsl:X509SubjectName></tsl:DigitalId></tsl:ServiceDigitalIdentity>
<tsl:ServiceStatus>%s</tsl:ServiceStatus><tsl:StatusStartingTime>%s</tsl:StatusStartingTime></tsl:ServiceInformation></tsl:TSPService>`,
			s.kind, base64.StdEncoding.EncodeToString(s.authority.Raw), s.status, s.since.Format(time.RFC3339))
	}
	b.WriteString(`</tsl:TSPServices></tsl:TrustServiceProvider></tsl:TrustServiceProviderList></tsl:TrustServiceStatusList>`)
	return b.String()
}

// signList signs a list as XAdES has it: a reference to the whole, and one to the properties of the
// signature.
func signList(t *testing.T, list string, by pair) []byte {
	t.Helper()
	exclusive := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	digest := func(e *etree.Element) string {
		canonical, err := exclusive.Canonicalize(e)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(canonical)
		return base64.StdEncoding.EncodeToString(sum[:])
	}
	read := func(text string) *etree.Document {
		d := etree.NewDocument()
		if err := d.ReadFromString(text); err != nil {
			t.Fatal(err)
		}
		return d
	}
	document := read(list)
	const properties = `<xades:SignedProperties xmlns:xades="http://uri.etsi.org/01903/v1.3.2#" Id="properties"></xades:SignedProperties>`
	const transform, hash = `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>`, `<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>`
	info := fmt.Sprintf(`<ds:SignedInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">`+
		`<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>`+
		`<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>`+
		`<ds:Reference URI="#properties"><ds:Transforms>%[1]s</ds:Transforms>%[2]s<ds:DigestValue>%[3]s</ds:DigestValue></ds:Reference>`+
		`<ds:Reference URI=""><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>%[1]s</ds:Transforms>`+
		`%[2]s<ds:DigestValue>%[4]s</ds:DigestValue></ds:Reference></ds:SignedInfo>`,
		transform, hash, digest(read(properties).Root()), digest(document.Root()))
	canonical, err := exclusive.Canonicalize(read(info).Root())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(canonical)
	value, err := by.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	document.Root().AddChild(read(fmt.Sprintf(`<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">%s<ds:SignatureValue>%s</ds:SignatureValue>`+
		`<ds:KeyInfo><ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo><ds:Object>%s</ds:Object></ds:Signature>`,
		info, base64.StdEncoding.EncodeToString(value), base64.StdEncoding.EncodeToString(by.Raw), properties)).Root())
	content, err := document.WriteToBytes()
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func signer(t *testing.T) pair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return signKey(t, &x509.Certificate{
		SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: "Signer of the list"}, NotBefore: now.AddDate(-1, 0, 0),
		NotAfter: now.AddDate(2, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
	}, nil, key)
}

// files are those of a trusted list.
type files struct {
	t             *testing.T
	dir           string
	list, signers string
}

func newFiles(t *testing.T, by pair) files {
	t.Helper()
	f := files{t: t, dir: t.TempDir()}
	f.list, f.signers = filepath.Join(f.dir, "TSL-IT.xml"), filepath.Join(f.dir, "signers.pem")
	f.write(f.signers, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: by.Raw}))
	return f
}

func (f files) write(path string, content []byte) {
	f.t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f files) config() card.TrustConfig { return card.TrustConfig{List: f.list, Signers: f.signers} }

// lets tells whether a card of the authority is let in.
func lets(t *testing.T, trust *card.Trust, c clock.Clock, a *authority) bool {
	t.Helper()
	v := card.NewVerifier(trust, card.NewOnline(card.OnlineDeps{Clock: c, Log: quiet, Loopback: true}), c)
	return refused(t, v, a.issue(nil)) == ""
}

func TestTrustedList_ServicesOfCardsInForce(t *testing.T) {
	by := signer(t)
	f := newFiles(t, by)
	since := now.AddDate(-2, 0, 0)
	status := func(name string) string { return "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/" + name }
	for name, c := range map[string]struct {
		service listed
		in      bool
	}{
		"recognised":             {listed{kind: idv, status: recognised, since: since}, true},
		"granted":                {listed{kind: idv, status: status("granted"), since: since}, true},
		"under supervision":      {listed{kind: idv, status: status("undersupervision"), since: since}, true},
		"deprecated":             {listed{kind: idv, status: status("deprecatedatnationallevel"), since: since}, false},
		"withdrawn":              {listed{kind: idv, status: status("withdrawn"), since: since}, false},
		"of signatures":          {listed{kind: "http://uri.etsi.org/TrstSvc/Svctype/CA/QC", status: status("granted"), since: since}, false},
		"recognised from later":  {listed{kind: idv, status: recognised, since: now.Add(time.Hour)}, false},
		"of a state from abroad": {listed{kind: idv, status: "http://example.org/granted", since: since}, false},
	} {
		t.Run(name, func(t *testing.T) {
			a, other := newAuthority(t, "Authority of cards"), newAuthority(t, "Another")
			c.service.authority = a.Certificate
			always := listed{kind: idv, status: recognised, authority: other.Certificate, since: since}
			f.write(f.list, signList(t, trustedList(7, now.AddDate(0, 6, 0), always, c.service), by))
			at := clock.NewManual(now)
			trust, err := card.NewTrust(f.config(), at, quiet)
			if err != nil {
				t.Fatal(err)
			}
			if got := lets(t, trust, at, a); got != c.in {
				t.Errorf("let in: %v", got)
			}
			if !lets(t, trust, at, other) {
				t.Error("the other is not let in")
			}
		})
	}
}

func TestTrustedList_IsVerified(t *testing.T) {
	by, foreign := signer(t), signer(t)
	f := newFiles(t, by)
	a, other := newAuthority(t, "Authority of cards"), newAuthority(t, "Another")
	good := trustedList(7, now.AddDate(0, 6, 0), listed{idv, recognised, a.Certificate, now.AddDate(-1, 0, 0)})
	signed := string(signList(t, good, by))
	encoded := func(c *x509.Certificate) string { return base64.StdEncoding.EncodeToString(c.Raw) }
	for name, content := range map[string]string{
		"by another":                  string(signList(t, good, foreign)),
		"not signed":                  good,
		"changed":                     strings.Replace(signed, encoded(a.Certificate), encoded(other.Certificate), 1),
		"of another state":            string(signList(t, strings.Replace(good, ">IT<", ">FR<", 1), by)),
		"without an end":              string(signList(t, strings.Replace(good, "NextUpdate>", "LastUpdate>", 2), by)),
		"without authorities":         string(signList(t, trustedList(7, now.AddDate(0, 6, 0)), by)),
		"of another kind":             string(signList(t, strings.ReplaceAll(good, "http://uri.etsi.org/02231/v2#", "http://example.org/"), by)),
		"no XML":                      "TSL",
		"nothing":                     "",
		"the signed one within other": `<x xmlns="http://uri.etsi.org/02231/v2#">` + strings.TrimPrefix(signed, `<?xml version="1.0" encoding="UTF-8"?>`) + `</x>`,
	} {
		f.write(f.list, []byte(content))
		if _, err := card.NewTrust(f.config(), clock.NewManual(now), quiet); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
	f.write(f.list, []byte(signed))
	if _, err := card.NewTrust(f.config(), clock.NewManual(now), quiet); err != nil {
		t.Errorf("the right one: %v", err)
	}
	later := now.AddDate(3, 0, 0)
	trust, err := card.NewTrust(f.config(), clock.NewManual(later), quiet)
	if err != nil {
		t.Fatalf("when its signer's time is over: %v", err)
	}
	if _, err := trust.Pool(later); err == nil {
		t.Error("it is taken when its signer's time is over")
	}
}

// TestTrustedList_IsRefreshed: a new list counts from then on, and one that is not right leaves the
// old one in force until its end.
func TestTrustedList_IsRefreshed(t *testing.T) {
	by := signer(t)
	f := newFiles(t, by)
	first, second := newAuthority(t, "First"), newAuthority(t, "Second")
	end := now.AddDate(0, 6, 0)
	list := func(sequence int, a *authority) []byte {
		return signList(t, trustedList(sequence, end, listed{idv, recognised, a.Certificate, now.AddDate(-1, 0, 0)}), by)
	}
	f.write(f.list, list(7, first))
	c := clock.NewManual(now)
	var log bytes.Buffer
	trust, err := card.NewTrust(f.config(), c, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	holds := func(what string, one, two bool) {
		t.Helper()
		if a, b := lets(t, trust, c, first), lets(t, trust, c, second); a != one || b != two {
			t.Errorf("%s: first %v, second %v", what, a, b)
		}
	}
	holds("at first", true, false)
	for what, content := range map[string][]byte{"a bad one": []byte("<x/>"), "an older one": list(6, second)} {
		f.write(f.list, content)
		trust.Refresh(t.Context())
		holds(what, true, false)
	}
	if n := strings.Count(log.String(), "was not taken"); n != 2 {
		t.Errorf("the log tells it %d times", n)
	}
	f.write(f.list, list(8, second))
	trust.Refresh(t.Context())
	holds("a new one", false, true)
	if err := os.Remove(f.list); err != nil {
		t.Fatal(err)
	}
	trust.Refresh(t.Context())
	holds("without the file", false, true)
	if _, err := trust.Pool(end.Add(-time.Second)); err != nil {
		t.Errorf("before its end: %v", err)
	}
	if _, err := trust.Pool(end); err == nil {
		t.Error("it is used after its end")
	}
}

// TestTrustedList_OfTheNetwork: until it was fetched the copy serves, and without one no card is
// let in.
func TestTrustedList_OfTheNetwork(t *testing.T) {
	by := signer(t)
	f := newFiles(t, by)
	a, bundled := newAuthority(t, "First"), newAuthority(t, "Of the bundle")
	c := clock.NewManual(now)
	config := card.TrustConfig{List: "https://list.example.invalid/TSL-IT.xml", Signers: f.signers, Dir: f.dir}
	trust, err := card.NewTrust(config, c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	v := card.NewVerifier(trust, card.NewOnline(card.OnlineDeps{Clock: c, Log: quiet, Loopback: true}), c)
	if got := refused(t, v, a.issue(nil)); got != "temporarily_unavailable no-authorities" {
		t.Errorf("without a list: %q", got)
	}
	config.Bundle = filepath.Join(f.dir, "bundle.pem")
	f.write(config.Bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: bundled.Raw}))
	f.write(filepath.Join(f.dir, "cns-trusted-list.xml"),
		signList(t, trustedList(7, now.AddDate(0, 6, 0), listed{idv, recognised, a.Certificate, now.AddDate(-1, 0, 0)}), by))
	if trust, err = card.NewTrust(config, c, quiet); err != nil {
		t.Fatal(err)
	}
	if !lets(t, trust, c, a) || !lets(t, trust, c, bundled) {
		t.Error("the copy is not used, or the bundle is not")
	}
	c.Advance(200 * 24 * time.Hour)
	if _, err := trust.Pool(c.Now()); err != nil {
		t.Errorf("the bundle ends with the list: %v", err)
	}
}

// An operator may have the list in a network of theirs, if that is listed. Addresses that certificates
// name reach nothing private whatever is listed.
func TestTrustedList_InAPrivateNetwork(t *testing.T) {
	by := signer(t)
	f := newFiles(t, by)
	a := newAuthority(t, "First")
	content := signList(t, trustedList(7, now.AddDate(0, 6, 0), listed{idv, recognised, a.Certificate, now.AddDate(-1, 0, 0)}), by)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) }))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	config := card.TrustConfig{
		// The test's certificate has this name.
		List: strings.Replace(server.URL, "127.0.0.1", "list.example.com", 1), Signers: f.signers,
		Network: egress.Options{RootCAs: roots, Resolver: egresstest.Resolver(t, "127.0.0.1")},
	}
	c := clock.NewManual(now)
	trust, err := card.NewTrust(config, c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := trust.Load(t.Context()); !errors.Is(err, egress.ErrRefused) {
		t.Errorf("not listed: %v", err)
	}
	config.Network.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	if trust, err = card.NewTrust(config, c, quiet); err != nil {
		t.Fatal(err)
	}
	if err := trust.Load(t.Context()); err != nil {
		t.Errorf("listed: %v", err)
	}
	if !lets(t, trust, c, a) {
		t.Error("the list is not used")
	}
}

// A file that has had its time keeps nobody from the other ways of logging in.
func TestTrustedList_AFileThatEndedStopsNothingElse(t *testing.T) {
	by := signer(t)
	f := newFiles(t, by)
	a := newAuthority(t, "First")
	f.write(f.list, signList(t, trustedList(7, now.AddDate(0, 0, -1), listed{idv, recognised, a.Certificate, now.AddDate(-1, 0, 0)}), by))
	var log bytes.Buffer
	c := clock.NewManual(now)
	trust, err := card.NewTrust(f.config(), c, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trust.Pool(now); err == nil || !strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("%v, %s", err, &log)
	}
	f.write(f.list, signList(t, trustedList(8, now.AddDate(0, 6, 0), listed{idv, recognised, a.Certificate, now.AddDate(-1, 0, 0)}), by))
	if trust.Refresh(t.Context()); !lets(t, trust, c, a) {
		t.Error("a newer one is not taken")
	}
}

func TestTrust_FilesThatAreNone(t *testing.T) {
	f := newFiles(t, signer(t))
	f.write(f.list, []byte("no certificate"))
	for name, config := range map[string]card.TrustConfig{
		"a bundle without certificates":  {Bundle: f.list},
		"a bundle that is not there":     {Bundle: filepath.Join(f.dir, "none")},
		"signers without certificates":   {List: f.list, Signers: f.list},
		"a list that is not there":       {List: filepath.Join(f.dir, "none"), Signers: f.signers},
		"a list without signers at hand": {List: "https://list.example.invalid/"},
	} {
		if _, err := card.NewTrust(config, clock.NewManual(now), quiet); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
