package registerimport

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// book is what is special about one register.
type book struct {
	columns []column
	// table is where its lines are staged.
	table string
	// whole files are the whole register: who is missing has left it.
	whole bool
	// stage puts rows into the table and returns the lines whose key is there already.
	stage func(ctx context.Context, d *db.DB, importID uuid.UUID, rows []record) (repeated []int, err error)
	// key is the column to which a repeated line points.
	key string
	// check holds rows against what is known, offices among it; it may be nil.
	check func(ctx context.Context, k knowledge, rows []record) ([]LineError, error)
	// apply are the statements that bring the staged lines of a range of keys in: after @low, not
	// after @high. Each changes only what differs, so that nothing is locked that stays as it is.
	apply []string
	// then is done after these statements, with their arguments; it may be nil.
	then func(ctx context.Context, w *Worker, args map[string]any, now time.Time) error
}

// bookOf returns the book of a register.
func bookOf(r Register) book {
	switch r {
	case People:
		return people
	case Albi:
		return albi
	case Associations:
		return associations
	case Contributors:
		return contributors
	case Positions:
		return positions
	case PublicBodyData:
		return publicBodyData
	}
	return book{}
}

// stageAs stages rows as values of the type T, whose table has the columns import_id, key and line.
func stageAs[T any](
	row func(importID uuid.UUID, r record) T, line func(T) int,
) func(context.Context, *db.DB, uuid.UUID, []record) ([]int, error) {
	return func(ctx context.Context, d *db.DB, importID uuid.UUID, rows []record) ([]int, error) {
		staged := make([]T, len(rows))
		for i, r := range rows {
			staged[i] = row(importID, r)
		}
		added, err := db.InsertReturning(ctx, d, staged, " ON CONFLICT (import_id, key) DO NOTHING RETURNING line")
		if err != nil || len(added) == len(rows) {
			return nil, err
		}
		is := make(map[int]bool, len(added))
		for _, a := range added {
			is[line(a)] = true
		}
		var repeated []int
		for _, r := range rows {
			if !is[r.line] {
				repeated = append(repeated, r.line)
			}
		}
		return repeated, nil
	}
}

// stagedRange selects the staged lines of a step.
const stagedRange = "s.import_id = @import AND s.key > @low AND s.key <= @high"

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

type stagedPerson struct {
	ImportID   uuid.UUID
	Key        string
	Line       int
	GivenName  string
	FamilyName string
	BirthDate  string
	BirthPlace string
	Street     string
	PostalCode string
	Town       string
	Province   string
	OfficeCode *string
}

// TableName tells GORM the table.
func (stagedPerson) TableName() string { return "staged_people" }

const personColumns = "given_name, family_name, birth_date, birth_place, street, postal_code, town, province, office_code"

// movedHouse compares a residence with the one before. Another case of letters makes none, nor do
// the zeros of a postal code that a spreadsheet dropped and earlier releases did not put back.
const movedHouse = "(lower(t.street) <> lower(s.street) OR lower(t.town) <> lower(s.town) OR t.province <> s.province " +
	"OR ltrim(lower(t.postal_code), '0') <> ltrim(lower(s.postal_code), '0'))"

// provinceColumn is the place of the province among the columns of people.
const provinceColumn = 8

var people = book{
	table: "staged_people", key: "tax_code",
	columns: []column{
		{name: "tax_code", check: personCode},
		{name: "given_name", check: personName},
		{name: "family_name", check: personName},
		{name: "birth_date", check: date},
		{name: "birth_place", check: text},
		{name: "street", check: text},
		{name: "postal_code", within: func(value string, values []string) (string, string) {
			return postalCode(value, strings.ToUpper(values[provinceColumn]))
		}},
		{name: "town", check: text},
		{name: "province", check: upper(matching(`[A-Z]{2}`))},
		{name: "office_code", optional: true, check: officeCode},
	},
	stage: stageAs(func(id uuid.UUID, r record) stagedPerson {
		v := r.values
		return stagedPerson{id, v[0], r.line, v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], optional(v[9])}
	}, func(s stagedPerson) int { return s.Line }),
	check: func(_ context.Context, k knowledge, rows []record) ([]LineError, error) {
		return k.offices.missing(rows, 9), nil
	},
	apply: []string{
		`UPDATE register_people AS t
			SET given_name = s.given_name, family_name = s.family_name, birth_date = s.birth_date, birth_place = s.birth_place,
			street = s.street,
			postal_code = s.postal_code, town = s.town, province = s.province, office_code = s.office_code, updated_at = @now,
			moved_at = CASE WHEN ` + movedHouse + ` THEN i.created_at ELSE t.moved_at END
		FROM staged_people AS s JOIN register_imports AS i ON i.id = s.import_id WHERE ` + stagedRange + ` AND t.tax_code = s.key
			AND (t.given_name <> s.given_name OR t.family_name <> s.family_name OR t.birth_date <> s.birth_date
				OR t.birth_place <> s.birth_place OR t.street <> s.street OR t.postal_code <> s.postal_code OR t.town <> s.town
				OR t.province <> s.province OR COALESCE(t.office_code, '') <> COALESCE(s.office_code, ''))`,
		`INSERT INTO register_people (tax_code,
			` + personColumns + `, updated_at, moved_at) SELECT s.key, ` + personColumns + `, @now,
			CASE WHEN EXISTS (SELECT 1 FROM people AS p WHERE p.tax_code = s.key) THEN i.created_at END
		FROM staged_people AS s JOIN register_imports AS i ON i.id = s.import_id
		WHERE ` + stagedRange + ` AND NOT EXISTS (SELECT 1 FROM register_people AS t WHERE t.tax_code = s.key) ON CONFLICT DO NOTHING`,
	},
}

