package page_test

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

func TestPage_CoverTheListOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(0, 250).Draw(t, "total")
		limit := rapid.IntRange(-3, 150).Draw(t, "limit")
		ids := make([]uuid.UUID, total)
		place := map[uuid.UUID]int{}
		for i := range ids {
			ids[i] = uuid.New()
			place[ids[i]] = i
		}
		var seen []uuid.UUID
		request := page.Request{Limit: limit}
		for {
			after, err := request.After()
			if err != nil {
				t.Fatal(err)
			}
			from := 0
			if after != nil {
				from = place[after.ID] + 1
			}
			rows := ids[from:min(total, from+request.Size()+1)]
			got := page.Cut(rows, request.Size(), func(id uuid.UUID) page.Key {
				return page.Key{At: time.Unix(5, 0).UTC(), Text: "è", ID: id}
			})
			if len(got.Items) > page.MaxLimit {
				t.Fatalf("%d items on a page", len(got.Items))
			}
			seen = append(seen, got.Items...)
			if got.Next == "" {
				break
			}
			request.Cursor = got.Next
		}
		if len(seen) != total {
			t.Fatalf("saw %d of %d", len(seen), total)
		}
		for i := range seen {
			if seen[i] != ids[i] {
				t.Fatalf("item %d out of order", i)
			}
		}
	})
}

// TestPage_CursorsBelongToTheirList: no list takes the cursor of another, nor one that was bound to
// none.
func TestPage_CursorsBelongToTheirList(t *testing.T) {
	all := []string{"a", "b", "c"}
	key := func(s string) page.Key { return page.Key{Text: s, ID: uuid.NameSpaceOID} }
	list := func(list, cursor string) (page.Page[string], error) {
		return page.Slice(all, page.Request{Limit: 1, List: list, Cursor: cursor}, key)
	}
	first, err := list("one", "")
	if err != nil {
		t.Fatal(err)
	}
	next := page.Bind("one", first.Next)
	if second, err := list("one", next); err != nil || len(second.Items) != 1 || second.Items[0] != "b" {
		t.Errorf("its own list: %v, %v", second, err)
	}
	for name, c := range map[string]struct{ list, cursor string }{
		"another list": {"two", next}, "no list": {"", next}, "unbound": {"one", first.Next},
		"bound twice": {"one", page.Bind("one", next)}, "cut": {"one", next[:3]},
	} {
		if _, err := list(c.list, c.cursor); !fault.Is(err, fault.Malformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A list whose items have no id is cut by their text.
	byText := func(cursor string) (page.Page[string], error) {
		return page.Slice(all, page.Request{Limit: 1, List: "texts", Cursor: cursor}, func(s string) page.Key { return page.Key{Text: s} })
	}
	if first, err = byText(""); err != nil {
		t.Fatal(err)
	}
	if second, err := byText(page.Bind("texts", first.Next)); err != nil || len(second.Items) != 1 || second.Items[0] != "b" {
		t.Errorf("by text: %v, %v", second, err)
	}
	if page.Bind("one", "") != "" {
		t.Error("the last page has a next")
	}
}

// TestPage_NoDatabaseIsAskedForWhatNoTextHolds: PostgreSQL has no text with a zero byte.
func TestPage_NoDatabaseIsAskedForWhatNoTextHolds(t *testing.T) {
	cursor := base64.RawURLEncoding.EncodeToString([]byte(`{"x":"a\u0000","i":"` + uuid.NameSpaceOID.String() + `"}`))
	if key, err := (page.Request{Cursor: cursor}).After(); !fault.Is(err, fault.Malformed) {
		t.Errorf("%+v, %v", key, err)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add("eyJpIjoiMDE5M2I5YTAtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAwIn0")
	f.Add("e30")
	f.Add("%%%")
	f.Fuzz(func(t *testing.T, cursor string) {
		key, err := page.Request{Cursor: cursor}.After()
		switch {
		case cursor == "" && (key != nil || err != nil):
			t.Fatal("no cursor is the first page")
		case err != nil && !fault.Is(err, fault.Malformed):
			t.Fatalf("unexpected %v", err)
		case err == nil && cursor != "" && key.ID == uuid.Nil && key.Text == "":
			t.Fatal("a cursor without a place passed")
		}
	})
}
