package channel

import (
	"regexp"
	"slices"
)

var code = regexp.MustCompile(`^[0-9A-Z]{6,16}$`)

// CodeGroups returns the groups of four in which a code, or a half of a PIN, is shown. Another
// paragraph has none.
func CodeGroups(paragraph string) []string {
	if !code.MatchString(paragraph) {
		return nil
	}
	var groups []string
	for part := range slices.Chunk([]rune(paragraph), 4) {
		groups = append(groups, string(part))
	}
	return groups
}