type stagedContributor struct {
	ImportID                   uuid.UUID
	Key                        string
	Line                       int
	ID                         uuid.UUID
	RoleID                     uuid.UUID
	LegalName                  string
	Kind                       string
	LegalRepresentativeTaxCode *string
	Enabled2023                *string `gorm:"column:enabled_2023"`
	Regular                    *string
}

// TableName tells GORM the table.
func (stagedContributor) TableName() string { return "staged_contributors" }

var contributors = book{
	table: "staged_contributors", key: "tax_code",
	columns: []column{
		{name: "tax_code", check: code},
		{name: "legal_name", check: legalName},
		{name: "kind", check: oneOf("company", "public_body", "self_employed", "household")},
		{name: "legal_representative_tax_code", optional: true, check: personCode},
		truthColumn("enabled_2023"),
		truthColumn("regular"),
	},
	stage: stageAs(func(id uuid.UUID, r record) stagedContributor {
		v := r.values
		return stagedContributor{id, v[0], r.line, newID(), newID(), v[1], v[2], optional(v[3]), optional(v[4]), optional(v[5])}
	}, func(s stagedContributor) int { return s.Line }),
	apply: []string{
		// A line that does not say whether the contributor is regular leaves that as it is.
		`UPDATE contributors AS t SET legal_name = s.legal_name, kind = s.kind, irregular = CASE s.regular WHEN '0' THEN true
			WHEN '1' THEN false ELSE t.irregular END
		FROM staged_contributors AS s
		WHERE ` + stagedRange + ` AND t.tax_code = s.key AND (t.legal_name <> s.legal_name OR t.kind <> s.kind
			OR t.irregular <> (CASE s.regular WHEN '0' THEN true WHEN '1' THEN false ELSE t.irregular END))`,
		`INSERT INTO contributors (id, tax_code, legal_name, kind, irregular, created_at)
			SELECT s.id, s.key, s.legal_name, s.kind, COALESCE(s.regular, '1') = '0', @now
			FROM staged_contributors AS s
		WHERE ` + stagedRange + ` AND NOT EXISTS (SELECT 1 FROM contributors AS t WHERE t.tax_code = s.key) ON CONFLICT DO NOTHING`,
		// The services of public bodies are asked for on form RA012, unless one was enabled on
		// 2023-03-31.
		`INSERT INTO contributor_roles (id, contributor_id, person_id, role, services, granted_at)
		SELECT s.role_id, c.id, p.id, 'legal_representative', CASE WHEN s.kind = 'public_body'
		AND COALESCE(s.enabled_2023, '0') <> '1' THEN @common ELSE '["*"]' END, @now
		FROM staged_contributors AS s JOIN contributors AS c ON c.tax_code = s.key JOIN people AS p
		ON p.tax_code = s.legal_representative_tax_code
		WHERE ` + stagedRange + ` AND NOT EXISTS (SELECT 1 FROM contributor_roles AS t WHERE t.person_id = p.id AND t.contributor_id = c.id
			AND t.role = 'legal_representative' AND ` + access.LiveRole("t") + `) ON CONFLICT DO NOTHING`,
	},
	then: tellRepresentatives,
}

