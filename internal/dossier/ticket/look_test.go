package ticket_test

import (
	"testing"

	"diresco/db"
	"diresco/internal/dossier/ticket"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// An operator who reads a ticket where users do looks at who opened it, as at the desk.
func TestTicket_AnOperatorsReadingIsALook(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t)
		in := about(c)
		in.Files = []*attachment.Upload{w.upload("F24.pdf", pdf)}
		opened := w.open(by, in)
		for name, read := range map[string]func(by access.Actor) error{
			"ticket": func(by access.Actor) error { _, err := w.Tickets.Show(ctx, by, opened.ID); return err },
			"comments": func(by access.Actor) error {
				_, err := w.Tickets.Comments(ctx, by, opened.ID, page.Request{})
				return err
			},
			"files": func(by access.Actor) error {
				_, content, err := w.Tickets.Archive(ctx, by, opened.ID)
				if err == nil {
					err = content.Close()
				}
				return err
			},
		} {
			desk, err := w.enterTicket(w.atDesk(world.Rome), opened.ID)
			if err != nil {
				t.Fatal(err)
			}
			if err := read(desk); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if n := w.Count(t, "staff_looks WHERE staff_id = ? AND person_id = ?", desk.PersonID, by.PersonID); n != 1 {
				t.Errorf("%s: %d looks", name, n)
			}
			desk.Unconfirmed = true
			if err := read(desk); !fault.Is(err, fault.Forbidden) {
				t.Errorf("%s to one whose post is unconfirmed: %v", name, err)
			}
			if err := read(by); err != nil {
				t.Errorf("%s to who opened it: %v", name, err)
			}
		}
		desk := w.enterDossier(w.atDesk(world.Rome).SessionID, c.ID)
		desk.Unconfirmed = true
		_, err := w.Tickets.OfContributor(ctx, desk, c.ID, ticket.Filter{}, page.Request{})
		refused(t, "the list to one whose post is unconfirmed", err, fault.Forbidden)
	})
}

// What one intermediary asks of the system is nobody else's business who acts for some positions.
func TestTicket_OfASmartTaskIsSeenByWhoMaySeeTheTask(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company, employer := w.Employer(t)
		acting := func() access.Actor {
			person, delegate := w.Professional(t)
			w.Delegation(t, delegate, company, nil, company.Positions[0].ID)
			return w.enterDossier(w.Session(t, person.ID, nil), company.ID)
		}
		asker, other := acting(), acting()
		in := about(company)
		in.Kind, in.Reserved = ticket.SmartTask, true
		task := w.open(asker, in)
		for name, c := range map[string]struct {
			by   access.Actor
			sees bool
		}{"who asked": {asker, true}, "another intermediary": {other, false}, "the contributor": {employer, true}} {
			entered, err := w.enterTicket(c.by, task.ID)
			if err != nil {
				t.Fatal(name, err)
			}
			if _, err := w.Tickets.Show(ctx, entered, task.ID); (err == nil) != c.sees || err != nil && !fault.Is(err, fault.NotFound) {
				t.Errorf("%s is shown it: %v", name, err)
			}
			if _, err := w.Tickets.Comments(ctx, entered, task.ID, page.Request{Limit: 10}); (err == nil) != c.sees {
				t.Errorf("%s is shown its comments: %v", name, err)
			}
			listed, err := w.Tickets.OfContributor(ctx, c.by, company.ID, ticket.Filter{}, page.Request{Limit: 10})
			if err != nil || (len(listed.Items) == 1) != c.sees {
				t.Errorf("%s has %d listed: %v", name, len(listed.Items), err)
			}
			mine, err := w.Tickets.Mine(ctx, c.by, ticket.Filter{}, page.Request{Limit: 10})
			if err != nil || (len(mine.Items) == 1) != c.sees {
				t.Errorf("%s has %d of theirs: %v", name, len(mine.Items), err)
			}
			if _, err := w.Tickets.Comment(asked("addTicketComment"), entered, task.ID, "e adesso?"); !c.sees && !fault.Is(err, fault.NotFound) {
				t.Errorf("%s comments on it: %v", name, err)
			}
		}
	})
}
