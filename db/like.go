package db

import "strings"

// LikeContaining is the pattern for LIKE … ESCAPE '\' that any text with the given part matches. It
// escapes the pattern's special characters in the part.
func LikeContaining(part string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(part) + "%"
}
