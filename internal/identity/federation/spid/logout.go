package spid

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"diresco/internal/identity/federation"
)

// ErrLogout means that a request for logout is not one of a provider's.
var ErrLogout = errors.New("no request for logout by a known provider")

// Logout answers a provider that ends its session with somebody. The answer is always success: at
// the levels that are asked for here, the rules have no session at the provider, so what we keep of
// a login has neither the name nor the session by which it could be found again. People end their
// session here by logging out here.
//
// For the same reason this service never sends a request for logout.
func (s *Service) Logout(r *http.Request) (federation.Departure, error) {
	state := r.Form.Get(relayState)
	if len(state) > maxRelayState {
		return federation.Departure{}, ErrLogout
	}
	p := s.whoAsks(r)
	if p == nil {
		return federation.Departure{}, ErrLogout
	}
	sp := *p.sp
	now := s.Clock.Now()
	sp.Clock = dsig.NewFakeClockAt(now)
	if signer := s.signer(now); signer != nil {
		sp.Key, sp.Certificate = signer.Key, signer.Certificate
	}
	request, err := sp.ValidateLogoutRequest(r)
	if err != nil {
		return federation.Departure{}, ErrLogout // the library's error holds the whole request
	}
	return p.answerLogout(&sp, request.ID, state)
}

// whoAsks is the provider that a request for logout says to come from, or nil. Whether it does is
// looked at after that.
func (s *Service) whoAsks(r *http.Request) *provider {
	encoded, deflated := r.URL.Query().Get(samlRequest), true
	if encoded == "" {
		encoded, deflated = r.PostForm.Get(samlRequest), false
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil
	}
	if deflated {
		// The bound is kept here, so that nobody hands the library something small that becomes large.
		if raw, err = io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(raw)), maxLogout+1)); err != nil {
			return nil
		}
	}
	if len(raw) > maxLogout {
		return nil
	}
	message, broken := parse(raw)
	if broken != "" || message.at("Issuer") == nil {
		return nil
	}
	for _, p := range s.known() {
		if message.at("Issuer").Text() == p.sp.IDPMetadata.EntityID {
			return p
		}
	}
	return nil
}

// maxLogout is how many bytes a request for logout may have.
const maxLogout = 64 << 10

// maxRelayState is how long what goes back unchanged may be, in bytes (SAML bindings, 3.4.3).
const maxRelayState = 80

// answerLogout makes the answer, by redirect if the provider takes one there.
func (p *provider) answerLogout(sp *saml.ServiceProvider, requestID, state string) (federation.Departure, error) {
	binding, place := saml.HTTPRedirectBinding, answerPlace(p.sp.IDPMetadata, saml.HTTPRedirectBinding)
	if place == "" {
		binding, place = saml.HTTPPostBinding, answerPlace(p.sp.IDPMetadata, saml.HTTPPostBinding)
	}
	if !p.service.isReachable(place) {
		return federation.Departure{}, ErrLogout
	}
	id, err := p.service.drawID()
	if err != nil {
		return federation.Departure{}, err
	}
	answer := &saml.LogoutResponse{
		ID: id, InResponseTo: requestID, Version: version, IssueInstant: sp.Clock.Now(), Destination: place, Issuer: p.service.issuer(),
		Status: saml.Status{StatusCode: saml.StatusCode{Value: saml.StatusSuccess}},
	}
	if binding == saml.HTTPRedirectBinding {
		u, err := p.service.redirect(place, answer.Element(), state)
		return federation.Departure{URL: u}, err
	}
	if err := sp.SignLogoutResponse(answer); err != nil {
		return federation.Departure{}, err
	}
	message, err := encode(answer.Element())
	if err != nil {
		return federation.Departure{}, err
	}
	fields := []federation.Field{{Name: samlResponse, Value: message}}
	if state != "" {
		fields = append(fields, federation.Field{Name: relayState, Value: state})
	}
	return federation.Departure{URL: place, Form: fields}, nil
}

// answerPlace is where a provider takes answers by a binding, or "".
func answerPlace(entity *saml.EntityDescriptor, binding string) string {
	for _, role := range entity.IDPSSODescriptors {
		for _, service := range role.SingleLogoutServices {
			if service.Binding != binding {
				continue
			}
			if service.ResponseLocation != "" {
				return service.ResponseLocation
			}
			return service.Location
		}
	}
	return ""
}

// redirect returns the URL of an answer that goes by redirect. The binding says in which order it is
// signed.
func (s *Service) redirect(place string, answer *etree.Element, state string) (string, error) {
	document := etree.NewDocument()
	document.SetRoot(answer)
	var message bytes.Buffer
	deflated, err := flate.NewWriter(&message, flate.BestCompression)
	if err != nil {
		return "", err
	}
	if _, err := document.WriteTo(deflated); err != nil {
		return "", err
	}
	if err := deflated.Close(); err != nil {
		return "", err
	}
	query := samlResponse + "=" + url.QueryEscape(base64.StdEncoding.EncodeToString(message.Bytes()))
	if state != "" {
		query += "&" + relayState + "=" + url.QueryEscape(state)
	}
	query += "&SigAlg=" + url.QueryEscape(signatureMethod)
	context, err := s.signing()
	if err != nil {
		return "", err
	}
	signature, err := context.SignString(query)
	if err != nil {
		return "", err
	}
	query += "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(signature))
	if strings.Contains(place, "?") {
		return place + "&" + query, nil
	}
	return place + "?" + query, nil
}
