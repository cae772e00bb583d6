package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/api"
	"diresco/internal/filing/declaration"
	"diresco/internal/httpapi/etag"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/page"
)

// Whoever asks by next_cursor gets the page that _links.next leads to; the last page has neither.
func TestList_SaysTheNextCursorBesideItsLink(t *testing.T) {
	ctx := audit.WithOrigin(context.Background(), audit.Origin{Operation: "listOffices"})
	limit := int32(2)
	shown := func(next string) (list struct {
		Items []string `json:"items"`
		Next  string   `json:"next_cursor"`
		Links struct {
			Self, Next api.Link
		} `json:"_links"`
	}, raw string,
	) {
		b, err := json.Marshal(pageOf(ctx, api.List[string]{"a", "b"}, "/offices", "q=1", next, &limit))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &list); err != nil {
			t.Fatal(err)
		}
		return list, string(b)
	}
	more, _ := shown(page.Cut([]int{1, 2}, 1, func(int) page.Key { return page.Key{ID: uuid.Max} }).Next)
	next, err := url.Parse(more.Links.Next.Href)
	if err != nil {
		t.Fatal(err)
	}
	if more.Next == "" || next.Query().Get("cursor") != more.Next || next.Query().Get("limit") != "2" || next.Path != "/v1/offices" {
		t.Errorf("got %+v", more)
	}
	if after, err := pageRequest(ctx, &limit, &more.Next).After(); err != nil || after.ID != uuid.Max {
		t.Errorf("the cursor leads to %v, %v", after, err)
	}
	if _, raw := shown(""); raw != `{"_links":{"self":{"href":"/v1/offices?q=1\u0026limit=2"}},"items":["a","b"]}` {
		t.Errorf("the last page is %s", raw)
	}
}

// A page without items has a list of none, whoever made it.
func TestList_IsNeverNull(t *testing.T) {
	for _, none := range []api.List[string]{nil, {}} {
		b, err := json.Marshal(pageOf(context.Background(), none, "/offices", "", "", nil))
		if err != nil || !strings.Contains(string(b), `"items":[]`) {
			t.Errorf("%s, %v", b, err)
		}
	}
}

// Declarations and their lists are answered as the generated answers do it.
func TestDeclaration_IsTheGeneratedAnswer(t *testing.T) {
	number, at := "INPS.1400.16/03/2026.0000042", time.Unix(0, 0).UTC()
	one := declaration.View{
		Declaration: declaration.Declaration{
			ID: uuid.Max, Type: "RIOC", TypeVersion: 1, State: declaration.Submitted, ProtocolNumber: &number, CreatedAt: time.Unix(0, 0).UTC(),
			Content: `{"a":"<b>"}`, SubmittedAt: &at, Digest: &number,
		},
		GivenName: "Niccolò", FamilyName: "D'Amico & Figli <a>",
	}
	for _, found := range []page.Page[declaration.View]{{}, {Items: []declaration.View{one, one}, Next: "next"}} {
		list := viewDeclarations(context.Background(), found, "/declarations", "type=RIOC", nil)
		for i, answers := range [][2]func(w http.ResponseWriter) error{
			{declarationPage(list).VisitListDeclarationsResponse, api.ListDeclarations200JSONResponse(list).VisitListDeclarationsResponse},
			{declarationPage(list).VisitSearchDeclarationsResponse, api.SearchDeclarations200JSONResponse(list).VisitSearchDeclarationsResponse},
			{declarationPage(list).VisitListMyDeclarationsResponse, api.ListMyDeclarations200JSONResponse(list).VisitListMyDeclarationsResponse},
			{
				declarationPage(list).VisitSearchMyDeclarationsResponse,
				api.SearchMyDeclarations200JSONResponse(list).VisitSearchMyDeclarationsResponse,
			},
			{
				declarationPage(list).VisitListOfficeDeclarationsResponse,
				api.ListOfficeDeclarations200JSONResponse(list).VisitListOfficeDeclarationsResponse,
			},
			{
				declarationPage(list).VisitSearchOfficeDeclarationsResponse,
				api.SearchOfficeDeclarations200JSONResponse(list).VisitSearchOfficeDeclarationsResponse,
			},
		} {
			t.Run(fmt.Sprint(i), func(t *testing.T) { same(t, answers[0], answers[1]) })
		}
	}
	shown := api.ShowDeclaration200JSONResponse{
		Body: viewDeclaration(one), Headers: api.ShowDeclaration200ResponseHeaders{ETag: etag.Version(7)},
	}
	same(t, shownDeclaration(shown).VisitShowDeclarationResponse, shown.VisitShowDeclarationResponse)
}

// same says where two answers differ.
func same(t *testing.T, one, other func(w http.ResponseWriter) error) {
	t.Helper()
	got, want := httptest.NewRecorder(), httptest.NewRecorder()
	if err := errors.Join(one(got), other(want)); err != nil {
		t.Fatal(err)
	}
	if got.Code != want.Code || got.Body.String() != want.Body.String() || !maps.EqualFunc(got.Header(), want.Header(), slices.Equal) {
		t.Errorf("%d %v\n%s\nwant %d %v\n%s", got.Code, got.Header(), got.Body, want.Code, want.Header(), want.Body)
	}
}
