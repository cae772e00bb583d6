package registerimport

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/intermediary"
	"diresco/internal/platform/clock"
)

type stagedDelegate struct {
	ImportID           uuid.UUID
	Key                string
	Line               int
	ID                 uuid.UUID
	Kind               string
	TaxCode            string
	LegalName          string
	RegisterCode       string
	RegistrationNumber string
}

// TableName tells GORM the table.
func (stagedDelegate) TableName() string { return "staged_delegates" }

var albi = book{
	table: "staged_delegates", key: "tax_code", whole: true,
	columns: []column{
		{name: "tax_code", check: personCode},
		{name: "given_name", check: personName},
		{name: "family_name", check: personName},
		{name: "register_code", check: registerCode},
		{name: "registration_number", check: text},
	},
	stage: stageAs(func(id uuid.UUID, r record) stagedDelegate {
		v := r.values
		return stagedDelegate{
			id, v[3] + "/" + v[0], r.line, newID(), string(intermediary.Professional), v[0], v[1] + " " + v[2], v[3], v[4],
		}
	}, lineOfDelegate),
	check: func(ctx context.Context, k knowledge, rows []record) ([]LineError, error) {
		return k.otherKinds(ctx, rows, true)
	},
	apply: applyDelegates,
}

var associations = book{
	table: "staged_delegates", key: "tax_code", whole: true,
	columns: []column{
		{name: "tax_code", check: code},
		{name: "legal_name", check: legalName},
		{
			name: "kind",
			check: oneOf(
				string(intermediary.Association), string(intermediary.CAF), string(intermediary.Patronato), string(intermediary.Firm),
			),
		},
		{name: "register_code", check: registerCode},
		{name: "registration_number", check: text},
	},
	stage: stageAs(func(id uuid.UUID, r record) stagedDelegate {
		v := r.values
		return stagedDelegate{id, v[3] + "/" + v[0], r.line, newID(), v[2], v[0], v[1], v[3], v[4]}
	}, lineOfDelegate),
	check: func(ctx context.Context, k knowledge, rows []record) ([]LineError, error) {
		return k.otherKinds(ctx, rows, false)
	},
	apply: applyDelegates,
}

func lineOfDelegate(s stagedDelegate) int { return s.Line }

// applyDelegates lists who is in the file. Who is back is told later, and acts again at once.
var applyDelegates = []string{
	`UPDATE delegates AS t SET legal_name = s.legal_name, kind = s.kind, updated_at = @now,
		registration_number = CASE WHEN t.register_code = s.register_code THEN s.registration_number ELSE t.registration_number END
	FROM staged_delegates AS s WHERE ` + stagedRange + ` AND t.tax_code = s.tax_code
		AND (t.legal_name <> s.legal_name OR t.kind <> s.kind
			OR (t.register_code = s.register_code AND t.registration_number <> s.registration_number))`,
	`INSERT INTO delegates (id, kind, tax_code, legal_name, register_code, registration_number, listed_at, updated_at)
	SELECT s.id, s.kind, s.tax_code, s.legal_name, s.register_code, s.registration_number, @now, @now FROM staged_delegates AS s
	WHERE ` + stagedRange + ` AND NOT EXISTS (SELECT 1 FROM delegates AS t WHERE t.tax_code = s.tax_code) ON CONFLICT DO NOTHING`,
	`UPDATE delegate_registrations AS t
		SET registration_number = s.registration_number, listed_at = CASE WHEN t.left_at IS NULL THEN t.listed_at ELSE @now END,
		left_at = NULL
	FROM staged_delegates AS s, delegates AS h
	WHERE ` + stagedRange + ` AND h.tax_code = s.tax_code AND t.delegate_id = h.id AND t.register_code = s.register_code
		AND (t.left_at IS NOT NULL OR t.registration_number <> s.registration_number)`,
	`INSERT INTO delegate_registrations (delegate_id, register_code, registration_number, listed_at)
	SELECT h.id, s.register_code, s.registration_number, @now FROM staged_delegates AS s JOIN delegates AS h ON h.tax_code = s.tax_code
	WHERE ` + stagedRange + ` AND NOT EXISTS (SELECT 1 FROM delegate_registrations AS t
		WHERE t.delegate_id = h.id AND t.register_code = s.register_code) ON CONFLICT DO NOTHING`,
	`INSERT INTO register_notices (import_id, delegate_id, kind)
	SELECT s.import_id, h.id, 'resumed' FROM staged_delegates AS s JOIN delegates AS h ON h.tax_code = s.tax_code
	WHERE ` + stagedRange + ` AND ` + access.OffRegister("h") + ` ON CONFLICT DO NOTHING`,
	`UPDATE delegates AS t
		SET struck_off_at = NULL, register_code = s.register_code, registration_number = s.registration_number, listed_at = @now,
		updated_at = @now
	FROM staged_delegates AS s WHERE ` + stagedRange + ` AND t.tax_code = s.tax_code AND ` + access.OffRegister("t"),
}

