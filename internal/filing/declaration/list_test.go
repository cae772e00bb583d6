package declaration_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// archive is a world with many declarations: two companies with positions in two offices, and
// several people who file.
type archive struct {
	*world.App
	first, second world.Company
	// rep acts for both companies, a colleague for the first one. The clerk may not see
	// declarations at the second one.
	rep, repSecond, colleague, clerk, operator access.Actor
}

var workers = []string{"RSSMRA80A01H501U", "MKJRLA80A01L407X"}

func newArchive(t *testing.T, d *db.DB) archive {
	t.Helper()
	a := archive{App: world.New(t, d)}
	a.first, a.rep = a.Employer(t, world.Rome, world.Milan)
	a.second = a.Company(t, world.Milan)
	a.Role(t, a.rep.PersonID, a.second.ID, access.LegalRepresentative)
	a.repSecond = a.Enter(t, a.rep.SessionID, a.second.ID)
	a.colleague = a.Colleague(t, a.first.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
	a.clerk = a.Colleague(t, a.first.ID, access.Employer, access.Dispositive)
	// At the second company the clerk manages users: of declarations that right says nothing.
	a.Role(t, a.clerk.PersonID, a.second.ID, access.UserAdministrator, "users")
	a.operator = a.Desk(t, world.Rome, a.first.ID)
	for i := range 90 {
		a.add(t, i)
	}
	return a
}

// add makes one more declaration, each time another kind.
func (a archive) add(t testing.TB, i int) {
	t.Helper()
	by, c := a.rep, a.first
	switch i % 5 {
	case 1:
		by = a.colleague
	case 2:
		by, c = a.repSecond, a.second
	case 3:
		by = a.clerk
	}
	in := declaration.Input{
		Type: world.Type, PositionID: c.Positions[i%len(c.Positions)].ID, Content: world.ContentFor(workers[i/3%2]), Submit: i%4 != 0,
	}
	if i%7 == 0 {
		in.Type, in.Content = "76-2013", json.RawMessage(
			`{"worker_tax_code":"RSSMRA80A01H501U","mandatory_communication_code":"1700026200987654","event":"hire","event_date":"2026-02-02","benefit":"naspi","hire_not_compulsory":true,"no_dismissal_by_linked_employer":true,"de_minimis_aid":"0.00"}`,
		)
	}
	made, err := a.Declarations.Draft(ctx, by, c.ID, in)
	if err != nil {
		t.Fatal(err)
	}
	if in.Submit && i%6 == 1 {
		a.Exec(t, "UPDATE declarations SET state = ? WHERE id = ?", states[i%len(states)], made.ID)
	}
	// Several have the same time: drafts, and what is filed at different offices.
	if i%3 == 0 {
		a.Clock.Advance(time.Second)
	}
}

// everything is what the table holds.
func (a archive) everything(t testing.TB) []declaration.Declaration {
	t.Helper()
	var all []declaration.Declaration
	if err := a.DB.From(ctx).Table("declarations").Find(&all).Error; err != nil {
		t.Fatal(err)
	}
	return all
}

// view is one of the three lists, as somebody sees it.
type view struct {
	name string
	list func(declaration.Filter, page.Request) (page.Page[declaration.View], error)
	sees func(declaration.Declaration) bool
}

func (a archive) views() []view {
	ofContributor := func(name string, by access.Actor) view {
		return view{
			name,
			func(f declaration.Filter, r page.Request) (page.Page[declaration.View], error) {
				return a.Declarations.OfContributor(ctx, by, f, r)
			},
			func(d declaration.Declaration) bool {
				return d.ContributorID == a.first.ID && (d.State != declaration.Draft || d.PersonID == by.PersonID)
			},
		}
	}
	mine := func(name string, by access.Actor, companies ...uuid.UUID) view {
		return view{
			name,
			func(f declaration.Filter, r page.Request) (page.Page[declaration.View], error) {
				return a.Declarations.Mine(ctx, by, f, r)
			},
			func(d declaration.Declaration) bool {
				return slices.Contains(companies, d.ContributorID) && (d.State != declaration.Draft || d.PersonID == by.PersonID)
			},
		}
	}
	return []view{
		ofContributor("the contributor's, by the representative", a.rep),
		ofContributor("the contributor's, by a colleague", a.colleague),
		mine("all of the representative's", a.rep, a.first.ID, a.second.ID),
		mine("all of a colleague's", a.colleague, a.first.ID),
		mine("all of who only manages users at the second one", a.clerk, a.first.ID),
		mine("all of an operator without a role", a.operator),
		{
			"the contributor's, by the operator",
			func(f declaration.Filter, r page.Request) (page.Page[declaration.View], error) {
				return a.Declarations.OfContributor(ctx, a.operator, f, r)
			},
			func(d declaration.Declaration) bool {
				return d.ContributorID == a.first.ID && d.State != declaration.Draft && d.OfficeCode == world.Rome
			},
		},
		{
			"the office's",
			func(f declaration.Filter, r page.Request) (page.Page[declaration.View], error) {
				return a.Declarations.OfOffice(ctx, a.operator, f, r)
			},
			func(d declaration.Declaration) bool {
				return d.State != declaration.Draft && d.OfficeCode == world.Rome
			},
		},
	}
}

// passes is what a filter says, in other words.
func passes(f declaration.Filter, d declaration.Declaration) bool {
	switch {
	case f.Type != "" && d.Type != f.Type, f.State != "" && d.State != f.State,
		f.WorkerTaxCode != "" && (d.WorkerTaxCode == nil || *d.WorkerTaxCode != f.WorkerTaxCode),
		f.SubmittedFrom != nil && (d.SubmittedAt == nil || d.SubmittedAt.Before(*f.SubmittedFrom)),
		f.SubmittedTo != nil && (d.SubmittedAt == nil || !d.SubmittedAt.Before(*f.SubmittedTo)):
		return false
	}
	return true
}

// latestFirst is the order of lists: by submission, or creation of a draft, and then by id.
func latestFirst(x, y declaration.Declaration) int {
	at := func(d declaration.Declaration) time.Time {
		if d.SubmittedAt != nil {
			return *d.SubmittedAt
		}
		return d.CreatedAt
	}
	return cmp.Or(at(y).Compare(at(x)), bytes.Compare(y.ID[:], x.ID[:]))
}

func drawFilter(t *rapid.T, all []declaration.Declaration) declaration.Filter {
	instant := func(label string) *time.Time {
		d := rapid.SampledFrom(all).Draw(t, label)
		at := d.CreatedAt
		if d.SubmittedAt != nil {
			at = *d.SubmittedAt
		}
		// On the instant itself, or a microsecond beside it; in whichever zone.
		at = at.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, label+" beside")) * time.Microsecond).In(time.FixedZone("", 7200))
		return &at
	}
	var f declaration.Filter
	if rapid.Bool().Draw(t, "by type") {
		f.Type = rapid.SampledFrom([]string{world.Type, "76-2013", "NONE"}).Draw(t, "type")
	}
	if rapid.Bool().Draw(t, "by state") {
		f.State = rapid.SampledFrom(append([]declaration.State{declaration.Draft, declaration.Submitted}, states...)).Draw(t, "state")
	}
	if rapid.Bool().Draw(t, "by worker") {
		f.WorkerTaxCode = rapid.SampledFrom(append(workers, "00743110157")).Draw(t, "worker")
	}
	if rapid.Bool().Draw(t, "from") {
		f.SubmittedFrom = instant("from")
	}
	if rapid.Bool().Draw(t, "to") {
		f.SubmittedTo = instant("to")
	}
	return f
}

