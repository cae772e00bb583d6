package translog

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/audit"
)

const (
	// OpErase is what the trail calls an erasure. It is never erased itself.
	OpErase = "eraseAuditRecords"
	// erasedAtOnce is how many records one transaction erases.
	erasedAtOnce = 5000
	// erasedText stands where something was that may not be empty.
	erasedText = "erased"
	// ofPeople is the kind of those subjects that are people.
	ofPeople = "person"
)

// Erasure says what is erased of the trail: who did something, from where and with which login, and
// to whom where that is a person. What was done, when and how it ended stays.
type Erasure struct {
	// Before is the instant that a record must be older than.
	Before time.Time
	// PersonID, where it is set, leaves all records alone that are neither of nor about that person.
	PersonID *uuid.UUID
	Reason   string
}

// erased is a leaf whose row has no more than is left of it.
type erased struct {
	Position int64
	// Digest is that of what is left.
	Digest   []byte
	RecordID uuid.UUID
}

// TableName tells GORM the table.
func (erased) TableName() string { return "log_erasures" }

// erasureDetail is what the audit record of an erasure says. It does not say of whom.
type erasureDetail struct {
	Digest  string `json:"digest"`
	Reason  string `json:"reason"`
	Records int64  `json:"records"`
}

// commitment is a digest over erased leaves, in order, with what is left of each.
type commitment struct {
	text    []byte
	records int64
}

func (c *commitment) add(position int64, left []byte) {
	c.text = append(binary.BigEndian.AppendUint64(c.text, uint64(position)), left...) //nolint:gosec // never negative
	c.records++
}

func (c *commitment) digest() string { return DigestOf(c.text) }

// actorColumns are those of a record that tell who did something. They are erased together.
var actorColumns = map[string]bool{
	"acting_as": true, "application_id": true, "login_level": true, "login_method": true, "login_provider": true, "person_id": true,
	"right_id": true, "session_id": true,
}

// textColumns are those that are erased and may not be empty.
var textColumns = map[string]bool{"address": true, "request_id": true}

// left changes the values of a row to what an erasure leaves of them.
func (e Erasure) left(dialect db.Dialect, values [][]byte) error {
	var subject, kind *[]byte
	var names []string
	if e.PersonID != nil {
		names = append(names, e.PersonID.String())
	}
	for i, c := range trailColumns {
		switch {
		case c.name == "subject_id":
			subject = &values[i]
		case c.name == "subject_kind":
			kind = &values[i]
		case c.name == "person_id" && values[i] != nil:
			id, err := idIn(dialect, values[i])
			if err != nil {
				return err
			}
			names = append(names, id.String())
		}
		switch {
		case actorColumns[c.name]:
			values[i] = nil
		case textColumns[c.name]:
			values[i] = []byte(erasedText)
		}
	}
	about := string(*kind) == ofPeople
	for _, name := range names {
		about = about || string(*subject) == name
	}
	if about {
		*subject = nil
	}
	return nil
}

// Erase erases all that is sealed and concerned, in steps, and returns how many records that were. It
// tells how many by now after each step. Each leaves a record of what it did, but not of whom. What
// is not sealed yet is left alone.
func (e Erasure) Erase(ctx context.Context, d *db.DB, now time.Time, tell func(records int64)) (records int64, err error) {
	for position := int64(-1); ; {
		rows, err := e.step(ctx, d, now, position)
		if err != nil || len(rows) == 0 {
			return records, err
		}
		position = rows[len(rows)-1].Position
		records += int64(len(rows))
		tell(records)
	}
}

// step erases some records behind a position, in one transaction, and returns what it erased.
func (e Erasure) step(ctx context.Context, d *db.DB, now time.Time, behind int64) (rows []erased, err error) {
	r, record := repository{d}, audit.ByCommand(OpErase).Record("audit", now)
	err = d.InTx(ctx, func(ctx context.Context) error {
		if rows, err = r.erasable(ctx, e, record.ID, behind); err != nil || len(rows) == 0 {
			return err
		}
		var all commitment
		for _, row := range rows {
			all.add(row.Position, row.Digest)
		}
		detail, err := json.Marshal(erasureDetail{Digest: all.digest(), Reason: e.Reason, Records: all.records})
		if err != nil {
			return err
		}
		text := string(detail)
		record.Detail = &text
		if err := audit.NewTrail(d).Write(ctx, record); err != nil {
			return err
		}
		return r.erase(ctx, e, rows, record.ID)
	})
	return rows, err
}

// concerned is the condition for the records that an erasure is about, and its arguments.
func (e Erasure) concerned() (condition string, args []any) {
	condition, args = "e.at < ?", []any{e.Before.UTC()}
	if e.PersonID != nil {
		condition += " AND (e.person_id = ? OR e.subject_id = ?)"
		args = append(args, *e.PersonID, e.PersonID.String())
	}
	return condition + " AND (e.person_id IS NOT NULL OR e.session_id IS NOT NULL OR e.subject_kind = '" + ofPeople +
		"' OR e.address NOT IN ('', 'local'))", args
}

