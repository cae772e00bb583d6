package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// growthFile is where the curves are kept, for tools/figures to draw.
const growthFile = "growth.json"

// curve is how throughput and waiting grow with something.
type curve struct {
	Name string `json:"name"`
	// Along is what grows.
	Along string `json:"along"`
	// Measured says when, where and by which command.
	Measured string  `json:"measured"`
	Points   []point `json:"points"`
}

// point is what one work reached.
type point struct {
	Work string  `json:"work"`
	At   float64 `json:"at"`
	// Rate is a second, the times are in milliseconds.
	Rate float64 `json:"rate"`
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
}

func (c *curve) add(work string, at int, r *result) {
	c.Points = append(c.Points, point{
		Work: work, At: float64(at), Rate: r.rate(), P50: r.quantile(0.5).Seconds() * 1000, P99: r.quantile(0.99).Seconds() * 1000,
	})
}

// works are those of a curve, in the order in which they were measured first.
func (c *curve) works() []string {
	var works []string
	for _, p := range c.Points {
		if !slices.Contains(works, p.Work) {
			works = append(works, p.Work)
		}
	}
	return works
}

// of are the points of a work, in the order of what grows.
func (c *curve) of(work string) []point {
	points := slices.DeleteFunc(slices.Clone(c.Points), func(p point) bool { return p.Work != work })
	slices.SortStableFunc(points, func(a, b point) int { return int(math.Copysign(1, a.At-b.At)) })
	return points
}

// table shows the points with the exponent of the law between neighbours: 1 where the rate grows
// like what grows, 0 where it stays, -1 where each thing more costs as much as the first.
func (c *curve) table() *table {
	t := &table{}
	t.add(c.Along, "work", "a second", "p50", "p99", "rate grows with the power of", "p99 grows with the power of")
	for _, work := range c.works() {
		points := c.of(work)
		for i, p := range points {
			rate, wait := "–", "–"
			if i > 0 {
				before := points[i-1]
				rate, wait = power(before.At, p.At, before.Rate, p.Rate), power(before.At, p.At, before.P99, p.P99)
			}
			t.add(
				fmt.Sprintf("%.0f", p.At), work, thousands(p.Rate), fmt.Sprintf("%.2f ms", p.P50), fmt.Sprintf("%.2f ms", p.P99),
				rate, wait,
			)
		}
	}
	return t
}

// power is the exponent by which a value grows between two places.
func power(from, to, before, after float64) string {
	exponent := math.Log(after/before) / math.Log(to/from)
	if math.IsNaN(exponent) || math.IsInf(exponent, 0) {
		return "–"
	}
	return fmt.Sprintf("%.2f", exponent)
}

// The places at which is measured. The rows end at what the command line says.
var (
	clientPlaces  = []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512}
	processPlaces = []int{1, 2, 3, 4}
	officePlaces  = []int{1, 2, 5, 10, 20, 50, 100}
	rowPlaces     = []int{10_000, 100_000, 1_000_000, 10_000_000}
)

// officeFilers are those who share the offices, however many these are.
const officeFilers = 100

// grows measures how cost grows and keeps the curves.
func (b *bench) grows(ctx context.Context, dir string) (err error) {
	now, err := workingTree(ctx, dir)
	if err != nil {
		return err
	}
	if b.database, err = startDatabase(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.database.close(ctx)) }()
	b.fact("PostgreSQL %s, fsync=on, synchronous_commit=on", b.database.version)
	b.fact("each point: %s of warm-up, then %s measured", b.warmUp, b.duration)
	for _, one := range []struct {
		name, along string
		measure     func(ctx context.Context, dir string, now *revision, c *curve) error
	}{
		{"clients", "clients", b.overClients},
		{"processes", "processes on one PostgreSQL", b.overProcesses},
		{"offices", "offices", b.overOffices},
		{"rows", "declarations", b.overRows},
	} {
		if !b.options.only.MatchString(one.name) {
			continue
		}
		c := &curve{Name: one.name, Along: one.along, Measured: b.measuredBy()}
		if err := one.measure(ctx, dir, now, c); err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		b.curves = append(b.curves, c)
		// Each is kept at once: the later ones take long.
		if err := keepCurve(filepath.Join(b.options.growth, growthFile), c); err != nil {
			return err
		}
	}
	return nil
}

// measuredBy says when, where and by which command.
func (b *bench) measuredBy() string {
	command := fmt.Sprintf(
		"go run ./internal/test/bench -growth %s -rows %d -duration %s", b.options.growth, b.options.rows, b.duration,
	)
	if o := b.options.only.String(); o != "" {
		command += " -only '" + o + "'"
	}
	return fmt.Sprintf(
		"%s, %d cores (%s), PostgreSQL %s: %s", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), processor(),
		strings.Fields(b.database.version)[0], command,
	)
}

// keepCurve puts a curve into the file, in the place of an earlier one of its name.
func keepCurve(path string, c *curve) error {
	var curves []*curve
	content, err := os.ReadFile(path) //nolint:gosec // in the directory that the caller asked for
	if err == nil {
		err = json.Unmarshal(content, &curves)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", path, err)
	}
	curves = append(slices.DeleteFunc(curves, func(old *curve) bool { return old.Name == c.Name }), c)
	slices.SortFunc(curves, func(a, b *curve) int { return strings.Compare(a.Name, b.Name) })
	if content, err = json.MarshalIndent(curves, "", "\t"); err != nil {
		return err
	}
	return os.WriteFile(path, append(content, '\n'), 0o600)
}