// follow reads all pages of a list and checks that they are what the view shows. Each declaration
// that the filter lets through comes once and in order. between is called after every page but the
// last.
func (a archive) follow(
	t rapid.TB, v view, filter declaration.Filter, all []declaration.Declaration, limit int, between func(),
) (items int) {
	t.Helper()
	var want []declaration.Declaration
	for _, d := range all {
		if v.sees(d) && passes(filter, d) {
			want = append(want, d)
		}
	}
	slices.SortFunc(want, latestFirst)
	request := page.Request{Limit: limit}
	for {
		p, err := v.list(filter, request)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Items) > limit || p.Next != "" && len(p.Items) != limit {
			t.Fatalf("%s: a page of %d, limit %d, next %q", v.name, len(p.Items), limit, p.Next)
		}
		for _, item := range p.Items {
			if items >= len(want) || item.ID != want[items].ID {
				t.Fatalf("%s, %+v: item %d of %d is %s (%s)", v.name, filter, items, len(want), item.ID, item.State)
			}
			if item.GivenName == "" || item.JWS != "" {
				t.Fatalf("%s: an item has the name %q and the receipt %q", v.name, item.GivenName, item.JWS)
			}
			items++
		}
		if p.Next == "" {
			if items != len(want) {
				t.Fatalf("%s, %+v: %d items, want %d", v.name, filter, items, len(want))
			}
			return items
		}
		request.Cursor = p.Next
		between()
	}
}

