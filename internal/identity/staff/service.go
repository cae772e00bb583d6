// Package staff is what the people who work here do with people. They register them, give and take
// PINs at the counter, suspend and readmit them, and manage who works here. The rows belong to
// person, pin and session; this package joins what each of them does into one operation.
//
// Lock order: names, people, PINs, sessions, the rest.
package staff

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/otp"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/look"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/scan"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/keyring"
)

// PINs is what is done with the PIN of somebody else; see pin.Service.
type PINs interface {
	// NewInitial draws a PIN and hashes it, outside of transactions.
	NewInitial(ctx context.Context) (pin.Initial, error)
	// GiveInPerson makes it the person's and ends their sessions, in the context's transaction. The
	// PIN goes on naming the one from the counter that it is.
	GiveInPerson(ctx context.Context, personID, counterPINID uuid.UUID, initial pin.Initial) (pin.IssuedPIN, error)
	// Hold locks the person's PIN until the end of the context's transaction.
	Hold(ctx context.Context, personID uuid.UUID) (pin.Standing, error)
	// RevokeFor revokes the person's PIN and returns from when on, in the context's transaction. It
	// ends their sessions and tells them. It returns fault.NotFound for somebody without a PIN.
	RevokeFor(ctx context.Context, personID uuid.UUID) (time.Time, error)
	// ClassChanged computes anew when the person's PIN must be changed, in the context's
	// transaction.
	ClassChanged(ctx context.Context, personID uuid.UUID, class access.UserClass) error
	// State returns the state of a person's PIN.
	State(ctx context.Context, personID uuid.UUID) (pin.State, error)
}

// Offices knows the offices; see contributor.Service.
type Offices interface {
	// HasOffice reports whether there is an office with the code.
	HasOffice(ctx context.Context, code string) (bool, error)
}

// Sessions ends sessions; see session.Service.
type Sessions interface {
	// EndAllOf ends every session of a person, in the context's transaction.
	EndAllOf(ctx context.Context, personID uuid.UUID, reason string) error
	// HoldAllOf keeps every session of a person until the end of the context's transaction.
	HoldAllOf(ctx context.Context, personID uuid.UUID) error
}

// Declarations completes what waits for dispositive credentials; see declaration.Service.
type Declarations interface {
	// CompleteFor completes what the person filed with ordinary credentials, in the context's
	// transaction.
	CompleteFor(ctx context.Context, personID uuid.UUID) error
}

// Consents ends what people let applications do; see consent.Service.
type Consents interface {
	// EndAllOf ends every consent of a person, in the context's transaction.
	EndAllOf(ctx context.Context, personID uuid.UUID, reason string) error
}

// Deps are what the service works with.
type Deps struct {
	Runner       *operation.Runner
	People       *person.Service
	PINs         PINs
	Sessions     Sessions
	Consents     Consents
	Offices      Offices
	Declarations Declarations
	Outbox       *outbox.Outbox
	// Codes are those that holders confirm a PIN from the counter with; Keys encrypt them on their
	// way.
	Codes *otp.Codes
	Keys  *keyring.DataKeys
	// Files keeps the copies of documents.
	Files *attachment.Store
	Looks *look.Service
	// Scans keeps the copies closed until they were scanned; it may be nil.
	Scans *scan.Service
}

// Service has the use cases of the back office about people.
type Service struct {
	run          *operation.Runner
	repo         repository
	people       *person.Service
	pins         PINs
	sessions     Sessions
	consents     Consents
	offices      Offices
	declarations Declarations
	outbox       *outbox.Outbox
	codes        *otp.Codes
	keys         *keyring.DataKeys
	files        *attachment.Store
	looks        *look.Service
	scans        *scan.Service
}

// NewService returns the service.
func NewService(d Deps) *Service {
	return &Service{
		run: d.Runner, repo: repository{d.Runner.DB}, people: d.People, pins: d.PINs, sessions: d.Sessions, consents: d.Consents,
		offices: d.Offices, declarations: d.Declarations, outbox: d.Outbox, codes: d.Codes, keys: d.Keys, files: d.Files, looks: d.Looks,
		scans: d.Scans,
	}
}

// The kinds of message that people get of what is done here. Their data is {"at": instant}.
var (
	PINIssued        = outbox.Declare(outbox.Kind{Name: "pin.issued", Audience: outbox.EveryContact})
	PersonSuspended  = outbox.Declare(outbox.Kind{Name: "person.suspended"})
	PersonReadmitted = outbox.Declare(outbox.Kind{Name: "person.readmitted"})
)

// notify promises a message to a person, in the context's transaction.
func (s *Service) notify(ctx context.Context, kind outbox.Kind, personID uuid.UUID) error {
	now := s.run.Clock.Now()
	message, err := outbox.NewMessage(kind, personID, map[string]string{"at": now.Format(time.RFC3339Nano)}, now)
	if err != nil {
		return err
	}
	return s.outbox.Add(ctx, message)
}

// onOneself returns fault.SessionEnded where somebody ends their own session or post by one that
// has ended already.
func (s *Service) onOneself(ctx context.Context, by access.Actor, id uuid.UUID) (oneself bool, err error) {
	if id != by.PersonID {
		return false, nil
	}
	return true, s.run.Recheck.RequireLiveSession(ctx, by)
}
