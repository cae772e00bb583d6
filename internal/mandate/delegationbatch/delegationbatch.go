// Package delegationbatch drafts many delegations from a list of positions (INPS, gestione deleghe,
// caricamento massivo). The list is taken at once and worked off in the background, each item in a
// transaction of its own: what is wrong with one stops no other, and a restart loses and repeats
// none.
package delegationbatch

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/mandate/delegation"
	"diresco/internal/platform/fault"
)

// State is how far a batch has come.
type State string

// The states of a batch.
const (
	Queued  State = "queued"
	Running State = "running"
	Done    State = "done"
)

// ItemState is what became of an item.
type ItemState string

// The states of an item.
const (
	Pending ItemState = "pending"
	Filed   ItemState = "filed"
	Refused ItemState = "refused"
)

// MaxItems is how many items a batch has at most.
const MaxItems = 1000

// maxPositions is how many positions one delegation has at most.
const maxPositions = 100

// maxFailures is how often an item is tried that fails for no fault of its own while the database
// answers.
const maxFailures = 5

// Batch is a batch as it is kept.
type Batch struct {
	ID         uuid.UUID
	DelegateID uuid.UUID
	PersonID   uuid.UUID
	State      State
	ItemsTotal int
	ItemsDone  int
	SessionID  uuid.UUID
	RequestID  string
	Address    string
	CreatedAt  time.Time
	Items      []Item `gorm:"-"`
}

// TableName tells GORM the table.
func (Batch) TableName() string { return "delegation_batches" }

// progress is the batch after so many more items were done.
func (b Batch) progress(items int) Batch {
	b.ItemsDone += items
	switch b.ItemsDone {
	case b.ItemsTotal:
		b.State = Done
	case 0:
		b.State = Queued
	default:
		b.State = Running
	}
	return b
}

// Item is one position for which to draft a delegation.
type Item struct {
	BatchID uuid.UUID
	// Line is its place among the items from 1 on or, in CSV, its line in the file.
	Line           int
	PositionNumber string
	Scope          delegation.Scope
	// Services is an access.ServiceSet as it is stored. It is read when the item's turn comes, so
	// that one that is stored wrongly stops no other.
	Services   string
	Exclusive  bool
	ValidUntil *time.Time
	// SignatoryID is nil for the only legal representative of the contributor.
	SignatoryID  *uuid.UUID
	State        ItemState
	DelegationID *uuid.UUID
	// Reason is why it was refused, in kebab-case.
	Reason   *string
	Failures int
}

// TableName tells GORM the table.
func (Item) TableName() string { return "delegation_batch_items" }

// alike reports whether two items go into one delegation, if their positions are of one
// contributor.
func (i Item) alike(other Item) bool {
	return i.Scope == other.Scope && i.Services == other.Services && i.Exclusive == other.Exclusive && equal(
		i.ValidUntil, other.ValidUntil, time.Time.Equal,
	) &&
		equal(i.SignatoryID, other.SignatoryID, func(a, b uuid.UUID) bool { return a == b })
}

func equal[T any](a, b *T, same func(a, b T) bool) bool {
	return a == nil && b == nil || a != nil && b != nil && same(*a, *b)
}

// Terms are what is to be delegated.
type Terms struct {
	Scope delegation.Scope
	// Services are nil for a total delegation.
	Services   access.ServiceSet
	Exclusive  bool
	ValidUntil *time.Time
}

// Entry is one position of a list that was sent.
type Entry struct {
	Line           int
	PositionNumber string
	SignatoryID    *uuid.UUID
	Terms          Terms
	// Reason is set where the entry cannot be read.
	Reason string
}

// Input is a list that was sent.
type Input struct {
	// DelegateID is needed from who works for more than one intermediary.
	DelegateID *uuid.UUID
	Entries    []Entry
	// Shared says that all entries have the same terms, so that what is wrong with them refuses the
	// list.
	Shared bool
}

// check says what is wrong with the list as a whole.
func (in Input) check(now time.Time) error {
	switch {
	case len(in.Entries) == 0:
		return fault.InvalidFields(fault.Field{Pointer: "/items", Code: fault.FieldTooFew})
	case len(in.Entries) > MaxItems:
		return fault.InvalidFields(fault.Field{Pointer: "/items", Code: fault.FieldTooMany})
	case !in.Shared:
		return nil
	}
	if wrong := in.Entries[0].Terms.check(now); len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

func (t Terms) check(now time.Time) []fault.Field {
	var wrong []fault.Field
	add := func(pointer, code string) { wrong = append(wrong, fault.Field{Pointer: pointer, Code: code}) }
	switch {
	case t.Scope == delegation.Total && len(t.Services) > 0:
		add("/services", fault.FieldNotApplicable)
	case t.Scope == delegation.Partial && t.Services == nil:
		add("/services", fault.FieldRequired)
	case t.Scope == delegation.Partial:
		wrong = t.Services.Check("/services")
	}
	if t.ValidUntil != nil && !t.ValidUntil.After(now) {
		add("/valid_until", fault.FieldPast)
	}
	return wrong
}

// Reasons for which an item is refused, beside what its draft is refused for.
const (
	// There is no such position, or who was named to sign cannot. Which of both is not said, so
	// that nobody finds positions by it.
	reasonUnknownPosition = "unknown-position"
	reasonRepeated        = "repeated"
	// The day's look-ups of who sent the list are used up.
	reasonTooManyLookUps = "too-many-lookups"
	// The contributor has several legal representatives, or none.
	reasonSignatoryNeeded = "signatory-needed"
	reasonNoSignatory     = "no-signatory"
	reasonFailed          = "internal-error"
)

// shown keeps of what was sent as a position number what can be shown again.
func shown(number string) string {
	const most = 64
	kept := []rune(strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r <= 0x9f {
			return -1
		}
		return r
	}, number)))
	return string(kept[:min(len(kept), most)])
}

// generic are codes that say little without the field.
var generic = []string{
	fault.FieldRequired, fault.FieldTooFew, fault.FieldNotApplicable, fault.FieldEnum, fault.FieldPast, fault.FieldFormat,
	fault.FieldDuplicate,
}

// reasonOf is the reason for a fault in one word.
func reasonOf(err error) (string, bool) {
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code == fault.Unavailable || f.Code == fault.Busy || f.Code == fault.Internal {
		return "", false
	}
	if len(f.Fields) == 0 {
		return string(f.Code), true
	}
	field := f.Fields[0]
	if !slices.Contains(generic, field.Code) {
		return field.Code, true
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(field.Pointer, "/"), "/")
	return strings.ReplaceAll(name, "_", "-") + "-" + field.Code, true
}
