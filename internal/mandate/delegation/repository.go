package delegation

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/masterdata/intermediary"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// repository reads and writes delegations and their codes.
type repository struct{ db *db.DB }

var selectShown = "SELECT " + db.Columns[Delegation]("g") + `, h.kind AS delegate_kind, h.legal_name AS delegate_name, h.tax_code AS delegate_tax_code, h.struck_off_at,
	c.tax_code AS contributor_tax_code, c.legal_name AS contributor_name, c.kind AS contributor_kind,
	p.given_name AS signatory_given_name, p.family_name AS signatory_family_name, p.tax_code AS signatory_tax_code,
	m.given_name AS drafter_given_name, m.family_name AS drafter_family_name, a.given_name AS activator_given_name,
	a.family_name AS activator_family_name
	FROM delegations g JOIN delegates h ON h.id = g.delegate_id JOIN contributors c ON c.id = g.contributor_id JOIN people p
	ON p.id = g.signatory_id
	JOIN people m ON m.id = g.drafted_by LEFT JOIN people a ON a.id = g.activated_by`

// one returns a delegation, or fault.NotFound.
func (r repository) one(ctx context.Context, id uuid.UUID, now time.Time) (View, error) {
	var rows []View
	if err := r.db.From(ctx).Raw(selectShown+" WHERE g.id = ?", id).Scan(&rows).Error; err != nil {
		return View{}, err
	}
	if len(rows) == 0 {
		return View{}, fault.New(fault.NotFound)
	}
	err := r.complete(ctx, rows, now)
	return rows[0], err
}

// lock returns a delegation and keeps it unchanged until the end of the transaction. It also keeps
// what others may do about the delegations of its contributor. It returns fault.NotFound where
// there is none. The contributor's own row is left alone, since an import may hold it for long. The
// instant returned is the present once all of that was waited for.
//
// Lock order: idempotency key, the contributor's name, rows. No circle comes of that: a key is
// taken first of all or not at all, so whoever has the name asks for no key any more, and nobody
// who waits here is waited for.
func (r repository) lock(ctx context.Context, id uuid.UUID, c clock.Clock) (View, time.Time, error) {
	var found []uuid.UUID
	if err := r.db.From(ctx).Raw("SELECT contributor_id FROM delegations WHERE id = ?", id).Scan(&found).Error; err != nil {
		return View{}, time.Time{}, err
	}
	if len(found) == 0 {
		return View{}, time.Time{}, fault.New(fault.NotFound)
	}
	if err := r.db.LockName(ctx, "delegations of "+found[0].String()); err != nil {
		return View{}, time.Time{}, err
	}
	if err := r.db.From(ctx).Exec("SELECT 1 FROM delegations WHERE id = ?"+r.db.ForNoKeyUpdate(), id).Error; err != nil {
		return View{}, time.Time{}, err
	}
	now := c.Now()
	d, err := r.one(ctx, id, now)
	return d, now, err
}

// holdActive keeps the active delegations of a contributor, whose name the transaction has locked.
func (r repository) holdActive(ctx context.Context, contributorID uuid.UUID) error {
	const selectActive = "SELECT 1 FROM delegations WHERE contributor_id = ? AND state = 'active' ORDER BY id"
	return r.db.From(ctx).Exec(selectActive+r.db.ForNoKeyUpdate(), contributorID).Error
}

// complete reads positions and live codes of many delegations at once.
func (r repository) complete(ctx context.Context, rows []View, now time.Time) error {
	if len(rows) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(rows))
	at := make(map[uuid.UUID]*View, len(rows))
	for i := range rows {
		ids[i], at[rows[i].ID] = rows[i].ID, &rows[i]
	}
	var positions []struct {
		DelegationID uuid.UUID
		contributor.Position
	}
	err := r.db.From(ctx).Raw(
		"SELECT z.delegation_id, "+db.Columns[contributor.Position]("x")+
			" FROM delegation_positions z JOIN positions x ON x.id = z.position_id WHERE z.delegation_id IN ? "+
			"ORDER BY x.number",
		ids,
	).Scan(&positions).Error
	if err != nil {
		return err
	}
	for _, p := range positions {
		s := at[p.DelegationID]
		s.Positions = append(s.Positions, p.Position)
	}
	codes, err := r.liveOTPs(ctx, ids, now)
	for id, code := range codes {
		at[id].OTP = code
	}
	return err
}

// add inserts a delegation with its positions.
func (r repository) add(ctx context.Context, d Delegation, positions []uuid.UUID) error {
	if err := r.db.From(ctx).Create(&d).Error; err != nil {
		return err
	}
	return r.setPositions(ctx, d, positions)
}

