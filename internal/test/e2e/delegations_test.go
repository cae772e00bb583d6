package e2e

import (
	"bytes"
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"diresco/api/client"
	"diresco/internal/platform/pdftext/pdftexttest"
)

// filersDelegation is an active delegation of the filer's contributor to the filer's CAF, in the
// access table.
const filersDelegation = "019d0000-0000-7000-8000-0000000000de"

func (w *fixture) delegationToCAF(f filer) {
	w.t.Helper()
	now := w.clock.Now()
	w.execute(`INSERT INTO delegations (id, delegate_id, contributor_id, reference_code, scope, services, exclusive, signatory_id, state,
		drafted_by, drafted_at, activated_at, version, updated_at)
		VALUES (?, ?, ?, 'ACCE-SSTA-BLE2', 'total', '["*"]', ?, ?, 'active', ?, ?, ?, 1, ?)`, filersDelegation, filersCAF, f.contributor,
		false, f.person.PersonId, f.person.PersonId, now, now, now)
	w.execute(
		"INSERT INTO delegation_positions (delegation_id, contributor_id, position_id) VALUES (?, ?, ?)", filersDelegation, f.contributor,
		f.position,
	)
}

// formerIntermediaries are logged in professionals to whom a delegation by the filer's contributor
// gives nothing. The key says what is the matter with it.
func (w *fixture) formerIntermediaries(f filer) map[string]string {
	w.t.Helper()
	now := w.clock.Now()
	tokens := map[string]string{}
	for name, d := range map[string]struct {
		state                   string
		until, ended, struckOff *time.Time
	}{
		"intermediary, not yet drafted to the end": {state: "draft"},
		"intermediary, pending":                    {state: "pending"},
		"intermediary, expired":                    {state: "active", until: &now},
		"intermediary, revoked":                    {state: "revoked", ended: &now},
		"intermediary, off its register":           {state: "active", struckOff: &now},
	} {
		p := w.createPerson(map[string]any{"user_class": "institutional_intermediary"})
		delegate, id := uuid.New(), uuid.New()
		w.execute(`INSERT INTO delegates (id, kind, tax_code, legal_name, register_code, registration_number, listed_at, struck_off_at,
			updated_at)
			VALUES (?, 'professional', ?, 'Consulente Altrove', 'consulenti_lavoro', '1', ?, ?, ?)`, delegate, p.TaxCode, now, d.struckOff,
			now)
		w.execute(`INSERT INTO delegations (id, delegate_id, contributor_id, reference_code, scope, services, exclusive, valid_until,
			signatory_id, state, drafted_by, drafted_at, activated_at, ended_at, version, updated_at)
			VALUES (?, ?, ?, ?, 'total', '["*"]', ?, ?, ?, ?, ?, ?, ?, ?, 1, ?)`,
			id, delegate, f.contributor, id.String(), false, d.until, f.person.PersonId, d.state, f.person.PersonId, now, now, d.ended, now)
		w.execute(
			"INSERT INTO delegation_positions (delegation_id, contributor_id, position_id) VALUES (?, ?, ?)", id, f.contributor, f.position,
		)
		tokens[name] = w.loginAs(p).AccessToken
	}
	return tokens
}

// draftOfStranger is a draft that nobody can make: its position is none of the contributor's.
func draftOfStranger(f filer) any {
	return map[string]any{
		"contributor_tax_code": f.person.TaxCode, "position_ids": []string{filersCAF}, "scope": "total", "signatory_id": f.person.PersonId,
	}
}

// described finds one of the sandbox's people by the beginning of the description.
func described(beginning string) func(client.SandboxPerson) bool {
	return func(p client.SandboxPerson) bool { return strings.HasPrefix(p.Description, beginning) }
}

const (
	consulente    = "Consulente del lavoro"
	signatorysPEC = "officine.tiberine@pec.example"
)

var otpInText = regexp.MustCompile(`\b[0-9]{8}\b`)

// otpTo returns the code in the newest message to the address.
func (w *fixture) otpTo(address string) string {
	w.t.Helper()
	messages := w.sent(address)
	if len(messages) == 0 {
		w.t.Fatalf("nothing was sent to %s", address)
	}
	code := otpInText.FindString(strings.ReplaceAll(messages[0].Text, "7001248305", ""))
	if code == "" {
		w.t.Fatalf("no code in %q", messages[0].Text)
	}
	return code
}

