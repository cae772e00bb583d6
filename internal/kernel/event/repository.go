package event

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
)

type repository struct{ db *db.DB }

// state is the row of the feed.
type state struct {
	Position int64
	Snapshot *string
	LastRow  int64
	Since    *uuid.UUID
	// Seen and SeenRow are what is committed when the row is read.
	Seen    string
	SeenRow int64
}

// mark is how far somebody saw: a snapshot of PostgreSQL, or the last row on SQLite.
type mark struct {
	snapshot string
	row      int64
}

func (s state) seen() mark { return mark{s.Seen, s.SeenRow} }

// elsewhere reports whether the last look was at another cluster, or at what a restored backup does
// not know: no mark is ever above what is there.
func (s state) elsewhere() bool {
	if s.LastRow > s.SeenRow {
		return true
	}
	if s.Snapshot == nil || s.Seen == "" {
		return false
	}
	last, _ := bounds(*s.Snapshot)
	now, _ := bounds(s.Seen)
	// They are numbers without leading zeros.
	return len(last) > len(now) || len(last) == len(now) && last > now
}

// look is for the records that were committed after one mark and before the next.
type look struct {
	from state
	to   mark
	// since is the id behind which they stand, whatever their transaction.
	since uuid.UUID
	// whole looks are for all records since that id, also for those that were committed before: a
	// database that was restored into another cluster counts its transactions anew.
	whole bool
}

// selectState reads the row together with what is committed at this moment.
func (r repository) selectState() string {
	seen := "'' AS seen, (SELECT COALESCE(MAX(rowid), 0) FROM audit_records) AS seen_row"
	if r.db.Dialect() == db.Postgres {
		seen = "CAST(pg_current_snapshot() AS text) AS seen, 0 AS seen_row"
	}
	return "SELECT f.position, f.snapshot, f.last_row, f.since, " + seen + " FROM event_feed f WHERE f.id = 0"
}

// lock reads the row of the feed, locked.
func (r repository) lock(ctx context.Context) (state, error) {
	if r.db.Dialect() == db.Postgres {
		// What is seen is seen with the lock, by a statement of its own. It has an argument, since the
		// driver prepares none without. All that follows in the transaction is planned once, by indexes:
		// a plan for each look costs more than the look, and one of a new database, whose tables are
		// small, must do when they have grown.
		const lock = "SELECT set_config('plan_cache_mode', 'force_generic_plan', TRUE), set_config('enable_seqscan', 'off', TRUE) " +
			"FROM event_feed WHERE id = ? FOR UPDATE"
		if err := r.db.From(ctx).Exec(lock, 0).Error; err != nil {
			return state{}, err
		}
	}
	var s state
	err := r.db.From(ctx).Raw(r.selectState()).Take(&s).Error
	return s, err
}

func (r repository) save(ctx context.Context, s state) error {
	return r.db.From(ctx).Exec(
		"UPDATE event_feed SET position = ?, snapshot = ?, last_row = ? WHERE id = 0", s.Position, s.Snapshot, s.LastRow,
	).Error
}

// look begins a look from the state.
func (r repository) look(ctx context.Context, s state, whole bool) (look, error) {
	l := look{from: s, to: s.seen(), whole: whole}
	if s.Since != nil {
		l.since = *s.Since
	}
	if !whole {
		// What was committed since is new, whatever the clock was by which its id was made.
		return l, nil
	}
	var oldest []uuid.UUID
	err := r.db.From(ctx).Raw(
		"SELECT e.id FROM events e WHERE e.position > ? ORDER BY e.id LIMIT 1", s.Position-missedWithin,
	).Scan(&oldest).Error
	if err != nil || len(oldest) == 0 {
		return l, err
	}
	seconds, nanoseconds := oldest[0].Time().UnixTime()
	late := idAt(time.Unix(seconds, nanoseconds).Add(-latest))
	if strings.Compare(late.String(), l.since.String()) > 0 {
		l.since = late
	}
	return l, nil
}

// idAt is lower than all ids of version 7 that were made at the instant or later.
func idAt(at time.Time) uuid.UUID {
	ms := fmt.Sprintf("%012x", at.UnixMilli())
	return uuid.MustParse(ms[:8] + "-" + ms[8:] + "-0000-0000-000000000000")
}

// due reports whether records were committed since the last look.
func (r repository) due(ctx context.Context) (bool, error) {
	var s state
	if err := r.db.From(ctx).Raw(r.selectState()).Take(&s).Error; err != nil || s.elsewhere() {
		return err == nil, err
	}
	l, err := r.look(ctx, s, false)
	if err != nil {
		return false, err
	}
	found, args := r.found(l)
	var some []int
	err = r.db.From(ctx).Raw("SELECT 1 FROM ("+found+") a LIMIT 1", args...).Scan(&some).Error
	return len(some) > 0, err
}

