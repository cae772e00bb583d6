package translog

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"

	"diresco/db"
)

type repository struct{ db *db.DB }

// state is how far the log has come.
type state struct {
	Revision   int64
	Size       int64
	Mark       *string
	Behind     *uuid.UUID
	LastRow    int64
	Day        string
	Checkpoint string
	// Seen and SeenRow are what is committed when the row is read: a snapshot of PostgreSQL, or the
	// last row on SQLite.
	Seen    string
	SeenRow int64
}

// oldest is the oldest transaction that was under way in a snapshot, and next the first one after
// it.
func (s state) oldest() string { return strings.Split(s.Seen, ":")[0] }
func (s state) next() string   { return strings.Split(s.Seen, ":")[1] }

// elsewhere reports whether the mark is another cluster's, or of what a restored backup does not
// know.
func (s state) elsewhere() bool {
	if s.Mark == nil {
		return s.LastRow > s.SeenRow
	}
	mark, next := *s.Mark, s.next()
	return len(mark) > len(next) || len(mark) == len(next) && mark > next
}

func (r repository) state(ctx context.Context) (state, error) {
	seen := "'' AS seen, (SELECT COALESCE(MAX(rowid), 0) FROM audit_records) AS seen_row"
	if r.db.Dialect() == db.Postgres {
		seen = "CAST(pg_current_snapshot() AS text) AS seen, 0 AS seen_row"
	}
	var s state
	err := r.db.From(ctx).Raw("SELECT s.revision, s.size, s.mark, s.behind, s.last_row, s.day, s.checkpoint, " + seen +
		" FROM log_state s WHERE s.id = 0").Take(&s).Error
	return s, err
}

// advance moves the state on in the context's transaction, and reports false where somebody else did
// meanwhile.
func (r repository) advance(ctx context.Context, s state) (bool, error) {
	done := r.db.From(ctx).Exec("UPDATE log_state SET revision = revision + 1, size = ?, mark = ?, behind = ?, last_row = ?, day = ?, "+
		"checkpoint = ? WHERE id = 0 AND revision = ?", s.Size, s.Mark, s.Behind, s.LastRow, s.Day, s.Checkpoint, s.Revision)
	return done.RowsAffected == 1, done.Error
}

// unsealed is a row that is to be sealed, or may be.
type unsealed struct {
	kind kind
	id   uuid.UUID
	text []byte
	// place is that of the row on SQLite.
	place int64
}

// The conditions of those records that a look is for.
const (
	// notSealed leaves out what the log has.
	notSealed = "NOT EXISTS (SELECT 1 FROM log_entries l WHERE l.row_id = a.id AND l.kind = 'audit')"
	// timeless records tell nobody when they were written; see audit.WriteTimeless.
	timelessSQLite = "FROM audit_records a WHERE a.rowid < 0 AND " + notSealed + " ORDER BY a.id"
	before         = "FROM audit_records a WHERE a.id > ? AND " + notSealed + " ORDER BY a.id"
	freshSQLite    = "FROM audit_records a WHERE a.rowid > ? AND " + notSealed + " ORDER BY a.rowid"
)

// The fence (OFFSET 0) keeps PostgreSQL from going through the table by id.
var (
	timelessPostgres = fenced("r.xact_id = '0'")
	freshPostgres    = fenced("r.xact_id >= CAST(CAST(? AS text) AS xid8)")
)

func fenced(condition string) string {
	return "FROM (SELECT " + selected("r", trailColumns) + " FROM audit_records r WHERE " + condition + " OFFSET 0) a WHERE " + notSealed +
		" ORDER BY a.id"
}

// records reads audit records that are not sealed.
func (r repository) records(ctx context.Context, from string, args ...any) ([]unsealed, error) {
	place := "0"
	if r.db.Dialect() == db.SQLite {
		place = "a.rowid"
	}
	query := "SELECT a.id, " + place + ", " + selected("a", trailColumns) + " " + from + " LIMIT ?"
	var found []unsealed
	err := r.each(ctx, query, append(args, sealedAtOnce), func(values [][]byte) error {
		u := unsealed{kind: ofTrail}
		var err error
		if u.id, err = r.id(values[0]); err != nil {
			return err
		}
		if u.place, err = r.number(values[1]); err != nil {
			return err
		}
		u.text, err = appendRow(nil, r.db.Dialect(), trailColumns, values[2:])
		found = append(found, u)
		return err
	})
	return found, err
}

// office is how far an office's part of the register is sealed.
type office struct {
	OfficeCode string
	Year       int
	Number     int
}

// TableName tells GORM the table.
func (office) TableName() string { return "log_offices" }

// offices returns the offices at which there are entries that are not sealed.
func (r repository) offices(ctx context.Context) ([]office, error) {
	var found []office
	return found, r.db.From(ctx).Raw("SELECT c.office_code, COALESCE(o.year, 0) AS year, COALESCE(o.number, 0) AS number " +
		"FROM protocol_counters c LEFT JOIN log_offices o ON o.office_code = c.office_code " +
		"WHERE o.office_code IS NULL OR (c.year, c.last_number) > (o.year, o.number) ORDER BY c.office_code").Scan(&found).Error
}