// at measures a work and adds it to the curve.
func (b *bench) at(ctx context.Context, c *curve, place int, w work) error {
	fmt.Fprintf(os.Stderr, "%s %d: ", c.Along, place)
	if err := b.world.logIn(ctx, b.server.address); err != nil {
		return err
	}
	r, err := b.try(ctx, w)
	if err == nil {
		c.add(w.name, place, r)
	}
	return err
}

func (b *bench) overClients(ctx context.Context, dir string, now *revision, c *curve) (err error) {
	s, err := b.postgresSide(ctx, dir, "clients", 1, now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.database.close(ctx)) }()
	if err := s.up(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.server.stop()) }()
	for _, clients := range clientPlaces {
		for _, w := range []work{s.read(), s.submit(true)} {
			w.clients = clients
			if err := s.at(ctx, c, clients, w); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) overProcesses(ctx context.Context, dir string, now *revision, c *curve) (err error) {
	s, err := b.postgresSide(ctx, dir, "processes", 1, now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.database.close(ctx)) }()
	var all []*server
	defer func() {
		for _, one := range all {
			err = errors.Join(err, one.stop())
		}
	}()
	for _, processes := range processPlaces {
		if err := s.up(ctx); err != nil {
			return err
		}
		all = append(all, s.server)
		// They are one service: each takes the tokens of the others.
		s.publicURL = "http://" + all[0].address
		for _, one := range []func(b *bench) work{(*bench).read, func(b *bench) work { return b.submit(true) }} {
			if err := s.at(ctx, c, processes, s.shared(all, one)); err != nil {
				return err
			}
		}
	}
	return nil
}

// shared makes a work whose clients are shared by the processes.
func (b *bench) shared(all []*server, of func(b *bench) work) work {
	var works []work
	for _, one := range all {
		own := *b
		own.server = one
		works = append(works, of(&own))
	}
	w := works[0]
	w.worker = func(ctx context.Context, i int) (worker, func(), error) {
		return works[i%len(works)].worker(ctx, i/len(works))
	}
	return w
}

func (b *bench) overOffices(ctx context.Context, dir string, now *revision, c *curve) error {
	for _, count := range officePlaces {
		if err := b.withOffices(ctx, dir, now, c, count); err != nil {
			return err
		}
	}
	return nil
}

// withOffices measures on a database of its own, in which as many people as ever share the offices.
func (b *bench) withOffices(ctx context.Context, dir string, now *revision, c *curve, count int) (err error) {
	var codes []string
	for n := range count {
		codes = append(codes, fmt.Sprintf("%04d", 5000+n))
	}
	s, err := b.emptySide(ctx, dir, fmt.Sprintf("offices_%d", count), now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.database.close(ctx)) }()
	if s.world, err = seedSize(ctx, s.databaseURL, officeFilers, codes); err != nil {
		return err
	}
	if err := s.up(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.server.stop()) }()
	if err := s.readTypes(ctx); err != nil {
		return err
	}
	return s.at(ctx, c, count, s.files("submit", typeCode))
}

// readTypes reads the examples of the types.
func (b *bench) readTypes(ctx context.Context) error {
	conn, err := dial(ctx, b.server.address, nil)
	if err != nil {
		return err
	}
	defer conn.close()
	return b.world.readExamples(ctx, conn, b.server.address, typeCode)
}

// overRows lets one database grow and measures at each size. What is read comes before what is
// written.
func (b *bench) overRows(ctx context.Context, dir string, now *revision, c *curve) (err error) {
	s, err := b.emptySide(ctx, dir, "growing", now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.database.close(ctx)) }()
	if s.world, err = seed(ctx, s.databaseURL); err != nil {
		return err
	}
	if err := s.up(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.server.stop()) }()
	first, err := s.firstOfScale(ctx)
	if err != nil {
		return err
	}
	before := 0
	for _, total := range rowPlaces {
		if total > b.options.rows {
			break
		}
		fmt.Fprintf(os.Stderr, "grows to %d declarations\n", total)
		if err := s.database.grow(ctx, first, before, total); err != nil {
			return err
		}
		before = total
		for _, w := range []work{s.firstPage(), s.search(), s.fundCheck(), s.files("submit", typeCode)} {
			if err := s.at(ctx, c, total, w); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) firstPage() work {
	w := b.contributorsPage()
	w.name = "first page"
	return w
}

func (b *bench) fundCheck() work {
	w := b.reserve()
	w.name = "fund check"
	return w
}

// search looks for what was filed of a type, of all that a contributor has.
func (b *bench) search() work {
	body := []byte(`{"type":"` + typeCode + `","state":"submitted"}`)
	return b.http("search", listClients, http.StatusOK, func(i int) []*call {
		f := b.world.filers[i%len(b.world.filers)]
		path := "/v1/contributors/" + f.contributor + "/declaration-searches?limit=50"
		return []*call{newCall(http.MethodPost, path, b.server.address, f.token, body, false)}
	})
}
