package spid

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"diresco/internal/identity/federation"
)

// Finish implements federation.Provider. An answer is read three times: as it came, where anything
// can only be refused; by the library, which verifies signatures; and what was verified.
func (p *provider) Finish(_ context.Context, a federation.Attempt, values url.Values) (federation.Claims, error) {
	x, err := p.newExchange(a)
	if err != nil {
		return federation.Claims{}, err
	}
	raw, broken := decodeAnswer(values)
	if broken != "" {
		return federation.Claims{}, invalid(broken)
	}
	received, broken := parse(raw)
	if broken == "" {
		broken = firstBroken(messageRules, x, received)
	}
	if broken == "" && received.succeeded() {
		broken = firstBroken(assertionRules, x, received)
	}
	if broken != "" {
		return federation.Claims{}, invalid(broken)
	}
	verified, err := x.verify(raw)
	if err != nil {
		return federation.Claims{}, err
	}
	return x.claims(verified)
}

// exchange is one request and the moment at which its answer is looked at.
type exchange struct {
	*provider
	federation.Attempt
	requestID string
	sp        saml.ServiceProvider
	// response is what the library read of the answer, filled by verify.
	response *saml.Response
}

func (p *provider) newExchange(a federation.Attempt) (*exchange, error) {
	var k kept
	if err := json.Unmarshal(a.Kept, &k); err != nil {
		return nil, err
	}
	if k.RequestID == "" {
		return nil, errors.New("nothing was kept of the request")
	}
	x := &exchange{provider: p, Attempt: a, requestID: k.RequestID, sp: *p.sp}
	x.sp.Clock = dsig.NewFakeClockAt(p.service.Clock.Now())
	x.sp.ValidateRequestID = func(response saml.Response, _ []string) error {
		x.response = &response
		if response.InResponseTo != x.requestID {
			return saml.ErrRequestIDMismatch
		}
		return nil
	}
	return x, nil
}

func invalid(rule string) error { return &federation.Refusal{Outcome: federation.Invalid, Rule: rule} }

// maxAnswer is how many bytes an answer may have.
const maxAnswer = 256 << 10

// decodeAnswer returns the XML of an answer.
func decodeAnswer(values url.Values) (raw []byte, broken string) {
	all := values[samlResponse]
	if len(all) != 1 || all[0] == "" {
		return nil, "one-answer"
	}
	// Base 64 in lines has at most a few more characters; see RFC 2045.
	if len(all[0]) > maxAnswer/3*4*11/10 {
		return nil, "answer-size"
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(all[0]), ""))
	switch {
	case err != nil:
		return nil, "base64"
	case len(raw) > maxAnswer:
		return nil, "answer-size"
	}
	return raw, ""
}

// verify has the library verify the answer. What it returns was under a valid signature of the
// provider's.
func (x *exchange) verify(raw []byte) (*saml.Assertion, error) {
	assertion, err := x.sp.ParseXMLResponse(raw, []string{x.requestID}, x.service.answerURL)
	if err == nil {
		return assertion, nil
	}
	// The library's error holds the whole answer and is not passed on.
	var whole *saml.InvalidResponseError
	if !errors.As(err, &whole) {
		return nil, invalid("message")
	}
	var status saml.ErrBadStatus
	if errors.As(whole.PrivateErr, &status) && x.response != nil {
		return nil, x.refused()
	}
	for _, known := range []struct {
		err  error
		rule string
	}{
		{saml.ErrInvalidSignature, "signature"},
		{saml.ErrExpired, "not-on-or-after"},
		{saml.ErrNotYetValid, "not-before"},
		{saml.ErrIssuerMismatch, "issuer"},
		{saml.ErrDestinationMismatch, "destination"},
		{saml.ErrRequestIDMismatch, "in-response-to"},
		{saml.ErrAudienceMismatch, "audience"},
	} {
		if errors.Is(whole.PrivateErr, known.err) {
			return nil, invalid(known.rule)
		}
	}
	return nil, invalid("message")
}

// errorCode is how a provider writes the national number of an error.
var errorCode = regexp.MustCompile(`(?i)^ErrorCode nr0?(\d{1,2})$`)

// refused is what a provider says that let nobody in.
func (x *exchange) refused() error {
	r := &federation.Refusal{Outcome: federation.Denied, Rule: "status"}
	message := x.response.Status.StatusMessage
	if message == nil {
		return r
	}
	found := errorCode.FindStringSubmatch(strings.TrimSpace(message.Value))
	if found == nil {
		return r
	}
	number, err := strconv.Atoi(found[1])
	switch {
	case err != nil:
	case number >= 19 && number <= 25 && number != 24, number == 30:
		r.Number = number
	case number >= 8 && number <= 18:
		// It is our request that is wrong, and somebody must see to it.
		x.service.Log.Error("a provider of SPID refuses our requests", "provider", x.about.ID, "number", number)
		r.Rule = "request"
	}
	return r
}

// claims applies the rules about what was verified and makes claims of it.
func (x *exchange) claims(a *saml.Assertion) (federation.Claims, error) {
	for _, r := range verifiedRules {
		if !r.holds(x, a) {
			return federation.Claims{}, invalid(r.name)
		}
	}
	values, broken := readAttributes(a, x.attributes)
	if broken != "" {
		return federation.Claims{}, invalid(broken)
	}
	c, broken := claims(values)
	if broken != "" {
		return federation.Claims{}, invalid(broken)
	}
	c.Level = levelOf(a)
	c.Once = []string{x.once("response", x.response.ID), x.once("assertion", a.ID)}
	if a.Subject.NameID.NameQualifier != x.sp.IDPMetadata.EntityID {
		x.service.Log.Info("a provider qualifies names otherwise than by its own", "provider", x.about.ID)
	}
	return c, nil
}

// once is an identifier of one message of the provider's, whatever it looks like there.
func (x *exchange) once(what, id string) string {
	digest := sha256.Sum256([]byte(what + "\x00" + x.sp.IDPMetadata.EntityID + "\x00" + id))
	return "saml-" + what + "-" + base64.RawURLEncoding.EncodeToString(digest[:])
}
