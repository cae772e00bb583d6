package handlers

import (
	"context"
	"encoding/json"
	"net/url"
	"testing"

	"github.com/google/uuid"

	"diresco/api"
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