// fromRegister is where the columns of an entry of the register come from.
const fromRegister = " FROM protocol_entries e "

// entries reads entries of an office behind those that are sealed, and how far they go.
func (r repository) entries(ctx context.Context, o office, limit int) ([]unsealed, office, error) {
	query := "SELECT e.subject_id, e.year, e.number, " + selected("e", registerColumns) + fromRegister +
		"WHERE e.office_code = ? AND (e.year, e.number) > (?, ?) ORDER BY e.year, e.number LIMIT ?"
	var found []unsealed
	err := r.each(ctx, query, []any{o.OfficeCode, o.Year, o.Number, limit}, func(values [][]byte) error {
		u := unsealed{kind: ofRegister}
		var err error
		if u.id, err = r.id(values[0]); err != nil {
			return err
		}
		year, err := r.number(values[1])
		if err != nil {
			return err
		}
		last, err := r.number(values[2])
		if err != nil {
			return err
		}
		o.Year, o.Number = int(year), int(last)
		u.text, err = appendRow(nil, r.db.Dialect(), registerColumns, values[3:])
		found = append(found, u)
		return err
	})
	return found, o, err
}

func (r repository) each(ctx context.Context, query string, args []any, fn func(values [][]byte) error) error {
	return r.db.EachRow(ctx, func(g *gorm.DB) *gorm.DB { return g.Raw(query, args...).Find(&[]map[string]any{}) }, fn)
}

// id reads an id as the database gives it.
func (r repository) id(value []byte) (uuid.UUID, error) { return idIn(r.db.Dialect(), value) }

func idIn(dialect db.Dialect, value []byte) (uuid.UUID, error) {
	if dialect == db.SQLite {
		return uuid.ParseBytes(value)
	}
	return uuid.FromBytes(value)
}

func (r repository) number(value []byte) (int64, error) {
	if r.db.Dialect() == db.Postgres {
		return integer(value)
	}
	var n int64
	_, err := fmt.Sscan(string(value), &n)
	return n, err
}

// entry is a leaf with what it is made of.
type entry struct {
	Position int64
	Kind     string
	RowID    uuid.UUID
	Salt     []byte
	Digest   []byte
}

// TableName tells GORM the table.
func (entry) TableName() string { return "log_entries" }

// add stores what was sealed, in the context's transaction.
func (r repository) add(ctx context.Context, entries []entry, tiles []tileRow, offices []office) error {
	if err := db.InsertAll(ctx, r.db, entries); err != nil {
		return err
	}
	if err := db.InsertOver(ctx, r.db, tiles, "ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes"); err != nil {
		return err
	}
	return db.InsertOver(ctx, r.db, offices, "ON CONFLICT (office_code) DO UPDATE SET year = excluded.year, number = excluded.number")
}

// between returns the entries from one position on and before another, in order.
func (r repository) between(ctx context.Context, from, to int64) ([]entry, error) {
	var found []entry
	return found, r.db.From(ctx).Raw("SELECT "+db.Columns[entry]("l")+
		" FROM log_entries l WHERE l.position >= ? AND l.position < ? ORDER BY l.position", from, to).Scan(&found).Error
}

// entryOf returns the entry of a row that was sealed.
func (r repository) entryOf(ctx context.Context, k kind, rowID uuid.UUID) (entry, bool, error) {
	var found []entry
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[entry]("l")+" FROM log_entries l WHERE l.row_id = ? AND l.kind = ?", rowID, string(k)).
		Scan(&found).Error
	if err != nil || len(found) == 0 {
		return entry{}, false, err
	}
	return found[0], true, nil
}

// registered returns the text of an entry of the register.
func (r repository) registered(ctx context.Context, subjectID uuid.UUID) (text []byte, err error) {
	query := "SELECT " + selected("e", registerColumns) + fromRegister + "WHERE e.subject_id = ?"
	err = r.each(ctx, query, []any{subjectID}, func(values [][]byte) error {
		text, err = appendRow(nil, r.db.Dialect(), registerColumns, values)
		return err
	})
	return text, err
}

// tileRow is a tile with all the hashes that it has by now.
type tileRow struct {
	Level  int
	Number int64
	Hashes []byte
}

// TableName tells GORM the table.
func (tileRow) TableName() string { return "log_tiles" }

// tile returns the hashes of a tile of this width, and nil where there are not so many.
func (r repository) tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	var found [][]byte
	err := r.db.From(ctx).Raw("SELECT t.hashes FROM log_tiles t WHERE t.level = ? AND t.number = ?", t.L, t.N).Scan(&found).Error
	if err != nil || len(found) == 0 || len(found[0]) < t.W*tlog.HashSize {
		return nil, err
	}
	return found[0][:t.W*tlog.HashSize], nil
}
