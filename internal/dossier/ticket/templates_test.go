package ticket_test

import (
	"fmt"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/dossier/ticket"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

var matched = ticket.NewTemplate{Title: "Versamento abbinato", Text: "Gentile utente,\nil versamento è stato abbinato.", Topic: "payments-f24"}

func TestReplyTemplate_IsItsOfficesOwn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		rome, colleague, milan := w.atDesk(world.Rome), w.atDesk(world.Rome), w.atDesk(world.Milan)
		made := must[ticket.Template](t)(w.TicketDesk.CreateTemplate(asked("replaceReplyTemplate"), rome, "matched", matched))
		if made.Version != 1 || *made.Topic != "payments-f24" || made.OfficeCode != world.Rome || made.UpdatedBy != rome.PersonID {
			t.Errorf("made as %+v", made)
		}
		_, err := w.TicketDesk.CreateTemplate(ctx, colleague, "matched", matched)
		refused(t, "a second one", err, fault.PreconditionFailed)
		_, err = w.TicketDesk.Template(ctx, milan, "matched")
		refused(t, "another office's", err, fault.NotFound)
		_, err = w.TicketDesk.ReplaceTemplate(ctx, milan, "matched", fault.AnyVersion, matched)
		refused(t, "writing another office's", err, fault.NotFound)
		refused(t, "removing another office's", w.TicketDesk.RemoveTemplate(ctx, milan, "matched", fault.AnyVersion), fault.NotFound)

		w.Clock.Advance(time.Minute)
		general := ticket.NewTemplate{Title: "Ricevuto", Text: "Abbiamo ricevuto la richiesta."}
		written := must[ticket.Template](t)(w.TicketDesk.ReplaceTemplate(asked("replaceReplyTemplate"), colleague, "matched", 1, general))
		if written.Version != 2 || written.Topic != nil || written.Text != general.Text || !written.UpdatedAt.Equal(w.Clock.Now()) {
			t.Errorf("written as %+v", written)
		}
		if shown := must[ticket.Template](t)(w.TicketDesk.Template(ctx, rome, "matched")); shown.Text != general.Text || shown.Version != 2 {
			t.Errorf("shown as %+v", shown)
		}
		_, err = w.TicketDesk.ReplaceTemplate(ctx, rome, "matched", 1, matched)
		refused(t, "over a version that was read before", err, fault.PreconditionFailed)
		refused(t, "removing what was read before", w.TicketDesk.RemoveTemplate(ctx, rome, "matched", 1), fault.PreconditionFailed)
		if err := w.TicketDesk.RemoveTemplate(asked("removeReplyTemplate"), rome, "matched", 2); err != nil {
			t.Fatal(err)
		}
		refused(t, "removing it twice", w.TicketDesk.RemoveTemplate(ctx, rome, "matched", fault.AnyVersion), fault.NotFound)
		for operation, want := range map[string]int{"replaceReplyTemplate": 2, "removeReplyTemplate": 1} {
			if n := w.Count(t, "audit_records WHERE operation = ? AND subject_kind = 'reply_template' AND subject_id = '7000/matched' AND "+
				"acting_as = 'operator'", operation); n != want {
				t.Errorf("%s: %d audit records", operation, n)
			}
		}
	})
}

func TestReplyTemplate_IsListedByTopic(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		desk := w.atDesk(world.Rome)
		for code, topic := range map[string]string{"b-any": "", "a-f24": "payments-f24", "c-refunds": "payments-refunds"} {
			in := matched
			in.Topic = topic
			must[ticket.Template](t)(w.TicketDesk.CreateTemplate(ctx, desk, code, in))
		}
		list := func(topic string, request page.Request) (codes, next string) {
			p := must[page.Page[ticket.Template]](t)(w.TicketDesk.Templates(ctx, desk, topic, request))
			for _, template := range p.Items {
				codes += template.Code + " "
			}
			return codes, p.Next
		}
		if all, _ := list("", page.Request{}); all != "a-f24 b-any c-refunds " {
			t.Error(all)
		}
		if some, _ := list("payments-f24", page.Request{}); some != "a-f24 b-any " {
			t.Error(some)
		}
		_, next := list("", page.Request{Limit: 2})
		if rest, end := list("", page.Request{Limit: 2, Cursor: next}); rest != "c-refunds " || end != "" {
			t.Error(rest)
		}
	})
}

func TestReplyTemplate_FieldsAreNamed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		desk := w.atDesk(world.Rome)
		_, err := w.TicketDesk.CreateTemplate(ctx, desk, "a1", ticket.NewTemplate{Title: "due\nrighe", Text: " "})
		refused(t, "no text", err, fault.Invalid, "/title", "pattern", "/text", "pattern")
		in := matched
		in.Topic = "weather"
		_, err = w.TicketDesk.CreateTemplate(ctx, desk, "a1", in)
		refused(t, "an unknown topic", err, fault.Invalid, "/topic", "unknown-topic")
		_, err = w.TicketDesk.CreateTemplate(ctx, desk, "A 1", matched)
		refused(t, "no code", err, fault.NotFound)
		w.Exec(t, "DELETE FROM reply_templates")
		for i := range 200 {
			w.Exec(t, "INSERT INTO reply_templates (office_code, code, title, text, version, updated_at, updated_by) VALUES (?, ?, 't', 't', 1, ?, ?)",
				world.Rome, fmt.Sprintf("t%d", i), w.Clock.Now(), desk.PersonID)
		}
		_, err = w.TicketDesk.CreateTemplate(ctx, desk, "one-more", matched)
		conflict(t, "the 201st", err, "too-many-templates")
	})
}

