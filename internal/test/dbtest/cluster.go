package dbtest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
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

var errNoPostgres = errors.New(
	"PostgreSQL is needed: set TEST_DATABASE_URL to a server where databases may be created, or install the server (Debian: apt-get " +
		"install postgresql)",
)

// Cluster starts a throwaway PostgreSQL cluster for a program that is no test; durable switches
// fsync on.
func Cluster(durable bool) (rawURL string, stop func(), err error) {
	s, err := NewServer(durable)
	if err != nil {
		return "", nil, err
	}
	return s.URL(), s.Close, nil
}

// Server is a throwaway PostgreSQL server that can be killed and started again on the same data. It
// listens on a Unix socket in a temporary directory and nowhere else. Its methods are for one
// goroutine.
type Server struct {
	dir, bin   string
	durable    bool
	attributes *syscall.SysProcAttr
	address    *url.URL
	// process is the postmaster; nil while the server is down.
	process *os.Process
	exited  chan struct{}
}

// startTimeout is how long the server may take to answer, recovery from a crash included.
const startTimeout = 30 * time.Second

// NewServer makes a new cluster and starts it. A durable one survives a crash of the machine, the
// others may lose what they wrote but are quicker.
func NewServer(durable bool) (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "diresco-pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin, durable: durable, address: &url.URL{
		Scheme: "postgres", User: url.User("postgres"), Path: "/postgres", RawQuery: url.Values{"host": {dir}}.Encode(),
	}}
	if err := s.create(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// NewStandby makes a standby that follows the server, which runs, and starts it.
func (s *Server) NewStandby() (*Server, error) {
	n, err := s.sibling()
	if err != nil {
		return nil, err
	}
	backup := exec.Command( //nolint:gosec // as in create
		filepath.Join(s.bin, "pg_basebackup"), "-h", s.dir, "-U", "postgres", "-D", n.data(), "--checkpoint=fast", "--no-sync",
		"--write-recovery-conf",
	)
	backup.SysProcAttr, backup.Dir = n.attributes, n.dir
	if out, failed := backup.CombinedOutput(); failed != nil {
		err = fmt.Errorf("pg_basebackup: %w: %s", failed, out)
	} else {
		err = n.Start()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(n.dir))
	}
	return n, nil
}

// Directory makes a directory beside the server's data, which its account may write.
func (s *Server) Directory(name string) (string, error) {
	dir := filepath.Join(s.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	_, err := unprivileged(dir)
	return dir, err
}

// Successor makes a server on data that fill puts at the path which it is given, and starts it.
func (s *Server) Successor(fill func(data string) error) (*Server, error) {
	n, err := s.sibling()
	if err != nil {
		return nil, err
	}
	err = fill(n.data())
	if err == nil {
		err = filepath.WalkDir(n.data(), func(path string, _ fs.DirEntry, err error) error {
			if err == nil {
				_, err = unprivileged(path)
			}
			return err
		})
	}
	if err == nil {
		err = n.Start()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(n.dir))
	}
	return n, nil
}

