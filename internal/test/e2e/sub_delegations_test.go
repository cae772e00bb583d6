package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/api/client"
	"diresco/internal/platform/pdftext/pdftexttest"
	"diresco/internal/test/world"
)

// What the filer's CAF has in the access table.
const (
	filersSubDelegation = "019d0000-0000-7000-8000-0000000000e1"
	filersBatch         = "019d0000-0000-7000-8000-0000000000e2"
	// filersDeclarationBatch is one that the filer sent.
	filersDeclarationBatch = "019d0000-0000-7000-8000-0000000000e3"
)

// workOfCAF adds a sub-delegation and a batch of the filer's CAF, and a ticket and a batch of declarations of the
// filer's.
func (w *fixture) workOfCAF(f filer) {
	w.t.Helper()
	now := w.clock.Now()
	w.execute(`INSERT INTO sub_delegations (id, delegate_id, person_id, every, services, granted_by, granted_at, version)
		VALUES (?, ?, ?, ?, '["*"]', ?, ?, 1)`,
		filersSubDelegation, filersCAF, f.person.PersonId, true, f.person.PersonId, now)
	w.execute(`INSERT INTO delegation_batches (id, delegate_id, person_id, state, items_total, items_done, session_id, request_id,
		address, created_at)
		VALUES (?, ?, ?, 'done', 1, 1, ?, 'request', '192.0.2.1', ?)`, filersBatch, filersCAF, f.person.PersonId, uuid.New(), now)
	w.execute(`INSERT INTO delegation_batch_items (batch_id, line, position_number, scope, services, exclusive, state, delegation_id,
		failures)
		VALUES (?, 1, 'x', 'total', '[]', ?, 'filed', ?, 0)`, filersBatch, false, filersDelegation)
	w.execute(`INSERT INTO declaration_batches (id, contributor_id, person_id, right_id, state, all_or_nothing, items_total, items_refused, session_id,
		request_id, address, created_at, finished_at)
		VALUES (?, ?, ?, ?, 'done', ?, 1, 1, ?, 'request', '192.0.2.1', ?, ?)`, filersDeclarationBatch, f.contributor, f.person.PersonId,
		uuid.New(), false, uuid.New(), now, now)
	w.execute(`INSERT INTO declaration_batch_items (batch_id, line, reference, type, position_id, step, content, state, problem, failures)
		VALUES (?, 1, 'marker-7f3a9c', 'RIOC', ?, '', '', 'refused', '{"code":"duplicate"}', 0)`, filersDeclarationBatch, f.position)
	w.ticketOf(f)
}

// formerSubDelegates are logged in people to whom a sub-delegation for the filer's contributor
// gives nothing. The key says what is the matter with it. The intermediary is another one than the
// filer's.
func (w *fixture) formerSubDelegates(f filer) map[string]string {
	w.t.Helper()
	now, earlier := w.clock.Now(), w.clock.Now().Add(-time.Minute)
	delegate := uuid.New()
	w.execute(`INSERT INTO delegates (id, kind, tax_code, legal_name, register_code, registration_number, listed_at, updated_at)
		VALUES (?, 'patronato', '00743110157', 'Patronato Altrove', 'patronati', '1', ?, ?)`, delegate, now, now)
	delegation := func(state string, ended *time.Time) uuid.UUID {
		id := uuid.New()
		w.execute(`INSERT INTO delegations (id, delegate_id, contributor_id, reference_code, scope, services, exclusive, signatory_id,
			state, drafted_by, drafted_at, activated_at, ended_at, version, updated_at)
			VALUES (?, ?, ?, ?, 'total', '["*"]', ?, ?, ?, ?, ?, ?, ?, 1, ?)`, id, delegate, f.contributor, id.String(), false,
			f.person.PersonId, state, f.person.PersonId, now, now, ended, now)
		w.execute(
			"INSERT INTO delegation_positions (delegation_id, contributor_id, position_id) VALUES (?, ?, ?)", id, f.contributor, f.position,
		)
		return id
	}
	live, revoked, draft := delegation("active", nil), delegation("revoked", &now), delegation("pending", nil)
	tokens := map[string]string{}
	for name, s := range map[string]struct {
		delegation     uuid.UUID
		until, revoked *time.Time
	}{
		"sub-delegate, revoked":                          {live, nil, &now},
		"sub-delegate, expired":                          {live, &earlier, nil},
		"sub-delegate of a revoked delegation":           {revoked, nil, nil},
		"sub-delegate of a delegation not yet activated": {draft, nil, nil},
	} {
		p, id := w.createPerson(map[string]any{}), uuid.New()
		w.execute(`INSERT INTO sub_delegations (id, delegate_id, person_id, every, services, valid_until, granted_by, granted_at,
			revoked_at, version) VALUES (?, ?, ?, ?, '["*"]', ?, ?, ?, ?, 1)`,
			id, delegate, p.PersonId, false, s.until, f.person.PersonId, now, s.revoked)
		w.execute("INSERT INTO sub_delegation_items (sub_delegation_id, delegation_id) VALUES (?, ?)", id, s.delegation)
		tokens[name] = w.loginAs(p).AccessToken
	}
	// The intermediary has a live delegation here, and the sub-delegate works with that of somebody
	// else.
	p, other := w.createPerson(map[string]any{}), w.delegationOfAnother(f, delegate)
	w.subDelegate(delegate, p, other, everyService)
	tokens["sub-delegate of another's delegation"] = w.loginAs(p).AccessToken
	return tokens
}

