package declaration

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/batch"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// Type is a version of a declaration type, ready to check content.
type Type struct {
	catalogue.Type
	schema      *catalogue.Schema
	publishedAt time.Time
	// localised are the content schemas in Italian and in English.
	localised [2]json.RawMessage
}

// SchemaIn returns the content schema with its words in English or in Italian.
func (t *Type) SchemaIn(english bool) json.RawMessage {
	if english {
		return t.localised[1]
	}
	return t.localised[0]
}

// PublishedAt returns when the version was published.
func (t *Type) PublishedAt() time.Time { return t.publishedAt }

// openAt reports whether declarations of the type are taken at the given instant.
func (t *Type) openAt(now time.Time) bool {
	return !now.Before(t.OpensAt) && (t.ClosesAt == nil || now.Before(*t.ClosesAt))
}

// requireSubmitter returns fault.Forbidden where the type may not be submitted by a right.
func (t *Type) requireSubmitter(right access.Right) error {
	if !t.MaySubmit(right.ActingAs) {
		return fault.Because(fault.Forbidden, "type-not-for-right")
	}
	return nil
}

func (t *Type) hasStep(step string) bool {
	return slices.ContainsFunc(t.Steps, func(s catalogue.Step) bool { return s.Step == step })
}

func (t *Type) stepNames() []string {
	var names []string
	for _, s := range t.Steps {
		names = append(names, s.Step)
	}
	return names
}

// Types is the catalogue of declaration types. It is data: every process works with what is
// published from the next request on.
type Types struct {
	db    *db.DB
	clock clock.Clock
	// revisions reads the revision for many requests with one statement; nil on SQLite, where a
	// statement is no journey.
	revisions *batch.Loader[struct{}, int]

	mu       sync.Mutex
	revision int
	current  []*Type
	compiled map[typeKey]*Type
}

type typeKey struct {
	code    string
	version int
}

const (
	revisionsTogether = 128
	revisionLanes     = 1
)

// NewTypes returns the catalogue in a database.
func NewTypes(d *db.DB, c clock.Clock) *Types {
	t := &Types{db: d, clock: c, compiled: map[typeKey]*Type{}}
	if d.Dialect() == db.Postgres {
		t.revisions = batch.NewLoader(revisionsTogether, revisionLanes, func(ctx context.Context, _ []struct{}) (map[struct{}]int, error) {
			n, err := t.count(ctx)
			return map[struct{}]int{{}: n}, err
		})
	}
	return t
}

// List returns the current version of every type, by code.
func (t *Types) List(ctx context.Context, request page.Request) (page.Page[*Type], error) {
	current, err := t.load(ctx)
	if err != nil {
		return page.Page[*Type]{}, err
	}
	return page.Slice(current, request, func(t *Type) page.Key { return page.Key{Text: t.Code, ID: uuid.NameSpaceOID} })
}

// nearest returns the code of a type that an unknown one was probably meant to be. It looks among
// those that were loaded last, and returns "" if there is none.
func (t *Types) nearest(code string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var known []string
	for _, one := range t.current {
		known = append(known, one.Code)
	}
	return fault.Nearest(code, known)
}

// Get returns the current version of a type, and fault.NotFound for an unknown code.
func (t *Types) Get(ctx context.Context, code string) (*Type, error) {
	current, err := t.load(ctx)
	if err != nil {
		return nil, err
	}
	i, found := slices.BinarySearchFunc(current, code, func(t *Type, code string) int { return strings.Compare(t.Code, code) })
	if !found {
		return nil, fault.New(fault.NotFound)
	}
	return current[i], nil
}

// Version returns one version of a type, and fault.NotFound for one that was never published. It
// stays what it is for ever.
func (t *Types) Version(ctx context.Context, code string, version int) (*Type, error) {
	t.mu.Lock()
	known := t.compiled[typeKey{code, version}]
	t.mu.Unlock()
	if known != nil {
		return known, nil
	}
	rows, err := t.rows(ctx, "t.code = ? AND t.version = ?", code, version)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fault.New(fault.NotFound)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.compile(rows[0])
}

