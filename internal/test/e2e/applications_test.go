package e2e

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"diresco/api/client"
	"diresco/internal/platform/config"
	"diresco/internal/sandbox"
	"diresco/internal/test/dbtest"
)

// filersApplication is one of the filer's contributor.
const filersApplication = "019d0000-0000-7000-8000-0000000000a1"

// filersWebhook is one of filersApplication.
const filersWebhook = "019d0000-0000-7000-8000-0000000000a2"

// applicationOf registers an application of the filer's contributor.
func (w *fixture) applicationOf(f filer) {
	w.t.Helper()
	now := w.clock.Now()
	w.execute(`INSERT INTO applications (id, client_id, display_name, kind, token_endpoint_auth_method, redirect_uris, jwks_uri, scopes,
		contact_email, logo_uri, state, person_id, contributor_id, created_at, updated_at, submitted_at)
		VALUES (?, 'filers', 'marker-7f3a9c', 'public', 'none', '["http://127.0.0.1/"]', '', '["events"]', 'a@b.example', '', 'approved',
		?, ?, ?, ?, ?)`, filersApplication, f.person.PersonId, f.contributor, now, now, now)
	w.execute(`INSERT INTO webhooks (id, application_id, url, event_types, state, private_key, public_key, created_at, updated_at)
		VALUES (?, ?, 'https://marker-7f3a9c.example/', '[]', 'enabled', 'x', ?, ?, ?)`,
		filersWebhook, filersApplication, "whpk_"+strings.Repeat("A", 43)+"=", now, now)
}

// payrollOf is an application to be registered, with other fields.
func payrollOf(more map[string]any) map[string]any {
	in := map[string]any{
		"display_name": "Paghe Facili", "kind": "public", "token_endpoint_auth_method": "none", "contact_email": "sviluppo@paghe.example",
		"redirect_uris": []string{"http://127.0.0.1/callback"}, "scopes": []string{"declarations", "offline_access"},
	}
	maps.Copy(in, more)
	return in
}

// TestApplication_FromRegistrationToRemoval is the story of one, as its owner and an administrator
// see it.
func TestApplication_FromRegistrationToRemoval(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		owner, _, email := w.reachable(map[string]any{"credential_level": "dispositive"})
		token, ctx := w.loginAs(owner).AccessToken, context.Background()
		logo := payrollOf(map[string]any{"logo_uri": "https://paghe.example/logo.png"})
		once := key()
		made := w.do(http.MethodPost, "/v1/applications", token, logo, once).want(t, http.StatusCreated, "")
		id, _ := made.field("application_id").(string)
		path := "/v1/applications/" + id
		if made.field("state") != "approved" || made.header.Get("Location") != path || made.header.Get("ETag") != `"1"` ||
			made.field("client_id") == "" || made.field("logo_uri") != logo["logo_uri"] {
			t.Fatalf("registered as %s", made.body)
		}
		again := w.do(http.MethodPost, "/v1/applications", token, logo, once).want(t, http.StatusCreated, "")
		if again.field("application_id") != id {
			t.Errorf("again %s", again.body)
		}
		w.do(http.MethodGet, path, token, nil, header{"If-None-Match", `"1"`}).want(t, http.StatusNotModified, "")

		patch := header{"Content-Type", "application/merge-patch+json"}
		w.do(http.MethodPatch, path, token, map[string]any{"logo_uri": nil}, patch).want(t, http.StatusPreconditionRequired, "precondition-required")
		changed := w.do(http.MethodPatch, path, token, map[string]any{
			"logo_uri": nil, "scopes": []string{"events"},
		}, patch, header{"If-Match", `"1"`}).want(t, http.StatusOK, "")
		if scopes, _ := changed.field("scopes").([]any); changed.field("logo_uri") != nil || !slices.Equal(scopes, []any{"events"}) ||
			changed.header.Get("ETag") != `"2"` {
			t.Errorf("changed to %s", changed.body)
		}
		w.do(http.MethodPatch, path, token, map[string]any{"display_name": "x"}, patch, header{"If-Match", `"1"`}).
			want(t, http.StatusPreconditionFailed, "precondition-failed")

		other := w.loginAs(w.createPerson(map[string]any{})).AccessToken
		w.do(http.MethodGet, path, other, nil).want(t, http.StatusNotFound, "not-found")
		// A stranger's wrong body tells no more than a right one.
		w.do(http.MethodPatch, path, other, map[string]any{"kind": 1}, patch, header{"If-Match", `"1"`}).want(t, http.StatusNotFound, "not-found")

		admin := w.as(w.administrator().AccessToken)
		suspended, err := admin.SuspendApplicationWithResponse(ctx, uuid.MustParse(id), &client.SuspendApplicationParams{
			IdempotencyKey: uuid.NewString(),
		}, client.ApplicationSuspension{Reason: "Domanda di chiarimenti senza risposta"})
		if err != nil || suspended.JSON200 == nil || suspended.JSON200.State != client.ApplicationStateSuspended ||
			suspended.JSON200.Owner.PersonId != owner.PersonId {
			t.Fatalf("suspended as %s, %v", suspended.Body, err)
		}
		if !w.told(email, "è stata sospesa", "Domanda di chiarimenti senza risposta") {
			t.Error("the owner is not told")
		}
		state := client.ApplicationStateSuspended
		listed, err := admin.ListOfficeApplicationsWithResponse(ctx, &client.ListOfficeApplicationsParams{State: &state})
		if err != nil || listed.JSON200 == nil || len(listed.JSON200.Items) != 1 {
			t.Fatalf("listed as %s, %v", listed.Body, err)
		}
		waiting := true
		none, err := admin.ListOfficeApplicationsWithResponse(ctx, &client.ListOfficeApplicationsParams{Waiting: &waiting})
		if err != nil || none.JSON200 == nil || len(none.JSON200.Items) != 0 {
			t.Fatalf("listed as %s, %v", none.Body, err)
		}
		administrator := w.administrator().AccessToken
		w.do(http.MethodPost, "/v1/backoffice/applications/"+id+"/decision", administrator, map[string]any{
			"outcome": "approved", "reason": "x",
		}, key()).want(t, http.StatusConflict, "conflict")
		w.do(http.MethodPost, "/v1/backoffice/applications/"+id+"/decision", administrator, map[string]any{
			"outcome": "approved", "reason": "x",
		}, key(), header{"If-Match", `"1"`}).want(t, http.StatusPreconditionFailed, "precondition-failed")
		w.do(http.MethodDelete, "/v1/backoffice/applications/"+id+"/suspension", administrator, nil).want(t, http.StatusNoContent, "")
		if !w.told(email, "è stata riammessa") {
			t.Error("the owner is not told")
		}
		w.do(http.MethodDelete, path, token, nil).want(t, http.StatusNoContent, "")
		w.do(http.MethodGet, path, token, nil).want(t, http.StatusNotFound, "not-found")
		if n := w.rows("audit_records", "subject_kind = 'application' AND subject_id = ?", id); n != 5 {
			t.Errorf("%d audit rows", n)
		}
	})
}

