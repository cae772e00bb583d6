package spid_test

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/google/uuid"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/spid"
	"diresco/internal/platform/clock"
)

var start = time.Date(2026, 3, 16, 8, 0, 0, 0, time.UTC)

const (
	entityID    = "https://diresco.example.org"
	answerPlace = entityID + spid.AnswerPath
	logoutPlace = entityID + spid.LogoutPath
	idpID       = "https://idp.example.it/metadata"
	state       = "k7Qm2ZxV9bTn4RwL8yHs1JdF6pGc3KaXo5EuN0iMvBtCqWzY"
	// bindingPrefix stands before the names of bindings.
	bindingPrefix = "urn:oasis:names:tc:SAML:2.0:bindings:"
	taxCode       = "RSSMRA80A01H501U"
)

// key makes a key and a certificate for it, once for each name.
var key = func() func(name string) spid.KeyPair {
	var mu sync.Mutex
	made := map[string]spid.KeyPair{}
	return func(name string) spid.KeyPair {
		mu.Lock()
		defer mu.Unlock()
		if made[name].Key == nil {
			made[name] = makeKey(name)
		}
		return made[name]
	}
}()

func makeKey(name string) spid.KeyPair {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: start.AddDate(-1, 0, 0), NotAfter: start.AddDate(2, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		panic(err)
	}
	certificate, err := x509.ParseCertificate(raw)
	if err != nil {
		panic(err)
	}
	return spid.KeyPair{Certificate: certificate, Key: private}
}

// idpMetadata describes the provider of the tests. The bindings are those of its login.
func idpMetadata(id string, signer spid.KeyPair, bindings ...string) string {
	var login strings.Builder
	for _, binding := range bindings {
		fmt.Fprintf(&login, `<SingleSignOnService Binding="%s%s" Location="https://idp.example.it/login"/>`, bindingPrefix, binding)
	}
	return fmt.Sprintf(`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata"
xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="%s">
<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol" WantAuthnRequestsSigned="true">
<KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>
<SingleLogoutService Binding="%s" Location="https://idp.example.it/logout"
ResponseLocation="https://idp.example.it/logged-out"/>
%s</IDPSSODescriptor>
<Organization><OrganizationName xml:lang="it">Identità di prova</OrganizationName>
<OrganizationDisplayName xml:lang="en">Test identity</OrganizationDisplayName>
<OrganizationDisplayName xml:lang="it">Identità di prova</OrganizationDisplayName>
<OrganizationURL xml:lang="it">https://idp.example.it</OrganizationURL></Organization>
</EntityDescriptor>`, id, base64.StdEncoding.EncodeToString(signer.Certificate.Raw), bindingPrefix+bindings[0], login.String())
}

// world is a service with one provider.
type world struct {
	testing.TB
	clock    *clock.Manual
	service  *spid.Service
	provider federation.Provider
	log      *bytes.Buffer
}

func config() spid.Config {
	return spid.Config{
		EntityID: entityID, PublicURL: entityID, Keys: []spid.KeyPair{key("ours")}, Comparison: "minimum", Attributes: spid.Usable,
		Organisation: spid.Organisation{
			Name: "Istituto di prova", URL: "https://istituto.example.it", IPACode: "ist_prv", Email: "spid@istituto.example.it",
			Telephone: "+390612345",
		},
	}
}

// newWorld makes a service by a configuration, with a provider of a kind.
func newWorld(t testing.TB, c spid.Config, kind federation.Kind, bindings ...string) *world {
	t.Helper()
	w := &world{TB: t, clock: clock.NewManual(start.Add(300 * time.Millisecond)), log: &bytes.Buffer{}}
	registry := spid.NewRegistry(spid.Origin{Kind: kind})
	deps := spid.Deps{Clock: w.clock, Random: rand.Reader, Log: slog.New(slog.NewTextHandler(w.log, nil))}
	var err error
	if w.service, err = spid.New(c, deps, registry); err != nil {
		t.Fatal(err)
	}
	if len(bindings) == 0 {
		bindings = []string{"HTTP-Redirect", "HTTP-POST"}
	}
	if err := w.service.Set(registry, []byte(idpMetadata(idpID, key("idp"), bindings...))); err != nil {
		t.Fatal(err)
	}
	w.provider = w.service.Providers()[0]
	return w
}

func plain(t *testing.T) *world {
	t.Helper()
	return newWorld(t, config(), federation.SPID)
}

// begin begins a login, and returns it with the request that was sent.
func (w *world) begin(level federation.Level) (federation.Attempt, *etree.Element, federation.Departure) {
	w.Helper()
	a := federation.Attempt{ID: uuid.New(), Level: level, State: state, BegunAt: w.clock.Now().Truncate(time.Second)}
	d, err := w.provider.Begin(w.Context(), a)
	if err != nil {
		w.Fatal(err)
	}
	a.Kept = d.Kept
	return a, w.message(d, "SAMLRequest"), d
}

