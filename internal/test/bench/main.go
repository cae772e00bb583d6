// Command bench measures the speed of the real server on a real, durable PostgreSQL. It measures
// the references that the figures are to be compared with as well, and prints tables. Everything is
// measured in one run, on one machine, which the load generator shares: on another day or machine
// the ratios stay, the rates do not. It needs Linux, Go and PostgreSQL.
// With -against, -peers or -growth it measures something else instead: this program beside that of an
// earlier commit, beside other programs, or how its cost grows.
// With -inprocess the service runs inside this process, so that -cpuprofile shows where its time
// goes:
//
//	go run ./internal/test/bench -quick -inprocess -only '^submit' -cpuprofile /tmp/profiles
//	go tool pprof -top -ignore '^main\.' /tmp/profiles/submit--5-offices-64.pprof
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// options are what the command line says.
type options struct {
	quick     bool
	duration  time.Duration
	inProcess bool
	profiles  string
	only      *regexp.Regexp
	// against is the commit that is compared with, in so many rounds of turns.
	against string
	rounds  int
	// peers tells that other programs are compared with.
	peers bool
	// growth is the directory of the curves that are to be measured, over so many rows at most.
	growth string
	rows   int
	// settle is how long a server is left alone before its idle memory is compared.
	settle time.Duration
	// The rest makes this process the bare server that is a reference.
	bare                 string
	bareRead, bareSubmit int
}

func parseOptions() (options, error) {
	var o options
	var only string
	flag.BoolVar(&o.quick, "quick", false, "measure each work for 2 seconds: enough to see that it works, not for figures to keep")
	flag.DurationVar(&o.duration, "duration", 10*time.Second, "how long each work is measured")
	flag.BoolVar(&o.inProcess, "inprocess", false, "run the service inside this process, for profiles; leaves out what needs the binary")
	flag.StringVar(
		&o.profiles, "cpuprofile", "", "write a CPU profile of this process for each work into this directory; use with -inprocess",
	)
	flag.StringVar(&only, "only", "", "measure only works whose name matches this regular expression")
	flag.StringVar(&o.against, "against", "", "compare with the program of this commit instead, in turns")
	flag.BoolVar(&o.peers, "peers", false, "compare with PocketBase and with PostgreSQL alone instead, in turns")
	flag.StringVar(&o.growth, "growth", "", "measure how cost grows instead, and keep it in this directory")
	flag.IntVar(&o.rows, "rows", 1_000_000, "up to how many declarations -growth measures; ten million take tens of gigabytes")
	flag.IntVar(&o.rounds, "rounds", 3, "in how many rounds of turns works and programs are compared")
	flag.DurationVar(&o.settle, "settle", 10*time.Second, "how long a server is left alone before its idle memory is compared")
	flag.StringVar(&o.bare, "bare", "", "internal: be the bare reference server at this address")
	flag.IntVar(&o.bareRead, "bare-read", 0, "internal: length of the bare server's answer to GET")
	flag.IntVar(&o.bareSubmit, "bare-submit", 0, "internal: length of the bare server's answer to POST")
	flag.Parse()
	var err error
	if o.only, err = regexp.Compile(only); err != nil {
		return o, fmt.Errorf("-only: %w", err)
	}
	switch {
	case flag.NArg() > 0:
		return o, fmt.Errorf("unknown argument %q", flag.Arg(0))
	case o.rounds < 1:
		return o, errors.New("-rounds must be above zero")
	case o.inProcess && (o.against != "" || o.peers || o.growth != ""):
		return o, errors.New("-against, -peers and -growth measure programs, which do not run -inprocess")
	case o.duration <= 0:
		return o, errors.New("-duration must be above zero")
	case o.profiles != "" && !o.inProcess:
		return o, errors.New("-cpuprofile shows the load generator alone unless -inprocess is given too")
	case o.profiles != "":
		err = os.MkdirAll(o.profiles, 0o750)
	}
	return o, err
}

func main() { os.Exit(run()) }

// run returns the exit code, so that what it defers is done.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parseOptions()
	if err == nil && o.bare != "" {
		err = serveBare(ctx, o.bare, o.bareRead, o.bareSubmit)
	} else if err == nil {
		err = newBench(o).main(ctx, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: FAILED:", err)
		return 1
	}
	return 0
}

// bench is one run.
type bench struct {
	options          options
	duration, warmUp time.Duration
	database         *database
	server           *server
	// variables configure the server beside those that all have.
	variables   map[string]string
	world       *world
	meter       meter
	results     []*result
	facts       []string
	logins      *medians
	outbox      *outboxSpeeds
	imports     []importSpeed
	lists       []listSpeed
	trails      []trailSpeed
	hooks       *webhookSpeeds
	comparisons []*comparison
	curves      []*curve
}

func newBench(o options) *bench {
	b := &bench{options: o, duration: o.duration}
	if o.quick {
		b.duration = 2 * time.Second
	}
	b.warmUp = max(b.duration/5, time.Second)
	return b
}

// main measures everything and prints what was measured, also when something failed on the way.
func (b *bench) main(ctx context.Context, w io.Writer) (err error) {
	b.fact("date %s, Go %s, %d cores (%s)", time.Now().UTC().Format(time.RFC3339), runtime.Version(), runtime.NumCPU(), processor())
	b.fact("load average of the machine before: %s", loadAverage())
	dir, err := os.MkdirTemp("", "diresco-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	switch {
	case b.options.against != "":
		err = b.against(ctx, dir)
	case b.options.peers:
		err = b.beside(ctx, dir)
	case b.options.growth != "":
		err = b.grows(ctx, dir)
	default:
		err = b.measure(ctx, dir)
	}
	b.fact("load average of the machine after: %s", loadAverage())
	b.print(w)
	for _, r := range b.results {
		if r.unexpected > 0 {
			err = errors.Join(
				err, fmt.Errorf("%s, %d clients: %d unexpected answers, the first: %s", r.name, r.clients, r.unexpected, r.example),
			)
		}
	}
	return err
}

func (b *bench) fact(format string, args ...any) {
	b.facts = append(b.facts, fmt.Sprintf(format, args...))
}

func (b *bench) print(w io.Writer) {
	for _, f := range b.facts {
		fmt.Fprintln(w, "*", f)
	}
	fmt.Fprintln(w)
	for _, c := range b.comparisons {
		c.table().print(w)
		c.costTable().print(w)
	}
	for _, c := range b.curves {
		c.table().print(w)
	}
	speeds(b.results).print(w)
	costs(b.results, runtime.NumCPU()).print(w)
	rowsOf(b.results).print(w)
	if o := b.outbox; o != nil {
		o.table().print(w)
	}
	if s := b.hooks; s != nil {
		s.table().print(w)
	}
	importTable(b.imports).print(w)
	for _, s := range b.trails {
		trailTable(s).print(w)
	}
	if len(b.lists) > 0 {
		listTable(b.lists).print(w)
	}
	if m := b.logins; m != nil {
		t := &table{}
		t.add(fmt.Sprintf("login, one after the other, %d each", m.tries), "p50", "p90")
		for _, row := range []struct {
			name  string
			times []time.Duration
		}{{"known person, right PIN", m.right}, {"known person, wrong PIN", m.wrong}, {"unknown person", m.unknown}} {
			t.add(row.name, milliseconds(median(row.times)), milliseconds(quantile(slices.Sorted(slices.Values(row.times)), 0.9)))
		}
		t.print(w)
	}
}
