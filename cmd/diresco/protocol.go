package main

import (
	"context"
	"errors"
	"fmt"

	"diresco/internal/app"
	"diresco/internal/platform/fault"
)

type protocolCommands struct {
	Reserve reserveCommand `cmd:"" help:"Leave out the next protocol numbers, after a database was restored."`
}

type reserveCommand struct {
	Numbers int    `required:"" help:"How many numbers to leave out at each office: more than can have been given since the copy."`
	Office  string `help:"Code of one office; all of them unless it is given."`
	Reason  string `required:"" help:"Why, at most 200 characters; it is kept."`
}

// Run leaves the numbers out and prints which.
func (r reserveCommand) Run(ctx context.Context) error {
	if n := len([]rune(r.Reason)); n < 1 || n > 200 {
		return errors.New("the reason has 1 to 200 characters")
	}
	c, err := storeConfig()
	if err != nil {
		return err
	}
	reserves, err := app.ReserveNumbers(ctx, c, r.Office, r.Numbers, r.Reason)
	switch {
	case fault.Is(err, fault.NotFound):
		return errors.New("there is no such office")
	case fault.Is(err, fault.Conflict):
		return errors.New("a year has no more than 9,999,999 numbers, and an office has not so many left")
	case err != nil:
		return err
	}
	for _, n := range reserves {
		fmt.Printf("%s %d: %07d to %07d\n", n.OfficeCode, n.Year, n.FirstNumber, n.LastNumber)
	}
	return nil
}
