package timeline

// Happenings lists what is told, and Words says it in Italian.
func Happenings() []Happening {
	var all []Happening
	for _, h := range happenings {
		all = append(all, h.happening)
	}
	for _, h := range awaiting {
		all = append(all, h)
	}
	return all
}

// Words says in Italian what happened.
func Words(h Happening) string { return words[h] }
