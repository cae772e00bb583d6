package app

import (
	"context"
	"time"

	"diresco/internal/httpapi/handlers"
	"diresco/internal/identity/otp"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"

	"github.com/google/uuid"
)

// contactHandlers makes what people do with their own contacts. Those that took the halves of a PIN to its holder count
// from the first access with it on.
func contactHandlers(runner *operation.Runner, people *person.Service, pins *pin.Service, codes *otp.Codes, messages *outbox.Outbox, p parts) handlers.ContactHandlers {
	book := person.NewAddressBook(person.Deps{Runner: runner, Codes: codes, Outbox: messages, Keys: p.dataKeys})
	pins.OnFirstAccess = func(ctx context.Context, personID uuid.UUID, given time.Time) error {
		return book.FirstAccess(ctx, personID, pin.HalfKind, given)
	}
	return handlers.ContactHandlers{Book: book, People: people, Trail: runner.Trail}
}