// sibling is a server like this one that has no data yet.
func (s *Server) sibling() (*Server, error) {
	dir, err := os.MkdirTemp("", "diresco-pg-")
	if err != nil {
		return nil, err
	}
	n := &Server{dir: dir, bin: s.bin, durable: s.durable, address: &url.URL{
		Scheme: "postgres", User: url.User("postgres"), Path: s.address.Path, RawQuery: url.Values{"host": {dir}}.Encode(),
	}}
	if n.attributes, err = unprivileged(dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return n, nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) create() (err error) {
	if s.attributes, err = unprivileged(s.dir); err != nil {
		return err
	}
	initialise := exec.Command( //nolint:gosec // the path comes from this machine's own installation
		filepath.Join(s.bin, "initdb"), "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync",
	)
	initialise.SysProcAttr = s.attributes
	initialise.Dir = s.dir
	if out, err := initialise.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

// URL is the address of the server's first database, which is empty.
func (s *Server) URL() string { return s.address.String() }

// NewDatabase makes an empty database and returns its address.
func (s *Server) NewDatabase() (string, error) {
	name := make([]byte, 8)
	if _, err := rand.Read(name); err != nil {
		return "", err
	}
	database := "d_" + hex.EncodeToString(name)
	if err := administerErr(s.address, "CREATE DATABASE "+database); err != nil {
		return "", err
	}
	return withDatabase(s.address, database).String(), nil
}

// Start starts the server again, on the data that are there, and waits until it answers. One that
// runs is left alone; one that ended by itself is not.
func (s *Server) Start() error {
	if s.process != nil {
		select {
		case <-s.exited:
			s.process = nil
		default:
			return nil
		}
	}
	arguments := []string{"-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=200", "-c", "shared_buffers=128MB"}
	if !s.durable {
		arguments = append(arguments, "-c", "fsync=off", "-c", "full_page_writes=off")
	}
	server := exec.Command(filepath.Join(s.bin, "postgres"), arguments...) //nolint:gosec // as in create
	server.SysProcAttr = s.attributes
	server.Dir = s.dir
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = server.Wait()
	}()
	s.process, s.exited = server.Process, exited
	deadline := time.After(startTimeout)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for administerErr(s.address, "SELECT 1") != nil {
		select {
		case <-tick.C:
		case <-exited:
			s.process = nil
			return fmt.Errorf("postgres ended at start: %s", s.endOfLog())
		case <-deadline:
			return errors.Join(fmt.Errorf("postgres did not answer within %v: %s", startTimeout, s.endOfLog()), s.Kill())
		}
	}
	return nil
}

func (s *Server) endOfLog() []byte {
	out, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	const end = 2000
	return out[max(0, len(out)-end):]
}

// Kill ends the server by SIGKILL, all of its processes together, as a machine does that loses
// power. Each of them leads a process group of its own, so that they are found by their parent.
func (s *Server) Kill() error {
	if s.process == nil {
		return nil
	}
	// A postmaster that stands still starts no further ones.
	if err := s.process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	children, err := childrenOf(s.process.Pid)
	for _, pid := range children {
		if killErr := syscall.Kill(pid, syscall.SIGKILL); killErr != nil && !errors.Is(killErr, syscall.ESRCH) {
			err = errors.Join(err, killErr)
		}
	}
	err = errors.Join(err, s.process.Kill())
	<-s.exited
	s.process = nil
	// Whoever still had the shared memory would keep the next server from starting.
	deadline := time.After(startTimeout)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for _, pid := range children {
		for lives(pid) {
			select {
			case <-tick.C:
			case <-deadline:
				return errors.Join(err, fmt.Errorf("process %d of postgres outlived SIGKILL", pid))
			}
		}
	}
	return err
}

// StopAtOnce ends the server without waiting for anybody and without a checkpoint (an immediate
// shutdown). Its next start begins with a recovery.
func (s *Server) StopAtOnce() error { return s.end(syscall.SIGQUIT) }

func (s *Server) end(signal os.Signal) error {
	if s.process == nil {
		return nil
	}
	err := s.process.Signal(signal)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	if err == nil {
		<-s.exited
		s.process = nil
	}
	return err
}

// Close ends the server and deletes its data.
func (s *Server) Close() {
	_ = s.end(syscall.SIGINT) // a fast shutdown
	_ = os.RemoveAll(s.dir)
}

// stat reads the state and the parent of a process from Linux's /proc.
func stat(pid int) (state byte, parent int, err error) {
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, 0, err
	}
	// The second field is the name of the program, in brackets, and may hold anything.
	fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
	if len(fields) < 2 {
		return 0, 0, fmt.Errorf("/proc/%d/stat is too short", pid)
	}
	parent, err = strconv.Atoi(fields[1])
	return fields[0][0], parent, err
}

// childrenOf lists the processes that a process has started.
func childrenOf(pid int) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var children []int
	for _, entry := range entries {
		child, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// One that has ended meanwhile is nobody's child.
		if _, parent, err := stat(child); err == nil && parent == pid {
			children = append(children, child)
		}
	}
	return children, nil
}

// lives reports whether the process still holds anything; a zombie does not.
func lives(pid int) bool {
	state, _, err := stat(pid)
	return err == nil && state != 'Z' && state != 'X'
}

// Program finds one of PostgreSQL's programs, such as pgbench.
func Program(name string) (string, error) {
	dir, err := binaries()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		return "", err
	}
	return path, nil
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

// unprivileged gives the directory to another user when this process is root, since the server
// refuses to run as root.
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
