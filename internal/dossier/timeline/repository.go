package timeline

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/page"
)

// repository reads the timeline.
type repository struct{ db *db.DB }

// Filter narrows a timeline down; what is zero narrows nothing.
type Filter struct {
	Kind       Kind
	PositionID *uuid.UUID
	From, To   *time.Time
}

// indexed is the condition of the index audit_records_by_contributor, in its words.
const indexed = "a.operation NOT IN ('draftDeclaration', 'submitDeclaration', 'fileDeclarationBatch', 'changeDeclaration', " +
	"'discardDeclaration')"

// query is a statement under way. Each part reads the newest of one kind, so each is a range of an
// index, however much there is of the others.
type query struct {
	dialect db.Dialect
	args    map[string]any
	parts   []string
	limit   string
}

// read returns the newest entries that the actor sees behind a place, at most so many.
func (r repository) read(ctx context.Context, by access.Actor, f Filter, after *page.Key, limit int) ([]row, error) {
	q := query{dialect: r.db.Dialect(), args: map[string]any{
		"contributor": by.ContributorID, "person": by.PersonID,
		// A list without members is none in SQL.
		"rights": append(by.RightIDs(), uuid.Nil),
	}, limit: strconv.Itoa(limit)}
	within := q.within(f, after)
	for i, s := range sources {
		if f.Kind != "" && !slices.Contains(s.kinds, f.Kind) {
			continue
		}
		narrowed, some := q.narrowed(s, i, s.reach(by), f)
		if !some {
			continue
		}
		if s.subject == access.WatchedDeclaration {
			q.filings(narrowed, within)
		}
		q.recorded(s, narrowed, within)
	}
	if len(q.parts) == 0 {
		return nil, nil
	}
	return db.FromReplica(ctx, r.db, func(ctx context.Context) (rows []row, err error) {
		err = r.db.From(ctx).Raw(`SELECT u.id, u.at, u.operation, u.outcome, u.detail, u.person_id, u.acting_as, u.subject_kind, u.subject_id,
			u.kind, u.code, u.position_id, u.office_code, u.protocol_number, u.state, u.owner_id, COALESCE(p.given_name, '') AS given_name,
			COALESCE(p.family_name, '') AS family_name, p.office_code AS persons_at, COALESCE(y.client_id, '') AS client_id,
				n.number AS position_number
			FROM (SELECT * FROM (`+strings.Join(q.parts, " UNION ALL ")+`) v ORDER BY at DESC, id DESC LIMIT `+q.limit+`) u
			LEFT JOIN people p ON p.id = u.person_id LEFT JOIN applications y ON y.id = u.application_id
			LEFT JOIN positions n ON n.id = u.position_id ORDER BY u.at DESC, u.id DESC`,
			q.args).Scan(&rows).Error
		return rows, err
	})
}

// within is the range of the time "at" with the id, for both kinds of part.
func (q *query) within(f Filter, after *page.Key) string {
	where := ""
	if f.From != nil {
		where, q.args["from"] = " AND (at) >= @from", f.From.UTC()
	}
	// The nearer of the two ends stands alone: with both, SQLite would begin at the farther one.
	if f.To != nil && (after == nil || !after.At.Before(*f.To)) {
		q.args["to"] = f.To.UTC()
		return where + " AND (at) < @to"
	}
	if after != nil {
		q.args["after_at"], q.args["after_id"] = after.At.UTC(), after.ID
		where += " AND ((at), (id)) < (@after_at, @after_id)"
	}
	return where
}

// of puts the columns of a table into a range.
func of(within, at, id string) string {
	return strings.NewReplacer("(at)", at, "(id)", id).Replace(within)
}

