package person

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// staff are the classes of people who work here.
var staff = []access.UserClass{access.Administrator, access.ContactCentre, access.Operator}

// WorksHere reports whether the person is an operator, of the contact centre or an administrator.
func (p Person) WorksHere() bool { return slices.Contains(staff, p.UserClass) }

// Post is what somebody who works here does, and where.
type Post struct {
	Class access.UserClass
	// OfficeCode is needed for an operator and refused for the others. Whether the office exists is
	// the caller's to know.
	OfficeCode string
}

// check returns fault.Invalid naming each field that is wrong.
func (p Post) check() error {
	switch {
	case !slices.Contains(staff, p.Class):
		return fault.InvalidFields(fault.Field{Pointer: "/user_class", Code: fault.FieldEnum})
	case p.Class == access.Operator && p.OfficeCode == "":
		return fault.InvalidFields(fault.Field{Pointer: "/office_code", Code: fault.FieldRequired})
	case p.Class != access.Operator && p.OfficeCode != "":
		return fault.InvalidFields(fault.Field{Pointer: "/office_code", Code: fault.FieldOnlyOperators})
	}
	return nil
}

// PostChange is what is to change of a post; nil leaves it as it is.
type PostChange struct {
	Class      *access.UserClass
	OfficeCode *string
}

// merge returns the post after the change: who is no operator any more has no office either.
func (p Post) merge(c PostChange) Post {
	if c.Class != nil && *c.Class != p.Class {
		p.Class = *c.Class
		if p.Class != access.Operator {
			p.OfficeCode = ""
		}
	}
	if c.OfficeCode != nil {
		p.OfficeCode = *c.OfficeCode
	}
	return p
}

func (p Person) post() Post { return Post{p.UserClass, p.Office()} }

// take returns the person in another post that somebody gives them. That of an administrator waits
// for the confirmation of a second one.
func (p Person) take(post Post, by uuid.UUID) Person {
	p.UserClass, p.OfficeCode, p.PostGivenBy = post.Class, nil, nil
	if post.Class == access.Administrator {
		p.PostGivenBy = &by
	}
	if post.OfficeCode != "" {
		p.OfficeCode = &post.OfficeCode
	}
	return p
}

// Operators lists the people who work here, by family name.
func (s *Service) Operators(ctx context.Context, request page.Request) (page.Page[Person], error) {
	return s.repo.ofClasses(ctx, staff, request)
}

// Operator returns somebody who works here; anybody else is fault.NotFound.
func (s *Service) Operator(ctx context.Context, id uuid.UUID) (Person, error) {
	return worker(s.ByID(ctx, id))
}

func worker(p Person, err error) (Person, error) {
	if err == nil && !p.WorksHere() {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return Person{}, err
	}
	return p, nil
}

// Administrators returns the ids of those who can administer the users, in the order of their ids.
func (s *Service) Administrators(ctx context.Context) ([]uuid.UUID, error) {
	return s.repo.administrators(ctx)
}

// Appoint gives a citizen a post by somebody, inside the caller's transaction and operation. It
// returns these faults:
//   - fault.NotFound: there is no such person;
//   - fault.Invalid: the post is wrong;
//   - fault.Conflict: the person works here already, or for others, or has ordinary credentials.
func (s *Service) Appoint(ctx context.Context, by, id uuid.UUID, post Post) (Person, error) {
	if err := post.check(); err != nil {
		return Person{}, err
	}
	p, err := s.repo.lock(ctx, id)
	switch {
	case err != nil:
		return Person{}, err
	case p.WorksHere():
		return Person{}, fault.Because(fault.Conflict, "already-operator")
	case p.UserClass != access.Citizen:
		return Person{}, fault.Because(fault.Conflict, "not-a-citizen")
	case !p.Dispositive():
		// Whom nobody has identified lets nobody else in.
		return Person{}, fault.Because(fault.Conflict, "ordinary-credentials")
	}
	return s.repo.save(ctx, p.take(post, by))
}

// Reassign changes the post of somebody who works here, inside the caller's transaction and
// operation. version is what the change is based on. What changes nothing is no change. It returns
// these faults:
//   - fault.NotFound: nobody of this id works here;
//   - fault.PreconditionFailed: the version is not the current one;
//   - fault.Invalid: the post would be wrong;
//   - fault.Conflict: nobody would be left to administer.
func (s *Service) Reassign(
	ctx context.Context, by, id uuid.UUID, version int, change PostChange,
) (before, after Person, err error) {
	p, others, err := s.repo.lockWithAdministrators(ctx, id)
	if p, err = worker(p, err); err != nil {
		return Person{}, Person{}, err
	}
	if err := fault.RequireVersion(version, p.Version); err != nil {
		return Person{}, Person{}, err
	}
	post := p.post().merge(change)
	if post == p.post() {
		return p, p, nil
	}
	if err := post.check(); err != nil {
		return Person{}, Person{}, err
	}
	if post.Class != access.Administrator {
		if err := p.leave(others); err != nil {
			return Person{}, Person{}, err
		}
	}
	after, err = s.repo.save(ctx, p.take(post, by))
	return p, after, err
}

// Dismiss makes somebody who works here a citizen again, inside the caller's transaction and
// operation; the caller ends the sessions. It returns them as they were before. It returns
// fault.NotFound, and fault.Conflict for the last administrator.
func (s *Service) Dismiss(ctx context.Context, id uuid.UUID) (Person, error) {
	p, others, err := s.repo.lockWithAdministrators(ctx, id)
	if p, err = worker(p, err); err != nil {
		return Person{}, err
	}
	if err := p.leave(others); err != nil {
		return Person{}, err
	}
	_, err = s.repo.save(ctx, p.take(Post{Class: access.Citizen}, uuid.Nil))
	return p, err
}

// HoldUnconfirmed returns an administrator whose post waits for its confirmation, and locks them
// until the context's transaction ends. It returns fault.NotFound for who does not work here, and
// fault.Conflict where there is nothing to confirm.
func (s *Service) HoldUnconfirmed(ctx context.Context, id uuid.UUID) (Person, error) {
	p, err := worker(s.repo.lock(ctx, id))
	if err == nil && p.PostGivenBy == nil {
		err = fault.Because(fault.Conflict, "post-confirmed")
	}
	return p, err
}

// ConfirmPost makes the post of a person good whom HoldUnconfirmed returned.
func (s *Service) ConfirmPost(ctx context.Context, p Person) (Person, error) {
	p.PostGivenBy = nil
	return s.repo.save(ctx, p)
}
