package session

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
)

type repository struct{ db *db.DB }

func (r repository) insert(ctx context.Context, s row) error {
	return r.db.From(ctx).Create(&s).Error
}

// find returns a session, and false when there is none. On request the row stays locked until the
// end of the transaction.
func (r repository) find(ctx context.Context, id uuid.UUID, lock bool) (row, bool, error) {
	var found []row
	err := r.db.From(ctx).Raw(
		"SELECT "+db.Columns[row]("s")+`, p.credential_level, p.suspended_at FROM sessions s JOIN people p ON p.id = s.person_id WHERE s.id = ?`+r.held(lock), id,
	).Scan(&found).Error
	if err != nil || len(found) == 0 {
		return row{}, false, err
	}
	return found[0], true, nil
}

// held is the suffix that keeps sessions s locked until the end of the transaction, on request.
func (r repository) held(lock bool) string {
	if lock && r.db.Dialect() == db.Postgres {
		return " FOR UPDATE OF s"
	}
	return ""
}

// grantColumns are what a grant's session needs to know of consent and application.
const grantColumns = `, p.credential_level, p.suspended_at, k.application_id, y.client_id, k.scopes AS consent_scopes, y.scopes AS registered_scopes,
	k.expires_at AS consent_expires, k.ended_at AS consent_ended,
	CASE WHEN y.state = 'approved' AND y.removed_at IS NULL THEN 1 ELSE 0 END AS application_live`

// findGrant returns the session of a grant, and false when there is none. On request the row stays
// locked until the end of the transaction.
func (r repository) findGrant(ctx context.Context, id uuid.UUID, lock bool) (grantRow, bool, error) {
	var found []grantRow
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[row]("s")+grantColumns+` FROM sessions s JOIN people p ON p.id = s.person_id
		JOIN consents k ON k.id = s.consent_id AND k.person_id = s.person_id
		JOIN applications y ON y.id = k.application_id WHERE s.id = ?`+r.held(lock), id).Scan(&found).Error
	if err != nil || len(found) == 0 {
		return grantRow{}, false, err
	}
	return found[0], true, nil
}

// givenBy returns how the person had logged in who gave a consent.
func (r repository) givenBy(ctx context.Context, consentID uuid.UUID) (access.Login, error) {
	given := PINLogin
	err := r.db.From(ctx).Raw("SELECT login_method, login_level, login_provider FROM consents WHERE id = ?", consentID).Scan(&given).Error
	return given, err
}

// holdGrants keeps the sessions of consents, locked in the order of their ids.
func (r repository) holdGrants(ctx context.Context, consentIDs []uuid.UUID) error {
	return r.db.From(ctx).Exec("SELECT 1 FROM sessions WHERE consent_id IN ? ORDER BY id"+r.db.ForUpdate(), consentIDs).Error
}

// endGrants ends the sessions of consents, which the transaction has locked.
func (r repository) endGrants(ctx context.Context, consentIDs []uuid.UUID, reason string, now time.Time) error {
	const update = "UPDATE sessions SET ended_at = ?, end_reason = ? WHERE consent_id IN ? AND ended_at IS NULL"
	return r.db.From(ctx).Exec(update, now, reason, consentIDs).Error
}

// ofPerson returns a person's own sessions that may be alive, newest first.
func (r repository) ofPerson(ctx context.Context, personID uuid.UUID, now time.Time) ([]row, error) {
	var rows []row
	err := r.db.From(ctx).Raw(
		"SELECT "+db.Columns[row]("s")+`, p.credential_level, p.suspended_at FROM sessions s JOIN people p ON p.id = s.person_id
		WHERE s.person_id = ? AND s.consent_id IS NULL AND s.ended_at IS NULL AND s.expires_at > ?
		ORDER BY s.created_at DESC, s.id DESC`, personID, now,
	).Scan(&rows).Error
	return rows, err
}

// renew replaces the refresh token if it is still the one expected, and reports whether it was.
func (r repository) renew(ctx context.Context, s row, expected string) (bool, error) {
	result := r.db.From(ctx).Exec(`UPDATE sessions
		SET refresh_generation = ?, refresh_hash = ?, renewed_at = ?, renewed_hash = ?, renewed_key = ?
		WHERE id = ? AND refresh_hash = ? AND ended_at IS NULL`,
		s.RefreshGeneration, s.RefreshHash, s.RenewedAt, s.RenewedHash, s.RenewedKey, s.ID, expected)
	return result.RowsAffected == 1, result.Error
}

