package e2e

import (
	"archive/zip"
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// item is an entry of a batch.
func (f filer) item(reference string, more map[string]any) map[string]any {
	item := f.draft(map[string]any{"reference": reference})
	for name, value := range more {
		item[name] = value
	}
	return item
}

func batchOf(items ...any) map[string]any { return map[string]any{"items": items} }

// counted checks how many items of a batch are in each state.
func (a answer) counted(t *testing.T, state string, pending, filed, refused, cancelled float64) {
	t.Helper()
	got, _ := a.field("counts").(map[string]any)
	want := map[string]float64{"pending": pending, "filed": filed, "refused": refused, "cancelled": cancelled}
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s %v, want %v: %s", name, got[name], n, a.body)
		}
	}
	if a.field("state") != state {
		t.Errorf("the batch is %v, want %s", a.field("state"), state)
	}
}

// A payroll program sends a list, reads what became of it, and keeps the receipts.
func TestDeclarationBatches_APayrollProgramSendsAMonth(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		path := "/v1/contributors/" + f.contributor.String() + "/declaration-batches"
		same := key()
		send := func() answer {
			return w.do(http.MethodPost, path, f.token, batchOf(
				f.item("2026-03/1", nil), f.item("2026-03/2", map[string]any{"content": map[string]any{"worker_tax_code": "x"}}),
				f.item("2026-03/3", nil), f.item("2026-03/4", map[string]any{"type": "UNKNOWN"}),
			), same).want(t, http.StatusAccepted, "")
		}
		sent := send()
		sent.counted(t, "queued", 4, 0, 0, 0)
		if again := send(); !bytes.Equal(again.body, sent.body) || again.header.Get("Location") != sent.header.Get("Location") {
			t.Errorf("a repeat answers %s", again.body)
		}
		at := sent.header.Get("Location")
		shown := w.do(http.MethodGet, at, f.token, nil).want(t, http.StatusOK, "")
		shown.counted(t, "done", 0, 2, 2, 0)
		tag := shown.header.Get("ETag")
		if same := w.do(http.MethodGet, at, f.token, nil, header{"If-None-Match", tag}); same.status != http.StatusNotModified {
			t.Errorf("ETag %s is not known again", tag)
		}
		var page struct {
			Items []struct {
				Reference     string `json:"reference"`
				State         string `json:"state"`
				DeclarationID string `json:"declaration_id"`
				Receipt       struct {
					JWS string `json:"jws"`
				} `json:"receipt"`
				Problem struct {
					Code, Detail string
					Errors       []struct{ Pointer, Code, Detail string }
				} `json:"problem"`
			} `json:"items"`
			Links struct {
				Next struct {
					Href string `json:"href"`
				} `json:"next"`
			} `json:"_links"`
		}
		w.do(http.MethodGet, at+"/items?state=refused&limit=1", f.token, nil).want(t, http.StatusOK, "").decode(t, &page)
		first := page.Items[0]
		if first.Reference != "2026-03/2" || first.Problem.Code != "validation-failed" || first.Problem.Detail == "" ||
			!strings.HasPrefix(first.Problem.Errors[0].Pointer, "/content/") {
			t.Errorf("%+v", page)
		}
		w.do(http.MethodGet, page.Links.Next.Href, f.token, nil).want(t, http.StatusOK, "").decode(t, &page)
		if len(page.Items) != 1 || page.Items[0].Problem.Errors[0].Pointer != "/type" {
			t.Errorf("%+v", page)
		}
		w.do(http.MethodGet, at+"/items?state=filed", f.token, nil).want(t, http.StatusOK, "").decode(t, &page)
		if len(page.Items) != 2 {
			t.Fatalf("%+v", page)
		}
		w.do(http.MethodGet, "/v1/declarations/"+page.Items[0].DeclarationID, f.token, nil).want(t, http.StatusOK, "")
		w.do(http.MethodPost, "/v1/receipt-verifications", "", map[string]any{"jws": page.Items[1].Receipt.JWS}).want(t, http.StatusOK, "")

		archive := w.do(http.MethodGet, at+"/receipts", f.token, nil, header{"Accept", "application/zip"}).want(t, http.StatusOK, "")
		files, err := zip.NewReader(bytes.NewReader(archive.body), int64(len(archive.body)))
		if err != nil || len(files.File) != 2 || files.File[0].Name != "0001-2026-03_1.pdf" {
			t.Errorf("%v, %v", files, err)
		}
		lines := w.do(http.MethodGet, at+"/receipts", f.token, nil, header{"Accept", "application/jsonl"}).want(t, http.StatusOK, "")
		if n := bytes.Count(lines.body, []byte("\n")); n != 2 || lines.header.Get("Content-Type") != "application/jsonl" {
			t.Errorf("%d lines: %s", n, lines.body)
		}
		for _, form := range []string{"application/zip", "application/jsonl"} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodHead, w.url+at+"/receipts", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header = http.Header{"Authorization": {"Bearer " + f.token}, "Accept": {form}}
			head, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			if err := head.Body.Close(); err != nil || head.StatusCode != http.StatusOK || head.Header.Get("Content-Type") != form {
				t.Errorf("HEAD answers %d %v, %v", head.StatusCode, head.Header, err)
			}
		}
		listed := w.do(http.MethodGet, path, f.token, nil).want(t, http.StatusOK, "")
		if !bytes.Contains(listed.body, []byte(at)) {
			t.Errorf("the list is %s", listed.body)
		}
		// One message for the batch, none for each declaration.
		messages := w.do(http.MethodGet, "/v1/sandbox/messages", "", nil).want(t, http.StatusOK, "")
		if n := bytes.Count(messages.body, []byte("Invio massivo concluso: 2 dichiarazioni presentate su 4")); n != 1 {
			t.Errorf("%d messages: %s", n, messages.body)
		}
		if bytes.Contains(messages.body, []byte("Dichiarazione ricevuta")) {
			t.Error("there is a message for a declaration")
		}
	})
}

