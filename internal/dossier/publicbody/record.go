package publicbody

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/page"
)

// RecordKind is a kind of what the register of public bodies says of a position.
type RecordKind string

// The kinds of record, as the register calls them.
const (
	Payment          RecordKind = "payment"
	DebitNote        RecordKind = "debit_note"
	AmortisationPlan RecordKind = "amortisation_plan"
)

// Record is a payment, a debit note (nota di debito) or an amortisation plan (piano di
// ammortamento).
type Record struct {
	ID          uuid.UUID
	Reference   string
	Date        string
	Amount      string
	Currency    string
	Description string
	// Of a plan: how many instalments it has and how many are paid, how much each is, when the last
	// is due. The register may not say.
	Instalments      *int
	InstalmentsPaid  *int
	InstalmentAmount *string
	EndsOn           *string
	UpdatedAt        time.Time
}

// Records lists those of a kind of a position, the newest first. The days from and to may be empty.
func (s *Service) Records(
	ctx context.Context, positionID uuid.UUID, kind RecordKind, from, to string, request page.Request,
) (page.Page[Record], error) {
	after, err := request.After()
	if err != nil {
		return page.Page[Record]{}, err
	}
	query, args := "SELECT "+db.Columns[Record]("")+" FROM public_body_data WHERE position_id = ? AND kind = ?", []any{positionID, kind}
	also := func(condition string, values ...any) { query, args = query+" AND "+condition, append(args, values...) }
	if from != "" {
		also("date >= ?", from)
	}
	if to != "" {
		also("date <= ?", to)
	}
	if after != nil {
		also("(date, id) < (?, ?)", after.Text, after.ID)
	}
	var rows []Record
	args = append(args, request.Size()+1)
	if err := s.run.DB.From(ctx).Raw(query+" ORDER BY date DESC, id DESC LIMIT ?", args...).Scan(&rows).Error; err != nil {
		return page.Page[Record]{}, err
	}
	return page.Cut(rows, request.Size(), func(r Record) page.Key { return page.Key{Text: r.Date, ID: r.ID} }), nil
}
