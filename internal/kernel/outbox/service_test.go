package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/recheck"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func (o *office) service() *outbox.Service {
	run := &operation.Runner{
		DB: o.db, Clock: o.clock, Keys: idempotency.NewStore(o.db, o.clock, nil), Trail: audit.NewTrail(o.db),
		Recheck: recheck.New(o.db, o.clock),
	}
	return outbox.NewService(outbox.Deps{Runner: run, Outbox: outbox.New(o.db), Worker: o.Worker})
}

func TestOutbox_Reports(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var told []outbox.DeliveryState
		o := newOfficeWith(t, d, map[string]outbox.Hook{"pin.changed": func(_ context.Context, d outbox.Delivery) error {
			told = append(told, d.State)
			return nil
		}})
		sms := func() outbox.Delivery {
			m := o.promiseTo("pin.changed", outbox.SMS, "+393331234567")
			o.drain()
			return o.delivery(m)
		}
		report := func(r outbox.Report) {
			t.Helper()
			if err := o.Report(context.Background(), r); err != nil {
				t.Fatal(err)
			}
		}
		state := func(d outbox.Delivery) outbox.DeliveryState {
			t.Helper()
			for _, found := range must(outbox.New(o.db).Deliveries(context.Background(), d.Message())) {
				return found[0].State
			}
			return ""
		}
		arrived, lost, gone := sms(), sms(), sms()
		report(outbox.Report{Channel: outbox.SMS, DeliveryID: arrived.ID, Delivered: true})
		report(outbox.Report{Channel: outbox.SMS, ProviderRef: *lost.ProviderRef, Reason: "expired"})
		report(outbox.Report{Channel: outbox.SMS, DeliveryID: gone.ID, Permanent: true, Reason: "unknown-number"})
		// One that overtakes the note that the message was sent leaves no secret behind either.
		early := o.promiseHalf(outbox.SMS, "+393331234567")
		o.drain()
		o.execute("UPDATE outbox SET sealed = 'still there' WHERE id = ?", early.ID)
		o.execute("UPDATE deliveries SET state = 'queued' WHERE message_id = ?", early.ID)
		report(outbox.Report{Channel: outbox.SMS, DeliveryID: o.delivery(early).ID, Delivered: true})
		if n := o.count("outbox WHERE sealed IS NOT NULL"); n != 0 {
			t.Errorf("%d secrets are left", n)
		}
		// Late and repeated ones change nothing.
		report(outbox.Report{Channel: outbox.SMS, DeliveryID: arrived.ID, Reason: "expired"})
		report(outbox.Report{Channel: outbox.SMS, DeliveryID: lost.ID, Delivered: true})
		if state(arrived) != outbox.Delivered || state(lost) != outbox.Failed || state(gone) != outbox.Failed {
			t.Errorf("%s, %s, %s", state(arrived), state(lost), state(gone))
		}
		if want := []outbox.DeliveryState{
			outbox.Sent, outbox.Sent, outbox.Sent, outbox.Delivered, outbox.Failed, outbox.Failed,
		}; !slices.Equal(told, want) {
			t.Errorf("told %v", told)
		}
		if !slices.Equal(o.router.bounced, []string{"+393331234567"}) {
			t.Errorf("bounced: %v", o.router.bounced)
		}
		for _, r := range []outbox.Report{
			{Channel: outbox.SMS, DeliveryID: uuid.Must(uuid.NewV7())},
			{Channel: outbox.SMS, ProviderRef: "nobody's"},
			{Channel: outbox.SMS},
			// Another channel has nothing to say about it.
			{Channel: outbox.PEC, DeliveryID: sms().ID, Delivered: true},
		} {
			if err := o.Report(context.Background(), r); !fault.Is(err, fault.NotFound) {
				t.Errorf("%+v: %v", r, err)
			}
		}
		if o.count("delivery_attempts WHERE outcome = 'failed' AND reason = 'expired'") != 1 {
			t.Error("the report left no attempt")
		}
	})
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestOutbox_DeliveriesAreListedByStateAndChannel(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		o.post.refuse(func(m outbox.Outgoing) error {
			switch {
			case strings.HasSuffix(m.To, "0"):
				return &outbox.Refused{Reason: "unknown", Certain: true}
			case strings.HasSuffix(m.To, "1"):
				return errors.New("away")
			}
			return nil
		})
		for i := range 12 {
			o.promiseTo("pin.changed", []outbox.Channel{outbox.SMS, outbox.Email}[i/6], fmt.Sprintf("to-%d", i%3))
			o.drain()
			o.clock.Advance(time.Microsecond)
		}
		s := o.service()
		for name, tt := range map[string]struct {
			filter outbox.Filter
			want   int
		}{
			"all":            {outbox.Filter{}, 12},
			"failed":         {outbox.Filter{State: outbox.Failed}, 4},
			"by SMS":         {outbox.Filter{Channel: outbox.SMS}, 6},
			"queued, e-mail": {outbox.Filter{State: outbox.Queued, Channel: outbox.Email}, 2},
			"dead":           {outbox.Filter{State: outbox.Dead}, 0},
		} {
			var listed []outbox.Delivery
			for cursor := ""; ; {
				found, err := s.List(context.Background(), access.Actor{}, tt.filter, page.Request{Limit: 2, Cursor: cursor})
				if err != nil {
					t.Fatal(err)
				}
				listed = append(listed, found.Items...)
				if cursor = found.Next; cursor == "" {
					break
				}
			}
			newestFirst := slices.IsSortedFunc(listed, func(a, b outbox.Delivery) int { return b.CreatedAt.Compare(a.CreatedAt) })
			if len(listed) != tt.want || !newestFirst {
				t.Errorf("%s: %d deliveries, want %d; newest first: %t", name, len(listed), tt.want, newestFirst)
			}
			for _, l := range listed {
				if tt.filter.State != "" && l.State != tt.filter.State || tt.filter.Channel != "" && l.Channel != tt.filter.Channel {
					t.Errorf("%s: %s by %s", name, l.State, l.Channel)
				}
			}
		}
		_, err := s.List(context.Background(), access.Actor{}, outbox.Filter{}, page.Request{Cursor: "nonsense"})
		if !fault.Is(err, fault.Malformed) {
			t.Errorf("wrong cursor: %v", err)
		}
	})
}

