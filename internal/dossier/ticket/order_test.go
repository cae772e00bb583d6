package ticket_test

import (
	"slices"
	"testing"

	"diresco/db"
	"diresco/internal/dossier/ticket"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
)

// A heading that is added stands before what is added below it, whatever their codes are.
func TestTopics_HeadingsStandBeforeWhatIsBelowThem(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.Exec(t, `INSERT INTO ticket_topics (code, version, place, title_it, title_en, appointments)
			SELECT 'z-heading', 0, MAX(place), 'x', 'x', false FROM ticket_topics`)
		w.Exec(t, `INSERT INTO ticket_topics (code, parent_code, version, place, title_it, title_en, appointments)
			SELECT 'a-leaf', 'z-heading', 0, MAX(place), 'x', 'x', false FROM ticket_topics`)
		listed := must[page.Page[ticket.Topic]](t)(w.Topics.List(ctx, page.Request{Limit: 100}))
		var codes []string
		for _, topic := range listed.Items {
			codes = append(codes, topic.Code)
		}
		if n := len(codes); n < 2 || !slices.Equal(codes[n-2:], []string{"z-heading", "a-leaf"}) {
			t.Errorf("listed as %v", codes)
		}
	})
}

// Two files of one name are called in the answer what they are called in the archive.
func TestTicket_TwoFilesOfOneNameAreToldApart(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t)
		in := about(c)
		in.Files = []*attachment.Upload{w.upload("F24.pdf", pdf), w.upload("F24.pdf", pdf+" ")}
		opened := w.open(by, in)
		if one, other := opened.Attachments[0].Name, opened.Attachments[1].Name; one != "F24.pdf" || other != "F24 (2).pdf" {
			t.Errorf("called %q and %q", one, other)
		}
	})
}
