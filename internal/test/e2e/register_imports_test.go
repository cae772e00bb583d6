package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"diresco/api/client"
	"diresco/internal/test/world"
)

var csvType = header{"Content-Type", "text/csv"}

// albo is a file of a professional register with somebody, and those who are named.
func albo(lines ...string) string {
	kept := []string{
		"tax_code;given_name;family_name;register_code;registration_number", "MKJRLA80A01L407X;Karl;Meier;labour_consultants_tv;77",
	}
	for _, l := range lines {
		if l != "" {
			kept = append(kept, l)
		}
	}
	return strings.Join(kept, "\n") + "\n"
}

// bring imports a file of a register as the administrator and returns what became of it.
func (w *fixture) bring(token, register, content string) client.RegisterImport {
	w.t.Helper()
	taken := w.do(
		http.MethodPost, "/v1/backoffice/register-imports?register="+register, token, content, csvType, key(),
	).want(w.t, http.StatusAccepted, "")
	shown := w.imported(token, taken.header.Get("Location"))
	if taken.field("import_id") != shown.ImportId.String() {
		w.t.Errorf("taken %s", taken.body)
	}
	return shown
}

// imported waits until a file is worked off.
func (w *fixture) imported(token, location string) (shown client.RegisterImport) {
	w.t.Helper()
	world.Eventually(w.t, "the file is worked off", func() bool {
		w.do(http.MethodGet, location, token, nil).want(w.t, http.StatusOK, "").decode(w.t, &shown)
		return shown.State == client.ImportStateDone || shown.State == client.ImportStateFailed
	})
	return shown
}

// TestRegisterImport_WhoLeavesTheRegister: a consulente acts for a client until the register does
// not list them any more. They act again when it does.
func TestRegisterImport_WhoLeavesTheRegister(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f, admin := w.filer(), w.administrator().AccessToken
		consulente := w.createPerson(map[string]any{"user_class": "institutional_intermediary"})
		line := consulente.TaxCode + ";" + consulente.GivenName + ";" + consulente.FamilyName + ";labour_consultants_tv;12"
		if i := w.bring(admin, "albi", albo(line)); i.State != client.ImportStateDone || i.LinesDone != 2 || *i.LinesTotal != 2 ||
			i.FinishedAt == nil || len(i.Errors) != 0 {
			t.Fatalf("imported as %+v", i)
		}
		w.delegate(consulente, f)
		token := w.loginAs(consulente).AccessToken
		positions := "/v1/contributors/" + f.contributor.String() + "/positions"
		w.do(http.MethodGet, positions, token, nil).want(t, http.StatusOK, "")

		w.bring(admin, "albi", albo())
		w.do(http.MethodGet, positions, token, nil).want(t, http.StatusNotFound, "not-found")
		w.do(http.MethodPost, f.path, token, f.draft(map[string]any{"submit": true}), key()).want(t, http.StatusNotFound, "not-found")
		for _, p := range []client.SandboxPerson{consulente, f.person} {
			if !w.told(p.Contacts[0].Value, consulente.FamilyName, "sospese") {
				t.Errorf("%s is not told", p.Description)
			}
		}

		// A file with a wrong line brings nobody back.
		failed := w.bring(admin, "albi", albo(line, "X;;;;"))
		if failed.State != client.ImportStateFailed || failed.LinesDone != 0 || len(failed.Errors) == 0 || failed.Errors[0].Line != 4 ||
			failed.Errors[0].Pointer != "/tax_code" || failed.Errors[0].Code != "format" || failed.Errors[0].Detail == "" {
			t.Errorf("imported as %+v", failed)
		}
		w.do(http.MethodGet, positions, token, nil).want(t, http.StatusNotFound, "not-found")

		back := w.bring(admin, "albi", albo(line))
		w.do(http.MethodGet, positions, token, nil).want(t, http.StatusOK, "")
		filed := w.do(http.MethodPost, f.path, token, f.draft(map[string]any{"submit": true}), key()).want(t, http.StatusCreated, "")
		w.do(http.MethodGet, filed.header.Get("Location"), f.token, nil).want(t, http.StatusOK, "")
		for _, p := range []client.SandboxPerson{consulente, f.person} {
			if !w.told(p.Contacts[0].Value, consulente.FamilyName, "nuovo") {
				t.Errorf("%s is not told", p.Description)
			}
		}
		if again := w.bring(admin, "albi", albo(line)); again.ImportId != back.ImportId {
			t.Error("the same file is taken again")
		}
		limit := client.Limit(2)
		list, err := w.as(admin).ListRegisterImportsWithResponse(context.Background(), &client.ListRegisterImportsParams{Limit: &limit})
		if err != nil || list.JSON200 == nil || len(list.JSON200.Items) != 2 || list.JSON200.Items[0].ImportId != back.ImportId ||
			list.JSON200.Links.Next == nil {
			t.Fatalf("%v %s", err, list.Body)
		}
	})
}

