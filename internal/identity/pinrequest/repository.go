package pinrequest

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"
)

type repository struct{ db *db.DB }

func (r repository) add(ctx context.Context, q Request) error {
	return r.db.From(ctx).Create(&q).Error
}

// save writes what a decision changes, over a row that the caller holds locked.
func (r repository) save(ctx context.Context, q Request) error {
	return r.db.From(ctx).Model(&Request{}).Where("id = ?", q.ID).
		Select(
			"state", "person_id", "first_message_id", "second_message_id", "first_channel", "first_to", "second_channel", "second_to",
			"decided_by", "decided_at", "reason", "version",
		).UpdateColumns(&q).Error
}

// taken counts the requests for a tax code after the instant that were looked at.
func (r repository) taken(ctx context.Context, code taxcode.Code, after time.Time) (int, error) {
	var n int
	err := r.db.From(ctx).Raw(`SELECT COUNT(*) FROM pin_requests WHERE tax_code = ? AND created_at > ?
		AND (state = ? OR waits_because IS NOT NULL)`, code, after, Served).Scan(&n).Error
	return n, err
}

// one returns a request, or fault.NotFound.
func (r repository) one(ctx context.Context, id string) (Request, error) { return r.get(ctx, id, "") }

// lock is one, and keeps everybody else from deciding until the context's transaction ends.
func (r repository) lock(ctx context.Context, id string) (Request, error) {
	return r.get(ctx, id, r.db.ForUpdate())
}

func (r repository) get(ctx context.Context, id, lock string) (Request, error) {
	var found []Request
	if err := r.db.From(ctx).Raw("SELECT "+db.Columns[Request]("")+
		" FROM pin_requests WHERE id = ?"+lock, id).Find(&found).Error; err != nil {
		return Request{}, err
	}
	if len(found) == 0 {
		return Request{}, fault.New(fault.NotFound)
	}
	return found[0], nil
}

// list returns a page of the requests in a state, or in any for "", the oldest first.
func (r repository) list(ctx context.Context, state State, request page.Request) (page.Page[Request], error) {
	after, err := request.After()
	if err != nil {
		return page.Page[Request]{}, err
	}
	query := r.db.From(ctx).Order("created_at, id").Limit(request.Size() + 1)
	if state != "" {
		query = query.Where("state = ?", state)
	}
	if after != nil {
		query = query.Where("(created_at, id) > (?, ?)", after.At, textOf(after.ID))
	}
	var rows []Request
	if err := query.Find(&rows).Error; err != nil {
		return page.Page[Request]{}, err
	}
	return page.Cut(rows, request.Size(), func(q Request) page.Key { return page.Key{At: q.CreatedAt, ID: bytesOf(q.ID)} }), nil
}

// revokers returns who of the staff revoked the PIN that the person has.
func (r repository) revokers(ctx context.Context, personID uuid.UUID) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	err := r.db.From(ctx).Raw(`SELECT v.revoked_by FROM pin_revocations v JOIN pins c ON c.person_id = v.person_id
		WHERE v.person_id = ? AND v.revoked_at = c.revoked_at`, personID).Scan(&ids).Error
	return ids, err
}

// An id is 16 bytes, which is what a cursor holds of it.

func textOf(id uuid.UUID) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

func bytesOf(id string) uuid.UUID {
	b, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		return uuid.Nil
	}
	u, err := uuid.FromBytes(b)
	if err != nil {
		return uuid.Nil
	}
	return u
}
