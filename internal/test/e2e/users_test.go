package e2e

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/api/client"
	"diresco/internal/platform/taxcode"
)

// The CAF at which the filer of the access table is the legal representative.
const (
	filersCAF = "019d0000-0000-7000-8000-0000000000ca"
	nameOfCAF = "CAF Imprese Prova S.r.l."
)

// nameOfFiler searches the filer.
func nameOfFiler(f filer) any {
	return map[string]any{"tax_code": f.person.TaxCode, "family_name": f.person.FamilyName}
}

// caf adds a CAF of which the person is the legal representative, and returns that role.
func (w *fixture) caf(personID uuid.UUID) uuid.UUID {
	w.t.Helper()
	now, role := w.clock.Now(), uuid.Must(uuid.NewV7())
	code, err := taxcode.ComposeOrganisation("9753186420")
	if err != nil {
		w.t.Fatal(err)
	}
	w.execute(`INSERT INTO delegates (id, kind, tax_code, legal_name, register_code, registration_number, listed_at, updated_at)
		VALUES (?, 'caf', ?, ?, 'caf_imprese', '99123', ?, ?)`, filersCAF, code.Clear(), nameOfCAF, now, now)
	w.execute(
		`INSERT INTO delegate_roles (id, delegate_id, person_id, role, services, granted_at)
			VALUES (?, ?, ?, 'legal_representative', '["*"]', ?)`,
		role, filersCAF, personID, now,
	)
	return role
}

// fieldCode returns the code of the first wrong field of a refusal.
func (a answer) fieldCode() string {
	wrong, _ := a.field("errors").([]any)
	if len(wrong) == 0 {
		return ""
	}
	first, _ := wrong[0].(map[string]any)
	pointer, _ := first["pointer"].(string)
	code, _ := first["code"].(string)
	return pointer + " " + code
}