// reauthenticate replaces the refresh token of a row that the transaction has locked and notes the
// proof of presence.
func (r repository) reauthenticate(ctx context.Context, s row) error {
	return r.db.From(ctx).Exec(`UPDATE sessions
		SET refresh_generation = ?, refresh_hash = ?, renewed_at = NULL, renewed_hash = NULL, renewed_key = NULL,
		authenticated_at = ?, last_seen_at = ?, login_method = ?, login_level = ?, login_provider = ?, pin_change_required = ? WHERE id = ?`,
		s.RefreshGeneration, s.RefreshHash, s.AuthenticatedAt, s.LastSeenAt, s.LoginMethod, s.LoginLevel, s.LoginProvider,
		s.PINChangeRequired, s.ID).Error
}

// end ends one session, which the transaction has locked, and reports whether it was alive.
func (r repository) end(ctx context.Context, id uuid.UUID, reason string, now time.Time) (bool, error) {
	result := r.db.From(ctx).Exec("UPDATE sessions SET ended_at = ?, end_reason = ? WHERE id = ? AND ended_at IS NULL", now, reason, id)
	return result.RowsAffected == 1, result.Error
}

// hold keeps sessions as they are, locked in the order of their ids.
func (r repository) hold(ctx context.Context, ids ...uuid.UUID) error {
	return r.db.From(ctx).Exec("SELECT 1 FROM sessions WHERE id IN ? ORDER BY id"+r.db.ForUpdate(), ids).Error
}

// holdAll keeps every session of a person that has not ended. Rows are locked in the order of their
// ids, as everywhere, so that two statements over many sessions never wait for each other.
func (r repository) holdAll(ctx context.Context, personID uuid.UUID) error {
	const selectOpen = "SELECT 1 FROM sessions WHERE person_id = ? AND ended_at IS NULL ORDER BY id"
	return r.db.From(ctx).Exec(selectOpen+r.db.ForUpdate(), personID).Error
}

// endAll ends every session of a person, which the transaction has locked, and returns which those
// were. On request applications' are among them.
func (r repository) endAll(ctx context.Context, personID uuid.UUID, reason string, now time.Time, grants bool) ([]uuid.UUID, error) {
	const update = "UPDATE sessions SET ended_at = ?, end_reason = ? WHERE person_id = ? AND ended_at IS NULL"
	which := " AND consent_id IS NULL"
	if grants {
		which = ""
	}
	var ids []uuid.UUID
	err := r.db.From(ctx).Raw(update+which+" RETURNING id", now, reason, personID).Scan(&ids).Error
	return ids, err
}

// saw writes down the last activity of sessions, unless their rows know of a later one. It writes
// first for all that nobody holds, then for the others one by one: waiting for one while holding
// others could close a circle.
func (r repository) saw(ctx context.Context, sightings []sighting) error {
	latest := make(map[uuid.UUID]time.Time, len(sightings))
	for _, s := range sightings {
		if s.At.After(latest[s.ID]) {
			latest[s.ID] = s.At
		}
	}
	ids := make([]uuid.UUID, 0, len(latest))
	for id := range latest {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	if r.db.Dialect() != db.Postgres {
		return r.sawAll(ctx, ids, latest, "(?, ?)", "")
	}
	const value = "(?::uuid, ?::timestamptz)"
	if err := r.sawAll(ctx, ids, latest, value, " FOR UPDATE OF s SKIP LOCKED"); err != nil {
		return err
	}
	var held []uuid.UUID
	values, args := valuesOf(ids, latest, value)
	err := r.db.From(ctx).Raw(
		"WITH v (id, seen) AS ("+values+
			") SELECT s.id FROM sessions s JOIN v ON v.id = s.id WHERE s.last_seen_at < v.seen AND s.ended_at IS NULL",
		args...,
	).Scan(&held).Error
	if err != nil {
		return err
	}
	for _, id := range held {
		if err := r.sawAll(ctx, []uuid.UUID{id}, latest, value, " FOR UPDATE OF s"); err != nil {
			return err
		}
	}
	return nil
}

// sawAll writes for the sessions what saw does, in one transaction.
func (r repository) sawAll(ctx context.Context, ids []uuid.UUID, latest map[uuid.UUID]time.Time, value, lock string) error {
	values, args := valuesOf(ids, latest, value)
	return r.db.InTx(ctx, func(ctx context.Context) error {
		return r.db.From(ctx).Exec(`WITH v (id, seen) AS (`+values+`),
			due AS (SELECT s.id, v.seen FROM sessions s JOIN v ON v.id = s.id
				WHERE s.last_seen_at < v.seen AND s.ended_at IS NULL ORDER BY s.id`+lock+`)
			UPDATE sessions SET last_seen_at = due.seen FROM due WHERE sessions.id = due.id`, args...).Error
	})
}

func valuesOf(ids []uuid.UUID, latest map[uuid.UUID]time.Time, value string) (values string, args []any) {
	for _, id := range ids {
		args = append(args, id, latest[id])
	}
	return "VALUES " + strings.Repeat(value+",", len(ids)-1) + value, args
}
