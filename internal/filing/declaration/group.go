package declaration

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/filing/fund"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/fault"
)

// group is what is decided in one transaction: declarations that are filed or completed, with the
// funds that they ask and the declarations that they change, all locked.
type group struct {
	types *Types
	book  *fund.Book
	moves
	standing
	// confirming has the live confirmations of reservations.
	confirming map[uuid.UUID][]uuid.UUID
	// decisions are those of funds about declarations that were there before.
	decisions []fund.Decision
}

// openGroup locks funds and declarations, and reads what requirements look at.
//
// Lock order: funds by code, names of types, declarations by id.
func openGroup(
	ctx context.Context, repo *repository, types *Types, funds *fund.Service, until time.Time, codes []string, subjects, ids,
	reservations []uuid.UUID, matters []matter,
) (*group, error) {
	g := &group{types: types, moves: moves{changed: map[uuid.UUID]bool{}}}
	var err error
	if g.book, err = funds.Lock(ctx, until, codes, subjects...); err != nil {
		return nil, err
	}
	if g.standing, err = repo.standing(ctx, matters); err != nil {
		return nil, err
	}
	if g.all, err = repo.lockAll(ctx, ids); err != nil {
		return nil, err
	}
	if g.all == nil {
		g.all = map[uuid.UUID]Declaration{}
	}
	g.confirming, err = repo.confirmationsOf(ctx, reservations)
	return g, err
}

// save writes what became of declarations that were there before.
func (g *group) save(ctx context.Context, repo *repository, x decider) error {
	if err := g.book.Save(ctx); err != nil {
		return err
	}
	g.refresh()
	if err := x.Decided(ctx, g.decisions); err != nil {
		return err
	}
	changed := make([]Declaration, 0, len(g.changed))
	var records []audit.Record
	for id := range g.changed {
		d := g.all[id]
		changed = append(changed, d)
		if d.State == Confirmed || d.State == Superseded {
			records = append(records, recordOf(d, d.UpdatedAt))
		}
	}
	if err := repo.saveOutcomes(ctx, changed); err != nil {
		return err
	}
	return x.trail.Write(ctx, records...)
}

// maySupersede refuses what cannot be superseded by a declaration.
func (g *group) maySupersede(d Declaration) error {
	old := g.all[*d.SupersedesID]
	if err := supersedes(d, old); err != nil {
		return err
	}
	for _, confirmation := range g.confirming[old.ID] {
		// What a confirmation waits for stays.
		if confirmation != d.ID {
			return fault.Because(fault.Conflict, "supersedes-not-possible")
		}
	}
	return nil
}

// supersede takes away what a declaration supersedes: its money and rank are given up.
func (g *group) supersede(d Declaration, at time.Time) error {
	old := g.all[*d.SupersedesID]
	if err := g.giveUp(old.ID, at); err != nil {
		return err
	}
	old = g.all[old.ID]
	old.SupersededByID, old.EndsAt = &d.ID, nil
	g.to(old, Superseded, at)
	g.standing.end(old.ID)
	if old.ReservationID != nil {
		return g.unannounce(old, at)
	}
	return nil
}

// settle does what fell due in the funds up to the instant.
func (g *group) settle(at time.Time) {
	g.book.Settle(at)
	g.refresh()
}

// refresh takes over what became of claims by itself.
func (g *group) refresh() {
	for _, o := range g.book.Decisions() {
		g.decisions = append(g.decisions, o)
		if d, locked := g.all[o.SubjectID]; locked {
			g.all[o.SubjectID] = d.after(o)
		}
		if o.Outcome == fund.WaitedInVain || o.Outcome == fund.Missed {
			g.standing.end(o.SubjectID)
		}
	}
}

