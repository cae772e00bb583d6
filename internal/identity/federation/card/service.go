package card

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"time"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/session"
	"diresco/internal/platform/fault"
)

// Why a card is not let in, as texts know it.
const (
	// ReasonMissing is that no certificate came along.
	ReasonMissing = "card-missing"
	// ReasonUnreadable is that what came along is no certificate.
	ReasonUnreadable = "card-unreadable"
	// ReasonProxy is that a certificate came in a header from somewhere else than a trusted proxy.
	ReasonProxy = "card-proxy"
	// ReasonOrigin is that a page of a foreign origin sent the request.
	ReasonOrigin = "card-origin"
	// ReasonClosed is that this service takes no cards.
	ReasonClosed = "card-closed"

	reasonRefused   = "card-refused"
	reasonValidity  = "card-validity"
	reasonRevoked   = "card-revoked"
	reasonUnchecked = "card-unchecked"
)

// tryAgainAfter is when another try is worth it where an authority was not reached.
const tryAgainAfter = 30 * time.Second

// about describe the cards as ways to log in.
var about = map[session.LoginMethod]federation.About{
	session.ByCNS: {
		ID: "cns-card", Kind: CNS, Method: session.ByCNS, DisplayName: "Carta nazionale dei servizi", Levels: []federation.Level{Level},
	},
	session.ByCIE: {
		ID: "cie-card", Kind: federation.CIE, Method: session.ByCIE, DisplayName: "Carta d'identità elettronica",
		Levels: []federation.Level{Level},
	},
}

// CNS is the kind of the national service card.
const CNS federation.Kind = "cns"

// Sessions opens sessions from what was verified just now.
type Sessions interface {
	StartSession(ctx context.Context, from federation.About, claims federation.Claims) (session.Session, error)
}

// Service lets people in with their cards.
type Service struct {
	verifier *Verifier
	sessions Sessions
	log      *slog.Logger
}

// NewService makes the service.
func NewService(v *Verifier, s Sessions, log *slog.Logger) *Service {
	return &Service{verifier: v, sessions: s, log: log}
}

// Start opens a session for the holder of a card, whose key the sender has proved to hold. The
// others are certificates that came along. It returns these faults, and those of Sessions:
//   - fault.InvalidCredentials: the card is none that is let in, has expired or was revoked;
//   - fault.Unavailable: the authorities could not be asked.
func (s *Service) Start(ctx context.Context, leaf *x509.Certificate, others []*x509.Certificate) (session.Session, error) {
	claims, method, err := s.verifier.Verify(ctx, leaf, others)
	var started session.Session
	if err == nil {
		started, err = s.sessions.StartSession(ctx, about[method], claims)
	}
	var refusal *federation.Refusal
	if errors.As(err, &refusal) {
		s.log.InfoContext(ctx, "a card was not let in", "outcome", string(refusal.Outcome), "rule", refusal.Rule)
		return session.Session{}, faultOf(refusal)
	}
	return started, err
}

func faultOf(r *federation.Refusal) error {
	if r.Outcome == federation.Unavailable {
		return &fault.Fault{Code: fault.Unavailable, Reason: reasonUnchecked, RetryAfter: tryAgainAfter}
	}
	switch r.Rule {
	case ruleValidity:
		return fault.Because(fault.InvalidCredentials, reasonValidity)
	case ruleRevoked:
		return fault.Because(fault.InvalidCredentials, reasonRevoked)
	}
	return fault.Because(fault.InvalidCredentials, reasonRefused)
}
