package smarttask

import (
	"context"
	"slices"
	"strconv"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
)

// OpenTo is to whom a type is open.
type OpenTo string

// To whom a type may be open.
const (
	Everybody OpenTo = "everybody"
	// Group is for people who are named by their tax codes, as long as a type is being tried out.
	Group OpenTo = "group"
)

// AccessView is to whom a type is open, with the group.
type AccessView struct {
	Access
	TaxCodes []string
}

// Types lists the types that are open to the actor, in the order of the catalogue. Staff see all.
func (s *Service) Types(ctx context.Context, by access.Actor) ([]Type, error) {
	if by.Staff() {
		return slices.Clone(types), nil
	}
	closed, err := s.repo.closedTo(ctx, by.TaxCode.Clear())
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(types), func(t Type) bool { return slices.Contains(closed, t.Code) }), nil
}

// Type returns a type that is open to the actor, and fault.NotFound for any other.
func (s *Service) Type(ctx context.Context, by access.Actor, code string) (Type, error) {
	open, err := s.Types(ctx, by)
	if err != nil {
		return Type{}, err
	}
	i := slices.IndexFunc(open, func(t Type) bool { return t.Code == code })
	if i < 0 {
		return Type{}, fault.New(fault.NotFound)
	}
	return open[i], nil
}

// Access returns to whom a type is open, and fault.NotFound where there is no such type.
func (s *Service) Access(ctx context.Context, code string) (AccessView, error) {
	if _, known := typeByCode[code]; !known {
		return AccessView{}, fault.New(fault.NotFound)
	}
	a, err := s.repo.access(ctx, code)
	if err != nil {
		return AccessView{}, err
	}
	members, err := s.repo.members(ctx, code)
	return AccessView{a, members}, err
}

// maxGroup is how many people a group has at most.
const maxGroup = 1000

// accessKind is the trail's word for what says to whom a type is open.
const accessKind = "smart-task-access"

// ReplaceAccess says to whom a type is open from now on. It returns these faults:
//   - fault.NotFound: there is no such type;
//   - fault.Invalid: a group that is empty or too long, people where everybody may, or a code that is
//     no person's or there twice;
//   - fault.PreconditionFailed: somebody changed it since the expected version.
func (s *Service) ReplaceAccess(
	ctx context.Context, by access.Actor, code string, expected int, to OpenTo, taxCodes []string,
) (AccessView, error) {
	if _, known := typeByCode[code]; !known {
		return AccessView{}, fault.New(fault.NotFound)
	}
	group, err := groupOf(to, taxCodes)
	if err != nil {
		return AccessView{}, err
	}
	show := func(ctx context.Context, _ string) (AccessView, error) { return s.Access(ctx, code) }
	return operation.Do(ctx, s.run, by, code, func(ctx context.Context, trace *operation.Trace) (AccessView, error) {
		trace.Right, trace.SubjectKind, trace.Outcome = by.Office(), accessKind, string(to)
		if err := s.run.DB.LockName(ctx, "access to smart tasks "+code); err != nil {
			return AccessView{}, err
		}
		a, err := s.repo.access(ctx, code)
		if err != nil {
			return AccessView{}, err
		}
		if err := fault.RequireVersion(expected, a.Version); err != nil {
			return AccessView{}, err
		}
		a.OpenTo, a.Version, a.UpdatedAt = to, a.Version+1, s.run.Clock.Now()
		return AccessView{a, group}, s.repo.setAccess(ctx, a, group)
	}, show)
}

// groupOf checks the people to whom a type is to be open.
func groupOf(to OpenTo, taxCodes []string) ([]string, error) {
	var wrong []fault.Field
	refuse := func(pointer, code string) { wrong = append(wrong, fault.Field{Pointer: pointer, Code: code}) }
	switch {
	case to != Everybody && to != Group:
		refuse("/open_to", fault.FieldEnum)
	case to == Everybody && len(taxCodes) > 0:
		refuse("/tax_codes", fault.FieldNotApplicable)
	case to == Group && len(taxCodes) == 0:
		refuse("/tax_codes", fault.FieldRequired)
	case len(taxCodes) > maxGroup:
		refuse("/tax_codes", fault.FieldTooMany)
	}
	group := make([]string, 0, len(taxCodes))
	for i, typed := range taxCodes {
		pointer := "/tax_codes/" + strconv.Itoa(i)
		code, err := taxcode.Parse(typed)
		switch {
		case err != nil || !code.IsPerson():
			refuse(pointer, fault.FieldFormat)
		case slices.Contains(group, code.Clear()):
			refuse(pointer, fault.FieldDuplicate)
		default:
			group = append(group, code.Clear())
		}
	}
	if len(wrong) > 0 {
		return nil, fault.InvalidFields(wrong...)
	}
	slices.Sort(group)
	return group, nil
}
