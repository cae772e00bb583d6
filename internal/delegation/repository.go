package delegation

import (
	"cmp"
	"context"
	"slices"
	"time"

	"diresco/db"
	"diresco/internal/access"
	"diresco/internal/contributor"
	"diresco/internal/fault"
	"diresco/internal/page"

	"github.com/google/uuid"
)

// Repository reads and writes intermediaries, delegations and their codes.
type Repository struct{ db *db.DB }

// NewRepository returns the repository of a database.
func NewRepository(d *db.DB) *Repository { return &Repository{d} }

const selectShown = `SELECT g.*, h.kind AS delegate_kind, h.legal_name AS delegate_name, h.tax_code AS delegate_tax_code, h.struck_off_at,
	c.tax_code AS contributor_tax_code, c.legal_name AS contributor_name, c.kind AS contributor_kind,
	p.given_name AS signatory_given_name, p.family_name AS signatory_family_name, p.tax_code AS signatory_tax_code,
	m.given_name AS drafter_given_name, m.family_name AS drafter_family_name
	FROM delegations g JOIN delegates h ON h.id = g.delegate_id JOIN contributors c ON c.id = g.contributor_id JOIN people p ON p.id = g.signatory_id
	JOIN people m ON m.id = g.drafted_by`

// one returns a delegation, or fault.NotFound.
func (r *Repository) one(ctx context.Context, id uuid.UUID, now time.Time) (Shown, error) {
	var rows []Shown
	if err := r.db.From(ctx).Raw(selectShown+" WHERE g.id = ?", id).Scan(&rows).Error; err != nil {
		return Shown{}, err
	}
	if len(rows) == 0 {
		return Shown{}, fault.New(fault.NotFound)
	}
	err := r.complete(ctx, rows, now)
	return rows[0], err
}

// lock returns a delegation, or fault.NotFound, and keeps it, and what others may do for its contributor, unchanged until
// the end of the transaction.
func (r *Repository) lock(ctx context.Context, id uuid.UUID, now time.Time) (Shown, error) {
	var found []uuid.UUID
	if err := r.db.From(ctx).Raw("SELECT contributor_id FROM delegations WHERE id = ?", id).Scan(&found).Error; err != nil {
		return Shown{}, err
	}
	if len(found) == 0 {
		return Shown{}, fault.New(fault.NotFound)
	}
	if err := r.inTurn(ctx, "contributors", found[0]); err != nil {
		return Shown{}, err
	}
	if err := r.inTurn(ctx, "delegations", id); err != nil {
		return Shown{}, err
	}
	return r.one(ctx, id, now)
}

// inTurn puts what is done about one row in order, until the end of the transaction. Rows that point to it are not held up,
// so that whoever writes one while they wait for another row never waits in a circle.
func (r *Repository) inTurn(ctx context.Context, table string, id uuid.UUID) error {
	lock := ""
	if r.db.Dialect() == db.Postgres {
		lock = " FOR NO KEY UPDATE"
	}
	return r.db.From(ctx).Exec("SELECT 1 FROM "+table+" WHERE id = ?"+lock, id).Error
}

// complete reads positions and live codes of many delegations at once.
func (r *Repository) complete(ctx context.Context, rows []Shown, now time.Time) error {
	if len(rows) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(rows))
	at := make(map[uuid.UUID]*Shown, len(rows))
	for i := range rows {
		ids[i], at[rows[i].ID] = rows[i].ID, &rows[i]
		services, err := access.ParseServices(rows[i].Services)
		if err != nil {
			return err
		}
		rows[i].Covered = services
	}
	var positions []struct {
		DelegationID uuid.UUID
		contributor.Position
	}
	err := r.db.From(ctx).Raw("SELECT z.delegation_id, x.* FROM delegation_positions z JOIN positions x ON x.id = z.position_id WHERE z.delegation_id IN ? ORDER BY x.number", ids).Scan(&positions).Error
	if err != nil {
		return err
	}
	for _, p := range positions {
		s := at[p.DelegationID]
		s.Positions = append(s.Positions, p.Position)
	}
	var codes []otpRow
	if err := r.db.From(ctx).Raw("SELECT * FROM delegation_otps WHERE delegation_id IN ? AND used_at IS NULL AND ended_at IS NULL AND expires_at > ?", ids, now).Scan(&codes).Error; err != nil {
		return err
	}
	for _, c := range codes {
		at[c.DelegationID].OTP = &OTP{SentAt: c.SentAt, ExpiresAt: c.ExpiresAt, Channel: c.Channel, Recipient: c.Recipient, TriesLeft: OTPTries - c.Tries}
	}
	return nil
}