// TestUsers_AnEmployeeIsEnabled: the legal representative searches a person and gives a role for
// declarations. The person files by it, and it is withdrawn.
func TestUsers_AnEmployeeIsEnabled(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		ctx := context.Background()
		f := w.filer()
		boss := w.as(f.token)
		users := "/v1/contributors/" + f.contributor.String() + "/users"
		contributor := w.do(http.MethodGet, "/v1/contributors/"+f.contributor.String(), f.token, nil).want(t, http.StatusOK, "")
		legalName, _ := contributor.field("legal_name").(string)
		p := w.createPerson(map[string]any{"family_name": "Dell'Orò"})
		s := w.loginAs(p)

		search := func(name string) []client.PersonIdentity {
			t.Helper()
			r, err := boss.SearchPeopleForRoleWithResponse(ctx, f.contributor, nil, client.PeopleForRoleSearch{
				TaxCode: p.TaxCode, FamilyName: name,
			})
			if err != nil || r.JSON200 == nil {
				t.Fatalf("%v %s", err, r.Body)
			}
			return r.JSON200.Items
		}
		if found := search("DELL’ORO'"); len(found) != 1 || found[0].PersonId != p.PersonId || found[0].TaxCode != p.TaxCode ||
			found[0].FamilyName != "Dell'Orò" {
			t.Errorf("found %+v", found)
		}
		if found := search("Orò"); len(found) != 0 {
			t.Errorf("found %+v", found)
		}

		// Until the person has confirmed who they are they get no role.
		body := map[string]any{"tax_code": strings.ToLower(p.TaxCode), "role": "employee_delegate", "services": []string{"declarations"}}
		if a := w.do(http.MethodPost, users, f.token, body, key()).want(
			t, http.StatusUnprocessableEntity, "validation-failed",
		); a.fieldCode() != "/tax_code identity-not-confirmed" {
			t.Errorf("refused with %s", a.body)
		}
		if me := w.do(http.MethodGet, "/v1/me", s.AccessToken, nil).want(t, http.StatusOK, ""); me.field("identity_confirmed") != false {
			t.Errorf("%s", me.body)
		}
		if a := w.do(http.MethodPost, "/v1/me/identity-confirmation", s.AccessToken, map[string]any{"confirmed": false}, key()).want(
			t, http.StatusUnprocessableEntity, "validation-failed",
		); a.fieldCode() != "/confirmed const" {
			t.Errorf("refused with %s", a.body)
		}
		confirmed, err := w.as(s.AccessToken).ConfirmIdentityWithResponse(
			ctx, &client.ConfirmIdentityParams{IdempotencyKey: uuid.NewString()}, client.IdentityConfirmation{Confirmed: true},
		)
		if err != nil || confirmed.JSON200 == nil || !confirmed.JSON200.IdentityConfirmed || confirmed.JSON200.PersonId != p.PersonId {
			t.Fatalf("%v %s", err, confirmed.Body)
		}

		once := key()
		given := w.do(http.MethodPost, users, f.token, body, once).want(t, http.StatusCreated, "")
		if again := w.do(
			http.MethodPost, users, f.token, body, once,
		).want(t, http.StatusCreated, ""); !bytes.Equal(again.body, given.body) {
			t.Errorf("a repeat answered %s", again.body)
		}
		if a := w.do(http.MethodPost, users, f.token, body, key()).want(t, http.StatusConflict, "conflict"); a.field("detail") == nil {
			t.Errorf("%s", a.body)
		}
		var grant client.UserGrant
		given.decode(t, &grant)
		if grant.Person.PersonId != p.PersonId || grant.Role != "employee_delegate" || len(grant.Services) != 1 ||
			grant.GrantedBy.PersonId != f.person.PersonId {
			t.Errorf("given %s", given.body)
		}
		if !w.told(p.Contacts[0].Value, legalName, "Le è stato attribuito", "delegato ai servizi") {
			t.Error("the person was not told of the role")
		}
		listed, err := boss.ListContributorUsersWithResponse(ctx, f.contributor, nil)
		if err != nil || listed.JSON200 == nil || len(listed.JSON200.Items) != 2 || listed.JSON200.Items[1].GrantId != grant.GrantId {
			t.Fatalf("%v %s", err, listed.Body)
		}

		// The session that was open all the time may file from now on, and manages nobody.
		filed := w.do(
			http.MethodPost, f.path, s.AccessToken, f.draft(map[string]any{"submit": true}), key(),
		).want(t, http.StatusCreated, "")
		if filed.field("state") != "submitted" {
			t.Errorf("filed %s", filed.body)
		}
		w.do(http.MethodGet, users, s.AccessToken, nil).want(t, http.StatusForbidden, "forbidden")
		w.do(http.MethodPost, users, s.AccessToken, body, key()).want(t, http.StatusForbidden, "forbidden")

		path := given.header.Get("Location")
		if path != users+"/"+grant.GrantId.String() {
			t.Errorf("location %q", path)
		}
		w.do(http.MethodDelete, path, f.token, nil).want(t, http.StatusNoContent, "")
		w.do(http.MethodPost, f.path, s.AccessToken, f.draft(map[string]any{"submit": true}), key()).want(
			t, http.StatusNotFound, "not-found",
		)
		w.do(http.MethodGet, filed.header.Get("Location"), s.AccessToken, nil).want(t, http.StatusNotFound, "not-found")
		w.do(http.MethodDelete, path, f.token, nil).want(t, http.StatusNotFound, "not-found")
		w.do(http.MethodDelete, users+"/"+listed.JSON200.Items[0].GrantId.String(), f.token, nil).want(t, http.StatusConflict, "conflict")
		w.do(http.MethodGet, filed.header.Get("Location"), f.token, nil).want(t, http.StatusOK, "")
		if !w.told(p.Contacts[0].Value, legalName, "è stato revocato") {
			t.Error("the person was not told of the withdrawal")
		}
		for operation, want := range map[string]int64{
			"grantContributorRole": 3, "withdrawContributorRole": 1, "searchPeopleForRole": 2, "confirmIdentity": 1,
		} {
			if n := w.rows("audit_records", "operation = ?", operation); n != want {
				t.Errorf("%d audit records of %s, want %d", n, operation, want)
			}
		}
	})
}

