package dbtest

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var errNoPostgres = errors.New("PostgreSQL is needed: set TEST_DATABASE_URL to a server where databases may be created, or install the server (Debian: apt-get install postgresql)")

// Cluster starts a throwaway PostgreSQL cluster for a program that is no test; durable switches fsync on.
func Cluster(durable bool) (rawURL string, stop func(), err error) {
	return startClusterWith(durable)
}

// startCluster makes a cluster in a temporary directory, listening on a Unix socket there and nowhere else.
func startCluster() (string, func(), error) { return startClusterWith(false) }

func startClusterWith(durable bool) (rawURL string, stop func(), err error) {
	bin, err := binaries()
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "diresco-pg-")
	if err != nil {
		return "", nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	attributes, err := unprivileged(dir)
	if err != nil {
		return "", nil, err
	}
	data := filepath.Join(dir, "data")
	initialise := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync") //nolint:gosec // the path comes from this machine's own installation
	initialise.SysProcAttr = attributes
	initialise.Dir = dir
	if out, err := initialise.CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	arguments := []string{"-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "max_connections=200", "-c", "shared_buffers=128MB"}
	if !durable {
		arguments = append(arguments, "-c", "fsync=off", "-c", "full_page_writes=off")
	}
	server := exec.Command(filepath.Join(bin, "postgres"), arguments...) //nolint:gosec // as above
	server.SysProcAttr = attributes
	server.Dir = dir
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = log.Close() }()
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		return "", nil, err
	}
	exited := make(chan error, 1)
	go func() { exited <- server.Wait() }()
	stop = func() {
		_ = server.Process.Signal(syscall.SIGINT)
		<-exited
		_ = os.RemoveAll(dir)
	}
	address := (&url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/postgres", RawQuery: url.Values{"host": {dir}}.Encode()}).String()
	base, err := url.Parse(address)
	if err != nil {
		stop()
		return "", nil, err
	}
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for administerErr(base, "SELECT 1") != nil {
		select {
		case <-tick.C:
		case waitErr := <-exited:
			out, _ := os.ReadFile(filepath.Join(dir, "log")) //nolint:gosec // our own file
			return "", nil, fmt.Errorf("postgres ended at start: %w: %s", waitErr, out)
		case <-deadline:
			stop()
			return "", nil, errors.New("postgres did not answer within 30 seconds")
		}
	}
	return address, stop, nil
}

// binaries finds the server programs: pg_config's directory, then the newest of Debian's.
func binaries() (string, error) {
	var candidates []string
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		candidates = append(candidates, strings.TrimSpace(string(out)))
	}
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	sort.Sort(sort.Reverse(sort.StringSlice(debian)))
	for _, dir := range append(candidates, debian...) {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return dir, nil
		}
	}
	return "", errNoPostgres
}

// unprivileged gives the directory to another user when this process is root, since the server refuses to run as root.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT}
	if os.Getuid() != 0 {
		return attributes, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		if account, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		return nil, err
	}
	attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attributes, nil
}
