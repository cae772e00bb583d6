package idp

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"
)

// service is a service provider made of a library.
type service struct {
	world
	sp *saml.ServiceProvider
}

func newService(t *testing.T) service {
	t.Helper()
	var s service
	s.world = newWorld(t, func(d *Deps) {
		d.ServiceMetadata = func(context.Context) ([]byte, error) {
			described := s.sp.Metadata()
			role := &described.SPSSODescriptors[0]
			role.AttributeConsumingServices = []saml.AttributeConsumingService{{
				Index: 0, ServiceNames: []saml.LocalizedName{{Lang: "it", Value: "Prova"}},
				RequestedAttributes: []saml.RequestedAttribute{
					{Attribute: saml.Attribute{Name: "fiscalNumber"}},
					{Attribute: saml.Attribute{Name: "name"}},
					{Attribute: saml.Attribute{Name: "mobilePhone"}},
				},
			}}
			for i, descriptor := range role.KeyDescriptors {
				if descriptor.Use == "encryption" {
					role.KeyDescriptors = append(role.KeyDescriptors[:i], role.KeyDescriptors[i+1:]...)
					break
				}
			}
			return xml.Marshal(described)
		}
	})
	text, err := s.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var provider saml.EntityDescriptor
	if err := xml.Unmarshal(text, &provider); err != nil {
		t.Fatal(err)
	}
	own := testKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "service"}, NotBefore: s.clock.Now().AddDate(-1, 0, 0),
		NotAfter: s.clock.Now().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, own.Public(), own)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	at := func(path string) url.URL { return *s.issuer.JoinPath(path) }
	s.sp = &saml.ServiceProvider{
		EntityID: publicURL, Key: own, Certificate: certificate, MetadataURL: at("/metadata"), AcsURL: at("/federation/spid/acs"),
		IDPMetadata: &provider, SignatureMethod: dsig.RSASHA256SignatureMethod, Clock: dsig.NewFakeClockAt(s.clock.Now()),
		AuthnNameIDFormat: saml.TransientNameIDFormat,
	}
	return s
}

// request makes a request of a level, changed as a test wants it.
func (s service) request(binding string, level int, change func(*saml.AuthnRequest)) *saml.AuthnRequest {
	s.t.Helper()
	r, err := s.sp.MakeAuthenticationRequest(publicURL+SAMLPath, binding, saml.HTTPPostBinding)
	if err != nil {
		s.t.Fatal(err)
	}
	force := true
	r.Signature = nil
	r.IssueInstant = s.clock.Now().Truncate(time.Second)
	r.ForceAuthn, r.AttributeConsumingServiceIndex = &force, "0"
	r.RequestedAuthnContext = &saml.RequestedAuthnContext{Comparison: "minimum", AuthnContextClassRefs: []string{class(level)}}
	if change != nil {
		change(r)
	}
	return r
}

// byRedirect sends a request in the address.
func (s service) byRedirect(r *saml.AuthnRequest, state string) *http.Request {
	s.t.Helper()
	u, err := r.Redirect(state, s.sp)
	if err != nil {
		s.t.Fatal(err)
	}
	return httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, u.String(), http.NoBody)
}

// byPost sends a request in a form.
func (s service) byPost(r *saml.AuthnRequest, state string) *http.Request {
	s.t.Helper()
	if err := s.sp.SignAuthnRequest(r); err != nil {
		s.t.Fatal(err)
	}
	doc := etree.NewDocument()
	doc.SetRoot(r.Element())
	text, err := doc.WriteToBytes()
	if err != nil {
		s.t.Fatal(err)
	}
	form := url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString(text)}, "RelayState": {state}}
	h := httptest.NewRequestWithContext(s.t.Context(), http.MethodPost, SAMLPath, strings.NewReader(form.Encode()))
	h.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return h
}