// TestUsers_NothingIsLearntAboutOthers: who has ordinary credentials is as unknown as who does not
// exist. There are 20 searches a day, wherever they are made, and tries to give a role are among
// them.
func TestUsers_NothingIsLearntAboutOthers(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		w.caf(f.person.PersonId)
		at := "/v1/contributors/" + f.contributor.String()
		ordinary := w.createPerson(map[string]any{"credential_level": "ordinary"})
		unknown := "BNCLNE85M41H501P"
		find := func(place, taxCode, name string) answer {
			return w.do(http.MethodPost, place+"/people-searches", f.token, map[string]any{"tax_code": taxCode, "family_name": name})
		}
		known, nobody := find(
			at, ordinary.TaxCode, ordinary.FamilyName,
		).want(t, http.StatusOK, ""), find(at, unknown, "Bianchi").want(t, http.StatusOK, "")
		if !bytes.Equal(known.body, nobody.body) {
			t.Errorf("%s\n%s", known.body, nobody.body)
		}
		give := func(taxCode string) answer {
			return w.do(http.MethodPost, at+"/users", f.token, map[string]any{"tax_code": taxCode, "role": "employer"}, key()).want(
				t, http.StatusUnprocessableEntity, "validation-failed",
			)
		}
		if a, b := give(ordinary.TaxCode), give(unknown); a.fieldCode() != "/tax_code unknown-person" || b.fieldCode() != a.fieldCode() ||
			a.field("detail") != b.field("detail") {
			t.Errorf("%s\n%s", a.body, b.body)
		}
		for n := 5; n <= 20; n++ {
			place := at
			if n%2 == 0 {
				place = "/v1/intermediaries/" + filersCAF
			}
			find(place, unknown, "Bianchi").want(t, http.StatusOK, "")
		}
		for _, taxCode := range []string{ordinary.TaxCode, unknown} {
			for _, place := range []string{at, "/v1/intermediaries/" + filersCAF} {
				w.do(http.MethodPost, place+"/users", f.token, map[string]any{
					"tax_code": taxCode, "role": "employee_delegate",
				}, key()).want(
					t, http.StatusTooManyRequests, "rate-limited",
				)
			}
		}
		for _, place := range []string{at, "/v1/intermediaries/" + filersCAF} {
			if a := find(place, unknown, "Bianchi").want(
				t, http.StatusTooManyRequests, "rate-limited",
			); a.header.Get("Retry-After") != "86400" {
				t.Errorf("retry after %q", a.header.Get("Retry-After"))
			}
		}
		w.clock.Advance(24 * time.Hour)
		f.token = w.loginAs(f.person).AccessToken
		find(at, unknown, "Bianchi").want(t, http.StatusOK, "")

		// Ordinary credentials give nothing, and neither does who has not confirmed who they are.
		weak := w.filerAs(w.person(hasRole(client.ActingAsLegalRepresentative, client.CredentialLevelOrdinary)))
		body := map[string]any{"tax_code": f.person.TaxCode, "role": "employer"}
		w.do(http.MethodPost, "/v1/contributors/"+weak.contributor.String()+"/users", weak.token, body, key()).want(
			t, http.StatusForbidden, "dispositive-credentials-required",
		)
		newcomer := w.createPerson(map[string]any{"roles": []map[string]any{{
			"contributor_id": f.contributor, "role": "user_administrator",
		}}})
		token := w.loginAs(newcomer).AccessToken
		w.do(http.MethodPost, at+"/users", token, body, key()).want(t, http.StatusForbidden, "identity-not-confirmed")
		w.do(http.MethodPost, "/v1/me/identity-confirmation", token, map[string]any{"confirmed": true}, key()).want(t, http.StatusOK, "")
		w.do(http.MethodPost, at+"/users", token, body, key()).want(t, http.StatusCreated, "")
		// An administrator makes nobody what only a legal representative makes, and themselves
		// nothing.
		w.do(http.MethodPost, at+"/users", token, map[string]any{"tax_code": f.person.TaxCode, "role": "user_administrator"}, key()).want(
			t, http.StatusForbidden, "forbidden",
		)
		w.do(http.MethodPost, at+"/users", token, map[string]any{"tax_code": newcomer.TaxCode, "role": "employee_delegate"}, key()).want(
			t, http.StatusForbidden, "forbidden",
		)
	})
}

