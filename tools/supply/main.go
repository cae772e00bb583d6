// Command supply completes a binary's bill of materials with licences, and makes a table of them.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// certain is how much of a file must be the text of licences, in per cent.
const certain = 75

// module is what the binary is made of.
type module struct {
	Name, Version string
	Licences      []string
}

// known are licences under which a module may be part of a program under EUPL-1.2.
var known = []string{
	"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD-3-Clause-No-Nuclear-License", "CC0-1.0", "EUPL-1.2",
	"ISC", "MIT", "MPL-2.0", "Unlicense", "Zlib", "0BSD", publicDomain,
}

// publicDomain is no licence: the authors gave up their rights.
const publicDomain = "LicenseRef-public-domain"

// readByHand are files that say more than the text of a licence, with what was found in them.
var readByHand = map[string][]string{
	"modernc.org/libc LICENSE-3RD-PARTY.md":   {"BSD-2-Clause", "BSD-3-Clause", "MIT", publicDomain},
	"modernc.org/sqlite LICENSE-3RD-PARTY.md": {"BSD-3-Clause", "MIT", publicDomain},
	"modernc.org/sqlite LICENSE-SQLITE":       {publicDomain},
	// Where a picture comes from that is not in the program.
	"modernc.org/memory LICENSE-LOGO": nil,
}

// licencesIn are those of the files at the root of a module, in order.
func licencesIn(module, dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if e.IsDir() || !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") && !strings.HasPrefix(name, "UNLICENSE") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		if ids, read := readByHand[module+" "+e.Name()]; read {
			found = append(found, ids...)
			continue
		}
		coverage := licensecheck.Scan(text)
		if coverage.Percent < certain {
			found = append(found, "unclear: "+e.Name())
		}
		for _, m := range coverage.Match {
			found = append(found, m.ID)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// place is where the source of a module lies.
func place(name, version string) (string, error) {
	command := exec.Command("go", "mod", "download", "-json", name+"@"+version)
	command.Dir = os.TempDir() // no module's settings count
	out, err := command.Output()
	var told struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &told); jsonErr != nil || told.Error != "" {
		return "", fmt.Errorf("%s %s: %s", name, version, errors.Join(err, jsonErr, errors.New(told.Error)))
	}
	return told.Dir, nil
}

// table writes the modules with their licences. It returns an error that names each module of which
// none is known, or one that is not.
func table(modules []module) (string, error) {
	var page strings.Builder
	page.WriteString("# Licences\n\nWhat the binary is made of beside this repository (EUPL-1.2). `make sbom` writes this page.\n\n" +
		"| module | version | licences |\n|---|---|---|\n")
	var wrong []string
	for _, m := range modules {
		if len(m.Licences) == 0 || slices.ContainsFunc(m.Licences, func(l string) bool { return !slices.Contains(known, l) }) {
			wrong = append(wrong, fmt.Sprintf("%s %s: %v", m.Name, m.Version, m.Licences))
		}
		fmt.Fprintf(&page, "| %s | %s | %s |\n", m.Name, m.Version, strings.Join(m.Licences, ", "))
	}
	switch {
	case len(modules) == 0:
		return "", errors.New("the bill lists nothing")
	case len(wrong) > 0:
		return "", fmt.Errorf("licences that are not known:\n%s", strings.Join(wrong, "\n"))
	}
	return page.String(), nil
}

// complete adds the licences to the components of a bill (CycloneDX), and lists them by name.
func complete(bill map[string]any, find func(name, version string) ([]string, error)) ([]module, error) {
	components, _ := bill["components"].([]any)
	var modules []module
	for _, c := range components {
		component, _ := c.(map[string]any)
		m := module{Name: fmt.Sprint(component["name"]), Version: fmt.Sprint(component["version"])}
		var err error
		if m.Licences, err = find(m.Name, m.Version); err != nil {
			return nil, err
		}
		var licences []any
		for _, id := range m.Licences {
			member := "id" // of SPDX's list
			if id == publicDomain {
				member = "name"
			}
			licences = append(licences, map[string]any{"license": map[string]any{member: id}})
		}
		component["licenses"] = licences
		modules = append(modules, m)
	}
	slices.SortFunc(modules, func(a, b module) int { return strings.Compare(a.Name, b.Name) })
	return modules, nil
}

// run completes a bill and writes the page.
func run(billAt, pageAt string) error {
	content, err := os.ReadFile(billAt)
	if err != nil {
		return err
	}
	var bill map[string]any
	if err := json.Unmarshal(content, &bill); err != nil {
		return err
	}
	modules, err := complete(bill, func(name, version string) ([]string, error) {
		dir, err := place(name, version)
		if err != nil {
			return nil, err
		}
		return licencesIn(name, dir)
	})
	if err != nil {
		return err
	}
	page, err := table(modules)
	if err != nil {
		return err
	}
	if content, err = json.MarshalIndent(bill, "", "  "); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(billAt, append(content, '\n'), 0o644), os.WriteFile(pageAt, []byte(page), 0o644))
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: supply BILL PAGE")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
