package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a process of this machine, by its id; zero is none. What is asked about it comes from
// Linux's /proc.
type process int

func (p process) file(name string) string {
	return filepath.Join("/proc", strconv.Itoa(int(p)), name)
}

// resetPeak forgets the highest memory so far.
func (p process) resetPeak() {
	if p != 0 {
		// Where that is not allowed the peak is the one since the start, which is never too low.
		_ = os.WriteFile(p.file("clear_refs"), []byte("5"), 0)
	}
}

// peak returns the highest resident memory since resetPeak, in bytes, and 0 where it cannot be
// known.
func (p process) peak() int64 { return p.memory("VmHWM:") }

// resident returns the resident memory, in bytes, and 0 where it cannot be known.
func (p process) resident() int64 { return p.memory("VmRSS:") }

// anonymous returns the resident memory that is no file's, in bytes, and 0 where it cannot be known.
func (p process) anonymous() int64 { return p.memory("RssAnon:") }

func (p process) memory(field string) int64 {
	if p == 0 {
		return 0
	}
	status, err := os.ReadFile(p.file("status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, found := strings.CutPrefix(line, field); found {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// tick is the unit of CPU time in /proc: USER_HZ, which is 100 on every Linux.
const tick = time.Second / 100

// stat is what /proc/PID/stat says about a process.
type stat struct {
	parent process
	// own is its CPU time, waited that of its children which ended.
	own, waited time.Duration
}

func (p process) stat() (stat, error) {
	content, err := os.ReadFile(p.file("stat"))
	if err != nil {
		return stat{}, err
	}
	// The second field is the name of the program, in brackets, and may hold anything.
	fields := strings.Fields(string(content[bytes.LastIndexByte(content, ')')+1:]))
	const parent, user, system, waitedUser, waitedSystem = 1, 11, 12, 13, 14
	if len(fields) <= waitedSystem {
		return stat{}, fmt.Errorf("%s is too short", p.file("stat"))
	}
	var n [5]int64
	for i, at := range []int{parent, user, system, waitedUser, waitedSystem} {
		if n[i], err = strconv.ParseInt(fields[at], 10, 64); err != nil {
			return stat{}, err
		}
	}
	return stat{parent: process(n[0]), own: time.Duration(n[1]+n[2]) * tick, waited: time.Duration(n[3]+n[4]) * tick}, nil
}

// usage is CPU time by who used it.
type usage struct {
	server, database, load time.Duration
	// machine is what everybody on the machine used.
	machine time.Duration
}

// others is the CPU time of what has nothing to do with the measurement. Ticks are coarse, so a
// little may be ours.
func (u usage) others() time.Duration {
	return max(0, u.machine-u.server-u.database-u.load)
}

func (u usage) since(before usage) usage {
	return usage{u.server - before.server, u.database - before.database, u.load - before.load, u.machine - before.machine}
}

// meter reads CPU times.
type meter struct {
	// postmaster is the parent of PostgreSQL's processes; zero where there is none.
	postmaster process
}

func (m meter) read(server process) (usage, error) {
	var u usage
	var self syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &self); err != nil {
		return u, err
	}
	u.load = time.Duration(self.Utime.Nano() + self.Stime.Nano())
	switch server {
	case 0:
	case process(os.Getpid()):
		// Server and load generator in one process cannot be told apart.
		u.server, u.load = u.load, 0
	default:
		s, err := server.stat()
		if err != nil {
			return u, err
		}
		u.server = s.own
	}
	var err error
	if u.database, err = m.tree(); err != nil {
		return u, err
	}
	u.machine, err = machineTime()
	return u, err
}

// tree returns the CPU time of PostgreSQL's processes, past ones included.
func (m meter) tree() (time.Duration, error) {
	if m.postmaster == 0 {
		return 0, nil
	}
	root, err := m.postmaster.stat()
	if err != nil {
		return 0, err
	}
	total := root.own + root.waited
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, entry := range entries {
		id, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		s, err := process(id).stat()
		if err == nil && s.parent == m.postmaster {
			total += s.own
		}
	}
	return total, nil
}

// machineTime returns the time that all cores together were not idle. Time that the host of a
// virtual machine took away counts as well.
func machineTime() (time.Duration, error) {
	content, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(content), "\n")
	fields := strings.Fields(first)
	const steal = 8
	if len(fields) <= steal || fields[0] != "cpu" {
		return 0, errors.New("/proc/stat has no times")
	}
	var total time.Duration
	const idle, ioWait = 4, 5
	for i := 1; i <= steal; i++ {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, err
		}
		if i != idle && i != ioWait {
			total += time.Duration(n) * tick
		}
	}
	return total, nil
}

// loadAverage is the machine's, over one, five and fifteen minutes.
func loadAverage() string {
	content, err := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(content))
	if err != nil || len(fields) < 3 {
		return "unknown"
	}
	return strings.Join(fields[:3], " ")
}

// processor is the name of the machine's processor.
func processor() string {
	content, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(content)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// syncTime returns the median time of a durable write of one database page in the directory. A
// commit costs at least that.
func syncTime(dir string) (time.Duration, error) {
	file, err := os.CreateTemp(dir, "sync-")
	if err != nil {
		return 0, err
	}
	defer func() {
		_ = file.Close()
		_ = os.Remove(file.Name())
	}()
	page := make([]byte, 8<<10)
	times := make([]time.Duration, 200)
	for i := range times {
		begun := time.Now()
		if _, err := file.WriteAt(page, 0); err != nil {
			return 0, err
		}
		if err := syscall.Fdatasync(int(file.Fd())); err != nil {
			return 0, err
		}
		times[i] = time.Since(begun)
	}
	slices.Sort(times)
	return quantile(times, 0.5), nil
}
