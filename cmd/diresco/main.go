// Command diresco is the API of the declarations of responsibility: the service itself, its sandbox
// and its tools.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"diresco/internal/platform/config"
)

type commands struct {
	Serve    serveCommand     `cmd:"" help:"Run the service. Needs a database; see the variables below."`
	Sandbox  sandboxCommand   `cmd:"" help:"Run a sandbox with test data. Needs no configuration."`
	Card     cardCommand      `cmd:"" help:"Make a test card (CNS, CIE) with which to log in to a sandbox."`
	Migrate  migrateCommand   `cmd:"" help:"Bring the database schema up to this version."`
	Check    checkCommand     `cmd:"" help:"Try the configuration of serve, and leave nothing behind. Ends with 1 if something is wrong."`
	Role     roleCommands     `cmd:"" help:"Manage the role as which the service works on PostgreSQL."`
	Admin    adminCommands    `cmd:"" help:"Manage administrators."`
	Messages messagesCommands `cmd:"" help:"Look at the messages that people get, and undo what a relay did to their contacts."`
	Keys     keysCommands     `cmd:"" help:"Make keys, change them and look at them."`
	Audit    auditCommands    `cmd:"" help:"Check the trail against its log."`
	Protocol protocolCommands `cmd:"" help:"Look after the protocol register."`
	SPID     spidCommands     `cmd:"" name:"spid" help:"Make what SPID and CIE are given of this service."`
	Health   healthCommand    `cmd:"" help:"Ask the service on this machine whether it is well; for container health checks."`
	Version  versionCommand   `cmd:"" help:"Print the version, the commit and the schema that this program works with."`
}

func main() { os.Exit(run()) }

// run returns the exit code, so that what it defers is done.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	parser := kong.Must(&commands{},
		kong.Name("diresco"),
		kong.Description("The API of the declarations of responsibility (DiResCo)."),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Help(func(options kong.HelpOptions, k *kong.Context) error {
			if err := kong.DefaultHelpPrinter(options, k); err != nil {
				return err
			}
			if _, err := fmt.Fprintln(k.Stdout, "\nEnvironment variables:"); err != nil {
				return err
			}
			return config.Describe(k.Stdout)
		}),
	)
	chosen, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	if err := chosen.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "diresco:", err)
		return 1
	}
	return 0
}