type stagedPosition struct {
	ImportID           uuid.UUID
	Key                string
	Line               int
	ID                 uuid.UUID
	ContributorTaxCode string
	Scheme             string
	OfficeCode         string
	State              string
	EmailID            uuid.UUID
	Email              *string
	EmailState         *string
	PECID              uuid.UUID `gorm:"column:pec_id"`
	PEC                *string   `gorm:"column:pec"`
	PECState           *string   `gorm:"column:pec_state"`
	MobileID           uuid.UUID
	Mobile             *string
	MobileState        *string
}

// TableName tells GORM the table.
func (stagedPosition) TableName() string { return "staged_positions" }

var positions = book{
	table: "staged_positions", key: "number",
	columns: []column{
		{name: "number", check: number},
		{name: "contributor_tax_code", check: code},
		{name: "scheme", check: matching(`[a-z][a-z0-9_]{1,39}`)},
		{name: "office_code", check: officeCode},
		{name: "state", check: oneOf("active", "ceased")},
		{name: "rectification_email", optional: true, check: mailAddress},
		{name: "rectification_email_state", optional: true, within: contactState(5)},
		{name: "rectification_pec", optional: true, check: mailAddress},
		{name: "rectification_pec_state", optional: true, within: contactState(7)},
		{name: "rectification_mobile", optional: true, check: mobileNumber},
		{name: "rectification_mobile_state", optional: true, within: contactState(9)},
	},
	stage: stageAs(func(id uuid.UUID, r record) stagedPosition {
		v := r.values
		return stagedPosition{
			id, v[0], r.line, newID(), v[1], v[2], v[3], v[4], newID(), optional(v[5]), optional(v[6]), newID(), optional(v[7]),
			optional(v[8]), newID(), optional(v[9]), optional(v[10]),
		}
	}, func(s stagedPosition) int { return s.Line }),
	check: func(ctx context.Context, k knowledge, rows []record) ([]LineError, error) {
		wrong := k.offices.missing(rows, 3)
		known, err := k.contributors(ctx, values(rows, 1))
		if err != nil {
			return nil, err
		}
		owners, err := k.owners(ctx, values(rows, 0))
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			owner, exists := owners[r.values[0]]
			switch {
			case !known[r.values[1]]:
				wrong = append(wrong, LineError{r.line, "/contributor_tax_code", fault.FieldUnknownContributor})
			case exists && owner.TaxCode != r.values[1]:
				// A position never goes from one contributor to another.
				wrong = append(wrong, LineError{r.line, "/contributor_tax_code", fault.FieldContributorDiffers})
			}
		}
		return wrong, nil
	},
	apply: []string{
		`UPDATE positions AS t SET scheme = s.scheme, office_code = s.office_code, state = s.state FROM staged_positions AS s
		WHERE ` + stagedRange + ` AND t.number = s.key
			AND t.contributor_id = (SELECT c.id FROM contributors AS c WHERE c.tax_code = s.contributor_tax_code)
			AND (t.scheme <> s.scheme OR t.office_code <> s.office_code OR t.state <> s.state)`,
		`INSERT INTO positions (id, contributor_id, number, scheme, office_code, state, created_at)
		SELECT s.id, c.id, s.key, s.scheme, s.office_code, s.state, @now FROM staged_positions AS s JOIN contributors AS c
		ON c.tax_code = s.contributor_tax_code
		WHERE ` + stagedRange + ` AND NOT EXISTS (SELECT 1 FROM positions AS t WHERE t.number = s.key) ON CONFLICT DO NOTHING`,
		changeContacts("email"), changeContacts("pec"), changeContacts("mobile"),
		addContacts("email"), addContacts("pec"), addContacts("mobile"),
	},
}

// changeContacts says how contacts of a kind for notices of rectification are now. Of one without a
// state nothing changes: only a new one begins unverified. One that was deleted on request comes
// back when the register has verified it.
func changeContacts(kind string) string {
	return ofKind(kind, `UPDATE rectification_contacts AS t SET state = COALESCE(s.KIND_state, t.state), updated_at = @now,
			deleted_at = CASE WHEN s.KIND_state = 'verified' THEN NULL ELSE t.deleted_at END
		FROM staged_positions AS s, positions AS p WHERE `+stagedRange+` AND p.number = s.key AND t.position_id = p.id
			AND t.kind = 'KIND' AND t.value = s.KIND AND (t.state <> COALESCE(s.KIND_state, t.state)
				OR t.deleted_at IS NOT NULL AND s.KIND_state = 'verified')`)
}

