package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// measure starts everything, measures, and ends everything.
func (b *bench) measure(ctx context.Context, dir string) (err error) {
	synced, err := syncTime(dir)
	if err != nil {
		return err
	}
	b.fact("a durable write of 8 KiB on this disk takes %s (median)", milliseconds(synced))
	binary, err := b.measureBinary(ctx, dir)
	if err != nil {
		return err
	}
	if b.database, err = startDatabase(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.database.close(ctx)) }()
	b.meter = meter{postmaster: b.database.postmaster}
	b.fact(
		"PostgreSQL %s, fsync=on, synchronous_commit=on, a throwaway cluster on this machine, reached through a Unix socket",
		b.database.version,
	)
	b.fact("each work: %s of warm-up, then %s measured, in a closed loop over keep-alive HTTP/1.1 on loopback", b.warmUp, b.duration)
	b.fact("what is compared shares these times among %d rounds of turns", b.turns())
	if b.world, err = seed(ctx, b.database.url); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	if err := b.startServer(ctx, binary, dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.server.stop()) }()
	if err := b.world.prime(ctx, b.server.address, b.database); err != nil {
		return err
	}
	if err := b.edge(ctx, dir); err != nil {
		return err
	}
	if err := b.events(ctx); err != nil {
		return err
	}
	if err := b.agenda(ctx); err != nil {
		return err
	}
	if err := b.applications(ctx); err != nil {
		return err
	}
	if err := b.logIns(ctx); err != nil {
		return err
	}
	if err := b.national(ctx, binary, dir); err != nil {
		return err
	}
	if err := b.messages(ctx, dir); err != nil {
		return err
	}
	if err := b.webhooks(ctx, dir); err != nil {
		return err
	}
	if err := b.tickets(ctx, dir); err != nil {
		return err
	}
	if err := b.scale(ctx, binary, dir); err != nil {
		return err
	}
	if err := b.desk(ctx, binary, dir); err != nil {
		return err
	}
	if err := b.trail(ctx, binary, dir); err != nil {
		return err
	}
	if err := b.employees(dir); err != nil {
		return err
	}
	return b.registers(ctx, dir)
}

// measureBinary builds the program and looks at its size and at how the sandbox starts.
func (b *bench) measureBinary(ctx context.Context, dir string) (string, error) {
	if b.options.inProcess {
		b.fact("the service runs inside the load generator's process: memory and CPU time are those of both")
		return "", nil
	}
	binary, size, err := buildBinary(ctx, "", dir)
	if err != nil {
		return "", err
	}
	b.fact("stripped binary: %s", megabytes(size))
	sandbox, err := startSandboxes(ctx, binary, dir)
	if err != nil {
		return "", fmt.Errorf("sandbox: %w", err)
	}
	b.fact(
		"sandbox (SQLite, new data): from start to the first 200 of /v1/status %s (median of %d), idle memory %s, %s of it anonymous",
		milliseconds(sandbox.ready), sandboxStarts, megabytes(sandbox.resident), megabytes(sandbox.anonymous),
	)
	return binary, nil
}

func (b *bench) startServer(ctx context.Context, binary, dir string) error {
	var err error
	if b.options.inProcess {
		b.server, err = serveInside(ctx, b.database.url, dir, b.variables)
		return err
	}
	begun := time.Now()
	if b.server, err = serve(ctx, binary, b.database.url, dir, b.variables); err != nil {
		return err
	}
	ready := time.Since(begun)
	resident, anonymous := b.server.rest(ctx, settle)
	b.fact("serve: ready after %s, idle memory %s, %s of it anonymous", milliseconds(ready), megabytes(resident), megabytes(anonymous))
	return nil
}

