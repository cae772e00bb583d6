package smarttask

import (
	_ "embed"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"

	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/platform/fault"
)

// CheckCode names something that is looked at before a task is decided.
type CheckCode string

// The checks, in the order in which they are made.
const (
	// RightCheck is that the right by which it was asked for still holds.
	RightCheck CheckCode = "right"
	// SubjectCheck is that what it is about exists and is the contributor's.
	SubjectCheck CheckCode = "subject"
	// AuthorityCheck is that who asks may decide about it.
	AuthorityCheck CheckCode = "authority"
	// StateCheck is that its present state allows it.
	StateCheck CheckCode = "state"
)

var checkCodes = []CheckCode{RightCheck, SubjectCheck, AuthorityCheck, StateCheck}

// Checks lists the checks in the order in which they are made.
func Checks() []CheckCode { return slices.Clone(checkCodes) }

// CheckResult is what a check found.
type CheckResult string

// The results of a check.
const (
	Passed CheckResult = "passed"
	Failed CheckResult = "failed"
	// NotExamined is for what comes after the first check that failed.
	NotExamined CheckResult = "not_examined"
)

// Check is one check of a task with its result.
type Check struct {
	Code   CheckCode   `json:"check"`
	Result CheckResult `json:"result"`
}

// ReasonCode is why a task was not accepted.
type ReasonCode string

// The reasons.
const (
	RightEnded           ReasonCode = "right-ended"
	CredentialsOrdinary  ReasonCode = "credentials-ordinary"
	DelegationUnknown    ReasonCode = "delegation-unknown"
	DelegationEnded      ReasonCode = "delegation-ended"
	RoleUnknown          ReasonCode = "role-unknown"
	RoleOfAnotherKind    ReasonCode = "role-of-another-kind"
	RoleEnded            ReasonCode = "role-ended"
	NotAuthorised        ReasonCode = "not-authorised"
	IdentityNotConfirmed ReasonCode = "identity-not-confirmed"
	PositionUnknown      ReasonCode = "position-unknown"
	ContactUnknown       ReasonCode = "contact-unknown"
	ContactDeleted       ReasonCode = "contact-deleted"
	ContactUsable        ReasonCode = "contact-usable"
	// Unexaminable is for what could not be examined, through no fault of the request.
	Unexaminable ReasonCode = "not-examined"
)

// Reason is why a task was not accepted.
type Reason struct {
	Code ReasonCode `json:"code"`
	// SubjectID is what of many it is about; nil for the task as a whole.
	SubjectID *uuid.UUID `json:"subject_id,omitempty"`
}

//go:embed words.json
var shippedWords []byte

// words are what checks and reasons are called.
type words struct {
	Checks  map[CheckCode]text  `json:"checks"`
	Reasons map[ReasonCode]text `json:"reasons"`
}

type text struct {
	Italian string `json:"it"`
	English string `json:"en"`
}

func (t text) in(english bool) string {
	if english {
		return t.English
	}
	return t.Italian
}

var said = func() (w words) {
	if err := json.Unmarshal(shippedWords, &w); err != nil {
		panic(err) // the file is part of the program, and a test reads it
	}
	return w
}()

// Title is what the check looks at, in English or in Italian.
func (c CheckCode) Title(english bool) string { return said.Checks[c].in(english) }

// Text is the reason in words, in English or in Italian.
func (r ReasonCode) Text(english bool) string { return said.Reasons[r].in(english) }

// summary is what the ticket says of the outcome, in the language of the office.
func (t Task) summary() string {
	if t.State == Accepted {
		return "Richiesta accolta. " + typeByCode[t.Type].Effect(false)
	}
	lines := make([]string, 0, len(t.Reasons)+1)
	for _, r := range t.Reasons {
		if line := r.Code.Text(false); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return "Richiesta non accolta. " + strings.Join(lines, " ")
}

// refusal says that a check failed, and why.
type refusal struct {
	check   CheckCode
	reasons []Reason
}

// Error implements error.
func (r *refusal) Error() string { return "not accepted: " + string(r.reasons[0].Code) }

func refuse(check CheckCode, code ReasonCode) error {
	return &refusal{check, []Reason{{Code: code}}}
}

// refused makes a refusal of a fault that the table knows; any other error stays as it is.
func refused(err error, of map[fault.Code]refusal) error {
	var f *fault.Fault
	if !errors.As(err, &f) {
		return err
	}
	if r, known := of[f.Code]; known {
		return &r
	}
	return err
}

func unexamined() []Check { return checksUntil(checkCodes[0], NotExamined) }

// checksUntil are all checks: those before one have passed, it has the result, and what comes after
// was not examined.
func checksUntil(one CheckCode, result CheckResult) []Check {
	checks := make([]Check, len(checkCodes))
	found := Passed
	for i, code := range checkCodes {
		if code == one {
			found = result
		} else if found != Passed {
			found = NotExamined
		}
		checks[i] = Check{code, found}
	}
	return checks
}

// findingsIn are what is wrong with a content, in the body.
func findingsIn(wrong []catalogue.Finding) []fault.Field {
	fields := make([]fault.Field, len(wrong))
	for i, w := range wrong {
		fields[i] = fault.Field{Pointer: "/content" + w.Pointer, Code: w.Code, Right: w.Right}
	}
	return fields
}
