package e2e

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"diresco/api/client"
)

// catalogue lists every service.
func (w *fixture) catalogue() []client.Service {
	w.t.Helper()
	found, err := w.as("").ListServicesWithResponse(context.Background(), nil)
	if err != nil || found.JSON200 == nil {
		w.t.Fatal(err, found.Body)
	}
	return found.JSON200.Items
}

// TestServiceCatalog_ServicesLeadToOperations: every link of every service leads to an operation of
// the contract.
func TestServiceCatalog_ServicesLeadToOperations(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		known := map[string]bool{}
		for _, o := range operations(t) {
			known[o.method+" /v1"+o.path] = true
		}
		for _, s := range w.catalogue() {
			for _, l := range s.Links {
				if !known[string(l.Method)+" "+l.Href] {
					t.Errorf("%s leads to %s %s, which does not exist", s.ServiceCode, l.Method, l.Href)
				}
			}
			for _, c := range s.Channels {
				if c.Open != (c.Href != nil) {
					t.Errorf("%s by %s: %+v", s.ServiceCode, c.Channel, c)
				}
				path := "/v1/services/" + s.ServiceCode + "/channels/" + c.Channel
				if c.Open {
					w.do(http.MethodGet, path, "", nil).want(t, http.StatusOK, "")
					continue
				}
				closed := w.do(http.MethodGet, path, "", nil).want(t, http.StatusConflict, "channel-closed")
				href, _ := closed.field("href").(string)
				instead := w.do(http.MethodGet, href, "", nil).want(t, http.StatusOK, "")
				if instead.field("open") != true || instead.field("href") == nil {
					t.Errorf("%s by %s leads to %s", s.ServiceCode, c.Channel, instead.body)
				}
			}
		}
		w.do(http.MethodGet, "/v1/services/nothing/channels/api", "", nil).want(t, http.StatusNotFound, "not-found")
		english := w.do(http.MethodGet, "/v1/services", "", nil, header{"Accept-Language", "en"})
		if !strings.Contains(string(english.body), "View payments") {
			t.Errorf("in English %s", english.body)
		}
		first := w.do(http.MethodGet, "/v1/services?limit=2", "", nil).want(t, http.StatusOK, "")
		next, _ := first.field("_links", "next", "href").(string)
		second := w.do(http.MethodGet, next, "", nil).want(t, http.StatusOK, "")
		if items, _ := second.field("items").([]any); len(items) != 2 ||
			items[0].(map[string]any)["service_code"] != w.catalogue()[2].ServiceCode {
			t.Errorf("the second page is %s", second.body)
		}
		_, cursor, _ := strings.Cut(next, "cursor=")
		for _, other := range []string{"/v1/offices", "/v1/declaration-types", "/v1/sandbox/people", "/v1/sandbox/messages"} {
			w.do(http.MethodGet, other+"?cursor="+cursor, "", nil).want(t, http.StatusBadRequest, "malformed-request")
		}
	})
}

// TestServiceCatalog_AChannelOfTheSandboxCloses thirty days after the data were made, and says
// where to go then.
func TestServiceCatalog_AChannelOfTheSandboxCloses(t *testing.T) {
	eachAsOwner(t, func(t *testing.T, w *fixture) {
		path := ""
		for _, s := range w.catalogue() {
			for _, c := range s.Channels {
				if c.Open && c.ClosesAt != nil {
					path = "/v1/services/" + s.ServiceCode + "/channels/" + c.Channel
				}
			}
		}
		w.do(http.MethodGet, path, "", nil).want(t, http.StatusOK, "")
		w.do(http.MethodPost, "/v1/sandbox/clock", "", map[string]any{"advance": "P29D"}).want(t, http.StatusOK, "")
		w.do(http.MethodGet, path, "", nil).want(t, http.StatusOK, "")
		w.do(http.MethodPost, "/v1/sandbox/clock", "", map[string]any{"advance": "P1D"}).want(t, http.StatusOK, "")
		closed := w.do(http.MethodGet, path, "", nil).want(t, http.StatusConflict, "channel-closed")
		href, _ := closed.field("href").(string)
		w.do(http.MethodGet, href, "", nil).want(t, http.StatusOK, "")
		w.do(http.MethodPost, "/v1/sandbox/reset", "", nil).want(t, http.StatusNoContent, "")
		w.do(http.MethodGet, path, "", nil).want(t, http.StatusOK, "")
	})
}

// arranged lists the services of a menu.
func arranged(t *testing.T, a answer) []string {
	t.Helper()
	var menu client.Menu
	a.decode(t, &menu)
	codes := make([]string, len(menu.Entries))
	for i, e := range menu.Entries {
		codes[i] = e.ServiceCode
	}
	return codes
}

// TestServiceCatalog_StaffSeesWhatItMayDo: every list in the menu of who works for the institute
// opens.
func TestServiceCatalog_StaffSeesWhatItMayDo(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		for _, class := range []client.UserClass{client.UserClassOperator, client.UserClassContactCentre, client.UserClassAdministrator} {
			token := w.loginAs(w.person(func(p client.SandboxPerson) bool { return p.UserClass == class })).AccessToken
			found, err := w.as(token).ListMyServicesWithResponse(context.Background(), nil)
			if err != nil || found.JSON200 == nil {
				t.Fatal(err, found.Body)
			}
			lists := 0
			for _, s := range found.JSON200.Items {
				for _, l := range s.Links {
					if s.Section == "office" && l.Method == client.ServiceLinkMethodGET {
						lists++
						w.do(http.MethodGet, l.Href, token, nil).want(t, http.StatusOK, "")
					}
				}
			}
			if lists < 2 {
				t.Errorf("%s sees %+v", class, found.JSON200.Items)
			}
		}
	})
}

