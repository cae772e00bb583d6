package staff

import (
	"context"
	"io"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/otp"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/pinupgrade"
	"diresco/internal/identity/throttle"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/review"
	"diresco/internal/kernel/scan"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
)

// ordinaryFor is how long a PIN from the counter is ordinary, unless somebody else confirms it. It
// leaves the holder, whom all verified contacts tell of it, time to act.
const ordinaryFor = 24 * time.Hour

// confirmation is how a PIN from the counter became dispositive.
type confirmation string

const (
	bySecondPerson confirmation = "second_person"
	byCode         confirmation = "code"
	byTime         confirmation = "time"
)

// CounterPIN is a PIN that was issued at a counter.
type CounterPIN struct {
	ID       uuid.UUID
	PersonID uuid.UUID
	IssuedBy uuid.UUID
	IssuedAt time.Time
	// DispositiveAt is when it becomes dispositive by itself.
	DispositiveAt time.Time
	Confirmation  *confirmation
	ConfirmedBy   *uuid.UUID
	ConfirmedAt   *time.Time
	// DocumentID is where the copy of the document lies; nil until it was handed in.
	DocumentID  *uuid.UUID
	Attachments []attachment.File `gorm:"serializer:json"`
}

// TableName tells GORM the table.
func (CounterPIN) TableName() string { return "counter_pins" }

// Waiting is a PIN from the counter that nobody has confirmed, with who issued it.
type Waiting struct {
	CounterPIN
	GivenName  string
	FamilyName string
}

// confirmed returns the PIN as it is once it is dispositive. by is nil where the time made it so.
func (c CounterPIN) confirmed(how confirmation, by *uuid.UUID, now time.Time) CounterPIN {
	c.Confirmation, c.ConfirmedBy, c.ConfirmedAt = &how, by, &now
	return c
}

// counterCode is the code with which the holder of a PIN from the counter confirms it there.
var counterCode = otp.Purpose{
	Kind: throttle.CounterPINCode, Label: "one-time code counter-pin-code", Digits: true, Length: 8, Life: ordinaryFor,
}

// CounterPINCode carries the code to a verified contact. Its data is {"expires_at"}, its secret
// {"code"}.
var CounterPINCode = outbox.Declare(outbox.Kind{Name: "pin.issued_code"})

// codeKinds are the kinds of contact that may get the code, the preferred first. Who stands at a
// counter has a telephone.
var codeKinds = []person.ContactKind{person.Mobile, person.Email, person.PEC}

// sendCode sends the code to a contact that was verified a day ago or longer. It returns the
// contact masked, and "" where there is none.
func (s *Service) sendCode(ctx context.Context, c CounterPIN) (string, error) {
	contacts, err := s.people.Contacts(ctx, c.PersonID)
	if err != nil {
		return "", err
	}
	for _, kind := range codeKinds {
		for _, contact := range contacts {
			if contact.Kind != kind || !contact.Recovers(c.IssuedAt) {
				continue
			}
			code, err := s.codes.Make(ctx, otp.Issue{Purpose: counterCode, SubjectID: c.ID})
			if err != nil {
				return "", err
			}
			m, err := outbox.NewMessage(CounterPINCode, c.PersonID, map[string]string{
				"expires_at": c.DispositiveAt.Format(time.RFC3339Nano),
			}, c.IssuedAt)
			if err != nil {
				return "", err
			}
			m, err = m.To(kind.Channel(), contact.Value).Until(c.DispositiveAt).Seal(s.keys, map[string]secret.Text{"code": code})
			if err != nil {
				return "", err
			}
			return contact.Masked(), s.outbox.Add(ctx, m)
		}
	}
	return "", nil
}

// ConfirmPIN makes a PIN that was issued at a counter dispositive before its time, and completes
// what waited for that. It takes another operator than the one who issued it, or the code that was
// sent to a verified contact of the holder. It returns these faults:
//   - fault.NotFound: there is no such person;
//   - fault.Conflict: no PIN from the counter waits for its confirmation, or the person is
//     suspended;
//   - fault.Forbidden: without a code, to who issued it;
//   - fault.CodeInvalid, fault.RateLimited and fault.Busy: as otp.Codes.Redeem.
func (s *Service) ConfirmPIN(ctx context.Context, by access.Actor, id uuid.UUID, code secret.Text) (Record, error) {
	// A repeat needs no attempt.
	if err := s.run.Keys.ReplayOf(ctx, idempotency.ClaimOf(ctx)); err != nil {
		return operation.Replay(ctx, err, operation.ByID(s.Show))
	}
	if code == "" {
		return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (Record, error) {
			c, err := s.holdWaiting(ctx, id)
			if err == nil {
				err = review.RequireSecond(by, c.IssuedBy)
			}
			if err != nil {
				return Record{}, err
			}
			return s.confirmPIN(ctx, by, trace, c, bySecondPerson)
		}, operation.ByID(s.Show))
	}
	return s.redeemCode(ctx, by, id, code)
}

