package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path that this module's packages begin with.
const module = "diresco/"

// groups says what the packages of each group may import beside their own group, the contract and db; the doc.go of each group says
// the same in words.
var groups = map[string][]string{
	"platform":   {},
	"kernel":     {"platform"},
	"masterdata": {"platform", "kernel"},
	"identity":   {"platform", "kernel", "masterdata"},
	"mandate":    {"platform", "kernel", "masterdata", "identity"},
	"filing":     {"platform", "kernel", "masterdata"},
	"dossier":    {"platform", "kernel", "masterdata", "identity", "mandate", "filing"},
	"messaging":  {"platform", "kernel", "masterdata", "identity"},
	"sandbox":    {"platform", "kernel", "masterdata", "identity", "mandate", "filing", "dossier", "messaging"},
	"httpapi":    {"platform", "kernel", "masterdata", "identity", "mandate", "filing", "dossier", "messaging", "sandbox"},
	"app":        {"platform", "kernel", "masterdata", "identity", "mandate", "filing", "dossier", "messaging", "sandbox", "httpapi"},
}

// group is the group of a path below internal, such as "kernel" for kernel/access.
func group(below string) string {
	first, _, _ := strings.Cut(below, "/")
	return first
}

// TestLayers_NothingImportsUpwards walks the imports of every product file.
func TestLayers_NothingImportsUpwards(t *testing.T) {
	found := map[string]bool{}
	for file, imports := range productFiles(t) {
		from := group(file)
		allowed, known := groups[from]
		if !known {
			if from != "test" {
				t.Errorf("internal/%s stands in no group", file)
			}
			continue
		}
		found[from] = true
		for _, imported := range imports {
			below, ours := strings.CutPrefix(imported, module+"internal/")
			if ours && group(below) != from && !slices.Contains(allowed, group(below)) {
				t.Errorf("internal/%s imports %s: %s may not know %s", file, imported, from, group(below))
			}
		}
	}
	for name := range groups {
		if !found[name] {
			t.Errorf("internal/%s has no file", name)
		}
	}
}

// productFiles returns, by path below internal, what each file imports that is no test. What helps tests alone (a folder whose name
// ends in "test") may import what tests do.
func productFiles(t *testing.T) map[string][]string {
	t.Helper()
	files := map[string][]string{}
	root := os.DirFS(".")
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || strings.HasSuffix(path.Dir(name), "test") {
			return err
		}
		content, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, content, parser.ImportsOnly)
		if err != nil {
			return err
		}
		files[name] = []string{}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			files[name] = append(files[name], imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
