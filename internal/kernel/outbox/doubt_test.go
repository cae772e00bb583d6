package outbox_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
)

// unknown refuses what goes to addresses that begin with "no".
func unknown(m outbox.Outgoing) error {
	if strings.HasPrefix(m.To, "no") {
		return &outbox.Refused{Reason: "unknown-address"}
	}
	return nil
}

// forget erases what is over.
func (o *office) forget() {
	o.t.Helper()
	if err := o.ForgetEnded(context.Background()); err != nil {
		o.t.Fatal(err)
	}
}

// A refusal counts once the channel has taken something since: until then nobody knows whose
// trouble it is.
func TestRefusal_CountsOnceTheChannelTookAnother(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		o.post.refuse(unknown)
		half := o.promiseHalf(outbox.PEC, "nobody@pec.example")
		o.drain()
		got := o.delivery(half)
		if got.State != outbox.Queued || *got.LastError != "not-confirmed: unknown-address" || got.NextAt.Sub(o.clock.Now()) < time.Minute ||
			len(o.router.bounced) != 0 {
			t.Errorf("%+v, bounced %v", got, o.router.bounced)
		}
		o.promiseTo("pin.changed", outbox.PEC, "m@pec.example")
		o.drain()
		o.clock.Advance(time.Minute)
		o.drain()
		if got := o.delivery(half); got.State != outbox.Failed || *got.LastError != "unknown-address" || got.Attempts != 2 {
			t.Errorf("%+v", got)
		}
		if !slices.Equal(o.router.bounced, []string{"nobody@pec.example"}) {
			t.Errorf("bounced: %v", o.router.bounced)
		}
		// It might be retried until its deadline, so it keeps its secret until then.
		o.forget()
		if o.count("outbox WHERE sealed IS NOT NULL") != 1 {
			t.Error("the secret is gone")
		}
		o.clock.Advance(outbox.Patience)
		o.forget()
		if o.count("outbox WHERE sealed IS NOT NULL") != 0 {
			t.Error("the secret outlives its deadline")
		}
	})
}

// A relay that knows us no more has the same words for every address.
func TestRefusal_OfEverybodyHoldsTheChannelAndMarksNobody(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		o.promise("declaration.received")
		o.drain() // it worked until now
		tries := 0
		o.post.refuse(func(m outbox.Outgoing) error {
			if m.Channel != outbox.Email {
				return nil
			}
			tries++
			return &outbox.Refused{Reason: "unknown-address"}
		})
		var all []outbox.Message
		for i := range 40 {
			all = append(all, o.promiseHalf(outbox.Email, "m"+strconv.Itoa(i)+"@posta.example"))
		}
		o.promiseTo("pin.changed", outbox.SMS, "+393331234567") // another channel's success says nothing about this one
		for range 120 {
			o.drain()
			o.clock.Advance(time.Minute)
		}
		if len(o.router.bounced) != 0 || o.count("deliveries WHERE state = 'failed'") != 0 ||
			o.count("outbox WHERE sealed IS NOT NULL") != 40 {
			t.Errorf("bounced %v, %d failed", o.router.bounced, o.count("deliveries WHERE state = 'failed'"))
		}
		if tries > 40+120 {
			t.Errorf("the channel was tried %d times", tries)
		}
		o.post.refuse(nil)
		for range 240 {
			o.drain()
			o.clock.Advance(time.Minute)
		}
		for _, m := range all {
			if got := o.delivery(m); got.State != outbox.Sent {
				t.Errorf("%s is %s", got.Recipient, got.State)
			}
		}
		if len(o.router.bounced) != 0 {
			t.Errorf("bounced %v", o.router.bounced)
		}
	})
}

// What is refused for what it says fails, and its recipient stays reachable; unless all are.
func TestRefusal_OfAMessageMarksNobody(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		o.post.refuse(func(outbox.Outgoing) error { return &outbox.Refused{Reason: "refused-by-gateway", Message: true} })
		var all []outbox.Message
		for i := range 3 {
			all = append(all, o.promiseTo("pin.changed", outbox.SMS, "+39333123456"+strconv.Itoa(i)))
			o.drain()
		}
		for i, want := range []outbox.DeliveryState{outbox.Failed, outbox.Failed, outbox.Queued} {
			if got := o.delivery(all[i]); got.State != want {
				t.Errorf("message %d is %s, want %s", i, got.State, want)
			}
		}
		if len(o.router.bounced) != 0 {
			t.Errorf("bounced %v", o.router.bounced)
		}
	})
}

