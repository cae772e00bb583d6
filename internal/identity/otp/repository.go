package otp

import (
	"context"
	"maps"
	"time"

	"github.com/google/uuid"

	"diresco/db"
)

type repository struct{ db *db.DB }

// row is a code as it is kept.
type row struct {
	ID        uuid.UUID
	MACKey    string `gorm:"column:mac_key"`
	MAC       string `gorm:"column:mac"`
	Tries     int
	ExpiresAt time.Time
	UsedAt    *time.Time
	EndedAt   *time.Time
}

// shared is the table of all purposes without one of their own; it has a column for the purpose.
var shared = Table{Name: "one_time_codes", Subject: "subject_id", Made: "created_at"}

// andLive picks the codes that are neither used nor ended; the unique indexes say the same.
const andLive = " AND used_at IS NULL AND ended_at IS NULL"

// table returns where the codes of the purpose are.
func (p Purpose) table() Table {
	if p.Table != nil {
		return *p.Table
	}
	return shared
}

// columns lists those of the table that a row has; only codes with few tries have some to count.
func (p Purpose) columns() string {
	const always = "id, mac_key, mac, expires_at, used_at, ended_at"
	if p.Tries > 0 {
		return always + ", tries"
	}
	return always
}

// of picks the codes of the purpose that are about a subject.
func (p Purpose) of(subjectID uuid.UUID) (condition string, args []any) {
	if p.Table != nil {
		return p.Table.Subject + " = ?", []any{subjectID}
	}
	return "purpose = ? AND subject_id = ?", []any{p.Kind, subjectID}
}

func (r repository) add(ctx context.Context, i Issue, code row, now time.Time) error {
	t := i.Purpose.table()
	columns := map[string]any{
		"id": code.ID, t.Subject: i.SubjectID, "mac_key": code.MACKey, "mac": code.MAC, t.Made: now, "expires_at": code.ExpiresAt,
	}
	if i.Purpose.Table == nil {
		columns["purpose"] = i.Purpose.Kind
	}
	if i.Purpose.Tries > 0 {
		columns["tries"] = 0
	}
	maps.Copy(columns, i.Columns)
	return r.db.From(ctx).Table(t.Name).Create(columns).Error
}

// live returns the live code, expired or not, or a row without id.
func (r repository) live(ctx context.Context, p Purpose, subjectID uuid.UUID) (row, error) {
	which, args := p.of(subjectID)
	var code row
	err := r.db.From(ctx).Raw("SELECT "+p.columns()+" FROM "+p.table().Name+" WHERE "+which+andLive, args...).Scan(&code).Error
	return code, err
}

func (r repository) end(ctx context.Context, p Purpose, subjectID uuid.UUID, now time.Time) error {
	which, args := p.of(subjectID)
	return r.db.From(ctx).Exec("UPDATE "+p.table().Name+" SET ended_at = ? WHERE "+which+andLive, append([]any{now}, args...)...).Error
}

// countTry adds one to the tries at the live code, unless it has had all of them, and returns it.
func (r repository) countTry(ctx context.Context, p Purpose, subjectID uuid.UUID, now time.Time) (row, bool, error) {
	which, args := p.of(subjectID)
	return r.first(
		ctx, "UPDATE "+p.table().Name+" SET tries = tries + 1 WHERE "+which+andLive+" AND expires_at > ? AND tries < ? RETURNING "+
			p.columns(),
		append(args, now, p.Tries)...,
	)
}

// last returns the code that was made last, live or not.
func (r repository) last(ctx context.Context, p Purpose, subjectID uuid.UUID) (row, bool, error) {
	which, args := p.of(subjectID)
	return r.first(ctx, "SELECT "+p.columns()+
		" FROM "+p.table().Name+" WHERE "+which+" ORDER BY "+p.table().Made+" DESC, id DESC LIMIT 1", args...)
}

func (r repository) first(ctx context.Context, query string, args ...any) (row, bool, error) {
	var rows []row
	if err := r.db.From(ctx).Raw(query, args...).Scan(&rows).Error; err != nil || len(rows) == 0 {
		return row{}, false, err
	}
	return rows[0], true, nil
}

// use marks a live code as used. It reports false when somebody was quicker, or it expired
// meanwhile.
func (r repository) use(ctx context.Context, p Purpose, id uuid.UUID, now time.Time) (bool, error) {
	result := r.db.From(ctx).Exec("UPDATE "+p.table().Name+" SET used_at = ? WHERE id = ?"+andLive+" AND expires_at > ?", now, id, now)
	return result.RowsAffected == 1, result.Error
}

func (r repository) made(ctx context.Context, p Purpose, subjectID uuid.UUID, after time.Time) (int, error) {
	which, args := p.of(subjectID)
	var n int
	err := r.db.From(ctx).Raw(
		"SELECT COUNT(*) FROM "+p.table().Name+" WHERE "+which+" AND "+p.table().Made+" > ?", append(args, after)...,
	).Scan(&n).Error
	return n, err
}

func (r repository) forget(ctx context.Context, until time.Time) error {
	return r.db.InTx(ctx, func(ctx context.Context) error {
		return r.db.From(ctx).Exec("DELETE FROM one_time_codes WHERE expires_at < ?", until).Error
	})
}
