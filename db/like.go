package db

import "strings"

// LikeContaining is the pattern for LIKE … ESCAPE '\' that any text with the given part matches;
// what is special in a pattern is itself in the part.
func LikeContaining(part string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(part) + "%"
}
