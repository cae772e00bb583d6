package job_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/job"
	"diresco/internal/test/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const (
	leaseTime = time.Minute
	topic     = "parcels"
)

var ctx = context.Background()

// parcels are things to do, kept in a table: each is to be packed once.
type parcels struct {
	t     *testing.T
	clock *clock.Manual
}

func newParcels(t *testing.T, d *db.DB, n int) *parcels {
	t.Helper()
	p := &parcels{t, clock.NewManual(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))}
	p.execute(d, `CREATE TABLE parcels (id INTEGER PRIMARY KEY, packed INTEGER NOT NULL DEFAULT 0,
		failures INTEGER NOT NULL DEFAULT 0, lease_owner TEXT, lease_until TIMESTAMP)`)
	for id := range n {
		p.add(d, id+1)
	}
	return p
}

func (p *parcels) execute(d *db.DB, statement string, args ...any) {
	p.t.Helper()
	if err := d.InTx(ctx, func(ctx context.Context) error { return d.From(ctx).Exec(statement, args...).Error }); err != nil {
		p.t.Fatal(err)
	}
}

// add commits a parcel that is to be packed, and announces it.
func (p *parcels) add(d *db.DB, id int) {
	p.t.Helper()
	err := d.InTx(ctx, func(ctx context.Context) error {
		d.Announce(ctx, topic)
		return d.From(ctx).Exec("INSERT INTO parcels (id) VALUES (?)", id).Error
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *parcels) count(d *db.DB, condition string) (n int) {
	p.t.Helper()
	if err := d.From(ctx).Raw("SELECT COUNT(*) FROM parcels WHERE " + condition).Scan(&n).Error; err != nil {
		p.t.Fatal(err)
	}
	return n
}

func first(ctx context.Context, d *db.DB, query string, args ...any) (int, bool, error) {
	var ids []int
	err := d.From(ctx).Raw(query, args...).Scan(&ids).Error
	if err != nil || len(ids) == 0 {
		return 0, false, err
	}
	return ids[0], true, nil
}

// lease claims a parcel for an owner by a lease: the first that it gets. That others have one, the
// lease alone says.
func (p *parcels) lease(d *db.DB, owner string) job.Claim[int] {
	return func(ctx context.Context) (id int, mine bool, err error) {
		var ids []int
		if err := d.From(ctx).Raw("SELECT id FROM parcels WHERE packed = 0 ORDER BY id").Scan(&ids).Error; err != nil {
			return 0, false, err
		}
		for _, id = range ids {
			err = d.InTx(ctx, func(ctx context.Context) (err error) {
				mine, err = job.NewLease(owner, p.clock.Now(), leaseTime).Take(ctx, d, "parcels", "id = ? AND packed = 0", id)
				return err
			})
			if err != nil || mine {
				return id, mine, err
			}
		}
		return 0, false, nil
	}
}

// pack packs a parcel that the owner has leased.
func (p *parcels) pack(d *db.DB, owner string) func(ctx context.Context, id int) error {
	return func(ctx context.Context, id int) error {
		return d.InTx(ctx, func(ctx context.Context) error {
			done := d.From(ctx).Exec("UPDATE parcels SET packed = packed + 1 WHERE id = ? AND lease_owner = ?", id, owner)
			if done.Error == nil && done.RowsAffected == 0 {
				return job.ErrLost
			}
			return done.Error
		})
	}
}

// leased packs one parcel by a lease, as a worker of its own.
func (p *parcels) leased(d *db.DB) job.Step {
	owner := uuid.NewString()
	return job.Leased(p.lease(d, owner), p.pack(d, owner))
}

// lock claims a parcel by the lock of its row.
func (p *parcels) lock(d *db.DB) job.Claim[int] {
	suffix := ""
	if d.Dialect() == db.Postgres {
		suffix = " FOR UPDATE SKIP LOCKED"
	}
	return func(ctx context.Context) (int, bool, error) {
		return first(ctx, d, "SELECT id FROM parcels WHERE packed = 0 ORDER BY id LIMIT 1"+suffix)
	}
}

// locked packs one parcel in one transaction.
func (p *parcels) locked(d *db.DB) job.Step {
	return job.Locked(d, p.lock(d), func(ctx context.Context, id int) error {
		return d.From(ctx).Exec("UPDATE parcels SET packed = packed + 1 WHERE id = ?", id).Error
	})
}
