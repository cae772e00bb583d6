package federation

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/person"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/masterdata/residents"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
)

const (
	// LoginLife is how long a login may take from its beginning to the provider's answer.
	LoginLife = 15 * time.Minute
	// CodeLife is how long the code waits that opens the session.
	CodeLife = 60 * time.Second
	// kept is how long logins and identifiers of answers are remembered after their end.
	kept = 24 * time.Hour

	// FormPath is where the pages are that post a form to a provider, each at its ticket.
	FormPath = "/federation/logins/"

	stateLength    = 48
	verifierLength = 64
	// maxSecret is how long a state, a ticket or a code may be that somebody sends.
	maxSecret = 128

	subjectKind    = "federated-login"
	attemptPurpose = "federated login attempt"
	claimsPurpose  = "federated login claims"
)

// OpLogin is what traces call the answer of a provider: what the API calls the login.
const OpLogin = "startFederatedSession"

// ReasonDown is that a provider cannot be reached, while the others can.
const ReasonDown = "provider-down"

// ErrUnknown is the error about a login that is not known, is over, or was answered before.
var ErrUnknown = errors.New("no such login with a national identity is open")

// Sessions opens sessions; see session.Service.
type Sessions interface {
	StartBy(ctx context.Context, proof session.Proof) (session.Session, error)
	ReauthenticateBy(ctx context.Context, by access.Actor, proof session.Proof) (session.Session, error)
}

// Deps are what the service works with.
type Deps struct {
	Runner    *operation.Runner
	Sessions  Sessions
	People    *person.Service
	Contacts  *person.AddressBook
	Residents *residents.Register
	Sources   []Source
	// Keys encrypt what is remembered of a login.
	Keys   *keyring.DataKeys
	Random io.Reader
	// PublicURL is where the world finds this service.
	PublicURL string
	// Origins are those to which browsers may come back, as browsers write them.
	Origins []string
	// Loopback lets browsers come back to any port of this machine: in a sandbox alone.
	Loopback bool
	// Registered reports whether an address is a redirect URI of an application that may have a whole
	// session.
	Registered func(ctx context.Context, uri string) (bool, error)
	Log        *slog.Logger
}

// Service lets people log in with national identities.
type Service struct {
	deps Deps
	run  *operation.Runner
	repo repository
	// complete completes what waits for dispositive credentials; see OnLogin.
	complete func(ctx context.Context, personID uuid.UUID) error
}

// OnLogin names what completes what a person filed with ordinary credentials, in the transaction of
// each login. What waits is in packages above this one.
func (s *Service) OnLogin(complete func(ctx context.Context, personID uuid.UUID) error) {
	s.complete = complete
}

// NewService returns the service.
func NewService(d Deps) *Service {
	if d.Random == nil {
		d.Random = rand.Reader
	}
	d.PublicURL = strings.TrimRight(d.PublicURL, "/")
	return &Service{deps: d, run: d.Runner, repo: repository{d.Runner.DB}}
}

