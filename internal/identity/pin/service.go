package pin

import (
	"context"
	"io"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/otp"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
)

// Sessions is what a change of PIN does to the sessions of its holder.
type Sessions interface {
	// Replace ends every session of the actor and starts a new one, in the context's transaction.
	Replace(ctx context.Context, by access.Actor, reason string) (session.Session, error)
	// EndAllOf ends every session of a person, in the context's transaction.
	EndAllOf(ctx context.Context, personID uuid.UUID, reason string) error
}

// Service is what can be done with PINs besides logging in.
type Service struct {
	run      *operation.Runner
	repo     repository
	verifier *Verifier
	sessions Sessions
	outbox   *outbox.Outbox
	keys     *keyring.DataKeys
	codes    *otp.Codes
	random   io.Reader
	// onChange and onFirstAccess are nil where nobody is told.
	onChange      func(ctx context.Context, personID uuid.UUID, pin secret.Text) error
	onFirstAccess func(ctx context.Context, personID uuid.UUID, given time.Time) error
}

// Deps are what the service works with. A program that gives people PINs, and nothing else, needs
// Runner, Verifier and Random alone.
type Deps struct {
	Runner   *operation.Runner
	Verifier *Verifier
	Sessions Sessions
	Outbox   *outbox.Outbox
	// Keys encrypt the halves of a PIN that are on their way.
	Keys  *keyring.DataKeys
	Codes *otp.Codes
	// Random is what PINs are drawn from.
	Random io.Reader
	// OnChange, where there is one, is told each new PIN that works, in the transaction that makes
	// it work. It is for the sandbox, which shows test PINs.
	OnChange func(ctx context.Context, personID uuid.UUID, pin secret.Text) error
	// OnFirstAccess is told of the first access of a person with an initial PIN; it may be nil. It
	// gets the instant at which they were given that PIN, and runs in the transaction that
	// completes the access.
	OnFirstAccess func(ctx context.Context, personID uuid.UUID, given time.Time) error
}

// NewService returns the service.
func NewService(d Deps) *Service {
	return &Service{
		run: d.Runner, repo: repository{d.Runner.DB}, verifier: d.Verifier, sessions: d.Sessions, outbox: d.Outbox, keys: d.Keys,
		codes: d.Codes, random: d.Random,
		onChange: d.OnChange, onFirstAccess: d.OnFirstAccess,
	}
}

// Generate returns a new PIN: 16 characters as issued at first, else 8.
func (s *Service) Generate(initial bool) (secret.Text, error) {
	if initial {
		return secret.Draw(s.random, initialLength)
	}
	return secret.Draw(s.random, normalLength)
}

// Hash returns what is stored of a PIN. It takes long and belongs outside of transactions;
// fault.Busy when too many ask.
func (s *Service) Hash(ctx context.Context, pin secret.Text) (string, error) {
	slot, err := s.verifier.hasher.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer slot.release()
	return slot.hash(secret.Normalise(pin))
}

// HashPublic returns what is stored of a PIN that is no secret, such as a test person's. Its hash is
// cheap: nothing is lost by it, and the first login replaces it by one at the real cost.
func (s *Service) HashPublic(pin secret.Text) (string, error) {
	hasher, err := NewHasher(HasherOptions{Memory: publicMemory, Time: 1, Random: s.random})
	if err != nil {
		return "", err
	}
	alone := slot{hasher: hasher, released: true}
	return alone.hash(secret.Normalise(pin))
}

// Set gives a person a PIN by its hash, in place of any other, inside the caller's transaction and
// operation. An initial one must be changed at the first login, within 60 days. OnChange is not
// told: the caller knows the PIN.
func (s *Service) Set(ctx context.Context, personID uuid.UUID, hash string, initial bool) error {
	class, err := s.repo.classOf(ctx, personID)
	if err != nil {
		return err
	}
	now, err := s.held(ctx, personID)
	if err != nil {
		return err
	}
	return s.repo.put(ctx, given(personID, class, hash, initial, now))
}

// Issue gives a person a new initial PIN and returns it. Inside a transaction it becomes part of
// it; the audit record is left to the caller's operation.
func (s *Service) Issue(ctx context.Context, personID uuid.UUID) (secret.Text, error) {
	pin, err := s.Generate(true)
	if err != nil {
		return "", err
	}
	hash, err := s.Hash(ctx, pin)
	if err != nil {
		return "", err
	}
	return pin, s.run.DB.InTx(ctx, func(ctx context.Context) error {
		if err := s.Set(ctx, personID, hash, true); err != nil {
			return err
		}
		return s.changed(ctx, personID, pin)
	})
}

func (s *Service) changed(ctx context.Context, personID uuid.UUID, pin secret.Text) error {
	if s.onChange == nil {
		return nil
	}
	return s.onChange(ctx, personID, pin)
}

// ExpiresAt returns when the PIN of a person must be changed. For a PIN that was never changed,
// that is when it expires unused. It returns nil for a person without a PIN.
func (s *Service) ExpiresAt(ctx context.Context, personID uuid.UUID) (*time.Time, error) {
	p, found, err := s.repo.unrevoked(ctx, personID)
	if err != nil || !found {
		return nil, err
	}
	if p.Initial && p.UnusedExpiresAt != nil {
		return p.UnusedExpiresAt, nil
	}
	return &p.ChangeDueAt, nil
}