func once() *client.SendDelegationOtpParams {
	return &client.SendDelegationOtpParams{IdempotencyKey: uuid.NewString()}
}

// TestDelegation_AnIntermediaryFilesByADelegation is the story of a delegation, through the
// generated client, from the look-up to the end.
func TestDelegation_AnIntermediaryFilesByADelegation(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		ctx := context.Background()
		f := w.filer()
		mine, theirs := w.as(w.loginAs(w.person(described(consulente))).AccessToken), w.as(f.token)
		company, err := theirs.ShowContributorWithResponse(ctx, f.contributor, nil)
		if err != nil || company.JSON200 == nil {
			t.Fatalf("%v %s", err, company.Body)
		}

		found, err := mine.SearchDelegationCandidatesWithResponse(
			ctx, nil, client.DelegationCandidateSearch{TaxCode: strings.ToLower(company.JSON200.TaxCode)},
		)
		if err != nil || found.JSON200 == nil || len(found.JSON200.Items) != 1 {
			t.Fatalf("candidates: %v %s", err, found.Body)
		}
		candidate := found.JSON200.Items[0]
		if len(candidate.Positions) != 2 || len(candidate.Signatories) != 1 || candidate.Signatories[0].FamilyInitial != "B" ||
			bytes.Contains(found.Body, []byte(f.person.FamilyName)) {
			t.Errorf("candidate: %s", found.Body)
		}
		nobody, err := mine.SearchDelegationCandidatesWithResponse(ctx, nil, client.DelegationCandidateSearch{TaxCode: "00743110157"})
		if err != nil || nobody.JSON200 == nil || len(nobody.JSON200.Items) != 0 {
			t.Errorf("nobody: %v %s", err, nobody.Body)
		}
		looks, err := theirs.ListDelegationLookupsWithResponse(ctx, f.contributor, nil)
		if err != nil || looks.JSON200 == nil || len(looks.JSON200.Items) != 1 ||
			!strings.Contains(looks.JSON200.Items[0].Delegate.LegalName, "Andrea Ricci") {
			t.Errorf("look-ups: %v %s", err, looks.Body)
		}

		position := candidate.Positions[0]
		scope := client.DelegationScopePartial
		drafted, err := mine.DraftDelegationWithResponse(ctx, &client.DraftDelegationParams{
			IdempotencyKey: uuid.NewString(),
		}, client.DelegationDraft{
			ContributorTaxCode: candidate.ContributorTaxCode,
			PositionIds:        []uuid.UUID{position.PositionId, candidate.Positions[1].PositionId}, Scope: scope,
			Services: &[]client.ServiceCode{"declarations"}, SignatoryId: candidate.Signatories[0].SignatoryId,
		})
		if err != nil || drafted.JSON201 == nil || drafted.JSON201.State != client.DelegationStateDraft {
			t.Fatalf("drafted: %v %s", err, drafted.Body)
		}
		id, path := drafted.JSON201.DelegationId, drafted.HTTPResponse.Header.Get("Location")
		token := w.loginAs(w.person(described(consulente))).AccessToken
		changed := w.do(http.MethodPatch, path, token, map[string]any{"position_ids": []string{position.PositionId.String()}}, header{
			"If-Match", drafted.HTTPResponse.Header.Get("ETag"),
		}, header{"Content-Type", "application/merge-patch+json"}).want(t, http.StatusOK, "")
		if positions, _ := changed.field("positions").([]any); len(positions) != 1 {
			t.Errorf("changed to %s", changed.body)
		}

		reference, _ := changed.field("reference_code").(string)
		if reference == "" || reference == drafted.JSON201.ReferenceCode {
			t.Errorf("the changed one has the reference %q", reference)
		}

		form := w.do(http.MethodGet, path+"/form", token, nil, header{"Accept-Language", "en"}).want(t, http.StatusOK, "")
		if language := form.header.Get("Content-Language"); language != "it" {
			t.Errorf("the form is said to be in %q", language)
		}
		lines, _ := pdftexttest.Read(form.body)
		for _, want := range []string{reference, candidate.LegalName, candidate.ContributorTaxCode, f.person.GivenName + " " +
			f.person.FamilyName[:1] + ".", "a mano", "Andrea Ricci, consulente del lavoro", "Matricola " + position.Number} {
			if !strings.Contains(strings.Join(lines, "\n"), want) {
				t.Errorf("%q is not in the form:\n%s", want, strings.Join(lines, "\n"))
			}
		}
		// To the contributor it is nothing until a code was sent for it.
		for _, hidden := range []string{path, path + "/form"} {
			w.do(http.MethodGet, hidden, f.token, nil).want(t, http.StatusNotFound, "not-found")
		}
		w.clock.Advance(time.Minute)
		if again := w.do(http.MethodGet, path+"/form", token, nil).want(t, http.StatusOK, ""); !bytes.Equal(form.body, again.body) ||
			again.header.Get("ETag") != form.header.Get("ETag") {
			t.Error("the form is not the same twice")
		}

		sent, err := mine.SendDelegationOtpWithResponse(ctx, id, once())
		if err != nil || sent.JSON202 == nil || sent.JSON202.State != client.DelegationStatePending || sent.JSON202.Otp == nil ||
			sent.JSON202.Otp.TriesLeft != 5 || strings.Contains(sent.JSON202.Otp.To, "tiberine") {
			t.Fatalf("sent: %v %s", err, sent.Body)
		}
		otp := w.otpTo(signatorysPEC)
		activation := path + "/activation"
		enter := func(code string, declared bool) answer {
			return w.do(http.MethodPost, activation, token, map[string]any{"otp": code, "signature_declared": declared}, key())
		}
		enter(otp, false).want(t, http.StatusUnprocessableEntity, "validation-failed")
		for _, slip := range []string{"123", otp + "9", "eight-12", "", otp[:7] + "O", "\t" + otp} {
			a := enter(slip, true).want(t, http.StatusUnprocessableEntity, "validation-failed")
			if wrong, _ := a.field("errors").([]any); len(wrong) == 0 || wrong[0].(map[string]any)["pointer"] != "/otp" {
				t.Errorf("%q is refused with %s", slip, a.body)
			}
		}
		other := otp[1:] + otp[:1]
		if other == otp {
			other = "12345678"
		}
		if a := enter(other, true).want(t, http.StatusUnprocessableEntity, "otp-invalid"); a.field("tries_left") != 4.0 {
			t.Errorf("a wrong code: %s", a.body)
		}
		same := key()
		body := map[string]any{"otp": otp, "signature_declared": true}
		answers := make([]answer, 50)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() { answers[i] = w.do(http.MethodPost, activation, token, body, same) })
		}
		all.Wait()
		active := w.do(http.MethodPost, activation, token, body, same).want(t, http.StatusOK, "")
		for _, twin := range answers {
			if twin.status != http.StatusOK || !bytes.Equal(twin.body, active.body) ||
				twin.header.Get("ETag") != active.header.Get("ETag") || twin.field("state") != "active" {
				t.Errorf("one of many at once answered %d %s, a repeat %s", twin.status, twin.body, active.body)
			}
		}
		enter(otp, true).want(t, http.StatusConflict, "conflict")
		if !w.told(signatorysPEC, reference, "attiva") && !w.told("marco.bianchi@posta.example", reference, "attiva") {
			t.Error("the contributor was not told")
		}

		filed := w.do(http.MethodPost, f.path, token, map[string]any{
			"type": "RIOC", "position_id": position.PositionId, "content": f.example, "submit": true,
		}, key()).want(t, http.StatusCreated, "")
		declaration := filed.header.Get("Location")
		byWhom := func() {
			t.Helper()
			seen := w.do(http.MethodGet, declaration, f.token, nil).want(t, http.StatusOK, "")
			if seen.field("filed_by", "acting_as") != "intermediary" || seen.field("filed_by", "right_id") != id.String() ||
				seen.field("filed_by", "family_name") != "Ricci" {
				t.Errorf("the contributor sees %s", seen.body)
			}
		}
		byWhom()
		w.do(http.MethodPost, f.path, token, map[string]any{
			"type": "RIOC", "position_id": candidate.Positions[1].PositionId, "content": f.example, "submit": true,
		}, key()).want(
			t, http.StatusUnprocessableEntity, "validation-failed",
		)

		given, err := theirs.ListContributorDelegationsWithResponse(ctx, f.contributor, nil)
		if err != nil || given.JSON200 == nil || len(given.JSON200.Items) != 1 || given.JSON200.Items[0].Workers == nil {
			t.Errorf("given: %v %s", err, given.Body)
		}
		for name, search := range map[string]client.DelegationSearch{
			"tax code": {ContributorTaxCode: &candidate.ContributorTaxCode}, "name": {LegalName: new("tiberine")},
			"position": {PositionNumber: &position.Number},
		} {
			held, err := mine.SearchDelegationsWithResponse(ctx, nil, search)
			if err != nil || held.JSON200 == nil || len(held.JSON200.Items) != 1 || held.JSON200.Items[0].DelegationId != id {
				t.Errorf("by %s: %v %s", name, err, held.Body)
			}
		}
		state := client.DelegationStatePending
		if held, err := mine.ListDelegationsWithResponse(ctx, &client.ListDelegationsParams{State: &state}); err != nil ||
			held.JSON200 == nil || len(held.JSON200.Items) != 0 {
			t.Errorf("pending: %v %s", err, held.Body)
		}

		revoked := w.do(
			http.MethodPost, path+"/revocation", f.token, map[string]any{"reason": "Fine dell'incarico"}, key(),
		).want(t, http.StatusOK, "")
		if revoked.field("state") != "revoked" || revoked.field("end_reason") != "Fine dell'incarico" {
			t.Errorf("revoked: %s", revoked.body)
		}
		w.do(http.MethodGet, declaration, token, nil).want(t, http.StatusNotFound, "not-found")
		w.do(http.MethodGet, "/v1/contributors/"+f.contributor.String(), token, nil).want(t, http.StatusNotFound, "not-found")
		w.do(http.MethodGet, path, token, nil).want(t, http.StatusOK, "")
		if !w.told("studio.ricci@pec.example", "Fine dell'incarico") && !w.told("andrea.ricci@posta.example", "Fine dell'incarico") {
			t.Error("the intermediary was not told why")
		}
		byWhom()
		if logged := w.log.String(); strings.Contains(logged, otp) {
			t.Error("the code stands in the log")
		}
		if bytes.Contains(sent.Body, []byte(otp)) || bytes.Contains(active.body, []byte(otp)) {
			t.Error("the code stands in an answer")
		}
	})
}

