package declaration

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/review"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/money"
	"diresco/internal/platform/page"
)

// Decision is what an operator decides about a declaration.
type Decision struct {
	review.Decision
	// Amount is what is granted; nil where there is none.
	Amount *money.Cents
}

// check returns fault.Invalid naming each field that is wrong.
func (o Decision) check() error {
	if err := o.Check(); err != nil {
		return err
	}
	if o.Amount != nil && o.Outcome != review.Accepted {
		return fault.InvalidFields(fault.Field{Pointer: "/amount", Code: fault.FieldNotApplicable})
	}
	return nil
}

// Parts implements review.Case.
func (d View) Parts() []uuid.UUID { return []uuid.UUID{d.PersonID} }

// requireSecond returns fault.Forbidden to an operator who filed the declaration, or who acts for
// its contributor beside their work.
func (d Declaration) requireSecond(by access.Actor) error {
	if !by.Consults() {
		return review.RequireSecond(by, by.PersonID)
	}
	return review.RequireSecond(by, d.PersonID)
}

// requireByOperator returns the version of the type under which a declaration was filed, and
// fault.Conflict where that one's rules decide it.
func (s *Service) requireByOperator(ctx context.Context, d Declaration) (*Type, error) {
	t, err := s.types.Version(ctx, d.Type, d.TypeVersion)
	if err == nil && t.Decision == catalogue.Automatically {
		err = fault.Because(fault.Conflict, "declaration-decided-by-itself")
	}
	return t, err
}

// requireOpenTo returns fault.Conflict where the operator may not decide the declaration now:
//   - a step that is not the only one is decided by itself;
//   - another has it in charge;
//   - it was decided, or waits for something else than the office.
func (d Declaration) requireOpenTo(operator uuid.UUID) error {
	switch {
	case d.Step != catalogue.Single:
		return fault.Because(fault.Conflict, "declaration-decided-by-itself")
	case d.State == Submitted:
		return nil
	case d.State != InCharge:
		return fault.Because(fault.Conflict, "declaration-not-to-be-decided")
	case d.AssignedTo == nil || *d.AssignedTo != operator:
		return fault.Because(fault.Conflict, "declaration-in-charge-of-another")
	}
	return nil
}

// takenBy puts the declaration in an operator's charge. It stays as it is in the charge of whoever
// has it.
func (d Declaration) takenBy(operator uuid.UUID, now time.Time) (Declaration, error) {
	if err := d.requireOpenTo(operator); err != nil || d.State == InCharge {
		return d, err
	}
	d.State, d.AssignedTo, d.AssignedAt = InCharge, &operator, &now
	d.Version, d.UpdatedAt = d.Version+1, now
	return d, nil
}

// releasedBy gives the declaration back to the office. What another has in charge is given back
// once they work here no more, or have had it for five working days.
func (d Declaration) releasedBy(operator uuid.UUID, worksHere bool, now time.Time) (Declaration, error) {
	if d.State != InCharge || d.AssignedTo == nil {
		return d, fault.Because(fault.Conflict, "declaration-not-in-charge")
	}
	if *d.AssignedTo != operator && review.IsKept(worksHere, *d.AssignedAt, now) {
		return d, fault.Because(fault.Conflict, "declaration-in-charge-of-another")
	}
	d.State, d.AssignedTo, d.AssignedAt = Submitted, nil, nil
	d.Version, d.UpdatedAt = d.Version+1, now
	return d, nil
}

// decidedBy is the declaration with an operator's decision.
func (d Declaration) decidedBy(operator uuid.UUID, o Decision, now time.Time) (Declaration, error) {
	if err := d.requireOpenTo(operator); err != nil {
		return d, err
	}
	reasons, err := json.Marshal([]Reason{{Code: ReasonOperator, Text: o.Reason}})
	if err != nil {
		return d, err
	}
	text, verdict := string(reasons), o.Verdict(operator, now)
	d.State, d.Amount, d.Reasons, d.DecidedBy, d.DecidedAt = State(o.Outcome), o.Amount, &text, verdict.DecidedBy, verdict.DecidedAt
	d.Version, d.UpdatedAt = d.Version+1, now
	return d, nil
}

// OfOffice lists what was submitted to the operator's office; the latest first.
func (s *Service) OfOffice(ctx context.Context, by access.Actor, f Filter, request page.Request) (page.Page[View], error) {
	if err := s.funds.CatchUp(ctx); err != nil {
		return page.Page[View]{}, err
	}
	f, found, err := s.resolved(ctx, by, f)
	if err != nil || !found {
		return page.Page[View]{}, err
	}
	listed, err := s.repo.list(ctx, ofOffice(by.OfficeCode), f, request)
	if err != nil {
		return listed, err
	}
	return listed, s.repo.nameAssignees(ctx, listed.Items)
}

// resolved completes an office's filter. It reports false where it names a contributor that does
// not exist.
func (s *Service) resolved(ctx context.Context, by access.Actor, f Filter) (Filter, bool, error) {
	f.operator = by.PersonID
	if f.ContributorTaxCode == "" {
		return f, true, nil
	}
	id, found, err := s.repo.contributorNamed(ctx, f.ContributorTaxCode)
	if err != nil || !found || f.ContributorID != uuid.Nil && f.ContributorID != id {
		return f, false, err
	}
	f.ContributorID = id
	return f, true, nil
}

