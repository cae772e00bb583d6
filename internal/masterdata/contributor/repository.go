package contributor

import (
	"context"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/db/direct"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/batch"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"
)

// repository reads and writes contributors, positions, offices and roles.
type repository struct {
	db *db.DB
	// owned reads positions for many requests with one statement; nil on SQLite, where a statement
	// is no journey.
	owned *batch.Loader[uuid.UUID, ownedPosition]
	// stride is how lists over many contributors go.
	stride access.Stride
}

const (
	// One group is asked at a time: fewer and larger ones leave more time for the rest of a filing.
	ownedTogether = 128
	ownedLanes    = 1
)

func newRepository(d *db.DB) *repository {
	r := &repository{db: d, stride: access.DefaultStride()}
	if d.Dialect() == db.Postgres {
		r.owned = batch.NewLoader(ownedTogether, ownedLanes, func(
			ctx context.Context, ids []uuid.UUID,
		) (map[uuid.UUID]ownedPosition, error) {
			return r.positionsWithOwners(ctx, ids...)
		})
	}
	return r
}

func (r *repository) offices(ctx context.Context, request page.Request) (page.Page[Office], error) {
	after, err := request.After()
	if err != nil {
		return page.Page[Office]{}, err
	}
	rows, err := db.FromReplica(ctx, r.db, func(ctx context.Context) (rows []Office, err error) {
		query := r.db.From(ctx).Order("code").Limit(request.Size() + 1)
		if after != nil {
			query = query.Where("code > ?", after.Text)
		}
		err = query.Find(&rows).Error
		return rows, err
	})
	if err != nil {
		return page.Page[Office]{}, err
	}
	return page.Cut(rows, request.Size(), func(o Office) page.Key {
		// An office has a code and no id; any id that is not nil makes the cursor whole.
		return page.Key{Text: o.Code, ID: uuid.NameSpaceOID}
	}), nil
}

// entitled lists the contributors that a person has a right over. For an operator it adds those
// with a position at the office.
func (r *repository) entitled(
	ctx context.Context, known *access.Repository, by access.Actor, search Search, request page.Request,
) (page.Page[WithRights], error) {
	var none page.Page[WithRights]
	rows, err := r.reached(ctx, known, by, search, request)
	if err != nil {
		return none, err
	}
	found := page.Cut(rows, request.Size(), func(c Contributor) page.Key {
		// The id alone: a cursor stands in a URL, where a name has no place.
		return page.Key{ID: c.ID}
	})
	rights, err := r.rights(ctx, known, by, found.Items)
	if err != nil {
		return none, err
	}
	result := page.Page[WithRights]{Next: found.Next, Items: make([]WithRights, 0, len(found.Items))}
	for _, c := range found.Items {
		result.Items = append(result.Items, WithRights{Contributor: c, Rights: rights[c.ID]})
	}
	return result, nil
}

// rights reads the actor's rights over all the contributors of a page at once.
func (r *repository) rights(
	ctx context.Context, known *access.Repository, by access.Actor, of []Contributor,
) (map[uuid.UUID][]access.Right, error) {
	ids := make([]uuid.UUID, len(of))
	for i, c := range of {
		ids[i] = c.ID
	}
	rights, err := known.Rights(ctx, by, ids)
	if err != nil || len(ids) == 0 {
		return rights, err
	}
	if by.UserClass != access.Operator {
		return rights, nil
	}
	var inOffice []uuid.UUID
	if err := r.db.From(ctx).Model(&Position{}).Distinct("contributor_id").Where(
		"office_code = ? AND contributor_id IN ?", by.OfficeCode, ids,
	).Scan(&inOffice).Error; err != nil {
		return nil, err
	}
	for _, id := range inOffice {
		rights[id] = append(rights[id], access.Right{
			ID: by.PersonID, ContributorID: id, ActingAs: access.OfficeOperator, Services: access.ServiceSet{access.AllServices},
		})
	}
	return rights, nil
}

func (r *repository) byID(ctx context.Context, id uuid.UUID) (Contributor, error) {
	var c Contributor
	err := r.db.From(ctx).Where("id = ?", id).Take(&c).Error
	return c, notFound(err)
}

