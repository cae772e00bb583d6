package spid_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/spid"
)

// requestRules are what the technical rules say of requests. docs/identity-spid.md has the same list.
var requestRules = []struct {
	name  string
	holds func(r *etree.Element, level federation.Level) bool
}{
	{"root", func(r *etree.Element, _ federation.Level) bool {
		return r.Tag == "AuthnRequest" && r.NamespaceURI() == "urn:oasis:names:tc:SAML:2.0:protocol"
	}},
	{"ID", func(r *etree.Element, _ federation.Level) bool {
		return regexp.MustCompile(`^_[0-9a-f]{40}$`).MatchString(r.SelectAttrValue("ID", ""))
	}},
	{"Version", func(r *etree.Element, _ federation.Level) bool { return r.SelectAttrValue("Version", "") == "2.0" }},
	{"IssueInstant in whole seconds", func(r *etree.Element, _ federation.Level) bool {
		return r.SelectAttrValue("IssueInstant", "") == start.Format(time.RFC3339)
	}},
	{"Destination", func(r *etree.Element, _ federation.Level) bool {
		return r.SelectAttrValue("Destination", "") == "https://idp.example.it/login"
	}},
	{"ForceAuthn above level 1", func(r *etree.Element, level federation.Level) bool {
		return r.SelectAttrValue("ForceAuthn", "absent") == map[federation.Level]string{1: "absent", 2: "true", 3: "true"}[level]
	}},
	{"no IsPassive", absent("IsPassive")},
	{"AssertionConsumerServiceIndex alone", func(r *etree.Element, level federation.Level) bool {
		return r.SelectAttrValue("AssertionConsumerServiceIndex", "") == "0" &&
			absent("AssertionConsumerServiceURL")(r, level) && absent("ProtocolBinding")(r, level)
	}},
	{"AttributeConsumingServiceIndex", func(r *etree.Element, _ federation.Level) bool {
		return r.SelectAttrValue("AttributeConsumingServiceIndex", "") == "0"
	}},
	{"Issuer", func(r *etree.Element, _ federation.Level) bool {
		i := r.FindElements("./Issuer")
		return len(i) == 1 && i[0].Text() == entityID && i[0].SelectAttrValue("NameQualifier", "") == entityID &&
			i[0].SelectAttrValue("Format", "") == "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
	}},
	{"NameIDPolicy transient, without AllowCreate", func(r *etree.Element, _ federation.Level) bool {
		p := r.FindElements("./NameIDPolicy")
		return len(p) == 1 && len(p[0].Attr) == 1 &&
			p[0].SelectAttrValue("Format", "") == "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
	}},
	{"RequestedAuthnContext of one class", func(r *etree.Element, level federation.Level) bool {
		c := r.FindElements("./RequestedAuthnContext")
		return len(c) == 1 && c[0].SelectAttrValue("Comparison", "") == "minimum" && len(c[0].ChildElements()) == 1 &&
			c[0].ChildElements()[0].Text() == "https://www.spid.gov.it/SpidL"+string(rune('0'+level))
	}},
	{"no Subject, Conditions, Scoping", func(r *etree.Element, _ federation.Level) bool {
		return r.FindElement("./Subject") == nil && r.FindElement("./Conditions") == nil && r.FindElement("./Scoping") == nil
	}},
}

func absent(name string) func(r *etree.Element, _ federation.Level) bool {
	return func(r *etree.Element, _ federation.Level) bool { return r.SelectAttr(name) == nil }
}

func TestRequest_HoldsTheRules(t *testing.T) {
	c := config()
	c.Post = true
	for binding, w := range map[string]*world{"redirect": plain(t), "post": newWorld(t, c, federation.SPID)} {
		for _, level := range []federation.Level{1, 2, 3} {
			_, r, _ := w.begin(level)
			for _, rule := range requestRules {
				if !rule.holds(r, level) {
					t.Errorf("%s, level %d: %s", binding, level, rule.name)
				}
			}
		}
	}
}

func TestRequest_Redirect(t *testing.T) {
	w := plain(t)
	_, r, d := w.begin(2)
	if d.Form != nil || r.FindElement("./Signature") != nil {
		t.Error("it is no plain redirect")
	}
	checkQuery(t, d.URL, "SAMLRequest")
	u, err := url.Parse(d.URL)
	if err != nil || u.Query().Get("RelayState") != state || strings.Contains(state, "http") {
		t.Errorf("relay state: %v", err)
	}
}

