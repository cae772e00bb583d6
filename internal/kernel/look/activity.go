package look

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/page"
)

// Entry is one thing that happened to a person's account and is shown to them. It is what was done
// with their login or, where Look is there, who looked at their data.
type Entry struct {
	audit.Record
	Look *Look
}

func (e Entry) key() page.Key {
	if e.Look != nil {
		return page.Key{At: e.Look.At, ID: e.Look.ID}
	}
	return page.Key{At: e.At, ID: e.ID}
}

// Activity returns what was done with the actor's login and who looked at their data, the latest
// first.
func (s *Service) Activity(ctx context.Context, by access.Actor, request page.Request) (page.Page[Entry], error) {
	var none page.Page[Entry]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	limit := request.Size() + 1
	records, err := s.trail.OfPerson(ctx, by.PersonID, limit, after)
	if err != nil {
		return none, err
	}
	at, err := s.repo.of(ctx, by.PersonID, limit, after)
	if err != nil {
		return none, err
	}
	entries := make([]Entry, 0, len(records)+len(at))
	for _, r := range records {
		entries = append(entries, Entry{Record: r})
	}
	for i := range at {
		entries = append(entries, Entry{Look: &at[i]})
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		left, right := a.key(), b.key()
		return cmp.Or(right.At.Compare(left.At), bytes.Compare(right.ID[:], left.ID[:]))
	})
	return page.Cut(entries[:min(limit, len(entries))], request.Size(), Entry.key), nil
}
