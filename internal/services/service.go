package services

import (
	"context"
	"slices"

	"diresco/internal/access"
	"diresco/internal/contributor"
	"diresco/internal/fault"
	"diresco/internal/operation"
	"diresco/internal/page"

	"github.com/google/uuid"
)

// Contributors knows contributors, positions, and the rights over them.
type Contributors interface {
	// Find returns a contributor with the actor's rights over it, or fault.NotFound.
	Find(ctx context.Context, by access.Actor, id uuid.UUID) (contributor.Entitled, error)
	// FindPosition returns a position and its contributor with the actor's rights about it, or fault.NotFound.
	FindPosition(ctx context.Context, by access.Actor, id uuid.UUID) (contributor.Position, contributor.Entitled, error)
}

// Catalogue has the use cases of services and menus.
type Catalogue struct {
	runner       *operation.Runner
	repository   *Repository
	rights       *access.Repository
	contributors Contributors
}

// New returns the catalogue. Rights and contributors are needed for Mine alone.
func New(runner *operation.Runner, rights *access.Repository, contributors Contributors) *Catalogue {
	return &Catalogue{runner: runner, repository: NewRepository(runner.DB), rights: rights, contributors: contributors}
}

// Install brings the services that come with the program into the context's transaction: those that are not there yet, and
// newer versions of those that are.
func (c *Catalogue) Install(ctx context.Context) error {
	shipped, err := Shipped()
	if err != nil {
		return err
	}
	for _, s := range shipped {
		if err := c.repository.put(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// AddChannel gives a service a channel in the context's transaction, or changes the one that it has.
func (c *Catalogue) AddChannel(ctx context.Context, service string, channel Channel) error {
	return c.repository.putChannel(ctx, service, channel)
}

// List returns every service, by section and title.
func (c *Catalogue) List(ctx context.Context, english bool, request page.Request) (page.Page[Service], error) {
	all, err := c.repository.all(ctx, "")
	if err != nil {
		return page.Page[Service]{}, err
	}
	slices.SortFunc(all, bySectionAndTitle(english))
	return page.Slice(all, request, func(s Service) page.Key { return page.Key{Text: s.Code, ID: uuid.NameSpaceOID} })
}

// Enter returns a channel of a service that is open. It returns fault.NotFound, and fault.ChannelClosed with where to go instead.
func (c *Catalogue) Enter(ctx context.Context, service, channel string) (Channel, error) {
	found, err := c.repository.all(ctx, service)
	if err == nil && len(found) == 0 {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return Channel{}, err
	}
	return found[0].enter(channel, c.runner.Clock.Now())
}

// Chosen narrows a menu down to what may be done for a contributor, or about one of its positions.
type Chosen struct {
	ContributorID *uuid.UUID
	PositionID    *uuid.UUID
}

// Mine returns the actor's menu: what any of their rights opens and they do for themselves or, where something is chosen,
// what their rights over that open. What no channel leads to now is left out. It returns fault.NotFound for what the actor
// has no right over.
func (c *Catalogue) Mine(ctx context.Context, by access.Actor, chosen Chosen, english bool, request page.Request) (page.Page[Mine], error) {
	var none page.Page[Mine]
	usable, err := c.usable(ctx, by, &chosen)
	if err != nil {
		return none, err
	}
	all, err := c.repository.all(ctx, "")
	if err != nil {
		return none, err
	}
	menu, err := c.repository.menu(ctx, by.PersonID)
	if err != nil {
		return none, err
	}
	now := c.runner.Clock.Now()
	offered := make([]Service, 0, len(all))
	for _, s := range all {
		if s.open(now) && includes(s.Audience.Classes, by.UserClass) && usable(s) {
			offered = append(offered, s.at(chosen.ContributorID, chosen.PositionID))
		}
	}
	return page.Slice(menu.arrange(offered, english), request, func(m Mine) page.Key { return page.Key{Text: m.Code, ID: uuid.NameSpaceOID} })
}

// usable returns what decides whether the actor's rights open a service. The contributor of a chosen position is chosen with it.
func (c *Catalogue) usable(ctx context.Context, by access.Actor, chosen *Chosen) (func(Service) bool, error) {
	if chosen.ContributorID == nil && chosen.PositionID == nil {
		return c.anywhere(ctx, by)
	}
	var at contributor.Entitled
	var p contributor.Position
	var err error
	if chosen.PositionID != nil {
		p, at, err = c.contributors.FindPosition(ctx, by, *chosen.PositionID)
		if err == nil && chosen.ContributorID != nil && at.ID != *chosen.ContributorID {
			err = fault.New(fault.NotFound)
		}
		chosen.ContributorID = &p.ContributorID
	} else {
		at, err = c.contributors.Find(ctx, by, *chosen.ContributorID)
	}
	if err != nil {
		return nil, err
	}
	return func(s Service) bool {
		return slices.ContainsFunc(at.Rights, func(r access.Right) bool {
			return s.usableAt(place{kind: string(at.Kind), scheme: p.Scheme, right: r})
		})
	}, nil
}

// anywhere is for a menu in which nothing is chosen.
func (c *Catalogue) anywhere(ctx context.Context, by access.Actor) (func(Service) bool, error) {
	reaches, err := c.rights.Reach(ctx, by)
	if err != nil {
		return nil, err
	}
	seats, err := c.rights.Seats(ctx, by)
	if err != nil {
		return nil, err
	}
	return func(s Service) bool {
		return s.personal() || s.Audience.Intermediaries && len(seats) > 0 || slices.ContainsFunc(reaches, func(r access.Reach) bool {
			return s.usableAt(place{kind: r.Kind, right: access.Right{ActingAs: r.ActingAs, Services: r.Services}})
		})
	}, nil
}

// Menu returns how the actor arranged the services; who never did has no entries.
func (c *Catalogue) Menu(ctx context.Context, by access.Actor) (Menu, error) {
	return c.repository.menu(ctx, by.PersonID)
}

// ReplaceMenu replaces the actor's arrangement, of which they read the expected version. It returns fault.PreconditionFailed
// when it changed since, and fault.Invalid for services that never were, or stand twice, and for wrong settings.
func (c *Catalogue) ReplaceMenu(ctx context.Context, by access.Actor, expected int, entries []Entry) (Menu, error) {
	return operation.Do(ctx, c.runner, by, by.PersonID.String(), func(ctx context.Context) (Menu, operation.Trace, error) {
		trace := operation.Trace{SubjectKind: "menu", SubjectID: by.PersonID.String()}
		known, err := c.repository.codes(ctx)
		if err != nil {
			return Menu{}, trace, err
		}
		if err := checkEntries(entries, known); err != nil {
			return Menu{}, trace, err
		}
		if entries == nil {
			entries = []Entry{}
		}
		if expected < 1 {
			return Menu{}, trace, fault.New(fault.PreconditionFailed)
		}
		m := Menu{PersonID: by.PersonID, Entries: entries, Version: expected + 1, UpdatedAt: c.runner.Clock.Now()}
		replaced, err := c.repository.replaceMenu(ctx, m)
		if err == nil && !replaced {
			err = fault.New(fault.PreconditionFailed)
		}
		return m, trace, err
	}, nil)
}
