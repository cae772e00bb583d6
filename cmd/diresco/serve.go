package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"diresco/internal/app"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
	"diresco/internal/platform/telemetry"
)

const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
	// shutdownTimeout is how long requests that run may go on after the process was told to end.
	shutdownTimeout = 20 * time.Second
)

type serveCommand struct{}

// Run serves until the process is told to end.
func (serveCommand) Run(ctx context.Context) error {
	spareStart()
	c, err := config.Read(os.Environ())
	if err != nil {
		return err
	}
	if err := c.Serve(); err != nil {
		return err
	}
	log := newLogger(c, os.Stderr)
	hangups := listenForHangups()
	pair, err := loadPair(c, log)
	if err != nil {
		return err
	}
	a, err := app.Open(ctx, c, app.Options{Version: version, Log: log})
	if err != nil {
		return notStarted(ctx, err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Addr)
	if err != nil {
		return notStarted(ctx, errors.Join(err, a.Close()))
	}
	certified, err := listenForCertified(ctx, c, a, pair, log)
	if err != nil {
		return notStarted(ctx, errors.Join(err, listener.Close(), a.Close()))
	}
	log.Info("listening", "address", listener.Addr().String(), "version", version)
	return serve(ctx, c, log, a, listener, certified, reloading{hangups, pair})
}

// notStarted is the error of a start that came to nothing. Being told to end meanwhile is none.
func notStarted(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}

func newLogger(c config.Config, w io.Writer) *slog.Logger {
	log := telemetry.NewLogger(w, c.LogFormat, c.LogLevel)
	slog.SetDefault(log)
	return log
}

// serve answers on the listener, and gives metrics on the admin address, until the context ends. It
// then lets what runs finish.
func serve(
	ctx context.Context, c config.Config, log *slog.Logger, a *app.App, listener net.Listener, certified certifiedListeners, r reloading,
) error {
	freeStart()
	servers := []*http.Server{newServer(a.Handler(), log)}
	servers[0].RegisterOnShutdown(a.EndStreams)
	failed := make(chan error, 2+len(certified))
	go r.run(ctx, a, log)
	// Who sees it answer finds its metrics as well.
	if c.AdminAddr != "" {
		admin, err := new(net.ListenConfig).Listen(ctx, "tcp", c.AdminAddr)
		if err != nil {
			return errors.Join(err, listener.Close(), certified.close(), a.Close())
		}
		servers = append(servers, newServer(a.AdminHandler(), log))
		go func() { failed <- servers[1].Serve(admin) }()
	}
	go func() {
		if r.pair != nil {
			servers[0].TLSConfig = &tls.Config{GetCertificate: r.pair.Get, MinVersion: tls.VersionTLS12}
			failed <- servers[0].ServeTLS(listener, "", "")
		} else {
			failed <- servers[0].Serve(listener)
		}
	}()
	for _, l := range certified {
		servers = append(servers, l.server)
		go func() { failed <- l.serve() }()
	}
	var err error
	select {
	case <-ctx.Done():
		log.Info("ending")
	case err = <-failed:
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	for _, server := range servers {
		err = errors.Join(err, server.Shutdown(ending))
	}
	return errors.Join(err, a.Close())
}

// startGC is how far garbage may grow during the start, as GOGC says it. What the start leaves is
// little, and should not lie scattered over what it took meanwhile.
const startGC = 50

// spareStart keeps garbage small while the process starts, unless GOGC says how much there may be.
func spareStart() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(startGC)
	}
}

// freeStart gives back what the start took: who waits for requests should not keep it.
func freeStart() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(100)
	}
	runtime.GC() // what pools hold is let go at the second time
	debug.FreeOSMemory()
}

func newServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

type sandboxCommand struct{}

// Run serves a sandbox: test data in a directory that is removed at the end, unless
// DIRESCO_DATA_DIR names one.
func (sandboxCommand) Run(ctx context.Context) (err error) {
	spareStart()
	began := clock.System{}.Now()
	c, err := config.Read(os.Environ())
	if err != nil {
		return err
	}
	if err := c.Sandbox(); err != nil {
		return err
	}
	if c.DataDir == "" {
		dir, err := os.MkdirTemp("", "diresco-sandbox-")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		c.Place(dir)
	}
	// What is logged meanwhile comes after the table of test people.
	later := &heldBack{to: os.Stderr}
	defer later.release()
	log := newLogger(c, later)
	// It belongs to its terminal, and ends with it.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
	defer stop()
	pair, err := loadPair(c, log)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Addr)
	if err != nil {
		return err
	}
	c.Listening(listener.Addr().String())
	a, err := app.Open(ctx, c, app.Options{Sandbox: true, Version: version, Log: log})
	if err != nil {
		return notStarted(ctx, errors.Join(err, listener.Close()))
	}
	certified, err := listenForCertified(ctx, c, a, pair, log)
	if err != nil {
		return notStarted(ctx, errors.Join(err, listener.Close(), a.Close()))
	}
	if err := greet(ctx, c, a, clock.System{}.Now().Sub(began)); err != nil {
		return notStarted(ctx, errors.Join(err, listener.Close(), certified.close(), a.Close()))
	}
	later.release()
	return serve(ctx, c, log, a, listener, certified, reloading{pair: pair})
}

// greet prints where the sandbox is and one command that works as it stands.
func greet(ctx context.Context, c config.Config, a *app.App, took time.Duration) error {
	people, err := a.TestPeople(ctx)
	if err != nil {
		return err
	}
	fmt.Printf(
		"\nThe sandbox is ready after %d ms.\n\n  API    %s/v1\n  docs   %s/docs\n\nTest people:\n", took.Milliseconds(), c.PublicURL,
		c.PublicURL,
	)
	for _, p := range people {
		fmt.Printf("  %-20s  %-16s  PIN %-16s  %s\n", p.Key, p.TaxCode, p.PIN, p.Description)
	}
	fmt.Printf(
		"\nLog in:\n\n  curl -s %s/v1/sessions -H 'Content-Type: application/json' -d '{\"tax_code\":%q,\"pin\":%q}'\n\n", c.PublicURL,
		people[0].TaxCode, people[0].PIN,
	)
	fmt.Printf("Make a test card and log in with it:\n\n  diresco card %s --authority %s\n\n", people[0].TaxCode, app.CardsDir(c.DataDir))
	return nil
}
