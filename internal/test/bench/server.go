package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"diresco/internal/app"
	"diresco/internal/platform/config"
	"diresco/internal/platform/telemetry"
)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 20 * time.Second
	// settle is how long a started process is left alone before its idle memory is read.
	settle = 3 * time.Second
)

// server is a program that answers HTTP, started by us.
type server struct {
	process
	address string
	stop    func() error
}

// buildBinary builds the program as it is released and returns its path and size. Its source is in
// the root; empty is this working tree.
func buildBinary(ctx context.Context, root, dir string) (path string, size int64, err error) {
	path = filepath.Join(dir, "diresco")
	build := exec.CommandContext( //nolint:gosec // our own path
		ctx, "go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=bench", "-o", path, "diresco/cmd/diresco",
	)
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", 0, fmt.Errorf("go build: %w: %s", err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", 0, err
	}
	return path, info.Size(), nil
}

// environment is ours without what would configure the program, and with the given variables.
func environment(variables map[string]string) []string {
	var all []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "DIRESCO_") && !strings.HasPrefix(entry, "OTEL_") {
			all = append(all, entry)
		}
	}
	for name, value := range variables {
		all = append(all, "DIRESCO_"+name+"="+value)
	}
	return all
}

// freeAddress is a loopback address that nobody listens on now.
func freeAddress(ctx context.Context) (string, error) {
	var listening net.ListenConfig
	listener, err := listening.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// start starts a program that listens at the address, and waits until GET path answers 200 there.
// The program's standard error goes to the file; the error of start has the end of that file.
func start(ctx context.Context, command *exec.Cmd, address, path, log string) (*server, error) {
	output, err := os.Create(log) //nolint:gosec // our own temporary directory
	if err != nil {
		return nil, err
	}
	defer func() { _ = output.Close() }()
	command.Stderr = output
	// A group of its own: Ctrl-C is for us, who then end it in order. Should we die, the kernel
	// ends it.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		return nil, err
	}
	exited := make(chan error, 1)
	go func() { exited <- command.Wait() }()
	s := &server{process: process(command.Process.Pid), address: address}
	s.stop = func() error {
		if err := command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		select {
		case err := <-exited:
			return withLog(err, log)
		case <-time.After(stopTimeout):
			return errors.Join(errors.New("the server did not stop when it was told to"), command.Process.Kill())
		}
	}
	deadline := time.Now().Add(startTimeout)
	for !answers(ctx, address, path) {
		select {
		case err := <-exited:
			exited <- err
			return nil, fmt.Errorf("the server ended at start: %w", withLog(err, log))
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), s.stop())
		default:
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(withLog(errors.New("the server did not get ready"), log), s.stop())
		}
		pause(ctx, 2*time.Millisecond)
	}
	return s, nil
}

// withLog adds the end of the program's log to its error.
func withLog(err error, log string) error {
	if err == nil {
		return nil
	}
	content, readErr := os.ReadFile(log) //nolint:gosec // our own temporary directory
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	const end = 2000
	return fmt.Errorf("%w; the end of its log: %s", err, content[max(0, len(content)-end):])
}

// answers reports whether GET path is answered 200.
func answers(ctx context.Context, address, path string) bool {
	c, err := dial(ctx, address, nil)
	if err != nil {
		return false
	}
	defer c.close()
	status, err := c.exchange(newCall(http.MethodGet, path, address, "", nil, false).next())
	return err == nil && status == http.StatusOK
}

const statusPath = "/v1/status"

// serveVariables configure the server. All limits on the plain number of requests are at their
// highest, those on wrong PINs as always. The adapter calls it in older revisions too, so that its
// parameters stay as they are.
func serveVariables(address, databaseURL, dir string) map[string]string {
	return map[string]string{
		"ADDR": address, "ADMIN_ADDR": "", "DATABASE_URL": databaseURL, "DATA_DIR": dir, "RATE_PERSON": "1000000",
		"RATE_APPLICATION": "1000000", "RATE_ADDRESS": "1000000",
	}
}

// serve starts the real service.
func serve(ctx context.Context, binary, databaseURL, dir string, more map[string]string) (*server, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	variables := serveVariables(address, databaseURL, dir)
	maps.Copy(variables, more)
	return serveWith(ctx, binary, address, variables, filepath.Join(dir, "serve.log"))
}

// serveWith starts it with these variables.
func serveWith(ctx context.Context, binary, address string, variables map[string]string, log string) (*server, error) {
	command := exec.Command(binary, "serve") //nolint:noctx // our own binary, ended in order and not killed when the context ends
	command.Env = environment(variables)
	return start(ctx, command, address, statusPath, log)
}

// serveInside runs the service in this process, so that a profile shows it.
func serveInside(ctx context.Context, databaseURL, dir string, more map[string]string) (*server, error) {
	var listening net.ListenConfig
	listener, err := listening.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "serve.log")) //nolint:gosec // our own temporary directory
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	variables := serveVariables(address, databaseURL, dir)
	maps.Copy(variables, more)
	c, err := config.Read(environment(variables))
	if err == nil {
		err = c.Serve()
	}
	if err != nil {
		return nil, err
	}
	house, err := app.Open(ctx, c, app.Options{Version: "bench", Log: telemetry.NewLogger(log, c.LogFormat, slog.LevelInfo)})
	if err != nil {
		return nil, err
	}
	web := &http.Server{Handler: house.Handler(), ReadHeaderTimeout: startTimeout}
	go func() { _ = web.Serve(listener) }()
	stop := func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		return errors.Join(web.Shutdown(ctx), house.Close(), log.Close())
	}
	return &server{process: process(os.Getpid()), address: address, stop: stop}, nil
}

// sandboxStarts is how often the sandbox is started; the median counts.
const sandboxStarts = 5

// idle is what a program takes that has started and does nothing.
type idle struct {
	// ready is the time from its start to the first answer.
	ready               time.Duration
	resident, anonymous int64
}

// rest waits until the server has settled and looks at its memory.
func (s *server) rest(ctx context.Context, settle time.Duration) (resident, anonymous int64) {
	pause(ctx, settle)
	return s.resident(), s.anonymous()
}

// startSandboxes starts sandboxes, each on new data. It returns the median time to the first answer
// and the memory of the last.
func startSandboxes(ctx context.Context, binary, dir string) (idle, error) {
	var times []time.Duration
	var last idle
	for i := range sandboxStarts {
		var wait time.Duration
		if i == sandboxStarts-1 {
			wait = settle
		}
		var err error
		if last, err = startSandbox(ctx, binary, dir, wait); err != nil {
			return idle{}, err
		}
		times = append(times, last.ready)
	}
	last.ready = median(times)
	return last, nil
}

// startSandbox starts a sandbox on new data and ends it when it has settled.
func startSandbox(ctx context.Context, binary, dir string, settle time.Duration) (found idle, err error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return found, err
	}
	command := exec.Command(binary, "sandbox") //nolint:noctx // as in serve
	command.Env = environment(map[string]string{"ADDR": address})
	begun := time.Now()
	s, err := start(ctx, command, address, statusPath, filepath.Join(dir, "sandbox.log"))
	if err != nil {
		return found, err
	}
	found.ready = time.Since(begun)
	found.resident, found.anonymous = s.rest(ctx, settle)
	return found, errors.Join(s.stop(), ctx.Err())
}