// Versions returns all versions of a type, the latest first, and fault.NotFound for an unknown code.
func (t *Types) Versions(ctx context.Context, code string, request page.Request) (page.Page[*Type], error) {
	var none page.Page[*Type]
	rows, err := t.rows(ctx, "t.code = ?", code)
	if err != nil {
		return none, err
	}
	if len(rows) == 0 {
		return none, fault.New(fault.NotFound)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	versions := make([]*Type, 0, len(rows))
	for _, row := range rows {
		compiled, err := t.compile(row)
		if err != nil {
			return none, err
		}
		versions = append(versions, compiled)
	}
	slices.SortFunc(versions, func(a, b *Type) int { return cmp.Compare(b.Version, a.Version) })
	return page.Slice(versions, request, func(t *Type) page.Key { return page.Key{Text: strconv.Itoa(t.Version), ID: uuid.NameSpaceOID} })
}

// load returns the types sorted by code, as they are published now. It reads without the lock: who
// holds a connection may wait for that.
func (t *Types) load(ctx context.Context) ([]*Type, error) {
	revision, err := t.latest(ctx)
	if err != nil {
		return nil, err
	}
	if known := t.at(revision); known != nil {
		return known, nil
	}
	rows, err := t.rows(ctx, "t.version = (SELECT MAX(n.version) FROM declaration_types n WHERE n.code = t.code)")
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	current := make([]*Type, 0, len(rows))
	for _, row := range rows {
		compiled, err := t.compile(row)
		if err != nil {
			return nil, err
		}
		current = append(current, compiled)
	}
	slices.SortFunc(current, func(a, b *Type) int { return strings.Compare(a.Code, b.Code) })
	t.current, t.revision = current, revision
	return current, nil
}

// at returns the types as they were loaded at a revision, or nil.
func (t *Types) at(revision int) []*Type {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.revision != revision {
		return nil
	}
	return t.current
}

// latest returns the revision of the catalogue, which grows with every version that is published.
func (t *Types) latest(ctx context.Context) (int, error) {
	if t.revisions == nil || t.db.WithinTx(ctx) {
		return t.count(ctx)
	}
	revision, _, err := t.revisions.Load(ctx, struct{}{})
	return revision, err
}

// count returns how many versions are published. None is ever taken back, so their number is the
// revision.
func (t *Types) count(ctx context.Context) (int, error) {
	var n int
	err := t.db.From(ctx).Raw("SELECT COUNT(*) FROM declaration_types").Scan(&n).Error
	return n, err
}

// compile returns a version ready for use. Call it with the lock held.
func (t *Types) compile(row typeRow) (*Type, error) {
	key := typeKey{row.Code, row.Version}
	if known := t.compiled[key]; known != nil {
		return known, nil
	}
	compiled, err := row.compile()
	if err != nil {
		return nil, err
	}
	t.compiled[key] = compiled
	return compiled, nil
}

// Forget makes the next look read the catalogue anew.
func (t *Types) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current = nil
	clear(t.compiled)
}

