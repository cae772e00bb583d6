package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"diresco/db"
	"diresco/internal/app"
	"diresco/internal/platform/config"
	"diresco/internal/platform/fault"
)

func storeConfig() (config.Config, error) {
	c, err := config.Read(os.Environ())
	if err != nil {
		return c, err
	}
	return c, c.Store()
}

type migrateCommand struct{}

// Run brings the schema up to date, as the database's owner.
func (migrateCommand) Run(ctx context.Context) error {
	c, err := storeConfig()
	if err != nil {
		return err
	}
	d, err := db.Open(ctx, c.MigrationURL())
	if err != nil {
		return err
	}
	from, err := d.Version(ctx)
	if err != nil {
		return errors.Join(err, d.Close())
	}
	shown := newProgress()
	if err := d.MigrateTelling(ctx, func(done, missing int) { shown.tell("migration", int64(done), int64(missing)) }); err != nil {
		return errors.Join(err, d.Close())
	}
	to, err := d.Version(ctx)
	if err != nil {
		return errors.Join(err, d.Close())
	}
	if from == to {
		fmt.Printf("the database schema is at version %d already\n", to)
	} else {
		fmt.Printf("the database schema was brought from version %d to %d\n", from, to)
	}
	return d.Close()
}

// newProgress shows on standard error how far something long has come.
func newProgress() *progress {
	shown := &progress{out: os.Stderr, tenth: map[string]int64{}}
	if info, err := os.Stderr.Stat(); err == nil {
		shown.bar = info.Mode()&os.ModeCharDevice != 0
	}
	return shown
}

type adminCommands struct {
	Create adminCreateCommand `cmd:"" help:"Create an administrator and print the initial PIN, once."`
}

type adminCreateCommand struct {
	TaxCode     string `required:"" help:"Tax code (codice fiscale) of the person."`
	Office      string `required:"" help:"Code of the office, four characters; it is added when it does not exist."`
	OfficeTitle string `help:"Name of an office that is added."`
	GivenName   string `default:"Amministratore" help:"Given name."`
	FamilyName  string `default:"Utenze" help:"Family name."`
}

// Run creates the administrator.
func (a adminCreateCommand) Run(ctx context.Context) error {
	c, err := storeConfig()
	if err != nil {
		return err
	}
	pin, err := app.CreateAdministrator(ctx, c, app.NewAdministrator(a))
	if fault.Is(err, fault.Conflict) {
		return errors.New("somebody is registered with this tax code already; an administrator can make them one (addOperator)")
	}
	if err != nil {
		return err
	}
	fmt.Println("Initial PIN, shown this once; it must be changed at the first login:", pin.Reveal())
	return nil
}

type healthCommand struct{}

// Run asks the service that this machine's configuration describes.
func (healthCommand) Run(ctx context.Context) error {
	c, err := config.Read(os.Environ())
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http"
	if c.TLSCert != "" {
		scheme = "https"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(host, port)+"/v1/status", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the service answered %s", response.Status)
	}
	return nil
}
