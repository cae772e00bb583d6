package page_test

import (
	"testing"
	"time"

	"diresco/internal/fault"
	"diresco/internal/page"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func TestPagesCoverTheListOnce(t *testing.T) {
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
			got := page.Cut(rows, request.Size(), func(id uuid.UUID) page.Key { return page.Key{At: time.Unix(5, 0).UTC(), Text: "è", ID: id} })
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
		case err == nil && cursor != "" && key.ID == uuid.Nil:
			t.Fatal("a cursor without an id passed")
		}
	})
}
