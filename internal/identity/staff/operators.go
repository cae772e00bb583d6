package staff

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/identity/consent"
	"diresco/internal/identity/person"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"
)

// Operators lists the people who work here, by family name.
func (s *Service) Operators(ctx context.Context, request page.Request) (page.Page[person.Person], error) {
	return s.people.Operators(ctx, request)
}

// Operator returns somebody who works here, or fault.NotFound.
func (s *Service) Operator(ctx context.Context, id uuid.UUID) (person.Person, error) {
	return s.people.Operator(ctx, id)
}

// Appoint gives a citizen a post, and tells them and the other administrators. It holds from the
// next request on, in open sessions too; what they let applications do ends. That of an
// administrator opens nothing until ConfirmOperator made it good. It returns these faults:
//   - fault.Invalid: the post is wrong, its office does not exist, or nobody is registered with the
//     tax code;
//   - fault.Conflict: the person works here already, works for others or has ordinary credentials.
func (s *Service) Appoint(ctx context.Context, by access.Actor, code taxcode.Code, post person.Post) (person.Person, error) {
	found, err := s.people.ByTaxCode(ctx, code)
	if fault.Is(err, fault.NotFound) {
		err = fault.InvalidFields(fault.Field{Pointer: "/tax_code", Code: fault.FieldNotRegistered})
	}
	if err != nil {
		return person.Person{}, err
	}
	return operation.Do(ctx, s.run, by, found.ID.String(), func(ctx context.Context, trace *operation.Trace) (person.Person, error) {
		trace.Right, trace.SubjectKind = by.Office(), person.SubjectKind
		if err := s.checkOffice(ctx, post.OfficeCode); err != nil {
			return person.Person{}, err
		}
		p, err := s.people.Appoint(ctx, by.PersonID, found.ID, post)
		if err != nil {
			return person.Person{}, err
		}
		if err := s.pins.ClassChanged(ctx, p.ID, p.UserClass); err != nil {
			return person.Person{}, err
		}
		// Whoever works here lets no application act for them.
		if err := s.consents.EndAllOf(ctx, p.ID, consent.EndedPostGiven); err != nil {
			return person.Person{}, err
		}
		return p, s.tellOfPost(ctx, by, p, stateGiven)
	}, operation.ByID(s.people.ByID))
}

// Reassign changes the post of somebody who works here, from the next request on, as Appoint gives
// one. version is what the change is based on. It returns these faults:
//   - fault.NotFound: nobody of this id works here;
//   - fault.PreconditionFailed: the version is not the current one;
//   - fault.Invalid: the post would be wrong;
//   - fault.Conflict: no administrator would be left.
func (s *Service) Reassign(
	ctx context.Context, by access.Actor, id uuid.UUID, version int, change person.PostChange,
) (person.Person, error) {
	if _, err := s.people.Operator(ctx, id); err != nil {
		return person.Person{}, err
	}
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (person.Person, error) {
		trace.Right, trace.SubjectKind = by.Office(), person.SubjectKind
		if change.OfficeCode != nil {
			if err := s.checkOffice(ctx, *change.OfficeCode); err != nil {
				return person.Person{}, err
			}
		}
		var err error
		if trace.Unchecked, err = s.onOneself(ctx, by, id); err != nil {
			return person.Person{}, err
		}
		before, after, err := s.people.Reassign(ctx, by.PersonID, id, version, change)
		if err != nil {
			return person.Person{}, err
		}
		if trace.Unchecked && before.UserClass != by.UserClass {
			// Whose post was taken meanwhile does not give it back to themselves.
			return person.Person{}, fault.New(fault.Forbidden)
		}
		if before.Version == after.Version {
			return after, nil
		}
		if before.UserClass != after.UserClass {
			if err := s.pins.ClassChanged(ctx, id, after.UserClass); err != nil {
				return person.Person{}, err
			}
		}
		return after, s.tellOfPost(ctx, by, after, stateGiven)
	}, nil)
}

// Dismiss makes somebody who works here a citizen again and ends their sessions. They and the other
// administrators are told. It returns
// fault.NotFound, and fault.Conflict for the last administrator.
func (s *Service) Dismiss(ctx context.Context, by access.Actor, id uuid.UUID) error {
	_, err := operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (struct{}, error) {
		trace.Right, trace.SubjectKind = by.Office(), person.SubjectKind
		var err error
		if trace.Unchecked, err = s.onOneself(ctx, by, id); err != nil {
			return struct{}{}, err
		}
		p, err := s.people.Dismiss(ctx, id)
		if err != nil {
			return struct{}{}, err
		}
		if err := s.pins.ClassChanged(ctx, id, access.Citizen); err != nil {
			return struct{}{}, err
		}
		if err := s.tell(ctx, by, p, PostEnded, ColleagueEnded, ""); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, s.sessions.EndAllOf(ctx, id, session.EndedPostLeft)
	}, nil)
	return err
}

// checkOffice refuses an office that does not exist.
func (s *Service) checkOffice(ctx context.Context, code string) error {
	if code == "" {
		return nil
	}
	exists, err := s.offices.HasOffice(ctx, code)
	if err == nil && !exists {
		err = fault.InvalidFields(fault.Field{Pointer: "/office_code", Code: fault.FieldUnknownOffice})
	}
	return err
}
