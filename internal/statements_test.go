package internal_test

import (
	"regexp"
	"strings"
	"testing"
)

var (
	// star is a statement that reads whatever columns there are.
	star = regexp.MustCompile("(SELECT|RETURNING) \\*|[\\s,\"`][a-z]+\\.\\*")
	// ofNamed has the stars over what names its columns itself.
	ofNamed = regexp.MustCompile(`SELECT \* FROM (\(|y WHERE|unnest)|SELECT a\.\*, " \+ rightColumns|SELECT x\.\*, p\.given_name|SELECT locked\.\*`)
	// tight is a value for which GORM would write one mark for each of its bytes, if it has any.
	tight = regexp.MustCompile(`(VALUES|hashtextextended) ?\(\?`)
)

// TestStatements_NameTheirColumns: a statement with a star fails on every connection that has
// prepared it once a column was added. Use db.Columns.
func TestStatements_NameTheirColumns(t *testing.T) {
	for file, text := range productTexts(t) {
		for i, line := range strings.Split(ofNamed.ReplaceAllString(text, ""), "\n") {
			if code, _, _ := strings.Cut(line, "//"); star.MatchString(code) {
				t.Errorf("%s:%d reads all columns there are: %s", file, i+1, strings.TrimSpace(line))
			}
		}
	}
}

// TestStatements_KeepBytesTogether: GORM spreads a list of bytes whose mark follows a parenthesis.
func TestStatements_KeepBytesTogether(t *testing.T) {
	for file, text := range productTexts(t) {
		if found := tight.FindString(text); found != "" {
			t.Errorf("%s writes %q: leave a blank before the mark", file, found)
		}
	}
}
