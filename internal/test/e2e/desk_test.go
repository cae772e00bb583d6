package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"diresco/api/client"
	"diresco/db"
)

// clerk is an operator of the office that is competent for the filer's position.
func (w *fixture) clerk(f filer) string {
	w.t.Helper()
	office := w.positions(f)[0].OfficeCode
	return w.loginAs(w.person(func(p client.SandboxPerson) bool {
		return p.UserClass == client.UserClassOperator && *p.OfficeCode == office
	})).AccessToken
}

// streamed is the answer to a request of which nothing has been read yet.
func (w *fixture) streamed(method, path, token string, headers ...header) *http.Response {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	for _, h := range headers {
		request.Header.Set(h.name, h.value)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

// TestDesk_TellsTheStory: an operator finds a declaration, takes it in charge, decides it, and who
// filed it reads what became of it.
func TestDesk_TellsTheStory(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		clerk := w.clerk(f)
		filed := w.do(http.MethodPost, f.path, f.token, f.draft(map[string]any{"submit": true}), key()).want(t, http.StatusCreated, "")
		id, _ := filed.field("declaration_id").(string)
		found := w.do(http.MethodPost, "/v1/backoffice/declaration-searches", clerk, map[string]any{
			"contributor_id": f.contributor, "assigned_to": "nobody",
		}).want(t, http.StatusOK, "")
		if !bytes.Contains(found.body, []byte(id)) {
			t.Errorf("the search shows %s", found.body)
		}
		path := "/v1/backoffice/declarations/" + id
		taken := w.do(http.MethodPost, path+"/assignment", clerk, nil, key()).want(t, http.StatusOK, "")
		if taken.field("state") != "in_charge" || taken.field("assigned_to") == nil || taken.header.Get("ETag") == "" {
			t.Errorf("taken as %s", taken.body)
		}
		mine := w.do(http.MethodGet, "/v1/backoffice/declarations?assigned_to=me&limit=1", clerk, nil).want(t, http.StatusOK, "")
		if !bytes.Contains(mine.body, []byte(id)) || !bytes.Contains(mine.body, []byte(`"assigned_to"`)) {
			t.Errorf("in charge are %s", mine.body)
		}
		w.do(http.MethodPost, path+"/decision", clerk, map[string]any{"outcome": "accepted", "amount": "1.5", "reason": "x"}, key()).want(
			t, http.StatusUnprocessableEntity, "validation-failed",
		)
		repeat := key()
		decision := map[string]any{"outcome": "accepted", "amount": "3000.00", "reason": "La documentazione è completa."}
		decided := w.do(http.MethodPost, path+"/decision", clerk, decision, repeat).want(t, http.StatusOK, "")
		again := w.do(http.MethodPost, path+"/decision", clerk, decision, repeat).want(t, http.StatusOK, "")
		if !bytes.Equal(decided.body, again.body) || decided.field("amount") != "3000.00" {
			t.Errorf("decided as %s, repeated as %s", decided.body, again.body)
		}
		w.do(http.MethodPost, path+"/decision", clerk, decision, key()).want(t, http.StatusConflict, "conflict")
		w.do(http.MethodDelete, path+"/assignment", clerk, nil).want(t, http.StatusConflict, "conflict")
		shown := w.do(http.MethodGet, "/v1/declarations/"+id, f.token, nil).want(t, http.StatusOK, "")
		if shown.field("assigned_to") != nil || shown.field("state") != "accepted" {
			t.Errorf("who filed is shown %s", shown.body)
		}
		history := w.do(http.MethodGet, "/v1/declarations/"+id+"/history", f.token, nil).want(t, http.StatusOK, "")
		states := ""
		for _, item := range history.field("items").([]any) {
			entry := item.(map[string]any)
			states += fmt.Sprint(entry["state"], " by ", entry["by"].(map[string]any)["kind"], ", ")
		}
		if states != "submitted by person, in_charge by office, accepted by office, " {
			t.Errorf("the history tells %s", states)
		}
	})
}