// addContacts adds contacts of a kind for notices of rectification.
func addContacts(kind string) string {
	return ofKind(kind, `INSERT INTO rectification_contacts (id, position_id, kind, value, state, updated_at)
		SELECT s.KIND_id, p.id, 'KIND', s.KIND, COALESCE(s.KIND_state, 'unverified'), @now
		FROM staged_positions AS s JOIN positions AS p ON p.number = s.key
		WHERE `+stagedRange+` AND s.KIND IS NOT NULL AND NOT EXISTS (SELECT 1 FROM rectification_contacts AS t
			WHERE t.position_id = p.id AND t.kind = 'KIND' AND t.value = s.KIND) ON CONFLICT DO NOTHING`)
}

func ofKind(kind, statement string) string { return strings.ReplaceAll(statement, "KIND", kind) }

type stagedEntry struct {
	ImportID       uuid.UUID
	Key            string
	Line           int
	ID             uuid.UUID
	PositionNumber string
	Kind           string
	Reference      string
	Date           string
	Amount         string
	Currency       string
	Description    string
	// Of an amortisation plan.
	Instalments      *int
	InstalmentsPaid  *int
	InstalmentAmount *string
	EndsOn           *string
}

// TableName tells GORM the table.
func (stagedEntry) TableName() string { return "staged_public_body_data" }

var publicBodyData = book{
	table: "staged_public_body_data", key: "reference",
	columns: []column{
		{name: "position_number", check: number},
		{name: "kind", check: oneOf("payment", "debit_note", "amortisation_plan")},
		{name: "reference", check: text},
		{name: "date", check: date},
		{name: "amount", check: amount},
		{name: "currency", check: upper(matching(`[A-Z]{3}`))},
		{name: "description", check: text},
		{name: "instalments", optional: true, within: ofPlan(count)},
		{name: "instalments_paid", optional: true, within: ofPlan(count)},
		{name: "instalment_amount", optional: true, within: ofPlan(amount)},
		{name: "ends_on", optional: true, within: ofPlan(date)},
	},
	stage: stageAs(func(id uuid.UUID, r record) stagedEntry {
		v := r.values
		return stagedEntry{
			id, v[0] + "/" + v[1] + "/" + v[2], r.line, newID(), v[0], v[1], v[2], v[3], v[4], v[5], v[6],
			counted(v[7]), counted(v[8]), optional(v[9]), optional(v[10]),
		}
	}, func(s stagedEntry) int { return s.Line }),
	check: func(ctx context.Context, k knowledge, rows []record) ([]LineError, error) {
		owners, err := k.owners(ctx, values(rows, 0))
		if err != nil {
			return nil, err
		}
		var wrong []LineError
		for _, r := range rows {
			switch owner, exists := owners[r.values[0]]; {
			case !exists:
				wrong = append(wrong, LineError{r.line, "/position_number", fault.FieldUnknownPosition})
			case owner.Kind != "public_body":
				wrong = append(wrong, LineError{r.line, "/position_number", fault.FieldNotAPublicBody})
			}
		}
		return wrong, nil
	},
	apply: []string{
		`UPDATE public_body_data AS t
			SET date = s.date, amount = s.amount, currency = s.currency, description = s.description, instalments = s.instalments,
			instalments_paid = s.instalments_paid, instalment_amount = s.instalment_amount, ends_on = s.ends_on, updated_at = @now
		FROM staged_public_body_data AS s, positions AS p WHERE ` + stagedRange + ` AND p.number = s.position_number
			AND t.position_id = p.id AND t.kind = s.kind AND t.reference = s.reference
			AND (t.date <> s.date OR t.amount <> s.amount OR t.currency <> s.currency OR t.description <> s.description
				OR COALESCE(t.instalments, -1) <> COALESCE(s.instalments, -1)
				OR COALESCE(t.instalments_paid, -1) <> COALESCE(s.instalments_paid, -1)
				OR COALESCE(t.instalment_amount, '') <> COALESCE(s.instalment_amount, '') OR COALESCE(t.ends_on, '') <> COALESCE(s.ends_on, ''))`,
		`INSERT INTO public_body_data (id, position_id, kind, reference, date, amount, currency, description, instalments, instalments_paid,
			instalment_amount, ends_on, updated_at)
		SELECT s.id, p.id, s.kind, s.reference, s.date, s.amount, s.currency, s.description, s.instalments, s.instalments_paid,
			s.instalment_amount, s.ends_on, @now FROM staged_public_body_data AS s JOIN positions AS p ON p.number = s.position_number
		WHERE ` + stagedRange + ` AND NOT EXISTS (SELECT 1 FROM public_body_data AS t
			WHERE t.position_id = p.id AND t.kind = s.kind AND t.reference = s.reference) ON CONFLICT DO NOTHING`,
	},
}
