package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	trailName = "trail"
	// trailRows are how many audit records there are while the trail is verified.
	trailRows = 300_000
	// trailPatience is how long it may take until they are sealed.
	trailPatience = 5 * time.Minute
)

// trailSpeed is how the sealed trail was verified, beside signatures of the same kind that are
// verified with nothing around them, on all cores. All are by the second.
type trailSpeed struct {
	rows, receipts   int64
	sealed           float64
	tree, signatures float64
	bare             float64
}

func trailTable(s trailSpeed) *table {
	t := &table{}
	cores := float64(runtime.GOMAXPROCS(0))
	t.add("the sealed trail", "a second", "a second and core", "compared")
	t.add("rows sealed", thousands(s.sealed), "–", "–")
	t.add(fmt.Sprintf("%d rows verified", s.rows), thousands(s.tree), thousands(s.tree/cores), "–")
	t.add(fmt.Sprintf("%d signatures of receipts verified", s.receipts), thousands(s.signatures), thousands(s.signatures/cores),
		fmt.Sprintf("%.2f × the bare signatures", s.signatures/s.bare))
	t.add("bare signatures verified", thousands(s.bare), thousands(s.bare/cores), "–")
	return t
}

// said are the lines in which the command tells how fast it was.
var said = regexp.MustCompile(`(?m)^(tree|receipts): ([0-9]+) [a-z]+, ([0-9]+) a second`)

// trail measures on a database of its own how fast rows are sealed, and the whole is verified.
func (b *bench) trail(ctx context.Context, binary, dir string) (err error) {
	if !b.options.only.MatchString(trailName) || binary == "" {
		return nil
	}
	own := *b
	own.results = nil
	if own.database, err = b.database.another(ctx, trailName); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, own.database.close(ctx)) }()
	if own.world, err = seed(ctx, own.database.url); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	files := filepath.Join(dir, trailName)
	if err := os.Mkdir(files, 0o750); err != nil {
		return err
	}
	if err := own.startServer(ctx, binary, files); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, own.server.stop()) }()
	if err := own.world.prime(ctx, own.server.address, own.database); err != nil {
		return err
	}
	if err := own.world.logIn(ctx, own.server.address); err != nil {
		return fmt.Errorf("login: %w", err)
	}
	// They leave receipts.
	if _, err := own.run(ctx, own.submit(true)); err != nil {
		return err
	}
	rows := trailRows
	if b.options.quick {
		rows /= quickShare
	}
	var s trailSpeed
	if s.sealed, err = own.database.fillTrail(ctx, rows); err != nil {
		return err
	}
	verify := exec.CommandContext(ctx, binary, "audit", "verify")
	verify.Env = environment(serveVariables(own.server.address, own.database.url, files))
	out, err := verify.Output()
	if err != nil {
		return fmt.Errorf("audit verify: %w: %s", err, out)
	}
	for _, line := range said.FindAllSubmatch(out, -1) {
		count, _ := strconv.ParseInt(string(line[2]), 10, 64) // digits
		pace, _ := strconv.ParseFloat(string(line[3]), 64)
		if string(line[1]) == "tree" {
			s.rows, s.tree = count, pace
		} else {
			s.receipts, s.signatures = count, pace
		}
	}
	if s.bare, err = bareSignatures(ctx, b.duration); err != nil {
		return err
	}
	b.trails = append(b.trails, s)
	return nil
}

// fillTrail writes so many audit records at once, as other records are, with ids that grow with
// their times (UUIDv7). It returns how many were sealed a second until all were.
func (d *database) fillTrail(ctx context.Context, rows int) (float64, error) {
	begun := time.Now()
	_, err := d.conn.Exec(ctx, `INSERT INTO audit_records (id, at, operation, person_id, session_id, contributor_id, acting_as, right_id,
			subject_kind, subject_id, outcome, request_id, address, login_method)
		SELECT overlay(replace(gen_random_uuid()::text, '-', '')
				placing lpad(to_hex(us / 1000), 12, '0') || '7' || lpad(to_hex(us % 1000 * 4), 3, '0') FROM 1 FOR 16)::uuid,
			a.at + n * interval '1 microsecond', a.operation, a.person_id, a.session_id, a.contributor_id,
			a.acting_as, a.right_id, a.subject_kind, a.subject_id, a.outcome, a.request_id, a.address, a.login_method
		FROM (SELECT * FROM audit_records WHERE subject_kind = 'declaration' LIMIT 1) a CROSS JOIN generate_series(1, $1::int) n
			CROSS JOIN LATERAL (SELECT (extract(epoch FROM a.at) * 1000000)::bigint + n AS us) t`, rows)
	if err != nil {
		return 0, err
	}
	limit, cancel := context.WithTimeout(ctx, trailPatience)
	defer cancel()
	for {
		var sealed int
		if err := d.conn.QueryRow(limit, "SELECT count(*) FROM log_entries").Scan(&sealed); err != nil {
			return 0, fmt.Errorf("not sealed within %v: %w", trailPatience, err)
		}
		if sealed >= rows {
			return float64(sealed) / time.Since(begun).Seconds(), nil
		}
		pause(limit, time.Second)
	}
}

// bareSignatures returns how many signatures of the kind of receipts all cores verify a second.
func bareSignatures(ctx context.Context, duration time.Duration) (float64, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return 0, err
	}
	digest := sha256.Sum256([]byte("receipt"))
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		return 0, err
	}
	limit, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	var count, wrong atomic.Int64
	var all sync.WaitGroup
	begun := time.Now()
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for limit.Err() == nil {
				if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature) {
					wrong.Add(1)
				}
				count.Add(1)
			}
		})
	}
	all.Wait()
	if wrong.Load() > 0 {
		return 0, errors.New("a signature is wrong")
	}
	return float64(count.Load()) / time.Since(begun).Seconds(), ctx.Err()
}
