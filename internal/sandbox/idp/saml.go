package idp

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"
)

const (
	entityFormat = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
	bearer       = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
	basicName    = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"
	// classPrefix stands before the level in what SPID calls a class of authentication.
	classPrefix = "https://www.spid.gov.it/SpidL"
	// metadataFor is how long metadata is good; nobody fetches it again.
	metadataFor = 100 * 365 * 24 * time.Hour
	// assertionFor is how long an assertion is good.
	assertionFor = 5 * time.Minute
)

// samlRequest is a request for authentication as it was read.
type samlRequest = saml.IdpAuthnRequest

// class is what SPID calls a level.
func class(level int) string { return classPrefix + strconv.Itoa(level) }

// levelOf reads a class; 0 stands for none.
func levelOf(class string) int {
	level, err := strconv.Atoi(strings.TrimPrefix(class, classPrefix))
	if err != nil || !strings.HasPrefix(class, classPrefix) || level < lowest || level > highest {
		return 0
	}
	return level
}

// library returns the part that reads requests, at this moment.
func (p *Provider) library(ctx context.Context) *saml.IdentityProvider {
	metadata, sso := *p.issuer.JoinPath(MetadataPath), *p.issuer.JoinPath(SAMLPath)
	validFor := metadataFor
	return &saml.IdentityProvider{
		Key: p.Key, Certificate: p.certificate, MetadataURL: metadata, SSOURL: sso, SignatureMethod: dsig.RSASHA256SignatureMethod,
		WantAuthnRequestsSigned: true, RejectSHA1Signatures: true, ValidDuration: &validFor, Clock: dsig.NewFakeClockAt(p.Clock.Now()),
		ServiceProviderProvider: serviceProvider(func() ([]byte, error) { return p.ServiceMetadata(ctx) }),
	}
}

// serviceProvider is the one service that this provider knows.
type serviceProvider func() ([]byte, error)

// GetServiceProvider implements saml.ServiceProviderProvider.
func (s serviceProvider) GetServiceProvider(_ *http.Request, id string) (*saml.EntityDescriptor, error) {
	text, err := s()
	if err != nil {
		return nil, err
	}
	var described saml.EntityDescriptor
	if err := xml.Unmarshal(text, &described); err != nil {
		return nil, err
	}
	if described.EntityID != id {
		return nil, os.ErrNotExist
	}
	return &described, nil
}

