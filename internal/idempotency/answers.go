package idempotency

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"diresco/db"
	"diresco/internal/grouped"
)

const (
	answersEvery = 200 * time.Millisecond
	answersGroup = 200
	answersQueue = 5_000
)

// Answers adds answers to their keys in groups, off the request's path. An answer that is lost with the process costs
// nothing but a rendering at the replay.
type Answers struct {
	db     *db.DB
	writer *grouped.Writer[remembered]
}

type remembered struct {
	claim  *Claim
	answer Answer
}

// NewAnswers starts the writer. Close it to write what is left.
func NewAnswers(d *db.DB, log *slog.Logger) *Answers {
	a := &Answers{db: d}
	a.writer = grouped.New(grouped.Options[remembered]{
		Every: answersEvery, Group: answersGroup, Queue: answersQueue, Write: a.update,
		Failed: func(rows []remembered, err error) []remembered {
			log.Warn("answers for replays not stored", "answers", len(rows), "error", err)
			return nil
		},
	})
	return a
}

// Remember queues the answer of a request that took its key. It never waits.
func (a *Answers) Remember(c *Claim, answer Answer) { a.writer.TryAdd(remembered{c, answer}) }

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
			statement.WriteString("(?, ?, ?, ?, ?)")
		}
		args = append(args, r.claim.Scope, r.claim.Key, r.answer.Status, string(headers), r.answer.Body)
	}
	statement.WriteString(`) UPDATE idempotency_keys SET status = v.status, headers = v.headers, body = v.body FROM v
		WHERE idempotency_keys.scope = v.scope AND idempotency_keys.key = v.key`)
	return a.db.InTx(ctx, func(ctx context.Context) error {
		return a.db.From(ctx).Exec(statement.String(), args...).Error
	})
}
