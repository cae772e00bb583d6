// Package examples_test runs the examples by the commands that their page shows.
package examples_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"diresco/examples/internal/trial"
)

var command = regexp.MustCompile(`(?m)^\$ (go run \./examples/(\w+) .*)$`)

// program is a command that runs.
type program struct {
	t     *testing.T
	lines *bufio.Scanner
}

// run starts a command in the root of the repository, in a group of its own.
func run(t *testing.T, text, home string) program {
	t.Helper()
	c := exec.CommandContext(context.WithoutCancel(t.Context()), "bash", "-c", "exec "+text)
	c.Dir, c.Env = "..", append(os.Environ(), "XDG_CONFIG_HOME="+home)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGINT) // one that has ended by itself is gone
		_ = c.Wait()                                     // go run calls an interrupt a failure
	})
	return program{t, bufio.NewScanner(out)}
}

// await returns the first line that has the text.
func (p program) await(text string) string {
	p.t.Helper()
	var before []string
	for p.lines.Scan() {
		if line := p.lines.Text(); strings.Contains(line, text) {
			return line
		}
		before = append(before, p.lines.Text())
	}
	p.t.Fatalf("it never said %q: %s", text, strings.Join(before, "\n"))
	return ""
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// TestExamples_RunByTheCommandsOfTheirPage: each with one command, on a machine that has nothing but
// this repository.
func TestExamples_RunByTheCommandsOfTheirPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	service, dir, web := trial.Sandbox(t), t.TempDir(), freeAddress(t)
	here := strings.NewReplacer("http://127.0.0.1:8080", service, "127.0.0.1:5173", web, "127.0.0.1:9099", freeAddress(t),
		"-out receipts", "-out "+filepath.Join(dir, "receipts"), "-data webhook-data", "-data "+filepath.Join(dir, "webhook-data"))
	commands := map[string]string{}
	for _, found := range command.FindAllStringSubmatch(string(page), -1) {
		commands[found[2]] = here.Replace(found[1])
	}
	if len(commands) != 3 {
		t.Fatalf("the page has %v", commands)
	}
	run(t, commands["webapp"], dir).await("Open http://" + web + "/")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+web+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("the page: %v, %v", answer, err)
	}
	_ = answer.Body.Close()

	receiver := run(t, commands["webhooks"], dir)
	receiver.await("Listening at ")
	payroll := run(t, commands["payroll"], dir)
	code := strings.Fields(payroll.await("Type "))[1]
	trial.NewPerson(t, service, "rep-rome").LetInDevice(code)
	payroll.await("4 of 4 filed")
	receiver.await("consent.given")
	receipts, err := filepath.Glob(filepath.Join(dir, "receipts", "*.pdf"))
	if err != nil || len(receipts) != 4 {
		t.Errorf("%v, %v", receipts, err)
	}
}

// TestExamples_CanBeTakenAway: what a folder needs of this repository, without its tests, is the Go
// client, as the page says.
func TestExamples_CanBeTakenAway(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"payroll", "webapp", "webhooks"} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{join .Imports "\n"}}`, "./"+folder).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, needed := range strings.Fields(string(out)) {
			if strings.HasPrefix(needed, "diresco/") && needed != "diresco/api/client" {
				t.Errorf("%s needs %s", folder, needed)
			}
		}
	}
}