// TestServiceCatalog_TheMenu is made from rights, leads to what was chosen, and is arranged by who
// uses it.
func TestServiceCatalog_TheMenu(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		ctx := context.Background()
		f := w.filer()
		me := w.as(f.token)
		menu := func(params *client.ListMyServicesParams) (codes []string, items []client.MyService) {
			t.Helper()
			found, err := me.ListMyServicesWithResponse(ctx, params)
			if err != nil || found.JSON200 == nil {
				t.Fatal(err, found.Body)
			}
			for _, s := range found.JSON200.Items {
				codes = append(codes, s.ServiceCode)
			}
			return codes, found.JSON200.Items
		}
		if codes, _ := menu(nil); !slices.Equal(codes, []string{"declarations", "delegations", "appointments", "dossier", "pin", "contacts", "enrolment", "users"}) {
			t.Errorf("the menu is %v", codes)
		}
		codes, items := menu(&client.ListMyServicesParams{PositionId: &f.position})
		if !slices.Equal(codes, []string{"declarations", "delegations", "dossier", "users"}) {
			t.Errorf("at the position %v", codes)
		}
		for _, l := range items[0].Links {
			if l.Method == client.ServiceLinkMethodGET {
				w.do(http.MethodGet, l.Href, f.token, nil).want(t, http.StatusOK, "")
			}
		}
		stranger := w.loginAs(w.createPerson(map[string]any{})).AccessToken
		w.do(http.MethodGet, "/v1/me/services?contributor_id="+f.contributor.String(), stranger, nil).want(
			t, http.StatusNotFound, "not-found",
		)
		w.do(http.MethodGet, "/v1/me/services?position_id="+f.position.String(), stranger, nil).want(t, http.StatusNotFound, "not-found")

		shown := w.do(http.MethodGet, "/v1/me/menu", f.token, nil).want(t, http.StatusOK, "")
		tag := header{"If-Match", shown.header.Get("ETag")}
		if got := arranged(t, shown); !slices.Equal(got, []string{"declarations", "delegations", "appointments", "dossier", "pin", "contacts", "enrolment", "users"}) {
			t.Errorf("never arranged: %v", got)
		}
		w.do(http.MethodGet, "/v1/me/menu", f.token, nil, header{"If-None-Match", tag.value}).want(t, http.StatusNotModified, "")
		entry := func(code string, settings map[string]any) map[string]any {
			return map[string]any{"entries": []any{map[string]any{"service_code": code, "pinned": true, "settings": settings}}}
		}
		w.do(http.MethodPut, "/v1/me/menu", f.token, entry("contacts", map[string]any{})).want(
			t, http.StatusPreconditionRequired, "precondition-required",
		)
		w.do(http.MethodPut, "/v1/me/menu", f.token, entry("nothing", map[string]any{}), tag).want(
			t, http.StatusUnprocessableEntity, "validation-failed",
		)
		w.do(http.MethodPut, "/v1/me/menu", f.token, entry("contacts", map[string]any{"a": 1}), tag).want(
			t, http.StatusUnprocessableEntity, "validation-failed",
		)
		w.do(http.MethodPut, "/v1/me/menu", f.token, entry("contacts", map[string]any{"a": strings.Repeat("x", 501)}), tag).want(
			t, http.StatusUnprocessableEntity, "validation-failed",
		)
		replaced := w.do(
			http.MethodPut, "/v1/me/menu", f.token, entry("contacts", map[string]any{"colore": "blu"}), tag,
		).want(t, http.StatusOK, "")
		if replaced.header.Get("ETag") == tag.value {
			t.Error("the tag stayed")
		}
		w.do(http.MethodPut, "/v1/me/menu", f.token, entry("pin", map[string]any{}), tag).want(
			t, http.StatusPreconditionFailed, "precondition-failed",
		)
		w.do(http.MethodGet, "/v1/me/menu", f.token, nil, header{
			"If-None-Match", replaced.header.Get("ETag"),
		}).want(t, http.StatusNotModified, "")
		if _, items := menu(nil); items[0].ServiceCode != "contacts" || !items[0].Pinned || items[0].Order != 1 ||
			items[0].Settings["colore"] != "blu" || items[1].Pinned {
			t.Errorf("arranged as %+v", items)
		}
		// Who never arranged theirs sees at once what a new right opens.
		others := w.do(http.MethodGet, "/v1/me/menu", stranger, nil, header{"If-None-Match", tag.value}).want(t, http.StatusOK, "")
		if got := arranged(t, others); !slices.Equal(got, []string{"appointments", "pin", "contacts", "enrolment"}) {
			t.Errorf("another's menu is %v", got)
		}
		// * is any that exists.
		for range 2 {
			w.do(http.MethodPut, "/v1/me/menu", stranger, entry("pin", map[string]any{}), header{
				"If-Match", "*",
			}).want(t, http.StatusOK, "")
		}
		if n := w.rows("audit_records", "operation = 'replaceMyMenu'"); n != 3 {
			t.Errorf("%d audit rows", n)
		}
	})
}
