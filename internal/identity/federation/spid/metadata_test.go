package spid_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/beevik/etree"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/spid"
)

func certificates(name string) []*x509.Certificate {
	return []*x509.Certificate{key(name).Certificate}
}

// tags are the children of an element, in their order.
func tags(e *etree.Element) string {
	var all []string
	for _, child := range e.ChildElements() {
		all = append(all, child.Tag)
	}
	return strings.Join(all, " ")
}

func at(e *etree.Element, path string) string {
	if found := e.FindElement(path); found != nil {
		return found.Text()
	}
	return "absent"
}

// metadataRules are what the technical rules say of metadata. docs/identity-spid.md has the same
// list.
var metadataRules = []struct {
	name  string
	holds func(m *etree.Element) bool
}{
	{"order of elements", func(m *etree.Element) bool { return tags(m) == "Signature SPSSODescriptor Organization ContactPerson" }},
	{"entityID", func(m *etree.Element) bool {
		u, err := url.Parse(m.SelectAttrValue("entityID", ""))
		return err == nil && u.String() == entityID && u.Scheme == "https" && u.Port() == "" && u.RawQuery == ""
	}},
	{"no end", func(m *etree.Element) bool {
		return m.SelectAttr("validUntil") == nil && m.SelectAttr("cacheDuration") == nil
	}},
	{"requests and assertions are signed", func(m *etree.Element) bool {
		d := m.FindElement("./SPSSODescriptor")
		return d.SelectAttrValue("AuthnRequestsSigned", "") == "true" && d.SelectAttrValue("WantAssertionsSigned", "") == "true" &&
			d.SelectAttrValue("protocolSupportEnumeration", "") == "urn:oasis:names:tc:SAML:2.0:protocol"
	}},
	{"order within SPSSODescriptor", func(m *etree.Element) bool {
		return tags(m.FindElement("./SPSSODescriptor")) == "KeyDescriptor KeyDescriptor SingleLogoutService SingleLogoutService NameIDFormat "+
			"AssertionConsumerService AttributeConsumingService"
	}},
	{"all certificates for signatures", func(m *etree.Element) bool {
		var got []string
		for _, k := range m.FindElements("./SPSSODescriptor/KeyDescriptor[@use='signing']") {
			got = append(got, at(k, "./KeyInfo/X509Data/X509Certificate"))
		}
		return slices.Equal(got, []string{encoded("ours"), encoded("next")})
	}},
	{"SingleLogoutService by redirect and form", func(m *etree.Element) bool {
		all := m.FindElements("./SPSSODescriptor/SingleLogoutService")
		return all[0].SelectAttrValue("Location", "") == logoutPlace && all[1].SelectAttrValue("Location", "") == logoutPlace &&
			strings.HasSuffix(all[0].SelectAttrValue("Binding", ""), ":HTTP-Redirect") &&
			strings.HasSuffix(all[1].SelectAttrValue("Binding", ""), ":HTTP-POST")
	}},
	{"NameIDFormat transient", func(m *etree.Element) bool {
		return at(m, "./SPSSODescriptor/NameIDFormat") == "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
	}},
	{"AssertionConsumerService", func(m *etree.Element) bool {
		a := m.FindElement("./SPSSODescriptor/AssertionConsumerService")
		return a.SelectAttrValue("index", "") == "0" && a.SelectAttrValue("isDefault", "") == "true" &&
			a.SelectAttrValue("Location", "") == answerPlace && strings.HasSuffix(a.SelectAttrValue("Binding", ""), ":HTTP-POST")
	}},
	{"ServiceName in Italian", func(m *etree.Element) bool {
		n := m.FindElement("./SPSSODescriptor/AttributeConsumingService/ServiceName")
		return n.SelectAttrValue("xml:lang", "") == "it" && n.Text() != ""
	}},
	{"Organization in Italian", func(m *etree.Element) bool {
		o := m.FindElement("./Organization")
		for _, e := range o.ChildElements() {
			if e.SelectAttrValue("xml:lang", "") != "it" {
				return false
			}
		}
		return tags(o) == "OrganizationName OrganizationDisplayName OrganizationURL" &&
			at(o, "./OrganizationName") == "Istituto di prova" && at(o, "./OrganizationURL") == "https://istituto.example.it"
	}},
	{"order within ContactPerson", func(m *etree.Element) bool {
		return tags(m.FindElement("./ContactPerson")) == "Extensions Company EmailAddress TelephoneNumber"
	}},
	{"Company is OrganizationName", func(m *etree.Element) bool {
		return at(m, "./ContactPerson/Company") == at(m, "./Organization/OrganizationName")
	}},
	{"address and telephone", func(m *etree.Element) bool {
		return at(m, "./ContactPerson/EmailAddress") == "spid@istituto.example.it" && at(m, "./ContactPerson/TelephoneNumber") == "+390612345"
	}},
}

