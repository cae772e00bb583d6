package ticket_test

import (
	"archive/zip"
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/dossier/ticket"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestTicket_IsOpenedAtTheOfficeOfItsPosition(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome, world.Milan)
		in := about(c)
		in.PositionID = &c.Positions[1].ID
		in.Files = []*attachment.Upload{
			w.upload("../../F24.pdf", pdf+strings.Repeat("x", 100_000)), w.upload("f24.PDF", pdf),
			w.upload("note\r\n.txt", "Perché è stato versato due volte"),
		}
		opened, err := w.Tickets.File(asked("openTicket"), by, in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if opened.State != ticket.Open || opened.OfficeCode != world.Milan || opened.ProtocolNumber != "INPS.4900.16/03/2026.0000001" ||
			*opened.Phone != "+393331234567" || !opened.OpenedAt.Equal(world.Start) || len(opened.Attachments) != 3 {
			t.Errorf("opened as %+v", opened)
		}
		shown, err := w.Tickets.Show(ctx, by, opened.ID)
		if err != nil || shown.TopicEN != "Refunds and set-off" || shown.ParentTopic != "payments" || shown.OfficeTitle != "Milano" {
			t.Errorf("shown as %+v, %v", shown, err)
		}
		if diff := cmp.Diff([]string{
			"ticket.received email studio@example.com", "ticket.received sms +393331234567",
		}, w.told()); diff != "" {
			t.Error(diff)
		}
		if n := w.Count(t, "audit_records WHERE operation = 'openTicket' AND subject_kind = 'ticket' AND subject_id = ? AND right_id = ?",
			opened.ID.String(), opened.RightID); n != 1 {
			t.Errorf("%d records", n)
		}
		content, err := w.Blobs.ReadAll(ctx, "tickets/"+opened.ID.String()+".zip")
		if err != nil || int64(len(content)) != *opened.ArchiveSize {
			t.Fatalf("%d bytes, %v", len(content), err)
		}
		archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range archive.File {
			names = append(names, f.Name)
		}
		if diff := cmp.Diff([]string{"F24.pdf", "f24 (2).PDF", "note.txt"}, names); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTicket_AboutTheWholeContributorNeedsARightAboutAll(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome, world.Milan)
		in := about(c)
		in.PositionID = nil
		if opened := w.open(by, in); opened.OfficeCode != world.Rome {
			t.Errorf("at %s", opened.OfficeCode)
		}
		w.Exec(t, "UPDATE positions SET state = 'ceased' WHERE id = ?", c.Positions[0].ID)
		if opened := w.open(by, in); opened.OfficeCode != world.Milan {
			t.Errorf("with the first position ceased, at %s", opened.OfficeCode)
		}
		professional, delegate := w.Professional(t)
		w.Delegation(t, delegate, c, func(g *world.Delegation) {
			g.Scope, g.Services = "partial", access.ServiceSet{access.Dossier}
		}, c.Positions[1].ID)
		some := w.enterDossier(w.Session(t, professional.ID, nil), c.ID)
		_, err := w.Tickets.File(ctx, some, in, nil)
		refused(t, "about all by a right about one", err, fault.Invalid, "/position_id", fault.FieldRequired)
		in.PositionID = &c.Positions[0].ID
		_, err = w.Tickets.File(ctx, some, in, nil)
		refused(t, "about another", err, fault.Invalid, "/position_id", fault.FieldUnknownPosition)
		in.PositionID = &c.Positions[1].ID
		if opened := w.open(some, in); opened.ActingAs != access.Intermediary {
			t.Errorf("as %s", opened.ActingAs)
		}
		other := w.Company(t, world.Rome)
		in.PositionID = &other.Positions[0].ID
		_, err = w.Tickets.File(ctx, by, in, nil)
		refused(t, "about another contributor's", err, fault.Invalid, "/position_id", fault.FieldUnknownPosition)
	})
}

func TestTicket_TopicMayHaveAnOfficeOfItsOwn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Milan)
		in := about(c)
		in.Topic = "certificates-posting"
		if opened := w.open(by, in); opened.OfficeCode != world.Rome {
			t.Errorf("at %s", opened.OfficeCode)
		}
		w.Exec(t, "UPDATE ticket_topics SET office_code = '0000' WHERE code = ?", in.Topic)
		if opened := w.open(by, in); opened.OfficeCode != world.Milan {
			t.Errorf("without that office, at %s", opened.OfficeCode)
		}
	})
}