// TestDelegation_TheEndOfADelegationIsMovedAndTakenAway: null takes away what may be left out, and
// is refused for what may not.
func TestDelegation_TheEndOfADelegationIsMovedAndTakenAway(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		ctx := context.Background()
		f := w.filer()
		token := w.loginAs(w.person(described(consulente))).AccessToken
		mine := w.as(token)
		company, err := w.as(f.token).ShowContributorWithResponse(ctx, f.contributor, nil)
		if err != nil || company.JSON200 == nil {
			t.Fatalf("%v %s", err, company.Body)
		}
		end := w.clock.Now().AddDate(1, 0, 0).UTC().Truncate(time.Second)
		drafted, err := mine.DraftDelegationWithResponse(ctx, &client.DraftDelegationParams{
			IdempotencyKey: uuid.NewString(),
		}, client.DelegationDraft{
			ContributorTaxCode: company.JSON200.TaxCode, PositionIds: []uuid.UUID{f.position}, Scope: client.DelegationScopeTotal,
			ValidUntil: &end, SignatoryId: f.person.PersonId,
		})
		if err != nil || drafted.JSON201 == nil || drafted.JSON201.ValidUntil == nil || !drafted.JSON201.ValidUntil.Equal(end) {
			t.Fatalf("drafted: %v %s", err, drafted.Body)
		}
		path, tag := drafted.HTTPResponse.Header.Get("Location"), drafted.HTTPResponse.Header.Get("ETag")
		change := func(body map[string]any) answer {
			t.Helper()
			return w.do(http.MethodPatch, path, token, body, header{
				"If-Match", tag,
			}, header{"Content-Type", "application/merge-patch+json"})
		}
		for field, code := range map[string]string{
			"position_ids": "null", "scope": "enum", "services": "null", "exclusive": "null", "signatory_id": "null",
		} {
			refused := change(map[string]any{field: nil}).want(t, http.StatusUnprocessableEntity, "validation-failed")
			if got := refused.fieldCode(); got != "/"+field+" "+code {
				t.Errorf("%s: %s", field, got)
			}
		}
		later := end.AddDate(1, 0, 0)
		for _, step := range []struct {
			body map[string]any
			want any
		}{
			{map[string]any{"exclusive": true}, end.Format(time.RFC3339)},
			{map[string]any{"valid_until": later}, later.Format(time.RFC3339)},
			{map[string]any{"valid_until": nil}, nil},
			{map[string]any{"exclusive": false}, nil},
		} {
			changed := change(step.body).want(t, http.StatusOK, "")
			if tag = changed.header.Get("ETag"); changed.field("valid_until") != step.want {
				t.Errorf("after %v it is %s", step.body, changed.body)
			}
		}
		id := drafted.JSON201.DelegationId
		patch := func(until nullable.Nullable[time.Time]) *client.Delegation {
			t.Helper()
			changed, err := mine.ChangeDelegationWithApplicationMergePatchPlusJSONBodyWithResponse(
				ctx, id, &client.ChangeDelegationParams{IfMatch: &tag}, client.DelegationChange{ValidUntil: until},
			)
			if err != nil || changed.JSON200 == nil {
				t.Fatalf("changed by the client: %v %s", err, changed.Body)
			}
			tag = changed.HTTPResponse.Header.Get("ETag")
			return changed.JSON200
		}
		if d := patch(nullable.NewNullableWithValue(later)); d.ValidUntil == nil || !d.ValidUntil.Equal(later) {
			t.Errorf("moved by the client to %v", d.ValidUntil)
		}
		if d := patch(nil); d.ValidUntil == nil {
			t.Error("what is not said was taken away")
		}
		if d := patch(nullable.NewNullNullable[time.Time]()); d.ValidUntil != nil {
			t.Errorf("taken away by the client, it is %v", d.ValidUntil)
		}
	})
}

