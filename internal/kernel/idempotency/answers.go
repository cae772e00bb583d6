package idempotency

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"time"

	"diresco/db"
	"diresco/internal/platform/batch"
)

const (
	answersEvery = 200 * time.Millisecond
	answersGroup = 200
	answersQueue = 5_000
)

// Answers adds answers to their keys in groups, off the request's path. An answer that is lost with
// the process costs nothing but a rendering at the replay.
type Answers struct {
	db     *db.DB
	writer *batch.Writer[remembered]
	// queued holds what is not written yet, by scope and key.
	queued sync.Map
}

type remembered struct {
	claim  *Claim
	answer Answer
}

// NewAnswers starts the writer. Close it to write what is left.
func NewAnswers(d *db.DB, log *slog.Logger) *Answers {
	a := &Answers{db: d}
	a.writer = batch.New(batch.Options[remembered]{
		Every: answersEvery, Group: answersGroup, Queue: answersQueue, Write: a.update,
		Failed: func(rows []remembered, err error) []remembered {
			log.Warn("answers for replays not stored", "answers", len(rows), "error", err)
			a.forget(rows)
			return nil
		},
	})
	return a
}

func place(c *Claim) [2]string { return [2]string{c.Scope, c.Key} }

// waiting returns the answer to an earlier request with the claim's key that is still in the queue,
// or nil.
func (a *Answers) waiting(c *Claim) *Answer {
	found, ok := a.queued.Load(place(c))
	if !ok {
		return nil
	}
	answer := found.(Answer)
	return &answer
}

func (a *Answers) forget(rows []remembered) {
	for _, r := range rows {
		a.queued.Delete(place(r.claim))
	}
}

// Remember queues the answer of a request that took its key. It never waits.
func (a *Answers) Remember(c *Claim, answer Answer) {
	a.queued.Store(place(c), answer)
	if !a.writer.TryAdd(remembered{c, answer}) {
		a.queued.Delete(place(c))
	}
}

// Flush returns once every answer queued before the call is written.
func (a *Answers) Flush(ctx context.Context) { a.writer.Flush(ctx) }

// Close writes what is left and ends the writer.
func (a *Answers) Close() { a.writer.Close() }

func (a *Answers) update(ctx context.Context, part []remembered) error {
	var statement strings.Builder
	statement.WriteString("WITH v (scope, key, status, headers, body) AS (VALUES ")
	args := make([]any, 0, 5*len(part))
	for i, r := range part {
		headers, err := json.Marshal(r.answer.Headers)
		if err != nil {
			return err
		}
		if i > 0 {
			statement.WriteByte(',')
		}
		if a.db.Dialect() == db.Postgres {
			statement.WriteString("(?::text, ?::text, ?::integer, ?::text, ?::bytea)")
		} else {
			statement.WriteString("( ?, ?, ?, ?, ?)")
		}
		args = append(args, r.claim.Scope, r.claim.Key, r.answer.Status, string(headers), r.answer.Body)
	}
	statement.WriteString(`) UPDATE idempotency_keys SET status = v.status, headers = v.headers, body = v.body FROM v
		WHERE idempotency_keys.scope = v.scope AND idempotency_keys.key = v.key`)
	err := a.db.InTx(ctx, func(ctx context.Context) error {
		return a.db.From(ctx).Exec(statement.String(), args...).Error
	})
	if err == nil {
		a.forget(part)
	}
	return err
}
