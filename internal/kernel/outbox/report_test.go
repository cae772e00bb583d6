package outbox_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
)

// sentPEC is a delivery by PEC that its provider took.
func (o *office) sentPEC() (outbox.Message, func(r outbox.Report)) {
	o.t.Helper()
	m := o.promiseTo("pin.changed", outbox.PEC, "m@pec.example")
	o.drain()
	return m, func(r outbox.Report) {
		o.t.Helper()
		r.Channel, r.DeliveryID = outbox.PEC, o.delivery(m).ID
		if err := o.Report(context.Background(), r); err != nil {
			o.t.Error(err)
		}
	}
}

// The provider says "may fail" after 12 hours and "has failed" after 24, each in the same words.
func TestReport_TheSecondNoticeOfADelayFails(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		m, report := o.sentPEC()
		one := outbox.Report{DelayNotice: "opec1@provider.example", Reason: "delivery-delayed: 4.4.1"}
		for range 2 { // one file may be read twice
			report(one)
			if got := o.delivery(m); got.State != outbox.Sent || *got.LastError != "delivery-delayed: 4.4.1" {
				t.Errorf("%+v", got)
			}
		}
		if n := o.count("delivery_attempts WHERE outcome = 'delayed'"); n != 1 {
			t.Errorf("%d notices", n)
		}
		report(outbox.Report{DelayNotice: "opec2@provider.example", Reason: "delivery-delayed"})
		if got := o.delivery(m); got.State != outbox.Failed || *got.LastError != "timed-out" || len(o.router.bounced) != 0 {
			t.Errorf("%+v, bounced %v", got, o.router.bounced)
		}
		report(one)
		if got := o.delivery(m); got.State != outbox.Failed {
			t.Errorf("%+v", got)
		}
		report(outbox.Report{Delivered: true})
		if got := o.delivery(m); got.State != outbox.Delivered {
			t.Errorf("it arrived after all and is %s", got.State)
		}
		lost, report := o.sentPEC()
		report(outbox.Report{DelayNotice: "opec3@provider.example", LastNotice: true})
		if got := o.delivery(lost); got.State != outbox.Failed || *got.LastError != "timed-out" {
			t.Errorf("%+v", got)
		}
	})
}

func TestReport_OfAnExternalMailboxIsToldOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		m, report := o.sentPEC()
		for range 2 {
			report(outbox.Report{Reason: "no-certified-mailbox", Uncertified: true})
		}
		if got := o.delivery(m); got.State != outbox.Failed || *got.LastError != "no-certified-mailbox" {
			t.Errorf("%+v", got)
		}
		if !slices.Equal(o.router.uncertified, []string{"m@pec.example"}) || len(o.router.bounced) != 0 {
			t.Errorf("uncertified %v, bounced %v", o.router.uncertified, o.router.bounced)
		}
	})
}

// What is not believed changes nothing, and operators see it.
func TestReport_ThatIsNotGenuineIsShownToOperators(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		m, report := o.sentPEC()
		report(outbox.Report{Doubt: "receipt-not-genuine: signature"})
		if got := o.delivery(m); got.State != outbox.Sent || *got.LastError != "receipt-not-genuine: signature" || got.Attempts != 1 {
			t.Errorf("%+v", got)
		}
		err := o.Report(context.Background(), outbox.Report{
			Channel: outbox.PEC, DeliveryID: o.delivery(m).ID, Delivered: true, Recipient: "another@pec.example",
		})
		if got := o.delivery(m); !fault.Is(err, fault.NotFound) || got.State != outbox.Sent ||
			*got.LastError != "receipt-not-genuine: another-recipient" {
			t.Errorf("%+v, %v", got, err)
		}
		report(outbox.Report{Delivered: true, Recipient: "M@PEC.example"})
		if got := o.delivery(m); got.State != outbox.Delivered {
			t.Errorf("%+v", got)
		}
	})
}

// A provider says within a day what became of a PEC: silence is for operators to look at.
func TestReport_ThatIsOverdueIsShownToOperators(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		silent, _ := o.sentPEC()
		_, report := o.sentPEC()
		report(outbox.Report{Delivered: true})
		o.promiseTo("pin.changed", outbox.Email, "m@posta.example")
		o.drain()
		overdue := func(f outbox.Filter) (ids []outbox.Delivery) {
			t.Helper()
			f.ReceiptOverdue = true
			found, err := o.service().List(context.Background(), access.Actor{}, f, page.Request{Limit: 5})
			if err != nil {
				t.Fatal(err)
			}
			return found.Items
		}
		o.clock.Advance(24*time.Hour - time.Microsecond)
		if got := overdue(outbox.Filter{}); len(got) != 0 {
			t.Errorf("too early: %+v", got)
		}
		o.clock.Advance(time.Microsecond)
		if got := overdue(outbox.Filter{}); len(got) != 1 || got[0].Message() != silent.ID || !got[0].ReceiptOverdue(o.clock.Now()) {
			t.Errorf("%+v", got)
		}
		if got := overdue(outbox.Filter{State: outbox.Delivered}); len(got) != 0 {
			t.Errorf("%+v", got)
		}
	})
}
