package translog

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/transparency-dev/merkle/compact"
	"gocloud.dev/blob"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"diresco/db"
	"diresco/internal/platform/keyring"
)

const (
	// checkedAtOnce is how many leaves one step of the verification has; whole tiles. For many more
	// PostgreSQL compiles the statement (JIT), which takes longer than its rows.
	checkedAtOnce = 32 * tileWidth
	// verifiedAtOnce is how many receipts a core takes at a time.
	verifiedAtOnce = 64
	// mostFindings is how many findings are told one by one.
	mostFindings = 100
	// latest is longer than any transaction lasts, and latestEntry than one that files.
	latest      = 3 * time.Hour
	latestEntry = 10 * time.Minute
	// lastRows is among how many rows under a checkpoint the latest time is looked for.
	lastRows = 1024
)

// Verification is what a log is held against.
type Verification struct {
	DB *db.DB
	// Name and Verifiers are those of the log.
	Name      string
	Verifiers []note.Verifier
	// Checkpoints are those that were kept elsewhere.
	Checkpoints []string
	// Mirror is a mirror that is checked as well; nil for none.
	Mirror *blob.Bucket
	// Receipt returns keyring.ErrNotAReceipt for a text that is none of this installation, and any other
	// error where that is not known.
	Receipt func(ctx context.Context, jws string) error
	// Clock measures how long it takes.
	Clock func() time.Time
	// Progress is told how far a part has come; nil for nobody. It is called by several goroutines.
	Progress func(part string, done, total int64)
}

// Finding is something that is not as it was sealed.
type Finding struct {
	// Position is that of the leaf; -1 for what is no single one.
	Position int64
	// Row is what the leaf is of; empty where that is not known.
	Row  string
	What string
}

// Pace is how much of something was checked in which time.
type Pace struct {
	Count int64
	Took  time.Duration
}

// Report is what a verification found.
type Report struct {
	// Size is that of the newest signed tree, Kept that of the checkpoint which was kept elsewhere.
	Size, Kept int64
	// Mirrored is how many leaves the mirror has.
	Mirrored int64
	// Tree is the pace of leaves with their rows, Receipts that of signatures.
	Tree, Receipts Pace
	// Cores is how many cores worked on it.
	Cores int
	// Unsealed is how many rows the log did not have yet when this began, and Since the time of the
	// oldest. Daily of them have no time; they are sealed once a day.
	Unsealed, Daily int64
	Since           time.Time
	// Erased is of how many records no more is there than erasures left, Erasures how many of these
	// there were, and ErasedSince how many records went after the checkpoint that was kept.
	Erased, Erasures, ErasedSince int64
	// Findings are the first of those that Found counts.
	Findings []Finding
	Found    int
}

func (r *Report) add(findings ...Finding) {
	r.Found += len(findings)
	r.Findings = append(r.Findings, findings[:min(len(findings), max(0, mostFindings-len(r.Findings)))]...)
}

// Verify checks the whole tree, every row under it and every receipt. An error means that it could
// not be done; what is wrong with the log is in the report.
func Verify(ctx context.Context, v Verification) (Report, error) {
	r := repository{v.DB}
	report := Report{Cores: runtime.GOMAXPROCS(0)}
	s, err := r.state(ctx)
	if err != nil {
		return report, err
	}
	trees := map[int64]tlog.Hash{}
	var newest tlog.Tree
	if s.Checkpoint != "" {
		if newest, err = open(v.Name, v.Verifiers, s.Checkpoint); err != nil {
			report.add(Finding{Position: -1, What: "the database's checkpoint was signed by none of the keys"})
			if _, newest.N, newest.Hash, err = read(s.Checkpoint); err != nil {
				newest = tlog.Tree{}
			}
		}
		trees[newest.N] = newest.Hash
	}
	under := newest.N
	if len(v.Checkpoints) > 0 {
		under = 0
	}
	for _, checkpoint := range v.Checkpoints {
		kept, err := open(v.Name, v.Verifiers, checkpoint)
		if err != nil {
			return report, err
		}
		if root, both := trees[kept.N]; both && root != kept.Hash {
			report.add(Finding{Position: -1, What: "the checkpoint that was kept has another root than one of the same size"})
		}
		trees[kept.N], under = kept.Hash, max(under, kept.N)
		if kept.N > newest.N {
			report.add(Finding{Position: -1, What: fmt.Sprintf(
				"the database's log ends at %d, before the checkpoint that was kept, at %d", newest.N, kept.N,
			)})
		}
	}
	report.Size, report.Kept = newest.N, under
	began := v.Clock()
	if err := v.tree(ctx, r, trees, &report); err != nil {
		return report, err
	}
	report.Tree = Pace{max(newest.N, under), v.Clock().Sub(began)}
	began = v.Clock()
	if report.Receipts.Count, err = v.receipts(ctx, r, newest.N, &report); err != nil {
		return report, err
	}
	report.Receipts.Took = v.Clock().Sub(began)
	if err := r.erasures(ctx, under, &report); err != nil {
		return report, err
	}
	if v.Mirror != nil {
		if err := v.mirror(ctx, &report); err != nil {
			return report, err
		}
	}
	return report, v.outside(ctx, r, newest.N, under, &report)
}