func TestTicket_WhatIsNone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome)
		for name, x := range map[string]struct {
			change func(in *ticket.New)
			fields []string
		}{
			"no address":        {func(in *ticket.New) { in.Email, in.Phone = nil, nil }, []string{"/email", fault.FieldEmailOrPhone}},
			"no e-mail address": {func(in *ticket.New) { in.Email = new("studio") }, []string{"/email", fault.FieldFormat}},
			"a landline":        {func(in *ticket.New) { in.Phone = new("06 12345678") }, []string{"/phone", fault.FieldFormat}},
			"a heading":         {func(in *ticket.New) { in.Topic = "payments" }, []string{"/topic", fault.FieldTopicHeading}},
			"no such topic":     {func(in *ticket.New) { in.Topic = "weather" }, []string{"/topic", fault.FieldUnknownTopic}},
			"no such section":   {func(in *ticket.New) { in.Section = "weather" }, []string{"/section", fault.FieldEnum}},
			"spaces":            {func(in *ticket.New) { in.Subject, in.Text = " ", "\n" }, []string{"/subject", "pattern", "/text", "pattern"}},
			"two lines":         {func(in *ticket.New) { in.Subject = "a\nb" }, []string{"/subject", fault.FieldPattern}},
			"too long":          {func(in *ticket.New) { in.Text = strings.Repeat("è", 5001) }, []string{"/text", fault.FieldPattern}},
			"a fourth file": {func(in *ticket.New) {
				for range 4 {
					in.Files = append(in.Files, w.upload("a.pdf", pdf))
				}
			}, []string{"/attachments", fault.FieldTooMany}},
			"an empty file, and one too long": {func(in *ticket.New) {
				in.Files = []*attachment.Upload{
					w.upload("a.pdf", ""), w.upload("b.pdf", pdf), w.upload("c.pdf", pdf+strings.Repeat("x", ticket.MaxFileSize)),
				}
			}, []string{"/attachments/0", fault.FieldFileEmpty, "/attachments/2", fault.FieldFileTooLarge}},
			"a program": {
				func(in *ticket.New) { in.Files = []*attachment.Upload{w.upload("a.txt", "MZ\x90\x00\x03")} },
				[]string{"/attachments/0", fault.FieldFileType},
			},
		} {
			in := about(c)
			x.change(&in)
			_, err := w.Tickets.File(ctx, by, in, nil)
			refused(t, name, err, fault.Invalid, x.fields...)
		}
		if n := w.Count(t, "tickets"); n != 0 || len(w.blobs()) != 0 || w.Count(t, "protocol_entries") != 0 {
			t.Errorf("%d tickets and %v are left", n, w.blobs())
		}
	})
}

func TestTicket_HundredMayBeOpen(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome)
		var last ticket.Ticket
		for range 100 {
			last = w.open(by, about(c))
		}
		in := about(c)
		in.Files = []*attachment.Upload{w.upload("a.pdf", pdf)}
		_, err := w.Tickets.File(ctx, by, in, nil)
		conflict(t, "one more", err, fault.FieldTooManyOpen)
		if left := w.blobs(); len(left) != 0 {
			t.Errorf("%v are left", left)
		}
		other := w.Colleague(t, c.ID, access.EmployeeDelegate, access.Dispositive)
		w.open(other, about(c))
		w.Must(t, func(ctx context.Context) error {
			_, err := w.Tickets.CloseInTx(ctx, last.ID, ticket.Closure{Outcome: ticket.Informed, Text: "Risposta"}, w.Clock.Now())
			return err
		})
		w.open(by, in)
	})
}

