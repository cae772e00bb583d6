package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// entry is one thing on a timeline.
type entry struct {
	Kind, Happened, State, Code string
	Subject                     struct{ Kind, ID string }
	ProtocolNumber              string `json:"protocol_number"`
	PositionID                  string `json:"position_id"`
	By                          struct {
		Kind   string
		Office string `json:"office_code"`
		Person struct {
			FamilyName string `json:"family_name"`
		}
	}
	Links map[string]struct{ Href string } `json:"_links"`
}

// entries lists a timeline, the newest first.
func (w *fixture) entries(token, path string) []entry {
	w.t.Helper()
	var all []entry
	for path != "" {
		var list struct {
			Items []entry
			Links struct{ Next struct{ Href string } } `json:"_links"`
		}
		if err := json.Unmarshal(w.do(http.MethodGet, path, token, nil).want(w.t, http.StatusOK, "").body, &list); err != nil {
			w.t.Fatal(err)
		}
		all, path = append(all, list.Items...), list.Links.Next.Href
	}
	return all
}

// An employer files, withdraws and asks; everything stands on one timeline, leads to its subject, and
// can be taken along.
func TestElectronicFile_TellsWhatHappened(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		began := w.clock.Now()
		path := "/v1/contributors/" + f.contributor.String() + "/dossier-entries"
		before := len(w.entries(f.token, path))
		w.clock.Advance(time.Minute)
		filed := w.do(http.MethodPost, f.path, f.token, f.draft(map[string]any{"submit": true}), key()).want(t, http.StatusCreated, "")
		w.do(http.MethodPost, f.path, f.token, f.draft(nil), key()).want(t, http.StatusCreated, "")
		id, _ := filed.field("declaration_id").(string)
		number, _ := filed.field("protocol_number").(string)
		w.clock.Advance(time.Minute)
		w.do(http.MethodPost, "/v1/declarations/"+id+"/withdrawal", f.token, nil, key()).want(t, http.StatusOK, "")
		w.clock.Advance(time.Minute)
		opened := w.do(http.MethodPost, "/v1/contributors/"+f.contributor.String()+"/tickets", f.token, map[string]any{
			"topic": "payments-refunds", "subject": "Una domanda", "text": "Come si fa?", "email": "rossi@example.com",
		}, key()).want(t, http.StatusCreated, "")
		ticketID, _ := opened.field("ticket_id").(string)

		all := w.entries(f.token, path+"?limit=2")
		if len(all) != before+3 {
			t.Fatalf("%d entries after %d: %+v", len(all), before, all)
		}
		what := []string{all[0].Happened, all[1].Happened, all[2].Happened}
		if !slices.Equal(what, []string{"ticket.opened", "declaration.withdrawn", "declaration.submitted"}) {
			t.Errorf("what happened: %v", what)
		}
		if e := all[2]; e.Subject.ID != id || e.ProtocolNumber != number || e.State == "" || e.By.Kind != "person" || e.By.Person.FamilyName == "" ||
			e.PositionID == "" {
			t.Errorf("the filing is %+v", e)
		}
		if all[0].Subject.ID != ticketID {
			t.Errorf("the ticket is %+v", all[0])
		}
		for _, e := range all[:3] {
			for _, l := range e.Links {
				w.do(http.MethodGet, l.Href, f.token, nil).want(t, http.StatusOK, "")
			}
		}
		from := url.QueryEscape(began.Add(90 * time.Second).Format(time.RFC3339))
		for query, want := range map[string]int{
			"?kind=ticket": 1, "?kind=declaration&from=" + from: 1, "?from=" + from: 2, "?position_id=" + all[2].PositionID + "&from=" + from: 1,
			"?to=" + url.QueryEscape(began.Format(time.RFC3339)): before,
		} {
			if got := w.entries(f.token, path+query); len(got) != want {
				t.Errorf("%s: %d entries, want %d", query, len(got), want)
			}
		}
		for _, query := range []string{"?kind=payment", "?position_id=1", "?from=yesterday", "?to=2026", "?cursor=x", "?state=open"} {
			w.do(http.MethodGet, path+query, f.token, nil).want(t, http.StatusBadRequest, "malformed-request")
		}

		export := "/v1/contributors/" + f.contributor.String() + "/dossier-export?from=" + url.QueryEscape(began.Format(time.RFC3339)) + "&to=" +
			url.QueryEscape(began.Add(time.Hour).Format(time.RFC3339))
		a := w.do(http.MethodGet, export, f.token, nil).want(t, http.StatusOK, "")
		archive, err := zip.NewReader(bytes.NewReader(a.body), int64(len(a.body)))
		if err != nil || a.header.Get("Content-Type") != "application/zip" {
			t.Fatalf("%s: %v", a.header, err)
		}
		found := map[string]string{}
		for _, file := range archive.File {
			r, err := file.Open()
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			found[file.Name] = string(content)
		}
		safe := "declaration/" + strings.ReplaceAll(number, "/", "-")
		ticketNumber, _ := opened.field("protocol_number").(string)
		text := found["ticket/"+strings.ReplaceAll(ticketNumber, "/", "-")+".txt"]
		if !strings.HasPrefix(found[safe+".pdf"], "%PDF-") || strings.Count(found[safe+".jws"], ".") != 2 || !strings.Contains(text, "Come si fa?") ||
			strings.Count(found["entries.csv"], "\n") != 4 || !strings.Contains(found["index.html"], number) || len(found) != 5 {
			t.Errorf("the archive has %d files: %q", len(found), text)
		}
		for _, query := range []string{
			"", "?from=2026-01-01T00:00:00Z", "?from=2026-01-01T00:00:00Z&to=2025-01-01T00:00:00Z",
			"?from=2024-01-01T00:00:00Z&to=2026-01-01T00:00:00Z",
		} {
			w.do(http.MethodGet, strings.Split(export, "?")[0]+query, f.token, nil).want(t, http.StatusBadRequest, "malformed-request")
		}
		w.do(http.MethodGet, strings.Split(export, "?")[0]+"?from=2999-01-01T00:00:00Z&to=2999-02-01T00:00:00Z", f.token, nil).
			want(t, http.StatusUnprocessableEntity, "validation-failed")
	})
}
