package servicecatalog_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/servicecatalog"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// The shipped services have all that a right may cover. The dossier of public bodies has the old
// channel until 15 July 2023 at midnight in Rome, and the new one for ever.
func TestServiceCatalog_TheShippedServices(t *testing.T) {
	all, err := servicecatalog.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]servicecatalog.Service{}
	for _, s := range all {
		if known[s.Code].Code != "" || s.Version < 1 || s.TitleIT == "" || s.TitleEN == "" || s.Section == "" || len(s.Channels) == 0 {
			t.Errorf("%s is not whole", s.Code)
		}
		known[s.Code] = s
		if s.RightService != "" && !slices.Contains(access.Services(), s.RightService) {
			t.Errorf("%s needs %s, which no right covers", s.Code, s.RightService)
		}
	}
	for _, s := range access.Services() {
		if known[string(s)].Code == "" {
			t.Errorf("%s is covered by rights and no service", s)
		}
	}
	closes := time.Date(2023, 7, 15, 22, 0, 0, 0, time.UTC)
	for _, s := range access.PublicBodyServices() {
		open := func(now time.Time) (channels []string) {
			for _, c := range known[string(s)].Channels {
				if c.OpenAt(now) {
					channels = append(channels, c.Channel)
				}
			}
			return channels
		}
		if got := open(closes.Add(-time.Second)); !slices.Equal(got, []string{"api", "web"}) {
			t.Errorf("%s: before the end %v", s, got)
		}
		if got := open(closes); !slices.Equal(got, []string{"api"}) {
			t.Errorf("%s: at the end %v", s, got)
		}
	}
}

func TestServiceCatalog_TheMenuIsMadeOfRights(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company, body := w.Company(t, world.Rome), w.body(world.Milan)
		professional, delegate := w.Professional(t)
		w.Delegation(t, delegate, body, func(d *world.Delegation) { d.Scope, d.Services = "partial", world.Services(access.ViewPayments) })
		worker := w.Person(t, nil)
		w.SubDelegation(t, delegate, worker.ID, nil)
		over, overDelegate := w.Professional(t)
		past := w.Clock.Now()
		w.Delegation(t, overDelegate, body, func(d *world.Delegation) { d.ValidUntil = &past })
		everything := w.as(body.ID, access.LegalRepresentative)
		w.Role(t, everything.PersonID, company.ID, access.UserAdministrator)

		cases := map[string]struct {
			by     access.Actor
			chosen servicecatalog.Chosen
			want   []string
		}{
			"a citizen": {w.enter(w.Person(t, nil).ID), servicecatalog.Chosen{}, own},
			"who represents a company": {
				w.as(company.ID, access.LegalRepresentative),
				servicecatalog.Chosen{},
				sorted(own, []string{"declarations", "delegations", "dossier", "users"}),
			},
			"there": {
				w.as(company.ID, access.LegalRepresentative), at(company.ID), []string{"declarations", "delegations", "dossier", "users"},
			},
			"an employee for declarations": {
				w.as(company.ID, access.EmployeeDelegate, access.Declarations), at(company.ID), []string{"declarations"},
			},
			"a right that is not the company's": {
				w.as(company.ID, access.EmployeeDelegate, access.ViewPayments), servicecatalog.Chosen{}, own,
			},
			"a user administrator": {w.as(company.ID, access.UserAdministrator), at(company.ID), []string{"users"}},
			"who represents a public body": {
				everything, at(body.ID), sorted(dossier, []string{"declarations", "delegations", "dossier", "users"}),
			},
			"at the body's position": {
				everything, position(body.Positions[0].ID), sorted(dossier, []string{"declarations", "delegations", "dossier", "users"}),
			},
			"at the company": {everything, at(company.ID), []string{"users"}},
			"an intermediary": {
				w.enter(professional.ID), servicecatalog.Chosen{}, sorted(own, []string{"delegations", "view_payments"}),
			},
			"an intermediary at the body": {w.enter(professional.ID), at(body.ID), []string{"view_payments"}},
			"its worker":                  {w.enter(worker.ID), position(body.Positions[0].ID), []string{"view_payments"}},
			"its worker anywhere": {
				w.enter(worker.ID), servicecatalog.Chosen{}, sorted(own, []string{"view_payments"}),
			},
			"an intermediary whose delegation is over": {w.enter(over.ID), servicecatalog.Chosen{}, sorted(own, []string{"delegations"})},
			"an operator": {
				w.enter(w.Operator(t, world.Rome).ID),
				servicecatalog.Chosen{},
				[]string{
					"contacts", "office_declarations", "office_deliveries", "office_enrolments", "office_people", "office_pin_upgrades",
					"pin",
				},
			},
			"the contact centre": {
				w.staff(access.ContactCentre),
				servicecatalog.Chosen{},
				[]string{"contacts", "office_deliveries", "office_people", "office_pin_requests", "pin"},
			},
			"an administrator": {
				w.staff(access.Administrator),
				servicecatalog.Chosen{},
				[]string{
					"contacts", "office_deliveries", "office_operators", "office_people", "office_pin_requests", "office_register_imports",
					"pin",
				},
			},
			"an operator at the office's contributor": {w.enter(w.Operator(t, world.Rome).ID), at(company.ID), []string{}},
		}
		for name, c := range cases {
			if diff := cmp.Diff(c.want, codes(w.mine(c.by, c.chosen))); diff != "" {
				t.Errorf("%s:\n%s", name, diff)
			}
		}
		for name, chosen := range map[string]servicecatalog.Chosen{
			"another contributor": at(company.ID), "another's position": position(company.Positions[0].ID),
			"no contributor": at(uuid.New()), "no position": position(uuid.New()),
			"a position that is not the contributor's": {ContributorID: &body.ID, PositionID: &company.Positions[0].ID},
		} {
			_, err := w.catalogue.Mine(ctx, w.enter(professional.ID), chosen, false, page.Request{})
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, err := w.catalogue.Mine(ctx, w.enter(w.Operator(t, world.Rome).ID), position(body.Positions[0].ID), false, page.Request{})
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("an operator of another office: %v", err)
		}
	})
}

