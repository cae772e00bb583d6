package outbox_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
)

// fill makes many messages, each with one delivery: one in ten waits, nearly all of these by SMS. As
// many deliveries have their message in them.
func (o *office) fill(n int) (personID uuid.UUID) {
	o.t.Helper()
	id, at, kind := "printf('%08x-0000-7000-8000-%012x', i, i)", "strftime('%Y-%m-%d %H:%M:%S', '2026-01-01', '+' || i || ' "+
		"seconds') || '+00:00'", ""
	if o.db.Dialect() == db.Postgres {
		id, at, kind = "(lpad(to_hex(i), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(i), "+
			"12, '0'))::uuid", "timestamptz '2026-01-01 00:00:00+00' + i * interval '1 second'", "::uuid"
	}
	person := strings.ReplaceAll(strings.ReplaceAll(id, "i, i", "i % 50, i % 50"), "to_hex(i)", "to_hex(i % 50)")
	state := "CASE WHEN i % 10 = 0 THEN 'queued' WHEN i % 10 = 1 THEN 'failed' ELSE 'sent' END"
	channel := "CASE WHEN i % 10 = 0 AND i % 500 <> 0 THEN 'sms' WHEN i % 4 = 0 THEN 'pec' ELSE 'email' END"
	numbers := fmt.Sprintf("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) ", n)
	err := o.db.InTx(context.Background(), func(ctx context.Context) error {
		for _, statement := range []string{
			numbers + "INSERT INTO outbox (id, kind, person_id, data, state, created_at, deadline_at) SELECT " + id + ", 'pin.changed', " +
				person + kind + ", '{}', 'routed', " + at + ", " + at + " FROM n",
			numbers + "INSERT INTO deliveries (id, message_id, kind, channel, recipient, locale, state, attempts, next_at, deadline_at, " +
				"created_at, updated_at) SELECT " +
				id + ", " + id + ", 'pin.changed', " + channel + ", 'x', 'it', " + state + ", 0, " +
				at + ", " + at + ", " + at + ", " + at + " FROM n",
			numbers + "INSERT INTO deliveries (id, person_id, data, kind, channel, recipient, locale, state, attempts, next_at, deadline_at, " +
				"created_at, updated_at) SELECT " + strings.ReplaceAll(id, "7000", "7001") + ", " +
				person + kind + ", '{}', 'pin.changed', " + channel + ", 'x', 'it', " + state + ", 0, " +
				at + ", " + at + ", " + at + ", " + at + " FROM n",
			"ANALYZE",
		} {
			if err := o.db.From(ctx).Exec(statement).Error; err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return uuid.MustParse("00000007-0000-7000-8000-000000000007")
}

// listen returns what is asked of the outbox's tables, from the call on.
func (o *office) listen() *[]*gorm.Statement {
	o.t.Helper()
	var heard []*gorm.Statement
	hear := func(g *gorm.DB) {
		if s := g.Statement.SQL.String(); strings.Contains(s, "deliveries") || strings.Contains(s, "outbox") {
			asked := &gorm.Statement{Vars: g.Statement.Vars}
			asked.SQL.WriteString(s)
			heard = append(heard, asked)
		}
	}
	handles := []*gorm.DB{o.db.From(context.Background())}
	if err := o.db.InTx(context.Background(), func(ctx context.Context) error {
		if o.db.Dialect() == db.SQLite {
			handles = append(handles, o.db.From(ctx))
		}
		return nil
	}); err != nil {
		o.t.Fatal(err)
	}
	for _, h := range handles {
		for _, err := range []error{
			h.Callback().Query().After("gorm:query").Register("test:query", hear),
			h.Callback().Row().After("gorm:row").Register("test:row", hear),
		} {
			if err != nil {
				o.t.Fatal(err)
			}
		}
	}
	return &heard
}

// plan returns how the database answers whatever the values are.
func (o *office) plan(s *gorm.Statement) string {
	o.t.Helper()
	var lines []string
	err := o.db.InTx(context.Background(), func(ctx context.Context) error {
		tx := o.db.From(ctx)
		if o.db.Dialect() == db.SQLite {
			var steps []struct{ Detail string }
			if err := tx.Raw("EXPLAIN QUERY PLAN "+s.SQL.String(), s.Vars...).Scan(&steps).Error; err != nil {
				return err
			}
			for _, step := range steps {
				lines = append(lines, step.Detail)
			}
			return nil
		}
		literals := make([]string, len(s.Vars))
		for i, v := range s.Vars {
			switch v := v.(type) {
			case time.Time:
				literals[i] = "'" + v.Format(time.RFC3339Nano) + "'"
			case db.UUIDs:
				text, err := v.Value()
				if err != nil {
					return err
				}
				literals[i] = fmt.Sprintf("'%s'", text)
			default:
				literals[i] = fmt.Sprintf("'%v'", v)
			}
		}
		for _, statement := range []string{"SET LOCAL plan_cache_mode = force_generic_plan", "PREPARE asked AS " + s.SQL.String()} {
			if err := tx.Exec(statement).Error; err != nil {
				return err
			}
		}
		if err := tx.Raw("EXPLAIN (COSTS OFF) EXECUTE asked (" + strings.Join(literals, ", ") + ")").Scan(&lines).Error; err != nil {
			return err
		}
		return tx.Exec("DEALLOCATE asked").Error
	})
	if err != nil {
		o.t.Fatalf("%s: %v", s.SQL.String(), err)
	}
	return strings.Join(lines, "\n")
}

// TestOutbox_NoQuestionReadsATableThrough: however many messages there were, what a worker asks and
// what lists show are ranges of indexes.
func TestOutbox_NoQuestionReadsATableThrough(t *testing.T) {
	through := regexp.MustCompile(`Seq Scan on (deliveries|outbox)|SCAN (deliveries|outbox)(\n|$)`)
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		n := 10_000
		if d.Dialect() == db.SQLite {
			n = 2_000 // it plans without looking at how many there are
		}
		person := o.fill(n)
		s := o.service()
		heard := o.listen()
		list := func(f outbox.Filter) func() error {
			return func() error {
				found, err := s.List(context.Background(), access.Actor{}, f, page.Request{Limit: 5})
				if err == nil {
					_, err = s.List(context.Background(), access.Actor{}, f, page.Request{Limit: 5, Cursor: found.Next})
				}
				return err
			}
		}
		byID := "deliveries_pkey"
		if d.Dialect() == db.SQLite {
			byID = "sqlite_autoindex_deliveries_1"
		}
		for name, tt := range map[string]struct {
			ask     func() error
			indexes []string
		}{
			"look": {func() error { _, err := o.Due(context.Background()); return err }, []string{"deliveries_due"}},
			"send": {func() error {
				return o.worker(d, everywhere(o.post)).Drain(context.Background())
			}, []string{"deliveries_due"}},
			"all":        {list(outbox.Filter{}), []string{byID}},
			"by state":   {list(outbox.Filter{State: outbox.Failed}), []string{"deliveries_by_state"}},
			"by channel": {list(outbox.Filter{Channel: outbox.PEC}), []string{"deliveries_by_state"}},
			"by both":    {list(outbox.Filter{State: outbox.Sent, Channel: outbox.PEC}), []string{"deliveries_by_state"}},
			"to one person": {func() error {
				_, err := s.Notifications(context.Background(), access.Actor{PersonID: person}, page.Request{Limit: 5})
				return err
			}, []string{"outbox_by_person", "deliveries_by_person"}},
			"reached": {func() error {
				_, err := outbox.New(d).Reached(context.Background(), outbox.Kind{Name: "pin.changed"}, person, time.Time{})
				return err
			}, []string{"outbox_by_person", "deliveries_by_person"}},
			"of one message": {func() error {
				_, err := outbox.New(d).Deliveries(context.Background(), person)
				return err
			}, []string{"deliveries_by_message", byID}},
		} {
			*heard = nil
			if err := tt.ask(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			asked := *heard
			plans := ""
			for _, statement := range asked[:min(len(asked), 12)] {
				plan := o.plan(statement)
				if through.MatchString(plan) {
					t.Errorf("%s: %s\n%s", name, statement.SQL.String(), plan)
				}
				plans += plan + "\n"
			}
			for _, index := range tt.indexes {
				if !strings.Contains(plans, index+" ") && !strings.Contains(plans, index+"\n") {
					t.Errorf("%s: %d statements, and none by %s:\n%s", name, len(asked), index, plans)
				}
			}
		}
	})
}