// delegate gives an intermediary an active delegation of all that the filer's contributor has.
func (w *fixture) delegate(p client.SandboxPerson, f filer) {
	w.t.Helper()
	id, now := uuid.Must(uuid.NewV7()), w.clock.Now()
	w.execute(`INSERT INTO delegations (id, delegate_id, contributor_id, reference_code, scope, services, exclusive, signatory_id, state,
		drafted_by, drafted_at, activated_at, version, updated_at)
		SELECT ?, h.id, ?, 'DEL-TEST', 'total', '["*"]', ?, ?, 'active', ?, ?, ?, 1, ? FROM delegates h WHERE h.tax_code = ?`,
		id, f.contributor, false, f.person.PersonId, p.PersonId, now, now, now, p.TaxCode)
	w.execute(
		"INSERT INTO delegation_positions (delegation_id, contributor_id, position_id) SELECT ?, contributor_id, id FROM positions WHERE "+
			"contributor_id = ?",
		id, f.contributor,
	)
}

// TestRegisterImport_FilesThatAreNotTaken: what is wrong with a request as a whole is told at once.
func TestRegisterImport_FilesThatAreNotTaken(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		admin := w.administrator().AccessToken
		at := "/v1/backoffice/register-imports"
		w.do(http.MethodPost, at+"?register=albi", admin, albo(), header{"Content-Type", "application/json"}, key()).want(
			t, http.StatusUnsupportedMediaType, "",
		)
		w.do(http.MethodPost, at+"?register=albi", admin, "", csvType, key()).want(t, http.StatusBadRequest, "malformed-request")
		w.do(http.MethodPost, at+"?register=albi", admin, albo(), csvType).want(t, http.StatusBadRequest, "malformed-request")
		w.do(http.MethodPost, at+"?register=nobody", admin, albo(), csvType, key()).want(t, http.StatusBadRequest, "")
		w.do(http.MethodPost, at, admin, albo(), csvType, key()).want(t, http.StatusBadRequest, "")
		w.do(http.MethodGet, at+"/019d0000-0000-7000-8000-000000000004", admin, nil).want(t, http.StatusNotFound, "not-found")
		once := key()
		first := w.do(http.MethodPost, at+"?register=people", admin, "x", header{
			"Content-Type", "application/jsonl",
		}, once).want(t, http.StatusAccepted, "")
		if again := w.do(http.MethodPost, at+"?register=people", admin, "x", header{
			"Content-Type", "application/jsonl",
		}, once).want(t, http.StatusAccepted, ""); string(again.body) != string(first.body) {
			t.Errorf("a repeat answered %s", again.body)
		}
		w.do(http.MethodPost, at+"?register=people", admin, "y", header{"Content-Type", "application/jsonl"}, once).want(
			t, http.StatusUnprocessableEntity, "idempotency-key-reused",
		)
	})
}
