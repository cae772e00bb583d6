package access

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/platform/taxcode"
)

const selectPerson = `SELECT p.id, p.tax_code, p.given_name, p.family_name, p.user_class, p.credential_level FROM people p
	WHERE p.id = ? AND p.suspended_at IS NULL`

// Delayed returns who asked for something that is done later, as they are now, with their rights
// over a contributor. Their session may have ended, so the actor has none; an operator's post is no
// right. Who is unknown or suspended is found without rights.
func (r *Repository) Delayed(ctx context.Context, personID, contributorID uuid.UUID) (Actor, error) {
	by := Actor{PersonID: personID, ContributorID: contributorID}
	var rows []struct {
		ID              uuid.UUID
		TaxCode         taxcode.Code
		GivenName       string
		FamilyName      string
		UserClass       UserClass
		CredentialLevel CredentialLevel
	}
	if err := r.db.From(ctx).Raw(selectPerson, personID).Scan(&rows).Error; err != nil || len(rows) == 0 {
		return by, err
	}
	p := rows[0]
	by.TaxCode, by.GivenName, by.FamilyName = p.TaxCode, p.GivenName, p.FamilyName
	by.UserClass, by.CredentialLevel = p.UserClass, p.CredentialLevel
	rights, err := r.Rights(ctx, by, []uuid.UUID{contributorID})
	by.Rights = rights[contributorID]
	return by, err
}
