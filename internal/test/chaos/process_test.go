package chaos

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// output is what a process has written so far.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String implements fmt.Stringer.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// end is the last of it, for the report of a test that failed.
func (o *output) end() string {
	const length = 4000
	text := o.String()
	return text[max(0, len(text)-length):]
}

// process is one run of the program.
type process struct {
	t              *testing.T
	command        *exec.Cmd
	exited         chan struct{}
	stdout, stderr output
}

// variables are the DIRESCO_ variables of a process, without their prefix.
type variables map[string]string

// with returns the variables and further ones.
func (v variables) with(more variables) variables {
	all := variables{}
	for name, value := range v {
		all[name] = value
	}
	for name, value := range more {
		all[name] = value
	}
	return all
}

// environment is that of the tests without what would configure the program, and with the
// variables.
func (v variables) environment(more ...string) []string {
	var all []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "DIRESCO_") && !strings.HasPrefix(entry, "OTEL_") {
			all = append(all, entry)
		}
	}
	for name, value := range v {
		all = append(all, "DIRESCO_"+name+"="+value)
	}
	return append(all, more...)
}

// launch starts the program in a directory. It ends with the test, or with the test's process, at
// the latest.
func launch(t *testing.T, dir string, environment []string, arguments ...string) *process {
	t.Helper()
	return launchProgram(t, binary, dir, environment, arguments...)
}

// launchProgram is launch for another build of the program.
func launchProgram(t *testing.T, program, dir string, environment []string, arguments ...string) *process {
	t.Helper()
	p := &process{t: t, command: exec.CommandContext(context.WithoutCancel(t.Context()), program, arguments...), exited: make(chan struct{})}
	p.command.Dir, p.command.Env, p.command.Stdout, p.command.Stderr = dir, environment, &p.stdout, &p.stderr
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		_ = p.command.Wait() // the exit code says all
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() && p.stderr.end() != "" {
			t.Logf(
				"diresco %s ended with %d; its last words:\n%s", strings.Join(arguments, " "), p.command.ProcessState.ExitCode(),
				p.stderr.end(),
			)
		}
	})
	return p
}

// runs reports whether the process has not ended yet.
func (p *process) runs() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// kill ends the process by SIGKILL.
func (p *process) kill() {
	if err := p.command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Error(err)
	}
	<-p.exited
}

// code waits for the process to end and returns its exit code.
func (p *process) code(within time.Duration) int {
	p.t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.exited:
	case <-timer.C:
		p.t.Fatalf("the process did not end within %v", within)
	}
	return p.command.ProcessState.ExitCode()
}

// terminate asks the process to end by SIGTERM, and fails the test unless it ends well.
func (p *process) terminate() {
	p.t.Helper()
	p.end(syscall.SIGTERM)
}

// end is terminate with any signal.
func (p *process) end(by os.Signal) {
	p.t.Helper()
	if err := p.command.Process.Signal(by); err != nil {
		p.t.Fatal(err)
	}
	// Longer than requests under way may take.
	if code := p.code(30 * time.Second); code != 0 {
		p.t.Errorf("asked to end, the process ended with %d", code)
	}
}

// command runs a command of the program that ends by itself.
func command(t *testing.T, v variables, arguments ...string) (stdout, stderr string, code int) {
	t.Helper()
	p := launch(t, t.TempDir(), v.environment(), arguments...)
	code = p.code(patience)
	return p.stdout.String(), p.stderr.String(), code
}

// succeed runs a command of the program that must end well, and returns what it printed.
func succeed(t *testing.T, v variables, arguments ...string) string {
	t.Helper()
	stdout, stderr, code := command(t, v, arguments...)
	if code != 0 {
		t.Fatalf("diresco %s ended with %d: %s", strings.Join(arguments, " "), code, stderr)
	}
	return stdout
}

// refuse runs a command that must not start, and returns the one line in which it says why.
func refuse(t *testing.T, v variables, arguments ...string) string {
	t.Helper()
	stdout, stderr, code := command(t, v, arguments...)
	line, rest, ended := strings.Cut(stderr, "\n")
	if code != 1 || stdout != "" || !strings.HasPrefix(line, "diresco: ") || rest != "" || !ended {
		t.Errorf("diresco %s ended with %d and said %q and %q, want one line and 1", strings.Join(arguments, " "), code, stdout, stderr)
	}
	return line
}

// freeAddress is a loopback address that nobody listens on. It is not among those that the system
// gives to connections: a client that looks for a server that is down could otherwise be connected
// to itself.
func freeAddress(t *testing.T) string {
	t.Helper()
	const first, ports, tries = 20_000, 10_000, 100
	for range tries {
		n, err := rand.Int(rand.Reader, big.NewInt(ports))
		if err != nil {
			t.Fatal(err)
		}
		address := fmt.Sprintf("127.0.0.1:%d", first+n.Int64())
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		if err == nil {
			if err := listener.Close(); err != nil {
				t.Fatal(err)
			}
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// server is the program serving at one address, where it can be ended and started again.
type server struct {
	*process
	t *testing.T
	// program is the path of what runs.
	program string
	mode    string
	given   variables
	site    site
}

// newServer returns a server that does not run yet. The mode is the command: serve or sandbox.
func newServer(t *testing.T, mode string, v variables) *server {
	t.Helper()
	address := freeAddress(t)
	return &server{t: t, program: binary, mode: mode, given: variables{"ADDR": address, "LOG_LEVEL": "warn"}.with(v), site: newSite(t, "http://"+address)}
}

// launch starts the program and does not wait for it.
func (s *server) launch() {
	s.t.Helper()
	s.process = launchProgram(s.t, s.program, s.t.TempDir(), s.given.environment(), s.mode)
}

// start starts the program and returns when it is ready.
func (s *server) start() {
	s.t.Helper()
	s.launch()
	s.ready(patience)
}

// ready returns once the program says that it is ready.
func (s *server) ready(within time.Duration) {
	s.t.Helper()
	eventually(s.t, within, "the server is ready", func() bool {
		if !s.runs() {
			s.t.Fatal("the server ended by itself")
		}
		a, err := s.site.send(s.t.Context(), request{method: http.MethodGet, path: "/v1/status"})
		return err == nil && a.status == http.StatusOK
	})
}
