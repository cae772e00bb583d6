package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"diresco/internal/app"
	"diresco/internal/platform/config"
)

type checkCommand struct{}

// Run tries the configuration of serve, and prints one line for each finding.
func (checkCommand) Run(ctx context.Context) error {
	tell := func(f app.Finding) { fmt.Printf("%-4s  %-12s  %s\n", f.Grade, f.What, f.Says) }
	c, err := config.Read(os.Environ())
	if err == nil {
		err = c.Serve()
	}
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			tell(app.Finding{Grade: app.Failed, What: "settings", Says: strings.TrimSpace(line)})
		}
		return errors.New("the settings are wrong; nothing else was tried")
	}
	if !app.Check(ctx, c, tell) {
		return errors.New("something is wrong: see the lines that begin with fail")
	}
	return nil
}