type positionRow struct {
	DelegationID  uuid.UUID
	ContributorID uuid.UUID
	PositionID    uuid.UUID
}

// TableName tells GORM the table.
func (positionRow) TableName() string { return "delegation_positions" }

// setPositions replaces the positions of a delegation.
func (r repository) setPositions(ctx context.Context, d Delegation, positions []uuid.UUID) error {
	if err := r.db.From(ctx).Exec("DELETE FROM delegation_positions WHERE delegation_id = ?", d.ID).Error; err != nil {
		return err
	}
	rows := make([]positionRow, len(positions))
	for i, id := range positions {
		rows[i] = positionRow{d.ID, d.ContributorID, id}
	}
	return db.InsertAll(ctx, r.db, rows)
}

// save writes what changes of a delegation.
func (r repository) save(ctx context.Context, d Delegation) error {
	return r.db.From(ctx).Model(&Delegation{}).Where("id = ?", d.ID).Select(
		"reference_code", "scope", "services", "exclusive", "valid_until", "signatory_id", "state",
		"offered_at", "activated_by", "activated_at", "ended_by", "ended_at", "end_cause", "end_reason",
		"contact_email", "contact_phone", "version", "updated_at").Updates(&d).Error
}

// open returns how many delegations an intermediary prepares for a contributor.
func (r repository) open(ctx context.Context, delegateID, contributorID uuid.UUID) (int, error) {
	var n int
	const countOpen = "SELECT COUNT(*) FROM delegations WHERE delegate_id = ? AND contributor_id = ? AND state IN ('draft', 'pending')"
	return n, r.db.From(ctx).Raw(countOpen, delegateID, contributorID).Scan(&n).Error
}

var selectActive = selectShown + " WHERE g.contributor_id = ? AND g.id <> ? AND " + access.LiveDelegation("g") + " ORDER BY g.id"

// activeOf returns the other active delegations of a contributor. Suspended ones are among them,
// since they come back; what has expired is left out.
func (r repository) activeOf(ctx context.Context, contributorID, except uuid.UUID, now time.Time) ([]View, error) {
	var rows []View
	err := r.db.From(ctx).Raw(selectActive, contributorID, except, now).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	return rows, r.complete(ctx, rows, now)
}

// Filter narrows a list of delegations down.
type Filter struct {
	// State is empty for all.
	State State
	// ContributorID and DelegateID are nil for any.
	ContributorID *uuid.UUID
	DelegateID    *uuid.UUID
	// PositionID is nil for any.
	PositionID *uuid.UUID
	// LegalName is a part of the contributor's name, in any case; empty for any.
	LegalName string
}

// sides are those whose delegations a list shows: intermediaries and contributors.
type sides struct {
	delegates    []uuid.UUID
	contributors []uuid.UUID
	// consent narrows them down to the contributors that it is about, where an application asks.
	consent uuid.UUID
}

// list returns a page of the delegations of the sides, the latest first. Each side is a range of an
// index, so a page costs the same however many delegations an intermediary has, and one statement
// however many there are of a kind.
func (r repository) list(ctx context.Context, of sides, f Filter, request page.Request, now time.Time) (page.Page[View], error) {
	var none page.Page[View]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	var all []View
	for column, ids := range map[string][]uuid.UUID{"delegate_id": of.delegates, "contributor_id": of.contributors} {
		if len(ids) == 0 {
			continue
		}
		ofOne := func(whose string, args ...any) *gorm.DB {
			query := f.narrow(r.db.From(ctx).Table("delegations g"), column, now).Where("g."+column+" = "+whose, args...)
			if column == "contributor_id" {
				query = query.Where(access.OfferedDelegation("g"))
			}
			if of.consent != uuid.Nil {
				query = query.Where(access.Consented("g.contributor_id"), of.consent)
			}
			if after != nil {
				query = query.Where("(g.drafted_at, g.id) < (?, ?)", after.At.UTC(), after.ID)
			}
			return latest(query, request)
		}
		query, err := r.ofEach(ctx, ids, request, ofOne)
		if err != nil {
			return none, err
		}
		var part []Delegation
		if err := query.Find(&part).Error; err != nil {
			return none, err
		}
		for _, d := range part {
			all = append(all, View{Delegation: d})
		}
	}
	slices.SortFunc(all, func(a, b View) int {
		return cmp.Or(b.DraftedAt.Compare(a.DraftedAt), cmp.Compare(b.ID.String(), a.ID.String()))
	})
	all = slices.CompactFunc(all, func(a, b View) bool { return a.ID == b.ID })
	found := page.Cut(all[:min(len(all), request.Size()+1)], request.Size(), func(s View) page.Key {
		return page.Key{At: s.DraftedAt, ID: s.ID}
	})
	found.Items, err = r.full(ctx, found.Items, now)
	return found, err
}