func encoded(name string) string {
	return base64.StdEncoding.EncodeToString(key(name).Certificate.Raw)
}

// read reads metadata as their file has them.
func read(t *testing.T, metadata []byte) *etree.Element {
	t.Helper()
	document := etree.NewDocument()
	if err := document.ReadFromBytes(metadata); err != nil {
		t.Fatal(err)
	}
	return document.Root()
}

func requested(m *etree.Element) []string {
	var all []string
	for _, e := range m.FindElements("./SPSSODescriptor/AttributeConsumingService[@index='0']/RequestedAttribute") {
		all = append(all, e.SelectAttrValue("Name", ""))
	}
	return all
}

func TestMetadata_HoldTheRules(t *testing.T) {
	c := config()
	c.Keys = []spid.KeyPair{key("ours"), key("next")}
	c.Organisation.Municipality = "H501"
	w := newWorld(t, c, federation.SPID)
	ours, cie := read(t, w.service.Metadata(federation.SPID)), read(t, w.service.Metadata(federation.CIE))
	for name, m := range map[string]*etree.Element{"SPID": ours, "CIE": cie} {
		for _, rule := range metadataRules {
			if !rule.holds(m) {
				t.Errorf("%s: %s", name, rule.name)
			}
		}
		verify(t, m)
	}
	if got := requested(ours); !slices.Equal(got, spid.Usable) {
		t.Errorf("SPID is asked for %v", got)
	}
	if got := requested(cie); !slices.Equal(got, []string{"name", "familyName", "fiscalNumber", "dateOfBirth"}) {
		t.Errorf("CIE is asked for %v", got)
	}
	for _, contact := range []struct {
		of               *etree.Element
		kind, space, has string
	}{
		{ours, "other", "https://spid.gov.it/saml-extensions", "Public IPACode"},
		{cie, "administrative", "https://www.cartaidentita.interno.gov.it/saml-extensions", "Public IPACode Municipality"},
	} {
		e := contact.of.FindElement("./ContactPerson")
		extensions := e.FindElement("./Extensions")
		if e.SelectAttrValue("contactType", "") != contact.kind || tags(extensions) != contact.has ||
			at(extensions, "./IPACode") != "ist_prv" || at(extensions, "./Public") != "" {
			t.Errorf("contact %s: %s", contact.kind, tags(extensions))
		}
		for _, child := range extensions.ChildElements() {
			if child.NamespaceURI() != contact.space {
				t.Errorf("%s in %s", child.Tag, child.NamespaceURI())
			}
		}
	}
}

// What a provider is given never changes by itself: it is registered once.
func TestMetadata_AreTheSameEachTime(t *testing.T) {
	one, other := plain(t).service.Metadata(federation.SPID), plain(t).service.Metadata(federation.SPID)
	if !bytes.Equal(one, other) {
		t.Error("they differ from one start to the next")
	}
}

