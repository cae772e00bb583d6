package declaration

import (
	"context"

	"diresco/db"
	"diresco/db/direct"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/money"
)

// What is read of a declaration that is shown, d, with its maker p, its application y and its
// entry in the register x, which has its receipt.
var (
	filedColumns = db.Columns[Declaration]("d") + ", p.given_name, p.family_name, COALESCE(y.client_id, '') AS client_id, " +
		"COALESCE(x.jws, '') AS jws"
	selectFiled = "SELECT " + filedColumns + ` FROM declarations d JOIN people p ON p.id = d.person_id
	LEFT JOIN applications y ON y.id = d.application_id LEFT JOIN protocol_entries x ON x.subject_id = d.id WHERE `
)

// attachment has operations that show a declaration read it with the rights over it. What falls due
// in funds by then changes declarations: it is done before.
func (s *Service) attachment() access.Attachment {
	return access.Attachment{
		Columns: ", " + filedColumns,
		Joins: ` LEFT JOIN declarations d ON d.id = a.target_id LEFT JOIN people p ON p.id = d.person_id
			LEFT JOIN applications y ON y.id = d.application_id LEFT JOIN protocol_entries x ON x.subject_id = d.id`,
		Read: func(r *direct.Row) any {
			f := readFiled(r)
			return &f
		},
		Before: s.funds.CatchUp,
	}
}

// readFiled reads filedColumns.
func readFiled(r *direct.Row) View {
	return View{
		Declaration: Declaration{
			ID: r.UUID(), ContributorID: r.UUID(), PositionID: r.UUID(), OfficeCode: r.Text(), Type: r.Text(), TypeVersion: r.Int(),
			Step: r.Text(), State: State(r.Text()), Content: r.Text(), WorkerTaxCode: r.TextOrNil(), PersonID: r.UUID(),
			ActingAs: access.ActingAs(r.Text()), RightID: r.UUID(), ApplicationID: r.UUIDOrNil(), SupersedesID: r.UUIDOrNil(),
			SupersededByID: r.UUIDOrNil(), ReservationID: r.UUIDOrNil(), Version: r.Int(), CreatedAt: r.Time(), UpdatedAt: r.Time(),
			ListedAt: r.Time(), SubmittedAt: r.TimeOrNil(), ProtocolNumber: r.TextOrNil(), Digest: r.TextOrNil(), AssignedTo: r.UUIDOrNil(),
			AssignedAt: r.TimeOrNil(), Amount: centsOrNil(r), Reasons: r.TextOrNil(), DecidedAt: r.TimeOrNil(), DecidedBy: r.UUIDOrNil(),
			HireBy: r.TimeOrNil(), ConfirmBy: r.TimeOrNil(), EndsAt: r.TimeOrNil(),
		},
		GivenName: r.Text(), FamilyName: r.Text(), ClientID: r.Text(), JWS: r.Text(),
	}
}

// listColumns are what a list shows of each declaration, and its place in it.
const listColumns = `d.id, d.contributor_id, d.position_id, d.type, d.type_version, d.step, d.state, d.person_id, d.acting_as, d.right_id,
	d.supersedes_id, d.superseded_by_id, d.reservation_id, d.created_at, d.listed_at, d.submitted_at, d.protocol_number, d.assigned_to,
	d.assigned_at, d.amount, d.reasons, d.decided_at, d.hire_by, d.confirm_by, d.ends_at, p.given_name, p.family_name`

// listed reads what a statement with named arguments selects, which is listColumns.
func (r *repository) listed(ctx context.Context, query string, args map[string]any) ([]View, error) {
	if r.db.Dialect() == db.Postgres {
		statement, numbered := direct.Named(query, args)
		return direct.All(ctx, r.db, readListed, statement, numbered...)
	}
	var rows []View
	err := r.db.From(ctx).Raw(query, args).Find(&rows).Error
	return rows, err
}

// readListed reads listColumns.
func readListed(r *direct.Row) View {
	return View{
		Declaration: Declaration{
			ID: r.UUID(), ContributorID: r.UUID(), PositionID: r.UUID(), Type: r.Text(), TypeVersion: r.Int(), Step: r.Text(),
			State: State(r.Text()), PersonID: r.UUID(), ActingAs: access.ActingAs(r.Text()), RightID: r.UUID(), SupersedesID: r.UUIDOrNil(),
			SupersededByID: r.UUIDOrNil(), ReservationID: r.UUIDOrNil(), CreatedAt: r.Time(), ListedAt: r.Time(),
			SubmittedAt: r.TimeOrNil(), ProtocolNumber: r.TextOrNil(), AssignedTo: r.UUIDOrNil(), AssignedAt: r.TimeOrNil(),
			Amount: centsOrNil(r), Reasons: r.TextOrNil(), DecidedAt: r.TimeOrNil(),
			HireBy: r.TimeOrNil(), ConfirmBy: r.TimeOrNil(), EndsAt: r.TimeOrNil(),
		},
		GivenName: r.Text(), FamilyName: r.Text(),
	}
}

func centsOrNil(r *direct.Row) *money.Cents {
	n := r.IntOrNil()
	if n == nil {
		return nil
	}
	return new(money.Cents(*n))
}
