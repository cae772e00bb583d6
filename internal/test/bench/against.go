package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// side is one of the two revisions, with a database of its own.
type side struct {
	*bench
	who      int
	revision *revision
	dir      string
	// databaseURL is the address of its database.
	databaseURL string
	// publicURL is the origin of its servers; empty for that of each itself.
	publicURL string
	// started is how many servers it had so far.
	started int
}

// turn is what one of the two does.
type turn func(ctx context.Context, c *comparison) error

// trial is what both do, in turns.
type trial struct {
	name  string
	turns [2]turn
}

// both makes a trial in which the sides do the same.
func both(name string, sides [2]*side, do func(ctx context.Context, s *side, c *comparison) error) trial {
	t := trial{name: name}
	for who, s := range sides {
		t.turns[who] = func(ctx context.Context, c *comparison) error { return do(ctx, s, c) }
	}
	return t
}

// binaryName is what -only calls the size of the program.
const binaryName = "binary"

// targetSize is the most that the stripped program may have.
const targetSize = 60 << 20

// against compares the program of an earlier commit with that of this working tree. They take turns,
// so that whatever else the machine does meets both alike.
func (b *bench) against(ctx context.Context, dir string) (err error) {
	old, err := earlier(ctx, b.options.against, dir)
	if err != nil {
		return err
	}
	now, err := workingTree(ctx, dir)
	if err != nil {
		return err
	}
	c := &comparison{names: [2]string{old.name, now.name}}
	b.comparisons = append(b.comparisons, c)
	revisions := [2]*revision{old, now}
	for who, r := range revisions {
		if b.options.only.MatchString(binaryName) {
			c.note(who, "stripped binary", mebibytes, valueAtMost(targetSize), float64(r.size))
		}
	}
	if b.database, err = startDatabase(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.database.close(ctx)) }()
	b.describeTurns(dir)
	if err := b.onPostgreSQL(ctx, dir, revisions, c); err != nil {
		return err
	}
	return b.onSQLite(ctx, dir, revisions, c)
}

// describeTurns says how it is measured.
func (b *bench) describeTurns(dir string) {
	if synced, err := syncTime(dir); err == nil {
		b.fact("a durable write of 8 KiB on this disk takes %s (median)", milliseconds(synced))
	}
	b.fact("PostgreSQL %s, fsync=on, synchronous_commit=on, one throwaway cluster with a database for each", b.database.version)
	b.fact("rounds of turns: %d, each with a server started anew, %s of warm-up, and %s measured", b.options.rounds, b.warmUp, b.duration)
	b.fact("each value is the median, with the lowest and the highest; the ratio is that of the medians, with those of the rounds")
}

// onPostgreSQL measures what the targets name, and what an idle server takes.
func (b *bench) onPostgreSQL(ctx context.Context, dir string, revisions [2]*revision, c *comparison) (err error) {
	// Sides are made only if a trial is wanted: to fill a database takes a while.
	sides := [2]*side{{}, {}}
	trials := b.wanted(
		both("idle: serve", sides, idleServe), both("idle: sandbox", sides, idleSandbox), both("read", sides, readTrial),
		both("list", sides, listTrial), both("submit, 5 offices", sides, submitSpread), both("submit, one office", sides, submitCentral),
		both("login", sides, loginTrial),
	)
	if len(trials) == 0 {
		return nil
	}
	for who, r := range revisions {
		s, err := b.postgresSide(ctx, dir, fmt.Sprintf("against_%d", who), who, r)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.database.close(ctx)) }()
		if err := errors.Join(s.world.lengthen(ctx, s.database), s.database.analyse(ctx)); err != nil {
			return err
		}
		*sides[who] = *s
	}
	return takeTurns(ctx, b.options.rounds, trials, c)
}

// onSQLite measures what is measured there.
func (b *bench) onSQLite(ctx context.Context, dir string, revisions [2]*revision, c *comparison) error {
	sides := [2]*side{{}, {}}
	trials := b.wanted(both("sqlite: submit", sides, sqliteSubmit), both("sqlite: read", sides, sqliteRead))
	if len(trials) == 0 {
		return nil
	}
	for who, r := range revisions {
		s, err := b.sqliteSide(ctx, dir, who, r)
		if err != nil {
			return err
		}
		*sides[who] = *s
	}
	return takeTurns(ctx, b.options.rounds, trials, c)
}

