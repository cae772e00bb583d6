package ticket

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/review"
	"diresco/internal/platform/page"
)

// deskRepository reads and writes what an office sees of tickets.
type deskRepository struct{ repository }

// waitsFrom is Ticket.WaitsFrom in SQL.
const waitsFrom = "d.waits_from"

var selectDetails = "SELECT " + db.Columns[Ticket]("d") + titles + `, p.given_name, p.family_name, p.tax_code AS opener_tax_code,
	c.legal_name, c.tax_code AS contributor_tax_code, (SELECT n.number FROM positions n WHERE n.id = d.position_id) AS position_number
	FROM tickets d JOIN people p ON p.id = d.person_id JOIN contributors c ON c.id = d.contributor_id WHERE `

// details returns a ticket as its office sees it, without what is said, or fault.NotFound.
func (r deskRepository) details(ctx context.Context, id uuid.UUID) (Details, error) {
	var d Details
	err := r.db.From(ctx).Raw(selectDetails+"d.id = ?", id).Take(&d).Error
	return d, notFound(err)
}

// conditions are the parts of a WHERE clause with their arguments.
type conditions struct {
	parts []string
	args  []any
}

func (c *conditions) add(part string, args ...any) {
	c.parts, c.args = append(c.parts, part), append(c.args, args...)
}

// ofOffice lists the tickets at the operator's office; what waits longest comes first.
func (r deskRepository) ofOffice(
	ctx context.Context, by access.Actor, f DeskFilter, now time.Time, request page.Request,
) (page.Page[Details], error) {
	return db.FromReplica(ctx, r.db, func(ctx context.Context) (page.Page[Details], error) { return r.queue(ctx, by, f, now, request) })
}

func (r deskRepository) queue(
	ctx context.Context, by access.Actor, f DeskFilter, now time.Time, request page.Request,
) (page.Page[Details], error) {
	after, err := request.After()
	if err != nil {
		return page.Page[Details]{}, err
	}
	where := f.where(by, now)
	if after != nil {
		where.add("("+waitsFrom+", d.id) > (?, ?)", after.At.UTC(), after.ID)
	}
	// The page comes first and what is shown of it afterwards: how a page is found depends on the filter
	// and is planned anew with each, which takes longer than the work with all that belongs to it.
	const inOrder = " ORDER BY " + waitsFrom + ", d.id"
	var found []place
	err = r.db.From(ctx).Raw(
		"SELECT d.id, "+waitsFrom+" FROM tickets d WHERE "+strings.Join(where.parts, " AND ")+inOrder+" LIMIT ?",
		append(where.args, request.Size()+1)...,
	).Scan(&found).Error
	if err != nil || len(found) == 0 {
		return page.Page[Details]{}, err
	}
	cut := page.Cut(found, request.Size(), func(p place) page.Key { return page.Key{At: p.WaitsFrom, ID: p.ID} })
	ids := make([]uuid.UUID, len(cut.Items))
	for i, p := range cut.Items {
		ids[i] = p.ID
	}
	var rows []Details
	err = r.db.From(ctx).Raw(
		selectDetails+r.db.Among("d.id")+" AND d.office_code = ?"+inOrder, r.db.IDs(ids), by.OfficeCode,
	).Scan(&rows).Error
	return page.Page[Details]{Items: rows, Next: cut.Next}, err
}

// place is a ticket's place in the queue.
type place struct {
	ID        uuid.UUID
	WaitsFrom time.Time
}

// where is the filter in SQL, at the operator's office and at an instant.
func (f DeskFilter) where(by access.Actor, now time.Time) conditions {
	var c conditions
	c.add("d.office_code = ?", by.OfficeCode)
	switch f.Assigned {
	case review.AssignedToMe:
		c.add("d.assigned_to = ?", by.PersonID)
	case review.AssignedToNobody:
		c.add("d.state = 'open'")
	}
	switch {
	case f.State != "":
		c.add("d.state = ?", f.State)
	case !f.Any:
		c.add("d.state <> 'closed'")
	}
	switch f.Overdue {
	case Due:
		c.add("d.state <> 'closed' AND "+waitsFrom+" < ?", overSince(now, workingDays))
	case Late:
		c.add("d.state <> 'closed' AND "+waitsFrom+" < ?", overSince(now, mostWorkingDays))
	case NotOverdue:
	}
	if f.Topic != "" {
		c.add("d.topic IN (SELECT y.code FROM ticket_topics y WHERE ? IN (y.code, y.parent_code))", f.Topic)
	}
	if f.Kind != "" {
		c.add("d.kind = ?", f.Kind)
	}
	if f.ContributorTaxCode != "" {
		c.add("d.contributor_id = (SELECT id FROM contributors WHERE tax_code = ?)", f.ContributorTaxCode)
	}
	if f.PositionNumber != "" {
		c.add("d.position_id IN (SELECT id FROM positions WHERE number = ?)", f.PositionNumber)
	}
	if f.ProtocolNumber != "" {
		c.add("d.protocol_number = ?", f.ProtocolNumber)
	}
	return c
}

// mostSaid is how many comments are shown with a ticket; the others have a list of their own.
const mostSaid = 100

// said lists the last of what is said about a ticket, the first one first.
func (r deskRepository) said(ctx context.Context, ticketID uuid.UUID) ([]Said, error) {
	var all []Said
	err := r.db.From(ctx).Raw(
		"SELECT "+db.Columns[Comment]("")+" FROM ticket_comments WHERE ticket_id = ? ORDER BY at DESC, id DESC LIMIT ?",
		ticketID, mostSaid,
	).Scan(&all).Error
	slices.Reverse(all)
	return all, err
}

// name adds the names of all who had to do with a ticket.
func (r deskRepository) name(ctx context.Context, d *Details) error {
	ids := []*uuid.UUID{d.AssignedTo, d.ClosedBy}
	for i := range d.Said {
		ids = append(ids, &d.Said[i].AuthorID)
	}
	named, err := review.Colleagues(ctx, r.db, ids...)
	if err != nil {
		return err
	}
	d.Assignee, d.Closer = of(named, d.AssignedTo), of(named, d.ClosedBy)
	for i := range d.Said {
		d.Said[i].Author = *named[d.Said[i].AuthorID]
	}
	return nil
}

// nameAssignees adds to tickets who has them in charge.
func (r deskRepository) nameAssignees(ctx context.Context, all []Details) error {
	ids := make([]*uuid.UUID, len(all))
	for i, d := range all {
		ids[i] = d.AssignedTo
	}
	named, err := review.Colleagues(ctx, r.db, ids...)
	if err != nil {
		return err
	}
	for i := range all {
		all[i].Assignee = of(named, all[i].AssignedTo)
	}
	return nil
}

func of(named map[uuid.UUID]*review.Colleague, id *uuid.UUID) *review.Colleague {
	if id == nil {
		return nil
	}
	return named[*id]
}
