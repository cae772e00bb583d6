package db_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/test/dbtest"
)

type mood string

// sample is a row with every kind of value that travels in groups.
type sample struct {
	ID        uuid.UUID
	Parent    *uuid.UUID
	At        time.Time
	Until     *time.Time
	Words     string
	Note      *string
	Mood      mood
	OtherMood *mood
	Number    int
	Renamed   string `gorm:"column:another_name"`
	Unstored  []byte `gorm:"-"`
}

// TableName tells GORM the table.
func (sample) TableName() string { return "samples" }

func withSamples(t *testing.T, d *db.DB) {
	t.Helper()
	types := map[db.Dialect][2]string{db.Postgres: {"uuid", "timestamptz"}, db.SQLite: {"text", "timestamp"}}[d.Dialect()]
	err := d.InTx(context.Background(), func(ctx context.Context) error {
		return d.From(ctx).Exec(fmt.Sprintf(`CREATE TABLE samples (id %[1]s PRIMARY KEY, parent %[1]s, at %[2]s NOT NULL, until %[2]s,
			words text NOT NULL, note text, mood text NOT NULL,
			other_mood text, number integer NOT NULL, another_name text NOT NULL)`, types[0], types[1])).Error
	})
	if err != nil {
		t.Fatal(err)
	}
}

func samples(n int) []sample {
	texts := []string{
		"", "NULL", "null", `{"a","b"}`, "a,b", `back\slash`, `"quoted"`, "'single'", "è ü 日本 \U0001f600", "line\nbreak\ttab", " spaces ",
		"{}", "$1", "?",
	}
	rows := make([]sample, n)
	for i := range rows {
		id := uuid.Must(uuid.NewV7())
		rows[i] = sample{
			ID: id, At: time.Date(2026, 3, 29, 1, 59, 59, i*1000, time.UTC), Words: texts[i%len(texts)],
			Mood: mood(texts[(i+1)%len(texts)]), Number: i - 3, Renamed: texts[(i+2)%len(texts)],
		}
		if i%2 == 0 {
			at, note, other := rows[i].At.Add(time.Hour), texts[(i+3)%len(texts)], mood(texts[i%len(texts)])
			rows[i].Parent, rows[i].Until, rows[i].Note, rows[i].OtherMood = &id, &at, &note, &other
		}
	}
	return rows
}

func stored(t *testing.T, d *db.DB) []sample {
	t.Helper()
	var rows []sample
	if err := d.From(context.Background()).Order("id").Find(&rows).Error; err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestInsert_RowsAreInsertedAsTheyAre(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		withSamples(t, d)
		want := samples(300)
		err := d.InTx(context.Background(), func(ctx context.Context) error {
			return errors.Join(db.InsertAll(ctx, d, want[:1]), db.InsertAll(ctx, d, want[1:]), db.InsertAll[sample](ctx, d, nil))
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, stored(t, d)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestInsert_RowsThatAreThereAlready(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		withSamples(t, d)
		all := samples(6)
		inTx := func(fn func(ctx context.Context) error) error { return d.InTx(context.Background(), fn) }
		if err := inTx(func(ctx context.Context) error { return db.InsertAll(ctx, d, all[:3]) }); err != nil {
			t.Fatal(err)
		}
		changed := append([]sample(nil), all...)
		changed[1].Words = "changed"
		if err := inTx(func(ctx context.Context) error { return db.InsertAll(ctx, d, changed) }); !db.IsUnique(err) {
			t.Errorf("rows that are there already: %v", err)
		}
		if diff := cmp.Diff(all[:3], stored(t, d)); diff != "" {
			t.Errorf("a refused group left something:\n%s", diff)
		}
		if err := inTx(func(ctx context.Context) error { return db.InsertMissing(ctx, d, changed) }); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(all, stored(t, d)); diff != "" {
			t.Errorf("with those that were missing:\n%s", diff)
		}
		var returned []sample
		err := inTx(func(ctx context.Context) (err error) {
			returned, err = db.InsertReturning(
				ctx, d, changed[:3],
				" ON CONFLICT (id) DO UPDATE SET words = excluded.words WHERE samples.words <> excluded.words AND samples.number < ? "+
					"RETURNING id, words",
				100,
			)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(returned) != 1 || returned[0].ID != all[1].ID || returned[0].Words != "changed" {
			t.Errorf("returned %+v", returned)
		}
		if none, err := db.InsertReturning(context.Background(), d, []sample(nil), ""); err != nil || none != nil {
			t.Errorf("of nothing: %v, %v", none, err)
		}
	})
}

func TestInsert_AGroupStandsOrFallsWithItsTransaction(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		withSamples(t, d)
		boom := errors.New("boom")
		err := d.InTx(context.Background(), func(ctx context.Context) error {
			if !d.WithinTx(ctx) {
				t.Error("a transaction does not know itself")
			}
			if err := db.InsertAll(ctx, d, samples(2)); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) || len(stored(t, d)) != 0 || d.WithinTx(context.Background()) {
			t.Errorf("%v, and %d rows", err, len(stored(t, d)))
		}
	})
}

func TestInsert_AKindOfValueThatDoesNotTravel(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	type odd struct{ Ratio float64 }
	if err := db.InsertAll(context.Background(), d, []odd{{1}}); err == nil || !strings.Contains(err.Error(), "ratio") {
		t.Errorf("got %v", err)
	}
}

func TestInsert_IDsTravelAsOneValue(t *testing.T) {
	d := dbtest.Open(t, dbtest.Postgres(t))
	for n := range 4 {
		ids := make(db.UUIDs, n)
		for i := range ids {
			ids[i] = uuid.Must(uuid.NewV7())
		}
		var back []uuid.UUID
		if err := d.From(context.Background()).Raw("SELECT * FROM unnest(?::uuid[])", ids).Scan(&back).Error; err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]uuid.UUID(ids), append([]uuid.UUID{}, back...)); diff != "" {
			t.Error(diff)
		}
	}
}

// SQLite takes so many values in one statement, and no more.
func TestInsertAll_TakesAnyNumberOfRows(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		withSamples(t, d)
		rows := make([]sample, 5000)
		for i := range rows {
			rows[i] = sample{ID: uuid.New(), At: time.Now(), Number: i}
		}
		err := d.InTx(context.Background(), func(ctx context.Context) error { return db.InsertAll(ctx, d, rows) })
		if err != nil {
			t.Fatal(err)
		}
		var n int
		if err := d.From(context.Background()).Raw("SELECT COUNT(*) FROM samples").Scan(&n).Error; err != nil || n != len(rows) {
			t.Errorf("%d rows: %v", n, err)
		}
	})
}