// adoptSome notes registrations of intermediaries that have none, since they came by other ways
// than an import. It returns how many there were.
func adoptSome(ctx context.Context, d *db.DB) (int64, error) {
	done := d.From(ctx).Exec(`INSERT INTO delegate_registrations (delegate_id, register_code, registration_number, listed_at, left_at)
		SELECT h.id, h.register_code, h.registration_number, h.listed_at, h.struck_off_at FROM delegates AS h
		WHERE NOT EXISTS (SELECT 1 FROM delegate_registrations AS t WHERE t.delegate_id = h.id) LIMIT ? ON CONFLICT DO NOTHING`, atOnce)
	return done.RowsAffected, done.Error
}

// leaveSome takes the next intermediaries off the registers of the file in which they are missing.
// It goes on after the place that was reached, and notes which of them are on no register any more.
// It returns how many there were.
func leaveSome(ctx context.Context, d *db.DB, i *Import, now time.Time) (int, error) {
	kinds := "= 'professional'"
	if i.Register == Associations {
		kinds = "<> 'professional'"
	}
	code, id, _ := strings.Cut(i.Reached, "/")
	var left []struct {
		DelegateID   uuid.UUID
		RegisterCode string
	}
	err := d.From(ctx).Raw(`SELECT t.delegate_id, t.register_code FROM delegate_registrations AS t JOIN delegates AS h
		ON h.id = t.delegate_id
		WHERE t.left_at IS NULL
		AND h.kind `+kinds+` AND t.register_code IN (SELECT DISTINCT s.register_code FROM staged_delegates AS s WHERE s.import_id = @import)
		AND NOT EXISTS (SELECT 1 FROM staged_delegates AS s WHERE s.import_id = @import AND s.key = t.register_code || '/' || h.tax_code)
		AND (t.register_code, t.delegate_id) > (@code, @id)
		ORDER BY t.register_code, t.delegate_id LIMIT @most`,
		map[string]any{"import": i.ID, "code": code, "id": cmp.Or(id, uuid.Nil.String()), "most": leaversAtOnce}).Scan(&left).Error
	if err != nil || len(left) == 0 {
		return 0, err
	}
	ids := make([]uuid.UUID, len(left))
	for n, l := range left {
		ids[n] = l.DelegateID
		if err := d.From(ctx).Exec(
			"UPDATE delegate_registrations SET left_at = ? WHERE delegate_id = ? AND register_code = ?", now, l.DelegateID, l.RegisterCode,
		).Error; err != nil {
			return 0, err
		}
	}
	last := left[len(left)-1]
	i.Reached = last.RegisterCode + "/" + last.DelegateID.String()
	args := map[string]any{"import": i.ID, "ids": ids, "now": now}
	for _, statement := range []string{
		`INSERT INTO register_notices (import_id, delegate_id, kind) SELECT @import, t.id, 'suspended' FROM delegates AS t
			WHERE t.id IN @ids AND ` + access.OnRegister("t") + `
			AND NOT EXISTS (SELECT 1 FROM delegate_registrations AS r WHERE r.delegate_id = t.id AND r.left_at IS NULL)
			ON CONFLICT (import_id, delegate_id) DO NOTHING`,
		// Who stays on another register is known by that one from now on.
		`UPDATE delegates AS t SET register_code = r.register_code, registration_number = r.registration_number, updated_at = @now
			FROM delegate_registrations AS r
			WHERE t.id IN @ids AND ` + access.OnRegister("t") + ` AND r.delegate_id = t.id AND r.left_at IS NULL
			AND NOT EXISTS (SELECT 1 FROM delegate_registrations AS x
				WHERE x.delegate_id = t.id AND x.register_code = t.register_code AND x.left_at IS NULL)`,
	} {
		if err := d.From(ctx).Exec(statement, args).Error; err != nil {
			return 0, err
		}
	}
	return len(left), nil
}

// leaving selects who is on no register any more and not struck off yet.
var leaving = `SELECT h.id FROM delegates AS h JOIN register_notices AS n ON n.delegate_id = h.id
	WHERE n.import_id = @import AND n.kind = 'suspended' AND ` + access.OnRegister("h") + ` ORDER BY h.id`

// strikeOff ends the standing of intermediaries that are on no register any more. Whoever files for
// one of them at this moment is waited for, and whoever comes later waits for the end of the
// transaction: so it is the last thing that an import changes. It returns how many there were.
func strikeOff(ctx context.Context, d *db.DB, importID uuid.UUID, c clock.Clock) (int64, error) {
	limit := ""
	if d.Dialect() == db.Postgres {
		if err := d.From(ctx).Exec(leaving+" FOR UPDATE OF h", map[string]any{"import": importID}).Error; err != nil {
			return 0, err
		}
	} else {
		limit = " LIMIT @most"
	}
	// After whoever was waited for.
	now := c.Now()
	done := d.From(ctx).Exec("UPDATE delegates SET struck_off_at = @now, updated_at = @now WHERE id IN ("+leaving+limit+")", map[string]any{
		"import": importID, "now": now, "most": leaversAtOnce,
	})
	return done.RowsAffected, done.Error
}
