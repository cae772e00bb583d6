package e2e

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/api/client"
)

// filersConsent is one that the filer gave.
const filersConsent = "019d0000-0000-7000-8000-0000000000e4"

// consentOf lets an application act for the filer, as to their contributor, for 90 days.
func (w *fixture) consentOf(f filer, id string) {
	w.t.Helper()
	now, application := w.clock.Now(), uuid.New()
	w.execute(`INSERT INTO applications (id, client_id, display_name, kind, token_endpoint_auth_method, redirect_uris, scopes, contact_email,
		jwks_uri, logo_uri, state, person_id, created_at, updated_at, submitted_at)
		VALUES (?, ?, 'Paghe Semplici', 'public', 'none', '[]', '["declarations"]', 'x@example.com', '', '', 'approved', ?, ?, ?, ?)`,
		application, application.String(), f.person.PersonId, now, now, now)
	w.execute(`INSERT INTO consents (id, person_id, application_id, scopes, services, every_contributor, given_at, expires_at)
		VALUES (?, ?, ?, '["declarations"]', '["declarations"]', ?, ?, ?)`,
		id, f.person.PersonId, application, false, now, now.AddDate(0, 0, 90))
	w.execute("INSERT INTO consent_contributors (consent_id, contributor_id) VALUES (?, ?)", id, f.contributor)
	w.execute(`INSERT INTO sessions (id, person_id, login_method, pin_change_required, created_at, authenticated_at, last_seen_at,
		expires_at, refresh_generation, refresh_hash, consent_id) VALUES (?, ?, 'pin', ?, ?, ?, ?, ?, 0, 'x', ?)`,
		uuid.New(), f.person.PersonId, false, now, now, now, now.AddDate(0, 0, 90), id)
}

// endOf is why a consent, and the application's session with it, has ended; "" where they live.
func (w *fixture) endOf(id string) string {
	w.t.Helper()
	var found []struct{ Consent, Session string }
	err := w.app.DB.From(context.Background()).Raw(`SELECT COALESCE(k.end_reason, '') AS consent, COALESCE(s.end_reason, '') AS session
		FROM consents k JOIN sessions s ON s.consent_id = k.id WHERE k.id = ?`, id).Scan(&found).Error
	if err != nil || len(found) != 1 || found[0].Consent != found[0].Session {
		w.t.Fatalf("%v, %v", found, err)
	}
	return found[0].Consent
}

func TestConsents_AreSeenAndWithdrawn(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		ctx := context.Background()
		w.consentOf(f, filersConsent)
		mine, err := w.as(f.token).ListMyConsentsWithResponse(ctx, nil)
		if err != nil || mine.JSON200 == nil || len(mine.JSON200.Items) != 1 {
			t.Fatalf("%v %s", err, mine.Body)
		}
		c := mine.JSON200.Items[0]
		if c.DisplayName != "Paghe Semplici" || c.EveryContributor || c.Contributors == nil || len(*c.Contributors) != 1 ||
			(*c.Contributors)[0].ContributorId != f.contributor || c.Services[0] != "declarations" || c.ExpiresAt.Sub(c.GivenAt) != 90*24*time.Hour {
			t.Errorf("%s", mine.Body)
		}
		shown := w.do(http.MethodGet, "/v1/me/consents/"+filersConsent, f.token, nil).want(t, http.StatusOK, "")
		w.do(http.MethodGet, "/v1/me/consents/"+filersConsent, f.token, nil, header{"If-None-Match", shown.header.Get("ETag")}).want(
			t, http.StatusNotModified, "",
		)
		about, err := w.as(f.token).ListContributorConsentsWithResponse(ctx, f.contributor, nil)
		if err != nil || about.JSON200 == nil || len(about.JSON200.Items) == 0 {
			t.Fatalf("%v %s", err, about.Body)
		}
		if !slices.ContainsFunc(about.JSON200.Items, func(c client.ContributorConsent) bool {
			return c.ConsentId.String() == filersConsent && c.GivenBy.PersonId == f.person.PersonId && c.GivenBy.FamilyName != ""
		}) {
			t.Errorf("%s", about.Body)
		}
		w.do(http.MethodDelete, "/v1/me/consents/"+filersConsent, f.token, nil).want(t, http.StatusNoContent, "")
		w.do(http.MethodDelete, "/v1/me/consents/"+filersConsent, f.token, nil).want(t, http.StatusNotFound, "not-found")
		w.do(http.MethodGet, "/v1/me/consents/"+filersConsent, f.token, nil).want(t, http.StatusNotFound, "not-found")
		if why := w.endOf(filersConsent); why != "withdrawn" {
			t.Errorf("ended by %q", why)
		}
		told := w.do(http.MethodGet, "/v1/me/notifications", f.token, nil).want(t, http.StatusOK, "")
		var list client.NotificationList
		told.decode(t, &list)
		if len(list.Items) == 0 || list.Items[0].Kind != "consent.ended" {
			t.Errorf("%s", told.body)
		}

		second := uuid.NewString()
		w.consentOf(f, second)
		path := "/v1/contributors/" + f.contributor.String() + "/consents/" + second
		w.do(http.MethodDelete, path, f.token, nil).want(t, http.StatusNoContent, "")
		w.do(http.MethodDelete, path, f.token, nil).want(t, http.StatusNotFound, "not-found")
		if why := w.endOf(second); why != "withdrawn-by-contributor" {
			t.Errorf("ended by %q", why)
		}
	})
}

// TestConsents_EndWithWhatEndsEverything of a person, in one place; a logout and a changed PIN end
// none.
func TestConsents_EndWithWhatEndsEverything(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		w.consentOf(f, filersConsent)
		w.do(http.MethodDelete, "/v1/sessions/current", f.token, nil).want(t, http.StatusNoContent, "")
		token := w.rotated(&f.person)
		if why := w.endOf(filersConsent); why != "" {
			t.Errorf("a logout, or a changed PIN, ended it: %q", why)
		}
		w.do(http.MethodDelete, "/v1/me/pin", token, nil).want(t, http.StatusNoContent, "")
		if why := w.endOf(filersConsent); why != "pin-revoked" {
			t.Errorf("the revoked PIN: %q", why)
		}

		other := w.filerAs(w.person(hasRole(client.ActingAsEmployer, client.CredentialLevelDispositive)))
		second := uuid.NewString()
		w.consentOf(other, second)
		w.suspend(other.person)
		if why := w.endOf(second); why != "suspended" {
			t.Errorf("the suspension: %q", why)
		}
	})
}

// rotated changes a person's PIN and returns the token of the session with the new one.
func (w *fixture) rotated(p *client.SandboxPerson) string {
	w.t.Helper()
	old := w.loginAs(*p).AccessToken
	rotation := w.do(http.MethodPost, "/v1/me/pin/rotations", old, nil, key()).want(w.t, http.StatusCreated, "")
	id, _ := rotation.field("rotation_id").(string)
	p.Pin, _ = rotation.field("pin").(string)
	confirmed := w.do(http.MethodPost, "/v1/me/pin/rotations/"+id+"/confirmation", old, map[string]any{"pin": p.Pin})
	token, _ := confirmed.want(w.t, http.StatusOK, "").field("access_token").(string)
	return token
}