// delegationOfAnother adds an active delegation by another contributor than the filer's.
func (w *fixture) delegationOfAnother(f filer, delegate uuid.UUID) uuid.UUID {
	w.t.Helper()
	var position struct{ ID, ContributorID uuid.UUID }
	if err := w.app.DB.From(context.Background()).Raw(
		"SELECT id, contributor_id FROM positions WHERE contributor_id <> ? ORDER BY id LIMIT 1", f.contributor,
	).Scan(&position).Error; err != nil {
		w.t.Fatal(err)
	}
	f.contributor = position.ContributorID
	return w.activeDelegation(f, delegate, position.ID, everyService)
}

// delegated drafts and activates a delegation of the filer's position to the consulente del lavoro,
// and returns its path.
func (w *fixture) delegated(f filer, token string, services ...string) string {
	w.t.Helper()
	c := w.do(http.MethodGet, "/v1/contributors/"+f.contributor.String(), f.token, nil).want(w.t, http.StatusOK, "")
	body := map[string]any{
		"contributor_tax_code": c.field("tax_code"), "position_ids": []uuid.UUID{f.position}, "scope": "total",
		"signatory_id": f.person.PersonId,
	}
	if len(services) > 0 {
		body["scope"], body["services"] = "partial", services
	}
	path := w.do(http.MethodPost, "/v1/delegations", token, body, key()).want(w.t, http.StatusCreated, "").header.Get("Location")
	w.do(http.MethodPost, path+"/otp-deliveries", token, nil, key()).want(w.t, http.StatusAccepted, "")
	w.do(http.MethodPost, path+"/activation", token, map[string]any{
		"otp": w.otpTo(signatorysPEC), "signature_declared": true,
	}, key()).want(w.t, http.StatusOK, "")
	return path
}

