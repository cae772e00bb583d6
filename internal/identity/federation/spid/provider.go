package spid

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/url"
	"regexp"
	"strings"

	"github.com/crewjam/saml"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/session"
)

// provider is one identity provider, as its metadata describe it.
type provider struct {
	service *Service
	about   federation.About
	// sp is this service towards the provider. It is copied for each answer.
	sp *saml.ServiceProvider
	// post says that requests go by a form to loginURL.
	post       bool
	loginURL   string
	attributes []string
}

// isOver tells whether the provider's metadata have ended.
func (p *provider) isOver() bool {
	until := p.sp.IDPMetadata.ValidUntil
	return !until.IsZero() && !p.service.Clock.Now().Before(until)
}

// About implements federation.Provider.
func (p *provider) About() federation.About { return p.about }

// newProvider reads the description of a provider. Its error says what is wrong with it.
func (s *Service) newProvider(kind federation.Kind, entity *saml.EntityDescriptor) (*provider, error) {
	p := &provider{service: s, attributes: s.attributesOf(kind)}
	p.about = federation.About{
		ID: providerID(kind, entity.EntityID), Kind: kind, Protocol: federation.SAML, Method: session.BySPID,
		DisplayName: displayName(entity), Levels: []federation.Level{2, 3},
	}
	if kind == federation.CIE {
		p.about.Method = session.ByCIE
	}
	p.sp = &saml.ServiceProvider{
		EntityID: s.EntityID, Key: s.Keys[0].Key, Certificate: s.Keys[0].Certificate, AcsURL: s.answerURL, SloURL: s.logoutURL,
		IDPMetadata: entity, SignatureMethod: signatureMethod, RejectSHA1Signatures: true, RejectExpiredIDPMetadata: true,
		RejectUnknownConditions: true, ValidateAudienceRestriction: s.checkAudience,
	}
	if err := checkKeys(entity); err != nil {
		return nil, err
	}
	redirect, form := p.sp.GetSSOBindingLocation(saml.HTTPRedirectBinding), p.sp.GetSSOBindingLocation(saml.HTTPPostBinding)
	p.loginURL = redirect
	if redirect == "" || s.Post && form != "" {
		p.loginURL, p.post = form, true
	}
	if !s.isReachable(p.loginURL) {
		return nil, errors.New("it has no place for requests by redirect or form, with https")
	}
	return p, nil
}

// minKeyBits is how long a key of RSA must be.
const minKeyBits = 2048

// checkKeys looks whether a provider has a key to sign with, and none that is too short.
func checkKeys(entity *saml.EntityDescriptor) error {
	found := false
	for _, role := range entity.IDPSSODescriptors {
		for _, key := range role.KeyDescriptors {
			if key.Use != "signing" && key.Use != "" {
				continue
			}
			for _, certificate := range key.KeyInfo.X509Data.X509Certificates {
				raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(certificate.Data), ""))
				if err != nil {
					return errors.New("a certificate of it cannot be read")
				}
				parsed, err := x509.ParseCertificate(raw)
				if err != nil {
					return errors.New("a certificate of it cannot be read")
				}
				if key, ok := parsed.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < minKeyBits {
					return errors.New("a key of it is too short")
				}
				found = true
			}
		}
	}
	if !found {
		return errors.New("it has no certificate for signatures")
	}
	return nil
}

// isReachable tells whether a browser may be sent to a place: by https, in a sandbox also without.
func (s *Service) isReachable(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && s.Plain)
}

const (
	// maxName is how much of an entity's name an identifier has.
	maxName = 40
	// digestLength is how much of its digest makes it one of a kind.
	digestLength = 4
)

var notInIDs = regexp.MustCompile(`[^a-z0-9]+`)

// providerID makes a stable identifier of a provider's name. People can recognise it, and no two
// are the same.
func providerID(kind federation.Kind, entityID string) string {
	_, name, found := strings.Cut(entityID, "://")
	if !found {
		name = entityID
	}
	name = strings.Trim(notInIDs.ReplaceAllString(strings.ToLower(name), "-"), "-")
	if len(name) > maxName {
		name = strings.TrimRight(name[:maxName], "-")
	}
	digest := sha256.Sum256([]byte(entityID))
	return string(kind) + "-" + name + "-" + hex.EncodeToString(digest[:digestLength])
}

// displayName is what a provider calls itself, in Italian if it can.
func displayName(entity *saml.EntityDescriptor) string {
	best := ""
	if o := entity.Organization; o != nil {
		for _, names := range [][]saml.LocalizedName{o.OrganizationDisplayNames, o.OrganizationNames} {
			for _, name := range names {
				value := strings.Join(strings.Fields(name.Value), " ")
				if value != "" && (best == "" || name.Lang == "it") {
					best = value
				}
			}
			if best != "" {
				break
			}
		}
	}
	if u, err := url.Parse(entity.EntityID); best == "" && err == nil {
		best = u.Hostname()
	}
	if runes := []rune(best); len(runes) > maxDisplayName {
		best = string(runes[:maxDisplayName])
	}
	return best
}

// maxDisplayName is how long a name on a button may be, in characters.
const maxDisplayName = 80