// measured runs a work, if it is wanted, and keeps the result; else it returns nil. Everybody logs
// in anew before, since access tokens live for minutes only.
func (b *bench) measured(ctx context.Context, w work) (*result, error) {
	if !b.options.only.MatchString(w.name) {
		return nil, nil
	}
	if err := b.world.logIn(ctx, b.server.address); err != nil {
		return nil, err
	}
	if w.before != nil {
		if err := w.before(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
	}
	r, err := b.run(ctx, w)
	if len(r.answers) > 0 {
		b.results = append(b.results, &r)
	}
	return &r, err
}

// compare notes how the rate of a result stands to that of its reference, where both were measured.
func compare(r, reference *result, name string) {
	if r == nil || reference == nil {
		return
	}
	if r.compared != "" {
		r.compared += "; "
	}
	r.compared += fmt.Sprintf("%.2f × %s", r.rate()/reference.rate(), name)
}

// edge measures what goes through HTTP, and the bare server beside it.
func (b *bench) edge(ctx context.Context, dir string) (err error) {
	readSize, submitSize, err := b.sizes(ctx)
	if err != nil {
		return err
	}
	bare, err := startBare(ctx, dir, readSize, submitSize)
	if err != nil {
		return fmt.Errorf("bare server: %w", err)
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	from, err := b.database.latest(ctx, b.world.long.contributor, exported)
	if err != nil {
		return err
	}
	r, err := b.all(ctx, b.status(), b.read(), b.bare(bare, true), b.list(b.world.short, shortList), b.list(b.world.long, longList),
		b.export(b.world.long, from, "text/csv"), b.export(b.world.long, from, "application/jsonl"),
		b.timeline(b.world.short, shortList*3/2), b.timeline(b.world.long, longList*3/2))
	if err != nil {
		return err
	}
	const get = "bare GET"
	compare(r[0], r[2], get)
	compare(r[1], r[2], get)
	compare(r[4], r[3], fmt.Sprintf("list of %d", shortList))
	compare(r[8], r[7], fmt.Sprintf("timeline of %d", shortList*3/2))
	r, err = b.all(ctx, b.submit(true), b.transactions(true), b.submit(false), b.transactions(false), b.bare(bare, false))
	if err != nil {
		return err
	}
	const post, sql = "bare POST", "one transaction each"
	compare(r[0], r[1], sql)
	compare(r[0], r[4], post)
	compare(r[2], r[3], sql)
	compare(r[2], r[4], post)
	reserved, err := b.measured(ctx, b.reserve())
	if err != nil {
		return err
	}
	compare(reserved, r[0], fmt.Sprintf("submit, %d offices", len(offices)))
	many, err := b.measured(ctx, b.batches())
	if err != nil {
		return err
	}
	compareBatch(many, r[0])
	return nil
}

// sizes are the lengths of the answers to a read and to a submission.
func (b *bench) sizes(ctx context.Context) (read, submitted int, err error) {
	f := b.world.filers[0]
	ids, err := b.database.declarations(ctx, f.contributor, f.office, 1)
	if err != nil || len(ids) == 0 {
		return 0, 0, errors.Join(err, errors.New("nothing was submitted"))
	}
	c, err := dial(ctx, b.server.address, nil)
	if err != nil {
		return 0, 0, err
	}
	defer c.close()
	for _, one := range []struct {
		call   *call
		wanted int
		into   *int
	}{
		{newCall(http.MethodGet, "/v1/declarations/"+ids[0], b.server.address, f.token, nil, false), http.StatusOK, &read},
		{b.world.fileCall(b.server.address, f, f.spread, typeCode), http.StatusCreated, &submitted},
	} {
		status, err := c.do(ctx, one.call.next())
		if err == nil && status != one.wanted {
			err = refused(status, c.body)
		}
		if err != nil {
			return 0, 0, err
		}
		*one.into = len(c.body)
	}
	b.fact("an answer to a read has %d bytes, one to a submission %d; the bare server's have the same", read, submitted)
	return read, submitted, nil
}

// logIns measures logins: how they hold under many clients, and whether their time tells who is
// registered.
func (b *bench) logIns(ctx context.Context) error {
	var few *result
	for _, clients := range []int{2, 8, manyClients, 4 * manyClients} {
		r, err := b.measured(ctx, b.login(clients))
		if err != nil {
			return err
		}
		if few == nil {
			few = r
			continue
		}
		compare(r, few, "2 clients")
	}
	if few == nil {
		return nil
	}
	tries := 200
	if b.options.quick {
		tries = 40
	}
	m, err := b.compareLogins(ctx, tries)
	if err != nil {
		return fmt.Errorf("logins one after the other: %w", err)
	}
	b.logins = &m
	return nil
}