// ShowAtOffice returns a declaration that was submitted to the operator's office, and
// fault.NotFound for any other.
func (s *Service) ShowAtOffice(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	if err := s.funds.CatchUp(ctx); err != nil {
		return View{}, err
	}
	d, err := s.repo.filed(ctx, id)
	if err == nil {
		err = d.requireAtOffice(by)
	}
	if err != nil {
		return View{}, err
	}
	one := []View{d}
	err = s.repo.nameAssignees(ctx, one)
	return one[0], err
}

func (d Declaration) requireAtOffice(by access.Actor) error {
	if d.State == Draft {
		return fault.New(fault.NotFound)
	}
	return review.RequireOffice(by, d.OfficeCode)
}

// lockAtOffice reads a declaration of the operator's office, locked, and begins the trace.
func (s *Service) lockAtOffice(ctx context.Context, by access.Actor, id uuid.UUID, trace *operation.Trace) (Declaration, error) {
	d, err := s.repo.lock(ctx, id)
	if err == nil {
		err = d.requireAtOffice(by)
	}
	trace.ContributorID, trace.Right, trace.SubjectKind = d.ContributorID, by.Office(), Kind
	return d, err
}

// TakeInCharge puts a declaration in the operator's charge. It returns these faults:
//   - fault.NotFound: it was not submitted to the operator's office;
//   - fault.Forbidden: the operator filed it, or acts for its contributor;
//   - fault.Conflict: another has it in charge, or it is not for an operator to decide.
func (s *Service) TakeInCharge(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (View, error) {
		d, err := s.lockAtOffice(ctx, by, id, trace)
		if err == nil {
			err = d.requireSecond(by)
		}
		if err == nil {
			_, err = s.requireByOperator(ctx, d)
		}
		if err != nil {
			return View{}, err
		}
		if d, err = d.takenBy(by.PersonID, s.run.Clock.Now()); err != nil {
			return View{}, err
		}
		trace.Detail = d.changed()
		if err := s.repo.saveAtOffice(ctx, d); err != nil {
			return View{}, err
		}
		return s.ShowAtOffice(ctx, by, id)
	}, s.atOffice(by))
}

// Release gives a declaration back to the office. It returns these faults:
//   - fault.NotFound: it was not submitted to the operator's office;
//   - fault.Conflict: nobody has it in charge, or a colleague who is there and has not had it long.
func (s *Service) Release(ctx context.Context, by access.Actor, id uuid.UUID) error {
	_, err := operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (struct{}, error) {
		d, err := s.lockAtOffice(ctx, by, id, trace)
		if err != nil {
			return struct{}{}, err
		}
		worksHere := false
		if d.AssignedTo != nil {
			if worksHere, err = review.WorksAt(ctx, s.run.DB, *d.AssignedTo, d.OfficeCode); err != nil {
				return struct{}{}, err
			}
		}
		if d, err = d.releasedBy(by.PersonID, worksHere, s.run.Clock.Now()); err != nil {
			return struct{}{}, err
		}
		trace.Detail = d.changed()
		return struct{}{}, s.repo.saveAtOffice(ctx, d)
	}, nil)
	return err
}

// Decide decides a declaration of one step, and tells who filed it. It returns the faults of
// review.Decide, and fault.Conflict where requireOpenTo does.
func (s *Service) Decide(ctx context.Context, by access.Actor, id uuid.UUID, o Decision) (View, error) {
	if err := o.check(); err != nil {
		return View{}, err
	}
	show := func(ctx context.Context) (View, error) { return s.ShowAtOffice(ctx, by, id) }
	return review.Decide(ctx, s.run, by, id, o.Decision, show, func(ctx context.Context, trace *operation.Trace, _ View) (View, error) {
		d, err := s.lockAtOffice(ctx, by, id, trace)
		if err == nil {
			err = d.requireSecond(by)
		}
		if err != nil {
			return View{}, err
		}
		t, err := s.requireByOperator(ctx, d)
		if err != nil {
			return View{}, err
		}
		if d, err = d.decidedBy(by.PersonID, o, s.run.Clock.Now()); err != nil {
			return View{}, err
		}
		trace.Detail = d.changed()
		if err := s.repo.saveAtOffice(ctx, d); err != nil {
			return View{}, err
		}
		message, err := decided(d, t.Title.IT, o.Reason)
		if err != nil {
			return View{}, err
		}
		if err := s.outbox.Add(ctx, message); err != nil {
			return View{}, err
		}
		return show(ctx)
	})
}

func (s *Service) atOffice(by access.Actor) func(ctx context.Context, id string) (View, error) {
	return operation.ByID(func(ctx context.Context, id uuid.UUID) (View, error) { return s.ShowAtOffice(ctx, by, id) })
}

// decided tells who filed a declaration how it was decided, and why where somebody gave a reason.
func decided(d Declaration, title, reason string) (outbox.Message, error) {
	kind := notAcceptedKind
	if d.State == Accepted {
		kind = acceptedKind
	}
	facts := map[string]string{
		"protocol_number": *d.ProtocolNumber, "type": d.Type, "title": title, "submitted_at": d.SubmittedAt.Format(time.RFC3339Nano),
	}
	if d.Amount != nil {
		facts["amount"] = d.Amount.String()
	}
	if reason != "" {
		facts["reason"] = reason
	}
	for name, at := range map[string]*time.Time{"hire_by": d.HireBy, "confirm_by": d.ConfirmBy} {
		if at != nil {
			facts[name] = at.Format(time.RFC3339Nano)
		}
	}
	return outbox.NewMessage(kind, d.PersonID, facts, *d.DecidedAt)
}