// message reads a message of ours as a provider does.
func (w *world) message(d federation.Departure, name string) *etree.Element {
	w.Helper()
	var content []byte
	if d.Form != nil {
		raw, err := base64.StdEncoding.DecodeString(d.Form[0].Value)
		if err != nil || d.Form[0].Name != name {
			w.Fatal(d.Form[0].Name, err)
		}
		content = raw
	} else {
		u, err := url.Parse(d.URL)
		if err != nil {
			w.Fatal(err)
		}
		raw, err := base64.StdEncoding.DecodeString(u.Query().Get(name))
		if err != nil {
			w.Fatal(err)
		}
		if content, err = io.ReadAll(flate.NewReader(bytes.NewReader(raw))); err != nil {
			w.Fatal(err)
		}
	}
	document := etree.NewDocument()
	if err := document.ReadFromBytes(content); err != nil {
		w.Fatal(err)
	}
	return document.Root()
}

// values of a right answer's attributes.
var person = [][2]string{
	{"name", "Mario"},
	{"familyName", "Rossi"},
	{"fiscalNumber", "TINIT-" + taxCode},
	{"dateOfBirth", "1980-01-01"},
	{"placeOfBirth", "H501"},
	{"email", "mario@example.it"},
	{"mobilePhone", "+393331234567"},
}

// answer is a right one, before it is signed. Tests change it.
func answer(requestID, class string, now time.Time) *etree.Element {
	var attributes strings.Builder
	for _, a := range person {
		fmt.Fprintf(&attributes, `<saml:Attribute Name="%s"><saml:AttributeValue>%s</saml:AttributeValue></saml:Attribute>`, a[0], a[1])
	}
	at, end := now.UTC().Format(time.RFC3339), now.Add(4*time.Minute).UTC().Format(time.RFC3339)
	const entity = `Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity"`
	text := `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_` +
		uuid.NewString() + `" Version="2.0" IssueInstant="` + at + `" InResponseTo="` + requestID + `" Destination="` + answerPlace + `">` +
		`<saml:Issuer ` + entity + `>` + idpID + `</saml:Issuer>` +
		`<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>` +
		`<saml:Assertion ID="_` + uuid.NewString() + `" Version="2.0" IssueInstant="` + at + `">` +
		`<saml:Issuer ` + entity + `>` + idpID + `</saml:Issuer>` +
		`<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:transient" NameQualifier="` + idpID + `">_` +
		uuid.NewString() + `</saml:NameID>` +
		`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData InResponseTo="` +
		requestID + `" NotOnOrAfter="` + end + `" Recipient="` + answerPlace + `"/></saml:SubjectConfirmation></saml:Subject>` +
		`<saml:Conditions NotBefore="` + at + `" NotOnOrAfter="` + end + `"><saml:AudienceRestriction><saml:Audience>` + entityID +
		`</saml:Audience></saml:AudienceRestriction></saml:Conditions>` +
		`<saml:AuthnStatement AuthnInstant="` + at + `"><saml:AuthnContext><saml:AuthnContextClassRef>` + class +
		`</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>` +
		`<saml:AttributeStatement>` + attributes.String() + `</saml:AttributeStatement></saml:Assertion></samlp:Response>`
	document := etree.NewDocument()
	if err := document.ReadFromString(text); err != nil {
		panic(err)
	}
	return document.Root()
}

// sign puts a signature into an element that stands in a document.
func sign(t testing.TB, e *etree.Element, by spid.KeyPair) {
	t.Helper()
	context, err := dsig.NewSigningContext(by.Key, [][]byte{by.Certificate.Raw})
	if err != nil {
		t.Fatal(err)
	}
	context.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	if err := context.SetSignatureMethod(dsig.RSASHA256SignatureMethod); err != nil {
		t.Fatal(err)
	}
	around, err := etreeutils.NSBuildParentContext(e)
	if err != nil {
		t.Fatal(err)
	}
	alone, err := etreeutils.NSDetatch(around, e)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := context.ConstructSignature(alone, true)
	if err != nil {
		t.Fatal(err)
	}
	place := 0
	for _, child := range e.ChildElements() {
		if child.Tag == "Issuer" {
			place = child.Index() + 1
		}
	}
	e.InsertChildAt(place, signature)
}

// form is what a browser brings.
func form(t testing.TB, root *etree.Element) url.Values {
	t.Helper()
	document := etree.NewDocument()
	document.SetRoot(root)
	content, err := document.WriteToBytes()
	if err != nil {
		t.Fatal(err)
	}
	return url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString(content)}, "RelayState": {state}}
}

// signed signs the assertions of an answer and then the answer itself.
func signed(t testing.TB, root *etree.Element) url.Values {
	t.Helper()
	for _, a := range root.FindElements("Assertion") {
		sign(t, a, key("idp"))
	}
	sign(t, root, key("idp"))
	return form(t, root)
}