// Following the pages gives what the filter lets through, each once and in order. That holds while
// new ones arrive.
func TestDeclaration_PagesCoverAList(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := newArchive(t, d)
		views := a.views()
		for _, v := range views {
			n := a.follow(t, v, declaration.Filter{}, a.everything(t), 7, func() {})
			if (n == 0) != (v.name == "all of an operator without a role") {
				t.Errorf("%s: %d items", v.name, n)
			}
		}
		arrived := 90
		rapid.Check(t, func(rt *rapid.T) {
			all := a.everything(t)
			v := views[rapid.IntRange(0, len(views)-1).Draw(rt, "view")]
			a.follow(rt, v, drawFilter(rt, all), all, rapid.IntRange(1, 40).Draw(rt, "limit"), func() {
				if arrived < 200 && rapid.IntRange(0, 3).Draw(rt, "one arrives") == 0 {
					a.Clock.Advance(time.Microsecond)
					a.add(t, arrived)
					arrived++
				}
			})
		})
	})
}

func TestDeclaration_ACursorThatIsNone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		_, by := a.Employer(t)
		for _, cursor := range []string{"x", "e30", "MDE4ZjNiMjA"} {
			_, err := a.Declarations.OfContributor(ctx, by, declaration.Filter{}, page.Request{Cursor: cursor})
			if !fault.Is(err, fault.Malformed) {
				t.Errorf("%s: %v", cursor, err)
			}
		}
	})
}

// A cursor may come from a list with another filter: both hold.
func TestDeclaration_ACursorOfAnotherFilter(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t, world.Rome, world.Milan)
		// At one instant, at two offices.
		for i := range c.Positions {
			a.Draft(t, by, c, declaration.Input{Type: world.Type, PositionID: c.Positions[i].ID, Content: world.Content(), Submit: true})
		}
		at := a.Clock.Now()
		a.Clock.Advance(time.Second)
		a.Submit(t, by, c)
		list := func(to *time.Time, cursor string) page.Page[declaration.View] {
			t.Helper()
			p, err := a.Declarations.OfContributor(ctx, by, declaration.Filter{SubmittedTo: to}, page.Request{Limit: 1, Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		last := list(nil, "")
		first := list(nil, last.Next)
		after := at.Add(time.Microsecond)
		for name, c := range map[string]struct {
			to     time.Time
			cursor string
			want   int
		}{
			"a cursor behind the end": {at, last.Next, 0}, "a cursor on the end": {at, first.Next, 0},
			"a cursor before the end": {after, first.Next, 1}, "an end before the cursor": {after, last.Next, 1},
		} {
			if got := list(&c.to, c.cursor); len(got.Items) != c.want {
				t.Errorf("%s: %d items", name, len(got.Items))
			}
		}
	})
}

func TestDeclaration_ListsOfNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		a.Submit(t, by, c)
		a.Draft(t, by, c, c.Input(false))
		for name, list := range map[string]func() (page.Page[declaration.View], error){
			"nobody's contributor": func() (page.Page[declaration.View], error) {
				return a.Declarations.OfContributor(ctx, access.Actor{
					PersonID: by.PersonID, ContributorID: c.ID,
				}, declaration.Filter{}, page.Request{})
			},
			"nobody": func() (page.Page[declaration.View], error) {
				return a.Declarations.Mine(ctx, access.Actor{}, declaration.Filter{}, page.Request{})
			},
			"no office": func() (page.Page[declaration.View], error) {
				return a.Declarations.OfOffice(ctx, by, declaration.Filter{}, page.Request{})
			},
		} {
			if got, err := list(); err != nil || len(got.Items) != 0 || got.Next != "" {
				t.Errorf("%s: %d items, %v", name, len(got.Items), err)
			}
		}
	})
}

func TestDeclaration_TypesAreListedByCode(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		var codes []string
		request := page.Request{Limit: 2}
		for {
			p, err := a.Types.List(ctx, request)
			if err != nil {
				t.Fatal(err)
			}
			for _, typ := range p.Items {
				codes = append(codes, typ.Code)
			}
			if request.Cursor = p.Next; p.Next == "" {
				break
			}
		}
		if want := []string{
			"151-2015", "76-2013", "ART22-GIOVANI", "DETI-arr", "GAGI", "IO-LAVORO", "NEET-2023", "RIOC", "SRDC",
		}; !slices.Equal(codes, want) {
			t.Errorf("%v, not %v", codes, want)
		}
		if _, err := a.Types.Get(ctx, "RIO"); !fault.Is(err, fault.NotFound) {
			t.Errorf("an unknown code: %v", err)
		}
	})
}