// TestOutbox_AnOperatorSeesDeliveriesToPeopleOfTheOffice: who lives where it is competent, has a
// role at a contributor with a position there, or works there. The others do not exist for them.
func TestOutbox_AnOperatorSeesDeliveriesToPeopleOfTheOffice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o, a := newOffice(t, d), world.New(t, d)
		resident, elsewhere := a.Person(t, nil), a.Person(t, nil)
		for code, of := range map[string]world.Person{world.Rome: resident, world.Milan: elsewhere} {
			a.Exec(t, `INSERT INTO register_people (tax_code, given_name, family_name, birth_date, birth_place, street, postal_code, town,
				province, office_code, updated_at) VALUES (?, 'M', 'R', '1980-01-01', 'Roma', 'Via Roma 1', '00184', 'Roma', 'RM', ?, ?)`,
				of.TaxCode, code, world.Start)
		}
		_, employer := a.Employer(t, world.Milan, world.Rome)
		left := a.Person(t, nil)
		a.WithdrawRole(t, a.Role(t, left.ID, a.Company(t, world.Rome).ID, access.LegalRepresentative))
		want := []uuid.UUID{resident.ID, employer.PersonID, a.Operator(t, world.Rome).ID}
		o.post.refuse(func(outbox.Outgoing) error { return &outbox.Refused{Reason: "unknown-address", Certain: true} })
		deliveries := map[uuid.UUID]outbox.Delivery{}
		for _, id := range append([]uuid.UUID{elsewhere.ID, left.ID, a.Operator(t, world.Milan).ID}, want...) {
			m, err := outbox.NewMessage(outbox.Kind{Name: "pin.changed"}, id, map[string]string{}, o.clock.Now())
			if err != nil {
				t.Fatal(err)
			}
			m = m.To(outbox.SMS, "+393331234567")
			add(t, d, m)
			o.drain()
			deliveries[id] = o.delivery(m)
		}
		// One to an address, which is nobody's.
		unknown := o.promiseTo("pin.changed", outbox.SMS, "+393331234568")
		o.execute("UPDATE outbox SET person_id = NULL WHERE id = ?", unknown.ID)
		o.drain()
		s := o.service()
		operator := access.Actor{PersonID: uuid.Must(uuid.NewV7()), UserClass: access.Operator, OfficeCode: world.Rome}
		for _, f := range []outbox.Filter{{}, {State: outbox.Failed}, {State: outbox.Failed, Channel: outbox.SMS}} {
			var seen []uuid.UUID
			for cursor := ""; ; {
				found, err := s.List(context.Background(), operator, f, page.Request{Limit: 1, Cursor: cursor})
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range found.Items {
					seen = append(seen, *l.PersonID)
				}
				if cursor = found.Next; cursor == "" {
					break
				}
			}
			slices.Reverse(seen)
			if !slices.Equal(seen, want) {
				t.Errorf("%+v: sees %v, want %v", f, seen, want)
			}
			for _, class := range []access.UserClass{access.ContactCentre, access.Administrator} {
				all, err := s.List(context.Background(), access.Actor{UserClass: class}, f, page.Request{})
				if err != nil || len(all.Items) != len(deliveries)+1 {
					t.Errorf("%s sees %d, %v", class, len(all.Items), err)
				}
			}
		}
		for id, d := range deliveries {
			_, err := s.Retry(context.Background(), operator, d.ID)
			if slices.Contains(want, id) != (err == nil) || err != nil && !fault.Is(err, fault.NotFound) {
				t.Errorf("retry for %v: %v", id, err)
			}
		}
	})
}