// decide decides a declaration that has all it needs, at an instant. It returns the faults of
// confirm. What needs the office stays submitted.
func (g *group) decide(ctx context.Context, d Declaration, t *Type, a *asked, at time.Time) (Declaration, error) {
	d.State = Submitted
	switch {
	case d.Step == catalogue.Confirmation:
		return g.confirm(ctx, d, t, a, at)
	case t.Fund != nil && d.Step == catalogue.Reservation:
		return g.reserve(d, t, a, at)
	case t.Decision != catalogue.Automatically:
		return d, nil
	}
	if unmet := g.unmet(d, a); len(unmet) > 0 {
		return d.refused(at, unmet...), nil
	}
	d.State, d.DecidedAt = Accepted, &at
	g.standing.add(d, a)
	return d, nil
}

// reserve asks the fund for a reservation's money.
func (g *group) reserve(d Declaration, t *Type, a *asked, at time.Time) (Declaration, error) {
	if unmet := g.unmet(d, a); len(unmet) > 0 {
		return d.refused(at, unmet...), g.giveUp(d.ID, at)
	}
	ready := at
	if t.Deferred != nil && t.Deferred.ClosesAt.After(at) {
		ready = t.Deferred.ClosesAt
	}
	var decided *fund.Decision
	if _, asks := g.book.Of(d.ID); asks {
		decided = g.book.Complete(d.ID, ready, at)
	} else {
		request := g.request(d, t, a, at)
		request.ReadyAt = &ready
		var err error
		if decided, err = g.book.Claim(a.fund, request, at); err != nil {
			return d, err
		}
	}
	g.refresh()
	if decided != nil {
		d = d.as(*decided)
	}
	g.standing.add(d, a)
	return d, nil
}

// request is what a reservation asks of its fund. Until it is complete it is not ready.
func (*group) request(d Declaration, t *Type, a *asked, at time.Time) fund.Request {
	r := fund.Request{SubjectID: d.ID, Amount: a.amount}
	r.Hire, r.Confirm = t.terms()
	if t.Deferred != nil && at.Before(t.Deferred.ClosesAt) && a.hire != "" && a.hire < calendar.DateIn(t.OpensAt).String() {
		r.PriorityDate = a.hire
	}
	return r
}

// giveUp ends a declaration's claim, if it has one that is open.
func (g *group) giveUp(id uuid.UUID, at time.Time) error {
	c, asks := g.book.Of(id)
	if !asks || c.State == fund.Closed || c.State == fund.Spent {
		return nil
	}
	err := g.book.Release(id, at)
	g.refresh()
	return err
}

// reservationOf returns the reservation that a confirmation names, with what it asked for. It
// returns fault.Invalid where there is none of this contributor and type.
func (g *group) reservationOf(ctx context.Context, d Declaration) (Declaration, *asked, error) {
	r, found := g.all[*d.ReservationID]
	if !found || !r.isReservationFor(d) {
		return r, nil, noReservation()
	}
	t, err := g.types.Version(ctx, r.Type, r.TypeVersion)
	if err != nil {
		return r, nil, err
	}
	a, err := ask(t, r.Step, r.Content)
	return r, a, err
}

// confirm accepts a confirmation: what it names of the reserved money is spent. It returns these
// faults:
//   - fault.Invalid: it does not match its reservation, and the fields tell where;
//   - fault.Conflict: the reservation holds no money;
//   - fault.Busy: more has fallen due in the fund than can be done at once.
func (g *group) confirm(ctx context.Context, d Declaration, t *Type, a *asked, at time.Time) (Declaration, error) {
	r, reserved, err := g.reservationOf(ctx, d)
	if err != nil {
		return d, err
	}
	if err := g.requireConfirmable(d, r, t, a, reserved); err != nil {
		return d, err
	}
	if unmet := g.unmet(d, a); len(unmet) > 0 {
		return d.refused(at, unmet...), nil
	}
	if err := g.book.Spend(r.ID, a.amount, at); err != nil {
		return d, err
	}
	g.refresh()
	amount := a.amount
	d.State, d.Amount, d.DecidedAt = Accepted, &amount, &at
	r.EndsAt = nil
	g.to(r, Confirmed, at)
	g.confirming[r.ID] = append(g.confirming[r.ID], d.ID)
	g.standing.add(d, a)
	return d, nil
}

