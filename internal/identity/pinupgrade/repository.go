package pinupgrade

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// repository reads and writes requests for a dispositive PIN.
type repository struct{ db *db.DB }

// Replaced is the reason of an upgrade that ended because the person got a new PIN.
const Replaced = "Il PIN è stato sostituito."

// Void ends the waiting upgrade of a person, in the context's transaction. It was asked for with a
// PIN that is no more. Whoever replaces the PIN calls it.
func Void(ctx context.Context, d *db.DB, personID uuid.UUID, now time.Time) error {
	return d.From(ctx).Exec("UPDATE pin_upgrades SET state = 'not_accepted', decided_at = ?, reason = ?, version = version + 1 WHERE "+
		"person_id = ? AND state = 'submitted'",
		now, Replaced, personID).Error
}

var selectHeld = "SELECT " + db.Columns[Upgrade]("u") + `, p.tax_code, p.given_name, p.family_name, (SELECT c.issued_by FROM counter_pins c
	JOIN pins i ON i.counter_pin_id = c.id WHERE i.person_id = u.person_id AND c.confirmed_at IS NULL) AS pin_issued_by
	FROM pin_upgrades u JOIN people p ON p.id = u.person_id WHERE `

// one returns a request, or fault.NotFound.
func (r repository) one(ctx context.Context, id uuid.UUID) (Details, error) {
	var h Details
	err := r.db.From(ctx).Raw(selectHeld+"u.id = ?", id).Take(&h).Error
	return h, notFound(err)
}

// lock returns a request and keeps everybody else from deciding it until the context's transaction
// ends.
func (r repository) lock(ctx context.Context, id uuid.UUID) (Upgrade, error) {
	var u Upgrade
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[Upgrade]("")+" FROM pin_upgrades WHERE id = ?"+r.db.ForUpdate(), id).Take(&u).Error
	return u, notFound(err)
}

// standing is what decides whether a person may ask for a dispositive PIN.
type standing struct {
	ID              uuid.UUID
	CredentialLevel access.CredentialLevel
	Waiting         int
}

// standings returns where people stand; one who does not exist is left out.
func (r repository) standings(ctx context.Context, people ...uuid.UUID) (map[uuid.UUID]standing, error) {
	var rows []standing
	err := r.db.From(ctx).Raw(`SELECT p.id, p.credential_level, (SELECT COUNT(*) FROM pin_upgrades u WHERE u.person_id = p.id
		AND u.state = 'submitted') AS waiting
		FROM people p WHERE p.id IN ?`, people).Scan(&rows).Error
	all := make(map[uuid.UUID]standing, len(rows))
	for _, row := range rows {
		all[row.ID] = row
	}
	return all, err
}

func (r repository) create(ctx context.Context, u Upgrade) error {
	return r.db.From(ctx).Create(&u).Error
}

// save writes what a decision changes, over a row that the caller holds locked.
func (r repository) save(ctx context.Context, u Upgrade) error {
	return r.db.From(ctx).Model(&Upgrade{}).Where("id = ?", u.ID).Select(
		"state", "decided_by", "decided_at", "reason", "version",
	).UpdateColumns(&u).Error
}

// ofPerson lists a person's requests, the newest first.
func (r repository) ofPerson(ctx context.Context, personID uuid.UUID, request page.Request) (page.Page[Upgrade], error) {
	query := r.db.From(ctx).Where("person_id = ?", personID).Order("submitted_at DESC, id DESC").Limit(request.Size() + 1)
	after, err := request.After()
	if err != nil {
		return page.Page[Upgrade]{}, err
	}
	if after != nil {
		query = query.Where("(submitted_at, id) < (?, ?)", after.At.UTC(), after.ID)
	}
	var rows []Upgrade
	if err := query.Find(&rows).Error; err != nil {
		return page.Page[Upgrade]{}, err
	}
	return page.Cut(rows, request.Size(), func(u Upgrade) page.Key { return page.Key{At: u.SubmittedAt, ID: u.ID} }), nil
}

// ofOffice lists the requests at an office, the oldest first; an empty state stands for all.
func (r repository) ofOffice(ctx context.Context, office string, state State, request page.Request) (page.Page[Details], error) {
	conditions, args := "u.office_code = ?", []any{office}
	after, err := request.After()
	if err != nil {
		return page.Page[Details]{}, err
	}
	if state != "" {
		conditions, args = conditions+" AND u.state = ?", append(args, state)
	}
	if after != nil {
		conditions, args = conditions+" AND (u.submitted_at, u.id) > (?, ?)", append(args, after.At.UTC(), after.ID)
	}
	var rows []Details
	err = r.db.From(ctx).Raw(
		selectHeld+conditions+" ORDER BY u.submitted_at, u.id LIMIT ?", append(args, request.Size()+1)...,
	).Scan(&rows).Error
	if err != nil {
		return page.Page[Details]{}, err
	}
	return page.Cut(rows, request.Size(), func(h Details) page.Key { return page.Key{At: h.SubmittedAt, ID: h.ID} }), nil
}

func notFound(err error) error {
	if db.IsNotFound(err) {
		return fault.New(fault.NotFound)
	}
	return err
}