// TestUsers_OfACAF: its legal representative enables a worker, who sees it and manages nobody.
func TestUsers_OfACAF(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		ctx := context.Background()
		boss := w.person(hasRole(client.ActingAsLegalRepresentative, client.CredentialLevelDispositive))
		last := w.caf(boss.PersonId)
		id := uuid.MustParse(filersCAF)
		c := w.as(w.loginAs(boss).AccessToken)
		shown, err := c.ShowIntermediaryWithResponse(ctx, id, nil)
		if err != nil || shown.JSON200 == nil || shown.JSON200.LegalName != nameOfCAF || shown.JSON200.Kind != "caf" ||
			shown.JSON200.StruckOffAt != nil || shown.HTTPResponse.Header.Get("ETag") == "" {
			t.Fatalf("%v %s", err, shown.Body)
		}
		worker := w.person(func(p client.SandboxPerson) bool { return strings.HasPrefix(p.Description, "CAF worker") })
		found, err := c.SearchPeopleForIntermediaryRoleWithResponse(ctx, id, nil, client.PeopleForRoleSearch{
			TaxCode: worker.TaxCode, FamilyName: worker.FamilyName,
		})
		if err != nil || found.JSON200 == nil || len(found.JSON200.Items) != 1 {
			t.Fatalf("%v %s", err, found.Body)
		}
		given, err := c.GrantIntermediaryRoleWithResponse(ctx, id, &client.GrantIntermediaryRoleParams{IdempotencyKey: uuid.NewString()},
			client.IntermediaryRoleInput{TaxCode: worker.TaxCode, Role: "user_administrator"})
		if err != nil || given.JSON201 == nil || len(given.JSON201.Services) != 0 {
			t.Fatalf("%v %s", err, given.Body)
		}
		token := w.loginAs(worker).AccessToken
		me, err := w.as(token).ShowMeWithResponse(ctx, nil)
		if err != nil || me.JSON200 == nil {
			t.Fatalf("%v %s", err, me.Body)
		}
		if !strings.Contains(string(me.Body), nameOfCAF) {
			t.Errorf("%s", me.Body)
		}
		listed, err := w.as(token).ListIntermediaryUsersWithResponse(ctx, id, nil)
		if err != nil || listed.JSON200 == nil || len(listed.JSON200.Items) != 2 {
			t.Fatalf("%v %s", err, listed.Body)
		}
		path := "/v1/intermediaries/" + filersCAF + "/users/"
		w.do(http.MethodDelete, path+last.String(), token, nil).want(t, http.StatusForbidden, "forbidden")
		w.do(http.MethodDelete, path+last.String(), w.loginAs(boss).AccessToken, nil).want(t, http.StatusConflict, "conflict")
		removed, err := c.WithdrawIntermediaryRoleWithResponse(ctx, id, given.JSON201.GrantId, nil)
		if err != nil || removed.StatusCode() != http.StatusNoContent {
			t.Fatalf("%v %s", err, removed.Body)
		}
		w.do(http.MethodGet, "/v1/intermediaries/"+filersCAF, token, nil).want(t, http.StatusNotFound, "not-found")
		w.do(http.MethodGet, path[:len(path)-1], token, nil).want(t, http.StatusNotFound, "not-found")
	})
}

// TestUsers_TheCAFOfTheSandboxHasARepresentative: who gives its people their roles is among the
// test people.
func TestUsers_TheCAFOfTheSandboxHasARepresentative(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		boss := w.person(described("Representative of the CAF"))
		if len(boss.IntermediaryRoles) != 1 || boss.IntermediaryRoles[0].Role != "legal_representative" || len(boss.Roles) != 0 {
			t.Fatalf("%+v", boss)
		}
		users := "/v1/intermediaries/" + boss.IntermediaryRoles[0].DelegateId.String() + "/users"
		token := w.loginAs(boss).AccessToken
		employee := w.person(described("Employee (dipendente)"))
		w.do(http.MethodPost, users, token, map[string]any{
			"tax_code": employee.TaxCode, "role": "user_administrator",
		}, key()).want(t, http.StatusCreated, "")
		administrator := w.loginAs(employee).AccessToken
		w.do(http.MethodPost, users, administrator, map[string]any{
			"tax_code": w.person(described(consulente)).TaxCode, "role": "employee_delegate",
		}, key()).want(t, http.StatusCreated, "")
	})
}

// TestUsers_AFirmIsNoIntermediary: who works at a firm that a register lists sees only what they
// are otherwise.
func TestUsers_AFirmIsNoIntermediary(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		professional, employee := w.person(described(consulente)), w.person(described("Employee (dipendente)"))
		if len(professional.IntermediaryRoles) != 1 || len(employee.IntermediaryRoles) != 1 {
			t.Fatalf("%+v, %+v", professional.IntermediaryRoles, employee.IntermediaryRoles)
		}
		firm := "/v1/intermediaries/" + employee.IntermediaryRoles[0].DelegateId.String()
		for p, want := range map[*client.SandboxPerson][]client.DelegateKind{&professional: {"professional"}, &employee: nil} {
			token := w.loginAs(*p).AccessToken
			me, err := w.as(token).ShowMeWithResponse(context.Background(), nil)
			if err != nil || me.JSON200 == nil {
				t.Fatalf("%v %s", err, me.Body)
			}
			var kinds []client.DelegateKind
			for _, i := range me.JSON200.Intermediaries {
				kinds = append(kinds, i.Kind)
			}
			if !slices.Equal(kinds, want) {
				t.Errorf("%s: %v", p.Description, kinds)
			}
			w.do(http.MethodGet, firm, token, nil).want(t, http.StatusNotFound, "not-found")
			w.do(http.MethodGet, firm+"/users", token, nil).want(t, http.StatusNotFound, "not-found")
		}
	})
}