// redeemCode confirms a PIN by the code. The request's key is taken with the code, so that a wrong
// one leaves it free.
//
// Lock order: key, people, PINs, the counter's PIN, code.
func (s *Service) redeemCode(ctx context.Context, by access.Actor, id uuid.UUID, code secret.Text) (Record, error) {
	p, err := s.people.ByID(ctx, id)
	if err != nil {
		return Record{}, err
	}
	waiting, found, err := s.repo.waiting(ctx, id)
	if err != nil {
		return Record{}, err
	}
	if !found {
		return Record{}, fault.Because(fault.Conflict, "nothing-to-confirm")
	}
	claim := idempotency.ClaimOf(ctx)
	var held CounterPIN
	var shown Record
	err = s.codes.Redeem(ctx, otp.Redemption{
		Purpose: counterCode, Name: secret.Text(p.TaxCode.Clear()), PersonID: id, SubjectID: waiting.ID, Code: code,
		Address: audit.OriginOf(ctx).Address,
		Before: func(ctx context.Context) (err error) {
			if err := s.run.Keys.Take(ctx, idempotency.Want{Claim: claim, ResourceID: id.String()}); err != nil {
				return err
			}
			held, err = s.holdWaiting(ctx, id)
			return err
		},
	}, func(ctx context.Context) (err error) {
		unclaimed := idempotency.WithClaim(ctx, nil)
		shown, err = operation.Do(unclaimed, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (Record, error) {
			return s.confirmPIN(ctx, by, trace, held, byCode)
		}, nil)
		return err
	})
	if fault.Is(err, fault.CodeInvalid) {
		// A concurrent duplicate may have used the code up.
		if again := s.run.Keys.ReplayOf(ctx, claim); again != nil {
			err = again
		}
	}
	if err != nil {
		return operation.Replay(ctx, err, operation.ByID(s.Show))
	}
	return shown, nil
}

// holdWaiting returns the PIN of a person that waits for its confirmation, and locks it with the
// person. It returns fault.NotFound, and fault.Conflict where none waits.
func (s *Service) holdWaiting(ctx context.Context, id uuid.UUID) (CounterPIN, error) {
	p, err := s.people.Lock(ctx, id)
	switch {
	case err != nil:
		return CounterPIN{}, err
	case p.SuspendedAt != nil:
		return CounterPIN{}, fault.Because(fault.Conflict, "person-suspended")
	}
	// The PIN's own row is locked: whoever revokes or replaces it does that first.
	if _, err := s.pins.Hold(ctx, id); err != nil {
		return CounterPIN{}, err
	}
	c, found, err := s.repo.waiting(ctx, id)
	if err == nil && !found {
		err = fault.Because(fault.Conflict, "nothing-to-confirm")
	}
	return c.CounterPIN, err
}

func (s *Service) confirmPIN(
	ctx context.Context, by access.Actor, trace *operation.Trace, c CounterPIN, how confirmation,
) (Record, error) {
	trace.Right, trace.SubjectKind = by.Office(), pin.SubjectKind
	if err := s.makeDispositive(ctx, c.confirmed(how, &by.PersonID, s.run.Clock.Now())); err != nil {
		return Record{}, err
	}
	return s.Show(ctx, c.PersonID)
}

// makeDispositive stores that a PIN is confirmed, with all that follows from it.
func (s *Service) makeDispositive(ctx context.Context, c CounterPIN) error {
	became, err := s.people.MakeDispositive(ctx, c.PersonID)
	if err != nil {
		return err
	}
	if err := s.repo.saveCounterPIN(ctx, c); err != nil {
		return err
	}
	if err := s.codes.End(ctx, counterCode, c.ID); err != nil || !became {
		return err
	}
	if err := s.declarations.CompleteFor(ctx, c.PersonID); err != nil {
		return err
	}
	message, err := outbox.NewMessage(pinupgrade.BecameDispositive, c.PersonID, map[string]string{
		"at": c.ConfirmedAt.Format(time.RFC3339Nano),
	}, *c.ConfirmedAt)
	if err != nil {
		return err
	}
	return s.outbox.Add(ctx, message)
}