func TestTicket_IsTakenAndClosed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome)
		opened := w.open(by, about(c))
		operator, other := w.Operator(t, world.Rome), w.Operator(t, world.Rome)
		take := func(who *uuid.UUID) (taken ticket.Ticket, err error) {
			err = d.InTx(ctx, func(ctx context.Context) error {
				taken, err = w.Tickets.TakeInTx(ctx, opened.ID, who, w.Clock.Now())
				return err
			})
			return taken, err
		}
		w.Clock.Advance(time.Hour)
		taken, err := take(&operator.ID)
		if err != nil || taken.State != ticket.InCharge || *taken.AssignedTo != operator.ID || taken.Version != 2 {
			t.Errorf("taken as %+v, %v", taken, err)
		}
		if again, err := take(&operator.ID); err != nil || again.Version != 2 {
			t.Errorf("taken again as %+v, %v", again, err)
		}
		_, err = take(&other.ID)
		conflict(t, "taken by another", err, "ticket-in-charge-of-another")
		_, err = take(nil)
		conflict(t, "taken by the system", err, "ticket-in-charge-of-another")
		closeIt := func() (closed ticket.Ticket, err error) {
			err = d.InTx(ctx, func(ctx context.Context) error {
				c := ticket.Closure{Outcome: ticket.NotAccepted, Text: "Il versamento è uno solo.", By: &operator.ID}
				closed, err = w.Tickets.CloseInTx(ctx, opened.ID, c, w.Clock.Now())
				return err
			})
			return closed, err
		}
		closed, err := closeIt()
		if err != nil || closed.State != ticket.Closed || closed.AssignedTo != nil || *closed.ClosedBy != operator.ID {
			t.Errorf("closed as %+v, %v", closed, err)
		}
		_, err = closeIt()
		conflict(t, "closed again", err, "ticket-closed")
		_, err = take(&operator.ID)
		conflict(t, "taken when closed", err, "ticket-closed")
		if diff := cmp.Diff([]string{
			"ticket.received email studio@example.com", "ticket.received sms +393331234567",
			"ticket.closed email studio@example.com", "ticket.closed sms +393331234567",
		}, w.told()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTicket_WhatGoesWithItStandsOrFallsWithIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome)
		in := about(c)
		in.Kind, in.Email, in.Phone = ticket.SmartTask, nil, nil
		_, err := w.Tickets.File(ctx, by, in, func(context.Context, ticket.Ticket) error {
			return fault.Because(fault.Conflict, "smart-task-open")
		})
		conflict(t, "refused by what goes with it", err, "smart-task-open")
		if n := w.Count(t, "tickets"); n != 0 {
			t.Errorf("%d tickets are left", n)
		}
		opened, err := w.Tickets.File(ctx, by, in, func(ctx context.Context, opened ticket.Ticket) error {
			_, err := w.Tickets.CloseInTx(ctx, opened.ID, ticket.Closure{Outcome: ticket.Accepted, Text: "Fatto."}, opened.OpenedAt)
			return err
		})
		if err != nil || opened.ProtocolNumber != "INPS.7000.16/03/2026.0000001" {
			t.Fatal(opened, err)
		}
		if shown, err := w.Tickets.Show(ctx, by, opened.ID); err != nil || shown.State != ticket.Closed || shown.ClosedBy != nil {
			t.Errorf("shown as %+v, %v", shown, err)
		}
		// Without an address of its own it is told as everything is.
		if n := w.Count(t, "outbox WHERE kind LIKE 'ticket.%' AND recipient IS NULL AND person_id = ?", by.PersonID); n != 2 {
			t.Errorf("%d messages", n)
		}
	})
}

func TestTicket_AppointmentIsAllowedOnceItIsOverdueOrNotAccepted(t *testing.T) {
	accepted, notAccepted := ticket.Accepted, ticket.NotAccepted
	// Five working days after a Monday is the next Monday.
	end := time.Date(2026, 3, 23, 23, 0, 0, 0, time.UTC)
	open := ticket.Ticket{State: ticket.Open, OpenedAt: world.Start}
	for name, c := range map[string]struct {
		t    ticket.Ticket
		at   time.Time
		want bool
	}{
		"within":        {open, end.Add(-time.Microsecond), false},
		"overdue":       {open, end, true},
		"in charge":     {ticket.Ticket{State: ticket.InCharge, OpenedAt: world.Start}, end, true},
		"accepted":      {ticket.Ticket{State: ticket.Closed, OpenedAt: world.Start, Outcome: &accepted}, end, false},
		"not accepted":  {ticket.Ticket{State: ticket.Closed, OpenedAt: world.Start, Outcome: &notAccepted}, world.Start, true},
		"since routing": {ticket.Ticket{State: ticket.Open, OpenedAt: world.Start, RoutedAt: &end}, end, true},
	} {
		if got := c.t.AllowsAppointment(c.at); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestTicket_TopicsAreATreeOfTwoLevels(t *testing.T) {
	all, err := ticket.ShippedTopics()
	if err != nil {
		t.Fatal(err)
	}
	below, booked, fixed := map[string]int{}, 0, 0
	places := map[int]bool{}
	for _, topic := range all {
		if topic.TitleIT == "" || topic.TitleEN == "" || topic.Version < 1 || places[topic.Place] {
			t.Errorf("%+v", topic)
		}
		places[topic.Place] = true
		if topic.ParentCode == nil {
			below[topic.Code] = 0
			continue
		}
		if _, known := below[*topic.ParentCode]; !known {
			t.Errorf("%s stands below %s", topic.Code, *topic.ParentCode)
		}
		below[*topic.ParentCode]++
		if topic.Appointments {
			booked++
		}
		if topic.OfficeCode != nil {
			fixed++
		}
	}
	for code, n := range below {
		if n < 3 || n > 6 {
			t.Errorf("%d topics below %s", n, code)
		}
	}
	if booked == 0 || fixed == 0 {
		t.Errorf("%d are booked directly, %d have an office", booked, fixed)
	}
}