// positions lists those of a contributor; office and among, unless they are empty, narrow them
// down.
func (r *repository) positions(
	ctx context.Context, contributorID uuid.UUID, office string, among []uuid.UUID, request page.Request,
) (page.Page[Position], error) {
	var none page.Page[Position]
	query := r.db.From(ctx).Where("contributor_id = ?", contributorID).Order("number").Limit(request.Size() + 1)
	if office != "" {
		query = query.Where("office_code = ?", office)
	}
	if among != nil {
		query = query.Where("id IN ?", among)
	}
	after, err := request.After()
	if err != nil {
		return none, err
	}
	if after != nil {
		query = query.Where("number > ?", after.Text)
	}
	var rows []Position
	if err := query.Find(&rows).Error; err != nil {
		return none, err
	}
	return page.Cut(rows, request.Size(), func(p Position) page.Key { return page.Key{Text: p.Number, ID: p.ID} }), nil
}

// ownedPosition is a position with what is to be known of its contributor.
type ownedPosition struct {
	Position
	TaxCode   taxcode.Code
	LegalName string
	Kind      Kind
	Irregular bool
}

func (r *repository) position(ctx context.Context, contributorID, positionID uuid.UUID) (Position, Contributor, error) {
	var p ownedPosition
	var found bool
	var err error
	if r.owned != nil && !r.db.WithinTx(ctx) {
		p, found, err = r.owned.Load(ctx, positionID)
	} else {
		var all map[uuid.UUID]ownedPosition
		all, err = r.positionsWithOwners(ctx, positionID)
		p, found = all[positionID]
	}
	if err == nil && (!found || p.ContributorID != contributorID) {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return Position{}, Contributor{}, err
	}
	return p.Position, Contributor{
		ID: p.ContributorID, TaxCode: p.TaxCode, LegalName: p.LegalName, Kind: p.Kind, Irregular: p.Irregular,
	}, nil
}

var selectOwned = "SELECT " + db.Columns[Position]("p") +
	", c.tax_code, c.legal_name, c.kind, c.irregular FROM positions p JOIN contributors c ON c.id = p.contributor_id WHERE p.id "

// readOwned reads the columns of selectOwned, in their order.
func readOwned(d *direct.Row) ownedPosition {
	p := ownedPosition{Position: Position{
		ID: d.UUID(), ContributorID: d.UUID(), Number: d.Text(), Scheme: d.Text(), OfficeCode: d.Text(), State: PositionState(d.Text()),
		CreatedAt: d.Time(),
	}}
	d.Fail(p.TaxCode.Scan(d.Text()))
	p.LegalName, p.Kind, p.Irregular = d.Text(), Kind(d.Text()), d.Bool()
	return p
}

func (r *repository) positionsWithOwners(ctx context.Context, ids ...uuid.UUID) (map[uuid.UUID]ownedPosition, error) {
	var rows []ownedPosition
	var err error
	if r.db.Dialect() == db.Postgres {
		rows, err = direct.All(ctx, r.db, readOwned, selectOwned+"= ANY ((SELECT $1::uuid[])::uuid[])", db.UUIDs(ids))
	} else {
		err = r.db.From(ctx).Raw(selectOwned+"IN ?", ids).Scan(&rows).Error
	}
	all := make(map[uuid.UUID]ownedPosition, len(rows))
	for _, p := range rows {
		all[p.ID] = p
	}
	return all, err
}

func (r *repository) add(ctx context.Context, c Contributor, positions []Position) error {
	if err := r.db.From(ctx).Create(&c).Error; err != nil {
		return err
	}
	if len(positions) == 0 {
		return nil
	}
	return r.db.From(ctx).Create(&positions).Error
}

func (r *repository) addRole(ctx context.Context, role Role) error {
	return r.db.From(ctx).Create(&role).Error
}

func (r *repository) hasOffice(ctx context.Context, code string) (bool, error) {
	var found []int
	err := r.db.From(ctx).Raw("SELECT 1 FROM offices WHERE code = ?", code).Scan(&found).Error
	return len(found) == 1, err
}

func (r *repository) addOffice(ctx context.Context, o Office) error {
	return r.db.From(ctx).Exec("INSERT INTO offices (code, title) VALUES ( ?, ?) ON CONFLICT (code) DO NOTHING", o.Code, o.Title).Error
}

func (r *repository) putOffice(ctx context.Context, o Office) error {
	return r.db.From(ctx).Exec(
		"INSERT INTO offices (code, title) VALUES ( ?, ?) ON CONFLICT (code) DO UPDATE SET title = excluded.title", o.Code, o.Title,
	).Error
}

func notFound(err error) error {
	if db.IsNotFound(err) {
		return fault.New(fault.NotFound)
	}
	return err
}
