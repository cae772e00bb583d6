// Package declarationbatch files many declarations that are sent at once, as payroll programs send
// them. The list is taken at once and filed in the background, in groups: what is wrong with one
// item stops no other unless that was asked for, and a restart loses and repeats none.
package declarationbatch

import (
	"strconv"
	"time"

	"github.com/google/uuid"

	"diresco/internal/filing/declaration"
	"diresco/internal/platform/fault"
)

// Kind is the trail's word for a batch.
const Kind = "declaration-batch"

// State is how far a batch has come.
type State string

// The states of a batch.
const (
	Queued    State = "queued"
	Running   State = "running"
	Done      State = "done"
	Cancelled State = "cancelled"
)

// ItemState is what became of an item.
type ItemState string

// The states of an item.
const (
	Pending       ItemState = "pending"
	Filed         ItemState = "filed"
	Refused       ItemState = "refused"
	ItemCancelled ItemState = "cancelled"
)

const (
	// MaxItems is how many items a batch has at most.
	MaxItems = 1000
	// groupSize is how many items are filed in one transaction, unless all have to be.
	groupSize = 250
	// maxFailures is how often an item is tried that fails for no fault of its own while the
	// database answers.
	maxFailures = 5
	// mostOpen is how many batches of one person wait at a time.
	mostOpen = 100
)

// Batch is a batch as it is kept.
type Batch struct {
	ID            uuid.UUID
	ContributorID uuid.UUID
	PersonID      uuid.UUID
	RightID       uuid.UUID
	State         State
	AllOrNothing  bool
	ItemsTotal    int
	// The counts of items that do not wait any more.
	ItemsFiled     int
	ItemsRefused   int
	ItemsCancelled int
	SessionID      uuid.UUID
	// ApplicationID is that of the application that sent it; nil for the person. It is filed while
	// the consent of its session lives.
	ApplicationID *uuid.UUID
	RequestID     string
	Address       string
	CreatedAt     time.Time
	StartedAt     *time.Time
	FinishedAt    *time.Time
	LeaseOwner    *string
	LeaseUntil    *time.Time
}

// TableName tells GORM the table.
func (Batch) TableName() string { return "declaration_batches" }

// over reports whether nothing of the batch waits any more.
func (b Batch) over() bool { return b.State == Done || b.State == Cancelled }

// Pending is how many items wait.
func (b Batch) Pending() int { return b.ItemsTotal - b.ItemsFiled - b.ItemsRefused - b.ItemsCancelled }

// Item is one declaration of a batch.
type Item struct {
	BatchID uuid.UUID
	// Line is its place among the items, from 1 on.
	Line int
	// Reference is the sender's own name for it.
	Reference     string
	Type          string
	PositionID    uuid.UUID
	Step          string
	ReservationID *uuid.UUID
	SupersedesID  *uuid.UUID
	RightID       *uuid.UUID
	// Content is as it was sent; it is empty once the item is settled.
	Content string
	State   ItemState
	// DeclarationID is what was filed or, of a duplicate, what had been filed before.
	DeclarationID *uuid.UUID
	// Problem is why it was refused, as Problem writes it.
	Problem  *string
	Failures int
}

// TableName tells GORM the table.
func (Item) TableName() string { return "declaration_batch_items" }

// ItemView is an item as it is shown, with the receipt of what was filed.
type ItemView struct {
	Item
	ProtocolNumber *string
	SubmittedAt    *time.Time
	Digest         *string
	JWS            *string `gorm:"column:jws"`
}

// input is what is filed of an item.
func (i Item) input() declaration.Input {
	return declaration.Input{
		Type: i.Type, PositionID: i.PositionID, Step: i.Step, ReservationID: i.ReservationID, SupersedesID: i.SupersedesID,
		RightID: i.RightID, Content: []byte(i.Content), Submit: true,
	}
}

// Entry is one declaration of a list that was sent.
type Entry struct {
	Reference   string
	Declaration declaration.Input
}

// Input is a list that was sent.
type Input struct {
	Entries      []Entry
	AllOrNothing bool
}

// check says what is wrong with the list as a whole: its length, and references that are equal.
func (in Input) check() error {
	switch {
	case len(in.Entries) == 0:
		return fault.InvalidFields(fault.Field{Pointer: "/items", Code: fault.FieldTooFew})
	case len(in.Entries) > MaxItems:
		return fault.InvalidFields(fault.Field{Pointer: "/items", Code: fault.FieldTooMany})
	}
	var wrong []fault.Field
	seen := make(map[string]bool, len(in.Entries))
	for i, e := range in.Entries {
		if seen[e.Reference] {
			wrong = append(wrong, fault.Field{Pointer: "/items/" + strconv.Itoa(i) + "/reference", Code: fault.FieldDuplicate})
		}
		seen[e.Reference] = true
	}
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

// itemsOf are the items of a batch.
func (b Batch) itemsOf(entries []Entry) []Item {
	items := make([]Item, len(entries))
	for i, e := range entries {
		d := e.Declaration
		items[i] = Item{
			BatchID: b.ID, Line: i + 1, Reference: e.Reference, Type: d.Type, PositionID: d.PositionID, Step: d.Step,
			ReservationID: d.ReservationID, SupersedesID: d.SupersedesID, RightID: d.RightID, Content: string(d.Content), State: Pending,
		}
	}
	return items
}

// settled is the item once it is known what became of it.
func (i Item) settled(o declaration.Outcome) (Item, error) {
	i.Content = ""
	if o.Err == nil {
		i.State, i.DeclarationID = Filed, &o.ID
		return i, nil
	}
	problem, err := write(o.Err)
	i.State, i.Problem = Refused, &problem
	return i, err
}

// reference says under which name somebody has filed a declaration.
type reference struct {
	PersonID      uuid.UUID
	ContributorID uuid.UUID
	Reference     string
	DeclarationID uuid.UUID
}

// TableName tells GORM the table.
func (reference) TableName() string { return "declaration_references" }
