package staff

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/pinupgrade"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
)

// Issued is a PIN that was issued at the counter.
type Issued struct {
	pin.IssuedPIN
	// DispositiveAt is when it becomes dispositive unless it is confirmed before.
	DispositiveAt time.Time
	// CodeTo is the verified contact, masked, that has the code to confirm it; "" for none.
	CodeTo string
}

// IssuePIN gives a person, who has just shown a document, a new PIN in place of any other. It is
// ordinary for 24 hours, and so are the person's credentials, unless ConfirmPIN makes it
// dispositive before. Their sessions end and all their verified contacts are told. The PIN is in
// the result and nowhere else, so a repeat of the request issues another one. It returns these
// faults:
//   - fault.Forbidden: the PIN is the actor's own, or one of staff;
//   - fault.RateLimited: the actor issued as many as one may in a day;
//   - fault.NotFound: there is no such person;
//   - fault.Conflict: the person is suspended.
//
// Lock order: the actor's name, people, PINs, sessions, codes.
func (s *Service) IssuePIN(ctx context.Context, by access.Actor, id uuid.UUID) (Issued, error) {
	if by.PersonID == id {
		return Issued{}, fault.Because(fault.Forbidden, "own-pin")
	}
	// Looked at before the hash is paid for, and again under the lock.
	if err := mayHavePIN(s.people.ByID(ctx, id)); err != nil {
		return Issued{}, err
	}
	initial, err := s.pins.NewInitial(ctx)
	if err != nil {
		return Issued{}, err
	}
	// An answer with a PIN is never stored.
	return operation.Do(idempotency.WithClaim(ctx, nil), s.run, by, id.String(), func(
		ctx context.Context, trace *operation.Trace,
	) (Issued, error) {
		// That a document was shown stays on record, which one does not.
		trace.Right, trace.SubjectKind = by.Office(), pin.SubjectKind+documentShown
		if err := s.countActs(ctx, by, issuing); err != nil {
			return Issued{}, err
		}
		return s.issue(ctx, by, id, initial)
	}, nil)
}

// documentShown is added to what an audit record says that a PIN issued at the counter is.
const documentShown = "-document-shown"

func mayHavePIN(p person.Person, err error) error {
	switch {
	case err != nil:
		return err
	case p.UserClass != access.Citizen && p.UserClass != access.InstitutionalIntermediary:
		// Or an operator could log in as an administrator. Staff recover their PIN, or are citizens
		// first.
		return fault.Because(fault.Forbidden, "staff-pin")
	case p.SuspendedAt != nil:
		return fault.Because(fault.Conflict, "person-suspended")
	}
	return nil
}

func (s *Service) issue(ctx context.Context, by access.Actor, id uuid.UUID, initial pin.Initial) (Issued, error) {
	if err := mayHavePIN(s.people.Lock(ctx, id)); err != nil {
		return Issued{}, err
	}
	now := s.run.Clock.Now()
	c := CounterPIN{
		ID: uuid.Must(uuid.NewV7()), PersonID: id, IssuedBy: by.PersonID, IssuedAt: now, DispositiveAt: now.Add(ordinaryFor),
		Attachments: []attachment.File{},
	}
	if err := s.people.MakeOrdinary(ctx, id); err != nil {
		return Issued{}, err
	}
	handed, err := s.pins.GiveInPerson(ctx, id, c.ID, initial)
	if err != nil {
		return Issued{}, err
	}
	// What somebody asked for with the old PIN must not raise the new one.
	if err := pinupgrade.Void(ctx, s.run.DB, id, now); err != nil {
		return Issued{}, err
	}
	if err := s.repo.addCounterPIN(ctx, c); err != nil {
		return Issued{}, err
	}
	to, err := s.sendCode(ctx, c)
	if err != nil {
		return Issued{}, err
	}
	return Issued{IssuedPIN: handed, DispositiveAt: c.DispositiveAt, CodeTo: to}, s.notify(ctx, PINIssued, id)
}

// RevocationReason is why somebody who works here revokes a PIN.
type RevocationReason string

// The reasons for a revocation.
const (
	// Requested by the holder, who has it no other way.
	Requested RevocationReason = "requested"
	Lost      RevocationReason = "lost"
	Stolen    RevocationReason = "stolen"
	// Misused PINs are used by somebody else.
	Misused RevocationReason = "misused"
	// WrongPerson got the PIN.
	WrongPerson RevocationReason = "wrong_person"
)

var revocationReasons = []RevocationReason{Requested, Lost, Stolen, Misused, WrongPerson}

// RevokePIN revokes the PIN of a person for a reason, ends their sessions and tells them. A repeat
// of one that has no PIN any more is no revocation. It returns these faults:
//   - fault.Invalid: the reason is none;
//   - fault.RateLimited: the actor revoked as many as one may in a day;
//   - fault.NotFound: there is no such person, or they have no PIN;
//   - fault.Forbidden: the PIN is an administrator's, which only administrators revoke. A revoked
//     PIN is not recovered, and nobody else could let them in again.
//
// Lock order: the actor's name, people, PINs, sessions, codes.
func (s *Service) RevokePIN(ctx context.Context, by access.Actor, id uuid.UUID, reason RevocationReason) error {
	if !slices.Contains(revocationReasons, reason) {
		return fault.InvalidFields(fault.Field{Pointer: "reason", Code: fault.FieldEnum})
	}
	_, err := operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (time.Time, error) {
		trace.Right, trace.SubjectKind = by.Office(), pin.SubjectKind
		if err := s.countActs(ctx, by, revoking); err != nil {
			return time.Time{}, err
		}
		p, err := s.people.Lock(ctx, id)
		if err != nil {
			return time.Time{}, err
		}
		if trace.Unchecked, err = s.onOneself(ctx, by, id); err != nil {
			return time.Time{}, err
		}
		if p.UserClass == access.Administrator && by.UserClass != access.Administrator {
			return time.Time{}, fault.Because(fault.Forbidden, "administrator-pin")
		}
		at, err := s.pins.RevokeFor(ctx, id)
		if err != nil {
			return time.Time{}, err
		}
		return at, s.repo.addRevocation(ctx, revocation{
			ID: uuid.Must(uuid.NewV7()), PersonID: id, RevokedBy: by.PersonID, Reason: reason, RevokedAt: at,
		})
	}, nil)
	return err
}