// setting is what an administrator makes of a topic below a heading.
func setting() ticket.TopicSetting {
	return ticket.TopicSetting{ParentCode: new("payments"), TitleIT: "Bollettini", TitleEN: "Payment slips", Appointments: true}
}

func TestTicketTopic_IsDataOfAnAdministrator(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t)
		admin := w.Person(t, func(p *world.Person) { p.UserClass = access.Administrator })
		boss := access.Actor{PersonID: admin.ID, SessionID: w.Session(t, admin.ID, nil), UserClass: access.Administrator}
		made := must[ticket.Topic](t)(w.TicketDesk.CreateTopic(asked("replaceTicketTopic"), boss, "payments-slips", setting()))
		in := about(c)
		in.Topic = "payments-slips"
		if opened := w.open(by, in); opened.Topic != "payments-slips" || opened.OfficeCode != world.Rome {
			t.Errorf("opened on %s at %s", opened.Topic, opened.OfficeCode)
		}
		_, err := w.TicketDesk.CreateTopic(ctx, boss, "payments-slips", setting())
		refused(t, "a second one", err, fault.PreconditionFailed)
		changed := setting()
		changed.OfficeCode, changed.Retired = new(world.Milan), true
		set := must[ticket.Topic](t)(w.TicketDesk.ReplaceTopic(asked("replaceTicketTopic"), boss, "payments-slips", made.Edition(), changed))
		if !set.Retired || *set.OfficeCode != world.Milan || set.Edition() != made.Edition()+1 {
			t.Errorf("set as %+v", set)
		}
		_, err = w.TicketDesk.ReplaceTopic(ctx, boss, "payments-slips", made.Edition(), changed)
		refused(t, "over an edition of before", err, fault.PreconditionFailed)
		_, err = w.Tickets.File(ctx, by, in, nil)
		refused(t, "a retired one", err, fault.Invalid, "/topic", "unknown-topic")
		for _, listed := range must[page.Page[ticket.Topic]](t)(w.Topics.List(ctx, page.Request{Limit: 100})).Items {
			if listed.Code == "payments-slips" {
				t.Error("a retired topic is offered")
			}
		}
		if n := w.Count(t, "audit_records WHERE operation = 'replaceTicketTopic' AND subject_kind = 'ticket_topic' AND subject_id = ?",
			"payments-slips"); n != 2 {
			t.Errorf("%d audit records", n)
		}

		// A heading is retired with all below it.
		heading := ticket.TopicSetting{TitleIT: "Versamenti", TitleEN: "Payments", Retired: true}
		must[ticket.Topic](t)(w.TicketDesk.ReplaceTopic(ctx, boss, "payments", fault.AnyVersion, heading))
		_, err = w.Tickets.File(ctx, by, about(c), nil)
		refused(t, "below a retired heading", err, fault.Invalid, "/topic", "unknown-topic")
		for _, listed := range must[page.Page[ticket.Topic]](t)(w.Topics.List(ctx, page.Request{Limit: 100})).Items {
			if listed.Code == "payments" || listed.ParentCode != nil && *listed.ParentCode == "payments" {
				t.Errorf("%s is offered", listed.Code)
			}
		}

		// What an administrator set, a program that starts leaves as it is.
		w.Must(t, w.Topics.Install)
		if kept := must[ticket.Topic](t)(w.TicketDesk.Topic(ctx, "payments")); !kept.Retired {
			t.Errorf("kept as %+v", kept)
		}
	})
}

func TestTicketTopic_FieldsAreNamed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		admin := w.Person(t, func(p *world.Person) { p.UserClass = access.Administrator })
		boss := access.Actor{PersonID: admin.ID, SessionID: w.Session(t, admin.ID, nil), UserClass: access.Administrator}
		for name, c := range map[string]struct {
			change func(in *ticket.TopicSetting)
			fields []string
		}{
			"titles":             {func(in *ticket.TopicSetting) { in.TitleIT, in.TitleEN = "", "a\nb" }, []string{"/title_it", "pattern", "/title_en", "pattern"}},
			"an unknown heading": {func(in *ticket.TopicSetting) { in.ParentCode = new("weather") }, []string{"/parent_code", "unknown-topic"}},
			"below no heading":   {func(in *ticket.TopicSetting) { in.ParentCode = new("payments-f24") }, []string{"/parent_code", "unknown-topic"}},
			"an unknown office":  {func(in *ticket.TopicSetting) { in.OfficeCode = new("9999") }, []string{"/office_code", "unknown-office"}},
			"a heading's office": {func(in *ticket.TopicSetting) {
				in.ParentCode, in.OfficeCode, in.Appointments = nil, new(world.Rome), false
			}, []string{"/office_code", "not-applicable"}},
			"a heading's bookings": {func(in *ticket.TopicSetting) { in.ParentCode = nil }, []string{"/appointments", "not-applicable"}},
		} {
			in := setting()
			c.change(&in)
			_, err := w.TicketDesk.CreateTopic(ctx, boss, "payments-slips", in)
			refused(t, name, err, fault.Invalid, c.fields...)
		}
		_, err := w.TicketDesk.ReplaceTopic(ctx, boss, "weather", fault.AnyVersion, setting())
		refused(t, "an unknown one", err, fault.NotFound)
		_, err = w.TicketDesk.ReplaceTopic(ctx, boss, "uniemens-sending", fault.AnyVersion, setting())
		refused(t, "below another heading", err, fault.Invalid, "/parent_code", "not-applicable")
		_, err = w.TicketDesk.CreateTopic(ctx, boss, "Payments", setting())
		refused(t, "no code", err, fault.NotFound)
	})
}
