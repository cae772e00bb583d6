package app

import (
	"context"
	"time"

	"diresco/internal/httpapi/handlers"
	"diresco/internal/identity/otp"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/pinrecovery"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
)

// recoveryHandlers makes what helps people who cannot log in.
func recoveryHandlers(runner *operation.Runner, people *person.Service, pins *pin.Service, codes *otp.Codes, messages *outbox.Outbox, p parts) handlers.PINRecoveryHandlers {
	return handlers.PINRecoveryHandlers{PINs: pins, Recovery: pinrecovery.NewService(pinrecovery.Deps{
		Runner: runner, People: people, PINs: pins, Codes: codes, Outbox: messages, Keys: p.dataKeys, PublicURL: p.config.PublicURL,
	})}
}

// codesKept is how long a code that has expired is remembered.
const codesKept = 24 * time.Hour

// forgetCodes drops codes that have had their time.
func forgetCodes(codes *otp.Codes) func(ctx context.Context) error {
	return func(ctx context.Context) error { return codes.Forget(ctx, codesKept) }
}
