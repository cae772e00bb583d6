package servicecatalog

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// Contributors knows contributors, positions, and the rights over them.
type Contributors interface {
	// Find returns a contributor with the actor's rights over it, or fault.NotFound.
	Find(ctx context.Context, by access.Actor, id uuid.UUID) (contributor.WithRights, error)
	// FindPosition returns a position and its contributor with the actor's rights about it, or
	// fault.NotFound.
	FindPosition(ctx context.Context, by access.Actor, id uuid.UUID) (contributor.Position, contributor.WithRights, error)
}

// Deps are what the catalogue works with.
type Deps struct {
	Runner *operation.Runner
	// Rights and Contributors are needed for somebody's menu alone.
	Rights       *access.Repository
	Contributors Contributors
}

// Catalogue has the use cases of services and menus.
type Catalogue struct {
	run          *operation.Runner
	repo         repository
	rights       *access.Repository
	contributors Contributors
}

// New returns the catalogue.
func New(d Deps) *Catalogue {
	return &Catalogue{run: d.Runner, repo: repository{d.Runner.DB}, rights: d.Rights, contributors: d.Contributors}
}

// Install brings the services that come with the program into the context's transaction. It adds
// those that are not there yet, and newer versions of those that are.
func (c *Catalogue) Install(ctx context.Context) error {
	shipped, err := Shipped()
	if err != nil {
		return err
	}
	for _, s := range shipped {
		if err := c.repo.put(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// AddChannel gives a service a channel in the context's transaction, or changes the one that it
// has.
func (c *Catalogue) AddChannel(ctx context.Context, service string, channel Channel) error {
	return c.repo.putChannel(ctx, service, channel)
}

// List returns every service, by section and title.
func (c *Catalogue) List(ctx context.Context, english bool, request page.Request) (page.Page[View], error) {
	all, err := c.repo.all(ctx, "")
	if err != nil {
		return page.Page[View]{}, err
	}
	slices.SortFunc(all, bySectionAndTitle(english))
	now, views := c.run.Clock.Now(), make([]View, len(all))
	for i, s := range all {
		views[i] = s.at(now)
	}
	return page.Slice(views, request, func(s View) page.Key { return page.Key{Text: s.Code, ID: uuid.NameSpaceOID} })
}

// Enter returns a channel of a service that is open. It returns fault.NotFound, and
// fault.ChannelClosed with where to go instead.
func (c *Catalogue) Enter(ctx context.Context, service, channel string) (ChannelView, error) {
	found, err := c.repo.all(ctx, service)
	if err == nil && len(found) == 0 {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return ChannelView{}, err
	}
	now := c.run.Clock.Now()
	opened, err := found[0].openChannel(channel, now)
	if err != nil {
		return ChannelView{}, err
	}
	return opened.at(now), nil
}

// Chosen narrows a menu down to what may be done for a contributor, or about one of its positions.
type Chosen struct {
	ContributorID *uuid.UUID
	PositionID    *uuid.UUID
}

// Mine returns the actor's menu. Without a choice it has what any of their rights opens and what
// they do for themselves; else what their rights over the chosen place open. What no channel leads
// to now is left out. It returns fault.NotFound for what the actor has no right over.
func (c *Catalogue) Mine(ctx context.Context, by access.Actor, chosen Chosen, english bool, request page.Request) (page.Page[Mine], error) {
	var none page.Page[Mine]
	now := c.run.Clock.Now()
	offered, err := c.offered(ctx, by, chosen, now)
	if err != nil {
		return none, err
	}
	menu, err := c.repo.menu(ctx, by.PersonID)
	if err != nil {
		return none, err
	}
	return page.Slice(menu.arrange(offered, english, now), request, func(m Mine) page.Key {
		return page.Key{Text: m.Code, ID: uuid.NameSpaceOID}
	})
}

// offered returns the services that the actor may use and that are open at the instant, in no
// order.
func (c *Catalogue) offered(ctx context.Context, by access.Actor, chosen Chosen, now time.Time) ([]Service, error) {
	u, err := c.user(ctx, by, &chosen)
	if err != nil {
		return nil, err
	}
	all, err := c.repo.all(ctx, "")
	if err != nil {
		return nil, err
	}
	offered := make([]Service, 0, len(all))
	for _, s := range all {
		if s, usable := s.forUser(u); usable && s.open(now) {
			offered = append(offered, s.leadingTo(chosen.ContributorID, chosen.PositionID))
		}
	}
	return offered, nil
}

// user finds what opens services to the actor. The contributor of a chosen position is chosen with
// it.
func (c *Catalogue) user(ctx context.Context, by access.Actor, chosen *Chosen) (user, error) {
	if chosen.ContributorID == nil && chosen.PositionID == nil {
		return c.anywhere(ctx, by)
	}
	var at contributor.WithRights
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
	u := user{class: by.UserClass, chosen: true}
	for _, r := range at.Rights {
		u.places = append(u.places, place{kind: string(at.Kind), scheme: p.Scheme, right: r})
	}
	return u, err
}

// anywhere is for a menu in which nothing is chosen.
func (c *Catalogue) anywhere(ctx context.Context, by access.Actor) (user, error) {
	u := user{class: by.UserClass}
	reaches, err := c.rights.Reach(ctx, by)
	if err != nil {
		return u, err
	}
	for _, r := range reaches {
		u.places = append(u.places, place{kind: r.Kind, right: access.Right{ActingAs: r.ActingAs, Services: r.Services}})
	}
	u.memberships, err = c.rights.Memberships(ctx, by)
	return u, err
}

// Menu returns how the actor arranged the services; who never did has what Mine lists, in its
// order.
func (c *Catalogue) Menu(ctx context.Context, by access.Actor, english bool) (Menu, error) {
	menu, err := c.repo.menu(ctx, by.PersonID)
	if err != nil || menu.Version != Unarranged {
		return menu, err
	}
	now := c.run.Clock.Now()
	offered, err := c.offered(ctx, by, Chosen{}, now)
	for _, m := range menu.arrange(offered, english, now) {
		menu.Entries = append(menu.Entries, Entry{ServiceCode: m.Code, Settings: map[string]any{}})
	}
	return menu, err
}

// ReplaceMenu replaces the actor's arrangement, of which they read the expected version. It returns
// fault.PreconditionFailed when it changed since, and fault.Invalid for services that never were,
// or stand twice, and for wrong settings.
func (c *Catalogue) ReplaceMenu(ctx context.Context, by access.Actor, expected int, entries []Entry) (Menu, error) {
	return operation.Do(ctx, c.run, by, by.PersonID.String(), func(ctx context.Context, trace *operation.Trace) (Menu, error) {
		trace.SubjectKind = "menu"
		known, err := c.repo.codes(ctx)
		if err != nil {
			return Menu{}, err
		}
		if err := checkEntries(entries, known); err != nil {
			return Menu{}, err
		}
		if entries == nil {
			entries = []Entry{}
		}
		before, err := c.repo.lockMenu(ctx, by.PersonID)
		if err != nil {
			return Menu{}, err
		}
		if err := fault.RequireVersion(expected, before.Version); err != nil {
			return Menu{}, err
		}
		m := Menu{PersonID: by.PersonID, Entries: entries, Version: before.Version + 1, UpdatedAt: c.run.Clock.Now()}
		return m, c.repo.putMenu(ctx, m)
	}, nil)
}