func TestCertificate(t *testing.T) {
	o := config().Organisation
	made, err := spid.NewCertificate(rand.Reader, entityID, o, "Roma", start, start.AddDate(3, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "spid.pem")
	if err := os.WriteFile(path, made, 0o600); err != nil {
		t.Fatal(err)
	}
	pairs, err := spid.LoadKeys([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	c := pairs[0].Certificate
	names := map[string]any{}
	for _, n := range c.Subject.Names {
		names[n.Type.String()] = n.Value
	}
	for name, want := range map[string]string{
		"2.5.4.3": o.Name, "2.5.4.10": o.Name, "2.5.4.6": "IT", "2.5.4.7": "Roma", "2.5.4.83": entityID, "2.5.4.97": "PA:IT-ist_prv",
	} {
		if names[name] != want {
			t.Errorf("%s: %v", name, names[name])
		}
	}
	public, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok || public.N.BitLen() < 3072 || c.SignatureAlgorithm != x509.SHA256WithRSA || c.IsCA ||
		c.KeyUsage != x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment {
		t.Errorf("key or usage: %v %v", c.SignatureAlgorithm, c.KeyUsage)
	}
	var policies []string
	for _, p := range c.Policies {
		policies = append(policies, p.String())
	}
	if !slices.Equal(policies, []string{"1.3.76.16.6", "1.3.76.16.4.2.1"}) {
		t.Errorf("policies: %v", policies)
	}
	for _, e := range c.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 32}) &&
			(!bytes.Contains(e.Value, []byte("agIDcert")) || !bytes.Contains(e.Value, []byte("cert_SP_Pub"))) {
			t.Error("the policies have no words")
		}
	}
	if err := c.CheckSignatureFrom(c); err == nil {
		t.Error("it may sign other certificates")
	}
	for name, err := range map[string]error{
		"right":          pairs[0].Check(entityID, start),
		"not yet":        pairs[0].Check(entityID, start.AddDate(0, 0, -1)),
		"ended":          pairs[0].Check(entityID, start.AddDate(3, 0, 0)),
		"another entity": pairs[0].Check("https://other.example.org", start),
	} {
		if (err == nil) != (name == "right") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, place := range map[string]string{"no place": "", "no code": "Roma"} {
		if name == "no code" {
			o.IPACode = ""
		}
		if _, err := spid.NewCertificate(rand.Reader, entityID, o, place, start, start.AddDate(3, 0, 0)); err == nil {
			t.Errorf("%s: made all the same", name)
		}
	}
}

func TestKeys_WrongFilesAreToldApartWithoutTheirContent(t *testing.T) {
	block := func(kind string, content []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
	}
	private, err := x509.MarshalPKCS8PrivateKey(key("ours").Key)
	if err != nil {
		t.Fatal(err)
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: start, NotAfter: start.AddDate(1, 0, 0)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, short.Public(), short)
	if err != nil {
		t.Fatal(err)
	}
	certificate, ownKey := block("CERTIFICATE", key("ours").Certificate.Raw), block("PRIVATE KEY", private)
	for name, c := range map[string]struct {
		content []byte
		says    string
	}{
		"nothing":             {nil, "no certificate"},
		"no key":              {certificate, "no key"},
		"no certificate":      {ownKey, "no certificate"},
		"of two pairs":        {append(block("CERTIFICATE", key("idp").Certificate.Raw), ownKey...), "not that of its certificate"},
		"two certificates":    {append(append([]byte{}, certificate...), certificate...), "several certificates"},
		"a broken one":        {block("CERTIFICATE", []byte("x")), "cannot be read"},
		"a key that is short": {append(block("CERTIFICATE", raw), block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(short))...), "shorter"},
	} {
		_, err := spid.ParseKeys(c.content)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := spid.LoadKeys([]string{"/nowhere/hunter2"}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
	if _, err := spid.New(spid.Config{PublicURL: entityID}, spid.Deps{}); err == nil {
		t.Error("a service without keys")
	}
}
