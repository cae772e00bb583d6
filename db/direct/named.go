package direct

import (
	"strconv"
	"strings"
)

// Named writes a statement with named arguments (@name) as one with numbers, and lists its
// arguments. What has no such name in args stays, such as a text with an @.
func Named(statement string, args map[string]any) (numbered string, listed []any) {
	var b strings.Builder
	b.Grow(len(statement))
	numbers := make(map[string]int, len(args))
	for {
		before, rest, found := strings.Cut(statement, "@")
		b.WriteString(before)
		if !found {
			return b.String(), listed
		}
		end := 0
		for end < len(rest) && (rest[end] == '_' || 'a' <= rest[end] && rest[end] <= 'z' || '0' <= rest[end] && rest[end] <= '9') {
			end++
		}
		name := rest[:end]
		n := numbers[name]
		if n == 0 {
			arg, given := args[name]
			if !given {
				b.WriteByte('@')
				statement = rest
				continue
			}
			listed = append(listed, arg)
			n = len(listed)
			numbers[name] = n
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		statement = rest[end:]
	}
}

// Numbered writes a statement each of whose marks (?) stands for one and the same argument.
func Numbered(statement string, n int) string {
	return strings.ReplaceAll(statement, "?", "$"+strconv.Itoa(n))
}