// TestSubDelegation_AnEmployeeWorksBySubDelegation: the consulente lets the employee work with one
// delegation. The contributor sees who filed. The sub-delegation is revoked, given again, and ends
// with the delegation.
func TestSubDelegation_AnEmployeeWorksBySubDelegation(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		ctx := context.Background()
		f := w.filer()
		boss := w.loginAs(w.person(described(consulente))).AccessToken
		employee := w.person(described("Employee (dipendente)"))
		mine := w.loginAs(employee).AccessToken
		file := func() answer {
			return w.do(http.MethodPost, f.path, mine, f.draft(map[string]any{"submit": true}), key())
		}
		file().want(t, http.StatusNotFound, "not-found")

		path := w.delegated(f, boss, "declarations")
		id := uuid.MustParse(path[strings.LastIndex(path, "/")+1:])
		body := client.SubDelegationInput{
			TaxCode: strings.ToLower(employee.TaxCode), DelegationIds: &[]uuid.UUID{id}, Services: &[]client.ServiceCode{"declarations"},
		}
		granted, err := w.as(boss).GrantSubDelegationWithResponse(
			ctx, &client.GrantSubDelegationParams{IdempotencyKey: uuid.NewString()}, body,
		)
		if err != nil || granted.JSON201 == nil || granted.JSON201.State != client.SubDelegationStateActive ||
			granted.JSON201.Person.PersonId != employee.PersonId || granted.JSON201.All || len(granted.JSON201.DelegationIds) != 1 ||
			len(granted.JSON201.Services) != 1 || !strings.HasPrefix(granted.JSON201.Delegate.LegalName, "Andrea Ricci") {
			t.Fatalf("granted: %v %s", err, granted.Body)
		}
		sub := granted.HTTPResponse.Header.Get("Location")
		if !w.told(employee.Contacts[0].Value, "Andrea Ricci", "abilitato") {
			t.Error("the employee was not told")
		}

		filed := file().want(t, http.StatusCreated, "")
		seen := w.do(http.MethodGet, filed.header.Get("Location"), f.token, nil).want(t, http.StatusOK, "")
		if seen.field("filed_by", "acting_as") != "sub_delegate" ||
			seen.field("filed_by", "right_id") != granted.JSON201.SubDelegationId.String() ||
			seen.field("filed_by", "person_id") != employee.PersonId.String() {
			t.Errorf("the contributor sees %s", seen.body)
		}
		given := w.do(http.MethodGet, "/v1/contributors/"+f.contributor.String()+"/delegations", f.token, nil).want(t, http.StatusOK, "")
		if !bytes.Contains(given.body, []byte(granted.JSON201.SubDelegationId.String())) {
			t.Errorf("the contributor does not see who works under it: %s", given.body)
		}
		for name, token := range map[string]string{"the intermediary": boss, "the employee": mine} {
			listed, err := w.as(token).ListSubDelegationsWithResponse(ctx, nil)
			if err != nil || listed.JSON200 == nil || len(listed.JSON200.Items) != 1 ||
				listed.JSON200.Items[0].SubDelegationId != granted.JSON201.SubDelegationId {
				t.Errorf("%s lists %v %s", name, err, listed.Body)
			}
			w.do(http.MethodGet, sub, token, nil).want(t, http.StatusOK, "")
		}
		for _, stranger := range []string{f.token, w.loginAs(w.createPerson(map[string]any{})).AccessToken} {
			w.do(http.MethodGet, sub, stranger, nil).want(t, http.StatusNotFound, "not-found")
			w.do(http.MethodPost, sub+"/revocation", stranger, nil, key()).want(t, http.StatusNotFound, "not-found")
		}

		same := w.do(http.MethodPost, "/v1/sub-delegations", boss, map[string]any{
			"tax_code": employee.TaxCode, "delegation_ids": []uuid.UUID{id}, "services": []string{"declarations"},
		}, key())
		if same.want(t, http.StatusConflict, "conflict").field("href") != sub {
			t.Errorf("the same again answers %s", same.body)
		}

		// Never wider than the delegation, and for nobody of whom nothing may be learnt.
		refuse := func(change map[string]any, code string) {
			t.Helper()
			body := map[string]any{"tax_code": employee.TaxCode, "delegation_ids": []uuid.UUID{id}}
			for name, value := range change {
				body[name] = value
			}
			if a := w.do(http.MethodPost, "/v1/sub-delegations", boss, body, key()).want(
				t, http.StatusUnprocessableEntity, "validation-failed",
			); a.fieldCode() != code {
				t.Errorf("%v is refused with %s", change, a.body)
			}
		}
		refuse(map[string]any{"services": []string{"delegations"}}, "/services/0 not-delegated")
		refuse(map[string]any{"delegation_ids": []uuid.UUID{uuid.New()}}, "/delegation_ids/0 unknown-delegation")
		refuse(map[string]any{"all": true}, "/delegation_ids not-applicable")
		ordinary := w.createPerson(map[string]any{"credential_level": "ordinary"})
		unknown := w.do(http.MethodPost, "/v1/sub-delegations", boss, map[string]any{
			"tax_code": "BNCLNE85M41H501P", "all": true,
		}, key()).want(
			t, http.StatusUnprocessableEntity, "validation-failed",
		)
		same = w.do(http.MethodPost, "/v1/sub-delegations", boss, map[string]any{"tax_code": ordinary.TaxCode, "all": true}, key()).want(
			t, http.StatusUnprocessableEntity, "validation-failed",
		)
		if unknown.fieldCode() != "/tax_code unknown-person" || unknown.field("detail") != same.field("detail") ||
			unknown.fieldCode() != same.fieldCode() {
			t.Errorf("%s\n%s", unknown.body, same.body)
		}
		w.do(http.MethodPost, "/v1/sub-delegations", boss, map[string]any{
			"tax_code": w.person(described(consulente)).TaxCode, "all": true,
		}, key()).want(
			t, http.StatusConflict, "conflict",
		)
		w.do(http.MethodPost, "/v1/sub-delegations", mine, map[string]any{"tax_code": f.person.TaxCode, "all": true}, key()).want(
			t, http.StatusForbidden, "forbidden",
		)

		revoked, err := w.as(boss).RevokeSubDelegationWithResponse(
			ctx, granted.JSON201.SubDelegationId, &client.RevokeSubDelegationParams{IdempotencyKey: uuid.NewString()},
		)
		if err != nil || revoked.JSON200 == nil || revoked.JSON200.RevokedAt == nil ||
			revoked.JSON200.State != client.SubDelegationStateRevoked {
			t.Fatalf("revoked: %v %s", err, revoked.Body)
		}
		file().want(t, http.StatusNotFound, "not-found")
		w.do(http.MethodPost, sub+"/revocation", boss, nil, key()).want(t, http.StatusConflict, "conflict")
		if !w.told(employee.Contacts[0].Value, "Andrea Ricci", "revocata") {
			t.Error("the employee was not told of the end")
		}

		once := key()
		every := map[string]any{"tax_code": employee.TaxCode, "all": true}
		second := w.do(http.MethodPost, "/v1/sub-delegations", boss, every, once).want(t, http.StatusCreated, "")
		if again := w.do(
			http.MethodPost, "/v1/sub-delegations", boss, every, once,
		).want(t, http.StatusCreated, ""); !bytes.Equal(again.body, second.body) {
			t.Errorf("a repeat answered %s", again.body)
		}
		file().want(t, http.StatusCreated, "")
		everything := second.header.Get("Location")
		if covered := w.do(http.MethodPost, "/v1/sub-delegations", boss, body, key()).want(
			t, http.StatusConflict, "conflict",
		); covered.field("href") != everything {
			t.Errorf("less than all of it answers %s", covered.body)
		}
		w.do(http.MethodPost, everything+"/revocation", boss, nil, key()).want(t, http.StatusOK, "")
		third := w.do(http.MethodPost, "/v1/sub-delegations", boss, body, key()).want(t, http.StatusCreated, "").header.Get("Location")
		active := w.do(http.MethodGet, third, mine, nil).want(t, http.StatusOK, "")
		w.do(http.MethodPost, path+"/revocation", f.token, map[string]any{}, key()).want(t, http.StatusOK, "")
		// It has ended with the only delegation that it names. Who has seen it is not told that it
		// is unchanged.
		ended := w.do(http.MethodGet, third, mine, nil, header{"If-None-Match", active.header.Get("ETag")}).want(t, http.StatusOK, "")
		if active.field("state") != "active" || ended.field("state") != "expired" {
			t.Errorf("shown as %s, then as %s", active.body, ended.body)
		}
		file().want(t, http.StatusNotFound, "not-found")
		w.do(http.MethodGet, filed.header.Get("Location"), mine, nil).want(t, http.StatusNotFound, "not-found")
		if n := w.rows("audit_records", "operation = 'revokeSubDelegation'"); n != 2 {
			t.Errorf("%d audit records of two revocations", n)
		}
	})
}