func TestDeclarationBatches_WhatIsWrongWithTheRequestIsNamed(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		path := "/v1/contributors/" + f.contributor.String() + "/declaration-batches"
		many := make([]any, 1001)
		for i := range many {
			many[i] = f.item(fmt.Sprint(i), nil)
		}
		const invalid = http.StatusUnprocessableEntity
		foreign := func(name string, value any) any { return batchOf(f.item("1", map[string]any{name: value})) }
		for what, c := range map[string]struct {
			body    any
			status  int
			problem string
			pointer string
		}{
			"1,001 items":           {batchOf(many...), invalid, "validation-failed", "/items"},
			"no items":              {batchOf(), invalid, "validation-failed", "/items"},
			"equal references":      {batchOf(many[0], many[1], many[0]), invalid, "validation-failed", "/items/2/reference"},
			"a foreign field":       {foreign("state", "accepted"), invalid, "validation-failed", "/items/0/state"},
			"an owner":              {foreign("person_id", f.person.PersonId), invalid, "validation-failed", "/items/0/person_id"},
			"submit":                {foreign("submit", true), invalid, "validation-failed", "/items/0/submit"},
			"no reference":          {batchOf(f.draft(nil)), invalid, "validation-failed", "/items/0/reference"},
			"a foreign batch field": {map[string]any{"items": many[:1], "state": "done"}, invalid, "validation-failed", "/state"},
			"more than 16 MiB":      {strings.Repeat(" ", 16<<20) + `{"items":[]}`, http.StatusRequestEntityTooLarge, "content-too-large", ""},
		} {
			got := w.do(http.MethodPost, path, f.token, c.body, key())
			named := c.pointer == "" || bytes.Contains(got.body, []byte(`"pointer":"`+c.pointer+`"`))
			if got.status != c.status || got.problem() != c.problem || !named {
				t.Errorf("%s answered %d %s", what, got.status, got.body)
			}
		}
		if listed := w.do(http.MethodGet, path, f.token, nil).want(t, http.StatusOK, ""); !bytes.Contains(listed.body, []byte(`"items":[]`)) {
			t.Errorf("something is kept: %s", listed.body)
		}
		// A thousand are taken, and one with more than a mebibyte of JSON.
		sent := w.do(http.MethodPost, path, f.token, batchOf(many[:1000]...), key()).want(t, http.StatusAccepted, "")
		sent.counted(t, "queued", 1000, 0, 0, 0)
		at := sent.header.Get("Location")
		cancelled := w.do(http.MethodPost, at+"/cancellation", f.token, nil, key()).want(t, http.StatusOK, "")
		cancelled.counted(t, "cancelled", 0, 0, 0, 1000)
		w.do(http.MethodPost, at+"/cancellation", f.token, nil, key()).want(t, http.StatusConflict, "conflict")
	})
}