// narrowed is the condition on subjects x by what the actor may see and asked for. It reports false
// where nothing is left. Empty, all subjects will do.
func (q *query) narrowed(s source, i int, may reach, f Filter) (string, bool) {
	if may.none() || f.PositionID != nil && s.position == "" {
		return "", false
	}
	var conditions []string
	add := func(condition, name string, value any) {
		name += strconv.Itoa(i)
		conditions, q.args[name] = append(conditions, condition+"@"+name), value
	}
	if f.PositionID != nil {
		add(s.position+" = ", "position", *f.PositionID)
	}
	switch {
	case may.office != "":
		add(s.office+" = ", "office", may.office)
	case may.all:
	case s.position != "" && len(may.positions) > 0:
		add(s.position+" IN ", "positions", may.positions)
		if s.limited != "" {
			conditions = append(conditions, s.limited)
		}
	case len(may.subjects) > 0:
		add("x.id IN ", "subjects", may.subjects)
	default:
		return "", false
	}
	if f.Kind != "" && len(s.kinds) > 1 {
		add(s.kind+" = ", "kind", f.Kind)
	}
	if s.only != "" {
		conditions = append(conditions, s.only)
	}
	return strings.Join(conditions, " AND "), true
}

// subjectID is the subject of an audit record as an id.
func (q *query) subjectID(alias string) string {
	if q.dialect == db.Postgres {
		return "CAST(" + alias + ".subject_id AS uuid)"
	}
	return alias + ".subject_id"
}

// recorded reads what the audit trail has about subjects of a source.
func (q *query) recorded(s source, narrowed, within string) {
	where := "a.contributor_id = @contributor AND a.subject_kind = '" + s.subject + "' AND " + indexed +
		" AND " + s.told() + of(within, "a.at", "a.id")
	if narrowed != "" {
		where += " AND EXISTS (SELECT 1 FROM " + s.table + " x WHERE x.id = " + q.subjectID("a") + " AND " + narrowed + ")"
	}
	column := func(expression, kind string) string {
		if expression == "" {
			return "CAST(NULL AS " + kind + ")"
		}
		return expression
	}
	kind := s.kind
	if kind == "" {
		kind = "'" + string(s.kinds[0]) + "'"
	}
	q.parts = append(q.parts, `SELECT r.id, r.at, r.operation, r.outcome, r.detail, r.person_id, r.acting_as, r.application_id,
		r.subject_kind, r.subject_id, `+kind+` AS kind, `+column(s.code, "text")+` AS code, `+column(s.position, "uuid")+` AS position_id,
		`+column(s.office, "text")+` AS office_code, `+column(s.protocol, "text")+` AS protocol_number, `+column(s.state, "text")+` AS state,
		`+column(s.owner, "uuid")+` AS owner_id
		FROM (SELECT a.id, a.at, a.operation, a.outcome, a.detail, a.person_id, a.acting_as, a.application_id, a.subject_kind, a.subject_id
			FROM audit_records a WHERE `+where+` ORDER BY a.at DESC, a.id DESC LIMIT `+q.limit+`) r
		LEFT JOIN `+s.table+` x ON x.id = `+q.subjectID("r"))
}

// filings reads what was filed from the declarations. That is not read from the trail, so that no
// filing costs it an entry of an index.
func (q *query) filings(narrowed, within string) {
	where := "x.contributor_id = @contributor AND x.state <> 'draft'" + of(within, "x.listed_at", "x.id")
	if narrowed != "" {
		where += " AND " + narrowed
	}
	q.parts = append(q.parts, `SELECT d.id, d.listed_at AS at, '`+filed+`' AS operation, 'done' AS outcome, CAST(NULL AS text) AS detail,
		d.person_id, d.acting_as, d.application_id, '`+access.WatchedDeclaration+`' AS subject_kind, CAST(d.id AS text) AS subject_id,
		'declaration' AS kind, d.type AS code, d.position_id, d.office_code, d.protocol_number,
		COALESCE(v.filed_state, 'submitted') AS state,
		CAST(NULL AS uuid) AS owner_id
		FROM (SELECT x.id, x.listed_at, x.person_id, x.acting_as, x.application_id, x.type, x.position_id, x.office_code, x.protocol_number
			FROM declarations x WHERE `+where+` ORDER BY x.listed_at DESC, x.id DESC LIMIT `+q.limit+`) d
		LEFT JOIN protocol_entries v ON v.subject_id = d.id`)
}

// owner is whose timeline it is.
type owner struct{ LegalName, TaxCode string }

func (r repository) owner(ctx context.Context, contributorID uuid.UUID) (owner, error) {
	var o owner
	err := r.db.From(ctx).Raw("SELECT c.legal_name, c.tax_code FROM contributors c WHERE c.id = ?", contributorID).Take(&o).Error
	return o, err
}
