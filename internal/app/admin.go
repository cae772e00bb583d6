package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/recheck"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
	"diresco/internal/platform/naming"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/taxcode"
)

// NewAdministrator is who CreateAdministrator creates.
type NewAdministrator struct {
	TaxCode     string
	Office      string
	OfficeTitle string
	GivenName   string
	FamilyName  string
}

// officeCode is what the code of an office looks like.
var officeCode = regexp.MustCompile(`^[0-9A-Z]{4}$`)

// maxName is how long a name may be, in characters.
const maxName = 100

// check returns the tax code, or an error that names each argument that is wrong.
func (in NewAdministrator) check() (taxcode.Code, error) {
	var wrong []error
	refuse := func(argument, because string) { wrong = append(wrong, fmt.Errorf("--%s: %s", argument, because)) }
	code, err := taxcode.Parse(in.TaxCode)
	switch {
	case err != nil:
		refuse("tax-code", err.Error())
	case !code.IsPerson():
		refuse("tax-code", "it is an organisation's; a person administers")
	}
	if !officeCode.MatchString(in.Office) {
		refuse("office", "an office has a code of four digits or capital letters, such as 7000")
	}
	if in.OfficeTitle != "" && naming.Display(in.OfficeTitle, maxName) != "" {
		refuse("office-title", "up to 100 characters, none of them hidden")
	}
	for argument, name := range map[string]string{"given-name": in.GivenName, "family-name": in.FamilyName} {
		if _, bad := naming.Person(name, maxName); bad != "" {
			refuse(argument, "up to 100 characters: letters, apostrophes, hyphens, full stops and spaces")
		}
	}
	return code, errors.Join(wrong...)
}

// CreateAdministrator makes a person an administrator with dispositive credentials. It returns the
// initial PIN of 16 characters, which is kept nowhere in clear. The database must be migrated.
func CreateAdministrator(ctx context.Context, c config.Config, in NewAdministrator) (initial secret.Text, err error) {
	code, err := in.check()
	if err != nil {
		return "", err
	}
	runner, err := commandRunner(ctx, c)
	if err != nil {
		return "", err
	}
	d, now := runner.DB, runner.Clock
	defer func() { err = errors.Join(err, d.Close()) }()
	hasher, err := pin.NewHasher(pin.HasherOptions{})
	if err != nil {
		return "", err
	}
	pins := pin.NewService(pin.Deps{Runner: runner, Verifier: pin.NewVerifier(d, now, hasher, nil, nil), Random: rand.Reader})
	if initial, err = pins.Generate(true); err != nil {
		return "", err
	}
	hash, err := pins.Hash(ctx, initial)
	if err != nil {
		return "", err
	}
	ctx = byCommand(ctx, "createAdministrator")
	err = d.InTx(ctx, func(ctx context.Context) error {
		offices := contributor.NewService(contributor.Deps{DB: d})
		if err := offices.AddOffice(ctx, contributor.Office{Code: in.Office, Title: in.OfficeTitle}); err != nil {
			return err
		}
		_, err := person.NewService(person.Deps{Runner: runner}).Create(ctx, person.New{
			TaxCode: code, GivenName: in.GivenName, FamilyName: in.FamilyName, UserClass: access.Administrator,
			CredentialLevel: access.Dispositive, OfficeCode: in.Office,
		}, func(ctx context.Context, p person.Person) error { return pins.Set(ctx, p.ID, hash, true) })
		return err
	})
	return initial, err
}

// UndoBounces makes contacts count again that were marked as bounced in a period, and returns how
// many. The database must be migrated.
func UndoBounces(ctx context.Context, c config.Config, which person.Bounces) (n int, err error) {
	runner, err := commandRunner(ctx, c)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, runner.DB.Close()) }()
	return person.NewService(person.Deps{Runner: runner}).UndoBounces(byCommand(ctx, "undoBounces"), which)
}

// commandRunner runs the operations of a command on the database that is configured. Its database
// is to be closed.
func commandRunner(ctx context.Context, c config.Config) (*operation.Runner, error) {
	d, err := db.Open(ctx, c.DatabaseURL.Reveal())
	if err != nil {
		return nil, err
	}
	if err := d.CheckSchema(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	now := clock.System{}
	return &operation.Runner{
		DB: d, Clock: now, Keys: idempotency.NewStore(d, now, nil), Trail: audit.NewTrail(d), Recheck: recheck.New(d, now),
	}, nil
}

// byCommand is the context of an operation that a command does.
func byCommand(ctx context.Context, operation string) context.Context {
	return audit.WithOrigin(ctx, audit.ByCommand(operation))
}