// Metadata returns the provider's SAML metadata, signed.
func (p *Provider) Metadata(ctx context.Context) ([]byte, error) {
	described := p.library(ctx).Metadata()
	name := []saml.LocalizedName{{Lang: "it", Value: p.Name}}
	described.ID = "_sandbox"
	described.Organization = &saml.Organization{
		OrganizationNames: name, OrganizationDisplayNames: name,
		OrganizationURLs: []saml.LocalizedURI{{Lang: "it", Value: p.at(Path)}},
	}
	text, err := xml.Marshal(described)
	if err != nil {
		return nil, err
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(text); err != nil {
		return nil, err
	}
	if err := p.sign(doc.Root(), 0); err != nil {
		return nil, err
	}
	return write(doc.Root())
}

// ReadSAML takes a request for authentication, by Redirect or POST, and returns the name under
// which it waits. What it does not take is an *Invalid.
func (p *Provider) ReadSAML(r *http.Request) (string, error) {
	library := p.library(r.Context())
	read, err := saml.NewIdpAuthnRequest(library, r)
	if err == nil {
		err = read.Validate()
	}
	if err != nil {
		return "", &Invalid{err.Error()}
	}
	if read.RelayState == "" {
		return "", &Invalid{"the request has no RelayState"}
	}
	level := asked
	if wanted := read.Request.RequestedAuthnContext; wanted != nil {
		classes := wanted.ClassRefs()
		if len(classes) != 1 || levelOf(classes[0]) == 0 {
			return "", &Invalid{"the request does not name one level of SPID"}
		}
		level = levelOf(classes[0])
	}
	if force := read.Request.ForceAuthn; level > lowest && (force == nil || !*force) {
		return "", &Invalid{"a request above level 1 must have ForceAuthn"}
	}
	// Of the HTTP request nothing is needed any more.
	read.HTTPRequest = nil
	return p.requests.put(Request{Provider: p.Name, Level: level, saml: read})
}

// answerSAML makes the answer to a request, signed, as it is posted.
func (p *Provider) answerSAML(r *samlRequest, choice Choice) (Answer, error) {
	answer := Answer{URL: r.ACSEndpoint.Location}
	r.Now = p.Clock.Now().UTC().Truncate(time.Second)
	var response *etree.Element
	var err error
	if number := choice.Outcome.Number(); number > 0 {
		message := fmt.Sprintf("ErrorCode nr%d", number)
		if err = r.MakeErrorResponse(saml.StatusResponder, saml.StatusAuthnFailed, message); err != nil {
			return Answer{}, err
		}
		response = r.ResponseEl
	} else {
		answer.Told = wanted(r, attributes(choice.Person))
		if response, err = p.respond(r, choice, answer.Told); err != nil {
			return Answer{}, err
		}
	}
	text, err := write(response)
	if err != nil {
		return Answer{}, err
	}
	answer.Form = []Field{{"SAMLResponse", inBase64(text)}, {"RelayState", r.RelayState}}
	return answer, nil
}

// wanted leaves of what is known of a person what the service asks for by its metadata.
func wanted(r *samlRequest, known []Field) []Field {
	var names []string
	for _, set := range r.SPSSODescriptor.AttributeConsumingServices {
		if strconv.Itoa(set.Index) == r.Request.AttributeConsumingServiceIndex {
			for _, a := range set.RequestedAttributes {
				names = append(names, a.Name)
			}
		}
	}
	return slices.DeleteFunc(known, func(f Field) bool { return !slices.Contains(names, f.Name) || f.Value == "" })
}

// attributes are what SPID calls those that are known of a person.
func attributes(of Person) []Field {
	return []Field{
		{"spidCode", "TEST" + of.TaxCode[6:16]},
		{"name", of.GivenName},
		{"familyName", of.FamilyName},
		{"placeOfBirth", of.BirthPlace},
		{"countyOfBirth", of.Province},
		{"dateOfBirth", of.BirthDate},
		{"gender", of.Sex},
		{"fiscalNumber", "TINIT-" + of.TaxCode},
		{"mobilePhone", of.Mobile},
		{"email", of.Email},
		{"expirationDate", "2099-12-31"},
	}
}

// respond makes a response in which assertion and response are signed, each by itself.
func (p *Provider) respond(r *samlRequest, choice Choice, told []Field) (*etree.Element, error) {
	entity := r.IDP.MetadataURL.String()
	names := make([]string, 3)
	for i := range names {
		drawn, err := draw(p.Random)
		if err != nil {
			return nil, err
		}
		names[i] = "_" + drawn
	}
	until := r.Now.Add(assertionFor)
	session := ""
	if choice.Level == lowest {
		session = "_" + names[2]
	}
	values := make([]saml.Attribute, len(told))
	for i, f := range told {
		values[i] = saml.Attribute{
			Name: f.Name, NameFormat: basicName,
			Values: []saml.AttributeValue{{Type: "xs:string", Value: f.Value}},
		}
	}
	assertion := (&saml.Assertion{
		ID: names[0], IssueInstant: r.Now, Version: "2.0", Issuer: saml.Issuer{Format: entityFormat, Value: entity},
		Subject: &saml.Subject{
			NameID: &saml.NameID{Format: string(saml.TransientNameIDFormat), NameQualifier: entity, Value: names[2]},
			SubjectConfirmations: []saml.SubjectConfirmation{{
				Method: bearer,
				SubjectConfirmationData: &saml.SubjectConfirmationData{
					InResponseTo: r.Request.ID, NotOnOrAfter: until, Recipient: r.ACSEndpoint.Location,
				},
			}},
		},
		Conditions: &saml.Conditions{
			NotBefore: r.Now, NotOnOrAfter: until,
			AudienceRestrictions: []saml.AudienceRestriction{{Audience: saml.Audience{Value: r.ServiceProviderMetadata.EntityID}}},
		},
		AuthnStatements: []saml.AuthnStatement{{
			AuthnInstant: r.Now, SessionIndex: session,
			AuthnContext: saml.AuthnContext{AuthnContextClassRef: &saml.AuthnContextClassRef{Value: class(choice.Level)}},
		}},
		AttributeStatements: []saml.AttributeStatement{{Attributes: values}},
	}).Element()
	if err := p.sign(assertion, 1); err != nil {
		return nil, err
	}
	response := (&saml.Response{
		ID: names[1], InResponseTo: r.Request.ID, Version: "2.0", IssueInstant: r.Now, Destination: r.ACSEndpoint.Location,
		Issuer: &saml.Issuer{Format: entityFormat, Value: entity},
		Status: saml.Status{StatusCode: saml.StatusCode{Value: saml.StatusSuccess}},
	}).Element()
	response.AddChild(assertion)
	return response, p.sign(response, 1)
}

// sign signs an element by its ID and puts the signature where the schema has it.
func (p *Provider) sign(element *etree.Element, at int) error {
	signing, err := dsig.NewSigningContext(p.Key, [][]byte{p.certificate.Raw})
	if err != nil {
		return err
	}
	signing.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	if err := signing.SetSignatureMethod(dsig.RSASHA256SignatureMethod); err != nil {
		return err
	}
	signature, err := signing.ConstructSignature(element, true)
	if err != nil {
		return err
	}
	element.InsertChildAt(at, signature)
	return nil
}

func write(element *etree.Element) ([]byte, error) {
	doc := etree.NewDocument()
	doc.SetRoot(element)
	var text bytes.Buffer
	_, err := doc.WriteTo(&text)
	return text.Bytes(), err
}