// postgresSide makes a side on a database of the cluster.
func (b *bench) postgresSide(ctx context.Context, dir, name string, who int, r *revision) (*side, error) {
	s, err := b.emptySide(ctx, dir, name, r)
	if err != nil {
		return nil, err
	}
	s.who = who
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", r.name, err), s.database.close(ctx))
	}
	return s, nil
}

// emptySide makes a side on a new database of the cluster.
func (b *bench) emptySide(ctx context.Context, dir, name string, r *revision) (*side, error) {
	s := &side{revision: r, dir: filepath.Join(dir, name)}
	if err := os.Mkdir(s.dir, 0o750); err != nil {
		return nil, err
	}
	d, err := b.database.another(ctx, name)
	if err != nil {
		return nil, err
	}
	own := *b
	own.database, own.meter = d, meter{postmaster: d.postmaster}
	s.bench, s.databaseURL = &own, d.url
	return s, nil
}

// sqliteSide makes a side on a SQLite database.
func (b *bench) sqliteSide(ctx context.Context, dir string, who int, r *revision) (*side, error) {
	own := *b
	own.database, own.meter = nil, meter{}
	s := &side{bench: &own, who: who, revision: r, dir: filepath.Join(dir, fmt.Sprintf("sqlite_%d", who))}
	s.databaseURL = "sqlite:" + filepath.Join(s.dir, "bench.db")
	if err := os.Mkdir(s.dir, 0o750); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	return s, nil
}

// wanted are the trials that the command line asks for.
func (b *bench) wanted(all ...trial) []trial {
	return slices.DeleteFunc(all, func(t trial) bool { return !b.options.only.MatchString(t.name) })
}

// takeTurns lets both do each trial in turns.
func takeTurns(ctx context.Context, rounds int, trials []trial, c *comparison) error {
	for _, t := range trials {
		for round := range rounds {
			for who, do := range t.turns {
				fmt.Fprintf(os.Stderr, "round %d of %d, %s: ", round+1, rounds, c.names[who])
				if err := do(ctx, c); err != nil {
					return fmt.Errorf("%s, %s: %w", t.name, c.names[who], err)
				}
			}
		}
	}
	return nil
}

// prepare fills the database of the side.
func (s *side) prepare(ctx context.Context) (err error) {
	fmt.Fprintf(os.Stderr, "%s fills %s\n", s.revision.name, filepath.Base(s.dir))
	if s.world, err = s.revision.seed(ctx, s.databaseURL); err != nil {
		return err
	}
	if err := s.up(ctx); err != nil {
		return err
	}
	return errors.Join(s.world.fileFirst(ctx, s.server.address, typeCode), s.server.stop())
}

// up starts the side's server.
func (s *side) up(ctx context.Context) error {
	s.started++
	address, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	variables := s.revision.environment(address, s.databaseURL, s.dir)
	if s.publicURL != "" {
		variables["PUBLIC_URL"] = s.publicURL
	}
	s.server, err = serveWith(ctx, s.revision.binary, address, variables, filepath.Join(s.dir, fmt.Sprintf("serve-%d.log", s.started)))
	return err
}