// documentKind is how the trail names a copy.
const documentKind = "pin-document"

// documentFolder is where the files of a copy lie.
func documentFolder(id uuid.UUID) string { return "counter-pins/" + id.String() }

// KeepDocument keeps the copy of the document that was shown for a PIN, handed in by who issued it.
// It returns these faults:
//   - fault.NotFound: there is no such person;
//   - fault.Invalid: a file is empty, too large or of another type;
//   - fault.Conflict: no PIN from the counter waits for its confirmation, or its document is kept;
//   - fault.Forbidden: somebody else issued the PIN.
func (s *Service) KeepDocument(ctx context.Context, by access.Actor, id uuid.UUID, uploads []*attachment.Upload) (Record, error) {
	files, err := attachment.Check(uploads, "/files", attachment.Documents()...)
	if err != nil {
		return Record{}, err
	}
	if err := s.run.Keys.ReplayOf(ctx, idempotency.ClaimOf(ctx)); err != nil {
		return operation.Replay(ctx, err, operation.ByID(s.Show))
	}
	document := uuid.Must(uuid.NewV7())
	// Before the row says that they are there.
	if err := s.files.Put(ctx, documentFolder(document), files, uploads); err != nil {
		return Record{}, err
	}
	record, err := operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (Record, error) {
		trace.Right, trace.SubjectKind = by.Office(), pin.SubjectKind
		c, err := s.holdWaiting(ctx, id)
		switch {
		case err != nil:
			return Record{}, err
		case c.IssuedBy != by.PersonID:
			return Record{}, fault.Because(fault.Forbidden, "issuer-only")
		case c.DocumentID != nil:
			return Record{}, fault.Because(fault.Conflict, "document-kept")
		}
		if _, err := s.scans.Hold(ctx, scan.Files{
			ID: document, Kind: documentKind, Keys: attachment.Keys(documentFolder(document), files),
		}, s.run.Clock.Now()); err != nil {
			return Record{}, err
		}
		c.DocumentID, c.Attachments = &document, files
		if err := s.repo.saveCounterPIN(ctx, c); err != nil {
			return Record{}, err
		}
		return s.Show(ctx, id)
	}, nil)
	if err != nil {
		_ = s.files.Remove(context.WithoutCancel(ctx), documentFolder(document), files)
		return operation.Replay(ctx, err, operation.ByID(s.Show))
	}
	return record, nil
}

// Document returns a file of the document that was kept for the last PIN, with what opens it. While
// the PIN waits for its confirmation operators read it, who may confirm it; administrators read it
// afterwards too. It returns fault.NotFound where there is none that the actor may read, and the
// faults of look.Service.At and of scan.Service.Require.
func (s *Service) Document(
	ctx context.Context, by access.Actor, id uuid.UUID, number int,
) (f attachment.File, open func() (io.ReadCloser, error), err error) {
	c, found, err := s.documented(ctx, by, id)
	if err != nil {
		return attachment.File{}, nil, err
	}
	if !found || c.DocumentID == nil || number < 1 || number > len(c.Attachments) {
		return attachment.File{}, nil, fault.New(fault.NotFound)
	}
	if err := s.looks.At(ctx, by, id); err != nil {
		return attachment.File{}, nil, err
	}
	if err := s.scans.Require(ctx, *c.DocumentID); err != nil {
		return attachment.File{}, nil, err
	}
	return c.Attachments[number-1], func() (io.ReadCloser, error) {
		return s.files.Open(ctx, documentFolder(*c.DocumentID), number)
	}, nil
}

// documented returns the PIN from the counter whose document the actor may read.
func (s *Service) documented(ctx context.Context, by access.Actor, personID uuid.UUID) (CounterPIN, bool, error) {
	if by.UserClass == access.Administrator {
		return s.repo.lastCounterPIN(ctx, personID)
	}
	c, found, err := s.repo.waiting(ctx, personID)
	return c.CounterPIN, found, err
}
