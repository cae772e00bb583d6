//go:build peers

package peers

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"diresco/internal/test/dbtest"
)

// binary is the path of the program.
var binary string

func TestMain(m *testing.M) { os.Exit(build(m)) }

// build builds the program and runs the tests.
func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "diresco-peers-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "diresco")
	building := exec.CommandContext(context.Background(), "go", "build", "-o", binary, "../../../cmd/diresco")
	if out, err := building.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v: %s\n", err, out)
		return 1
	}
	return dbtest.Run(m)
}

// patience is how long something that must happen may take on a busy machine.
const patience = time.Minute

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

// process is a program that runs until the test ends.
type process struct {
	t       *testing.T
	command *exec.Cmd
	exited  chan struct{}
	log     output
}

// run starts a program as a plain process of this test, ended by its number.
func run(t *testing.T, command *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, command: command, exited: make(chan struct{})}
	command.Stdout, command.Stderr = &p.log, &p.log
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	// A group of its own, so that workers end with their master.
	command.SysProcAttr.Setpgid, command.SysProcAttr.Pdeathsig = true, syscall.SIGTERM
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		_ = command.Wait() // its log says all
	}()
	t.Cleanup(func() {
		p.end()
		if t.Failed() {
			text := p.log.String()
			t.Logf("the last words of %s:\n%s", filepath.Base(command.Path), text[max(0, len(text)-3000):])
		}
	})
	return p
}

// end asks the process to end, and kills its group if it does not.
func (p *process) end() {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(20 * time.Second)
	defer timer.Stop()
	select {
	case <-p.exited:
	case <-timer.C:
		_ = syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL)
		<-p.exited
		p.t.Errorf("%s did not end by itself", filepath.Base(p.command.Path))
	}
	_ = syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL)
}

func (p *process) runs() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// peer returns the path of a program that must be installed.
func peer(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/local/sbin") {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path
		}
	}
	t.Fatalf("%s is not installed (Debian: apt-get install nginx haproxy pgbouncer clamav-daemon)", name)
	return ""
}

// place makes a directory for a peer with its configuration, and returns both paths.
func place(t *testing.T, configuration string) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	file = filepath.Join(dir, "configuration")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, file
}

// unprivileged lets a program that refuses to be root run as the user of the test's database. That
// user then owns the directory.
func unprivileged(t *testing.T, command *exec.Cmd, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		if account, err = user.Lookup("nobody"); err != nil {
			t.Fatal(err)
		}
	}
	uid, gid := number(t, account.Uid), number(t, account.Gid)
	// The directory of the test itself is root's alone.
	for parent := dir; parent != os.TempDir() && parent != "/"; parent = filepath.Dir(parent) {
		if err := os.Chmod(parent, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	err = filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, int(uid), int(gid))
	})
	if err != nil {
		t.Fatal(err)
	}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
}

func number(t *testing.T, text string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

// freePort is a port of loopback that nobody listens on, and that the system gives to no
// connection.
func freePort(t *testing.T) string {
	t.Helper()
	const first, ports, tries = 20_000, 10_000, 100
	for range tries {
		n, err := rand.Int(rand.Reader, big.NewInt(ports))
		if err != nil {
			t.Fatal(err)
		}
		port := strconv.FormatInt(first+n.Int64(), 10)
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = listener.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// eventually returns once the condition holds, and ends the test when it never does.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// listens waits until somebody listens on the port.
func (p *process) listens(port string) {
	p.t.Helper()
	eventually(p.t, filepath.Base(p.command.Path)+" listens", func() bool {
		if !p.runs() {
			p.t.Fatal("it ended by itself")
		}
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(p.t.Context(), "tcp", "127.0.0.1:"+port)
		if err == nil {
			err = conn.Close()
		}
		return err == nil
	})
}

// sandbox is the program with its test data on a database.
type sandbox struct {
	*process
	t    *testing.T
	port string
}

// start runs a sandbox on the database, with further variables (without their prefix).
func start(t *testing.T, database string, variables ...string) sandbox {
	t.Helper()
	port := freePort(t)
	command := exec.CommandContext(context.WithoutCancel(t.Context()), binary, "sandbox")
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "DIRESCO_") && !strings.HasPrefix(entry, "OTEL_") {
			command.Env = append(command.Env, entry)
		}
	}
	dir := t.TempDir()
	always := []string{"ADDR=127.0.0.1:" + port, "DATA_DIR=" + dir, "DATABASE_URL=" + database, "LOG_LEVEL=warn"}
	for _, v := range append(always, variables...) {
		command.Env = append(command.Env, "DIRESCO_"+v)
	}
	command.Dir = dir
	s := sandbox{process: run(t, command), t: t, port: port}
	at := site{t, "http://127.0.0.1:" + port}
	eventually(t, "the sandbox is ready", func() bool {
		if !s.runs() {
			t.Fatal("the sandbox ended by itself")
		}
		a, err := at.send(request{method: "GET", path: "/v1/status"})
		return err == nil && a.status == 200
	})
	return s
}

// site is the program itself, without a peer in front.
func (s sandbox) site() site { return site{s.t, "http://127.0.0.1:" + s.port} }

var errNoAnswer = errors.New("no whole answer")
