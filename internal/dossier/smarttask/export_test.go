package smarttask

import "diresco/internal/platform/job"

// LeaseTime is how long a task waits whose process died.
const LeaseTime = leaseTime

// Step does what a worker does next.
func (s *Service) Step() job.Step { return s.next() }

// AllTypes are those that come with the program.
func AllTypes() []Type { return types }

// Examine reports whether a content meets the schema and the rules of a type.
func (t Type) Examine(content []byte) error {
	_, err := t.parse(content)
	return err
}

// Explained reports whether every check and reason has words in both languages.
func Explained() (missing []string) {
	for _, c := range checkCodes {
		if c.Title(false) == "" || c.Title(true) == "" {
			missing = append(missing, string(c))
		}
	}
	for code := range said.Reasons {
		if code.Text(false) == "" || code.Text(true) == "" {
			missing = append(missing, string(code))
		}
	}
	return missing
}