// Delegations are drafted by the professional who is on the register. At an association, CAF or
// patronato on it, who has a role with that service drafts them. Who gives roles there manages its
// users.
func TestServiceCatalog_TheMenuOffersWhatOneMayDo(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company := w.Company(t, world.Rome)
		professional, delegate := w.Professional(t)
		w.Delegation(t, delegate, company, nil)
		worker := w.Person(t, nil)
		w.SubDelegation(t, delegate, worker.ID, nil)
		over, overDelegate := w.Professional(t)
		w.StrikeOff(t, overDelegate)
		all := access.AllServices

		drafts := []string{"list", "draft", "search-candidates", "draft-batch", "sub-delegations"}
		looks := []string{"list", "sub-delegations"}
		gives := []string{"list", "given"}
		for name, c := range map[string]struct {
			by          access.Actor
			chosen      servicecatalog.Chosen
			delegations []string
			users       bool
		}{
			"a citizen":                    {by: w.enter(w.Person(t, nil).ID)},
			"a professional":               {by: w.enter(professional.ID), delegations: drafts},
			"a professional at a client":   {by: w.enter(professional.ID), chosen: at(company.ID)},
			"one off the register":         {by: w.enter(over.ID), delegations: looks},
			"a sub-delegate":               {by: w.enter(worker.ID)},
			"a sub-delegate at the client": {by: w.enter(worker.ID), chosen: at(company.ID)},
			"a CAF's representative": {
				by: w.seated("caf", false, access.LegalRepresentative, all), delegations: drafts, users: true,
			},
			"a CAF's administrator": {by: w.seated("caf", false, access.UserAdministrator, all), users: true},
			"an association's worker": {
				by: w.seated("association", false, access.EmployeeDelegate, access.Delegations), delegations: drafts,
			},
			"a worker for declarations":  {by: w.seated("patronato", false, access.EmployeeDelegate, access.Declarations)},
			"a worker of one struck off": {by: w.seated("patronato", true, access.EmployeeDelegate, all), delegations: looks},
			"a firm's representative":    {by: w.seated("firm", false, access.LegalRepresentative, all)},
			"a firm's worker":            {by: w.seated("firm", false, access.EmployeeDelegate, all)},
			"who represents a company":   {by: w.as(company.ID, access.LegalRepresentative), delegations: gives},
			"who represents a company, there": {
				by: w.as(company.ID, access.LegalRepresentative), chosen: at(company.ID), delegations: gives,
			},
			"an employee for declarations": {by: w.as(company.ID, access.EmployeeDelegate, access.Declarations)},
			"a company's administrator":    {by: w.as(company.ID, access.UserAdministrator)},
		} {
			var delegations []string
			users := false
			for _, s := range w.mine(c.by, c.chosen) {
				users = users || s.Code == "intermediary_users"
				for _, l := range s.Links {
					if s.Code == "delegations" {
						delegations = append(delegations, l.Rel)
					}
				}
			}
			if diff := cmp.Diff(c.delegations, delegations); diff != "" || users != c.users {
				t.Errorf("%s: users %t, delegations\n%s", name, users, diff)
			}
		}
		for name, c := range map[string]struct {
			by        access.Actor
			registers bool
		}{"an operator": {w.enter(w.Operator(t, world.Rome).ID), true}, "an administrator": {w.staff(access.Administrator), false}} {
			for _, s := range w.mine(c.by, servicecatalog.Chosen{}) {
				if s.Code == "office_people" && slices.ContainsFunc(s.Links, func(l servicecatalog.Link) bool {
					return l.Rel == "register"
				}) != c.registers {
					t.Errorf("%s: %+v", name, s.Links)
				}
			}
		}
	})
}

