package timeline

import (
	"context"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/page"
)

// Deps are what the service works with.
type Deps struct {
	Runner *operation.Runner
	// CatchUp does what the funds owe until now, so that what fell due stands on the timeline.
	CatchUp func(ctx context.Context) error
	// Files says which files an export has of what happened.
	Files map[Happening]Source
}

// Service shows timelines.
type Service struct {
	run     *operation.Runner
	repo    repository
	catchUp func(ctx context.Context) error
	sources map[Happening]Source
	exports slots
}

// NewService returns the service.
func NewService(d Deps) *Service {
	return &Service{run: d.Runner, repo: repository{d.Runner.DB}, catchUp: d.CatchUp, sources: d.Files}
}

// Of lists what happened for the contributor in the path and the actor may see, the newest first.
func (s *Service) Of(ctx context.Context, by access.Actor, f Filter, request page.Request) (page.Page[Entry], error) {
	var none page.Page[Entry]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	if err := s.catchUp(ctx); err != nil {
		return none, err
	}
	entries, err := s.entries(ctx, by, f, after, request.Size()+1)
	if err != nil {
		return none, err
	}
	return page.Cut(entries, request.Size(), Entry.key), nil
}

func (s *Service) entries(ctx context.Context, by access.Actor, f Filter, after *page.Key, limit int) ([]Entry, error) {
	rows, err := s.repo.read(ctx, by, f, after, limit)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(rows))
	for i, r := range rows {
		if entries[i], err = r.entry(by.Consults()); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

func (e Entry) key() page.Key { return page.Key{At: e.At, ID: e.ID} }
