package pinrecovery

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/otp"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/taxcode"
)

// Deps are what the service works with.
type Deps struct {
	Runner *operation.Runner
	People *person.Service
	PINs   *pin.Service
	Codes  *otp.Codes
	Outbox *outbox.Outbox
	// Keys encrypt the codes that are on their way.
	Keys *keyring.DataKeys
}

// Service recovers lost PINs, and revokes PINs without a login.
type Service struct {
	run    *operation.Runner
	people *person.Service
	pins   *pin.Service
	codes  *otp.Codes
	outbox *outbox.Outbox
	keys   *keyring.DataKeys
}

// NewService returns the service.
func NewService(d Deps) *Service {
	return &Service{
		run: d.Runner, people: d.People, pins: d.PINs, codes: d.Codes, outbox: d.Outbox, keys: d.Keys,
	}
}

// The outcomes of a request for a code, for the audit trail alone.
const (
	outcomeSent       = "code-sent"
	outcomeImpossible = "impossible"
	outcomeUnserved   = "too-many"
	outcomeNoMatch    = "no-match"
)

// applicant is what is known of whoever asks. The zero value is a stranger.
type applicant struct {
	person   person.Person
	standing pin.Standing
	contacts []person.Contact
	// served is how many requests were served in the last 24 hours.
	served int
}

// apply finds out about whoever asks, with the same statements for a stranger. It locks them until
// the end of the context's transaction.
func (s *Service) apply(ctx context.Context, code taxcode.Code, purpose otp.Purpose, now time.Time) (applicant, error) {
	var a applicant
	// The lock on the name comes first. Only the registered have a row to wait for, and how long
	// many at once take would tell.
	if err := s.run.DB.LockName(ctx, code.Clear()); err != nil {
		return applicant{}, err
	}
	found, err := s.known(ctx, code)
	if err != nil {
		return applicant{}, err
	}
	if a.person, err = s.people.Lock(ctx, found.ID); err != nil && !fault.Is(err, fault.NotFound) {
		return applicant{}, err
	}
	if a.standing, err = s.pins.Hold(ctx, found.ID); err != nil {
		return applicant{}, err
	}
	if a.contacts, err = s.people.Contacts(ctx, found.ID); err != nil {
		return applicant{}, err
	}
	a.served, err = s.codes.Made(ctx, purpose, found.ID, now.Add(-window))
	return a, err
}

// known returns the person with the tax code, or the zero value.
func (s *Service) known(ctx context.Context, code taxcode.Code) (person.Person, error) {
	p, err := s.people.ByTaxCode(ctx, code)
	if fault.Is(err, fault.NotFound) {
		return person.Person{}, nil
	}
	return p, err
}

// reply is what is sent to an applicant; the zero value is nothing.
type reply struct {
	outcome string
	kind    outbox.Kind
	to      person.Contact
}

// answer decides about a request for a recovery.
func (a applicant) answer(given []person.NewContact, now time.Time) reply {
	nothing := reply{outcome: outcomeNoMatch}
	if a.person.ID == uuid.Nil || a.person.SuspendedAt != nil {
		return nothing
	}
	good := recovering(a.contacts, now)
	r := reply{outcome: outcomeSent, kind: RecoveryCode}
	if !a.standing.Recoverable {
		// There is nothing to be gained: contacts that were never verified are good enough to say
		// so.
		good, r = reachable(a.contacts), reply{outcome: outcomeImpossible, kind: RecoveryImpossible}
	}
	matched := matching(good, given)
	if !proves(matched) {
		return nothing
	}
	if a.served >= servedADay {
		return reply{outcome: outcomeUnserved}
	}
	var found bool
	if r.to, found = mailbox(matched, good); !found {
		return nothing
	}
	return r
}

// revocation decides about a request for a revocation. It is the way out of an initial PIN that was
// lost, so until the first access any stored contact will do. Afterwards a verified one is needed:
// whoever once asked for a PIN in the person's name left contacts behind that nobody verified.
func (a applicant) revocation(given person.NewContact) reply {
	if a.person.ID == uuid.Nil || a.person.SuspendedAt != nil || !a.standing.Revocable {
		return reply{outcome: outcomeNoMatch}
	}
	good := a.contacts
	if a.standing.Recoverable {
		good = verified(good)
	}
	matched := matching(good, []person.NewContact{given})
	switch {
	case len(matched) == 0:
		return reply{outcome: outcomeNoMatch}
	case a.served >= servedADay:
		return reply{outcome: outcomeUnserved}
	default:
		return reply{outcome: outcomeSent, kind: RevocationCode, to: matched[0]}
	}
}