// found selects the records of a look.
func (r repository) found(l look) (string, []any) {
	const columns = "a.id, a.at, a.operation, a.outcome, a.detail, a.person_id, a.contributor_id, a.application_id, a.subject_kind, " +
		"a.subject_id"
	from := "SELECT " + columns + " FROM audit_records a WHERE a.id > ? AND "
	if r.db.Dialect() == db.SQLite {
		if l.whole {
			return from + "a.rowid <= ?", []any{l.since, l.to.row}
		}
		return from + "a.rowid > ? AND a.rowid <= ?", []any{l.since, l.from.LastRow, l.to.row}
	}
	if l.whole || l.from.Snapshot == nil {
		// Another cluster may have counted these. What comes after the mark is found again by the next
		// look, and is an event by then.
		return from + "a.xact_id > '0'", []any{l.since}
	}
	// What was committed before the mark is to be seen now; what is seen now may have come later.
	const seen = " AND pg_visible_in_snapshot(a.xact_id, CAST(CAST(? AS text) AS pg_snapshot))"
	last, running := bounds(*l.from.Snapshot)
	next, _ := bounds(l.to.snapshot)
	// It either began after the last look, or was under way then.
	query := from + "a.xact_id >= CAST(CAST(? AS text) AS xid8) AND a.xact_id < CAST(CAST(? AS text) AS xid8)" + seen
	args := []any{l.since, last, next, l.to.snapshot}
	if running != "" {
		query += " UNION ALL " + from + "a.xact_id = ANY(CAST(CAST(? AS text) AS xid8[]))" + seen
		args = append(args, l.since, "{"+running+"}", l.to.snapshot)
	}
	return query, args
}

// bounds returns, of a pg_snapshot as text (xmin:xmax:xip), what had not begun yet and what was
// running.
func bounds(snapshot string) (next, running string) {
	_, rest, _ := strings.Cut(snapshot, ":")
	next, running, _ = strings.Cut(rest, ":")
	return next, running
}

// record is an audit record with what is to be known of its subject.
type record struct {
	ID            uuid.UUID
	At            time.Time
	Operation     string
	Outcome       string
	Detail        *string
	PersonID      *uuid.UUID
	ContributorID *uuid.UUID
	ApplicationID *uuid.UUID
	SubjectKind   string
	SubjectID     string
	subject
}

// subject is what is to be known of what a record is about.
type subject struct {
	ID uuid.UUID
	// PositionID is that of a declaration, a list of employees or a ticket; of an appointment its
	// ticket's.
	PositionID *uuid.UUID
	// DelegateID is the intermediary of a delegation; Offered says that its contributor knew of it.
	DelegateID *uuid.UUID
	Offered    *int
	// GiverID is who gave a consent, sent a batch or booked an appointment, ClientID for which
	// application.
	GiverID  *uuid.UUID
	ClientID *uuid.UUID
}

// selectRecords reads the records f that may be events, and are none yet. For each of them it looks
// whether it is one by the index of their ids, however many PostgreSQL expects.
const selectRecords = `SELECT f.id, f.at, f.operation, f.outcome, f.detail, f.person_id, f.contributor_id, f.application_id,
	f.subject_kind, f.subject_id
	FROM (%s) f WHERE f.id > ? AND f.subject_kind IN ?
	AND f.operation NOT IN ('changeDeclaration', 'discardDeclaration', 'draftDelegation', 'changeDelegation', 'sendDelegationOtp')
	AND (SELECT e.id FROM events e WHERE e.id = f.id LIMIT 1) IS NULL
	ORDER BY f.id LIMIT ?`

// subjects select what is to be known of the subjects of each kind, by their ids. They are asked
// apart from the records, of those kinds alone that are there: one statement for all of them would
// be planned anew for every look, which takes longer than looking.
var subjects = map[string]string{
	kindDeclaration: "SELECT d.id, d.position_id FROM declarations d WHERE ",
	kindDMA:         "SELECT d.id, d.position_id FROM dma_submissions d WHERE ",
	kindTicket:      "SELECT d.id, d.position_id FROM tickets d WHERE ",
	kindBatch:       "SELECT d.id, d.person_id AS giver_id FROM declaration_batches d WHERE ",
	kindConsent:     "SELECT d.id, d.person_id AS giver_id, d.application_id AS client_id FROM consents d WHERE ",
	kindAppointment: "SELECT d.id, d.person_id AS giver_id, (SELECT t.position_id FROM tickets t WHERE t.id = d.ticket_id) " +
		"AS position_id FROM appointments d WHERE ",
	kindDelegation: "SELECT d.id, d.delegate_id, CASE WHEN " + access.OfferedDelegation("d") + " THEN 1 ELSE 0 END AS offered " +
		"FROM delegations d WHERE ",
}

