// Package registerimport takes the files that registers send. These are persons (anagrafe),
// professional registers (albi), censuses of associations, contributors, positions and the data of
// public bodies. A file is kept, then checked in chunks into staging tables and, if every line is
// right, applied. A file with a wrong line changes nothing.
//
// What differs from what is there is applied in one transaction for which nobody waits. On SQLite,
// where everybody would wait, there are several short ones. Every line was checked before, and a
// transaction takes its place in the file along. So an import that was interrupted is finished by
// whoever finds it.
//
// Beside the sandbox this is the one package that writes other packages' tables: registers are
// applied as sets, by SQL.
package registerimport

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"diresco/internal/platform/fault"
)

// Register is a register that sends files.
type Register string

// The registers.
const (
	People         Register = "people"
	Albi           Register = "albi"
	Associations   Register = "associations"
	Contributors   Register = "contributors"
	Positions      Register = "positions"
	PublicBodyData Register = "public_body_data"
)

// Format is how the lines of a file are written.
type Format string

// The formats: JSON Lines, and CSV with a header line.
const (
	JSONL Format = "jsonl"
	CSV   Format = "csv"
)

// State is how far an import has come.
type State string

// The states.
const (
	Queued  State = "queued"
	Running State = "running"
	// Done imports count, all lines of them.
	Done State = "done"
	// Failed ones have a wrong line, and nothing of them counts.
	Failed State = "failed"
)

// step is what is to be done next of an import.
type step string

const (
	// stepCheck checks the lines and stages them.
	stepCheck step = "check"
	// stepAdopt notes where intermediaries are registered that came by other ways than an import.
	stepAdopt step = "adopt"
	// stepApply adds and changes what the file names.
	stepApply step = "apply"
	// stepLeave strikes off who is missing in the file.
	stepLeave step = "leave"
	// stepTell tells both sides of delegations that are suspended or good again.
	stepTell step = "tell"
	// stepClean drops what was staged, and the file.
	stepClean step = "clean"
	stepNone  step = "none"
)

// after returns the step that follows.
func (s step) after(whole bool) step {
	switch {
	case s == stepCheck && whole:
		return stepAdopt
	case s == stepCheck, s == stepAdopt:
		return stepApply
	case s == stepApply && whole:
		return stepLeave
	case s == stepLeave:
		return stepTell
	case s == stepApply, s == stepTell:
		return stepClean
	}
	return stepNone
}

// maxErrors is how many wrong lines are named.
const maxErrors = 100

// LineError is a line that is wrong.
type LineError struct {
	// Line counts from 1; the header of a CSV is line 1.
	Line int `json:"line"`
	// Pointer is the field, empty for the line as a whole.
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
}

// Import is a file of a register.
type Import struct {
	ID       uuid.UUID
	Register Register
	Format   Format
	// Charset is how the sender says that a CSV is written, "" for UTF-8: see csvfile.Charset.
	Charset string
	// Digest is of the bytes of the file.
	Digest string
	State  State
	Step   step
	// Reached is the last key that was applied.
	Reached string
	// RowsRead is how many rows were checked.
	RowsRead int
	// LinesTotal is how many rows the file has; nil while that is not known.
	LinesTotal *int
	// LinesDone is how many of them count.
	LinesDone int
	// Errors are the wrong lines as JSON: see Wrong.
	Errors     string
	ImportedBy uuid.UUID
	CreatedAt  time.Time
	FinishedAt *time.Time
	LeaseOwner *string
	LeaseUntil *time.Time
}

// TableName tells GORM the table.
func (Import) TableName() string { return "register_imports" }

// Wrong returns the first lines that are wrong.
func (i Import) Wrong() ([]LineError, error) {
	var wrong []LineError
	err := json.Unmarshal([]byte(i.Errors), &wrong)
	return wrong, err
}

// complain adds wrong lines, as far as there is room.
func (i *Import) complain(more []LineError) error {
	if len(more) == 0 {
		return nil
	}
	wrong, err := i.Wrong()
	if err != nil {
		return err
	}
	wrong = append(wrong, more...)
	encoded, err := json.Marshal(wrong[:min(len(wrong), maxErrors)])
	i.Errors = string(encoded)
	return err
}

// settle ends the checking of a file whose rows are all read, or of which too many are wrong.
func (i *Import) settle(whole, complete bool, now time.Time) error {
	wrong, err := i.Wrong()
	if err != nil {
		return err
	}
	if complete {
		if i.RowsRead == 0 && len(wrong) == 0 {
			wrong = []LineError{{Line: 1, Code: fault.FieldEmpty}}
			if err := i.complain(wrong); err != nil {
				return err
			}
		}
		total := i.RowsRead
		i.LinesTotal = &total
	}
	if len(wrong) > 0 {
		i.State, i.FinishedAt, i.Step = Failed, &now, stepClean
		return nil
	}
	i.Step = stepCheck.after(whole)
	return nil
}

// advance goes on to the next step. From the last one that changes the register on, the import
// counts.
func (i *Import) advance(whole bool, now time.Time) {
	i.Step, i.Reached = i.Step.after(whole), ""
	if i.State == Running && (i.Step == stepTell || i.Step == stepClean) {
		i.State, i.FinishedAt = Done, &now
	}
}

func blobKey(id uuid.UUID) string { return "registers/" + id.String() }

func notFound() error { return fault.New(fault.NotFound) }