// TestApplication_WhatIsWrongIsNamed at its field, in both languages.
func TestApplication_WhatIsWrongIsNamed(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		token := w.loginAs(w.createPerson(map[string]any{"credential_level": "dispositive"})).AccessToken
		private := map[string]any{"kty": "EC", "kid": "1", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"}
		for _, test := range []struct {
			with          map[string]any
			pointer, code string
		}{
			{map[string]any{"redirect_uris": []string{"http://localhost/callback"}}, "/redirect_uris/0", "uri-localhost"},
			{map[string]any{"redirect_uris": []string{"https://a.example/?x=1"}}, "/redirect_uris/0", "uri-query"},
			{map[string]any{"redirect_uris": []string{}}, "/redirect_uris", "too-few"},
			{map[string]any{"scopes": []string{"admin"}}, "/scopes/0", "enum"},
			{map[string]any{"display_name": "Paghe\u202e"}, "/display_name", "forbidden-character"},
			{map[string]any{"contact_email": "nessuno"}, "/contact_email", "format"},
			{map[string]any{"logo_uri": "http://a.example/logo.png"}, "/logo_uri", "uri-insecure"},
			{map[string]any{"state": "approved"}, "/state", "unknown-field"},
			{map[string]any{
				"kind": "confidential", "token_endpoint_auth_method": "private_key_jwt", "jwks": map[string]any{"keys": []any{private}},
			}, "/jwks/keys/0/d", "key-private"},
			{map[string]any{"contributor_id": uuid.New()}, "/contributor_id", "unknown-contributor"},
			{map[string]any{"delegate_id": uuid.New()}, "/delegate_id", "unknown-delegate"},
		} {
			for _, language := range []string{"it", "en"} {
				refused := w.do(http.MethodPost, "/v1/applications", token, payrollOf(test.with), key(), header{"Accept-Language", language}).
					want(t, http.StatusUnprocessableEntity, "validation-failed")
				list, _ := refused.field("errors").([]any)
				if len(list) != 1 {
					t.Errorf("%s: %s", test.pointer, refused.body)
					continue
				}
				field, _ := list[0].(map[string]any)
				if field["pointer"] != test.pointer || field["code"] != test.code || field["detail"] == "" {
					t.Errorf("%s: %s", test.pointer, refused.body)
				}
			}
		}
		ordinary := w.loginAs(w.createPerson(map[string]any{"credential_level": "ordinary"})).AccessToken
		w.do(http.MethodPost, "/v1/applications", ordinary, payrollOf(nil), key()).
			want(t, http.StatusForbidden, "dispositive-credentials-required")
	})
}

// TestApplication_TheSandboxHasTwo: a program of a consulente and a server of the CAF, whose private
// key is known.
func TestApplication_TheSandboxHasTwo(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		private, err := sandbox.BureauKey()
		if err != nil || private.IsPublic() {
			t.Fatalf("the key: %v", err)
		}
		for family, id := range map[string]string{"Ricci": sandbox.PayrollClientID, "Caruso": sandbox.BureauClientID} {
			list := w.do(http.MethodGet, "/v1/applications", w.loginAs(w.named(family)).AccessToken, nil).want(t, http.StatusOK, "")
			found, _ := list.field("items").([]any)
			if len(found) != 1 {
				t.Fatalf("%s has %s", family, list.body)
			}
			a, _ := found[0].(map[string]any)
			if a["client_id"] != id || a["state"] != "approved" {
				t.Errorf("%s has %s", family, list.body)
			}
		}
	})
}

// Clients that the settings call the body's own are looked for when the service starts.
func TestApplication_OfTheBodyThatIsNoneIsLogged(t *testing.T) {
	w := startWith(t, dbtest.SQLite(t), cheapPINs, func(c *config.Config) { c.PortalApplications = []string{"nobody-s-client"} })
	if log := w.log.String(); !strings.Contains(log, "DIRESCO_PORTAL_APPLICATIONS") || !strings.Contains(log, "nobody-s-client") {
		t.Error("the log says nothing")
	}
	if log := start(t, dbtest.SQLite(t)).log.String(); strings.Contains(log, "DIRESCO_PORTAL_APPLICATIONS") {
		t.Error("the log says that something is missing where nothing is named")
	}
}
