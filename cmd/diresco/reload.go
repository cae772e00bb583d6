package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"diresco/internal/app"
	"diresco/internal/platform/certificate"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
)

// reloading is what a hang-up (SIGHUP) makes a process read again.
type reloading struct {
	hangups <-chan os.Signal
	// pair is nil where a proxy ends TLS.
	pair *certificate.Pair
}

// listenForHangups lets a hang-up end the process no more, from the start on.
func listenForHangups() <-chan os.Signal {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	return hangups
}

// loadPair reads the certificate, where there is one to serve with.
func loadPair(c config.Config, log *slog.Logger) (*certificate.Pair, error) {
	if c.TLSCert == "" {
		return nil, nil //nolint:nilnil // without a certificate there is no pair
	}
	return certificate.Load(c.TLSCert, c.TLSKey, clock.System{}, log)
}

// run reads certificate and keys again at each hang-up, until the context ends. What cannot be used
// leaves in force what was, and the log says so.
func (r reloading) run(ctx context.Context, a *app.App, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.hangups:
		}
		if r.pair != nil {
			r.pair.Reload()
		}
		if err := a.ReloadKeys(ctx); err != nil {
			log.Error("the keys were not read again: the old ones stay in force", "error", err)
			continue
		}
		log.Info("the keys were read again")
	}
}
