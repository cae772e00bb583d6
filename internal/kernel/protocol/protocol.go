// Package protocol is the register (registro di protocollo, DPR 445/2000). It gives numbers to what
// is submitted, in one gapless, increasing sequence for each office and calendar year. Many waiting
// submissions are committed as one group in the order of their arrival, since one transaction for
// each would make the office's counter the speed of the whole service.
package protocol

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
)

// Header is what the register itself needs to know of a filing.
type Header struct {
	// Office is the code of the competent office.
	Office string
	// SubjectID is the id of what is filed.
	SubjectID uuid.UUID
	// By files it by Right, which is zero for what one files for oneself. Both are read again under
	// a lock before the number is given.
	By    access.Actor
	Right access.Right
	// Claim is the idempotency claim of the request, or nil.
	Claim *idempotency.Claim
	// Trace is the trail's record of it.
	Trace operation.Trace
	// Origin is where the request came from.
	Origin audit.Origin
	// Digest is that of the canonical content, as the register keeps it; DigestOf makes one.
	Digest string
}

// Receipt is what shows for ever that something was filed, and as what; it is zero for kinds that
// have none.
type Receipt struct {
	// JWS is the signed text.
	JWS *string `gorm:"column:jws"`
	// FiledState and FiledVersion are those at the time of filing: a repeat of the request is
	// answered from them.
	FiledState   *string
	FiledVersion *int
}

// Filing is something that waits for its number, with a content that its Handler knows.
type Filing[T any] struct {
	Header
	Content T
}

// Line is all of an entry but its content: the register works on it whatever is filed.
type Line struct {
	Header
	// At is the time that the entry is filed at, set before its Handler checks it.
	At time.Time
	// Number is set once the entry has its place in the register.
	Number Number
	// Messages are sent to people once the group is committed. The Handler's Store fills them in.
	Messages []outbox.Message
	// Receipt is kept with the entry. The Handler's Store fills it in, for kinds that have receipts.
	Receipt Receipt
	// Err is why this entry is refused; the others of its group go on.
	Err error
	// until is when the right ends by itself, or nil.
	until *time.Time
	// filing is what the line belongs to.
	filing filing
}

// Refuse takes the entry out of its group.
func (l *Line) Refuse(err error) {
	if l.Err == nil {
		l.Err = err
	}
}

// Entry is a filing on its way through the group. Each attempt to commit it begins with the Content
// that was filed.
type Entry[T any] struct {
	Line
	Content T
}

// Handler knows one kind of filing. Both methods run in the group's transaction, for all entries of
// the kind at once.
type Handler[T any] interface {
	// Check refuses the entries that may not be filed at their time. An error fails the whole
	// group.
	Check(ctx context.Context, entries []*Entry[T]) error
	// Store writes what is filed, with its number and time. An error fails the whole group.
	Store(ctx context.Context, entries []*Entry[T]) error
}

// Number is a protocol number.
type Number struct {
	Office string
	// Date is the calendar date in Europe/Rome.
	Date   time.Time
	Serial int
}

// String gives the number as it is written: INPS.<office>.<dd/mm/yyyy>.<7 digits>.
func (n Number) String() string {
	return fmt.Sprintf("INPS.%s.%s.%07d", n.Office, n.Date.Format("02/01/2006"), n.Serial)
}

// entryRow is one line of the register.
type entryRow struct {
	OfficeCode string
	Year       int
	Number     int
	At         time.Time
	Kind       string
	SubjectID  uuid.UUID
	Digest     string
	Receipt    `gorm:"embedded"`
}

// TableName tells GORM the table.
func (entryRow) TableName() string { return "protocol_entries" }