func TestServiceCatalog_LinksLeadToWhatWasChosen(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company, by := w.Employer(t)
		for _, chosen := range []servicecatalog.Chosen{{}, at(company.ID), position(company.Positions[0].ID)} {
			for _, s := range w.mine(by, chosen) {
				for _, l := range s.Links {
					if open := chosen == (servicecatalog.Chosen{}); !open && strings.Contains(l.Href, "{") ||
						open && strings.Contains(l.Href, company.ID.String()) {
						t.Errorf("%s leads to %s", s.Code, l.Href)
					}
				}
			}
		}
		if links := w.mine(by, at(company.ID))[0].Links; links[0].Href != "/v1/contributors/"+company.ID.String()+"/declarations" {
			t.Errorf("declarations lead to %v", links)
		}
	})
}

// TestServiceCatalog_ANewServiceIsData: a row more is an entry more, for whom it says and while a
// channel of it is open.
func TestServiceCatalog_ANewServiceIsData(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		body := w.body(world.Rome)
		by := w.as(body.ID, access.LegalRepresentative)
		opens, closes := w.Clock.Now().Add(time.Hour), w.Clock.Now().Add(2*time.Hour)
		w.Exec(t, `INSERT INTO services (code, version, title_it, title_en, section, audience, links)
			VALUES ('school', 1, 'Scuole', 'Schools', 'dossier',
			'{"acting_as": ["legal_representative"], "kinds": ["public_body"], "schemes": ["aziende"]}', '[{"rel": "show",
			"href": "/v1/positions/{position_id}/schools", "method": "GET"}]')`)
		w.Exec(
			t, "INSERT INTO service_channels (service_code, channel, opens_at, closes_at, href) VALUES ('school', 'api', ?, ?, '/docs')",
			opens, closes,
		)
		shown := func(chosen servicecatalog.Chosen) bool { return slices.Contains(codes(w.mine(by, chosen)), "school") }
		if shown(servicecatalog.Chosen{}) {
			t.Error("shown before it opens")
		}
		w.Clock.Advance(time.Hour)
		if !shown(servicecatalog.Chosen{}) || !shown(at(body.ID)) || !shown(position(body.Positions[0].ID)) {
			t.Error("not shown")
		}
		w.Exec(t, "UPDATE positions SET scheme = 'public_employees' WHERE id = ?", body.Positions[0].ID)
		if !shown(at(body.ID)) || shown(position(body.Positions[0].ID)) {
			t.Error("the scheme of the position does not count")
		}
		w.Clock.Advance(time.Hour)
		if shown(servicecatalog.Chosen{}) {
			t.Error("shown after it closed")
		}
		w.Exec(t, "UPDATE service_channels SET closes_at = NULL WHERE service_code = 'school'")
		w.Exec(t, "UPDATE services SET withdrawn_at = ? WHERE code = 'school'", w.Clock.Now())
		if shown(servicecatalog.Chosen{}) {
			t.Error("shown after it was withdrawn")
		}
		// Who arranged it keeps the arrangement.
		if _, err := w.catalogue.ReplaceMenu(ctx, by, 1, []servicecatalog.Entry{{ServiceCode: "school"}}); err != nil {
			t.Error(err)
		}
	})
}

