package app

import (
	"os"
	"path/filepath"

	"diresco/internal/httpapi/handlers"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pinupgrade"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/masterdata/residents"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/config"
)

// pinUpgradeHandlers makes what raises an ordinary PIN to a dispositive one, for its holder and for the office.
func pinUpgradeHandlers(
	runner *operation.Runner, people *person.Service, offices *contributor.Service, waiting completers, filings *protocol.Register, messages *outbox.Outbox, p parts,
) (handlers.PINUpgradeHandlers, handlers.OfficePINUpgradeHandlers) {
	upgrades := pinupgrade.NewService(pinupgrade.Deps{
		Runner: runner, Repository: pinupgrade.NewRepository(runner.DB), Register: filings, Outbox: messages, Files: attachment.NewStore(p.bucket), Offices: offices,
		Residents: residents.New(runner.DB, p.clock), People: people, Declarations: waiting, Log: p.options.Log,
	})
	return handlers.PINUpgradeHandlers{PINUpgrades: upgrades}, handlers.OfficePINUpgradeHandlers{Upgrades: upgrades}
}

// spoolDir makes the directory for files that requests bring: within the data directory where there is one, since nothing says
// that the system has one for temporary files.
func spoolDir(c config.Config) (string, error) {
	if c.DataDir == "" {
		return "", nil
	}
	dir := filepath.Join(c.DataDir, "incoming")
	return dir, os.MkdirAll(dir, 0o700)
}