// StartRecovery sends a recovery code to the stored e-mail address, else the stored PEC, of a
// person. It does so if two of the contacts given, of different kinds, are stored for the tax code
// and count for recovery. Nobody is told whether that was so. It returns fault.Invalid for contacts
// that could be nobody's.
func (s *Service) StartRecovery(ctx context.Context, code taxcode.Code, given []person.NewContact) error {
	normal, err := checkContacts(given)
	if err != nil {
		return err
	}
	return s.start(ctx, code, pin.RecoveryCode, func(a applicant, now time.Time) reply { return a.answer(normal, now) })
}

// StartRevocation sends a revocation code to the contact given, if it is stored for the tax code.
// Once the person has used a PIN, the contact must be verified too. Nobody is told whether that was
// so. It returns fault.Invalid for a contact that could be nobody's.
func (s *Service) StartRevocation(ctx context.Context, code taxcode.Code, given person.NewContact) error {
	normal, ok := given.Normalise()
	if !ok || given.Kind == person.Postal {
		return fault.InvalidFields(fault.Field{Pointer: "/contact/value", Code: fault.FieldFormat})
	}
	return s.start(ctx, code, pin.RevocationCode, func(a applicant, _ time.Time) reply { return a.revocation(normal) })
}

// start makes a code for an applicant and sends it. For whoever gets none the same statements are
// made, and worth nothing.
func (s *Service) start(ctx context.Context, code taxcode.Code, purpose otp.Purpose, decide func(applicant, time.Time) reply) error {
	_, err := operation.Do(ctx, s.run, access.Actor{}, "", func(ctx context.Context, trace *operation.Trace) (struct{}, error) {
		now := s.run.Clock.Now()
		a, err := s.apply(ctx, code, purpose, now)
		if err != nil {
			return struct{}{}, err
		}
		r := decide(a, now)
		trace.Outcome = r.outcome
		if a.person.ID != uuid.Nil {
			// Whoever asks has proved nothing yet: it is done about the person, not by them.
			trace.SubjectKind, trace.SubjectID = pin.SubjectKind, a.person.ID.String()
		}
		// Where the answer is that it is impossible, the code counts as a request served; nobody
		// learns it.
		drawn, err := s.codes.Make(ctx, otp.Issue{Purpose: purpose, SubjectID: subject(a.person.ID, r.kind.Name != "")})
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, s.send(ctx, a.person.ID, r, drawn, now.Add(purpose.Life), now)
	}, nil)
	return err
}

// send promises the reply. Nothing is promised by a message that is withdrawn in the same
// transaction.
func (s *Service) send(ctx context.Context, personID uuid.UUID, r reply, code secret.Text, expires, now time.Time) error {
	served := r.kind.Name != ""
	if !served {
		personID, r.kind, r.to = uuid.Nil, RecoveryCode, person.Contact{Kind: person.Email, Value: "nobody"}
	}
	m, err := outbox.NewMessage(r.kind, personID, map[string]string{"expires_at": expires.Format(time.RFC3339Nano)}, now)
	if err != nil {
		return err
	}
	m, err = m.To(r.to.Kind.Channel(), r.to.Value).Until(expires).Seal(s.keys, map[string]secret.Text{"code": code})
	if err != nil {
		return err
	}
	if r.kind == RecoveryImpossible {
		m.Sealed = nil
	}
	if err := s.outbox.Add(ctx, m); err != nil {
		return err
	}
	withdrawn := m.ID
	if served {
		withdrawn = uuid.Nil
	}
	return s.outbox.Withdraw(ctx, withdrawn)
}