// TestOutbox_WhatIsBeingSentIsNotTriedAgain: the recipient would get it twice.
func TestOutbox_WhatIsBeingSentIsNotTriedAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		operator := access.Actor{PersonID: uuid.Must(uuid.NewV7())}
		o.post.refuse(func(outbox.Outgoing) error { return &outbox.NoAnswer{Err: errors.New("no answer")} })
		message := o.promise("declaration.received")
		o.drain()
		// Its repeat is in somebody's hands.
		o.clock.Advance(2 * time.Hour)
		until := o.clock.Now().Add(time.Minute)
		o.execute("UPDATE deliveries SET lease_owner = 'another', lease_until = ?, next_at = ?", until, until)
		delivery := o.delivery(message)
		if _, err := o.service().Retry(context.Background(), operator, delivery.ID); delivery.State != outbox.Unconfirmed ||
			!fault.Is(err, fault.Conflict) {
			t.Errorf("%s: %v", delivery.State, err)
		}
		o.clock.Advance(time.Minute)
		if retried, err := o.service().Retry(context.Background(), operator, delivery.ID); err != nil || retried.State != outbox.Queued {
			t.Errorf("after the lease: %+v, %v", retried, err)
		}
	})
}

func TestOutbox_ADeliveryIsTriedAgainOnRequest(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		s := o.service()
		operator := access.Actor{PersonID: uuid.Must(uuid.NewV7())}
		o.post.refuse(func(outbox.Outgoing) error { return &outbox.Refused{Reason: "unknown-address", Certain: true} })
		plain, half := o.promise("declaration.received"), o.promiseHalf(outbox.Email, "m@posta.example")
		o.drain()
		o.post.refuse(nil)
		o.clock.Advance(100 * time.Hour)
		if err := o.ForgetEnded(context.Background()); err != nil {
			t.Fatal(err)
		}
		retried, err := s.Retry(context.Background(), operator, o.delivery(plain).ID)
		if err != nil || retried.State != outbox.Queued || !retried.NextAt.Equal(o.clock.Now()) ||
			!retried.DeadlineAt.After(o.clock.Now()) {
			t.Fatalf("%+v, %v", retried, err)
		}
		o.drain()
		got := o.delivery(plain)
		if got.State != outbox.Sent || got.Attempts != 2 || got.LastError != nil {
			t.Errorf("%+v", got)
		}
		for reason, id := range map[string]uuid.UUID{"delivery-not-ended": got.ID, "message-erased": o.delivery(half).ID} {
			var f *fault.Fault
			if _, err := s.Retry(
				context.Background(), operator, id,
			); !errors.As(err, &f) || f.Code != fault.Conflict || f.Reason != reason {
				t.Errorf("want %s, got %v", reason, err)
			}
		}
		if _, err := s.Retry(context.Background(), operator, uuid.Must(uuid.NewV7())); !fault.Is(err, fault.NotFound) {
			t.Errorf("nothing was tried again: %v", err)
		}
		if n := o.count(
			"audit_records WHERE subject_kind = 'delivery' AND subject_id = ? AND person_id = ?", got.ID.String(), operator.PersonID,
		); n != 1 || o.count("audit_records") != 1 {
			t.Errorf("%d audit records", n)
		}
	})
}