// Install adds the types that come with the program and are not published yet, in the context's
// transaction.
func (t *Types) Install(ctx context.Context) error {
	shipped, err := catalogue.All()
	if err != nil {
		return err
	}
	defer t.Forget()
	for _, s := range shipped {
		if err := t.Add(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// Add publishes a type that nobody has to check, in the context's transaction.
func (t *Types) Add(ctx context.Context, document catalogue.Type) error {
	row, err := newTypeRow(document, t.clock.Now())
	if err != nil {
		return err
	}
	return t.add(ctx, row)
}

// typeRow is a published version of a type.
type typeRow struct {
	Code           string
	Version        int
	Title          string
	TitleEN        string `gorm:"column:title_en"`
	LegalReference string
	Steps          string
	OpensAt        time.Time
	ClosesAt       *time.Time
	WorkerField    string
	// Rules has what else its document says, as a JSON object.
	Rules          string
	ContentSchema  string
	ContentExample string
	PublishedAt    time.Time
}

// TableName tells GORM the table.
func (typeRow) TableName() string { return "declaration_types" }

// rules is the part of a type's document that has no columns of its own.
type rules struct {
	Submitters    []access.ActingAs    `json:"submitters,omitempty"`
	Decision      catalogue.Decision   `json:"decision,omitempty"`
	Withdrawal    catalogue.Withdrawal `json:"withdrawal,omitempty"`
	Fund          *catalogue.Fund      `json:"fund,omitempty"`
	Deferred      *catalogue.Deferred  `json:"deferred,omitempty"`
	HireDateField string               `json:"hire_date_field,omitempty"`
	EventField    string               `json:"event_field,omitempty"`
}

func newTypeRow(t catalogue.Type, at time.Time) (typeRow, error) {
	steps, err := json.Marshal(t.Steps)
	if err != nil {
		return typeRow{}, err
	}
	more, err := json.Marshal(rules{
		Submitters: t.Submitters, Decision: t.Decision, Withdrawal: t.Withdrawal, Fund: t.Fund, Deferred: t.Deferred,
		HireDateField: t.HireDateField, EventField: t.EventField,
	})
	return typeRow{
		Code: t.Code, Version: t.Version, Title: t.Title.IT, TitleEN: t.Title.EN, LegalReference: t.LegalReference, Steps: string(steps),
		OpensAt: t.OpensAt, ClosesAt: t.ClosesAt, WorkerField: t.WorkerField, Rules: string(more),
		ContentSchema: string(t.ContentSchema), ContentExample: string(t.ContentExample), PublishedAt: at,
	}, err
}

func (r typeRow) compile() (*Type, error) {
	schema, err := catalogue.Compile(r.Code, r.Version, json.RawMessage(r.ContentSchema))
	if err != nil {
		return nil, err
	}
	var more rules
	if err := json.Unmarshal([]byte(r.Rules), &more); err != nil {
		return nil, err
	}
	t := catalogue.Type{
		Code: r.Code, Version: r.Version, Title: catalogue.Title{IT: r.Title, EN: r.TitleEN}, LegalReference: r.LegalReference,
		OpensAt: r.OpensAt, ClosesAt: r.ClosesAt, WorkerField: r.WorkerField,
		Submitters: more.Submitters, Decision: more.Decision, Withdrawal: more.Withdrawal, Fund: more.Fund, Deferred: more.Deferred,
		HireDateField: more.HireDateField, EventField: more.EventField,
		ContentSchema: json.RawMessage(r.ContentSchema), ContentExample: json.RawMessage(r.ContentExample),
	}
	if err := json.Unmarshal([]byte(r.Steps), &t.Steps); err != nil {
		return nil, err
	}
	compiled := &Type{schema: schema, Type: t.WithDefaults(), publishedAt: r.PublishedAt}
	for i, english := range []bool{false, true} {
		if compiled.localised[i], err = catalogue.Localised(t.ContentSchema, english); err != nil {
			return nil, err
		}
	}
	return compiled, nil
}

// rows returns the versions t where a condition holds.
func (t *Types) rows(ctx context.Context, where string, args ...any) ([]typeRow, error) {
	var rows []typeRow
	err := t.db.From(ctx).Raw("SELECT "+db.Columns[typeRow]("t")+" FROM declaration_types t WHERE "+where, args...).Scan(&rows).Error
	return rows, err
}

// add publishes a type, unless that version is published already. One that was published before
// types had English words gets them, and nothing else.
func (t *Types) add(ctx context.Context, row typeRow) error {
	return t.db.From(ctx).Exec(`INSERT INTO declaration_types (code, version, title, title_en, legal_reference, steps, opens_at, closes_at,
		worker_field, rules, content_schema, content_example, published_at)
		VALUES ( ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (code, version) DO UPDATE
		SET title_en = excluded.title_en, content_schema = excluded.content_schema WHERE declaration_types.title_en = ''`,
		row.Code, row.Version, row.Title, row.TitleEN, row.LegalReference, row.Steps, row.OpensAt, row.ClosesAt, row.WorkerField,
		row.Rules, row.ContentSchema, row.ContentExample, row.PublishedAt).Error
}