// TestSubDelegation_AnIntermediaryDraftsInBulk from JSON and from CSV, reads what became of each
// line, and prints the forms.
func TestSubDelegation_AnIntermediaryDraftsInBulk(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		ctx := context.Background()
		f := w.filer()
		token := w.loginAs(w.person(described(consulente))).AccessToken
		positions, err := w.as(f.token).ListPositionsWithResponse(ctx, f.contributor, nil)
		if err != nil || positions.JSON200 == nil || len(positions.JSON200.Items) < 2 {
			t.Fatalf("positions: %v %s", err, positions.Body)
		}
		rome, milan := positions.JSON200.Items[0].Number, positions.JSON200.Items[1].Number
		taken, err := w.as(token).DraftDelegationBatchWithResponse(ctx, &client.DraftDelegationBatchParams{
			IdempotencyKey: uuid.NewString(),
		}, client.DelegationBatchInput{
			Items: []client.DelegationBatchItemInput{{PositionNumber: rome}, {PositionNumber: "9999999999"}, {PositionNumber: milan}},
			Scope: client.DelegationScopeTotal,
		})
		if err != nil || taken.JSON202 == nil || taken.JSON202.State != client.BatchStateQueued || taken.JSON202.ItemsTotal != 3 ||
			taken.JSON202.ItemsDone != 0 {
			t.Fatalf("taken: %v %s", err, taken.Body)
		}
		path := taken.HTTPResponse.Header.Get("Location")
		shown, err := w.as(token).ShowDelegationBatchWithResponse(ctx, taken.JSON202.BatchId, nil)
		if err != nil || shown.JSON200 == nil || shown.JSON200.State != client.BatchStateDone || shown.JSON200.ItemsDone != 3 ||
			shown.JSON200.Items == nil || len(*shown.JSON200.Items) != 3 {
			t.Fatalf("shown: %v %s", err, shown.Body)
		}
		items := *shown.JSON200.Items
		if items[0].State != client.BatchItemStateFiled || items[0].DelegationId == nil || items[1].State != client.BatchItemStateRefused ||
			*items[1].Reason != "unknown-position" || items[2].State != client.BatchItemStateFiled {
			t.Errorf("items %s", shown.Body)
		}
		first := w.do(http.MethodGet, "/v1/delegations/"+items[0].DelegationId.String(), token, nil).want(t, http.StatusOK, "")
		if first.field("state") != "draft" || first.field("signatory", "signatory_id") != f.person.PersonId.String() {
			t.Errorf("drafted %s", first.body)
		}
		if *items[2].DelegationId != *items[0].DelegationId {
			t.Errorf("the contributor is asked twice: %s", shown.Body)
		}
		seen, err := w.as(f.token).ListDelegationLookupsWithResponse(ctx, f.contributor, nil)
		if err != nil || seen.JSON200 == nil || len(seen.JSON200.Items) != 1 {
			t.Errorf("the contributor sees %v %s", err, seen.Body)
		}
		forms := w.do(http.MethodGet, path+"/forms", token, nil, header{"Accept-Language", "en"}).want(t, http.StatusOK, "")
		lines, pages := pdftexttest.Read(forms.body)
		reference, _ := first.field("reference_code").(string)
		if pages != 1 || !strings.Contains(strings.Join(lines, "\n"), reference) || forms.header.Get("Content-Type") != "application/pdf" ||
			forms.header.Get("Content-Language") != "it" {
			t.Errorf("%d pages, with %s?", pages, reference)
		}
		for _, stranger := range []string{f.token, w.loginAs(w.createPerson(map[string]any{})).AccessToken} {
			w.do(http.MethodGet, path, stranger, nil).want(t, http.StatusNotFound, "not-found")
			w.do(http.MethodGet, path+"/forms", stranger, nil).want(t, http.StatusNotFound, "not-found")
		}

		csv := header{"Content-Type", "text/csv; charset=utf-8"}
		list := "position_number;scope;services;exclusive;valid_until\r\n" + rome + ";partial;declarations;false;2027-03-31T22:00:00Z\r\n" +
			milan + ";all;;;\r\n"
		once := key()
		second := w.do(http.MethodPost, "/v1/delegation-batches", token, list, csv, once).want(t, http.StatusAccepted, "")
		if second.field("items_done") != 1.0 || second.field("state") != "running" {
			t.Errorf("taken %s", second.body)
		}
		if again := w.do(
			http.MethodPost, "/v1/delegation-batches", token, list, csv, once,
		).want(t, http.StatusAccepted, ""); !bytes.Equal(again.body, second.body) {
			t.Errorf("a repeat answered %s", again.body)
		}
		w.do(http.MethodPost, "/v1/delegation-batches", token, list+" ", csv, once).want(
			t, http.StatusUnprocessableEntity, "idempotency-key-reused",
		)
		done := w.do(http.MethodGet, second.header.Get("Location"), token, nil).want(t, http.StatusOK, "")
		var batch client.DelegationBatch
		done.decode(t, &batch)
		if items := *batch.Items; items[0].Line != 2 || items[0].State != client.BatchItemStateFiled || items[1].Line != 3 ||
			*items[1].Reason != "invalid-scope" {
			t.Errorf("items %s", done.body)
		}
		// Once it is discarded there is nothing to sign.
		w.do(
			http.MethodPost, "/v1/delegations/"+(*batch.Items)[0].DelegationId.String()+"/revocation", token, map[string]any{}, key(),
		).want(t, http.StatusOK, "")
		w.do(http.MethodGet, second.header.Get("Location")+"/forms", token, nil).want(t, http.StatusConflict, "conflict")

		w.do(http.MethodPost, "/v1/delegation-batches", token, "position_number,scope\n", csv, key()).want(
			t, http.StatusUnprocessableEntity, "validation-failed",
		)
		w.do(http.MethodPost, "/v1/delegation-batches", token, list, header{"Content-Type", "text/plain"}, key()).want(
			t, http.StatusUnsupportedMediaType, "unsupported-media-type",
		)
		w.do(http.MethodPost, "/v1/delegation-batches", f.token, list, csv, key()).want(t, http.StatusForbidden, "forbidden")
		w.do(http.MethodPost, "/v1/delegation-batches?delegate_id="+uuid.NewString(), token, list, csv, key()).want(
			t, http.StatusUnprocessableEntity, "validation-failed",
		)
		if n := w.rows("audit_records", "operation = 'draftDelegationBatch'"); n != 2 {
			t.Errorf("%d audit records of lists", n)
		}
	})
}

