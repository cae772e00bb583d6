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
	// reasonKind is that of a card of another kind than was chosen.
	reasonKind = "card-kind"
)

// tryAgainAfter is when another try is worth it where an authority was not reached.
const tryAgainAfter = 30 * time.Second

// about describe the cards as ways to log in.
var about = map[session.LoginMethod]federation.About{
	session.ByCNS: {
		ID: "cns-card", Kind: federation.CNS, Protocol: federation.Certificate, Method: session.ByCNS,
		DisplayName: "Carta nazionale dei servizi (CNS)", Levels: []federation.Level{Level},
	},
	session.ByCIE: {
		ID: "cie-card", Kind: federation.CIE, Protocol: federation.Certificate, Method: session.ByCIE,
		DisplayName: "Carta d'identità elettronica nel lettore", Levels: []federation.Level{Level},
	},
}

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
		unchecked := Refused(fault.Unavailable, reasonUnchecked)
		unchecked.RetryAfter = tryAgainAfter
		return unchecked
	}
	return Refused(fault.InvalidCredentials, reasonOf(r))
}

// Refused returns a fault about a card. Programs read the reason among the errors.
func Refused(code fault.Code, reason string) *fault.Fault {
	return &fault.Fault{Code: code, Reason: reason, Fields: []fault.Field{{Code: reason}}}
}

// reasonOf is why a card is not let in, as texts know it.
func reasonOf(r *federation.Refusal) string {
	switch {
	case r.Outcome == federation.Unavailable:
		return reasonUnchecked
	case r.Rule == ruleValidity:
		return reasonValidity
	case r.Rule == ruleRevoked:
		return reasonRevoked
	}
	return reasonRefused
}