// Providers lists the providers by their id.
func (s *Service) Providers() []About {
	var all []About
	for _, source := range s.deps.Sources {
		for _, p := range source.Providers() {
			all = append(all, p.About())
		}
	}
	slices.SortFunc(all, func(a, b About) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// provider returns the provider with an id, and false when there is none.
func (s *Service) provider(id string) (Provider, bool) {
	for _, source := range s.deps.Sources {
		for _, p := range source.Providers() {
			if p.About().ID == id {
				return p, true
			}
		}
	}
	return nil, false
}

// Request is a login that is to begin.
type Request struct {
	ProviderID string
	Level      Level
	// ReturnURL is where the browser comes back.
	ReturnURL string
	// CodeChallenge is that of PKCE, method S256.
	CodeChallenge string
}

// Begun is a login that has begun.
type Begun struct {
	LoginID uuid.UUID
	// URL is what the browser opens: the provider's address, or a page of ours that posts to it.
	URL string
}

// Begin begins a login. It returns fault.Invalid for a provider that there is not, for a level that
// it does not offer, for an address where nobody may come back and for what is no challenge, and
// fault.Unavailable for a provider that cannot be reached.
func (s *Service) Begin(ctx context.Context, in Request) (Begun, error) {
	p, err := s.check(ctx, in)
	if err != nil {
		return Begun{}, err
	}
	a, err := s.attempt(in)
	if err != nil {
		return Begun{}, err
	}
	departure, err := p.Begin(ctx, a)
	var refusal *Refusal
	if errors.As(err, &refusal) {
		s.note(ctx, in.ProviderID, refusal)
		return Begun{}, &fault.Fault{Code: fault.Unavailable, Reason: ReasonDown, RetryAfter: time.Minute}
	}
	if err != nil {
		return Begun{}, err
	}
	r, location, err := s.begun(in, p.About().Protocol, a, departure)
	if err != nil {
		return Begun{}, err
	}
	// An answer with secrets is never stored, so a repeat is a login of its own.
	return operation.Do(idempotency.WithClaim(ctx, nil), s.run, access.Actor{}, a.ID.String(), func(
		ctx context.Context, trace *operation.Trace,
	) (Begun, error) {
		trace.SubjectKind = subjectKind
		return Begun{LoginID: a.ID, URL: location}, s.repo.insert(ctx, r)
	}, nil)
}

// check returns the provider of a login that may begin.
func (s *Service) check(ctx context.Context, in Request) (Provider, error) {
	var wrong []fault.Field
	p, known := s.provider(in.ProviderID)
	if !known {
		wrong = append(wrong, fault.Field{Pointer: "/provider_id", Code: fault.FieldUnknownProvider})
	} else if !slices.Contains(p.About().Levels, in.Level) {
		wrong = append(wrong, fault.Field{Pointer: "/level", Code: fault.FieldLevelNotOffered})
	}
	returns, err := s.mayReturn(ctx, in.ReturnURL)
	if err != nil {
		return nil, err
	}
	if !returns {
		wrong = append(wrong, fault.Field{Pointer: "/return_url", Code: fault.FieldUnknownReturn})
	}
	if sum, err := base64.RawURLEncoding.Strict().DecodeString(in.CodeChallenge); err != nil || len(sum) != sha256.Size {
		wrong = append(wrong, fault.Field{Pointer: "/code_challenge", Code: fault.FieldPattern})
	}
	if len(wrong) > 0 {
		return nil, fault.InvalidFields(wrong...)
	}
	return p, nil
}

// attempt draws what a login is made of.
func (s *Service) attempt(in Request) (Attempt, error) {
	a := Attempt{ID: uuid.Must(uuid.NewV7()), Level: in.Level, BegunAt: s.run.Clock.Now().Truncate(time.Second)}
	for _, drawn := range []struct {
		into   *secret.Text
		length int
	}{{&a.State, stateLength}, {&a.Nonce, stateLength}, {&a.Verifier, verifierLength}} {
		var err error
		if *drawn.into, err = secret.DrawAlphanumeric(s.deps.Random, drawn.length); err != nil {
			return Attempt{}, err
		}
	}
	return a, nil
}

// sealed is what is remembered of an attempt, encrypted.
type sealed struct {
	Nonce    string          `json:"nonce"`
	Verifier string          `json:"verifier"`
	Kept     json.RawMessage `json:"kept,omitempty"`
	// URL and Form are for the page that posts to the provider.
	URL  string  `json:"url,omitempty"`
	Form []Field `json:"form,omitempty"`
}

// begun makes the row of a login, and where the browser goes.
func (s *Service) begun(in Request, protocol Protocol, a Attempt, d Departure) (r row, location string, err error) {
	now := s.run.Clock.Now()
	r = row{
		ID: a.ID, ProviderID: in.ProviderID, Protocol: protocol, Level: int(in.Level), StateHash: digest(a.State), ReturnURL: in.ReturnURL,
		CodeChallenge: in.CodeChallenge, BegunAt: now, ExpiresAt: now.Add(LoginLife),
	}
	keep := sealed{Nonce: a.Nonce.Reveal(), Verifier: a.Verifier.Reveal(), Kept: d.Kept}
	location = d.URL
	if d.Form != nil {
		ticket, err := s.draw()
		if err != nil {
			return row{}, "", err
		}
		hashed := digest(ticket)
		r.TicketHash, keep.URL, keep.Form = &hashed, d.URL, d.Form
		location = s.deps.PublicURL + FormPath + ticket.Reveal()
	}
	plain, err := json.Marshal(keep)
	if err != nil {
		return row{}, "", err
	}
	r.SealedAttempt = s.deps.Keys.Seal(attemptPurpose, plain, a.ID[:])
	return r, location, nil
}

// open decrypts what is remembered of an attempt.
func (s *Service) open(r row) (sealed, error) {
	var k sealed
	plain, err := s.deps.Keys.Open(attemptPurpose, r.SealedAttempt, r.ID[:])
	if err == nil {
		err = json.Unmarshal(plain, &k)
	}
	return k, err
}

// Form returns what the page with a ticket posts to the provider, and ErrUnknown.
func (s *Service) Form(ctx context.Context, ticket secret.Text) (Departure, error) {
	if len(ticket) > maxSecret {
		return Departure{}, ErrUnknown
	}
	r, found, err := s.repo.byTicket(ctx, digest(ticket), s.run.Clock.Now())
	if err == nil && !found {
		err = ErrUnknown
	}
	if err != nil {
		return Departure{}, err
	}
	k, err := s.open(r)
	return Departure{URL: k.URL, Form: k.Form}, err
}

// Answer takes the answer of a provider, which uses the login up. It returns where the browser goes,
// with a code by which the session is opened. Where the login did not succeed it returns that with
// an error in it, and the *Refusal. It returns ErrUnknown and nowhere to go for a state that is not
// that of an open login.
func (s *Service) Answer(ctx context.Context, protocol Protocol, state secret.Text, values url.Values) (returnTo string, err error) {
	if len(state) > maxSecret {
		return "", ErrUnknown
	}
	r, found, err := s.repo.take(ctx, digest(state), protocol, s.run.Clock.Now())
	if err == nil && !found {
		err = ErrUnknown
	}
	if err != nil {
		return "", err
	}
	code, err := s.answer(ctx, r, state, values)
	var refusal *Refusal
	switch {
	case err == nil:
		return returning(r.ReturnURL, url.Values{"code": {code.Reveal()}})
	case !errors.As(err, &refusal):
		s.deps.Log.ErrorContext(ctx, "the answer of an identity provider was not taken", "provider", r.ProviderID, "error", err)
		refusal = &Refusal{Outcome: Unavailable, Rule: "internal error"}
	default:
		s.note(ctx, r.ProviderID, refusal)
	}
	back, err := returning(r.ReturnURL, refusal.values())
	if err != nil {
		return "", err
	}
	return back, refusal
}

// answer verifies an answer and keeps what it says. It returns the code that opens the session.
func (s *Service) answer(ctx context.Context, r row, state secret.Text, values url.Values) (secret.Text, error) {
	p, known := s.provider(r.ProviderID)
	if !known {
		return "", &Refusal{Outcome: Unavailable, Rule: "the provider is not known any more"}
	}
	k, err := s.open(r)
	if err != nil {
		return "", err
	}
	claims, err := p.Finish(ctx, Attempt{
		ID: r.ID, Level: Level(r.Level), State: state, Nonce: secret.Text(k.Nonce), Verifier: secret.Text(k.Verifier),
		BegunAt: r.BegunAt.Truncate(time.Second), Kept: k.Kept,
	}, values)
	if err != nil {
		return "", err
	}
	if err := claims.check(Level(r.Level)); err != nil {
		return "", err
	}
	code, err := s.draw()
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	return code, s.run.DB.InTx(ctx, func(ctx context.Context) error {
		if err := s.useUp(ctx, r.ProviderID, claims.Once); err != nil {
			return err
		}
		return s.repo.keep(ctx, answered{
			ID: r.ID, Method: string(p.About().Method), Level: int(claims.Level), Claims: s.deps.Keys.Seal(claimsPurpose, plain, r.ID[:]),
			CodeHash: digest(code), CodeExpiresAt: s.run.Clock.Now().Add(CodeLife),
		})
	})
}

// useUp notes identifiers of an answer, in the context's transaction. It returns a *Refusal where one
// was seen before.
func (s *Service) useUp(ctx context.Context, providerID string, once []string) error {
	for _, id := range once {
		fresh, err := s.repo.see(ctx, digest(secret.Text(providerID+"\x00"+id)), s.run.Clock.Now())
		if err != nil {
			return err
		}
		if !fresh {
			return &Refusal{Outcome: Invalid, Rule: "the answer was used before"}
		}
	}
	return nil
}

// note logs why a login did not succeed.
func (s *Service) note(ctx context.Context, providerID string, refusal *Refusal) {
	level := slog.LevelWarn
	if refusal.Outcome == Denied {
		level = slog.LevelInfo
	}
	told := []any{"provider", providerID, "outcome", string(refusal.Outcome), "number", refusal.Number, "rule", refusal.Rule}
	if refusal.Cause != nil {
		told = append(told, "cause", refusal.Cause)
	}
	s.deps.Log.Log(ctx, level, "a login with a national identity did not succeed", told...)
}

// draw makes a secret of 32 bytes that nobody types.
func (s *Service) draw() (secret.Text, error) {
	b := make([]byte, 32)
	if _, err := io.ReadFull(s.deps.Random, b); err != nil {
		return "", err
	}
	return secret.Text(base64.RawURLEncoding.EncodeToString(b)), nil
}

// digest is what the table keeps of a secret that was drawn.
func digest(t secret.Text) string {
	sum := sha256.Sum256([]byte(t.Reveal()))
	return hex.EncodeToString(sum[:])
}

// Purge forgets what was told about people whose code is good no more, logins that have been over for
// a day, and answers that were seen before that.
func (s *Service) Purge(ctx context.Context) error {
	now := s.run.Clock.Now()
	return s.repo.purge(ctx, now, now.Add(-kept))
}
