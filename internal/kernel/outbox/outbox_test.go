package outbox_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/outbox"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func message(t *testing.T, kind string, at time.Time) outbox.Message {
	t.Helper()
	m, err := outbox.NewMessage(outbox.Kind{Name: kind}, uuid.Must(uuid.NewV7()), map[string]string{"title": "Esonero «àèìòù» \u2028"}, at)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func add(t *testing.T, d *db.DB, messages ...outbox.Message) {
	t.Helper()
	if err := d.InTx(context.Background(), func(ctx context.Context) error { return outbox.New(d).Add(ctx, messages...) }); err != nil {
		t.Fatal(err)
	}
}

func TestOutbox_MessagesAreSentInTheirOrder(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := outbox.New(d)
		second, first, third := message(
			t, "second", world.Start.Add(1500*time.Millisecond),
		), message(t, "first", world.Start), message(t, "third", world.Start.Add(2*time.Second))
		add(t, d, second)
		add(t, d, third, first)
		add(t, d)
		queued := func(limit int) []outbox.Message {
			t.Helper()
			var got []outbox.Message
			err := d.InTx(context.Background(), func(ctx context.Context) (err error) {
				got, err = o.Queued(ctx, limit)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if diff := cmp.Diff([]outbox.Message{first, second}, queued(2)); diff != "" {
			t.Error(diff)
		}
		if err := d.InTx(context.Background(), func(ctx context.Context) error {
			if err := o.MarkRouted(ctx); err != nil {
				return err
			}
			return o.MarkRouted(ctx, first.ID, third.ID)
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]outbox.Message{second}, queued(10)); diff != "" {
			t.Error(diff)
		}
		var row outbox.Message
		if err := d.From(context.Background()).Take(&row, "id = ?", third.ID).Error; err != nil {
			t.Fatal(err)
		}
		third.State = outbox.StateRouted
		if diff := cmp.Diff(third, row); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOutbox_APromiseStandsOrFallsWithItsTransaction(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		boom := errors.New("boom")
		err := d.InTx(context.Background(), func(ctx context.Context) error {
			if err := outbox.New(d).Add(ctx, message(t, "never", world.Start)); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) {
			t.Fatal(err)
		}
		var n int64
		if err := d.From(context.Background()).Table("outbox").Count(&n).Error; err != nil || n != 0 {
			t.Errorf("%d messages, %v", n, err)
		}
	})
}

func TestOutbox_DataThatIsNone(t *testing.T) {
	if _, err := outbox.NewMessage(outbox.Kind{Name: "kind"}, uuid.Nil, func() {}, world.Start); err == nil {
		t.Error("a function became a message")
	}
}

func TestOutbox_TwoSendersNeverHoldOneMessage(t *testing.T) {
	d := dbtest.Open(t, dbtest.Postgres(t))
	o := outbox.New(d)
	var all []uuid.UUID
	for i := range 4 {
		m := message(t, "kind", world.Start.Add(time.Duration(i)))
		all = append(all, m.ID)
		add(t, d, m)
	}
	take := func(ctx context.Context, limit int) (ids []uuid.UUID) {
		t.Helper()
		messages, err := o.Queued(ctx, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			ids = append(ids, m.ID)
		}
		return ids
	}
	err := d.InTx(context.Background(), func(first context.Context) error {
		mine := take(first, 3)
		return d.InTx(context.Background(), func(second context.Context) error {
			others := take(second, 3)
			if len(mine) != 3 || len(others) != 1 {
				t.Errorf("one sender has %d messages, the other %d", len(mine), len(others))
			}
			if got := slices.Concat(mine, others); !slices.Equal(got, all) {
				t.Errorf("sent %v of %v", got, all)
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}
