package spid

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"diresco/internal/identity/federation"
)

const (
	version         = "2.0"
	entityFormat    = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
	transientFormat = string(saml.TransientNameIDFormat)
	// levelPrefix is followed by 1, 2 or 3.
	levelPrefix = "https://www.spid.gov.it/SpidL"
	// answerIndex is the index of the one place in our metadata that takes answers, and attributeIndex
	// that of the one set of attributes.
	answerIndex    = "0"
	attributeIndex = "0"
	// RelayState and SAMLRequest are names of parameters.
	relayState   = "RelayState"
	samlRequest  = "SAMLRequest"
	samlResponse = "SAMLResponse"
	// firstForced is the level from which a provider must ask the person again.
	firstForced = 2
)

// kept is what must be known of a request when its answer comes.
type kept struct {
	RequestID string `json:"request_id"`
}

// Begin implements federation.Provider.
func (p *provider) Begin(_ context.Context, a federation.Attempt) (federation.Departure, error) {
	if p.isOver() {
		return federation.Departure{}, &federation.Refusal{Outcome: federation.Unavailable, Rule: "metadata-valid-until"}
	}
	signer := p.service.signer(p.service.Clock.Now())
	if signer == nil {
		return federation.Departure{}, &federation.Refusal{Outcome: federation.Unavailable, Rule: "own-certificate-ended"}
	}
	id, err := p.service.drawID()
	if err != nil {
		return federation.Departure{}, err
	}
	sp := *p.sp
	sp.Key, sp.Certificate = signer.Key, signer.Certificate
	departure, err := p.request(id, a, &sp)
	if err != nil {
		return federation.Departure{}, fmt.Errorf("request to a provider of SPID: %w", err)
	}
	departure.Kept, err = json.Marshal(kept{RequestID: id})
	return departure, err
}

// request makes the AuthnRequest as the binding wants it.
func (p *provider) request(id string, a federation.Attempt, sp *saml.ServiceProvider) (federation.Departure, error) {
	format, forced := transientFormat, a.Level >= firstForced
	r := &saml.AuthnRequest{
		ID: id, Version: version, IssueInstant: a.BegunAt.UTC(), Destination: p.loginURL, Issuer: p.service.issuer(),
		AssertionConsumerServiceIndex: answerIndex, AttributeConsumingServiceIndex: attributeIndex,
		NameIDPolicy: &saml.NameIDPolicy{Format: &format},
		RequestedAuthnContext: &saml.RequestedAuthnContext{
			Comparison: p.service.Comparison, AuthnContextClassRefs: []string{class(a.Level)},
		},
	}
	if forced {
		r.ForceAuthn = &forced
	}
	if !p.post {
		u, err := r.Redirect(a.State.Reveal(), sp)
		if err != nil {
			return federation.Departure{}, err
		}
		return federation.Departure{URL: u.String()}, nil
	}
	if err := sp.SignAuthnRequest(r); err != nil {
		return federation.Departure{}, err
	}
	message, err := encode(r.Element())
	if err != nil {
		return federation.Departure{}, err
	}
	return federation.Departure{
		URL: p.loginURL, Form: []federation.Field{{Name: samlRequest, Value: message}, {Name: relayState, Value: a.State.Reveal()}},
	}, nil
}

// issuer is who this service says to be in its messages.
func (s *Service) issuer() *saml.Issuer {
	return &saml.Issuer{Format: entityFormat, NameQualifier: s.EntityID, Value: s.EntityID}
}

// drawID makes an identifier of a message. It begins with a letter's stand-in, as XML asks.
func (s *Service) drawID() (string, error) {
	random := make([]byte, 20)
	if _, err := io.ReadFull(s.Random, random); err != nil {
		return "", err
	}
	return "_" + hex.EncodeToString(random), nil
}

// class is the name of a level.
func class(l federation.Level) string { return fmt.Sprintf("%s%d", levelPrefix, l) }

// encode writes a message as forms carry it.
func encode(message *etree.Element) (string, error) {
	document := etree.NewDocument()
	document.SetRoot(message)
	content, err := document.WriteToBytes()
	return base64.StdEncoding.EncodeToString(content), err
}

// signatureMethod is how everything of ours is signed.
const signatureMethod = dsig.RSASHA256SignatureMethod