// add inserts a delegation with its positions.
func (r *Repository) add(ctx context.Context, d Delegation, positions []uuid.UUID) error {
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
func (r *Repository) setPositions(ctx context.Context, d Delegation, positions []uuid.UUID) error {
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
func (r *Repository) save(ctx context.Context, d Delegation) error {
	return r.db.From(ctx).Model(&Delegation{}).Where("id = ?", d.ID).Select("scope", "services", "exclusive", "valid_until", "signatory_id", "state",
		"activated_by", "activated_at", "ended_by", "ended_at", "end_reason", "version", "updated_at").Updates(&d).Error
}

// activeOf returns the other active delegations of a contributor, suspended ones among them, since they come back; what has
// expired is left out.
func (r *Repository) activeOf(ctx context.Context, contributorID, except uuid.UUID, now time.Time) ([]Shown, error) {
	var rows []Shown
	err := r.db.From(ctx).Raw(selectShown+` WHERE g.contributor_id = ? AND g.id <> ? AND g.state = 'active' AND (g.valid_until IS NULL OR g.valid_until > ?)
		ORDER BY g.id`, contributorID, except, now).Scan(&rows).Error
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

// side is one of those whose delegations a list shows.
type side struct {
	column string
	id     uuid.UUID
}

// list returns a page of the delegations of the sides, the latest first. Each side is a range of an index, so a page costs
// the same however many delegations an intermediary has.
func (r *Repository) list(ctx context.Context, sides []side, f Filter, request page.Request, now time.Time) (page.Page[Shown], error) {
	var none page.Page[Shown]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	var all []Shown
	for _, s := range sides {
		query := r.db.From(ctx).Table("delegations g").Select("g.*").Where("g."+s.column+" = ?", s.id).Order("g.drafted_at DESC, g.id DESC").Limit(request.Size() + 1)
		switch f.State {
		case "":
		case Active:
			query = query.Where("g.state = 'active' AND (g.valid_until IS NULL OR g.valid_until > ?) AND EXISTS (SELECT 1 FROM delegates h WHERE h.id = g.delegate_id AND h.struck_off_at IS NULL)", now)
		case Suspended:
			query = query.Where("g.state = 'active' AND (g.valid_until IS NULL OR g.valid_until > ?) AND EXISTS (SELECT 1 FROM delegates h WHERE h.id = g.delegate_id AND h.struck_off_at IS NOT NULL)", now)
		case Expired:
			query = query.Where("g.state = 'active' AND g.valid_until <= ?", now)
		case Draft, Pending, Revoked:
			query = query.Where("g.state = ?", f.State)
		}
		if f.ContributorID != nil && s.column != "contributor_id" {
			query = query.Where("g.contributor_id = ?", *f.ContributorID)
		}
		if f.DelegateID != nil && s.column != "delegate_id" {
			query = query.Where("g.delegate_id = ?", *f.DelegateID)
		}
		if f.PositionID != nil {
			query = query.Where("EXISTS (SELECT 1 FROM delegation_positions z WHERE z.delegation_id = g.id AND z.position_id = ?)", *f.PositionID)
		}
		if f.LegalName != "" {
			// A value for each row, so that the database goes along the index of the side and nowhere else.
			query = query.Where(`(SELECT LOWER(c.legal_name) FROM contributors c WHERE c.id = g.contributor_id) LIKE LOWER(?) ESCAPE '\'`, db.LikeContaining(f.LegalName))
		}
		if after != nil {
			query = query.Where("(g.drafted_at, g.id) < (?, ?)", after.At.UTC(), after.ID)
		}
		var part []Delegation
		if err := query.Find(&part).Error; err != nil {
			return none, err
		}
		for _, d := range part {
			all = append(all, Shown{Delegation: d})
		}
	}
	slices.SortFunc(all, func(a, b Shown) int {
		return cmp.Or(b.DraftedAt.Compare(a.DraftedAt), cmp.Compare(b.ID.String(), a.ID.String()))
	})
	all = slices.CompactFunc(all, func(a, b Shown) bool { return a.ID == b.ID })
	found := page.Cut(all[:min(len(all), request.Size()+1)], request.Size(), func(s Shown) page.Key { return page.Key{At: s.DraftedAt, ID: s.ID} })
	found.Items, err = r.full(ctx, found.Items, now)
	return found, err
}

// workers adds who of the intermediaries' people may use the delegations that are active.
func (r *Repository) workers(ctx context.Context, all []Shown, now time.Time) error {
	at := make(map[uuid.UUID]*Shown, len(all))
	var ids []uuid.UUID
	for i, s := range all {
		if state := s.StateAt(now); state == Active || state == Suspended {
			ids, at[s.ID] = append(ids, s.ID), &all[i]
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var rows []struct {
		DelegationID uuid.UUID
		ID           uuid.UUID
		PersonID     uuid.UUID
		GivenName    string
		FamilyName   string
		Services     string
		GrantedAt    time.Time
	}
	err := r.db.From(ctx).Raw(`SELECT g.id AS delegation_id, w.id, w.person_id, w.services, w.granted_at, p.given_name, p.family_name
		FROM delegations g JOIN sub_delegations w ON w.delegate_id = g.delegate_id AND w.revoked_at IS NULL AND (w.valid_until IS NULL OR w.valid_until > ?)
		JOIN people p ON p.id = w.person_id
		WHERE g.id IN ? AND (w.every OR EXISTS (SELECT 1 FROM sub_delegation_items i WHERE i.sub_delegation_id = w.id AND i.delegation_id = g.id))
		ORDER BY w.granted_at, w.id`, now, ids).Scan(&rows).Error
	if err != nil {
		return err
	}
	for _, row := range rows {
		own, err := access.ParseServices(row.Services)
		if err != nil {
			return err
		}
		s := at[row.DelegationID]
		s.Workers = append(s.Workers, Worker{
			SubDelegationID: row.ID, PersonID: row.PersonID, GivenName: row.GivenName, FamilyName: row.FamilyName, Services: access.Common(s.Covered, own), GrantedAt: row.GrantedAt,
		})
	}
	return nil
}

// full reads all that is told of delegations, in the order in which they are given.
func (r *Repository) full(ctx context.Context, bare []Shown, now time.Time) ([]Shown, error) {
	if len(bare) == 0 {
		return bare, nil
	}
	ids := make([]uuid.UUID, len(bare))
	for i, s := range bare {
		ids[i] = s.ID
	}
	var rows []Shown
	if err := r.db.From(ctx).Raw(selectShown+" WHERE g.id IN ?", ids).Scan(&rows).Error; err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(a, b Shown) int { return cmp.Compare(slices.Index(ids, a.ID), slices.Index(ids, b.ID)) })
	return rows, r.complete(ctx, rows, now)
}

// delegate returns an intermediary, or fault.NotFound.
func (r *Repository) delegate(ctx context.Context, id uuid.UUID) (Delegate, error) {
	var d Delegate
	err := r.db.From(ctx).Where("id = ?", id).Take(&d).Error
	if db.IsNotFound(err) {
		return d, fault.New(fault.NotFound)
	}
	return d, err
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

func (r *Repository) addLookUp(ctx context.Context, l lookUp) error {
	return r.db.From(ctx).Create(&l).Error
}

// lookUps returns when a person looked contributors up after the instant, the earliest first.
func (r *Repository) lookUps(ctx context.Context, personID uuid.UUID, after time.Time) ([]time.Time, error) {
	var at []time.Time
	err := r.db.From(ctx).Raw("SELECT at FROM delegation_lookups WHERE person_id = ? AND at > ? ORDER BY at", personID, after).Scan(&at).Error
	return at, err
}

// LookUp is one look at a contributor by an intermediary.
type LookUp struct {
	ID           uuid.UUID
	At           time.Time
	DelegateID   uuid.UUID
	DelegateKind DelegateKind
	DelegateName string
}

func (r *Repository) lookUpsOf(ctx context.Context, contributorID uuid.UUID, request page.Request) (page.Page[LookUp], error) {
	var none page.Page[LookUp]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	query := r.db.From(ctx).Table("delegation_lookups l").Select("l.id, l.at, l.delegate_id, h.kind AS delegate_kind, h.legal_name AS delegate_name").
		Joins("JOIN delegates h ON h.id = l.delegate_id").Where("l.contributor_id = ?", contributorID).Order("l.at DESC, l.id DESC").Limit(request.Size() + 1)
	if after != nil {
		query = query.Where("(l.at, l.id) < (?, ?)", after.At.UTC(), after.ID)
	}
	var rows []LookUp
	if err := query.Find(&rows).Error; err != nil {
		return none, err
	}
	return page.Cut(rows, request.Size(), func(l LookUp) page.Key { return page.Key{At: l.At, ID: l.ID} }), nil
}

// peopleOf lists who is told of an intermediary's affairs: the professional, or an organisation's legal representatives.
func (r *Repository) peopleOf(ctx context.Context, delegateID uuid.UUID) ([]uuid.UUID, error) {
	var found []uuid.UUID
	err := r.db.From(ctx).Raw(`SELECT p.id FROM people p JOIN delegates h ON h.tax_code = p.tax_code WHERE h.id = ? AND h.kind = 'professional'
		UNION SELECT u.person_id FROM delegate_roles u WHERE u.delegate_id = ? AND u.role = 'legal_representative' AND u.withdrawn_at IS NULL`, delegateID, delegateID).Scan(&found).Error
	return found, err
}
