package app

import (
	"context"

	"diresco/internal/httpapi/handlers"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/protocol"
	"diresco/internal/mandate/enrolment"
	"diresco/internal/masterdata/contributor"

	"github.com/google/uuid"
)

// completer completes what waits for dispositive credentials.
type completer interface {
	CompleteFor(ctx context.Context, personID uuid.UUID) error
}

// completers are all kinds of what may wait.
type completers []completer

// CompleteFor completes what a person filed with ordinary credentials, in the context's transaction.
func (all completers) CompleteFor(ctx context.Context, personID uuid.UUID) error {
	for _, one := range all {
		if err := one.CompleteFor(ctx, personID); err != nil {
			return err
		}
	}
	return nil
}

// enrolmentHandlers makes the requests for access, for who asks and for the office.
func enrolmentHandlers(waiting *enrolment.Waiting, register *protocol.Register, contributors *contributor.Service, people *person.Service) (handlers.EnrolmentHandlers, handlers.OfficeEnrolmentHandlers) {
	s := enrolment.NewService(enrolment.Deps{Waiting: *waiting, Register: register, Contributors: contributors, People: people})
	return handlers.EnrolmentHandlers{Enrolments: s}, handlers.OfficeEnrolmentHandlers{AtOffice: s}
}