// ConfirmRecovery gives the person with the tax code a new initial PIN in two halves. It takes the
// code that was sent to them, and returns where the halves go. The credential level stays; the old
// PIN and all sessions end, and all contacts are told. It returns these faults:
//   - fault.CodeInvalid: the code is wrong, used or expired, or the person cannot recover the PIN
//     any more;
//   - fault.RateLimited and fault.Busy: as otp.Codes.Redeem and pin.Service.NewInitial.
func (s *Service) ConfirmRecovery(ctx context.Context, code taxcode.Code, entered secret.Text) ([]pin.Half, error) {
	if err := s.repeated(ctx); err != nil {
		return nil, err
	}
	// In every case and before anything counts: it takes most of the time.
	initial, err := s.pins.NewInitial(ctx)
	if err != nil {
		return nil, err
	}
	var halves []pin.Half
	err = s.redeemOnce(ctx, pin.RecoveryCode, code, entered, func(ctx context.Context, p person.Person, now time.Time) error {
		contacts, err := s.people.Contacts(ctx, p.ID)
		if err != nil {
			return err
		}
		one, two, found := destinations(recovering(contacts, now))
		if !found {
			return fault.New(fault.CodeInvalid)
		}
		halves = []pin.Half{half(one), half(two)}
		if err := s.pins.Recover(ctx, p.ID, initial, halves[0], halves[1]); err != nil {
			return err
		}
		message, err := outbox.NewMessage(Recovered, p.ID, map[string]string{"at": now.Format(time.RFC3339Nano)}, now)
		if err != nil {
			return err
		}
		return s.outbox.Add(ctx, message)
	})
	return halves, err
}

// ConfirmRevocation revokes the PIN of the person with the tax code. It takes the code that was
// sent to them, and returns from when on the PIN is revoked. Errors are those of ConfirmRecovery.
func (s *Service) ConfirmRevocation(ctx context.Context, code taxcode.Code, entered secret.Text) (time.Time, error) {
	if err := s.repeated(ctx); err != nil {
		return time.Time{}, err
	}
	var revoked time.Time
	err := s.redeemOnce(ctx, pin.RevocationCode, code, entered, func(ctx context.Context, p person.Person, _ time.Time) (err error) {
		revoked, err = s.pins.RevokeFor(ctx, p.ID)
		return err
	})
	return revoked, err
}

// redeemOnce is redeem for a request whose concurrent duplicate may have used the code up
// meanwhile.
func (s *Service) redeemOnce(
	ctx context.Context, purpose otp.Purpose, code taxcode.Code, entered secret.Text,
	effect func(ctx context.Context, p person.Person, now time.Time) error,
) error {
	err := s.redeem(ctx, purpose, code, entered, effect)
	if fault.Is(err, fault.CodeInvalid) {
		if again := s.repeated(ctx); again != nil {
			return again
		}
	}
	return err
}

// redeem runs an effect, with its audit record, for a code that is right, on the person locked.
func (s *Service) redeem(
	ctx context.Context, purpose otp.Purpose, code taxcode.Code, entered secret.Text,
	effect func(ctx context.Context, p person.Person, now time.Time) error,
) error {
	who, err := s.known(ctx, code)
	if err != nil {
		return err
	}
	var p person.Person
	return s.codes.Redeem(ctx, otp.Redemption{
		Purpose: purpose, Name: secret.Text(code.Clear()), PersonID: who.ID, SubjectID: who.ID, Code: entered,
		Address: audit.OriginOf(ctx).Address,
		Before: func(ctx context.Context) (err error) {
			if err := s.run.Keys.Take(ctx, idempotency.Want{Claim: idempotency.ClaimOf(ctx), ResourceID: who.ID.String()}); err != nil {
				return err
			}
			if p, err = s.people.Lock(ctx, who.ID); err != nil {
				return gone(err)
			}
			_, err = s.pins.Hold(ctx, p.ID)
			return err
		},
	}, func(ctx context.Context) error {
		if p.SuspendedAt != nil {
			return fault.New(fault.CodeInvalid)
		}
		if err := effect(ctx, p, s.run.Clock.Now()); err != nil {
			return gone(err)
		}
		trace := operation.Trace{PersonID: p.ID, SubjectKind: pin.SubjectKind, SubjectID: p.ID.String()}
		return s.run.Trail.Write(ctx, trace.Record(ctx, access.Actor{}, s.run.Clock))
	})
}

// gone makes what is not there any more look like a wrong code.
func gone(err error) error {
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.CodeInvalid)
	}
	return err
}

// repeated returns the *idempotency.Replay of a request that was done before. Its code is used up,
// so doing it again would be a wrong try.
func (s *Service) repeated(ctx context.Context) error {
	return s.run.Keys.ReplayOf(ctx, idempotency.ClaimOf(ctx))
}
