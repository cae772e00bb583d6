package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
)

// The paths of PocketBase.
const (
	pocketRows  = "/api/collections/declarations/records"
	pocketReady = "/api/health"
)

// beside compares with other programs in turns: PocketBase on SQLite, and PostgreSQL alone with the
// same rows.
func (b *bench) beside(ctx context.Context, dir string) (err error) {
	now, err := workingTree(ctx, dir)
	if err != nil {
		return err
	}
	now.name = "diresco"
	if b.database, err = startDatabase(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.database.close(ctx)) }()
	b.describeTurns(dir)
	if err := b.besidePocketBase(ctx, dir, now); err != nil {
		return err
	}
	return b.besidePgbench(ctx, dir, now)
}

// pocketBase is PocketBase with one collection, as tools/peers runs it.
type pocketBase struct {
	*bench
	binary, dir string
	body        []byte
	// created are the rows that are read.
	created []string
}

func (b *bench) besidePocketBase(ctx context.Context, dir string, now *revision) error {
	p, s := &pocketBase{bench: b, dir: filepath.Join(dir, "pocketbase")}, &side{}
	trials := b.wanted(
		trial{"pocketbase: create", [2]turn{p.create, func(ctx context.Context, c *comparison) error {
			results, err := s.works(ctx, func() work { return s.submit(true) })
			if err == nil {
				s.speed(c, "submit here, create there", results[0], ratioAtLeast(1), goal{})
			}
			return err
		}}},
		trial{"pocketbase: read", [2]turn{p.read, func(ctx context.Context, c *comparison) error {
			results, err := s.works(ctx, s.read)
			if err == nil {
				s.speed(c, "read", results[0], ratioAtLeast(1.5), goal{})
			}
			return err
		}}},
	)
	if len(trials) == 0 {
		return nil
	}
	made, err := b.sqliteSide(ctx, dir, 1, now)
	if err != nil {
		return err
	}
	*s = *made
	if err := p.prepare(ctx, s.world); err != nil {
		return fmt.Errorf("PocketBase: %w", err)
	}
	b.fact("PocketBase: its defaults, but synchronous(FULL) as here, where it has NORMAL; rows of the same body, which anybody may write")
	c := &comparison{names: [2]string{"PocketBase", now.name}}
	b.comparisons = append(b.comparisons, c)
	return takeTurns(ctx, b.options.rounds, trials, c)
}

// prepare builds PocketBase and creates as many rows as there are first declarations.
func (p *pocketBase) prepare(ctx context.Context, w *world) (err error) {
	module, err := output(ctx, "", "go", "env", "GOMOD")
	if err != nil {
		return err
	}
	if err := os.Mkdir(p.dir, 0o750); err != nil {
		return err
	}
	p.binary = filepath.Join(p.dir, "peers")
	source := filepath.Join(filepath.Dir(module), "tools", "peers")
	if _, err := output(ctx, source, "go", "build", "-o", p.binary, "."); err != nil {
		return err
	}
	f := w.filers[0]
	if p.body, err = json.Marshal(map[string]any{
		"type": typeCode, "position_id": f.spread, "content": w.examples[typeCode], "submit": true,
	}); err != nil {
		return err
	}
	s, err := p.up(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	c, err := dial(ctx, s.address, nil)
	if err != nil {
		return err
	}
	defer c.close()
	create := newCall(http.MethodPost, pocketRows, s.address, "", p.body, false)
	for range len(w.filers) * primed {
		status, err := c.do(ctx, create.next())
		if err != nil {
			return err
		}
		var row struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(c.body, &row); err != nil || status != http.StatusOK || row.ID == "" {
			return errors.Join(err, refused(status, c.body))
		}
		p.created = append(p.created, row.ID)
	}
	return nil
}

// up starts PocketBase.
func (p *pocketBase) up(ctx context.Context) (*server, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	//nolint:gosec,noctx // built above; ended in order
	command := exec.Command(p.binary, address, filepath.Join(p.dir, "data"))
	return start(ctx, command, address, pocketReady, filepath.Join(p.dir, "peers.log"))
}

func (p *pocketBase) create(ctx context.Context, c *comparison) error {
	return p.turn(ctx, c, "submit here, create there", func(address string, _ int) []*call {
		return []*call{newCall(http.MethodPost, pocketRows, address, "", p.body, false)}
	})
}

func (p *pocketBase) read(ctx context.Context, c *comparison) error {
	return p.turn(ctx, c, "read", func(address string, i int) []*call {
		var all []*call
		for n := i % filers; n < len(p.created); n += filers {
			all = append(all, newCall(http.MethodGet, pocketRows+"/"+p.created[n], address, "", nil, false))
		}
		return all
	})
}

// turn measures one work with PocketBase started anew.
func (p *pocketBase) turn(
	ctx context.Context, c *comparison, name string, requests func(address string, i int) []*call,
) (err error) {
	server, err := p.up(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	own := *p.bench
	own.database, own.meter = nil, meter{}
	s := &side{bench: &own}
	r, err := s.try(ctx, work{
		name: name, clients: manyClients, wanted: http.StatusOK, process: server.process,
		worker: calls(server.address, http.StatusOK, nil, func(i int) []*call { return requests(server.address, i) }),
	})
	if err == nil {
		s.speed(c, name, r, goal{}, goal{})
	}
	return err
}