var (
	isActive = access.LiveDelegation("g") + " AND EXISTS (SELECT 1 FROM delegates h WHERE h.id = g.delegate_id AND " +
		access.OnRegister("h") + ")"
	isSuspended = access.LiveDelegation("g") + " AND EXISTS (SELECT 1 FROM delegates h WHERE h.id = g.delegate_id AND " +
		access.OffRegister("h") + ")"
)

// narrow adds what the filter asks for to a query about the delegations g of one side.
func (f Filter) narrow(query *gorm.DB, column string, now time.Time) *gorm.DB {
	switch f.State {
	case "":
	case Active:
		query = query.Where(isActive, now)
	case Suspended:
		query = query.Where(isSuspended, now)
	case Expired:
		query = query.Where("g.state = 'active' AND g.valid_until <= ?", now)
	case Draft, Pending, Revoked:
		query = query.Where("g.state = ?", f.State)
	}
	if f.ContributorID != nil && column != "contributor_id" {
		query = query.Where("g.contributor_id = ?", *f.ContributorID)
	}
	if f.DelegateID != nil && column != "delegate_id" {
		query = query.Where("g.delegate_id = ?", *f.DelegateID)
	}
	if f.PositionID != nil {
		query = query.Where(
			"EXISTS (SELECT 1 FROM delegation_positions z WHERE z.delegation_id = g.id AND z.position_id = ?)", *f.PositionID,
		)
	}
	if f.LegalName != "" {
		// A value for each row, so that the database goes along the index of the side and nowhere
		// else.
		query = query.Where(
			`(SELECT LOWER(c.legal_name) FROM contributors c WHERE c.id = g.contributor_id) LIKE LOWER(?) ESCAPE '\'`,
			db.LikeContaining(f.LegalName),
		)
	}
	return query
}

// latest puts the delegations g in order, and ends where the page is full.
func latest(query *gorm.DB, request page.Request) *gorm.DB {
	return query.Select(db.Columns[Delegation]("g")).Order("g.drafted_at DESC, g.id DESC").Limit(request.Size() + 1)
}

// ofEach is one query for what ofOne asks for about each of the sides, which travel as one value.
func (r repository) ofEach(
	ctx context.Context, ids []uuid.UUID, request page.Request, ofOne func(whose string, args ...any) *gorm.DB,
) (*gorm.DB, error) {
	if len(ids) == 1 {
		return ofOne("?", ids[0]), nil
	}
	query := latest(r.db.From(ctx), request)
	if r.db.Dialect() == db.Postgres {
		return query.Table("unnest((SELECT ?::uuid[])) AS side (id) CROSS JOIN LATERAL (?) AS g", db.UUIDs(ids), ofOne("side.id")), nil
	}
	// SQLite knows no LATERAL.
	list, err := json.Marshal(ids)
	return query.Table(
		"json_each(?) AS side CROSS JOIN delegations AS g ON g.id IN (?)", string(list), ofOne("side.value").Select("g.id"),
	), err
}

// selectWorkers asks who may use delegations, by name, up to a number of them for each.
var selectWorkers = `WITH x AS (
		SELECT g.id AS delegation_id, w.person_id, 'sub_delegate' AS acting_as, w.id AS sub_delegation_id, w.services, w.granted_at
		FROM delegations g JOIN sub_delegations w ON w.delegate_id = g.delegate_id AND ` + access.LiveSubDelegation("w") + `
		WHERE g.id IN ? AND ` + access.AboutDelegation("w", "g") + `
		UNION ALL
		SELECT g.id, u.person_id, 'intermediary', CAST(NULL AS uuid), u.services, u.granted_at
		FROM delegations g JOIN delegate_roles u ON u.delegate_id = g.delegate_id AND ` + access.LiveWorkerRole("u") + `
		WHERE g.id IN ?
	), y AS (
		SELECT x.*, p.given_name, p.family_name,
			ROW_NUMBER() OVER (PARTITION BY x.delegation_id
				ORDER BY p.family_name, p.given_name, x.person_id, x.acting_as, x.granted_at) AS place
		FROM x JOIN people p ON p.id = x.person_id
	)
	SELECT * FROM y WHERE place <= ? ORDER BY delegation_id, place`

