package access

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/platform/taxcode"
)

const selectPerson = `SELECT p.id, p.tax_code, p.given_name, p.family_name, p.user_class, p.credential_level,
	s.login_method, s.login_level, s.login_provider FROM people p LEFT JOIN sessions s ON s.id = ? AND s.person_id = p.id
	WHERE p.id = ? AND p.suspended_at IS NULL`

// Later is who asked for something that is done later, and for which contributor.
type Later struct {
	PersonID      uuid.UUID
	ContributorID uuid.UUID
	// SessionID is that in which it was asked for, which may have ended since.
	SessionID uuid.UUID
	// ApplicationID is that of the application that asked; nil for the person.
	ApplicationID *uuid.UUID
}

// Delayed returns who asked for something that is done later, as they are now, with their rights
// over the contributor. Their session may have ended, so the actor has none, but what it was begun
// with counts; an operator's post is no right. Who is unknown or suspended is found without rights.
// So is the person of an application whose consent does not live any more.
func (r *Repository) Delayed(ctx context.Context, asked Later) (Actor, error) {
	by := Actor{PersonID: asked.PersonID, ContributorID: asked.ContributorID}
	var rows []struct {
		ID              uuid.UUID
		TaxCode         taxcode.Code
		GivenName       string
		FamilyName      string
		UserClass       UserClass
		CredentialLevel CredentialLevel
		LoginMethod     *string
		LoginLevel      *int
		LoginProvider   *string
	}
	if err := r.db.From(ctx).Raw(selectPerson, asked.SessionID, asked.PersonID).Scan(&rows).Error; err != nil || len(rows) == 0 {
		return by, err
	}
	p := rows[0]
	by.TaxCode, by.GivenName, by.FamilyName = p.TaxCode, p.GivenName, p.FamilyName
	if p.LoginMethod != nil {
		by.Login = Login{*p.LoginMethod, p.LoginLevel, p.LoginProvider}
	}
	by.UserClass, by.CredentialLevel = p.UserClass, by.Login.Raise(p.CredentialLevel)
	if asked.ApplicationID != nil {
		var err error
		if by.Grant, err = r.grantOf(ctx, asked); err != nil || by.Grant == nil {
			return by, err
		}
	}
	rights, err := r.Rights(ctx, by, []uuid.UUID{asked.ContributorID})
	by.Rights = rights[asked.ContributorID]
	return by, err
}

// grantOf returns the live grant in whose session an application asked for something, or nil.
func (r *Repository) grantOf(ctx context.Context, asked Later) (*Grant, error) {
	var rows []struct {
		ExpiresAt time.Time
		Consent   *string
	}
	if err := r.db.From(ctx).Raw(r.selectConsent, asked.SessionID).Scan(&rows).Error; err != nil {
		return nil, err
	}
	if len(rows) == 0 || rows[0].Consent == nil || !r.clock.Now().Before(rows[0].ExpiresAt) {
		return nil, nil
	}
	grant, err := r.grants.read(*rows[0].Consent)
	if err != nil || grant.ApplicationID != *asked.ApplicationID {
		return nil, err
	}
	return grant, nil
}
