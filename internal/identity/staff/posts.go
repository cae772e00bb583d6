package staff

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/review"
)

// The kinds of message about who works here. Their data is {"at", "state", "class", "office",
// "name"}; the state is one of those below, and "" where the post ended.
var (
	// PostGiven tells a person of their own post.
	PostGiven = outbox.Declare(outbox.Kind{Name: "staff.post_given", Audience: outbox.EveryContact})
	// ColleagueGiven tells the other administrators of it.
	ColleagueGiven = outbox.Declare(outbox.Kind{Name: "staff.colleague_given"})
	// PostEnded tells a person that they do not work here any more.
	PostEnded = outbox.Declare(outbox.Kind{Name: "staff.post_ended", Audience: outbox.EveryContact})
	// ColleagueEnded tells the other administrators of it.
	ColleagueEnded = outbox.Declare(outbox.Kind{Name: "staff.colleague_ended"})
)

// The states of a post, as messages name them.
const (
	stateGiven       = "given"
	stateUnconfirmed = "unconfirmed"
	stateConfirmed   = "confirmed"
)

// ConfirmOperator makes the post of an administrator good that another one gave. It returns these
// faults:
//   - fault.NotFound: nobody of this id works here;
//   - fault.Conflict: there is nothing to confirm;
//   - fault.Forbidden: the actor gave the post.
//
// Lock order: the person, the rest.
func (s *Service) ConfirmOperator(ctx context.Context, by access.Actor, id uuid.UUID) (person.Person, error) {
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (person.Person, error) {
		trace.Right, trace.SubjectKind = by.Office(), person.SubjectKind
		p, err := s.people.HoldUnconfirmed(ctx, id)
		if err == nil {
			err = review.RequireSecond(by, *p.PostGivenBy, p.ID)
		}
		if err != nil {
			return person.Person{}, err
		}
		if p, err = s.people.ConfirmPost(ctx, p); err != nil {
			return person.Person{}, err
		}
		return p, s.tellOfPost(ctx, by, p, stateConfirmed)
	}, operation.ByID(s.people.ByID))
}

// tellOfPost promises messages about a post that somebody has now: to them, and to the other
// administrators.
func (s *Service) tellOfPost(ctx context.Context, by access.Actor, p person.Person, state string) error {
	if p.PostGivenBy != nil {
		state = stateUnconfirmed
	}
	return s.tell(ctx, by, p, PostGiven, ColleagueGiven, state)
}

// tell promises messages about the post that a person has or had. There is one to them, and one to
// each of the other administrators.
func (s *Service) tell(ctx context.Context, by access.Actor, p person.Person, own, others outbox.Kind, state string) error {
	now := s.run.Clock.Now()
	data := map[string]string{
		"at": now.Format(time.RFC3339Nano), "state": state, "class": string(p.UserClass), "office": p.Office(),
		"name": p.GivenName + " " + p.FamilyName,
	}
	message, err := outbox.NewMessage(own, p.ID, data, now)
	if err != nil {
		return err
	}
	if err := s.outbox.Add(ctx, message); err != nil {
		return err
	}
	return s.tellAdministrators(ctx, others, data, now, by.PersonID, p.ID)
}