// announce keeps the reservation of a confirmation that waits for credentials from lapsing before
// that one does. It returns the faults of confirm.
func (g *group) announce(ctx context.Context, d Declaration, t *Type, a *asked, at time.Time) error {
	r, reserved, err := g.reservationOf(ctx, d)
	if err != nil {
		return err
	}
	if err := g.requireConfirmable(d, r, t, a, reserved); err != nil {
		return err
	}
	ends := protocol.LapsesAt(at)
	if r.EndsAt != nil && r.EndsAt.After(ends) {
		ends = *r.EndsAt
	}
	if err := g.book.Extend(r.ID, ends, at); err != nil {
		return err
	}
	g.refresh()
	r.EndsAt = &ends
	g.to(r, Accepted, at)
	g.confirming[r.ID] = append(g.confirming[r.ID], d.ID)
	return nil
}

// unannounce ends what a confirmation kept from lapsing, which is withdrawn or superseded, unless
// another one waits for it. Where the term of the reservation is over, it lapses now.
func (g *group) unannounce(d Declaration, at time.Time) error {
	reservationID := *d.ReservationID
	g.confirming[reservationID] = slices.DeleteFunc(g.confirming[reservationID], func(id uuid.UUID) bool { return id == d.ID })
	r := g.all[reservationID]
	c, asks := g.book.Of(reservationID)
	if !asks || c.State != fund.Reserved || r.ConfirmBy == nil || len(g.confirming[reservationID]) > 0 {
		return nil
	}
	ends := *r.ConfirmBy
	if ends.Before(at) {
		ends = at
	}
	r.EndsAt = &ends
	g.to(r, Accepted, at)
	if err := g.book.Extend(reservationID, ends, at); err != nil {
		return err
	}
	g.refresh()
	return nil
}

// requireConfirmable holds a confirmation against its reservation.
func (g *group) requireConfirmable(d, r Declaration, t *Type, a, reserved *asked) error {
	if fields := differences(t, a, reserved); len(fields) > 0 {
		return fault.InvalidFields(fields...)
	}
	others := slices.ContainsFunc(g.confirming[r.ID], func(id uuid.UUID) bool {
		return id != d.ID && (d.SupersedesID == nil || id != *d.SupersedesID)
	})
	switch {
	case r.State == Confirmed || others:
		return fault.Because(fault.Conflict, "reservation-confirmed")
	case r.State == Lapsed:
		return fault.Because(fault.Conflict, "reservation-lapsed")
	case r.State != Accepted:
		return fault.Because(fault.Conflict, "reservation-not-accepted")
	}
	return requireInTime(r, t, a, *d.SubmittedAt)
}

// requireInTime holds a confirmation against the terms of its reservation. They are met by the time
// of its protocol number.
func requireInTime(r Declaration, t *Type, a *asked, at time.Time) error {
	if r.ConfirmBy != nil && !at.Before(*r.ConfirmBy) {
		return fault.Because(fault.Conflict, "reservation-lapsed")
	}
	var fields []fault.Field
	if r.HireBy != nil && a.hire != "" {
		if last := calendar.DateIn(r.HireBy.Add(-time.Second)).String(); a.hire > last {
			fields = append(fields, fault.Field{
				Pointer: "/content" + t.HireDateField, Code: fault.FieldAfterTerm, Right: &fault.Right{Expected: last},
			})
		}
	}
	if r.Amount != nil && a.amount > *r.Amount {
		fields = append(fields, fault.Field{
			Pointer: t.amountPointer(), Code: fault.FieldOverReserved, Right: &fault.Right{Expected: r.Amount.String()},
		})
	}
	if len(fields) > 0 {
		return fault.InvalidFields(fields...)
	}
	return nil
}
