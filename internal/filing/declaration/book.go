package declaration

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"

	"github.com/google/uuid"
)

// submission is a declaration on its way into the register.
type submission struct {
	declaration Declaration
	typ         *Type
	contributor contributor.Contributor
	by          access.Actor
	digest      string
	// draftVersion is that of the draft which was checked; zero for what was never a draft.
	draftVersion int
	filed        View
}

// supersedes reports whether an earlier declaration is replaced at submission. What waits for dispositive credentials takes
// nothing away before it is complete.
func (s *submission) supersedes() bool {
	return s.declaration.SupersedesID != nil && stateAtSubmission(s.by.CredentialLevel) == Submitted
}

// Book checks and stores declarations in the protocol register.
type Book struct {
	Repository *Repository
	Signer     Signer
	Random     io.Reader
	PublicURL  string
}

func submissionOf(e *protocol.Entry) *submission { return e.Content.(*submission) }

// Check implements protocol.Book: the draft is still the one that was checked, what it supersedes can be superseded, and the type is open at the time of the protocol.
func (b *Book) Check(ctx context.Context, entries []*protocol.Entry) error {
	if err := b.refresh(ctx, entries); err != nil {
		return err
	}
	var ids []uuid.UUID
	for _, e := range entries {
		sub := submissionOf(e)
		if sub.draftVersion > 0 {
			ids = append(ids, sub.declaration.ID)
		}
		if old := sub.declaration.SupersedesID; old != nil {
			ids = append(ids, *old)
		}
	}
	locked, err := b.Repository.lockAll(ctx, ids)
	if err != nil {
		return err
	}
	for _, e := range entries {
		sub := submissionOf(e)
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
		// Of two submissions of one draft in a group, the second finds it submitted; of two that supersede one declaration likewise.
		if draft, found := locked[id]; found {
			draft.State = Submitted
			locked[id] = draft
		}
		if sub.supersedes() {
			old := locked[*oldID]
			old.State = Superseded
			locked[*oldID] = old
		}
	}
	return nil
}

// refresh looks again at who filed with ordinary credentials: they may have become dispositive since the request came in, and
// then nothing would ever complete what is stored as waiting. The register holds the people's rows locked.
func (b *Book) refresh(ctx context.Context, entries []*protocol.Entry) error {
	var ordinary []uuid.UUID
	for _, e := range entries {
		if by := submissionOf(e).by; by.CredentialLevel != access.Dispositive {
			ordinary = append(ordinary, by.PersonID)
		}
	}
	dispositive, err := b.Repository.dispositive(ctx, ordinary)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if sub := submissionOf(e); dispositive[sub.by.PersonID] {
			sub.by.CredentialLevel = access.Dispositive
		}
	}
	return nil
}

// Store implements protocol.Book: declarations with number and receipt, and a message to who filed.
func (b *Book) Store(ctx context.Context, entries []*protocol.Entry) error {
	created := make([]Declaration, 0, len(entries))
	receipts := make([]receipt, 0, len(entries))
	for _, e := range entries {
		sub := submissionOf(e)
		d := sub.declaration
		number := e.Number.String()
		d.State = stateAtSubmission(sub.by.CredentialLevel)
		at := e.At
		d.SubmittedAt, d.ProtocolNumber, d.Digest = &at, &number, &sub.digest
		d.UpdatedAt, d.ListedAt = e.At, e.At
		jws, err := b.sign(d, sub)
		if err != nil {
			return err
		}
		if sub.draftVersion == 0 {
			d.CreatedAt = e.At
			created = append(created, d)
		} else {
			d.Version = sub.draftVersion + 1
			if err := b.Repository.submitDraft(ctx, d); err != nil {
				return err
			}
		}
		if sub.supersedes() {
			if err := b.Repository.supersede(ctx, *d.SupersedesID, e.At); err != nil {
				return err
			}
		}
		receipts = append(receipts, receipt{DeclarationID: d.ID, JWS: jws, State: d.State, Version: d.Version})
		sub.filed = named(d, sub.by)
		sub.filed.JWS = jws
		message, err := received(d, sub)
		if err != nil {
			return err
		}
		e.Messages = []outbox.Message{message}
	}
	if err := b.Repository.create(ctx, slices.Clip(created)...); err != nil {
		return err
	}
	return b.Repository.addReceipts(ctx, receipts)
}

// received tells who filed that the declaration was received and, where credentials are missing, that it waits.
func received(d Declaration, sub *submission) (outbox.Message, error) {
	kind := receivedKind
	if d.State == AwaitingCredentials {
		kind = awaitingKind
	}
	return outbox.NewMessage(kind, sub.by.PersonID, map[string]string{
		"protocol_number": *d.ProtocolNumber, "type": d.Type, "title": sub.typ.Title, "submitted_at": d.SubmittedAt.Format(time.RFC3339Nano),
	}, *d.SubmittedAt)
}

func (b *Book) sign(d Declaration, sub *submission) (string, error) {
	payload, err := newClaims(b.PublicURL, d, sub.by.TaxCode, sub.contributor.TaxCode, b.Random)
	if err != nil {
		return "", err
	}
	jws, err := b.Signer.SignReceipt(payload)
	if err != nil {
		return "", fmt.Errorf("receipt: %w", err)
	}
	return jws, nil
}
