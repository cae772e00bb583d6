package internal_test

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// liveness are the conditions that access/live.go puts together, which no other text spells out.
var liveness = map[string]*regexp.Regexp{
	"access.LiveRole":            regexp.MustCompile(`withdrawn_at\s+IS\s+(NOT\s+)?NULL`),
	"access.OnRegister":          regexp.MustCompile(`struck_off_at\s+IS\s+(NOT\s+)?NULL`),
	"access.LiveDelegation":      regexp.MustCompile(`valid_until\s+IS\s+NULL\s+OR\b`),
	"access.LiveSubDelegation":   regexp.MustCompile(`revoked_at\s+IS\s+NULL\s+AND\s*\(`),
	"access.LiveWorkerRole":      regexp.MustCompile(`role\s*<>\s*'user_administrator'`),
	"access.AboutDelegation":     regexp.MustCompile(`\w\.every\s+OR\b`),
	"access.Repository.Declared": regexp.MustCompile(`services\s+LIKE\b`),
}

// ofServices is about services, which are withdrawn too.
const ofServices = "FROM services WHERE withdrawn_at IS NULL"

// TestPredicates_AreWrittenOnce looks in every product file for conditions on live rights that
// access exports.
func TestPredicates_AreWrittenOnce(t *testing.T) {
	for file, text := range productTexts(t) {
		text = strings.ReplaceAll(text, ofServices, "")
		for name, condition := range liveness {
			if written := condition.FindString(text); written != "" {
				t.Errorf("%s writes %q: use %s", file, written, name)
			}
		}
	}
}

// productTexts returns the text of each Go file of the product, by its path in the repository. What
// is there for tests alone is left out.
func productTexts(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	root := os.DirFS("..")
	for _, folder := range []string{"internal", "cmd", "db"} {
		err := fs.WalkDir(root, folder, func(name string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() && name == "internal/test" {
				return fs.SkipDir
			}
			if err != nil || entry.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
				return err
			}
			content, err := fs.ReadFile(root, name)
			texts[name] = string(content)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return texts
}
