package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	testDeclared = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)[A-Za-z0-9_]*)\(`)
	// testNamed is the name of a test in code style.
	testNamed = regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*)`")
)

// testNames are the tests of the repository.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != root {
			return skipUnless(err)
		}
		if entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(path)
		for _, found := range testDeclared.FindAllSubmatch(source, -1) {
			names[string(found[1])] = true
		}
		return err
	})
	if err != nil || len(names) < 1000 {
		t.Fatalf("%d tests: %v", len(names), err)
	}
	return names
}

// skipUnless leaves a folder out that is nobody's to read, unless reading it failed.
func skipUnless(err error) error {
	if err != nil {
		return err
	}
	return fs.SkipDir
}

// TestDocs_NameTestsThatExist: a page that says which test shows something names one that there is.
func TestDocs_NameTestsThatExist(t *testing.T) {
	tests, named := testNames(t), 0
	for _, page := range pages(t) {
		for _, found := range testNamed.FindAllStringSubmatch(textOf(t, page), -1) {
			if named++; !tests[found[1]] {
				t.Errorf("%s names %s, which does not exist", page, found[1])
			}
		}
	}
	if named < 50 {
		t.Errorf("%d tests are named", named)
	}
}

// asvsPoint is a row of the checklist.
var asvsPoint = regexp.MustCompile(`(?m)^\| (\d+\.\d+\.\d+) \| (yes|part|no|none) \| (.+) \|$`)

// TestASVS_IsWhole: each requirement of levels 1 and 2 stands there once, in their order, and what is
// met says how.
func TestASVS_IsWhole(t *testing.T) {
	list, err := os.ReadFile(filepath.Join("testdata", "asvs-5.0.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, found := range asvsPoint.FindAllStringSubmatch(textOf(t, "docs/asvs.md"), -1) {
		got = append(got, found[1])
	}
	if diff := cmp.Diff(strings.Fields(string(list)), got); diff != "" || len(got) != 253 {
		t.Errorf("%d points:\n%s", len(got), diff)
	}
}

// TestLicences_AreOfTheseVersions: the table is of the modules that a binary is built of today.
func TestLicences_AreOfTheseVersions(t *testing.T) {
	versions := map[string]string{}
	for _, found := range regexp.MustCompile(`(?m)^(?:require )?\s*(\S+\.\S+) (v\S+)`).FindAllStringSubmatch(textOf(t, "go.mod"), -1) {
		versions[found[1]] = found[2]
	}
	rows := regexp.MustCompile(`(?m)^\| (\S+) \| (v\d\S*) \|`).FindAllStringSubmatch(textOf(t, "docs/licences.md"), -1)
	for _, row := range rows {
		if versions[row[1]] != row[2] {
			t.Errorf("%s %s is listed, and %q is built: run make sbom", row[1], row[2], versions[row[1]])
		}
	}
	if len(rows) < 80 || len(versions) < len(rows) {
		t.Errorf("%d modules are listed, of %d", len(rows), len(versions))
	}
}
