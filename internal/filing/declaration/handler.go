package declaration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/filing/fund"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
)

// submission is a declaration on its way into the register.
type submission struct {
	declaration Declaration
	// typ is the version under which it is filed, current the one whose window is kept.
	typ, current *Type
	// owner is the contributor's tax code.
	owner taxcode.Code
	// draftVersion is that of the draft which was checked; zero for what was never a draft.
	draftVersion int
	// asked is what the content asks for; nil until it was read. group is where it is decided.
	asked *asked
	group *group
	// untold is what was filed with many others, of which its filer hears all at once.
	untold bool
	// jws is the receipt, once the declaration is filed.
	jws string
}

// halfDone is a fault that came after something was done: the whole group is undone for it.
type halfDone struct{ error }

// handler checks and stores declarations in the protocol register.
type handler struct {
	repo      *repository
	types     *Types
	funds     *fund.Service
	decider   decider
	signer    Signer
	random    io.Reader
	publicURL string
}

// Check implements protocol.Handler. It checks at the time of the protocol that
//   - the draft is still the one that was checked;
//   - what it supersedes can be superseded;
//   - the type is open;
//   - a confirmation matches its reservation.
//
// What is decided by itself is decided here, one entry after the other.
//
// Lock order: funds by code, names of types, declarations by id.
func (h handler) Check(ctx context.Context, entries []*protocol.Entry[submission]) error {
	if err := protocol.RefreshCredentials(ctx, h.repo.db, entries); err != nil {
		return err
	}
	g, err := h.open(ctx, entries)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Err != nil {
			continue
		}
		sub := &e.Content
		sub.group = g
		if err := h.admit(g, e); err != nil {
			e.Refuse(err)
			continue
		}
		if err := h.decide(ctx, g, e); err != nil {
			var half halfDone
			if errors.As(err, &half) {
				return half.error
			}
			var refused *fault.Fault
			if !errors.As(err, &refused) {
				return err
			}
			e.Refuse(err)
			continue
		}
		e.Trace.Detail = sub.declaration.changed()
		// Of two submissions of one draft in a group, the second finds it submitted.
		if filed := sub.declaration; sub.draftVersion > 0 {
			filed.Version, filed.UpdatedAt = sub.draftVersion+1, e.At
			g.all[filed.ID] = filed
		}
	}
	return nil
}

// open locks and reads what the entries need to be decided. Entries whose content asks for what
// cannot be are refused.
func (h handler) open(ctx context.Context, entries []*protocol.Entry[submission]) (*group, error) {
	var ids, subjects, reservations, replaced []uuid.UUID
	var codes []string
	var matters []matter
	var until time.Time
	for _, e := range entries {
		sub := &e.Content
		d := sub.declaration
		if sub.asked == nil {
			var err error
			if sub.asked, err = ask(sub.typ, d.Step, d.Content); err != nil {
				e.Refuse(err)
				continue
			}
		}
		if sub.draftVersion > 0 {
			ids = append(ids, d.ID)
		}
		var others []uuid.UUID
		if d.SupersedesID != nil {
			others, reservations = append(others, *d.SupersedesID), append(reservations, *d.SupersedesID)
		}
		if d.ReservationID != nil {
			others, reservations = append(others, *d.ReservationID), append(reservations, *d.ReservationID)
		}
		if d.SupersedesID != nil && d.Step == catalogue.Confirmation {
			replaced = append(replaced, *d.SupersedesID)
		}
		ids = append(ids, others...)
		if e.At.After(until) {
			until = e.At
		}
		if sub.typ.Fund != nil {
			subjects = append(subjects, others...)
			if d.Step == catalogue.Reservation {
				codes = append(codes, sub.asked.fund)
			}
		}
		if len(sub.asked.step.Requirements) > 0 && e.By.CredentialLevel == access.Dispositive {
			matters = append(matters, matter{d, sub.asked})
		}
	}
	let, err := h.repo.confirmedBy(ctx, replaced)
	if err != nil {
		return nil, err
	}
	ids, subjects, reservations = append(ids, let...), append(subjects, let...), append(reservations, let...)
	return openGroup(ctx, h.repo, h.types, h.funds, until, codes, subjects, ids, reservations, matters)
}

