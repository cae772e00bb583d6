package pin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/otp"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/secret"
)

// HalfKind is the kind of the message that takes half of an initial PIN to its holder. Its data is
// {"which": "first" or "second"} and its secret {"half"}.
var HalfKind = outbox.Declare(outbox.Kind{Name: "pin.half"})

// How long half of a PIN is tried to be sent: a print house takes its time.
const (
	letterPatience = 30 * 24 * time.Hour
	halfPatience   = 7 * 24 * time.Hour
)

// Half is where half of an initial PIN goes.
type Half struct {
	Channel outbox.Channel
	To      string
}

// Initial is an initial PIN that nobody has yet. Make it with NewInitial.
type Initial struct {
	pin  secret.Text
	hash string
}

// Format implements fmt.Formatter with a placeholder: the PIN is in it.
func (Initial) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, secret.Text("").String()) }

// NewInitial draws an initial PIN and hashes it. It takes long and belongs outside of transactions;
// fault.Busy when too many ask.
func (s *Service) NewInitial(ctx context.Context) (Initial, error) {
	pin, err := s.Generate(true)
	if err != nil {
		return Initial{}, err
	}
	hash, err := s.Hash(ctx, pin)
	return Initial{pin, hash}, err
}

// GiveInHalves gives a person an initial PIN in place of any other, one half to each of two
// recipients. It promises the two messages inside the caller's transaction and operation, and
// returns their ids. All sessions of the person, and the codes that would recover or revoke the old
// PIN, end. The new one must be changed at the first login, within 60 days from the time when the
// second half was sent. INPS PIN rules: the two halves never travel the same way.
func (s *Service) GiveInHalves(
	ctx context.Context, personID uuid.UUID, initial Initial, first, second Half,
) (firstID, secondID uuid.UUID, err error) {
	return s.giveInHalves(ctx, personID, stored{}, initial, first, second)
}

// giveInHalves keeps of the PIN before what a recovery keeps; of none it keeps nothing.
func (s *Service) giveInHalves(
	ctx context.Context, personID uuid.UUID, before stored, initial Initial, first, second Half,
) (firstID, secondID uuid.UUID, err error) {
	text := initial.pin.Reveal()
	if len(text) != initialLength || initial.hash == "" {
		return uuid.Nil, uuid.Nil, errors.New("an initial PIN is made by NewInitial")
	}
	if first.To == second.To {
		return uuid.Nil, uuid.Nil, errors.New("both halves of a PIN to one recipient")
	}
	class, err := s.repo.classOf(ctx, personID)
	if err != nil {
		return uuid.Nil, uuid.Nil, err
	}
	now, err := s.held(ctx, personID)
	if err != nil {
		return uuid.Nil, uuid.Nil, err
	}
	messages := make([]outbox.Message, 0, 2)
	for _, half := range []struct {
		which string
		to    Half
		text  string
	}{{"first", first, text[:initialLength/2]}, {"second", second, text[initialLength/2:]}} {
		m, err := s.halfMessage(personID, half.which, half.to, secret.Text(half.text), now)
		if err != nil {
			return uuid.Nil, uuid.Nil, err
		}
		messages = append(messages, m)
	}
	firstID, secondID = messages[0].ID, messages[1].ID
	p := given(personID, class, initial.hash, true, now)
	p.UnusedExpiresAt, p.SecondHalfID, p.FirstAccessAt, p.CounterPINID = nil, &secondID, before.FirstAccessAt, before.CounterPINID
	if err := s.repo.put(ctx, p); err != nil {
		return uuid.Nil, uuid.Nil, err
	}
	if err := s.endWith(ctx, personID, session.EndedPINReplaced); err != nil {
		return uuid.Nil, uuid.Nil, err
	}
	if err := s.outbox.Add(ctx, messages...); err != nil {
		return uuid.Nil, uuid.Nil, err
	}
	return firstID, secondID, s.changed(ctx, personID, initial.pin)
}

func (s *Service) halfMessage(personID uuid.UUID, which string, to Half, half secret.Text, now time.Time) (outbox.Message, error) {
	m, err := outbox.NewMessage(HalfKind, personID, map[string]string{"which": which}, now)
	if err != nil {
		return outbox.Message{}, err
	}
	patience := halfPatience
	if to.Channel == outbox.Letter {
		patience = letterPatience
	}
	return m.To(to.Channel, to.To).Until(now.Add(patience)).Seal(s.keys, map[string]secret.Text{"half": half})
}

// endWith ends what an old PIN opened, or what would bring it back, in the context's transaction.
func (s *Service) endWith(ctx context.Context, personID uuid.UUID, reason string) error {
	if err := s.sessions.EndAllOf(ctx, personID, reason); err != nil {
		return err
	}
	for _, purpose := range []otp.Purpose{RecoveryCode, RevocationCode} {
		if err := s.codes.End(ctx, purpose, personID); err != nil {
			return err
		}
	}
	return nil
}

// HandedOver is what happens when it is known what became of a message with half of a PIN. From the
// second half's hand-over on, the PIN waits 60 days for its first use. When either half cannot
// arrive any more, an unused PIN expires at once: its secret is erased, so nobody can send it
// again, and another PIN can be requested. Other messages, and the halves of a PIN that was
// replaced meanwhile, change nothing. It runs inside the transaction in which the delivery's new
// state is written.
func (s *Service) HandedOver(ctx context.Context, d outbox.Delivery) error {
	if d.Kind != HalfKind.Name || d.PersonID == nil {
		return nil
	}
	switch d.State {
	case outbox.Sent, outbox.Delivered, outbox.HandedOver, outbox.Unconfirmed: // the last may have arrived
		return s.repo.beginUnused(ctx, *d.PersonID, d.Message(), s.run.Clock.Now().Add(unusedFor))
	case outbox.Failed, outbox.Dead:
		if err := s.outbox.Forget(ctx, d.Message()); err != nil {
			return err
		}
		// Both halves were promised at the instant at which the PIN was given.
		return s.repo.expireUnused(ctx, *d.PersonID, clock.Normal(d.CreatedAt), s.run.Clock.Now())
	case outbox.Queued:
	}
	return nil
}