// span is the part of the log from one position on and before another.
type span struct{ from, to int64 }

// spans cuts the log into parts, also where a tree ends.
func spans(size int64, trees map[int64]tlog.Hash) []span {
	cuts := map[int64]bool{size: true}
	for n := int64(0); n < size; n += checkedAtOnce {
		cuts[n] = true
	}
	for n := range trees {
		cuts[n] = true
	}
	var ends []int64
	for n := range cuts {
		ends = append(ends, n)
	}
	slices.Sort(ends)
	var all []span
	for i := 1; i < len(ends); i++ {
		all = append(all, span{ends[i-1], ends[i]})
	}
	return all
}

// checked is what was found in a span; the range is nil where a leaf is missing.
type checked struct {
	hashes   *compact.Range
	findings []Finding
}

// tree checks rows and leaves, and the roots of trees.
func (v Verification) tree(ctx context.Context, r repository, trees map[int64]tlog.Hash, report *Report) error {
	var size int64
	for n := range trees {
		size = max(size, n)
	}
	all := spans(size, trees)
	results := make([]checked, len(all))
	var done atomic.Int64
	work, inner := errgroup.WithContext(ctx)
	work.SetLimit(report.Cores)
	for i, part := range all {
		work.Go(func() error {
			var err error
			results[i], err = r.check(inner, part)
			v.tell("rows", done.Add(part.to-part.from), size)
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	whole := factory.NewEmptyRange(0)
	broken := false
	for i, part := range all {
		report.add(results[i].findings...)
		if broken = broken || results[i].hashes == nil; broken {
			continue
		}
		if err := whole.AppendRange(results[i].hashes, nil); err != nil {
			return err
		}
		want, signed := trees[part.to]
		if !signed {
			continue
		}
		root, err := whole.GetRootHash(nil)
		if err != nil {
			return err
		}
		if !bytes.Equal(root, want[:]) {
			report.add(Finding{Position: -1, What: fmt.Sprintf("the first %d leaves do not have the root that was signed", part.to)})
		}
	}
	if report.Found > 0 || size == 0 {
		return nil
	}
	return checkTiles(ctx, tlog.Tree{N: size, Hash: trees[size]}, tiles{ctx, r}, report)
}

func (v Verification) tell(part string, done, total int64) {
	if v.Progress != nil {
		v.Progress(part, done, total)
	}
}

// factory makes ranges of a tree with the hashes of RFC 9162.
var factory = compact.RangeFactory{Hash: func(left, right []byte) []byte {
	node := tlog.NodeHash(tlog.Hash(left), tlog.Hash(right))
	return node[:]
}}

// receipts checks the signature of every receipt under the tree, and returns how many there are. One
// connection reads them for all cores: those that stand close together are not left to one.
func (v Verification) receipts(ctx context.Context, r repository, size int64, report *Report) (int64, error) {
	var count int64
	var found sync.Mutex
	var findings []Finding
	work, inner := errgroup.WithContext(ctx)
	work.SetLimit(report.Cores)
	verify := func(some []receipt) {
		work.Go(func() error {
			for _, one := range some {
				err := v.Receipt(inner, one.jws)
				if err == nil {
					continue
				}
				if !errors.Is(err, keyring.ErrNotAReceipt) {
					return err
				}
				found.Lock()
				row := string(ofRegister) + " " + one.row.String()
				findings = append(findings, Finding{one.position, row, "the receipt was signed by no known key"})
				found.Unlock()
			}
			return nil
		})
	}
	for _, part := range spans(size, nil) {
		var some []receipt
		err := r.receiptsIn(inner, part, func(one receipt) {
			count++
			if some = append(some, one); len(some) == verifiedAtOnce {
				verify(some)
				some = nil
			}
		})
		if err != nil {
			return 0, cmp.Or(work.Wait(), err)
		}
		verify(some)
		v.tell("receipts", part.to, size)
	}
	err := work.Wait()
	slices.SortFunc(findings, func(a, b Finding) int { return cmp.Compare(a.Position, b.Position) })
	report.add(findings...)
	return count, err
}

// receipt is one that is to be verified, with the entry of the register that it is of.
type receipt struct {
	position int64
	row      uuid.UUID
	jws      string
}

// receiptsIn reads those of a part of the log.
func (r repository) receiptsIn(ctx context.Context, part span, take func(receipt)) error {
	query := "SELECT l.position, l.row_id, e.jws" + r.leavesWith("protocol_entries", "subject_id", registerColumns) +
		"WHERE e.jws IS NOT NULL AND l.position >= ? AND l.position < ? AND l.kind = 'register'"
	return r.each(ctx, query, []any{part.from, part.to}, func(values [][]byte) error {
		one := receipt{jws: string(values[2])}
		var err error
		if one.position, err = r.number(values[0]); err != nil {
			return err
		}
		if one.row, err = r.id(values[1]); err != nil {
			return err
		}
		take(one)
		return nil
	})
}

// nameless says of a record that it tells neither who nor when; see audit.WriteTimeless.
const nameless = "(e.request_id = '' AND e.address = '' AND e.person_id IS NULL AND e.session_id IS NULL)"

// outside counts what the log does not have yet, and looks for what was put in behind it: rows that
// are dated before a checkpoint and do not stand under it.
func (v Verification) outside(ctx context.Context, r repository, size, under int64, report *Report) error {
	var behind int64
	if err := r.db.From(ctx).Raw("SELECT COUNT(*) FROM log_entries WHERE position >= ?", size).Scan(&behind).Error; err != nil {
		return err
	}
	// While it serves, the log grows beside this.
	if now, err := r.state(ctx); err != nil {
		return err
	} else if behind > now.Size-size {
		report.add(Finding{Position: size, What: fmt.Sprintf("%d leaves stand behind the end of the log", behind)})
	}
	const trail, register = "audit_records e LEFT JOIN log_entries l ON l.row_id = e.id AND l.kind = 'audit'",
		"protocol_entries e LEFT JOIN log_entries l ON l.row_id = e.subject_id AND l.kind = 'register'"
	// What was sealed meanwhile was not looked at.
	const unseen = "(l.position IS NULL OR l.position >= ?)"
	if err := r.db.From(ctx).Raw("SELECT COUNT(*) FROM "+trail+" WHERE "+unseen+" AND "+nameless, size).
		Scan(&report.Daily).Error; err != nil {
		return err
	}
	for _, from := range []string{trail + " WHERE NOT " + nameless + " AND ", register + " WHERE "} {
		var n int64
		if err := r.db.From(ctx).Raw("SELECT COUNT(*) FROM "+from+unseen, size).Scan(&n).Error; err != nil {
			return err
		}
		report.Unsealed += n
		var first []time.Time
		err := r.db.From(ctx).Raw("SELECT e.at FROM "+from+unseen+" ORDER BY e.at LIMIT 1", size).Scan(&first).Error
		if err != nil {
			return err
		}
		if len(first) > 0 && (report.Since.IsZero() || first[0].Before(report.Since)) {
			report.Since = first[0].UTC()
		}
	}
	report.Unsealed += report.Daily
	horizon, err := r.horizon(ctx, under)
	if err != nil || horizon.IsZero() {
		return err
	}
	for _, of := range []struct {
		kind     kind
		id, from string
		latest   time.Duration
	}{
		{ofTrail, "e.id", trail + " WHERE NOT " + nameless + " AND ", latest},
		{ofRegister, "e.subject_id", register + " WHERE ", latestEntry},
	} {
		var rows []struct {
			ID       uuid.UUID
			Position *int64
		}
		err := r.db.From(ctx).Raw("SELECT "+of.id+" AS id, l.position FROM "+of.from+
			"e.at < ? AND (l.position IS NULL OR l.position >= ?) ORDER BY e.at, 1", horizon.Add(-of.latest).UTC(), under).Scan(&rows).Error
		if err != nil {
			return err
		}
		for _, row := range rows {
			f := Finding{-1, string(of.kind) + " " + row.ID.String(), "the row is dated before the checkpoint and does not stand under it"}
			if row.Position != nil {
				f.Position = *row.Position
			}
			report.add(f)
		}
	}
	return nil
}

// horizon is the latest time of the last rows under a tree.
func (r repository) horizon(ctx context.Context, size int64) (time.Time, error) {
	var newest time.Time
	for _, query := range []string{
		"SELECT e.at FROM log_entries l JOIN audit_records e ON e.id = l.row_id WHERE l.kind = 'audit' AND l.position >= ? " +
			"AND l.position < ? ORDER BY e.at DESC LIMIT 1",
		"SELECT e.at FROM log_entries l JOIN protocol_entries e ON e.subject_id = l.row_id WHERE l.kind = 'register' AND l.position >= ? " +
			"AND l.position < ? ORDER BY e.at DESC LIMIT 1",
	} {
		var at []time.Time
		if err := r.db.From(ctx).Raw(query, max(0, size-lastRows), size).Scan(&at).Error; err != nil {
			return newest, err
		}
		if len(at) > 0 && at[0].After(newest) {
			newest = at[0]
		}
	}
	return newest, nil
}
