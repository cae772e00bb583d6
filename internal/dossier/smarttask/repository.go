package smarttask

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/job"
	"diresco/internal/platform/page"
)

// repository reads and writes tasks, and to whom their types are open.
type repository struct{ db *db.DB }

func (r repository) add(ctx context.Context, t Task) error { return r.db.From(ctx).Create(&t).Error }

// asked returns when somebody asked for tasks for a contributor since an instant, in order.
func (r repository) asked(ctx context.Context, personID, contributorID uuid.UUID, since time.Time) (times []time.Time, err error) {
	err = r.db.From(ctx).Raw(
		"SELECT submitted_at FROM smart_tasks WHERE contributor_id = ? AND submitted_at > ? AND person_id = ? ORDER BY submitted_at",
		contributorID, since.UTC(), personID,
	).Scan(&times).Error
	return times, err
}

var selectViews = "SELECT " + db.Columns[Task]("s") + ", t.position_id, t.office_code, t.protocol_number, t.email, t.phone " +
	"FROM smart_tasks s JOIN tickets t ON t.id = s.id"

// one returns a task, or fault.NotFound.
func (r repository) one(ctx context.Context, id uuid.UUID) (View, error) {
	var rows []View
	err := r.db.From(ctx).Raw(selectViews+" WHERE s.id = ?", id).Scan(&rows).Error
	if err == nil && len(rows) == 0 {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return View{}, err
	}
	return rows[0], nil
}

// list returns a page of a contributor's tasks that the actor sees, the latest first; see
// View.seenBy.
func (r repository) list(ctx context.Context, by access.Actor, request page.Request) (page.Page[View], error) {
	var none page.Page[View]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	query, args := selectViews+" WHERE s.contributor_id = ?", []any{by.ContributorID}
	positions := by.Positions(access.Dossier)
	switch {
	case by.Consults():
		query, args = query+" AND t.office_code = ?", append(args, by.OfficeCode)
	case positions != nil:
		// A list without members is none in SQL.
		positions, rights := append(positions, uuid.Nil), append(by.RightIDs(), uuid.Nil)
		query += " AND (s.person_id = ? OR s.right_id IN ? OR s.type = ? AND t.position_id IN ?)"
		args = append(args, by.PersonID, rights, sharedType, positions)
	}
	if after != nil {
		query, args = query+" AND (s.submitted_at, s.id) < (?, ?)", append(args, after.At.UTC(), after.ID)
	}
	var rows []View
	if err := r.db.From(ctx).Raw(
		query+" ORDER BY s.submitted_at DESC, s.id DESC LIMIT ?", append(args, request.Size()+1)...,
	).Scan(&rows).Error; err != nil {
		return none, err
	}
	return page.Cut(rows, request.Size(), func(v View) page.Key { return page.Key{At: v.SubmittedAt, ID: v.ID} }), nil
}

// open reports whether there is a task to be decided, of a type that this program knows.
func (r repository) open(ctx context.Context) (bool, error) {
	var found []int
	err := r.db.From(ctx).Raw("SELECT 1 FROM smart_tasks WHERE decided_at IS NULL AND type IN ? LIMIT 1", codes).Scan(&found).Error
	return len(found) > 0, err
}

// candidates are how many of the oldest open tasks are tried for a lease.
const candidates = 16

// claim leases the oldest open task that is nobody else's, and returns false where there is none. It
// leaves a type that this program does not know to one that does: a newer version runs beside it.
func (r repository) claim(ctx context.Context, lease job.Lease) (t Task, mine bool, err error) {
	var ids []uuid.UUID
	const selectOpen = "SELECT id FROM smart_tasks WHERE decided_at IS NULL AND type IN ? " +
		"AND (lease_owner = ? OR lease_until IS NULL OR lease_until <= ?) ORDER BY submitted_at, id LIMIT ?"
	if err := r.db.From(ctx).Raw(selectOpen, codes, lease.Owner, lease.At, candidates).Scan(&ids).Error; err != nil {
		return t, false, err
	}
	for _, id := range ids {
		err = r.db.InTx(ctx, func(ctx context.Context) error {
			if mine, err = lease.Take(ctx, r.db, "smart_tasks", "id = ? AND decided_at IS NULL", id); err != nil || !mine {
				return err
			}
			t, err = r.task(ctx, id)
			return err
		})
		if err != nil || mine {
			return t, mine, err
		}
	}
	return t, false, nil
}

