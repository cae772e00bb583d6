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
