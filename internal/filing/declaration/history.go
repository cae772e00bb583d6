package declaration

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/money"
)

// mostEntries is how many states a history shows.
const mostEntries = 500

// History is what became of a declaration, the earliest first, with what it has to do with.
type History struct {
	Declaration Declaration
	Entries     []HistoryEntry
	// ConfirmationID is the live confirmation of a reservation.
	ConfirmationID *uuid.UUID
}

// HistoryEntry is a state that a declaration came into.
type HistoryEntry struct {
	At    time.Time
	State State
	By    Author
	// Amount and Reasons are those of a decision.
	Amount  *money.Cents
	Reasons []Reason
}

// Author is who brought a declaration into a state. It is empty for what came about by itself.
type Author struct {
	// Office is the code of the office for which somebody acted.
	Office string
	// PersonID is nil where it is not told.
	PersonID   *uuid.UUID
	GivenName  string
	FamilyName string
	ActingAs   access.ActingAs
	// ClientID names the application by which they did it.
	ClientID string
}

// record is what the trail has of a declaration.
type record struct {
	At         time.Time
	Operation  string
	PersonID   *uuid.UUID
	ActingAs   *access.ActingAs
	Detail     *string
	GivenName  string
	FamilyName string
	ClientID   string
}

// made are the states that operations bring about whose records have no detail. These are records
// of older programs, and of what comes about by itself.
var made = map[string]State{
	"completeDeclaration": Submitted, "lapseDeclaration": Lapsed, "supersedeDeclaration": Superseded, "withdrawDeclaration": Withdrawn,
}

// History returns what became of a declaration, and fault.NotFound where the actor may not see it.
func (s *Service) History(ctx context.Context, by access.Actor, id uuid.UUID) (History, error) {
	d, err := s.shown(ctx, by, id)
	if err == nil && !visible(d.Declaration, by) {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return History{}, err
	}
	h := History{Declaration: d.Declaration}
	records, err := s.repo.records(ctx, id, mostEntries)
	if err != nil {
		return History{}, err
	}
	began, err := s.repo.stateAtFiling(ctx, id)
	if err != nil {
		return History{}, err
	}
	h.Entries = d.entries(records, began)
	if d.State == Superseded && d.SupersededByID != nil {
		next, err := s.repo.filed(ctx, *d.SupersededByID)
		if err != nil {
			return History{}, err
		}
		if !endsAs(h.Entries, Superseded) {
			// Older programs left no record of it.
			h.Entries = append(h.Entries, HistoryEntry{At: d.UpdatedAt, State: Superseded})
		}
		h.Entries[len(h.Entries)-1].By = next.filer()
	}
	if !by.Consults() {
		for i := range h.Entries {
			h.Entries[i].By = h.Entries[i].By.seenFromOutside()
		}
	}
	h.Entries = h.Entries[max(0, len(h.Entries)-mostEntries):]
	h.ConfirmationID, err = s.repo.confirmationOf(ctx, id)
	return h, err
}

// entries reads a history out of the records. began is the state in which the declaration was
// filed, empty for a draft. The first record that is none of a draft is that of the filing, which
// is shown at its own time, that of the register.
func (d View) entries(records []record, began State) []HistoryEntry {
	submitted := slices.ContainsFunc(records, func(r record) bool { return r.Operation == "submitDeclaration" })
	filed := d.SubmittedAt == nil || len(records) == mostEntries
	var entries []HistoryEntry
	for _, r := range records {
		e := HistoryEntry{At: r.At, State: made[r.Operation], By: r.author(d.OfficeCode)}
		switch {
		case r.Operation == "draftDeclaration" && (submitted || d.SubmittedAt == nil):
			e.State = Draft
		case !filed && e.State == "":
			e.State, e.At, filed = began, *d.SubmittedAt, true
		}
		if c, told := changeIn(r.Detail); told {
			e.State, e.Amount, e.Reasons = c.State, c.amount(), d.inWords(c.Reasons)
		}
		if e.State != "" {
			entries = append(entries, e)
		}
	}
	if !filed {
		entries = append(entries, HistoryEntry{At: *d.SubmittedAt, State: began, By: d.filer()})
		slices.SortStableFunc(entries, func(a, b HistoryEntry) int { return a.At.Compare(b.At) })
	}
	return entries
}

// inWords are reasons with the words that stand on the declaration.
func (d Declaration) inWords(codes []ReasonCode) []Reason {
	var reasons []Reason
	because := d.Because()
	for _, code := range codes {
		reason := Reason{Code: code}
		if i := slices.IndexFunc(because, func(r Reason) bool { return r.Code == code }); i >= 0 {
			reason = because[i]
		}
		reasons = append(reasons, reason)
	}
	return reasons
}

func endsAs(entries []HistoryEntry, state State) bool {
	return len(entries) > 0 && entries[len(entries)-1].State == state
}

// filer is who filed the declaration.
func (d View) filer() Author {
	return Author{PersonID: &d.PersonID, GivenName: d.GivenName, FamilyName: d.FamilyName, ActingAs: d.ActingAs, ClientID: d.ClientID}
}

func (r record) author(office string) Author {
	a := Author{PersonID: r.PersonID, GivenName: r.GivenName, FamilyName: r.FamilyName, ClientID: r.ClientID}
	if r.ActingAs != nil {
		a.ActingAs = *r.ActingAs
	}
	if a.ActingAs == access.OfficeOperator {
		a.Office = office
	}
	return a
}

// seenFromOutside tells of an office which one it is, and not who acted for it.
func (a Author) seenFromOutside() Author {
	if a.Office == "" {
		return a
	}
	return Author{Office: a.Office}
}