// erasable reads some records that are to be erased, with the digests of what is left of them.
func (r repository) erasable(ctx context.Context, e Erasure, recordID uuid.UUID, behind int64) ([]erased, error) {
	condition, args := e.concerned()
	var found []erased
	var text []byte
	query := "SELECT l.position, " + selected("e", trailColumns) + " FROM log_entries l JOIN audit_records e ON e.id = l.row_id " +
		"WHERE l.position > ? AND l.kind = 'audit' AND e.operation <> '" + OpErase + "' AND " + condition +
		" AND NOT EXISTS (SELECT 1 FROM log_erasures x WHERE x.position = l.position) ORDER BY l.position LIMIT ?"
	err := r.each(ctx, query, slices.Concat([]any{behind}, args, []any{erasedAtOnce}), func(values [][]byte) error {
		position, err := r.number(values[0])
		if err != nil {
			return err
		}
		if err := e.left(r.db.Dialect(), values[1:]); err != nil {
			return err
		}
		if text, err = appendRow(text[:0], r.db.Dialect(), trailColumns, values[1:]); err != nil {
			return err
		}
		digest := sha256.Sum256(text)
		found = append(found, erased{Position: position, Digest: digest[:], RecordID: recordID})
		return nil
	})
	return found, err
}

// erase takes away what an erasure does not leave, in the context's transaction.
func (r repository) erase(ctx context.Context, e Erasure, rows []erased, recordID uuid.UUID) error {
	// What the erasure names comes first: rows are final without.
	if err := db.InsertAll(ctx, r.db, rows); err != nil {
		return err
	}
	about, args := "subject_kind = '"+ofPeople+"' OR subject_id = CAST(person_id AS text)", []any{}
	if e.PersonID != nil {
		about, args = about+" OR subject_id = ?", append(args, e.PersonID.String())
	}
	for _, s := range []struct {
		statement string
		args      []any
	}{
		{
			"UPDATE audit_records SET subject_id = CASE WHEN " + about + " THEN NULL ELSE subject_id END, person_id = NULL, " +
				"session_id = NULL, application_id = NULL, acting_as = NULL, right_id = NULL, login_method = NULL, login_level = NULL, " +
				"login_provider = NULL, " +
				"address = '" + erasedText + "', request_id = '" + erasedText + "' WHERE id IN (SELECT l.row_id FROM log_erasures x " +
				"JOIN log_entries l ON l.position = x.position WHERE x.record_id = ?)", append(args, recordID),
		},
		{
			"UPDATE log_entries SET salt = substr(salt, 1, 0) " +
				"WHERE position IN (SELECT x.position FROM log_erasures x WHERE x.record_id = ?)",
			[]any{recordID},
		},
	} {
		if err := r.db.From(ctx).Exec(s.statement, s.args...).Error; err != nil {
			return err
		}
	}
	return nil
}

// Unsealed returns how many of the records that an erasure is about are not sealed yet.
func (e Erasure) Unsealed(ctx context.Context, d *db.DB) (n int64, err error) {
	condition, args := e.concerned()
	return n, d.From(ctx).Raw("SELECT COUNT(*) FROM audit_records e WHERE "+condition+
		" AND NOT EXISTS (SELECT 1 FROM log_entries l WHERE l.row_id = e.id AND l.kind = 'audit')", args...).Scan(&n).Error
}

// erasedIn returns what was erased of the leaves from one position on and before another.
func (r repository) erasedIn(ctx context.Context, part span) (map[int64]erased, error) {
	var rows []erased
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[erased]("x")+" FROM log_erasures x WHERE x.position >= ? AND x.position < ?",
		part.from, part.to).Scan(&rows).Error
	found := make(map[int64]erased, len(rows))
	for _, row := range rows {
		found[row.Position] = row
	}
	return found, err
}

// recorded returns what the audit record of an erasure says, and the position of its leaf, -1 where
// it is not sealed yet. It reports false where there is no such record.
func (r repository) recorded(ctx context.Context, id uuid.UUID) (detail erasureDetail, position int64, found bool, err error) {
	var rows []struct {
		Detail   *string
		Position *int64
	}
	err = r.db.From(ctx).Raw("SELECT e.detail, l.position FROM audit_records e "+
		"LEFT JOIN log_entries l ON l.row_id = e.id AND l.kind = 'audit' "+
		"WHERE e.id = ? AND e.operation = ?", id, OpErase).Scan(&rows).Error
	if err != nil || len(rows) == 0 || rows[0].Detail == nil || json.Unmarshal([]byte(*rows[0].Detail), &detail) != nil {
		return detail, -1, false, err
	}
	if rows[0].Position == nil {
		return detail, -1, true, nil
	}
	return detail, *rows[0].Position, true, nil
}

// erasures holds what was erased against the records of the erasures.
func (r repository) erasures(ctx context.Context, under int64, report *Report) error {
	type group struct {
		id uuid.UUID
		commitment
		digest string
	}
	var groups []group
	var last group
	end := func() {
		if last.records > 0 {
			groups = append(groups, group{last.id, commitment{records: last.records}, last.commitment.digest()})
		}
		last.commitment = commitment{text: last.text[:0]}
	}
	err := r.each(ctx, "SELECT x.record_id, x.position, x.digest FROM log_erasures x ORDER BY x.record_id, x.position", nil,
		func(values [][]byte) error {
			id, err := r.id(values[0])
			if err != nil {
				return err
			}
			position, err := r.number(values[1])
			if err != nil {
				return err
			}
			if id != last.id {
				end()
				last.id = id
			}
			last.add(position, values[2])
			return nil
		})
	if err != nil {
		return err
	}
	end()
	for _, g := range groups {
		detail, position, found, err := r.recorded(ctx, g.id)
		if err != nil {
			return err
		}
		if !found || detail.Digest != g.digest || detail.Records != g.records {
			report.add(Finding{-1, string(ofTrail) + " " + g.id.String(), "it does not say of what was erased that it was"})
		}
		report.Erasures++
		report.Erased += g.records
		if position < 0 || position >= under {
			report.ErasedSince += g.records
		}
	}
	return nil
}