// records returns what a look found behind an id, in the order of ids.
func (r repository) records(ctx context.Context, l look, after uuid.UUID, limit int) ([]record, error) {
	found, args := r.found(l)
	var rows []record
	err := r.db.From(ctx).Raw(
		fmt.Sprintf(selectRecords, found), append(args, after, slices.Sorted(maps.Keys(subjects)), limit)...,
	).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	return rows, r.describe(ctx, rows)
}

// describe adds what is to be known of the subjects.
func (r repository) describe(ctx context.Context, rows []record) error {
	of := map[string]map[uuid.UUID]subject{}
	for _, row := range rows {
		if of[row.SubjectKind] == nil {
			of[row.SubjectKind] = map[uuid.UUID]subject{}
		}
		id, err := uuid.Parse(row.SubjectID)
		if err != nil {
			return fmt.Errorf("event: the subject of the record %s: %w", row.ID, err)
		}
		of[row.SubjectKind][id] = subject{}
	}
	for kind, known := range of {
		var found []subject
		ids := slices.Collect(maps.Keys(known))
		if err := r.db.From(ctx).Raw(subjects[kind]+r.db.Among("d.id"), r.db.IDs(ids)).Scan(&found).Error; err != nil {
			return err
		}
		for _, s := range found {
			known[s.ID] = s
		}
	}
	for i, row := range rows {
		rows[i].subject = of[row.SubjectKind][uuid.MustParse(row.SubjectID)]
	}
	return nil
}

func (r repository) newest(ctx context.Context) (int64, error) {
	var position int64
	err := r.db.From(ctx).Raw("SELECT position FROM event_feed WHERE id = 0").Take(&position).Error
	return position, err
}

// oldest returns the oldest position that is kept; 0 where there is none.
func (r repository) oldest(ctx context.Context) (int64, error) {
	var positions []int64
	err := r.db.From(ctx).Raw("SELECT position FROM events ORDER BY position LIMIT 1").Scan(&positions).Error
	if err != nil || len(positions) == 0 {
		return 0, err
	}
	return positions[0], nil
}

var selectEvents = "SELECT " + db.Columns[Event]("e") + " FROM events e WHERE "

func (r repository) between(ctx context.Context, after, through int64, limit int) ([]Event, error) {
	var events []Event
	err := r.db.From(ctx).Raw(
		selectEvents+"e.position > ? AND e.position <= ? ORDER BY e.position LIMIT ?", after, through, limit,
	).Scan(&events).Error
	return events, err
}

func (r repository) during(ctx context.Context, from, to time.Time, after int64, limit int) ([]Event, error) {
	var events []Event
	err := r.db.From(ctx).Raw(
		selectEvents+"(e.at, e.position) > (?, ?) AND e.at < ? ORDER BY e.at, e.position LIMIT ?", from.UTC(), after, to.UTC(), limit,
	).Scan(&events).Error
	return events, err
}

func (r repository) byID(ctx context.Context, id uuid.UUID) (Event, bool, error) {
	var events []Event
	err := r.db.From(ctx).Raw(selectEvents+"e.id = ?", id).Scan(&events).Error
	if err != nil || len(events) == 0 {
		return Event{}, false, err
	}
	return events[0], true, nil
}

// forgottenAtOnce is how many events go by one statement.
const forgottenAtOnce = 1000

// forget drops the oldest events that happened before the instant, some at a time, and reports how
// many. Their records are not looked for any more.
func (r repository) forget(ctx context.Context, before time.Time) (int, error) {
	var old []Event
	err := r.db.InTx(ctx, func(ctx context.Context) error {
		s, err := r.lock(ctx)
		if err != nil {
			return err
		}
		if err := r.db.From(ctx).Raw(selectEvents+"e.position < ? ORDER BY e.position LIMIT ?", s.Position, forgottenAtOnce).
			Scan(&old).Error; err != nil {
			return err
		}
		if i := slices.IndexFunc(old, func(e Event) bool { return !e.At.Before(before) }); i >= 0 {
			old = old[:i]
		}
		if len(old) == 0 {
			return nil
		}
		last := slices.MaxFunc(old, func(a, b Event) int { return strings.Compare(a.ID.String(), b.ID.String()) })
		if s.Since == nil || strings.Compare(last.ID.String(), s.Since.String()) > 0 {
			if err := r.db.From(ctx).Exec("UPDATE event_feed SET since = ? WHERE id = 0", last.ID).Error; err != nil {
				return err
			}
		}
		return r.db.From(ctx).Exec("DELETE FROM events WHERE position <= ?", old[len(old)-1].Position).Error
	})
	return len(old), err
}
