package consent_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/consent"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/due"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = context.Background()

// grants ends applications' sessions as session.Service does.
type grants struct{ *world.App }

func (g grants) EndGrantsOf(ctx context.Context, reason string, consents ...uuid.UUID) error {
	return g.DB.From(ctx).Exec("UPDATE sessions SET ended_at = ?, end_reason = ? WHERE consent_id IN ? AND ended_at IS NULL",
		g.Clock.Now(), reason, consents).Error
}

// fixture is an App with a company, its legal representative and an application.
type fixture struct {
	*world.App
	t           *testing.T
	consents    *consent.Service
	company     world.Company
	rep         access.Actor
	application uuid.UUID
}

func newWorld(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	a := world.New(t, d)
	w := &fixture{App: a, t: t}
	w.consents = consent.NewService(consent.Deps{
		Runner: a.Runner, Rights: a.Rights, Contributors: a.Contributors, Sessions: grants{a}, Outbox: a.Outbox,
	})
	w.company, w.rep = a.Employer(t)
	w.application = w.approved("Paghe Semplici")
	return w
}

// approved adds an application that may be used.
func (w *fixture) approved(name string) uuid.UUID {
	w.t.Helper()
	id := uuid.Must(uuid.NewV7())
	w.Exec(w.t, `INSERT INTO applications (id, client_id, display_name, kind, token_endpoint_auth_method, redirect_uris, scopes, contact_email,
		jwks_uri, logo_uri, state, person_id, created_at, updated_at, submitted_at) VALUES ( ?, ?, ?, 'public', 'none', '[]',
		'["declarations"]', 'paghe@example.com', '', '', 'approved', ?, ?, ?, ?)`,
		id, "app-"+id.String(), name, w.rep.PersonID, w.Clock.Now(), w.Clock.Now(), w.Clock.Now())
	return id
}

// new is a consent of an actor as to the company, for a month.
func (w *fixture) new(by access.Actor) consent.New {
	return consent.New{
		PersonID: by.PersonID, ApplicationID: w.application, Scopes: []string{"declarations"}, Services: world.Services(access.Declarations),
		Contributors: []uuid.UUID{w.company.ID}, ExpiresAt: w.Clock.Now().AddDate(0, 1, 0),
	}
}

func (w *fixture) try(by access.Actor, n consent.New) (c consent.Consent, err error) {
	w.t.Helper()
	err = w.DB.InTx(ctx, func(ctx context.Context) error {
		c, err = w.consents.Give(ctx, by, n)
		return err
	})
	return c, err
}

func (w *fixture) give(by access.Actor, change func(*consent.New)) consent.Consent {
	w.t.Helper()
	n := w.new(by)
	if change != nil {
		change(&n)
	}
	c, err := w.try(by, n)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// session begins the session of an application that acts by the consent.
func (w *fixture) session(c consent.Consent) uuid.UUID {
	w.t.Helper()
	id := w.Session(w.t, c.PersonID, func(s *world.Session) { s.ExpiresAt = c.ExpiresAt })
	w.Exec(w.t, "UPDATE sessions SET consent_id = ? WHERE id = ?", c.ID, id)
	return id
}

// mine are the ids of an actor's live consents, the latest first.
func (w *fixture) mine(by access.Actor) []uuid.UUID {
	w.t.Helper()
	found, err := w.consents.Mine(ctx, by, page.Request{})
	if err != nil {
		w.t.Fatal(err)
	}
	ids := make([]uuid.UUID, len(found.Items))
	for i, v := range found.Items {
		ids[i] = v.ID
	}
	return ids
}

// about are the ids of the consents that somebody is shown as to the company.
func (w *fixture) about(by access.Actor) []uuid.UUID {
	w.t.Helper()
	found, err := w.consents.OfContributor(ctx, by, w.company.ID, page.Request{})
	if err != nil {
		w.t.Fatal(err)
	}
	ids := make([]uuid.UUID, len(found.Items))
	for i, v := range found.Items {
		ids[i] = v.ID
	}
	return ids
}

// ended is why a consent has ended; "" for one that has not.
func (w *fixture) ended(c consent.Consent) string {
	w.t.Helper()
	var reasons []string
	err := w.DB.From(ctx).Raw("SELECT COALESCE(end_reason, '') FROM consents WHERE id = ?", c.ID).Scan(&reasons).Error
	if err != nil || len(reasons) != 1 {
		w.t.Fatalf("%v, %v", reasons, err)
	}
	return reasons[0]
}

// told is how many messages of a kind were promised to a person.
func (w *fixture) told(kind string, personID uuid.UUID) int {
	w.t.Helper()
	return w.Count(w.t, "outbox WHERE kind = ? AND person_id = ?", kind, personID)
}

// traced is how many audit records tell of an operation on a consent.
func (w *fixture) traced(operation string, c consent.Consent) int {
	w.t.Helper()
	return w.Count(w.t, "audit_records WHERE operation = ? AND subject_kind = 'consent' AND subject_id = ?", operation, c.ID.String())
}

// until moves the clock and does what falls due.
func (w *fixture) until(s *due.Scheduler, at time.Time) {
	w.t.Helper()
	if err := s.Walk(ctx, at, func(_ context.Context, instant time.Time) error {
		w.Clock.Advance(instant.Sub(w.Clock.Now()))
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
}

// want fails unless err is a fault of the code, "" being none.
func want(t *testing.T, what string, err error, code fault.Code) {
	t.Helper()
	var f *fault.Fault
	if code == "" && err != nil || code != "" && (!errors.As(err, &f) || f.Code != code) {
		t.Errorf("%s: %v, want %q", what, err, code)
	}
}
