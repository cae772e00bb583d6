package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"diresco/internal/identity/application"
	"diresco/internal/identity/consent"
	"diresco/internal/identity/session"
	"diresco/internal/identity/throttle"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
)

// Applications finds applications; see application.Service.
type Applications interface {
	// Client returns an application that is approved and not removed, else fault.NotFound.
	Client(ctx context.Context, clientID string) (application.Application, error)
	ByID(ctx context.Context, id uuid.UUID) (application.Application, error)
}

// Consents keeps what people gave to applications; see consent.Service.
type Consents interface {
	// Give gives a consent in the caller's operation.
	Give(ctx context.Context, by access.Actor, n consent.New) (consent.Consent, error)
	// End ends a consent, and the session that acts by it, in the caller's transaction.
	End(ctx context.Context, id uuid.UUID, reason string) error
}

// Sessions keeps the sessions of grants and makes their tokens; see session.Service.
type Sessions interface {
	OpenGrant(ctx context.Context, g session.Grant) (session.GrantTokens, error)
	RenewGrant(ctx context.Context, renewal session.Renewal) (session.GrantTokens, error)
	InspectAccess(ctx context.Context, token secret.Text) (session.Claims, error)
	InspectRefresh(ctx context.Context, token secret.Text) (session.Claims, error)
	GrantOf(ctx context.Context, refresh secret.Text) (session.Claims, error)
}

// Deps are what the service works with.
type Deps struct {
	Runner       *operation.Runner
	Keys         *keyring.DataKeys
	Limiter      *throttle.Limiter
	Addresses    *throttle.AddressLimit
	Applications Applications
	Consents     Consents
	Sessions     Sessions
	Proofs       Proofs
	// Random is where codes come from.
	Random io.Reader
	// PublicURL, without a path, is the issuer.
	PublicURL string
	// MutualURL is where clients with a certificate go, without a path; "" where there is no such place.
	MutualURL string
	// Authorities are those whose certificates prove who an application is; nil for none.
	Authorities *x509.CertPool
	// Revocation is asked about such certificates.
	Revocation Revocation
	// Log may be nil.
	Log *slog.Logger
	// Count counts a request for the application, the grant or the flow that proved to have sent it,
	// and returns fault.RateLimited where that sent too many. It may be nil.
	Count func(ctx context.Context, id uuid.UUID) error
	// Loopback lets key sets be fetched from this machine: in a sandbox alone.
	Loopback bool
}

// Service is the authorization server.
type Service struct {
	run          *operation.Runner
	keys         *keyring.DataKeys
	limiter      *throttle.Limiter
	addresses    *throttle.AddressLimit
	clients      *throttle.AddressLimit
	applications Applications
	consents     Consents
	sessions     Sessions
	proofs       Proofs
	random       io.Reader
	issuer       string
	mutual       string
	authorities  *x509.CertPool
	revocation   Revocation
	log          *slog.Logger
	keySets      *keySets
	repo         repository
	count        func(ctx context.Context, id uuid.UUID) error
}

// NewService returns the service.
func NewService(d Deps) *Service {
	if d.Random == nil {
		d.Random = rand.Reader
	}
	if d.Count == nil {
		d.Count = func(context.Context, uuid.UUID) error { return nil }
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{
		run: d.Runner, keys: d.Keys, limiter: d.Limiter, addresses: d.Addresses, clients: d.Addresses.Apart("oauth client"),
		applications: d.Applications, consents: d.Consents, sessions: d.Sessions, proofs: d.Proofs,
		random: d.Random,
		mutual: strings.TrimRight(d.MutualURL, "/"), authorities: d.Authorities, revocation: d.Revocation, log: d.Log,
		issuer:  strings.TrimRight(d.PublicURL, "/"),
		keySets: newKeySets(d.Runner.Clock, d.Loopback), repo: repository{d.Runner.DB},
		count: d.Count,
	}
}

// subjectKind is how the audit trail names a flow.
const subjectKind = "authorization"

// The names of what is done here, in the audit trail.
const (
	opApprove = "approveAuthorization"
	opDeny    = "denyAuthorization"
	opIssue   = "issueTokens"
	opRefresh = "refreshTokens"
	opRevoke  = "revokeToken"
)

// named returns a context whose origin names the operation: none of these stands in the contract.
func named(ctx context.Context, operation string) context.Context {
	origin := audit.OriginOf(ctx)
	origin.Operation = operation
	return audit.WithOrigin(ctx, origin)
}

// draw makes a secret of 32 bytes that nobody types.
func (s *Service) draw() (secret.Text, error) {
	b := make([]byte, 32)
	if _, err := io.ReadFull(s.random, b); err != nil {
		return "", err
	}
	return secret.Text(base64.RawURLEncoding.EncodeToString(b)), nil
}

// digest is what the table keeps of a secret that was drawn.
func digest(t secret.Text) string {
	sum := sha256.Sum256([]byte(t.Reveal()))
	return hex.EncodeToString(sum[:])
}

// parameter returns the one value of a parameter; one without a value was not sent (RFC 6749, 3.1).
func parameter(values url.Values, name string) string { return values.Get(name) }

// misformed returns the refusal of a request that has a parameter more than once, or one that is no
// text, else nil.
func misformed(values url.Values) *Refusal {
	if garbled(values) {
		return refuse(invalidRequest, "a parameter is not text in UTF-8, or has control characters")
	}
	for _, sent := range values {
		if len(sent) > 1 {
			return refuse(invalidRequest, "a parameter was sent more than once")
		}
	}
	return nil
}

// garbled reports whether a parameter has what no text has.
func garbled(values url.Values) bool {
	for name, sent := range values {
		for _, text := range append([]string{name}, sent...) {
			if !isText(text) {
				return true
			}
		}
	}
	return false
}

func isText(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f
	})
}

// Purge forgets what has had its time. A consent whose code nobody came for in time ends: else it
// would stand among what the person let in, and be good for nothing.
func (s *Service) Purge(ctx context.Context) error {
	now := s.run.Clock.Now()
	for {
		missed, err := s.repo.missed(ctx, now, missedAtOnce)
		if err != nil {
			return err
		}
		for _, f := range missed {
			if err := s.run.DB.InTx(ctx, func(ctx context.Context) error { return s.endMissed(ctx, f) }); err != nil {
				return err
			}
		}
		if len(missed) < missedAtOnce {
			return s.repo.purge(ctx, now.Add(-flowsKept), now)
		}
	}
}

// missedAtOnce is how many flows one statement finds.
const missedAtOnce = 500

// endMissed ends the consent of a flow whose code has expired, unless somebody was quicker.
//
// Lock order: the flow's name, what Consents.End locks.
func (s *Service) endMissed(ctx context.Context, flowID uuid.UUID) error {
	if err := s.lock(ctx, flowID); err != nil {
		return err
	}
	f, found, err := s.repo.byID(ctx, flowID)
	if err != nil || !found || f.RedeemedAt != nil {
		return err
	}
	return s.consents.End(ctx, *f.ConsentID, consent.EndedNotTakenUp)
}

// end ends a consent, which leaves the trace.
func (s *Service) end(ctx context.Context, consentID uuid.UUID, reason string) error {
	return s.run.DB.InTx(ctx, func(ctx context.Context) error { return s.consents.End(ctx, consentID, reason) })
}
