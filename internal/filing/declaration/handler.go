package declaration

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
)

// submission is a declaration on its way into the register.
type submission struct {
	declaration Declaration
	typ         *Type
	// owner is the contributor's tax code.
	owner taxcode.Code
	// draftVersion is that of the draft which was checked; zero for what was never a draft.
	draftVersion int
	// untold is what was filed with many others, of which its filer hears all at once.
	untold bool
	// jws is the receipt, once the declaration is filed.
	jws string
}

// supersedes reports whether an earlier declaration is replaced at submission. What waits for
// dispositive credentials takes nothing away before it is complete.
func (sub *submission) supersedes(by access.Actor) bool {
	return sub.declaration.SupersedesID != nil && stateAtSubmission(by.CredentialLevel) == Submitted
}

// handler checks and stores declarations in the protocol register.
type handler struct {
	repo      *repository
	signer    Signer
	random    io.Reader
	publicURL string
}

// Check implements protocol.Handler. It checks at the time of the protocol that
//   - the draft is still the one that was checked;
//   - what it supersedes can be superseded;
//   - the type is open.
func (h handler) Check(ctx context.Context, entries []*protocol.Entry[submission]) error {
	if err := protocol.RefreshCredentials(ctx, h.repo.db, entries); err != nil {
		return err
	}
	var ids []uuid.UUID
	for _, e := range entries {
		sub := &e.Content
		if sub.draftVersion > 0 {
			ids = append(ids, sub.declaration.ID)
		}
		if old := sub.declaration.SupersedesID; old != nil {
			ids = append(ids, *old)
		}
	}
	locked, err := h.repo.lockAll(ctx, ids)
	if err != nil {
		return err
	}
	for _, e := range entries {
		sub := &e.Content
		id, oldID := sub.declaration.ID, sub.declaration.SupersedesID
		if sub.draftVersion > 0 {
			draft, found := locked[id]
			switch {
			case !found:
				e.Refuse(fault.New(fault.NotFound))
			case draft.State != Draft:
				e.Refuse(draft.requireDraft())
			case draft.Version != sub.draftVersion:
				e.Refuse(fault.Because(fault.Conflict, "declaration-changed"))
			}
		}
		if e.Err == nil && !sub.typ.openAt(e.At) {
			e.Refuse(fault.Because(fault.Conflict, "type-not-open"))
		}
		if e.Err == nil && oldID != nil {
			if err := supersedes(sub.declaration, locked[*oldID]); err != nil {
				e.Refuse(err)
			}
		}
		if e.Err != nil {
			continue
		}
		// Of two submissions of one draft in a group, the second finds it submitted. It is likewise
		// for two that supersede one declaration.
		if draft, found := locked[id]; found {
			draft.State = Submitted
			locked[id] = draft
		}
		if sub.supersedes(e.By) {
			old := locked[*oldID]
			old.State = Superseded
			locked[*oldID] = old
		}
	}
	return nil
}

// Store implements protocol.Handler: declarations with number and receipt, and a message to who
// filed.
func (h handler) Store(ctx context.Context, entries []*protocol.Entry[submission]) error {
	created := make([]Declaration, 0, len(entries))
	receipts := make([]receipt, 0, len(entries))
	for _, e := range entries {
		sub := &e.Content
		d := sub.declaration
		number := e.Number.String()
		d.State = stateAtSubmission(e.By.CredentialLevel)
		at, digest := e.At, e.Digest
		d.SubmittedAt, d.ProtocolNumber, d.Digest = &at, &number, &digest
		d.UpdatedAt, d.ListedAt = e.At, e.At
		jws, err := h.sign(d, e.By.TaxCode, sub.owner)
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
		if sub.supersedes(e.By) {
			if err := h.repo.supersede(ctx, *d.SupersedesID, d.ID, e.At); err != nil {
				return err
			}
		}
		receipts = append(receipts, receipt{DeclarationID: d.ID, JWS: jws, State: d.State, Version: d.Version})
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
	return h.repo.addReceipts(ctx, receipts)
}

// received tells who filed that the declaration was received and, where credentials are missing,
// that it waits.
func received(d Declaration, t *Type) (outbox.Message, error) {
	kind := receivedKind
	if d.State == AwaitingCredentials {
		kind = awaitingKind
	}
	return outbox.NewMessage(kind, d.PersonID, map[string]string{
		"protocol_number": *d.ProtocolNumber, "type": d.Type, "title": t.Title, "submitted_at": d.SubmittedAt.Format(time.RFC3339Nano),
	}, *d.SubmittedAt)
}

func (h handler) sign(d Declaration, filer, owner taxcode.Code) (string, error) {
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
