package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// adapter is a file that a revision's own load generator gets. So the revision fills a database of
// its own schema, and says which variables its server knows.
//
//go:embed adapter.go.txt
var adapter []byte

// adapterVariable names the database that the adapter is to fill.
const adapterVariable = "BENCH_ADAPTER_DATABASE"

// The places in the variables that a revision gives.
const (
	addressPlace   = "{address}"
	databasePlace  = "{database}"
	directoryPlace = "{directory}"
)

// revision is a program that is measured: the one of this working tree, or of an earlier commit.
type revision struct {
	name, binary string
	size         int64
	// adapter is the program that fills its databases; empty for the working tree.
	adapter   string
	variables map[string]string
}

// workingTree builds what is here.
func workingTree(ctx context.Context, dir string) (*revision, error) {
	files := filepath.Join(dir, "now")
	if err := os.Mkdir(files, 0o750); err != nil {
		return nil, err
	}
	r := &revision{name: "now", variables: serveVariables(addressPlace, databasePlace, directoryPlace)}
	var err error
	r.binary, r.size, err = buildBinary(ctx, "", files)
	return r, err
}

// earlier builds a commit of this repository, from a copy in the directory.
func earlier(ctx context.Context, commit, dir string) (*revision, error) {
	top, err := output(ctx, "", "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	name, err := output(ctx, top, "git", "rev-parse", "--verify", "--short", commit+"^{commit}")
	if err != nil {
		return nil, err
	}
	root, archive := filepath.Join(dir, "source"), filepath.Join(dir, "source.tar")
	if err := os.Mkdir(root, 0o750); err != nil {
		return nil, err
	}
	for _, command := range [][]string{{"git", "archive", "--output", archive, name}, {"tar", "-xf", archive, "-C", root}} {
		if _, err := output(ctx, top, command...); err != nil {
			return nil, err
		}
	}
	r := &revision{name: name, adapter: filepath.Join(dir, "adapter")}
	if r.binary, r.size, err = buildBinary(ctx, root, dir); err != nil {
		return nil, err
	}
	where, err := generatorOf(root)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(root, where, "zz_adapter.go"), adapter, 0o600); err != nil {
		return nil, err
	}
	_, err = output(ctx, root, "go", "build", "-o", r.adapter, "./"+where)
	return r, err
}

// generatorOf finds the load generator in a tree; it has moved once.
func generatorOf(root string) (string, error) {
	for _, where := range []string{"internal/test/bench", "internal/bench"} {
		if info, err := os.Stat(filepath.Join(root, where)); err == nil && info.IsDir() {
			return where, nil
		}
	}
	return "", errors.New("this revision has no load generator, so nothing fills a database for it")
}

// output runs a command in a directory and returns what it prints.
func output(ctx context.Context, dir string, command ...string) (string, error) {
	run := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // our own commands
	run.Dir = dir
	var failure bytes.Buffer
	run.Stderr = &failure
	out, err := run.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, failure.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}

// seed fills a database of the revision's schema.
func (r *revision) seed(ctx context.Context, databaseURL string) (*world, error) {
	if r.adapter == "" {
		return seed(ctx, databaseURL)
	}
	run := exec.CommandContext(ctx, r.adapter) //nolint:gosec // built above
	run.Env = append(os.Environ(), adapterVariable+"="+databaseURL)
	run.Stderr = os.Stderr
	out, err := run.Output()
	if err != nil {
		return nil, fmt.Errorf("%s fills its database: %w", r.name, err)
	}
	w, variables, err := readAdapter(out)
	r.variables = variables
	return w, err
}

// shownFiler is what the adapter tells of a filer.
type shownFiler struct {
	TaxCode     string `json:"tax_code"`
	Contributor string `json:"contributor"`
	Office      string `json:"office"`
	Spread      string `json:"spread"`
	Central     string `json:"central"`
}

func (s shownFiler) filer() *filer {
	return &filer{
		user: user{taxCode: s.TaxCode}, contributor: s.Contributor, office: s.Office, spread: s.Spread, central: s.Central,
	}
}

// readAdapter reads what the adapter tells.
func readAdapter(out []byte) (*world, map[string]string, error) {
	var told struct {
		PIN       string            `json:"pin"`
		Filers    []shownFiler      `json:"filers"`
		Long      shownFiler        `json:"long"`
		Short     shownFiler        `json:"short"`
		Logins    []string          `json:"logins"`
		Variables map[string]string `json:"variables"`
	}
	if err := json.Unmarshal(out, &told); err != nil {
		return nil, nil, fmt.Errorf("what the adapter tells: %w", err)
	}
	if told.PIN == "" || len(told.Filers) == 0 || len(told.Logins) == 0 {
		return nil, nil, errors.New("the adapter does not tell who is in the database")
	}
	w := &world{pin: told.PIN, long: told.Long.filer(), short: told.Short.filer()}
	for _, f := range told.Filers {
		w.filers = append(w.filers, f.filer())
	}
	for _, code := range told.Logins {
		w.logins = append(w.logins, &user{taxCode: code})
	}
	return w, told.Variables, nil
}

// environment fills in the places of the revision's variables.
func (r *revision) environment(address, databaseURL, dir string) map[string]string {
	places := strings.NewReplacer(addressPlace, address, databasePlace, databaseURL, directoryPlace, dir)
	filled := map[string]string{}
	for name, value := range r.variables {
		filled[name] = places.Replace(value)
	}
	return filled
}