// rotationKind is how the audit trail names a rotation.
const rotationKind = "pin-rotation"

// Rotate generates a new PIN, to be confirmed in the same session within 15 minutes. Until then the
// old one works. A repeat replaces it. It returns fault.Reauthenticate when the PIN was entered
// more than 5 minutes ago, unless the session must change it anyway, and fault.Conflict for who has
// none.
func (s *Service) Rotate(ctx context.Context, by access.Actor) (Rotation, error) {
	if !by.PINChangeRequired && s.run.Clock.Now().Sub(by.AuthenticatedAt) > access.FreshFor {
		return Rotation{}, fault.New(fault.Reauthenticate)
	}
	pin, err := s.Generate(false)
	if err != nil {
		return Rotation{}, err
	}
	hash, err := s.Hash(ctx, pin)
	if err != nil {
		return Rotation{}, err
	}
	id := uuid.Must(uuid.NewV7())
	return operation.Do(unclaimed(ctx), s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (Rotation, error) {
		trace.SubjectKind = rotationKind
		// Who came by another way may have none. It would be shown and never count.
		switch _, has, err := s.repo.unrevoked(ctx, by.PersonID); {
		case err != nil:
			return Rotation{}, err
		case !has:
			return Rotation{}, fault.Because(fault.Conflict, ReasonNoPIN)
		}
		made := Rotation{ID: id, PIN: pin, ExpiresAt: s.run.Clock.Now().Add(RotationLife)}
		return made, s.repo.begin(ctx, rotation{
			PersonID: by.PersonID, ID: id, SessionID: by.SessionID, Hash: hash, ExpiresAt: made.ExpiresAt,
		})
	}, nil)
}

// ReasonNoPIN is that there is no PIN to be changed.
const ReasonNoPIN = "no-pin"

// unclaimed returns the context without the request's idempotency key. An answer with a PIN or
// token is never stored, so a repeat is a request of its own.
func unclaimed(ctx context.Context) context.Context { return idempotency.WithClaim(ctx, nil) }

// Confirm makes a generated PIN the person's when it is entered right. It ends all their sessions
// and starts a new one. A wrong entry is fault.Invalid at /pin and counts as a try, with the
// counter of logins; see session.PINs.Verify for the limits. A rotation that is void, unknown or
// another's is fault.NotFound and counts nothing.
func (s *Service) Confirm(ctx context.Context, by access.Actor, rotationID uuid.UUID, pin secret.Text) (session.Session, error) {
	var r rotation
	right, err := s.verifier.try(ctx, pin, audit.OriginOf(ctx).Address, func(ctx context.Context) (target, error) {
		var found bool
		var err error
		if r, found, err = s.repo.waiting(ctx, rotationID, by.PersonID, by.SessionID, s.run.Clock.Now()); err != nil {
			return target{}, err
		}
		if !found {
			return target{}, fault.New(fault.NotFound)
		}
		c, err := s.repo.byPerson(ctx, by.PersonID)
		return target{name: c.TaxCode, personID: by.PersonID, hash: r.Hash}, err
	})
	if err != nil {
		return session.Session{}, err
	}
	if !right {
		return session.Session{}, fault.InvalidFields(fault.Field{Pointer: "/pin", Code: fault.FieldWrongPIN})
	}
	return operation.Do(unclaimed(ctx), s.run, by, rotationID.String(), func(
		ctx context.Context, trace *operation.Trace,
	) (session.Session, error) {
		trace.SubjectKind, trace.Unchecked = rotationKind, true
		return s.confirm(ctx, by, r, pin)
	}, nil)
}

func (s *Service) confirm(ctx context.Context, by access.Actor, r rotation, pin secret.Text) (session.Session, error) {
	old, found, err := s.repo.hold(ctx, by.PersonID)
	if err != nil {
		return session.Session{}, err
	}
	// After whoever logs in with the old one at this moment.
	now := s.run.Clock.Now()
	taken, err := s.repo.take(ctx, r.ID, now)
	if err != nil {
		return session.Session{}, err
	}
	if !taken {
		return session.Session{}, fault.New(fault.NotFound)
	}
	replaced, err := s.repo.confirm(ctx, by.PersonID, r.Hash, now, changeDue(by.UserClass, now))
	if err != nil {
		return session.Session{}, err
	}
	if !replaced {
		return session.Session{}, fault.New(fault.NotFound)
	}
	if found && old.FirstAccessAt == nil && s.onFirstAccess != nil {
		if err := s.onFirstAccess(ctx, by.PersonID, old.ChangedAt); err != nil {
			return session.Session{}, err
		}
	}
	// The sessions come after the PIN, whose row a login with the old one holds. What such a login
	// started is then there to be ended.
	opened, err := s.sessions.Replace(ctx, by, session.EndedPINChanged)
	if err != nil {
		return session.Session{}, err
	}
	message, err := outbox.NewMessage(Changed, by.PersonID, struct{}{}, now)
	if err != nil {
		return session.Session{}, err
	}
	if err := s.outbox.Add(ctx, message); err != nil {
		return session.Session{}, err
	}
	return opened, s.changed(ctx, by.PersonID, secret.Text(secret.Normalise(pin)))
}
