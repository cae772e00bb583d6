package spid

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"diresco/internal/identity/federation"
)

// Organisation is the body whose service it is.
type Organisation struct {
	// Name is the full one, as it stands in the certificate.
	Name string
	// URL is its page.
	URL string
	// IPACode is that of the national index of public bodies; "" for a private one.
	IPACode string
	// Private is nil for a public body.
	Private *Private
	// Email and Telephone are those of an office, never a person's. Telephone may be "".
	Email     string
	Telephone string
	// Municipality is the cadastral code of its seat. CIE alone asks for it.
	Municipality string
}

const (
	metadataSpace = "urn:oasis:names:tc:SAML:2.0:metadata"
	spidSpace     = "https://spid.gov.it/saml-extensions"
	invoiceSpace  = "https://spid.gov.it/invoicing-extensions"
	cieSpace      = "https://www.cartaidentita.interno.gov.it/saml-extensions"
	// serviceName is what people read of the service at their provider.
	serviceName = "Dichiarazioni di responsabilità"
	language    = "it"
	yes         = "true"
)

// describe writes and signs the metadata of this service. Those for CIE name other contacts and
// have a set of attributes of their own.
func (s *Service) describe(kind federation.Kind) ([]byte, error) {
	root := etree.NewElement("md:EntityDescriptor")
	root.CreateAttr("xmlns:md", metadataSpace)
	root.CreateAttr("entityID", s.EntityID)
	digest := sha256.Sum256([]byte(s.EntityID))
	root.CreateAttr("ID", "_"+hex.EncodeToString(digest[:16]))
	s.describeService(root.CreateElement("md:SPSSODescriptor"), s.attributesOf(kind))
	s.describeOrganisation(root.CreateElement("md:Organization"))
	s.describeContact(root.CreateElement("md:ContactPerson"), kind)
	if private := s.Organisation.Private; private != nil && kind == federation.SPID {
		private.Billing.describe(root.CreateElement("md:ContactPerson"), s.Organisation.Name)
	}
	if err := s.sign(root); err != nil {
		return nil, err
	}
	document := etree.NewDocument()
	document.CreateProcInst("xml", `version="1.0" encoding="UTF-8"`)
	document.AddChild(root)
	return document.WriteToBytes()
}

// attributesOf is what the providers of a kind are asked for.
func (s *Service) attributesOf(kind federation.Kind) []string {
	if kind == federation.CIE {
		return cieAttributes
	}
	return s.Attributes
}

func (s *Service) describeService(e *etree.Element, attributes []string) {
	e.CreateAttr("protocolSupportEnumeration", protocolSpace)
	e.CreateAttr("AuthnRequestsSigned", yes)
	e.CreateAttr("WantAssertionsSigned", yes)
	for _, pair := range s.Keys {
		key := e.CreateElement("md:KeyDescriptor")
		key.CreateAttr("use", "signing")
		info := key.CreateElement("ds:KeyInfo")
		info.CreateAttr("xmlns:ds", signatureSpace)
		info.CreateElement("ds:X509Data").CreateElement("ds:X509Certificate").
			SetText(base64.StdEncoding.EncodeToString(pair.Certificate.Raw))
	}
	for _, binding := range []string{saml.HTTPRedirectBinding, saml.HTTPPostBinding} {
		logout := e.CreateElement("md:SingleLogoutService")
		logout.CreateAttr("Binding", binding)
		logout.CreateAttr("Location", s.logoutURL.String())
	}
	e.CreateElement("md:NameIDFormat").SetText(transientFormat)
	answers := e.CreateElement("md:AssertionConsumerService")
	answers.CreateAttr("Binding", saml.HTTPPostBinding)
	answers.CreateAttr("Location", s.answerURL.String())
	answers.CreateAttr("index", answerIndex)
	answers.CreateAttr("isDefault", yes)
	set := e.CreateElement("md:AttributeConsumingService")
	set.CreateAttr("index", attributeIndex)
	named(set, "md:ServiceName", serviceName)
	for _, name := range attributes {
		asked := set.CreateElement("md:RequestedAttribute")
		asked.CreateAttr("Name", name)
		asked.CreateAttr("isRequired", yes)
	}
}

func (s *Service) describeOrganisation(e *etree.Element) {
	named(e, "md:OrganizationName", s.Organisation.Name)
	named(e, "md:OrganizationDisplayName", s.Organisation.Name)
	named(e, "md:OrganizationURL", s.Organisation.URL)
}

func (s *Service) describeContact(e *etree.Element, kind federation.Kind) {
	contact, prefix, space := "other", "spid:", spidSpace
	if kind == federation.CIE {
		contact, prefix, space = "administrative", "cie:", cieSpace
	}
	e.CreateAttr("contactType", contact)
	extensions := e.CreateElement("md:Extensions")
	extensions.CreateAttr("xmlns:"+strings.TrimSuffix(prefix, ":"), space)
	if private := s.Organisation.Private; private != nil {
		private.describe(extensions, prefix, kind == federation.CIE)
	} else {
		extensions.CreateElement(prefix + "Public")
		extensions.CreateElement(prefix + "IPACode").SetText(s.Organisation.IPACode)
	}
	if kind == federation.CIE {
		extensions.CreateElement(prefix + "Municipality").SetText(s.Organisation.Municipality)
	}
	e.CreateElement("md:Company").SetText(s.Organisation.Name)
	e.CreateElement("md:EmailAddress").SetText(s.Organisation.Email)
	optional(e, "md:TelephoneNumber", s.Organisation.Telephone)
}

// named adds an element with a text in Italian.
func named(e *etree.Element, tag, text string) {
	child := e.CreateElement(tag)
	child.CreateAttr("xml:lang", language)
	child.SetText(text)
}

// signing is how the first key signs whose certificate is good, or at least the first.
func (s *Service) signing() (*dsig.SigningContext, error) {
	first := s.Keys[0]
	if s.Clock != nil {
		if good := s.signer(s.Clock.Now()); good != nil {
			first = *good
		}
	}
	context, err := dsig.NewSigningContext(first.Key, [][]byte{first.Certificate.Raw})
	if err != nil {
		return nil, err
	}
	context.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	return context, context.SetSignatureMethod(signatureMethod)
}

// sign signs an element. The signature becomes its first child, as the schema of metadata wants.
func (s *Service) sign(root *etree.Element) error {
	context, err := s.signing()
	if err != nil {
		return err
	}
	signature, err := context.ConstructSignature(root, true)
	if err != nil {
		return err
	}
	root.InsertChildAt(0, signature)
	return nil
}
