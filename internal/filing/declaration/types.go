package declaration

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// Type is the current version of a declaration type, ready to check content.
type Type struct {
	catalogue.Type
	schema *catalogue.Schema
}

// openAt reports whether declarations of the type are taken at the given instant.
func (t *Type) openAt(now time.Time) bool {
	return !now.Before(t.OpensAt) && (t.ClosesAt == nil || now.Before(*t.ClosesAt))
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

// typesFreshFor is how long a process goes on with the types it knows before it looks for newly
// published ones.
const typesFreshFor = 10 * time.Second

// Types is the catalogue of declaration types. It is data: what is published is seen by every
// process within ten seconds.
type Types struct {
	db    *db.DB
	clock clock.Clock

	mu       sync.Mutex
	loadedAt time.Time
	current  []*Type
	compiled map[typeKey]*Type
}

type typeKey struct {
	code    string
	version int
}

// NewTypes returns the catalogue in a database.
func NewTypes(d *db.DB, c clock.Clock) *Types {
	return &Types{db: d, clock: c, compiled: map[typeKey]*Type{}}
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

// load returns the types sorted by code.
func (t *Types) load(ctx context.Context) ([]*Type, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock.Now()
	if t.current != nil && now.Sub(t.loadedAt) < typesFreshFor {
		return t.current, nil
	}
	rows, err := t.rows(ctx)
	if err != nil {
		return nil, err
	}
	current := make([]*Type, 0, len(rows))
	for _, row := range rows {
		key := typeKey{row.Code, row.Version}
		compiled := t.compiled[key]
		if compiled == nil {
			if compiled, err = row.compile(); err != nil {
				return nil, err
			}
			t.compiled[key] = compiled
		}
		current = append(current, compiled)
	}
	slices.SortFunc(current, func(a, b *Type) int { return strings.Compare(a.Code, b.Code) })
	t.current, t.loadedAt = current, now
	return current, nil
}

// Forget makes the next look read the catalogue anew.
func (t *Types) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current = nil
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
		row, err := newTypeRow(s, t.clock.Now())
		if err != nil {
			return err
		}
		if err := t.add(ctx, row); err != nil {
			return err
		}
	}
	return nil
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
	err = json.Unmarshal([]byte(r.Steps), &t.Steps)
	return &Type{schema: schema, Type: t.WithDefaults()}, err
}

// rows returns the current version of every type.
func (t *Types) rows(ctx context.Context) ([]typeRow, error) {
	var rows []typeRow
	err := t.db.From(ctx).Raw(
		"SELECT " + db.Columns[typeRow]("t") + ` FROM declaration_types t WHERE t.version = (SELECT MAX(n.version) FROM declaration_types n WHERE n.code = t.code)`,
	).Scan(&rows).Error
	return rows, err
}

// add publishes a type, unless that version is published already. One that was published before
// types had English words gets them, and nothing else.
func (t *Types) add(ctx context.Context, row typeRow) error {
	return t.db.From(ctx).Exec(`INSERT INTO declaration_types (code, version, title, title_en, legal_reference, steps, opens_at, closes_at,
		worker_field, rules, content_schema, content_example, published_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (code, version) DO UPDATE
		SET title_en = excluded.title_en, content_schema = excluded.content_schema WHERE declaration_types.title_en = ''`,
		row.Code, row.Version, row.Title, row.TitleEN, row.LegalReference, row.Steps, row.OpensAt, row.ClosesAt, row.WorkerField,
		row.Rules, row.ContentSchema, row.ContentExample, row.PublishedAt).Error
}