func TestOutbox_EverybodySeesWhatTheyWereTold(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		me := uuid.Must(uuid.NewV7())
		for i, kind := range []string{"declaration.received", "to.nobody", "pin.changed"} {
			m, err := outbox.NewMessage(outbox.Kind{Name: kind}, me, struct{}{}, o.clock.Now().Add(time.Duration(i)*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			add(t, d, m)
		}
		o.promise("declaration.received") // another's
		o.post.refuse(func(m outbox.Outgoing) error {
			if m.Kind == "pin.changed" && len(o.post.taken) < 3 {
				return errors.New("away")
			}
			return nil
		})
		for range 80 {
			o.drain()
			o.clock.Advance(time.Hour)
		}
		found, err := o.service().Notifications(context.Background(), access.Actor{PersonID: me}, page.Request{Limit: 2})
		if err != nil || len(found.Items) != 2 || found.Next == "" {
			t.Fatalf("%d messages, %v", len(found.Items), err)
		}
		changed, nobody := found.Items[0], found.Items[1]
		if changed.Kind != "pin.changed" || changed.Subject != "pin.changed en" || len(changed.Deliveries) != 1 ||
			nobody.Kind != "to.nobody" || len(nobody.Deliveries) != 0 {
			t.Fatalf("%+v", found.Items)
		}
		attempts := changed.Deliveries[0].Attempts
		sorted := slices.IsSortedFunc(attempts, func(a, b outbox.Attempt) int { return a.At.Compare(b.At) })
		if len(attempts) != 50 || attempts[49].Outcome != outbox.Deferred || *attempts[49].Reason != "away" || !sorted {
			t.Errorf("%d attempts: %+v", len(attempts), attempts)
		}
		rest, err := o.service().Notifications(context.Background(), access.Actor{PersonID: me}, page.Request{Limit: 2, Cursor: found.Next})
		if err != nil || len(rest.Items) != 1 || rest.Next != "" || rest.Items[0].Deliveries[0].State != outbox.Sent {
			t.Errorf("%+v, %v", rest, err)
		}
	})
}

func TestOutbox_MetricsTellWhatWaits(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		read := observed(t, o.Worker)
		o.post.refuse(func(m outbox.Outgoing) error {
			if m.Channel == outbox.SMS {
				return errors.New("away")
			}
			return nil
		})
		o.promise("declaration.received")
		o.promiseTo("pin.changed", outbox.SMS, "+393331234567")
		o.drain()
		o.clock.Advance(time.Minute)
		got := read()
		for name, want := range map[string]float64{
			"outbox.deliveries email sent": 1, "outbox.deliveries sms deferred": 1, "outbox.queue.depth sms": 1, "outbox.queue.age sms": 60,
			"outbox.queue.depth email": 0, "outbox.queue.age email": 0,
		} {
			if value, there := got[name]; !there || value != want {
				t.Errorf("%s is %v, want %v; all: %v", name, value, want, got)
			}
		}
	})
}
