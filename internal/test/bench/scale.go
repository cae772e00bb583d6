package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
)

const (
	scaleName = "scale"
	// waitingType is a type whose fund has no money, so that all wait in its queue.
	waitingType = "ART22-GIOVANI"
)

// scales are how many declarations there are while the same works are measured.
var scales = []int{10_000, 1_000_000}

// scale measures whether what grows makes anything slower.
func (b *bench) scale(ctx context.Context, binary, dir string) error {
	if !b.options.only.MatchString(scaleName) {
		return nil
	}
	var before []*result
	for _, total := range scales {
		if b.options.quick {
			total /= quickShare
		}
		after, err := b.scaled(ctx, binary, dir, total)
		if err != nil {
			return fmt.Errorf("%d declarations: %w", total, err)
		}
		for i, r := range after {
			if before != nil {
				compare(r, before[i], "the fewer")
			}
		}
		before = after
	}
	return nil
}

// scaled measures on a database of its own: half of its declarations are in one step, a quarter
// hold money of one fund, a quarter wait for money of another.
func (b *bench) scaled(ctx context.Context, binary, dir string, total int) (results []*result, err error) {
	name := fmt.Sprintf("%s_%d", scaleName, total)
	own := *b
	own.results = nil
	if own.database, err = b.database.another(ctx, name); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, own.database.close(ctx)) }()
	if own.world, err = seed(ctx, own.database.url); err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	files := filepath.Join(dir, name)
	if err := os.Mkdir(files, 0o750); err != nil {
		return nil, err
	}
	if err := own.startServer(ctx, binary, files); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, own.server.stop()) }()
	first, err := own.firstOfScale(ctx)
	if err != nil {
		return nil, err
	}
	if err := own.database.grow(ctx, first, 0, total); err != nil {
		return nil, err
	}
	// What is read comes before what is written, so that both sizes read the same rows.
	works := []work{
		own.contributorsPage(), own.officesPage(), own.queueHead(), own.reserve(), own.files("join a fund's queue", waitingType),
	}
	for i := range works {
		works[i].name = fmt.Sprintf("%s, %s: %s", scaleName, thousands(float64(total)), works[i].name)
	}
	results, err = own.all(ctx, works...)
	b.results = append(b.results, own.results...)
	return results, err
}

// quickShare is by how much smaller the numbers of a quick run are.
const quickShare = 10

// shares says how many of all declarations are of a type: one in so many.
var shares = map[string]int{typeCode: 2, cappedType: 4, waitingType: 4}

// firstOfScale files a declaration of each type for each filer and returns their ids by type: what
// is multiplied.
func (b *bench) firstOfScale(ctx context.Context) (map[string][]string, error) {
	c, err := dial(ctx, b.server.address, nil)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := b.world.readExamples(ctx, c, b.server.address, typeCode, cappedType, waitingType); err != nil {
		return nil, err
	}
	if err := b.world.logIn(ctx, b.server.address); err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	first := map[string][]string{}
	for code := range shares {
		for _, f := range b.world.filers {
			id, err := c.file(ctx, b.world.fileCall(b.server.address, f, f.spread, code))
			if err != nil {
				return nil, err
			}
			first[code] = append(first[code], id)
		}
	}
	return first, nil
}

// contributorsPage is the first page of a contributor's declarations.
func (b *bench) contributorsPage() work {
	w := b.list(b.world.filers[0], 0)
	w.name = "first page of a contributor"
	return w
}

// officesPage is the first page of what lies at an office.
func (b *bench) officesPage() work {
	return b.operatorGets("first page of an office", "/v1/backoffice"+listPath)
}

// queueHead is the first page of who waits for money of a fund.
func (b *bench) queueHead() work {
	return b.operatorGets("head of a fund's queue", "/v1/backoffice/funds/"+waitingType+"/queue?limit=50")
}

func (b *bench) operatorGets(name, path string) work {
	w := b.http(name, listClients, http.StatusOK, func(int) []*call {
		return []*call{newCall(http.MethodGet, path, b.server.address, b.world.operator.token, nil, false)}
	})
	w.rows = 50
	return w
}

// grow copies declarations, the filers' own of each type, until there are so many of all, with a
// claim for each that asks for money, and an entry for each that has it. To so many it was grown
// before.
func (d *database) grow(ctx context.Context, first map[string][]string, before, total int) error {
	for code, ids := range first {
		each := shares[code] * len(ids)
		if err := d.multiply(ctx, ids, max(1, before/each)+1, total/each); err != nil {
			return err
		}
		for _, statement := range []string{
			`INSERT INTO fund_claims SELECT copy.* FROM fund_claims last,
				(SELECT d.id, row_number() OVER (ORDER BY d.listed_at, d.id) AS number FROM declarations d
					WHERE d.type = $1 AND NOT EXISTS (SELECT 1 FROM fund_claims c WHERE c.subject_id = d.id)) d
				CROSS JOIN LATERAL jsonb_populate_record(last,
					jsonb_build_object('rank', last.rank + d.number, 'subject_id', d.id)) copy
				WHERE last.fund_code = $1 AND last.rank = (SELECT max(rank) FROM fund_claims WHERE fund_code = $1)`,
			`INSERT INTO fund_entries SELECT copy.* FROM fund_entries last,
				(SELECT c.subject_id, row_number() OVER (ORDER BY c.rank) AS number FROM fund_claims c
					WHERE c.fund_code = $1 AND c.state = 'reserved'
						AND c.rank >= (SELECT count(*) FROM fund_entries WHERE fund_code = $1)) c
				CROSS JOIN LATERAL jsonb_populate_record(last, jsonb_build_object('number', last.number + c.number,
					'subject_id', c.subject_id, 'reserved', last.reserved + c.number * last.amount)) copy
				WHERE last.fund_code = $1 AND last.number = (SELECT max(number) FROM fund_entries WHERE fund_code = $1)`,
		} {
			if _, err := d.conn.Exec(ctx, statement, code); err != nil {
				return err
			}
		}
	}
	return d.analyse(ctx)
}