// TestSubDelegation_ReadsThatAreOpenToAnySessionLeaveATrace where they show what belongs to others,
// and so do codes that were wrong.
func TestSubDelegation_ReadsThatAreOpenToAnySessionLeaveATrace(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		boss := w.person(described(consulente))
		token := w.loginAs(boss).AccessToken
		path := w.delegated(f, token)
		sub := w.do(http.MethodPost, "/v1/sub-delegations", token, map[string]any{
			"tax_code": w.person(described("Employee (dipendente)")).TaxCode, "all": true,
		}, key()).want(t, http.StatusCreated, "").header.Get("Location")
		var delegation client.Delegation
		w.do(http.MethodGet, path, token, nil).want(t, http.StatusOK, "").decode(t, &delegation)
		batch := w.do(http.MethodPost, "/v1/delegation-batches", token, map[string]any{
			"items": []any{map[string]any{"position_number": delegation.Positions[0].Number}}, "scope": "total",
		}, key()).want(t, http.StatusAccepted, "").header.Get("Location")
		stranger := w.loginAs(w.createPerson(map[string]any{})).AccessToken
		// A row is written after the answer has gone.
		logged := func(where string, rows int64, args ...any) {
			t.Helper()
			world.Eventually(t, fmt.Sprintf("%d rows of %v", rows, args), func() bool {
				w.app.AccessLog.Flush(context.Background())
				return w.rows("access_log", where, args...) == rows
			})
		}
		last := func(path string) string { return path[strings.LastIndex(path, "/")+1:] }
		for request, c := range map[string]struct {
			method, path, token string
			body                any
			status              int
			outcome, subject    string
		}{
			"list":     {http.MethodGet, "/v1/delegations", token, nil, http.StatusOK, "read", ""},
			"search":   {http.MethodPost, "/v1/delegation-searches", token, map[string]any{"legal_name": "a"}, http.StatusOK, "read", ""},
			"batch":    {http.MethodGet, batch, token, nil, http.StatusOK, "read", last(batch)},
			"forms":    {http.MethodGet, batch + "/forms", token, nil, http.StatusOK, "read", last(batch)},
			"subs":     {http.MethodGet, "/v1/sub-delegations", token, nil, http.StatusOK, "read", ""},
			"sub":      {http.MethodGet, sub, token, nil, http.StatusOK, "read", last(sub)},
			"refusals": {http.MethodGet, batch, stranger, nil, http.StatusNotFound, "not-found", last(batch)},
		} {
			w.do(c.method, c.path, c.token, c.body, header{"Request-Id", "trace-of-" + request}).want(
				t, c.status, strings.TrimPrefix(c.outcome, "read"),
			)
			logged(
				"request_id = ? AND outcome = ? AND COALESCE(subject_id, '') = ? AND person_id IS NOT NULL", 1, "trace-of-"+request,
				c.outcome, c.subject,
			)
		}
		var drafted client.DelegationBatch
		w.do(http.MethodGet, batch, token, nil).want(t, http.StatusOK, "").decode(t, &drafted)
		draft := "/v1/delegations/" + (*drafted.Items)[0].DelegationId.String()
		w.do(http.MethodPost, draft+"/otp-deliveries", token, nil, key()).want(t, http.StatusAccepted, "")
		wrong := "00000000"
		if w.otpTo(signatorysPEC) == wrong {
			wrong = "11111111"
		}
		for i := range 6 {
			status, code := http.StatusUnprocessableEntity, "otp-invalid"
			if i == 5 {
				status, code = http.StatusConflict, "otp-exhausted"
			}
			w.do(http.MethodPost, draft+"/activation", token, map[string]any{
				"otp": wrong, "signature_declared": true,
			}, key()).want(t, status, code)
		}
		const entered = "operation = 'activateDelegation' AND person_id = ? AND contributor_id = ? AND outcome = ?"
		logged(entered, 5, boss.PersonId, f.contributor, "otp-invalid")
		logged(entered, 1, boss.PersonId, f.contributor, "otp-exhausted")
	})
}
