package subdelegation

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"
)

// repository reads and writes sub-delegations.
type repository struct{ db *db.DB }

var selectShown = "SELECT " + db.Columns[SubDelegation]("w") + `, h.kind AS delegate_kind, h.legal_name AS delegate_name, h.struck_off_at, p.given_name, p.family_name
	FROM sub_delegations w JOIN delegates h ON h.id = w.delegate_id JOIN people p ON p.id = w.person_id`

// one returns a sub-delegation as it stands at the instant, or fault.NotFound.
func (r repository) one(ctx context.Context, id uuid.UUID, now time.Time) (View, error) {
	var rows []View
	if err := r.db.From(ctx).Raw(selectShown+" WHERE w.id = ?", id).Scan(&rows).Error; err != nil {
		return View{}, err
	}
	if len(rows) == 0 {
		return View{}, fault.New(fault.NotFound)
	}
	err := r.complete(ctx, rows, now)
	return rows[0], err
}

// held returns what a person has of an intermediary and was not revoked.
func (r repository) held(ctx context.Context, delegateID, personID uuid.UUID, now time.Time) ([]View, error) {
	var rows []View
	if err := r.db.From(ctx).Raw(selectShown+
		" WHERE w.person_id = ? AND w.delegate_id = ? AND w.revoked_at IS NULL ORDER BY w.granted_at, w.id", personID,
		delegateID).Scan(&rows).Error; err != nil {
		return nil, err
	}
	return rows, r.complete(ctx, rows, now)
}

var selectItems = "SELECT i.sub_delegation_id, i.delegation_id, " +
	"g.contributor_id, CASE WHEN " + access.LiveDelegation("g") + ` THEN 1 ELSE 0 END AS live
	FROM sub_delegation_items i JOIN delegations g ON g.id = i.delegation_id WHERE i.sub_delegation_id IN ? ORDER BY i.sub_delegation_id, i.delegation_id`

// complete reads the delegations of many sub-delegations at once, and says where each stands.
func (r repository) complete(ctx context.Context, rows []View, now time.Time) error {
	if len(rows) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(rows))
	at := make(map[uuid.UUID]*View, len(rows))
	for i := range rows {
		ids[i], at[rows[i].ID] = rows[i].ID, &rows[i]
	}
	var items []struct {
		SubDelegationID, DelegationID, ContributorID uuid.UUID
		Live                                         int
	}
	err := r.db.From(ctx).Raw(selectItems, now, ids).Scan(&items).Error
	if err != nil {
		return err
	}
	for _, i := range items {
		s := at[i.SubDelegationID]
		s.DelegationIDs = append(s.DelegationIDs, i.DelegationID)
		s.parentLives = s.parentLives || i.Live == 1
		if !slices.Contains(s.contributorIDs, i.ContributorID) {
			s.contributorIDs = append(s.contributorIDs, i.ContributorID)
		}
	}
	for i := range rows {
		rows[i].State = rows[i].stateAt(now)
	}
	return nil
}

// lock keeps a sub-delegation unchanged until the end of the transaction; whoever files under it
// waits, or is waited for.
func (r repository) lock(ctx context.Context, id uuid.UUID) error {
	return r.db.From(ctx).Exec("SELECT 1 FROM sub_delegations WHERE id = ?"+r.db.ForUpdate(), id).Error
}

type item struct {
	SubDelegationID uuid.UUID
	DelegationID    uuid.UUID
}

// TableName tells GORM the table.
func (item) TableName() string { return "sub_delegation_items" }

func (r repository) add(ctx context.Context, s SubDelegation, delegationIDs []uuid.UUID) error {
	if err := r.db.From(ctx).Create(&s).Error; err != nil {
		return err
	}
	items := make([]item, len(delegationIDs))
	for i, id := range delegationIDs {
		items[i] = item{s.ID, id}
	}
	return db.InsertAll(ctx, r.db, items)
}

// saveRevocation writes that a sub-delegation has ended.
func (r repository) saveRevocation(ctx context.Context, s SubDelegation) error {
	return r.db.From(ctx).Model(&SubDelegation{}).Where("id = ?", s.ID).Select("revoked_by", "revoked_at", "version").Updates(&s).Error
}

var selectParents = "SELECT g.id, g.services, g.valid_until FROM delegations g WHERE g.id IN ? AND g.delegate_id = ? AND " +
	access.LiveDelegation("g")

// parents returns those of the delegations that are the intermediary's and live. They are active,
// or suspended while the intermediary is off its register.
func (r repository) parents(ctx context.Context, delegateID uuid.UUID, ids []uuid.UUID, now time.Time) (map[uuid.UUID]parent, error) {
	found := make(map[uuid.UUID]parent, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	var rows []struct {
		ID         uuid.UUID
		Services   access.ServiceSet
		ValidUntil *time.Time
	}
	err := r.db.From(ctx).Raw(selectParents, ids, delegateID, now).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		found[row.ID] = parent{row.Services, row.ValidUntil}
	}
	return found, nil
}

// worker is what is known of somebody who is to get a sub-delegation.
type worker struct {
	ID                  uuid.UUID
	IdentityConfirmedAt *time.Time
}

// worker returns the person with exactly the tax code who has dispositive credentials, and false
// where there is none.
func (r repository) worker(ctx context.Context, code taxcode.Code) (worker, bool, error) {
	var rows []worker
	err := r.db.From(ctx).Raw("SELECT p.id, p.identity_confirmed_at FROM people p WHERE p.tax_code = ? AND "+
		"(p.credential_level = ? OR p.digital_identity_at IS NOT NULL) AND p.suspended_at IS NULL",
		code.Clear(), access.Dispositive).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return worker{}, false, err
	}
	return rows[0], true, nil
}

// confirmed reports whether a person has confirmed their digital identity.
func (r repository) confirmed(ctx context.Context, personID uuid.UUID) (bool, error) {
	var found []int
	err := r.db.From(ctx).Raw("SELECT 1 FROM people WHERE id = ? AND identity_confirmed_at IS NOT NULL", personID).Scan(&found).Error
	return len(found) > 0, err
}

// side is whose sub-delegations a list shows: an intermediary's, or a person's.
type side struct {
	column string
	id     uuid.UUID
}

// list returns a page of the sub-delegations of the sides as they stand at the instant, the newest
// first. Each side is a range of an index.
func (r repository) list(ctx context.Context, sides []side, request page.Request, now time.Time) (page.Page[View], error) {
	var none page.Page[View]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	var all []View
	for _, s := range sides {
		query, args := selectShown+" WHERE w."+s.column+" = ?", []any{s.id}
		if after != nil {
			query, args = query+" AND (w.granted_at, w.id) < (?, ?)", append(args, after.At.UTC(), after.ID)
		}
		var part []View
		if err := r.db.From(ctx).Raw(
			query+" ORDER BY w.granted_at DESC, w.id DESC LIMIT ?", append(args, request.Size()+1)...,
		).Scan(&part).Error; err != nil {
			return none, err
		}
		all = append(all, part...)
	}
	slices.SortFunc(all, func(a, b View) int {
		return cmp.Or(b.GrantedAt.Compare(a.GrantedAt), cmp.Compare(b.ID.String(), a.ID.String()))
	})
	all = slices.CompactFunc(all, func(a, b View) bool { return a.ID == b.ID })
	found := page.Cut(all[:min(len(all), request.Size()+1)], request.Size(), func(s View) page.Key {
		return page.Key{At: s.GrantedAt, ID: s.ID}
	})
	return found, r.complete(ctx, found.Items, now)
}
