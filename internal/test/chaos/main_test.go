package chaos

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"diresco/db"
	// The tests run a program that imports this package. Results of tests are cached by what their
	// package imports, so this import runs them again when the program changes.
	_ "diresco/internal/app"
	"diresco/internal/test/dbtest"
)

// binary is the path of the program.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "diresco-chaos-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "diresco")
	if err := build(binary); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if shared.server != nil {
			shared.server.Close()
		}
	}()
	return m.Run()
}

func build(path string) error {
	const command = "../../../cmd/diresco"
	// Looked at so that a change of the command, which cannot be imported, makes cached results
	// stale.
	sources, err := filepath.Glob(command + "/*.go")
	if err != nil {
		return err
	}
	for _, source := range sources {
		if _, err := os.Stat(source); err != nil {
			return err
		}
	}
	building := exec.CommandContext(context.Background(), "go", "build", "-o", path, command)
	building.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := building.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, out)
	}
	return nil
}

// shared is the PostgreSQL server of all tests here. It is one that can be killed, so
// TEST_DATABASE_URL is of no use.
var shared struct {
	once   sync.Once
	server *dbtest.Server
	err    error
}

// postgres returns the server, running, and the address of a new, empty database of it. What was
// committed there survives its crash.
func postgres(t *testing.T) (*dbtest.Server, string) {
	t.Helper()
	shared.once.Do(func() { shared.server, shared.err = dbtest.NewServer(true) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	if err := shared.server.Start(); err != nil {
		t.Fatal(err)
	}
	url, err := shared.server.NewDatabase()
	if err != nil {
		t.Fatal(err)
	}
	return shared.server, url
}

// open opens the database of a program that may still run.
func open(t *testing.T, url string) *db.DB {
	t.Helper()
	return dbtest.Open(t, url)
}

// pause waits for a time, or until the context ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// upTo is a random time below the limit: a crash comes when it comes.
func upTo(limit time.Duration) time.Duration {
	n, err := rand.Int(rand.Reader, big.NewInt(int64(limit)))
	if err != nil {
		panic(err)
	}
	return time.Duration(n.Int64())
}

// patience is how long something that must happen may take on a busy machine before a test gives
// up.
const patience = time.Minute

// eventually returns once the condition holds, and ends the test when it never does.
func eventually(t *testing.T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	for !holds() {
		if ctx.Err() != nil {
			t.Fatalf("not within %v: %s", within, what)
		}
		pause(ctx, 5*time.Millisecond)
	}
}