func (r repository) task(ctx context.Context, id uuid.UUID) (t Task, err error) {
	err = r.db.From(ctx).Raw("SELECT "+db.Columns[Task]("")+" FROM smart_tasks WHERE id = ?", id).Take(&t).Error
	return t, err
}

// keep renews a lease, in the context's transaction, locks the task until that ends, and returns
// it. It returns job.ErrLost where the task is another's by now, or decided.
func (r repository) keep(ctx context.Context, id uuid.UUID, lease job.Lease) (Task, error) {
	done := r.db.From(ctx).Exec(
		"UPDATE smart_tasks SET lease_until = ? WHERE id = ? AND lease_owner = ? AND decided_at IS NULL", lease.Until, id, lease.Owner,
	)
	if done.Error == nil && done.RowsAffected == 0 {
		return Task{}, job.ErrLost
	}
	if done.Error != nil {
		return Task{}, done.Error
	}
	return r.task(ctx, id)
}

// save writes how far a task has come, which the context's transaction has locked.
func (r repository) save(ctx context.Context, t Task) error {
	return r.db.From(ctx).Model(&Task{}).Where("id = ?", t.ID).Select(
		"state", "taken_at", "examined_at", "decided_at", "checks", "reasons", "failures", "lease_owner", "lease_until",
	).Updates(&t).Error
}

// Access is to whom a type is open.
type Access struct {
	Type      string `gorm:"primaryKey"`
	OpenTo    OpenTo
	Version   int
	UpdatedAt time.Time `gorm:"autoUpdateTime:false"`
}

// TableName tells GORM the table.
func (Access) TableName() string { return "smart_task_access" }

// member is one of the people to whom a type is open.
type member struct {
	Type    string
	TaxCode string
}

// TableName tells GORM the table.
func (member) TableName() string { return "smart_task_members" }

// access returns to whom a type is open. One of which nothing is kept is open to everybody.
func (r repository) access(ctx context.Context, code string) (Access, error) {
	var rows []Access
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[Access]("")+" FROM smart_task_access WHERE type = ?", code).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return Access{Type: code, OpenTo: Everybody}, err
	}
	return rows[0], nil
}

// members lists the people to whom a type is open, by tax code.
func (r repository) members(ctx context.Context, code string) (codes []string, err error) {
	err = r.db.From(ctx).Raw("SELECT tax_code FROM smart_task_members WHERE type = ? ORDER BY tax_code", code).Scan(&codes).Error
	return codes, err
}

// closedTo lists the types that are not open to a person.
func (r repository) closedTo(ctx context.Context, taxCode string) (codes []string, err error) {
	err = r.db.From(ctx).Raw("SELECT a.type FROM smart_task_access a WHERE a.open_to = 'group' AND NOT EXISTS "+
		"(SELECT 1 FROM smart_task_members m WHERE m.type = a.type AND m.tax_code = ?)", taxCode).Scan(&codes).Error
	return codes, err
}

// setAccess writes to whom a type is open, in the context's transaction, which has the type's name.
func (r repository) setAccess(ctx context.Context, a Access, taxCodes []string) error {
	err := r.db.From(ctx).Exec(
		"INSERT INTO smart_task_access (type, open_to, version, updated_at) VALUES ( ?, ?, ?, ?) ON CONFLICT (type) DO UPDATE SET "+
			"open_to = excluded.open_to, version = excluded.version, updated_at = excluded.updated_at",
		a.Type, a.OpenTo, a.Version, a.UpdatedAt,
	).Error
	if err != nil {
		return err
	}
	if err := r.db.From(ctx).Exec("DELETE FROM smart_task_members WHERE type = ?", a.Type).Error; err != nil {
		return err
	}
	members := make([]member, len(taxCodes))
	for i, code := range taxCodes {
		members[i] = member{a.Type, code}
	}
	return db.InsertAll(ctx, r.db, members)
}
