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

// groups says what the packages of each group may import beside their own group, the contract and
// db. The doc.go of a group says the same in words; those on top import what they need.
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

// closed says of an import which folders below internal may have it; everything beneath such a
// folder may.
var closed = []struct {
	imported string // a package, with all that stands beneath it
	by       []string
}{
	{"github.com/labstack/echo", []string{"httpapi/edge", "test/bench"}}, // the bench compares with a bare router
	{module + "api", []string{"httpapi", "app", "test"}},
}

// apart says which package does not import which, though both belong to one group.
var apart = map[string][]string{
	"httpapi/handlers": {"httpapi/edge", "httpapi/pages"},
	"httpapi/pages":    {"httpapi/edge", "httpapi/handlers"},
	"httpapi/problem":  {"httpapi/edge", "httpapi/handlers", "httpapi/pages", "httpapi/reqctx"},
	"httpapi/reqctx":   {"httpapi/edge", "httpapi/handlers", "httpapi/pages"},
	"httpapi/etag":     {"httpapi/edge", "httpapi/handlers", "httpapi/pages"},
	"httpapi/edge":     {"httpapi/handlers"},
}

// beneath reports whether a path is the folder or stands in it.
func beneath(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, folder+"/")
}

// TestLayers_KeepWhatIsClosedToThem looks at who imports the router and the contract's types, and
// at the rooms of the HTTP edge.
func TestLayers_KeepWhatIsClosedToThem(t *testing.T) {
	files := productFiles(t)
	for _, rule := range closed {
		found := map[string]bool{}
		for file, imports := range files {
			if !slices.ContainsFunc(imports, func(imported string) bool { return beneath(imported, rule.imported) }) {
				continue
			}
			at := slices.IndexFunc(rule.by, func(folder string) bool { return beneath(path.Dir(file), folder) })
			if at < 0 {
				t.Errorf("internal/%s imports %s, which only %v may", file, rule.imported, rule.by)
				continue
			}
			found[rule.by[at]] = true
		}
		if !found[rule.by[0]] {
			t.Errorf("no file of %s imports %s", rule.by[0], rule.imported)
		}
	}
	for folder, others := range apart {
		seen := false
		for file, imports := range files {
			if path.Dir(file) != folder {
				continue
			}
			seen = true
			for _, other := range others {
				if slices.Contains(imports, module+"internal/"+other) {
					t.Errorf("internal/%s imports %s", file, other)
				}
			}
		}
		if !seen {
			t.Errorf("internal/%s has no file", folder)
		}
	}
}

// productFiles returns, by path below internal, what each file imports that is no test. What helps
// tests alone (a folder whose name ends in "test") may import what tests do.
func productFiles(t *testing.T) map[string][]string {
	t.Helper()
	files := map[string][]string{}
	root := os.DirFS(".")
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") ||
			strings.HasSuffix(path.Dir(name), "test") {
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