// workers adds who of the intermediaries' people may use the delegations that are active now.
func (r repository) workers(ctx context.Context, all []View, now time.Time) error {
	at := make(map[uuid.UUID]*View, len(all))
	var ids []uuid.UUID
	for i, s := range all {
		all[i].Workers = []Worker{}
		if state := s.stateAt(now); state == Active || state == Suspended {
			ids, at[s.ID] = append(ids, s.ID), &all[i]
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var rows []struct {
		DelegationID    uuid.UUID
		ActingAs        access.ActingAs
		SubDelegationID *uuid.UUID
		PersonID        uuid.UUID
		GivenName       string
		FamilyName      string
		Services        access.ServiceSet
		GrantedAt       time.Time
	}
	if err := r.db.From(ctx).Raw(selectWorkers, now, ids, ids, maxWorkers).Scan(&rows).Error; err != nil {
		return err
	}
	for _, row := range rows {
		s := at[row.DelegationID]
		s.Workers = withWorker(s.Workers, Worker{
			ActingAs: row.ActingAs, SubDelegationID: row.SubDelegationID, PersonID: row.PersonID, GivenName: row.GivenName,
			FamilyName: row.FamilyName,
			Services:   s.Services.Intersect(row.Services), GrantedAt: row.GrantedAt,
		})
	}
	return nil
}

// withWorker adds one of the people. Several roles of somebody are one part in it.
func withWorker(all []Worker, w Worker) []Worker {
	if len(all) == 0 || w.ActingAs != access.Intermediary || all[len(all)-1].ActingAs != w.ActingAs ||
		all[len(all)-1].PersonID != w.PersonID {
		return append(all, w)
	}
	last := &all[len(all)-1]
	last.Services = last.Services.Union(w.Services)
	return all
}

// full reads all that is told of delegations, in the order in which they are given.
func (r repository) full(ctx context.Context, bare []View, now time.Time) ([]View, error) {
	if len(bare) == 0 {
		return bare, nil
	}
	ids := make([]uuid.UUID, len(bare))
	for i, s := range bare {
		ids[i] = s.ID
	}
	var rows []View
	if err := r.db.From(ctx).Raw(selectShown+" WHERE g.id IN ?", ids).Scan(&rows).Error; err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(a, b View) int { return cmp.Compare(slices.Index(ids, a.ID), slices.Index(ids, b.ID)) })
	return rows, r.complete(ctx, rows, now)
}

type lookUp struct {
	ID            uuid.UUID
	ContributorID *uuid.UUID
	DelegateID    uuid.UUID
	PersonID      uuid.UUID
	At            time.Time
}

// TableName tells GORM the table.
func (lookUp) TableName() string { return "delegation_lookups" }

func (r repository) addLookUp(ctx context.Context, l lookUp) error {
	return r.db.From(ctx).Create(&l).Error
}

// lookedUp reports whether a look was noted.
func (r repository) lookedUp(ctx context.Context, id uuid.UUID) (bool, error) {
	var found []int
	err := r.db.From(ctx).Raw("SELECT 1 FROM delegation_lookups WHERE id = ?", id).Scan(&found).Error
	return len(found) > 0, err
}

// lookUps returns when a person looked contributors up after the instant, the earliest first.
func (r repository) lookUps(ctx context.Context, personID uuid.UUID, after time.Time) ([]time.Time, error) {
	var at []time.Time
	err := r.db.From(ctx).Raw(
		"SELECT at FROM delegation_lookups WHERE person_id = ? AND at > ? ORDER BY at", personID, after,
	).Scan(&at).Error
	return at, err
}

// LookUp is one look at a contributor by an intermediary.
type LookUp struct {
	ID           uuid.UUID
	At           time.Time
	DelegateID   uuid.UUID
	DelegateKind intermediary.Kind
	DelegateName string
}

func (r repository) lookUpsOf(ctx context.Context, contributorID uuid.UUID, request page.Request) (page.Page[LookUp], error) {
	var none page.Page[LookUp]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	query := r.db.From(ctx).Table("delegation_lookups l").Select(
		"l.id, l.at, l.delegate_id, h.kind AS delegate_kind, h.legal_name AS delegate_name",
	).
		Joins("JOIN delegates h ON h.id = l.delegate_id").Where(
		"l.contributor_id = ?", contributorID,
	).Order("l.at DESC, l.id DESC").Limit(request.Size() + 1)
	if after != nil {
		query = query.Where("(l.at, l.id) < (?, ?)", after.At.UTC(), after.ID)
	}
	var rows []LookUp
	if err := query.Find(&rows).Error; err != nil {
		return none, err
	}
	return page.Cut(rows, request.Size(), func(l LookUp) page.Key { return page.Key{At: l.At, ID: l.ID} }), nil
}
