package grant

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// SubjectKind is how the audit trail names a role.
const SubjectKind = "role"

// Contacts are where somebody is reached about what they do for a contributor. A nil one stays as
// it is, an empty one is taken away.
type Contacts struct{ Email, Phone *string }

// Known is a role at a contributor, ended or not.
type Known struct {
	PersonID uuid.UUID
	Role     access.ActingAs
	// WithdrawnAt is nil while it lives.
	WithdrawnAt *time.Time
}

// Known returns a role at the contributor, and fault.NotFound where there was never such a one.
func (s *Service) Known(ctx context.Context, contributorID, grantID uuid.UUID) (Known, error) {
	return s.contributors.known(ctx, contributorID, grantID)
}

// WithdrawInTx is Withdraw for what the actor asked for earlier, in the context's transaction. It
// returns the role by which it is done; that, with all that it depends on, is locked. The caller
// writes the trace. Whose role it was is told the reason, which may be empty, and so is who answers
// for the contributor. A fault means that nothing was written.
func (s *Service) WithdrawInTx(
	ctx context.Context, by access.Actor, contributorID, grantID uuid.UUID, reason string,
) (access.Right, error) {
	if err := s.mayGive(ctx, by); err != nil {
		return access.Right{}, err
	}
	at, err := s.AtContributor(by, contributorID)
	if err != nil {
		return access.Right{}, err
	}
	right, r, now, err := s.withdraw(ctx, by, at, grantID, reason)
	if err != nil {
		return right, err
	}
	return right, s.notifyPrincipals(ctx, at, r, reason, now)
}

// ChangeContactsInTx changes, in the context's transaction, where the holder of a role is reached.
// Who may withdraw the role may do so, and its holder. It returns the role by which it is done,
// which is locked. A fault means that nothing was written:
//   - fault.NotFound: nobody has such a role there now;
//   - fault.Forbidden: the role is neither the actor's own nor theirs to withdraw.
func (s *Service) ChangeContactsInTx(
	ctx context.Context, by access.Actor, contributorID, grantID uuid.UUID, c Contacts,
) (access.Right, error) {
	at := Place{contributorID, s.contributors, contributorID}
	own, err := at.table.ownLocked(ctx, contributorID, by.PersonID, grantID)
	if err != nil {
		return access.Right{}, err
	}
	var right access.Right
	if own == nil {
		if right, _, _, err = s.locked(ctx, by, at, grantID); err != nil {
			return access.Right{}, err
		}
	} else {
		right = at.right(*own)
	}
	return right, at.table.setContacts(ctx, grantID, c)
}

// known returns a role at a place, live or not, or fault.NotFound.
func (t table) known(ctx context.Context, placeID, id uuid.UUID) (Known, error) {
	var rows []Known
	err := t.db.From(ctx).Raw(
		"SELECT person_id, role, withdrawn_at FROM "+t.roles+" WHERE id = ? AND "+t.place+" = ?", id, placeID,
	).Scan(&rows).Error
	if err == nil && len(rows) == 0 {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return Known{}, err
	}
	return rows[0], nil
}

// ownLocked returns the live role with the id if it is the person's, locked; else nil.
func (t table) ownLocked(ctx context.Context, placeID, personID, id uuid.UUID) (*Role, error) {
	var rows []Role
	err := t.db.From(ctx).Raw("SELECT id, person_id, role, services FROM "+t.roles+" WHERE id = ? AND "+t.place+
		" = ? AND person_id = ? AND "+access.LiveRole("")+t.db.ForUpdate(), id, placeID, personID).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// setContacts writes the contacts of a role that the caller has locked.
func (t table) setContacts(ctx context.Context, id uuid.UUID, c Contacts) error {
	return t.db.From(ctx).Exec("UPDATE "+t.roles+" SET contact_email = CASE WHEN ? THEN NULLIF(?, '') ELSE contact_email END, "+
		"contact_phone = CASE WHEN ? THEN NULLIF(?, '') ELSE contact_phone END WHERE id = ?",
		c.Email != nil, c.Email, c.Phone != nil, c.Phone, id).Error
}
