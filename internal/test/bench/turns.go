package main

import (
	"context"
	"slices"
	"time"
)

// share is the works that are measured with the server and the database of one bench.
type share struct {
	bench *bench
	works []work
}

// all measures works in turns.
func (b *bench) all(ctx context.Context, works ...work) ([]*result, error) {
	results, err := inTurns(ctx, share{bench: b, works: works})
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

// inTurns measures works in several rounds, each work once in a round, and adds up what the rounds
// gave: a machine that is faster for a minute is so for all of them. The results stand as the works
// do, nil where one is not wanted.
func inTurns(ctx context.Context, shares ...share) ([][]*result, error) {
	results := make([][]*result, len(shares))
	for round := range shares[0].bench.turns() {
		for i, s := range shares {
			if round == 0 {
				results[i] = make([]*result, len(s.works))
			}
			once := s.bench.once()
			for j, w := range s.works {
				r, err := once.measured(ctx, w)
				if err != nil {
					return nil, err
				}
				if results[i][j] == nil {
					results[i][j] = r
				} else {
					results[i][j].add(r)
				}
			}
		}
	}
	for i, s := range shares {
		for _, r := range results[i] {
			if r != nil {
				s.bench.results = append(s.bench.results, r)
			}
		}
	}
	return results, nil
}

// turns is in how many rounds works are measured; a profile is written once.
func (b *bench) turns() int {
	if b.options.quick || b.options.profiles != "" {
		return 1
	}
	return b.options.rounds
}

// once measures for one round.
func (b *bench) once() *bench {
	one := *b
	one.results = nil
	n := time.Duration(b.turns())
	one.warmUp, one.duration = b.warmUp/n, b.duration/n
	return &one
}

// add adds what a further round gave.
func (r *result) add(more *result) {
	r.elapsed += more.elapsed
	r.times = append(r.times, more.times...)
	slices.Sort(r.times)
	for status, n := range more.answers {
		r.answers[status] += n
	}
	r.unexpected += more.unexpected
	if r.example == "" {
		r.example = more.example
	}
	r.peak = max(r.peak, more.peak)
	r.wal += more.wal
	r.server += more.server
	r.database += more.database
	r.load += more.load
	r.machine += more.machine
}
