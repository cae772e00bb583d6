package app

import (
	"context"
	"errors"

	"diresco/db"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
)

// openAsOwner opens the database for a command of its owner. Close it.
func openAsOwner(ctx context.Context, c config.Config) (*db.DB, error) {
	d, err := db.Open(ctx, c.MigrationURL())
	if err != nil {
		return nil, err
	}
	if err := d.CheckSchema(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// traced does something for the command line in one transaction. It leaves an audit record of what
// it was done to.
func traced(ctx context.Context, d *db.DB, operation, kind string, do func(ctx context.Context) (subject string, err error)) error {
	return d.InTx(ctx, func(ctx context.Context) error {
		subject, err := do(ctx)
		if err != nil {
			return err
		}
		record := audit.ByCommand(operation).Record(kind, clock.System{}.Now())
		record.SubjectID = &subject
		return audit.NewTrail(d).Write(ctx, record)
	})
}

// ReserveNumbers leaves out the next protocol numbers of an office, or of all where none is named;
// see protocol.ReserveNumbers.
func ReserveNumbers(
	ctx context.Context, c config.Config, office string, numbers int, reason string,
) (reserves []protocol.Reserve, err error) {
	d, err := openAsOwner(ctx, c)
	if err != nil {
		return nil, err
	}
	err = traced(ctx, d, "reserveProtocolNumbers", "protocol", func(ctx context.Context) (string, error) {
		reserves, err = protocol.ReserveNumbers(ctx, d, office, numbers, reason)
		return office, err
	})
	return reserves, errors.Join(err, d.Close())
}
