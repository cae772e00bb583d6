package main

import (
	"context"
	"errors"
	"fmt"

	"diresco/db"
)

type roleCommands struct {
	Create roleCreateCommand `cmd:"" help:"Make the role as which the service works, or give an existing one its rights again."`
}

type roleCreateCommand struct {
	Name string `arg:"" help:"Name of the role, such as diresco_app."`
}

// Run makes the role, as the database's owner.
func (r roleCreateCommand) Run(ctx context.Context) error {
	c, err := storeConfig()
	if err != nil {
		return err
	}
	d, err := db.Open(ctx, c.MigrationURL())
	if err != nil {
		return err
	}
	if err := d.CheckSchema(ctx); err != nil {
		return errors.Join(err, d.Close())
	}
	made, err := d.CreateRole(ctx, r.Name)
	if err != nil {
		return errors.Join(err, d.Close())
	}
	if made {
		fmt.Printf("role %s was made; it has no password yet\n", r.Name)
	}
	fmt.Printf("role %s has its rights on all tables, and on those to come\n", r.Name)
	return d.Close()
}
