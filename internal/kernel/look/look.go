// Package look keeps at whose data the people who work here look. Everybody sees who looked at
// theirs, and one of the staff may look at only so many people a day.
package look

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
)

// PeopleADay is at how many people one member of staff may look in 24 hours.
const PeopleADay = 200

// Look is one look at a person's data.
type Look struct {
	ID       uuid.UUID
	PersonID uuid.UUID
	StaffID  uuid.UUID
	At       time.Time
	// Operation is the operation id of the contract.
	Operation string
	RequestID string
	// UserClass and OfficeCode are the post of who looked, as it was then.
	UserClass  access.UserClass
	OfficeCode *string
}

// TableName tells GORM the table.
func (Look) TableName() string { return "staff_looks" }

// LimitReached tells administrators of somebody who did one thing as often as one may in a day. Its
// data is {"at", "what", "name"}.
var LimitReached = outbox.Declare(outbox.Kind{Name: "staff.limit_reached"})

// people is what LimitReached says was looked at.
const people = "people"

// Staff knows who is told of limits; see person.Service.
type Staff interface {
	// Administrators returns who is an administrator.
	Administrators(ctx context.Context) ([]uuid.UUID, error)
}

// Deps are what the service works with.
type Deps struct {
	DB     *db.DB
	Clock  clock.Clock
	Trail  *audit.Trail
	Staff  Staff
	Outbox *outbox.Outbox
}

// Service keeps looks.
type Service struct {
	db     *db.DB
	repo   repository
	clock  clock.Clock
	trail  *audit.Trail
	staff  Staff
	outbox *outbox.Outbox
}

// NewService returns the service.
func NewService(d Deps) *Service {
	return &Service{db: d.DB, repo: repository{d.DB}, clock: d.Clock, trail: d.Trail, staff: d.Staff, outbox: d.Outbox}
}

// At keeps that the actor looks at a person's data, before it is shown. Who looks at their own
// leaves nothing. It returns fault.RateLimited to who looked at as many others as one may in a day;
// those can be looked at again. Of the last one that is allowed the administrators are told, in the
// same transaction. The looks of one person wait for each other.
func (s *Service) At(ctx context.Context, by access.Actor, personID uuid.UUID) error {
	if by.PersonID == personID {
		return nil
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.db.LockName(ctx, "looks of "+by.PersonID.String()); err != nil {
			return err
		}
		now := s.clock.Now()
		before, err := s.repo.others(ctx, by.PersonID, personID, now.Add(-fault.Day))
		if err != nil {
			return err
		}
		if err := fault.OverDaily(before.times, PeopleADay, now); err != nil {
			return err
		}
		origin := audit.OriginOf(ctx)
		look := Look{
			ID: uuid.Must(uuid.NewV7()), PersonID: personID, StaffID: by.PersonID, At: now, Operation: origin.Operation,
			RequestID: origin.RequestID, UserClass: by.UserClass,
		}
		if by.OfficeCode != "" {
			look.OfficeCode = &by.OfficeCode
		}
		if err := s.repo.add(ctx, look); err != nil {
			return err
		}
		if before.this || len(before.times)+1 < PeopleADay {
			return nil
		}
		return s.TellLimit(ctx, by, people, now)
	})
}

// TellLimit promises every administrator a message in the context's transaction. It is about
// somebody who did one thing as often as one may in a day.
func (s *Service) TellLimit(ctx context.Context, by access.Actor, what string, now time.Time) error {
	ids, err := s.staff.Administrators(ctx)
	if err != nil {
		return err
	}
	messages, err := outbox.NewMessages(LimitReached, ids, map[string]string{
		"at": now.Format(time.RFC3339Nano), "what": what, "name": by.GivenName + " " + by.FamilyName,
	}, now)
	if err != nil {
		return err
	}
	return s.outbox.Add(ctx, messages...)
}