// TestServiceCatalog_InstallBringsNewerVersions and leaves alone what was changed here since.
func TestServiceCatalog_InstallBringsNewerVersions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		closes := w.Clock.Now().Add(time.Hour)
		w.Must(t, func(ctx context.Context) error {
			return w.catalogue.AddChannel(ctx, "pin", servicecatalog.Channel{Channel: "api", ClosesAt: &closes, Href: "/docs"})
		})
		w.Exec(t, "UPDATE services SET section = 'elsewhere' WHERE code = 'pin'")
		w.Must(t, w.catalogue.Install)
		if n := w.Count(t, "services WHERE code = 'pin' AND section = 'elsewhere'") +
			w.Count(t, "service_channels WHERE service_code = 'pin' AND closes_at IS NOT NULL"); n != 2 {
			t.Error("what was changed is lost")
		}
		w.Exec(t, "UPDATE services SET version = 0 WHERE code = 'pin'")
		w.Must(t, w.catalogue.Install)
		if n := w.Count(t, "services WHERE code = 'pin' AND section = 'profile' AND version = 1") +
			w.Count(t, "service_channels WHERE service_code = 'pin' AND closes_at IS NULL"); n != 2 {
			t.Error("the newer version did not come")
		}
	})
}

func TestServiceCatalog_ChannelsHaveWindows(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		opens, closes := w.Clock.Now().Add(time.Hour), w.Clock.Now().Add(2*time.Hour)
		w.Must(t, func(ctx context.Context) error {
			return w.catalogue.AddChannel(ctx, "declarations", servicecatalog.Channel{
				Channel: "kiosk", OpensAt: &opens, ClosesAt: &closes, Href: "/docs",
			})
		})
		enter := func(what, service, channel string, code fault.Code, reason, href string) {
			t.Helper()
			_, err := w.catalogue.Enter(ctx, service, channel)
			var f *fault.Fault
			if code == "" {
				if err != nil {
					t.Errorf("%s: %v", what, err)
				}
				return
			}
			if !errors.As(err, &f) || f.Code != code || f.Reason != reason || f.Href != href {
				t.Errorf("%s: %v", what, err)
			}
		}
		enter("the old channel", "view_payments", "web", fault.ChannelClosed, "channel-over", "/v1/services/view_payments/channels/api")
		enter("the new channel", "view_payments", "api", "", "", "")
		enter("too early", "declarations", "kiosk", fault.ChannelClosed, "channel-not-yet-open", "/v1/services/declarations/channels/api")
		w.Clock.Advance(time.Hour)
		enter("in time", "declarations", "kiosk", "", "", "")
		w.Clock.Advance(time.Hour)
		enter("too late", "declarations", "kiosk", fault.ChannelClosed, "channel-over", "/v1/services/declarations/channels/api")
		enter("no channel", "declarations", "fax", fault.NotFound, "", "")
		enter("no service", "nothing", "api", fault.NotFound, "", "")
		w.Exec(t, "DELETE FROM service_channels WHERE service_code = 'declarations' AND channel = 'api'")
		enter("nowhere to go", "declarations", "kiosk", fault.ChannelClosed, "channel-over", "")
	})
}
