package outbox_test

import (
	"context"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/kernel/outbox"
	"diresco/internal/test/dbtest"
)

// slow is a worker whose server takes its time.
type slow struct {
	// ticks have its leases renewed.
	ticks         chan time.Time
	begun, answer chan struct{}
	ended         chan struct{}
	end           context.CancelFunc
}

func (o *office) slowWorker() *slow {
	o.t.Helper()
	s := &slow{
		ticks: make(chan time.Time), begun: make(chan struct{}, 1), answer: make(chan struct{}), ended: make(chan struct{}),
	}
	w := o.worker(o.db, everywhere(sendFunc(func(context.Context, outbox.Outgoing) (outbox.Taken, error) {
		s.begun <- struct{}{}
		<-s.answer
		return outbox.Taken{}, nil
	})))
	w.RenewOn(s.ticks)
	var ctx context.Context
	ctx, s.end = context.WithCancel(context.Background())
	go func() {
		defer close(s.ended)
		w.Run(ctx)
	}()
	return s
}

// others sends what another process finds due, and returns how many that were.
func (o *office) others() int {
	o.t.Helper()
	sent := 0
	w := o.worker(o.db, everywhere(sendFunc(func(context.Context, outbox.Outgoing) (outbox.Taken, error) {
		sent++
		return outbox.Taken{}, nil
	})))
	if err := w.Drain(context.Background()); err != nil {
		o.t.Fatal(err)
	}
	return sent
}

// Nobody else takes a delivery while its server is awaited, however long that is.
func TestDelivery_LeaseIsRenewedWhileTheServerIsAwaited(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		m := o.promiseTo("pin.changed", outbox.Email, "m@posta.example")
		s := o.slowWorker()
		<-s.begun
		for range 20 {
			o.clock.Advance(90 * time.Second)
			s.ticks <- time.Time{}
			s.ticks <- time.Time{} // it has been renewed once this one is taken
			if n := o.others(); n != 0 {
				t.Fatalf("%d were sent by another one", n)
			}
		}
		close(s.answer)
		s.end()
		<-s.ended
		if got := o.delivery(m); got.State != outbox.Sent || got.Attempts != 1 || got.LeaseOwner != nil {
			t.Errorf("%+v", got)
		}
	})
}

// What a killed process was sending is sent by another one soon.
func TestDelivery_OfAKilledWorkerIsFreeAfterTwoMinutes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		m := o.promiseTo("pin.changed", outbox.Email, "m@posta.example")
		s := o.slowWorker()
		<-s.begun
		o.clock.Advance(2*time.Minute - time.Second)
		if n := o.others(); n != 0 {
			t.Errorf("%d were sent before", n)
		}
		o.clock.Advance(time.Second)
		if n := o.others(); n != 1 {
			t.Errorf("%d were sent", n)
		}
		close(s.answer)
		s.end()
		<-s.ended
		if got := o.delivery(m); got.State != outbox.Sent {
			t.Errorf("%+v", got)
		}
	})
}