// admit checks what does not depend on money.
func (h handler) admit(g *group, e *protocol.Entry[submission]) error {
	sub := &e.Content
	d := sub.declaration
	g.settle(e.At)
	if sub.draftVersion > 0 {
		draft, found := g.all[d.ID]
		switch {
		case !found:
			return fault.New(fault.NotFound)
		case draft.State != Draft:
			return draft.requireDraft()
		case draft.Version != sub.draftVersion:
			return fault.Because(fault.Conflict, "declaration-changed")
		}
	}
	// A confirmation has the term of its reservation, whether or not the type is still open.
	if d.Step != catalogue.Confirmation && !sub.current.openAt(e.At) {
		return fault.Because(fault.Conflict, "type-not-open")
	}
	if d.SupersedesID != nil {
		return g.maySupersede(d)
	}
	return nil
}

// decide decides an entry by itself where its type says so, with what it supersedes.
func (h handler) decide(ctx context.Context, g *group, e *protocol.Entry[submission]) error {
	sub := &e.Content
	d := sub.declaration
	at := e.At
	d.SubmittedAt = &at
	d.State = stateAtSubmission(e.By.CredentialLevel)
	var err error
	switch {
	case d.State == AwaitingCredentials && d.Step == catalogue.Confirmation:
		err = g.announce(ctx, d, sub.typ, sub.asked, at)
	case d.State == AwaitingCredentials && sub.typ.Fund != nil:
		_, err = g.book.Claim(sub.asked.fund, g.request(d, sub.typ, sub.asked, at), at)
		g.refresh()
	case d.State == Submitted:
		// A confirmation that is refused supersedes nothing.
		first := d.SupersedesID != nil && d.Step != catalogue.Confirmation
		if first {
			if err := g.supersede(d, at); err != nil {
				return err
			}
		}
		if d, err = g.decide(ctx, d, sub.typ, sub.asked, at); err == nil && d.SupersedesID != nil && !first {
			if err = g.supersede(d, at); err != nil {
				err = halfDone{err}
			}
		}
	}
	sub.declaration = d
	return err
}

// Store implements protocol.Handler: declarations with number and receipt, what became of others,
// and a message to who filed.
func (h handler) Store(ctx context.Context, entries []*protocol.Entry[submission]) error {
	created := make([]Declaration, 0, len(entries))
	for _, e := range entries {
		sub := &e.Content
		d := sub.declaration
		number := e.Number.String()
		at, digest := e.At, e.Digest
		d.SubmittedAt, d.ProtocolNumber, d.Digest = &at, &number, &digest
		d.UpdatedAt, d.ListedAt = e.At, e.At
		jws, err := h.sign(d, e.By, sub.owner)
		if err != nil {
			return err
		}
		if sub.draftVersion == 0 {
			d.CreatedAt = e.At
			created = append(created, d)
		} else {
			d.Version = sub.draftVersion + 1
			if err := h.repo.submitDraft(ctx, d); err != nil {
				return err
			}
		}
		e.Receipt = protocol.Receipt{JWS: &jws, FiledState: new(string(d.State)), FiledVersion: new(d.Version)}
		sub.declaration, sub.jws = d, jws
		if sub.untold {
			continue
		}
		message, err := received(d, sub.typ)
		if err != nil {
			return err
		}
		e.Messages = []outbox.Message{message}
	}
	if err := h.repo.create(ctx, slices.Clip(created)...); err != nil {
		return err
	}
	return entries[0].Content.group.save(ctx, h.repo, h.decider)
}

// received tells who filed what became of it at once: that the declaration was received and, where
// credentials are missing, that it waits; or how it was decided by itself.
func received(d Declaration, t *Type) (outbox.Message, error) {
	if message, told, err := outcomeOf(d, t.Title.IT, *d.SubmittedAt); told || err != nil {
		return message, err
	}
	kind := receivedKind
	if d.State == AwaitingCredentials {
		kind = awaitingKind
	}
	return outbox.NewMessage(kind, d.PersonID, map[string]string{
		"protocol_number": *d.ProtocolNumber, "type": d.Type, "title": t.Title.IT, "submitted_at": d.SubmittedAt.Format(time.RFC3339Nano),
	}, *d.SubmittedAt)
}

func (h handler) sign(d Declaration, filer access.Actor, owner taxcode.Code) (string, error) {
	payload, err := newClaims(h.publicURL, d, filer, owner, h.random)
	if err != nil {
		return "", err
	}
	jws, err := h.signer.SignReceipt(payload)
	if err != nil {
		return "", fmt.Errorf("receipt: %w", err)
	}
	return jws, nil
}
