package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const (
	deskName = "desk"
	// deskTopic is what the tickets of the queue are about.
	deskTopic = "payments-allocation"
)

// desks are how many tickets an office has while the same pages of its queue are measured.
var desks = []int{1_000, 100_000}

// desk measures whether an office that has many tickets waits longer for a page of its queue.
func (b *bench) desk(ctx context.Context, binary, dir string) (err error) {
	if !b.options.only.MatchString(deskName) {
		return nil
	}
	var shares []share
	for _, total := range desks {
		if b.options.quick {
			total /= quickShare
		}
		s, end, failed := b.deskOf(ctx, binary, dir, total)
		if failed != nil {
			return fmt.Errorf("%d tickets: %w", total, failed)
		}
		defer func() { err = errors.Join(err, end()) }()
		shares = append(shares, s)
	}
	results, err := inTurns(ctx, shares...)
	if err != nil {
		return err
	}
	for i, s := range shares {
		for j, r := range results[i] {
			if i > 0 {
				compare(r, results[i-1][j], "the fewer")
			}
		}
		b.results = append(b.results, s.bench.results...)
	}
	return nil
}

// deskOf prepares works on a database of its own: half of its tickets are closed, and of the others
// half wait for longer than twenty working days. end ends its server.
func (b *bench) deskOf(ctx context.Context, binary, dir string, total int) (s share, end func() error, err error) {
	name := fmt.Sprintf("%s_%d", deskName, total)
	own := *b
	own.results = nil
	if own.database, err = b.database.another(ctx, name); err != nil {
		return s, nil, err
	}
	end = func() error { return own.database.close(ctx) }
	defer func() {
		if err != nil {
			err = errors.Join(err, end())
		}
	}()
	if own.world, err = seed(ctx, own.database.url); err != nil {
		return s, end, fmt.Errorf("seed: %w", err)
	}
	files := filepath.Join(dir, name)
	if err := os.Mkdir(files, 0o750); err != nil {
		return s, end, err
	}
	if err := own.startServer(ctx, binary, files); err != nil {
		return s, end, err
	}
	end = func() error { return errors.Join(own.server.stop(), own.database.close(ctx)) }
	if err := own.world.logIn(ctx, own.server.address); err != nil {
		return s, end, fmt.Errorf("login: %w", err)
	}
	if err := own.database.fillDesk(ctx, total); err != nil {
		return s, end, err
	}
	const path = "/v1/backoffice/tickets?limit=50"
	works := []work{
		own.operatorGets("first page of the queue", path), own.operatorGets("what nobody has in charge", path+"&assigned_to=nobody"),
		own.operatorGets("what is late", path+"&overdue=late"), own.operatorGets("what is closed", path+"&state=closed"),
	}
	for i := range works {
		works[i].name = fmt.Sprintf("%s, %s: %s", deskName, thousands(float64(total)), works[i].name)
	}
	return share{bench: &own, works: works}, end, nil
}

// fillDesk gives the office of the operator so many tickets, over all contributors that have a
// position there.
func (d *database) fillDesk(ctx context.Context, total int) error {
	_, err := d.conn.Exec(ctx, `INSERT INTO tickets (id, kind, contributor_id, position_id, office_code, topic, subject, text, email,
			person_id, right_id, acting_as, attachments, protocol_number, digest, opened_at, state, outcome, closing_text, closed_at,
			version,
				updated_at)
		SELECT gen_random_uuid(), 'request', p.contributor_id, p.id, p.office_code, $2, 'Versamento di febbraio', repeat('Testo. ', 50),
			'a@example.com', o.id, o.id, 'legal_representative', '[]', 'INPS.' || p.office_code || '.' || i, 'sha-256:', t.at,
			CASE WHEN i % 2 = 0 THEN 'closed' ELSE 'open' END, CASE WHEN i % 2 = 0 THEN 'informed' END, CASE WHEN i % 2 = 0 THEN 'x' END,
			CASE WHEN i % 2 = 0 THEN t.at END, 1, t.at
		FROM generate_series(1, $1::int) i
		CROSS JOIN (SELECT id, office_code FROM people WHERE user_class = 'operator' LIMIT 1) o
		JOIN (SELECT *, row_number() OVER (ORDER BY id) - 1 AS k, count(*) OVER () AS n FROM positions WHERE office_code =
			(SELECT office_code FROM people WHERE user_class = 'operator' LIMIT 1)) p ON p.k = i % p.n
		CROSS JOIN LATERAL (SELECT now() - i * interval '60 days' / $1::int AS at) t`, total, deskTopic)
	if err != nil {
		return err
	}
	return d.analyse(ctx)
}