// works measures works with a server that has just started, and gives their results.
func (s *side) works(ctx context.Context, works ...func() work) (results []*result, err error) {
	if err := s.up(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.server.stop()) }()
	for _, w := range works {
		if err := s.world.logIn(ctx, s.server.address); err != nil {
			return nil, err
		}
		r, err := s.try(ctx, w())
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// try measures a work of which nothing may go wrong.
func (b *bench) try(ctx context.Context, w work) (*result, error) {
	r, err := b.run(ctx, w)
	if err == nil && r.unexpected > 0 {
		err = fmt.Errorf("%d unexpected answers, the first: %s", r.unexpected, r.example)
	}
	return &r, err
}

// speed notes the rate, the p99 and the costs of a work.
func (s *side) speed(c *comparison, name string, r *result, rate, p99 goal) {
	c.note(s.who, name+": requests a second", thousands, rate, r.rate())
	c.note(s.who, name+": p99, ms", thousands, p99, r.quantile(0.99).Seconds()*1000)
	c.noteCost(s.who, name, r)
}

func idleServe(ctx context.Context, s *side, c *comparison) error {
	fmt.Fprintln(os.Stderr, "serve, idle")
	begun := time.Now()
	if err := s.up(ctx); err != nil {
		return err
	}
	ready := time.Since(begun)
	resident, anonymous := s.server.rest(ctx, s.options.settle)
	c.noteIdle(s.who, "serve", idle{ready, resident, anonymous}, goal{})
	return s.server.stop()
}

func idleSandbox(ctx context.Context, s *side, c *comparison) error {
	fmt.Fprintln(os.Stderr, "sandbox, idle")
	found, err := startSandbox(ctx, s.revision.binary, s.dir, s.options.settle)
	if err != nil {
		return err
	}
	c.noteIdle(s.who, "sandbox", found, valueAtMost(1000))
	return nil
}

func (c *comparison) noteIdle(who int, name string, found idle, ready goal) {
	c.note(who, name+": start to ready, ms", thousands, ready, found.ready.Seconds()*1000)
	c.note(who, name+": idle memory, anonymous", mebibytes, ratioAtMost(0.6), float64(found.anonymous))
	c.note(who, name+": idle memory, resident", mebibytes, ratioAtMost(0.75), float64(found.resident))
}

func readTrial(ctx context.Context, s *side, c *comparison) error {
	results, err := s.works(ctx, s.read)
	if err == nil {
		s.speed(c, "read a declaration", results[0], ratioAtLeast(1.8), goal{})
	}
	return err
}

func listTrial(ctx context.Context, s *side, c *comparison) error {
	short := func() work { return s.list(s.world.short, shortList) }
	long := func() work { return s.list(s.world.long, longList) }
	results, err := s.works(ctx, short, long)
	if err != nil {
		return err
	}
	for _, r := range results {
		s.speed(c, r.name, r, ratioAtLeast(3), goal{})
	}
	c.note(s.who, "list of 100,000 against list of 100", hundredths, valueAtLeast(0.95), results[1].rate()/results[0].rate())
	return nil
}

func submitSpread(ctx context.Context, s *side, c *comparison) error { return s.submits(ctx, c, true) }

func submitCentral(ctx context.Context, s *side, c *comparison) error {
	return s.submits(ctx, c, false)
}

func (s *side) submits(ctx context.Context, c *comparison, spread bool) error {
	results, err := s.works(ctx, func() work { return s.submit(spread) })
	if err != nil {
		return err
	}
	r := results[0]
	s.speed(c, r.name, r, ratioAtLeast(1.6), ratioAtMost(0.6))
	c.note(s.who, r.name+": peak memory", mebibytes, ratioAtMost(1), float64(r.peak))
	c.note(s.who, r.name+": WAL bytes a submission", thousands, ratioAtMost(0.7), float64(r.wal)/float64(total(r.answers)))
	return nil
}

func loginTrial(ctx context.Context, s *side, c *comparison) error {
	few := func() work { return s.login(manyClients) }
	many := func() work { return s.login(4 * manyClients) }
	results, err := s.works(ctx, few, many)
	if err != nil {
		return err
	}
	for _, r := range results {
		s.speed(c, fmt.Sprintf("login, %d clients", r.clients), r, goal{}, goal{})
	}
	c.note(s.who, "login, 256 clients against 64", hundredths, valueAtLeast(0.9), results[1].rate()/results[0].rate())
	return nil
}

func sqliteSubmit(ctx context.Context, s *side, c *comparison) error {
	results, err := s.works(ctx, func() work { return s.submit(true) })
	if err == nil {
		s.speed(c, "SQLite: submit", results[0], ratioAtLeast(1.5), goal{})
	}
	return err
}

func sqliteRead(ctx context.Context, s *side, c *comparison) error {
	results, err := s.works(ctx, s.read)
	if err == nil {
		s.speed(c, "SQLite: read a declaration", results[0], ratioAtLeast(1.5), goal{})
	}
	return err
}
