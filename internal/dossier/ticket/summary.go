package ticket

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/due"
)

// SummaryKind tells an operator what their office has not answered in time. Its data is {office,
// due, late, oldest}: the office's title, two numbers, and protocol numbers with commas.
var SummaryKind = outbox.Declare(outbox.Kind{Name: "ticket.summary", Mute: outbox.Reminders})

const (
	// summaryHour is when the summaries are due, by the clocks of Rome.
	summaryHour = 8
	// summaryNames is how many tickets a summary names.
	summaryNames = 5
)

// summaries are due each working day: one for each operator of an office that has not answered in
// time.
type summaries struct{ *Desk }

// Summaries are the due events of what is over time.
func (s *Desk) Summaries() due.Source { return summaries{s} }

// Name implements due.Source.
func (summaries) Name() string { return SummaryKind.Name }

// summaryAt is when the summaries of a day are due.
func summaryAt(d calendar.Date) time.Time {
	return time.Date(d.Year, d.Month, d.Day, summaryHour, 0, 0, 0, calendar.Rome).UTC()
}

// summaryBefore returns the last instant by another at which summaries are due.
func summaryBefore(until time.Time) time.Time {
	day := calendar.DateIn(until)
	for !calendar.IsWorkingDay(day) || summaryAt(day).After(until) {
		day = day.AddDays(-1)
	}
	return summaryAt(day)
}

// summaryAfter returns the first instant after another, or at it, at which summaries are due.
func summaryAfter(from time.Time) time.Time {
	day := calendar.DateIn(from)
	for !calendar.IsWorkingDay(day) || summaryAt(day).Before(from) {
		day = day.AddDays(1)
	}
	return summaryAt(day)
}

// Next implements due.Source. Nothing is due while every office answers in time.
func (s summaries) Next(ctx context.Context, after due.Cursor, until time.Time) (time.Time, bool, error) {
	waits, found, err := s.repo.longest(ctx)
	if err != nil || !found {
		return time.Time{}, false, err
	}
	from := after.At
	if after.ID == uuid.Max {
		from = from.Add(time.Microsecond)
	}
	if over := calendar.DeadlineWorkingDays(waits, workingDays); over.After(from) {
		from = over
	}
	at := summaryAfter(from)
	return at, !at.After(until), nil
}

// Do implements due.Source. Of days that were missed only the last one is told, and not after it is
// over: what was overdue then is told the next time if it still is. The operators come in the order
// of their ids, so that each is told once whatever ends in between.
func (s summaries) Do(ctx context.Context, after due.Cursor, until time.Time) (due.Cursor, error) {
	at := summaryBefore(until)
	if at.Before(after.At) || at.Equal(after.At) && after.ID == uuid.Max || !until.Before(calendar.EndOfDay(at)) {
		return due.Through(until), nil
	}
	told := uuid.Nil
	if at.Equal(after.At) {
		told = after.ID
	}
	offices, err := s.repo.overdue(ctx, at)
	if err != nil || len(offices) == 0 {
		return due.Through(until), err
	}
	operators, err := s.repo.operators(ctx, offices, told, due.AtOnce)
	if err != nil {
		return after, err
	}
	messages := make([]outbox.Message, len(operators))
	for i, o := range operators {
		m, err := outbox.NewMessage(SummaryKind, o.ID, offices[o.OfficeCode], at)
		if err != nil {
			return after, err
		}
		messages[i] = m.Until(calendar.EndOfDay(at))
	}
	if err := s.tickets.outbox.Add(ctx, messages...); err != nil || len(operators) < due.AtOnce {
		return due.Through(until), err
	}
	return due.Cursor{At: at, ID: operators[len(operators)-1].ID}, nil
}

// overdueAt is what an office has not answered in time, as its operators are told.
type overdueAt struct {
	Office string `json:"office"`
	// Due counts all that is over, Late those that are over by far.
	Due    int    `json:"due"`
	Late   int    `json:"late"`
	Oldest string `json:"oldest"`
}

// unanswered is a condition on tickets d in SQL: what an office has still to answer.
const unanswered = "d.state <> 'closed' AND d.kind = 'request'"

// longest returns from when the ticket waits that waits longest, and false where none does.
func (r deskRepository) longest(ctx context.Context) (time.Time, bool, error) {
	var found []Ticket
	err := r.db.From(ctx).Raw("SELECT d.opened_at, d.reopened_at FROM tickets d WHERE " + unanswered +
		" ORDER BY " + waitsFrom + ", d.id LIMIT 1").Scan(&found).Error
	if err != nil || len(found) == 0 {
		return time.Time{}, false, err
	}
	return found[0].WaitsFrom(), true, nil
}

// overdue returns by office what is not answered in time at an instant.
func (r deskRepository) overdue(ctx context.Context, at time.Time) (map[string]overdueAt, error) {
	dueBefore, lateBefore := overSince(at, workingDays), overSince(at, mostWorkingDays)
	var counts []struct {
		OfficeCode, Title string
		Due, Late         int
	}
	from := " FROM tickets d JOIN offices o ON o.code = d.office_code WHERE " + unanswered + " AND " + waitsFrom + " < ?"
	err := r.db.From(ctx).Raw("SELECT d.office_code, o.title, COUNT(*) AS due, SUM(CASE WHEN "+waitsFrom+" < ? THEN 1 ELSE 0 END) AS late"+
		from+" GROUP BY d.office_code, o.title", lateBefore, dueBefore).Scan(&counts).Error
	if err != nil {
		return nil, err
	}
	var oldest []struct{ OfficeCode, ProtocolNumber string }
	err = r.db.From(ctx).Raw(fmt.Sprintf(`SELECT office_code, protocol_number FROM (SELECT d.office_code, d.protocol_number,
		ROW_NUMBER() OVER (PARTITION BY d.office_code ORDER BY %s, d.id) AS place%s) t WHERE place <= %d ORDER BY office_code, place`,
		waitsFrom, from, summaryNames), dueBefore).Scan(&oldest).Error
	if err != nil {
		return nil, err
	}
	named := map[string][]string{}
	for _, o := range oldest {
		named[o.OfficeCode] = append(named[o.OfficeCode], o.ProtocolNumber)
	}
	all := make(map[string]overdueAt, len(counts))
	for _, c := range counts {
		all[c.OfficeCode] = overdueAt{Office: c.Title, Due: c.Due, Late: c.Late, Oldest: strings.Join(named[c.OfficeCode], ", ")}
	}
	return all, nil
}

// operator is who works at an office.
type operator struct {
	ID         uuid.UUID
	OfficeCode string
}

// operators returns who works at the offices, in the order of their ids, after one.
func (r deskRepository) operators(ctx context.Context, offices map[string]overdueAt, after uuid.UUID, limit int) ([]operator, error) {
	var found []operator
	err := r.db.From(ctx).Raw(`SELECT id, office_code FROM people WHERE user_class = 'operator' AND suspended_at IS NULL
		AND office_code IN ? AND id > ? ORDER BY id LIMIT ?`, slices.Collect(maps.Keys(offices)), after, limit).Scan(&found).Error
	return found, err
}