// A relay that takes its time has the message, whatever we think. A few copies in three days, not
// hundreds, and none is called given up.
func TestDelivery_OfUnknownOutcomeIsRepeatedTwice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var told []outbox.DeliveryState
		o := newOfficeWith(t, d, map[string]outbox.Hook{"pin.half": func(_ context.Context, d outbox.Delivery) error {
			told = append(told, d.State)
			return nil
		}})
		var copies []time.Duration
		began := o.clock.Now()
		o.post.refuse(func(outbox.Outgoing) error {
			copies = append(copies, o.clock.Now().Sub(began))
			return &outbox.NoAnswer{Err: errors.New("smtp: no answer to the end of the message")}
		})
		half := o.promiseHalf(outbox.Email, "m@posta.example")
		o.drain()
		if got := o.delivery(half); got.State != outbox.Unconfirmed || !got.WillBeTried() || got.NextAt.Sub(began) != time.Hour ||
			*got.LastError != "smtp: no answer to the end of the message" {
			t.Errorf("%+v", got)
		}
		for range 5 * 24 * 4 {
			o.clock.Advance(15 * time.Minute)
			o.drain()
		}
		if !slices.Equal(copies, []time.Duration{0, time.Hour, 7 * time.Hour}) {
			t.Errorf("copies after %v", copies)
		}
		if got := o.delivery(half); got.State != outbox.Unconfirmed || got.WillBeTried() || got.Attempts != 3 {
			t.Errorf("%+v", got)
		}
		if o.count("delivery_attempts WHERE outcome = 'unconfirmed'") != 3 || o.count("outbox WHERE sealed IS NOT NULL") != 0 {
			t.Error("attempts are missing, or the secret is left")
		}
		if !slices.Equal(told, []outbox.DeliveryState{outbox.Unconfirmed, outbox.Unconfirmed, outbox.Unconfirmed}) {
			t.Errorf("told %v", told)
		}
		found, err := o.service().List(context.Background(), access.Actor{}, outbox.Filter{State: outbox.Unconfirmed}, page.Request{Limit: 5})
		if err != nil || len(found.Items) != 1 {
			t.Errorf("operators see %d, %v", len(found.Items), err)
		}
		if _, err := o.service().Retry(context.Background(), access.Actor{}, o.delivery(half).ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("without its secret: %v", err)
		}
	})
}

// What becomes known ends the doubt.
func TestDelivery_OfUnknownOutcomeIsSentByARepeat(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		var fail error = &outbox.NoAnswer{Err: errors.New("no answer")}
		o.post.refuse(func(outbox.Outgoing) error { return fail })
		short := message(t, "pin.changed", o.clock.Now()).Until(o.clock.Now().Add(30*time.Minute)).To(outbox.Email, "m@posta.example")
		add(t, d, short)
		repeated, reported := o.promise("declaration.received"), o.promiseTo("pin.changed", outbox.PEC, "m@pec.example")
		o.drain()
		if got := o.delivery(short); got.State != outbox.Unconfirmed || got.WillBeTried() {
			t.Errorf("after its deadline no copy is worth sending: %+v", got)
		}
		if err := o.Report(context.Background(), outbox.Report{
			Channel: outbox.PEC, DeliveryID: o.delivery(reported).ID, Delivered: true,
		}); err != nil {
			t.Error(err)
		}
		fail = errors.New("451 later")
		o.clock.Advance(time.Hour)
		o.drain()
		if got := o.delivery(repeated); got.State != outbox.Unconfirmed || got.NextAt.Sub(o.clock.Now()) != time.Hour {
			t.Errorf("it may still have arrived: %+v", got)
		}
		fail = nil
		o.clock.Advance(time.Hour)
		o.drain()
		if got := o.delivery(repeated); got.State != outbox.Sent || got.LastError != nil {
			t.Errorf("%+v", got)
		}
		if got := o.delivery(reported); got.State != outbox.Delivered {
			t.Errorf("%+v", got)
		}
	})
}

// Nobody else takes a delivery while a slow server may still answer.
func TestDelivery_IsLeasedForAsLongAsItsHandOverTakes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		for c, least := range map[outbox.Channel]time.Duration{
			outbox.Email: 31 * time.Minute, outbox.PEC: 31 * time.Minute, outbox.SMS: 30 * time.Second,
		} {
			var leased time.Duration
			w := o.worker(d, map[outbox.Channel]outbox.Sender{c: sendFunc(func(ctx context.Context, m outbox.Outgoing) (outbox.Taken, error) {
				var until time.Time
				if err := d.From(context.Background()).Raw(
					"SELECT lease_until FROM deliveries WHERE id = ?", m.ID,
				).Scan(&until).Error; err != nil {
					t.Error(err)
				}
				leased = until.Sub(o.clock.Now())
				if _, bounded := ctx.Deadline(); !bounded {
					t.Error("a hand-over without an end")
				}
				return outbox.Taken{}, nil
			})})
			o.promiseTo("pin.changed", c, "m@posta.example")
			if err := w.Drain(context.Background()); err != nil {
				t.Fatal(err)
			}
			if leased <= least {
				t.Errorf("%s: leased for %v", c, leased)
			}
		}
	})
}
