package pinrequest_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/pinrequest"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
)

// TestPINRequest_RequestsAmongOthers: what is done to one person's PIN at the same time is done in
// some order, or refused. In the end there is one PIN or none.
func TestPINRequest_RequestsAmongOthers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		p, _ := s.marioWithPIN(t, false)
		refused := func(err error) bool {
			var f *fault.Fault
			if err != nil && !errors.As(err, &f) {
				t.Error(err)
			}
			return err != nil
		}
		locked := func(work func(ctx context.Context) error) error {
			return s.DB.InTx(ctx, func(ctx context.Context) error {
				if _, err := s.People.Lock(ctx, p.ID); err != nil {
					return err
				}
				return work(ctx)
			})
		}
		works := []func(){
			func() {
				r, err := s.File(ctx, s.Clerk, application(nil))
				if refused(err) || r.State != "served" {
					return
				}
				for _, m := range []outbox.Message{s.message(t, r.SecondMessageID), s.message(t, r.FirstMessageID)} {
					state := outbox.HandedOver
					if m.ID == *r.FirstMessageID {
						state = outbox.Failed
					}
					refused(s.DB.InTx(ctx, func(ctx context.Context) error {
						return s.PINs.HandedOver(ctx, outbox.Delivery{
							MessageID: new(m.ID), PersonID: m.PersonID, Kind: pin.HalfKind.Name, State: state, CreatedAt: m.CreatedAt,
						})
					}))
				}
			},
			func() {
				refused(locked(func(ctx context.Context) error {
					_, err := s.PINs.RevokeFor(ctx, p.ID)
					return err
				}))
			},
			func() {
				initial, err := s.PINs.NewInitial(ctx)
				if refused(err) {
					return
				}
				var handed pin.IssuedPIN
				if refused(locked(func(ctx context.Context) (err error) {
					handed, err = s.PINs.GiveInPerson(ctx, p.ID, uuid.New(), initial)
					return err
				})) {
					return
				}
				session, err := s.Sessions.Start(ctx, pintest.Mario.Clear(), handed.PIN, "")
				if refused(err) {
					return
				}
				by, err := s.Actor(t, session)
				if refused(err) {
					return
				}
				r, err := s.PINs.Rotate(ctx, by)
				if refused(err) {
					return
				}
				_, err = s.PINs.Confirm(ctx, by, r.ID, r.PIN)
				refused(err)
			},
		}
		var all sync.WaitGroup
		for _, work := range works {
			for range 2 {
				all.Go(func() {
					for range 15 {
						work()
					}
				})
			}
		}
		all.Wait()
		if n := s.Count(t, "pins WHERE person_id = ?", p.ID); n != 1 {
			t.Errorf("%d PINs", n)
		}
	})
}

// TestPINRequest_RequestsForOneTaxCodeWait for each other, whether or not there is such a person.
// Otherwise many at once would tell, by how long they take, who is registered.
func TestPINRequest_RequestsForOneTaxCodeWait(t *testing.T) {
	s := open(t, dbtest.Open(t, dbtest.Postgres(t)))
	undo := errors.New("undo")
	for name, change := range map[string]func(*pinrequest.Application){"in the register": nil, "nobody": stranger} {
		err := s.DB.InTx(ctx, func(first context.Context) error {
			_, err := s.Request(first, application(change))
			want(t, err, "")
			return s.DB.InTx(ctx, func(second context.Context) error {
				if err := s.DB.From(second).Exec("SET LOCAL lock_timeout = '50ms'").Error; err != nil {
					return err
				}
				if _, err := s.Request(second, application(change)); !db.IsLockTimeout(err) {
					t.Errorf("%s: the second got %v", name, err)
				}
				return undo
			})
		})
		if !errors.Is(err, undo) {
			t.Fatal(err)
		}
	}
}