// TestExport_OverHTTP: forms, headings and headers, and who asks by a tax code does so in a body.
func TestExport_OverHTTP(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		clerk := w.clerk(f)
		filed := w.do(http.MethodPost, f.path, f.token, f.draft(map[string]any{"submit": true}), key()).want(t, http.StatusCreated, "")
		number, _ := filed.field("protocol_number").(string)
		worker := filed.field("content").(map[string]any)["worker_tax_code"]
		lines, comma := header{"Accept", "application/jsonl"}, header{"Accept", "text/csv"}
		for _, path := range []string{f.path + "/export", "/v1/declaration-exports", "/v1/backoffice/declaration-exports"} {
			token := f.token
			if strings.Contains(path, "backoffice") {
				token = clerk
			}
			a := w.do(http.MethodGet, path+"?type=RIOC", token, nil, comma).want(t, http.StatusOK, "")
			if !strings.HasPrefix(string(a.body), "Dichiarazione,Numero di protocollo,") || !strings.Contains(string(a.body), number) ||
				a.header.Get("Content-Disposition") != `attachment; filename="declarations.csv"` || a.header.Get("Content-Length") != "" ||
				!strings.HasPrefix(a.header.Get("Content-Type"), "text/csv") || a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %v %s", path, a.header, a.body)
			}
			a = w.do(http.MethodGet, path+"?separator=semicolon&bom=true", token, nil, comma, header{"Accept-Language", "en"}).want(t, http.StatusOK, "")
			if !strings.HasPrefix(string(a.body), "\ufeffDeclaration;Protocol number;") {
				t.Errorf("%s: %.200s", path, a.body)
			}
			a = w.do(http.MethodGet, path, token, nil, lines).want(t, http.StatusOK, "")
			if !strings.HasPrefix(string(a.body), `{"declaration_id":"`) || a.header.Get("Content-Type") != "application/jsonl" {
				t.Errorf("%s: %v %.200s", path, a.header, a.body)
			}
			w.do(http.MethodGet, path, token, nil, header{"Accept", "application/xml"}).want(t, http.StatusNotAcceptable, "not-acceptable")
			w.do(http.MethodGet, path+"?worker_tax_code=x", token, nil, lines).want(t, http.StatusBadRequest, "malformed-request")
			head := w.streamed(http.MethodHead, path, token, comma)
			if head.StatusCode != http.StatusOK || head.Header.Get("Content-Disposition") == "" {
				t.Errorf("HEAD %s: %d %v", path, head.StatusCode, head.Header)
			}
		}
		for path, token := range map[string]string{
			"/v1/contributors/" + f.contributor.String() + "/declaration-export-searches": f.token,
			"/v1/declaration-export-searches":                                             f.token,
			"/v1/backoffice/declaration-export-searches":                                  clerk,
		} {
			a := w.do(http.MethodPost, path, token, map[string]any{"worker_tax_code": worker}, lines).want(t, http.StatusOK, "")
			b := w.do(http.MethodPost, path, token, map[string]any{"worker_tax_code": "BNCLNE85M41H501P"}, lines).want(t, http.StatusOK, "")
			if !strings.Contains(string(a.body), number) || len(b.body) > 0 {
				t.Errorf("%s: %.200s, of somebody else %.200s", path, a.body, b.body)
			}
		}
	})
}

// TestExport_BreaksOffWithItsSession: an export whose session ends is cut, and a client sees that.
func TestExport_BreaksOffWithItsSession(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		filed := w.do(http.MethodPost, f.path, f.token, f.draft(map[string]any{"submit": true}), key()).want(t, http.StatusCreated, "")
		ctx := context.Background()
		id, at := "printf('%08x-0000-7000-8000-%012x', i, i)", "strftime('%Y-%m-%d %H:%M:%S', '2025-01-01', '+' || i || ' seconds') || '+00:00'"
		if w.app.DB.Dialect() == db.Postgres {
			id, at = "(lpad(to_hex(i), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid",
				"timestamptz '2025-01-01 00:00:00+00' + i * interval '1 second'"
		}
		if err := w.app.DB.InTx(ctx, func(ctx context.Context) error {
			return w.app.DB.From(ctx).Exec(fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
				INSERT INTO declarations (id, contributor_id, position_id, office_code, type, type_version, step, state, content, person_id,
				acting_as, right_id, version, created_at, updated_at, listed_at, submitted_at, protocol_number, digest)
				SELECT %s, d.contributor_id, d.position_id, d.office_code, d.type, d.type_version, d.step, d.state, d.content, d.person_id,
					d.acting_as, d.right_id, d.version, %[2]s, %[2]s, %[2]s, %[2]s, d.protocol_number || '-' || i, d.digest
				FROM n JOIN declarations d ON d.id = ?`, id, at), filed.field("declaration_id")).Error
		}); err != nil {
			t.Fatal(err)
		}
		answer := w.streamed(http.MethodGet, f.path+"/export", f.token)
		if _, err := io.ReadFull(answer.Body, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		w.do(http.MethodDelete, "/v1/sessions/current", f.token, nil).want(t, http.StatusNoContent, "")
		rest, err := io.ReadAll(answer.Body)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes more, then %v", len(rest), err)
		}
		w.do(http.MethodGet, f.path+"/export", f.token, nil).want(t, http.StatusUnauthorized, "session-ended")
	})
}
