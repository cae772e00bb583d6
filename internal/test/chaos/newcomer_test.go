package chaos

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"diresco/internal/platform/clock"
)

// root is where the repository begins, seen from this package.
var root = filepath.Join("..", "..", "..")

var (
	fiveCommands = regexp.MustCompile(`(?ms)^## Five commands$(.*?)^## `)
	consoleLine  = regexp.MustCompile(`(?m)^\$ (.+)$`)
	// goesOn is the end of a line whose command has another one.
	goesOn = regexp.MustCompile(`(\||\\)$`)
)

// newcomersCommands returns the commands that README promises: the one that runs the sandbox, and
// those of the other terminal.
func newcomersCommands(t *testing.T) (sandbox string, others []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	section := fiveCommands.FindSubmatch(text)
	if section == nil {
		t.Fatal("README has no five commands")
	}
	run := consoleLine.FindAllSubmatch(section[1], -1)
	block := shellBlock.FindSubmatch(section[1])
	if len(run) != 1 || block == nil {
		t.Fatalf("%d commands run the sandbox", len(run))
	}
	command := ""
	for line := range strings.Lines(string(block[2])) {
		command += line
		if !goesOn.MatchString(strings.TrimSpace(line)) {
			others = append(others, command)
			command = ""
		}
	}
	return string(run[0][1]), others
}

// TestNewcomer_FilesADeclarationWithFiveCommands: whoever has the sources does what README says,
// and nothing else. The time of each step is printed.
func TestNewcomer_FilesADeclarationWithFiveCommands(t *testing.T) {
	sandbox, others := newcomersCommands(t)
	if len(others) != 4 {
		t.Fatalf("%d commands beside the sandbox's: %q", len(others), others)
	}
	address := freeAddress(t)
	began := clock.System{}.Now()
	took := func(step string, since time.Time) {
		t.Logf("%8d ms  %s", clock.System{}.Now().Sub(since).Milliseconds(), step)
	}

	server := exec.CommandContext(t.Context(), "bash", "-c", "exec "+sandbox)
	server.Dir, server.Env = root, variables{"ADDR": address}.environment("TMPDIR="+t.TempDir())
	// The Go tool runs the program as a child of its own.
	server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	var stderr output
	server.Stderr = &stderr
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-server.Process.Pid, syscall.SIGTERM)
		_, _ = io.Copy(io.Discard, stdout)
		_ = server.Wait() // it was told to end
	})
	lines := bufio.NewScanner(stdout)
	for ready := false; !ready; ready = apiLine.MatchString(lines.Text()) {
		if !lines.Scan() {
			t.Fatalf("the sandbox ended by itself: %s", stderr.end())
		}
	}
	took("build and run the sandbox", began)

	shell := exec.CommandContext(t.Context(), "bash")
	shell.Dir = t.TempDir()
	shell.Stderr = &stderr
	in, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	printed := bufio.NewScanner(out)
	last := ""
	for i, command := range others {
		since := clock.System{}.Now()
		const end = "--- end of step "
		if _, err := in.Write([]byte(strings.ReplaceAll(command, "127.0.0.1:8080", address) + "\necho '" + end + "'\n")); err != nil {
			t.Fatal(err)
		}
		for printed.Scan() && printed.Text() != end {
			last = printed.Text()
		}
		took("command "+strconv.Itoa(i+2), since)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := shell.Wait(); err != nil {
		t.Errorf("%v: %s", err, stderr.end())
	}
	if !strings.HasPrefix(last, "INPS.") {
		t.Errorf("the last command printed %q: %s", last, stderr.end())
	}
	took("from nothing to the first declaration", began)
}