func TestDelegation_AFirmIsNobodysDelegate(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		body := map[string]any{
			"contributor_tax_code": "00743110157", "position_ids": []uuid.UUID{f.position}, "scope": "total",
			"signatory_id": f.person.PersonId,
		}
		employee := w.loginAs(w.person(described("Employee (dipendente)"))).AccessToken
		w.do(http.MethodPost, "/v1/delegations", employee, body, key()).want(t, http.StatusUnprocessableEntity, "delegate-must-be-person")
		w.do(http.MethodPost, "/v1/delegation-candidate-searches", employee, map[string]any{"tax_code": "00743110157"}).want(
			t, http.StatusForbidden, "forbidden",
		)
		w.do(http.MethodPost, "/v1/delegations", f.token, body, key()).want(t, http.StatusForbidden, "forbidden")
	})
}

// TestDelegation_TheSandboxHasIntermediaries: the CAF can act at once, and a test person on a
// register is an intermediary.
func TestDelegation_TheSandboxHasIntermediaries(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		worker := w.loginAs(w.person(described("CAF worker"))).AccessToken
		clients := w.do(http.MethodGet, "/v1/contributors", worker, nil).want(t, http.StatusOK, "")
		if !bytes.Contains(clients.body, []byte(`"acting_as":"intermediary"`)) {
			t.Errorf("the CAF acts for %s", clients.body)
		}
		for register, kind := range map[string]string{"lawyer": "professional", "patronato": "patronato"} {
			p := w.createPerson(map[string]any{"register": register})
			me := w.do(http.MethodGet, "/v1/me", w.loginAs(p).AccessToken, nil).want(t, http.StatusOK, "")
			if mine, _ := me.field("intermediaries").([]any); len(mine) != 1 || mine[0].(map[string]any)["kind"] != kind {
				t.Errorf("%s: %s", register, me.body)
			}
		}
	})
}

// TestDelegation_AreForWhoManagesThem: somebody whose role at the contributor is about declarations
// alone neither sees nor ends what it delegated.
func TestDelegation_AreForWhoManagesThem(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		w.caf(f.person.PersonId)
		w.delegationToCAF(f)
		path := "/v1/delegations/" + filersDelegation
		roles := func(services ...string) map[string]any {
			return map[string]any{"roles": []map[string]any{{
				"contributor_id": f.contributor, "role": "employee_delegate", "services": services,
			}}}
		}
		clerk := w.loginAs(w.createPerson(roles("declarations"))).AccessToken
		w.do(http.MethodGet, path, clerk, nil).want(t, http.StatusForbidden, "service-not-delegated")
		w.do(http.MethodGet, path+"/form", clerk, nil).want(t, http.StatusForbidden, "service-not-delegated")
		w.do(http.MethodPost, path+"/revocation", clerk, map[string]any{}, key()).want(t, http.StatusForbidden, "service-not-delegated")
		manager := w.loginAs(w.createPerson(roles("delegations"))).AccessToken
		w.do(http.MethodGet, path, manager, nil).want(t, http.StatusOK, "")
	})
}
