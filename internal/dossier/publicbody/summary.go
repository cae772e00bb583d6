package publicbody

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/protocol"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
)

// Summary is what there is about a position of any scheme, as far as the actor's rights cover it.
// What they do not cover is nil.
type Summary struct {
	contributor.Position
	TaxCode     taxcode.Code
	LegalName   string
	Kind        contributor.Kind
	OfficeTitle string
	// Declarations counts what was submitted, by state.
	Declarations []StateCount
	// Delegations counts the live delegations that are about the position.
	Delegations *int
	// OpenTickets counts what was asked of the office about the position, and is not closed.
	OpenTickets *int
	// LastPayment and LastSubmission are of public bodies.
	LastPayment    *LastPayment
	LastSubmission *LastSubmission
}

// StateCount is how many declarations are in a state.
type StateCount struct {
	State  string
	Number int
}

// LastPayment is the latest payment of a public body.
type LastPayment struct{ Date, Amount, Currency string }

// LastSubmission is the latest list of a public body that counts, or waits to.
type LastSubmission struct {
	ID          uuid.UUID
	Period      string
	State       State
	SubmittedAt time.Time
}

// summaryRow is a position with the latest that a public body has.
type summaryRow struct {
	contributor.Position
	TaxCode         taxcode.Code
	LegalName       string
	Kind            contributor.Kind
	OfficeTitle     string
	PaidOn          *string
	PaidAmount      *string
	PaidCurrency    *string
	SubmissionID    *uuid.UUID
	SubmittedPeriod *string
	SubmittedState  *State
	SubmittedAt     *time.Time
}

var selectSummary = "SELECT " + db.Columns[contributor.Position]("p") + `, c.tax_code, c.legal_name, c.kind, o.title AS office_title,
	b.date AS paid_on, b.amount AS paid_amount, b.currency AS paid_currency,
	d.id AS submission_id, d.period AS submitted_period, d.state AS submitted_state, d.submitted_at
	FROM positions p JOIN contributors c ON c.id = p.contributor_id JOIN offices o ON o.code = p.office_code
	LEFT JOIN public_body_data b ON b.id = (SELECT x.id FROM public_body_data x WHERE x.position_id = p.id AND x.kind = 'payment'
		ORDER BY x.date DESC, x.id DESC LIMIT 1)
	LEFT JOIN dma_submissions d ON d.id = (SELECT x.id FROM dma_submissions x WHERE x.position_id = p.id
		AND (x.state = 'submitted' OR x.state = 'awaiting_credentials' AND x.submitted_at >= ?) ORDER BY x.submitted_at DESC,
			x.id DESC LIMIT 1)
	WHERE p.id = ? AND p.contributor_id = ?`

// Each part of what is counted has these columns.
var (
	// What was submitted is listed at that instant, which stands in the index.
	countDeclarations = `SELECT 'declarations' AS part, CASE WHEN d.state = 'awaiting_credentials' AND d.listed_at < @lapsed THEN 'lapsed'
		ELSE d.state END AS name, COUNT(*) AS number FROM declarations d
		WHERE d.contributor_id = @contributor AND d.position_id = @position AND d.state <> 'draft' GROUP BY 2`
	countDelegations = `SELECT 'delegations' AS part, '' AS name, COUNT(*) AS number
		FROM delegation_positions z JOIN delegations g ON g.id = z.delegation_id AND ` +
		access.Named(access.LiveDelegation("g")) + ` WHERE z.position_id = @position`
	countTickets = `SELECT 'tickets' AS part, '' AS name, COUNT(*) AS number FROM tickets t
		WHERE t.position_id = @position AND t.state <> 'closed'`
)

// Summarise sums a position up. It returns fault.NotFound where the actor has no right about it.
func (s *Service) Summarise(ctx context.Context, by access.Actor, positionID uuid.UUID) (Summary, error) {
	covers := func(service access.Service) bool {
		return slices.ContainsFunc(by.Rights, func(r access.Right) bool { return r.About(positionID) && r.Covers(service) })
	}
	if covers(access.Declarations) {
		if err := s.catchUp(ctx); err != nil {
			return Summary{}, err
		}
	}
	now := s.run.Clock.Now()
	var row summaryRow
	err := s.run.DB.From(ctx).Raw(selectSummary, protocol.LapsedBefore(now), positionID, by.ContributorID).Take(&row).Error
	if err == nil && len(by.Rights) == 0 {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return Summary{}, notFound(err)
	}
	sum := Summary{
		Position: row.Position, TaxCode: row.TaxCode, LegalName: row.LegalName, Kind: row.Kind, OfficeTitle: row.OfficeTitle,
	}
	if row.PaidOn != nil && covers(access.ViewPayments) {
		sum.LastPayment = &LastPayment{Date: *row.PaidOn, Amount: *row.PaidAmount, Currency: *row.PaidCurrency}
	}
	if row.SubmissionID != nil && covers(access.ViewDMA) {
		sum.LastSubmission = &LastSubmission{
			ID: *row.SubmissionID, Period: *row.SubmittedPeriod, State: *row.SubmittedState, SubmittedAt: *row.SubmittedAt,
		}
	}
	return sum, s.count(ctx, &sum, now, covers)
}

// count counts what there is of a position, by one statement.
func (s *Service) count(ctx context.Context, sum *Summary, now time.Time, covers func(access.Service) bool) error {
	var parts []string
	if covers(access.Declarations) {
		sum.Declarations, parts = []StateCount{}, append(parts, countDeclarations)
	}
	if covers(access.Delegations) {
		sum.Delegations, parts = new(int), append(parts, countDelegations)
	}
	if covers(access.Dossier) {
		sum.OpenTickets, parts = new(int), append(parts, countTickets)
	}
	if len(parts) == 0 {
		return nil
	}
	var rows []struct {
		Part, Name string
		Number     int
	}
	err := s.run.DB.From(ctx).Raw(strings.Join(parts, " UNION ALL ")+" ORDER BY 1, 2", map[string]any{
		"contributor": sum.ContributorID, "position": sum.ID, "now": now, "lapsed": protocol.LapsedBefore(now),
	}).Scan(&rows).Error
	for _, row := range rows {
		switch row.Part {
		case "declarations":
			sum.Declarations = append(sum.Declarations, StateCount{row.Name, row.Number})
		case "delegations":
			*sum.Delegations = row.Number
		case "tickets":
			*sum.OpenTickets = row.Number
		}
	}
	return err
}
