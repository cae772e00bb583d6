package fault

import "slices"

// Place is the part of a request where a field is.
type Place int

// The places of fields.
const (
	InBody Place = iota
	InParameter
	InHeader
)

// Right says what would have been right in a field, as far as a schema or a rule tells. It never
// holds anything that was sent, so that no secret comes back in an answer.
type Right struct {
	// Minimum and Maximum bound a number, which is a multiple of MultipleOf.
	Minimum, Maximum, MultipleOf *float64
	// MinLength and MaxLength bound a text, in characters.
	MinLength, MaxLength *int64
	// MinItems and MaxItems bound a list or an object, in members.
	MinItems, MaxItems *int64
	// Allowed are all the values that there are.
	Allowed []string
	// Expected is what should stand there: a type, a form, a pattern.
	Expected string
	// CheckCharacter is what a tax code or VAT number should end with.
	CheckCharacter string
	// Meant is what was probably meant: the known name that is nearest.
	Meant string
	// Example is a value that would be taken.
	Example string
}

// Nearest returns the known name that a written one was probably meant to be. It is "" where none
// is near: up to a third of its letters, and three at most, may be wrong, missing or too many.
func Nearest(written string, known []string) string {
	const most = 3
	meant, best := "", most+1
	for _, name := range slices.Sorted(slices.Values(known)) {
		// What is much longer or shorter is not near, and need not be compared.
		if d := len(name) - len(written); d > most || d < -most {
			continue
		}
		if d := distance(written, name); d < best && d*3 <= len(name) {
			meant, best = name, d
		}
	}
	return meant
}

// distance counts the letters to change, add or take away, and the neighbours to swap, between two
// texts. A letter in the other case counts nothing.
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row := rows[0], rows[1], rows[2]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if lower(a[i-1]) == lower(b[j-1]) {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && lower(a[i-1]) == lower(b[j-2]) && lower(a[i-2]) == lower(b[j-1]) {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		rows[0], rows[1], rows[2] = last, row, before
	}
	return rows[1][len(b)]
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
