package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"diresco/api/client"
	"diresco/internal/platform/config"
)

// everyScope is all that an application may ask for.
const everyScope = "declarations declarations.read dossier dossier.read delegations.read events offline_access"

// software is an application with a consent and the session that acts by it.
type software struct {
	application, consent, session, person uuid.UUID
	clientID                              string
}

// given is what a consent is about, and how it stands.
type given struct {
	services     string
	contributors []uuid.UUID
	from, until  time.Time
}

// software lets an application act for a person: by all their rights and services for 90 days, or
// as change has it.
func (w *fixture) software(person uuid.UUID, change func(*given)) software {
	w.t.Helper()
	now := w.clock.Now()
	g := given{services: everyService, from: now, until: now.AddDate(0, 0, 90)}
	if change != nil {
		change(&g)
	}
	s := software{application: uuid.New(), consent: uuid.New(), session: uuid.New(), person: person}
	s.clientID = s.application.String()
	w.execute(`INSERT INTO applications (id, client_id, display_name, kind, token_endpoint_auth_method, redirect_uris, scopes, contact_email,
		jwks_uri, logo_uri, state, person_id, created_at, updated_at, submitted_at)
		VALUES (?, ?, 'Paghe Semplici', 'public', 'none', '[]', ?, 'x@example.com', '', '', 'approved', ?, ?, ?, ?)`,
		s.application, s.clientID, `["`+strings.ReplaceAll(everyScope, " ", `","`)+`"]`, person, now, now, now)
	w.execute(`INSERT INTO consents (id, person_id, application_id, scopes, services, every_contributor, given_at, expires_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		s.consent, person, s.application, `["`+strings.ReplaceAll(everyScope, " ", `","`)+`"]`, g.services, g.contributors == nil, g.from, g.until)
	for _, id := range g.contributors {
		w.execute("INSERT INTO consent_contributors (consent_id, contributor_id) VALUES (?, ?)", s.consent, id)
	}
	w.execute(`INSERT INTO sessions (id, person_id, login_method, pin_change_required, created_at, authenticated_at, last_seen_at,
		expires_at, refresh_generation, refresh_hash, consent_id) VALUES (?, ?, 'pin', ?, ?, ?, ?, ?, 0, 'x', ?)`,
		s.session, person, false, g.from, g.from, g.from, g.until, s.consent)
	return s
}

// forged is a token that the service's own key signed, made from a genuine one of a person.
func (w *fixture) forged(genuine string, claims map[string]any) string {
	w.t.Helper()
	parts := strings.Split(genuine, ".")
	var header struct{ Kid string }
	whole := jwt.MapClaims{}
	for i, into := range []any{&header, &whole} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(raw, into)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	for name, value := range claims {
		if whole[name] = value; value == nil {
			delete(whole, name)
		}
	}
	file, err := os.ReadFile(filepath.Join(w.dir, "signing-keys.json"))
	if err != nil {
		w.t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(file, &set); err != nil || len(set.Key(header.Kid)) != 1 {
		w.t.Fatalf("the key %s: %v", header.Kid, err)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodES256, whole)
	token.Header["typ"], token.Header["kid"] = "at+jwt", header.Kid
	text, err := token.SignedString(set.Key(header.Kid)[0].Key)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// token is what an application comes with, for some scopes.
func (w *fixture) token(genuine string, s software, scope string) string {
	w.t.Helper()
	return w.forged(genuine, map[string]any{
		"sub": s.person.String(), "sid": s.session.String(), "client_id": s.clientID, "scope": scope,
		"exp": w.clock.Now().Add(10 * time.Minute).Unix(), "iat": w.clock.Now().Unix(),
	})
}

// endConsent ends a consent and its session.
func (w *fixture) endConsent(s software) {
	w.t.Helper()
	now := w.clock.Now()
	w.execute("UPDATE sessions SET ended_at = ?, end_reason = 'withdrawn' WHERE id = ?", now, s.session)
	w.execute("UPDATE consents SET ended_at = ?, end_reason = 'withdrawn' WHERE id = ?", now, s.consent)
}

// otherContributor is one over which the filer has no right.
func (w *fixture) otherContributor(f filer) uuid.UUID {
	w.t.Helper()
	var ids []uuid.UUID
	err := w.app.DB.From(context.Background()).Raw("SELECT id FROM contributors WHERE id <> ? ORDER BY id LIMIT 1", f.contributor).Scan(&ids).Error
	if err != nil || len(ids) != 1 {
		w.t.Fatal(err)
	}
	return ids[0]
}

// TestAccess_AnApplicationKeepsToItsConsent: every operation that needs a login × every way in which
// an application has no consent for it.
func TestAccess_AnApplicationKeepsToItsConsent(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		marker := "marker-7f3a9c"
		content := f.draft(map[string]any{"submit": true})
		content["content"] = withNotes(t, f.example, marker)
		submitted := w.do(http.MethodPost, f.path, f.token, content, key()).want(t, http.StatusCreated, "")
		delete(content, "submit")
		draft := w.do(http.MethodPost, f.path, f.token, content, key()).want(t, http.StatusCreated, "")
		number, _ := submitted.field("protocol_number").(string)
		w.caf(f.person.PersonId)
		w.delegationToCAF(f)
		w.workOfCAF(f)
		w.consentOf(f, filersConsent)
		w.applicationOf(f)
		w.dmaOf(f)
		before := w.worked(f, submitted, draft)

		now := w.clock.Now()
		live, withdrawn, suspended := w.software(f.person.PersonId, nil), w.software(f.person.PersonId, nil), w.software(f.person.PersonId, nil)
		w.endConsent(withdrawn)
		w.execute("UPDATE applications SET state = 'suspended' WHERE id = ?", suspended.application)
		takenOut := w.software(f.person.PersonId, nil)
		w.execute("INSERT INTO consent_exclusions (consent_id, contributor_id, excluded_at) VALUES (?, ?, ?)", takenOut.consent, f.contributor, now)
		former := w.createPerson(map[string]any{})
		w.execute("INSERT INTO contributor_roles (id, contributor_id, person_id, role, services, granted_at, withdrawn_at) "+
			"VALUES (?, ?, ?, 'employee_delegate', ?, ?, ?)", uuid.New(), f.contributor, former.PersonId, everyService, now, now)
		none := software{person: f.person.PersonId, session: uuid.New(), clientID: live.clientID}
		foreign := live
		foreign.clientID = withdrawn.clientID
		gone := map[string]string{
			"without consent":       w.token(f.token, none, everyScope),
			"withdrawn":             w.token(f.token, withdrawn, everyScope),
			"application suspended": w.token(f.token, suspended, everyScope),
			"expired": w.token(f.token, w.software(f.person.PersonId, func(g *given) {
				g.from, g.until = now.AddDate(0, -2, 0), now.Add(-time.Second)
			}), everyScope),
			"another application":      w.token(f.token, foreign, everyScope),
			"as the person themselves": w.forged(w.token(f.token, live, everyScope), map[string]any{"client_id": "diresco", "scope": nil}),
			"without a client":         w.forged(w.token(f.token, live, everyScope), map[string]any{"client_id": nil}),
			"expired token":            w.forged(w.token(f.token, live, everyScope), map[string]any{"exp": now.Unix()}),
			"the person's session":     w.forged(f.token, map[string]any{"client_id": live.clientID, "scope": everyScope}),
			"another's session":        w.forged(w.token(f.token, live, everyScope), map[string]any{"sub": former.PersonId.String()}),
		}
		elsewhere := map[string]string{
			"for another contributor": w.token(f.token, w.software(f.person.PersonId, func(g *given) {
				g.contributors = []uuid.UUID{w.otherContributor(f)}
			}), everyScope),
			"taken out by the contributor": w.token(f.token, takenOut, everyScope),
			"the person's right ended":     w.token(f.token, w.software(former.PersonId, nil), everyScope),
		}
		otherService := w.token(f.token, w.software(f.person.PersonId, func(g *given) { g.services = payments }), everyScope)
		whole, narrow := w.token(f.token, live, everyScope), w.token(f.token, live, "offline_access")

		open, closed := 0, 0
		for id, o := range operations(t) {
			r, known := accessTable[id]
			if o.to == "anyone" || !known {
				continue
			}
			of := []answer{submitted}
			if strings.Contains(o.path, "{declaration_id}") {
				of = append(of, draft)
			}
			for _, declaration := range of {
				declarationID, _ := declaration.field("declaration_id").(string)
				call := func(token string) answer { return w.call(o, r, f, declarationID, token) }
				insufficient := func(name string, a answer) {
					t.Helper()
					if a.problem() != "forbidden" || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), `Bearer error="insufficient_scope"`) {
						t.Errorf("%s %s answered %d %q %s", id, name, a.status, a.header.Get("WWW-Authenticate"), a.body)
					}
				}
				for name, token := range gone {
					if a := call(token); a.status != http.StatusUnauthorized {
						t.Errorf("%s %s answered %d %s", id, name, a.status, a.body)
					}
				}
				if o.scopes == nil {
					closed++
					insufficient("by an application", call(whole))
					continue
				}
				open++
				insufficient("without its scope", call(narrow))
				names := o.to == "contributor" || o.to == "declaration" || o.to == "delegation" || o.isAffair() || o.to == "session" && namesAnothers(o.path)
				for name, token := range elsewhere {
					a := call(token)
					if names && a.status != http.StatusNotFound || a.status >= http.StatusInternalServerError {
						t.Errorf("%s %s answered %d %s", id, name, a.status, a.body)
					}
					hides(t, id+" "+name, a, marker, number, f.contributor.String())
					if id != "showMe" { // where the person works is the person's
						hides(t, id+" "+name, a, nameOfCAF)
					}
				}
				a := call(otherService)
				if o.service != "" && o.service != "view_payments" && a.status != http.StatusForbidden && a.status != http.StatusNotFound ||
					o.to == "session" && namesAnothers(o.path) && a.status != http.StatusNotFound {
					t.Errorf("%s for another service answered %d %s", id, a.status, a.body)
				}
				hides(t, id+" for another service", a, marker, number, nameOfCAF)
				if o.method == http.MethodGet || strings.HasSuffix(o.path, "-searches") {
					if a := call(whole); a.status != http.StatusOK && !strings.Contains(o.path, "receipts") && !strings.Contains(o.path, "receipt") &&
						!strings.Contains(o.path, "attachments") {
						t.Errorf("%s with a consent answered %d %s", id, a.status, a.body)
					}
				}
			}
		}
		if open < 30 || closed < 60 {
			t.Errorf("%d operations are open to applications, %d closed", open, closed)
		}
		if after := w.worked(f, submitted, draft); after != before {
			t.Errorf("something changed:\n%s\n%s", before, after)
		}
	})
}

// hides looks for what an answer must not show.
func hides(t *testing.T, what string, a answer, foreign ...string) {
	t.Helper()
	for _, text := range foreign {
		if bytes.Contains(a.body, []byte(text)) {
			t.Errorf("%s shows %q", what, text)
		}
	}
}

// What an application files says so wherever it is told, and a repeat goes round no lost consent.
func TestApplications_AreNamedBesideThePerson(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		s := w.software(f.person.PersonId, nil)
		token, once := w.token(f.token, s, "declarations"), key()
		body := f.draft(map[string]any{"submit": true})
		filed := w.do(http.MethodPost, f.path, token, body, once).want(t, http.StatusCreated, "")
		again := w.do(http.MethodPost, f.path, token, body, once).want(t, http.StatusCreated, "")
		if !bytes.Equal(filed.body, again.body) {
			t.Errorf("the repeat differs:\n%s\n%s", filed.body, again.body)
		}
		var d client.Declaration
		filed.decode(t, &d)
		if d.FiledBy.ClientId == nil || *d.FiledBy.ClientId != s.clientID || d.FiledBy.PersonId != f.person.PersonId ||
			d.Receipt == nil || d.Receipt.ClientId == nil || *d.Receipt.ClientId != s.clientID {
			t.Errorf("%s", filed.body)
		}
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(d.Receipt.Jws, ".")[1])
		if err != nil || !bytes.Contains(payload, []byte(`"client_id":"`+s.clientID+`"`)) {
			t.Errorf("the receipt says %s", payload)
		}
		verdict := w.do(http.MethodPost, "/v1/receipt-verifications", "", map[string]any{"jws": d.Receipt.Jws})
		if verdict.field("valid") != true {
			t.Errorf("verified as %s", verdict.body)
		}
		history := w.do(http.MethodGet, "/v1/declarations/"+d.DeclarationId.String()+"/history", f.token, nil).want(t, http.StatusOK, "")
		if !bytes.Contains(history.body, []byte(s.clientID)) {
			t.Errorf("history %s", history.body)
		}
		activity := w.do(http.MethodGet, "/v1/me/activity", f.token, nil).want(t, http.StatusOK, "")
		if !bytes.Contains(activity.body, []byte(s.application.String())) {
			t.Errorf("activity %s", activity.body)
		}
		if n := w.rows("audit_records", "operation = 'draftDeclaration' AND person_id = ? AND application_id = ?", f.person.PersonId, s.application); n != 1 {
			t.Errorf("%d records", n)
		}
		// The same key of the person, and of another application, is another one.
		other := w.software(f.person.PersonId, nil)
		for name, token := range map[string]string{"the person": f.token, "another application": w.token(f.token, other, "declarations")} {
			a := w.do(http.MethodPost, f.path, token, body, once)
			if a.field("declaration_id") == d.DeclarationId.String() {
				t.Errorf("%s got the answer of the application: %s", name, a.body)
			}
		}
		w.endConsent(s)
		w.do(http.MethodPost, f.path, token, body, once).want(t, http.StatusUnauthorized, "session-ended")
	})
}

// A batch is filed while the consent lives by which it was sent, and by nobody else's.
func TestApplications_ABatchEndsWithItsConsent(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		for name, c := range map[string]struct {
			then  func(s software)
			filed bool
		}{
			"live":      {func(software) {}, true},
			"withdrawn": {w.endConsent, false},
			"contributor taken out": {func(s software) {
				w.execute("INSERT INTO consent_exclusions (consent_id, contributor_id, excluded_at) VALUES (?, ?, ?)", s.consent, f.contributor, w.clock.Now())
			}, false},
			"application suspended": {func(s software) { w.execute("UPDATE applications SET state = 'suspended' WHERE id = ?", s.application) }, false},
		} {
			s := w.software(f.person.PersonId, nil)
			item := f.draft(map[string]any{"reference": name})
			item["content"] = withNotes(t, f.example, name)
			sent := w.do(
				http.MethodPost, "/v1/contributors/"+f.contributor.String()+"/declaration-batches", w.token(f.token, s, "declarations"),
				map[string]any{"items": []any{item}}, key(),
			).want(t, http.StatusAccepted, "")
			c.then(s)
			shown := w.do(http.MethodGet, sent.header.Get("Location"), f.token, nil).want(t, http.StatusOK, "")
			for shown.field("state") != "done" {
				shown = w.do(http.MethodGet, sent.header.Get("Location"), f.token, nil).want(t, http.StatusOK, "")
			}
			want := int64(0)
			if c.filed {
				want = 1
			}
			if n := w.rows("declarations", "application_id = ?", s.application); n != want {
				t.Errorf("%s: %d filed: %s", name, n, shown.body)
			}
			if n := w.rows("audit_records", "operation = 'fileDeclarationBatch' AND application_id = ? AND subject_kind = 'declaration'", s.application); n != want {
				t.Errorf("%s: %d records", name, n)
			}
		}
	})
}

// Requests of an application count for its consent, and cost the person nothing.
func TestApplications_HaveARateOfTheirOwn(t *testing.T) {
	w := startWith(t, "sqlite:"+filepath.Join(t.TempDir(), "diresco.db"), cheapPINs, func(c *config.Config) { c.RateApplication = 3 })
	f := w.filer()
	one, other := w.software(f.person.PersonId, nil), w.software(f.person.PersonId, nil)
	statuses := func(token string) (found []int) {
		for range 4 {
			found = append(found, w.do(http.MethodGet, "/v1/me", token, nil).status)
		}
		return found
	}
	for name, token := range map[string]string{
		"one application": w.token(f.token, one, "events"), "another": w.token(f.token, other, "events"),
	} {
		if got := statuses(token); !slices.Equal(got, []int{200, 200, 200, 429}) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := statuses(f.token); slices.Contains(got, 429) {
		t.Errorf("the person pays: %v", got)
	}
}
