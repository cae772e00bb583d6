package recheck

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/db/direct"
)

// found says of each id that was asked for how its row stands.
type found map[uuid.UUID]standing

// standing is whether a row is good, and until when, where it ends by itself.
type standing struct {
	good  bool
	until *time.Time
}

// questions are asked in the order in which they were added, which is the lock order. On PostgreSQL
// they make one journey.
type questions []question

// question selects those of the ids whose rows are good. They are its first argument, IN ?. Where it
// is timed, the present is the second, and it selects the end of each row too.
type question struct {
	statement string
	ids       found
	timed     bool
	// answers are what it selected.
	answers []answer
	// lock stands for all of that in what is only a lock, on PostgreSQL alone: arguments are $1, $2
	// and so on.
	lock     string
	lockArgs []any
}

func (q *questions) add(one question) {
	if len(one.ids) > 0 || one.lock != "" {
		*q = append(*q, one)
	}
}

// people asks who is not suspended, and locks them against it.
func (c *Checker) people(people found) question {
	const selectPeople = "SELECT p.id FROM people p WHERE p.id IN ? AND p.suspended_at IS NULL ORDER BY p.id"
	return question{statement: selectPeople + c.db.ForShare("p"), ids: people}
}

// answer is a row that a question returns.
type answer struct {
	ID         uuid.UUID
	ValidUntil *time.Time
}

// confirm asks the questions, and marks the ids whose rows are good.
func (c *Checker) confirm(ctx context.Context, asked questions) error {
	if err := c.ask(ctx, asked); err != nil {
		return err
	}
	asked.mark()
	return nil
}

func (q questions) mark() {
	for _, one := range q {
		for _, row := range one.answers {
			one.ids[row.ID] = standing{true, row.ValidUntil}
		}
	}
}

func (c *Checker) ask(ctx context.Context, asked questions) error {
	if c.db.Dialect() == db.Postgres {
		return c.askTogether(ctx, asked)
	}
	for i := range asked {
		q := &asked[i]
		args := []any{slices.Collect(maps.Keys(q.ids))}
		if q.timed {
			args = append(args, c.clock.Now())
		}
		if err := c.db.From(ctx).Raw(q.statement, args...).Scan(&q.answers).Error; err != nil {
			return err
		}
	}
	return nil
}

// askTogether is ask on PostgreSQL.
func (c *Checker) askTogether(ctx context.Context, asked questions) error {
	if !c.db.WithinTx(ctx) {
		return c.db.InTx(ctx, func(ctx context.Context) error { return c.askTogether(ctx, asked) })
	}
	var batch direct.Batch
	c.askIn(&batch, asked)
	return batch.Send(ctx, c.db)
}

// askIn asks the questions when the batch is sent.
func (c *Checker) askIn(b *direct.Batch, asked questions) {
	for i := range asked {
		q := &asked[i]
		if q.lock != "" {
			b.Do(q.lock, q.lockArgs...)
			continue
		}
		args := []any{db.UUIDs(slices.Collect(maps.Keys(q.ids)))}
		if q.timed {
			args = append(args, c.clock.Now())
		}
		direct.Ask(b, &q.answers, q.read, q.numbered(), args...)
	}
}

// numbered is the statement for PostgreSQL.
func (q *question) numbered() string {
	return strings.NewReplacer("IN ?", "= ANY ((SELECT $1::uuid[])::uuid[])", "?", "$2").Replace(q.statement)
}

func (q *question) read(r *direct.Row) answer {
	a := answer{ID: r.UUID()}
	if q.timed {
		a.ValidUntil = r.TimeOrNil()
	}
	return a
}