// checkQuery verifies what was signed of a query, and in which order it stands.
func checkQuery(t *testing.T, raw, message string) {
	t.Helper()
	_, query, _ := strings.Cut(raw, "?")
	content, encoded, found := strings.Cut(query, "&Signature=")
	if !found || !regexp.MustCompile(`^`+message+`=[^&]+&RelayState=[^&]+&SigAlg=[^&]+$`).MatchString(content) ||
		!strings.HasSuffix(content, "SigAlg="+url.QueryEscape(dsig.RSASHA256SignatureMethod)) {
		t.Fatalf("query: %s", query)
	}
	plain, err := url.QueryUnescape(encoded)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := base64.StdEncoding.DecodeString(plain)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(content))
	if err := rsa.VerifyPKCS1v15(&key("ours").Key.PublicKey, crypto.SHA256, digest[:], signature); err != nil {
		t.Error(err)
	}
}

func TestRequest_Post(t *testing.T) {
	// This provider has no place for requests by redirect.
	w := newWorld(t, config(), federation.SPID, "HTTP-POST")
	_, r, d := w.begin(2)
	if d.URL != "https://idp.example.it/login" || len(d.Form) != 2 || d.Form[1] != (federation.Field{Name: "RelayState", Value: state}) {
		t.Errorf("%s, %d fields", d.URL, len(d.Form))
	}
	if names := r.ChildElements(); names[0].Tag != "Issuer" || names[1].Tag != "Signature" {
		t.Errorf("the signature does not follow the issuer: %s", names[1].Tag)
	}
	verify(t, r)
	raw, err := base64.StdEncoding.DecodeString(d.Form[0].Value)
	if err != nil || !strings.HasPrefix(string(raw), "<samlp:AuthnRequest ") {
		t.Errorf("it begins with something else: %v", err)
	}
}

// verify verifies the signature of something of ours, as it was read.
func verify(t *testing.T, e *etree.Element) {
	t.Helper()
	m := e.FindElement("./Signature/SignedInfo/SignatureMethod")
	if m == nil || m.SelectAttrValue("Algorithm", "") != dsig.RSASHA256SignatureMethod {
		t.Error("another method of signatures")
	}
	context := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: certificates("ours")})
	context.Clock = dsig.NewFakeClockAt(start)
	if _, err := context.Validate(e); err != nil {
		t.Error(err)
	}
}

func TestRequest_NoTwoAreTheSame(t *testing.T) {
	w := plain(t)
	_, one, _ := w.begin(2)
	_, other, _ := w.begin(2)
	if one.SelectAttrValue("ID", "") == other.SelectAttrValue("ID", "") {
		t.Error("two requests have one ID")
	}
}

// brokenRandom gives nothing.
type brokenRandom struct{}

var errRandom = errors.New("no randomness")

func (brokenRandom) Read([]byte) (int, error) { return 0, errRandom }

func TestRequest_NoneWithoutRandomness(t *testing.T) {
	w := plain(t)
	w.service.Random = brokenRandom{}
	a := federation.Attempt{Level: 2, State: state, BegunAt: start}
	if _, err := w.provider.Begin(t.Context(), a); !errors.Is(err, errRandom) {
		t.Error(err)
	}
}

func TestProvider_About(t *testing.T) {
	about := plain(t).provider.About()
	if !regexp.MustCompile(`^spid-idp-example-it-metadata-[0-9a-f]{8}$`).MatchString(about.ID) || about.Kind != federation.SPID ||
		about.Protocol != federation.SAML || about.Method != "spid" || about.DisplayName != "Identità di prova" || len(about.Levels) != 2 {
		t.Errorf("%+v", about)
	}
	long := strings.Repeat("very-long.", 30)
	w := newWorld(t, config(), federation.SPID)
	registry := spid.NewRegistry(spid.Origin{Kind: federation.SPID})
	service, err := spid.New(config(), w.service.Deps, registry)
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Set(registry, []byte(idpMetadata("https://"+long, key("idp"), "HTTP-Redirect"))); err != nil {
		t.Fatal(err)
	}
	if id := service.Providers()[0].About().ID; len(id) > 64 || !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(id) {
		t.Error(id)
	}
}