// A service made of a library reads who it was, by either way of asking.
func TestSAML_ServesTheUsualService(t *testing.T) {
	s := newService(t)
	for binding, send := range map[string]func(*saml.AuthnRequest, string) *http.Request{
		saml.HTTPRedirectBinding: s.byRedirect, saml.HTTPPostBinding: s.byPost,
	} {
		for level := lowest; level <= highest; level++ {
			r := s.request(binding, level, nil)
			id, err := s.ReadSAML(send(r, "state"))
			if err != nil {
				t.Fatal(err)
			}
			if waiting, err := s.Waiting(id); err != nil || waiting.Level != level || waiting.Provider != "SPID di prova" {
				t.Errorf("waits as %+v: %v", waiting, err)
			}
			answer, err := s.Answer(id, Choice{Person: marco, Level: level, Outcome: Granted})
			if err != nil {
				t.Fatal(err)
			}
			if answer.URL != publicURL+"/federation/spid/acs" || answer.Form[1] != (Field{"RelayState", "state"}) || len(answer.Told) != 2 {
				t.Errorf("got %+v", answer)
			}
			text, err := base64.StdEncoding.DecodeString(answer.Form[0].Value)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.sp.ParseXMLResponse(text, []string{r.ID}, s.sp.AcsURL)
			if err != nil {
				var invalid *saml.InvalidResponseError
				errors.As(err, &invalid)
				t.Fatal(err, invalid.PrivateErr)
			}
			name, session := got.Subject.NameID, got.AuthnStatements[0].SessionIndex
			if got.Signature == nil || name.NameQualifier != publicURL+MetadataPath || name.Value == "" || got.Issuer.Format != entityFormat ||
				(session != "") != (level == lowest) || got.AuthnStatements[0].AuthnContext.AuthnContextClassRef.Value != class(level) {
				t.Errorf("got %+v", got)
			}
			told := map[string]string{}
			for _, a := range got.AttributeStatements[0].Attributes {
				told[a.Name] = a.Values[0].Value
			}
			// The provider knows no number of his, so it tells none, though it is asked.
			if len(told) != 2 || told["fiscalNumber"] != "TINIT-"+marco.TaxCode || told["name"] != "Marco" {
				t.Errorf("told %v", told)
			}
		}
	}
}

// Each refusal has its number and no assertion. A provider that is out of order answers nothing.
func TestSAML_TellsWhatWentWrong(t *testing.T) {
	s := newService(t)
	for _, outcome := range Outcomes()[1:] {
		r := s.request(saml.HTTPRedirectBinding, 2, nil)
		id, err := s.ReadSAML(s.byRedirect(r, "state"))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := s.Answer(id, Choice{Person: marco, Level: 2, Outcome: outcome})
		if outcome == Down {
			if !errors.Is(err, ErrDown) {
				t.Errorf("out of order: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := base64.StdEncoding.DecodeString(answer.Form[0].Value)
		if err != nil {
			t.Fatal(err)
		}
		var got saml.Response
		if err := xml.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		want := "ErrorCode nr" + string(rune('0'+outcome.Number()/10)) + string(rune('0'+outcome.Number()%10))
		if got.Status.StatusCode.Value != saml.StatusResponder || got.Status.StatusCode.StatusCode.Value != saml.StatusAuthnFailed ||
			got.Status.StatusMessage.Value != want || got.Assertion != nil || got.InResponseTo != r.ID || len(answer.Told) > 0 {
			t.Errorf("%s: %+v", outcome, got)
		}
	}
}

// What the rules ask of a request is asked for: a signature above all.
func TestSAML_RefusesWrongRequests(t *testing.T) {
	s := newService(t)
	for name, sent := range map[string]*http.Request{
		"no state":       s.byRedirect(s.request(saml.HTTPRedirectBinding, 2, nil), ""),
		"no ForceAuthn":  s.byRedirect(s.request(saml.HTTPRedirectBinding, 2, func(r *saml.AuthnRequest) { r.ForceAuthn = nil }), "state"),
		"another level":  s.byRedirect(s.request(saml.HTTPRedirectBinding, 4, nil), "state"),
		"another issuer": s.byRedirect(s.request(saml.HTTPRedirectBinding, 2, func(r *saml.AuthnRequest) { r.Issuer.Value = "other" }), "state"),
		"another place": s.byRedirect(s.request(saml.HTTPRedirectBinding, 2, func(r *saml.AuthnRequest) {
			r.AssertionConsumerServiceURL = "https://elsewhere.example/"
		}), "state"),
		"an old one": s.byPost(s.request(saml.HTTPPostBinding, 2, func(r *saml.AuthnRequest) {
			r.IssueInstant = r.IssueInstant.Add(-time.Hour)
		}), "state"),
		"nothing": httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, SAMLPath, http.NoBody),
	} {
		var invalid *Invalid
		if _, err := s.ReadSAML(sent); !errors.As(err, &invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A request without its signature, whose way says that there is one.
	sent := s.byRedirect(s.request(saml.HTTPRedirectBinding, 2, nil), "state")
	query := sent.URL.Query()
	sent.URL.RawQuery = url.Values{"SAMLRequest": query["SAMLRequest"], "RelayState": query["RelayState"]}.Encode()
	var invalid *Invalid
	if _, err := s.ReadSAML(sent); !errors.As(err, &invalid) {
		t.Errorf("unsigned: %v", err)
	}
}

// The metadata is signed by the key that it names.
func TestSAML_MetadataIsSigned(t *testing.T) {
	s := newService(t)
	text, err := s.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(text); err != nil {
		t.Fatal(err)
	}
	check := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{s.certificate}})
	check.IdAttribute, check.Clock = "ID", dsig.NewFakeClockAt(s.clock.Now())
	if _, err := check.Validate(doc.Root()); err != nil {
		t.Error(err)
	}
	if first := doc.Root().ChildElements()[0].Tag; first != "Signature" {
		t.Errorf("%s comes first", first)
	}
}
