package world

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
)

// Application is a row of applications, as far as tests change it.
type Application struct {
	ID       uuid.UUID
	ClientID string
}

// Consent is a row of consents, with the contributors that it names.
type Consent struct {
	ID               uuid.UUID
	PersonID         uuid.UUID
	ApplicationID    uuid.UUID
	Scopes           string
	Services         access.ServiceSet
	EveryContributor bool
	GivenAt          time.Time
	ExpiresAt        time.Time
	EndedAt          *time.Time
	EndReason        *string
	// Contributors are named where the consent is not about every one.
	Contributors []uuid.UUID `gorm:"-"`
	Excluded     []uuid.UUID `gorm:"-"`
}

// Software is an application that acts for somebody, and the token that it comes with.
type Software struct {
	Application
	ConsentID uuid.UUID
	Caller    access.Caller
}

// Application adds an approved application, registered by the person.
func (a *App) Application(t testing.TB, personID uuid.UUID) Application {
	t.Helper()
	app := Application{ID: uuid.Must(uuid.NewV7())}
	app.ClientID = "app-" + app.ID.String()
	now := a.Clock.Now()
	a.Exec(t, `INSERT INTO applications (id, client_id, display_name, kind, token_endpoint_auth_method, redirect_uris, scopes, contact_email, jwks_uri, logo_uri,
		state, person_id, created_at, updated_at, submitted_at) VALUES ( ?, ?, 'Paghe Semplici', 'public', 'none', '["http://127.0.0.1/"]',
		'["declarations","declarations.read","dossier","dossier.read","delegations.read","events","offline_access"]', 'paghe@example.com', '', '', 'approved', ?, ?, ?, ?)`, app.ID, app.ClientID, personID, now, now, now)
	return app
}

// Consent adds the consent of a person for an application: to read and file declarations and to
// read delegations, by every right, for a month. change may narrow it.
func (a *App) Consent(t testing.TB, personID uuid.UUID, app Application, change func(*Consent)) uuid.UUID {
	t.Helper()
	c := Consent{
		ID: uuid.Must(uuid.NewV7()), PersonID: personID, ApplicationID: app.ID,
		Scopes: `["declarations","declarations.read","delegations.read","offline_access"]`, Services: access.ServiceSet{access.AllServices},
		EveryContributor: true, GivenAt: a.Clock.Now(), ExpiresAt: a.Clock.Now().AddDate(0, 1, 0),
	}
	if change != nil {
		change(&c)
	}
	a.Must(t, func(ctx context.Context) error {
		if err := a.DB.From(ctx).Create(&c).Error; err != nil {
			return err
		}
		for _, id := range c.Contributors {
			if err := a.DB.From(ctx).Exec("INSERT INTO consent_contributors VALUES ( ?, ?)", c.ID, id).Error; err != nil {
				return err
			}
		}
		for _, id := range c.Excluded {
			if err := a.DB.From(ctx).Exec("INSERT INTO consent_exclusions VALUES ( ?, ?, ?)", c.ID, id, c.GivenAt).Error; err != nil {
				return err
			}
		}
		return nil
	})
	return c.ID
}

// Software adds an application with a consent of the person's and its session. change may narrow
// the consent.
func (a *App) Software(t testing.TB, personID uuid.UUID, change func(*Consent)) Software {
	t.Helper()
	app := a.Application(t, personID)
	expires := a.Clock.Now().AddDate(0, 1, 0)
	s := Software{Application: app, ConsentID: a.Consent(t, personID, app, func(c *Consent) {
		if change != nil {
			change(c)
		}
		expires = c.ExpiresAt
	})}
	session := a.Session(t, personID, func(s *Session) { s.ExpiresAt = expires })
	a.Exec(t, "UPDATE sessions SET consent_id = ? WHERE id = ?", s.ConsentID, session)
	s.Caller = access.Caller{
		SessionID: session, PersonID: personID, ClientID: app.ClientID,
		Scopes: []string{access.ScopeDeclarations, access.ScopeDeclarationsRead, access.ScopeDelegationsRead, access.ScopeOfflineAccess},
	}
	return s
}

// EndConsent ends a consent and its session.
func (a *App) EndConsent(t testing.TB, id uuid.UUID) {
	t.Helper()
	now := a.Clock.Now()
	a.Exec(t, "UPDATE sessions SET ended_at = ?, end_reason = 'consent-ended' WHERE consent_id = ?", now, id)
	a.Exec(t, "UPDATE consents SET ended_at = ?, end_reason = 'withdrawn' WHERE id = ?", now, id)
}

// LetIn lets an application in through the guard, to an operation on the contributor that is open to
// those that file.
func (a *App) LetIn(t testing.TB, s Software, contributorID uuid.UUID) access.Actor {
	t.Helper()
	rule := access.Rule{To: access.ToContributor, Service: access.Declarations, Scopes: []string{access.ScopeDeclarations}}
	by, err := a.Guard.EnterAs(context.Background(), s.Caller, rule, access.Target{ContributorID: contributorID})
	if err != nil {
		t.Fatal(err)
	}
	return by
}
