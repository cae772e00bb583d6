package ticket

import (
	"testing"
	"time"

	"diresco/internal/platform/calendar"
)

// What a list asks of all tickets at once is the rule of each: they agree on every instant around
// the end of a day, through holidays and both changes of the clocks.
func TestDesk_AListAgreesWithEachTicketOnWhatIsOverdue(t *testing.T) {
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, calendar.Rome).UTC()
	for opened := from; opened.Before(from.AddDate(0, 9, 0)); opened = opened.Add(17 * time.Hour) {
		ticket := Ticket{State: Open, OpenedAt: opened}
		for _, edge := range []time.Time{ticket.AnswerDue(), ticket.AnsweredBy()} {
			for _, now := range []time.Time{edge.Add(-time.Microsecond), edge, edge.Add(time.Microsecond), edge.Add(31 * time.Hour)} {
				want := NotOverdue
				if opened.Before(overSince(now, workingDays)) {
					want = Due
				}
				if opened.Before(overSince(now, mostWorkingDays)) {
					want = Late
				}
				if got := ticket.Overdue(now); got != want {
					t.Fatalf("opened %s, at %s: the ticket says %s, the list %s", opened, now, got, want)
				}
			}
		}
	}
}

func TestDesk_WhatIsClosedIsNotOverdue(t *testing.T) {
	opened := time.Date(2026, 3, 16, 8, 15, 0, 0, time.UTC)
	if got := (Ticket{State: Closed, OpenedAt: opened}).Overdue(opened.AddDate(1, 0, 0)); got != NotOverdue {
		t.Errorf("it is %s", got)
	}
}

// The working days are counted from the last reopening, and not from a routing.
func TestDesk_TheWorkingDaysGoOnThroughARouting(t *testing.T) {
	opened := time.Date(2026, 3, 16, 8, 15, 0, 0, time.UTC)
	later := opened.AddDate(0, 0, 10)
	before := Ticket{State: Open, OpenedAt: opened}
	routed := Ticket{State: Open, OpenedAt: opened, RoutedAt: &later}
	if !routed.AnswerDue().Equal(before.AnswerDue()) || !before.AnswerDue().Equal(calendar.Date{Year: 2026, Month: 3, Day: 23}.End()) {
		t.Errorf("due %s, routed %s", before.AnswerDue(), routed.AnswerDue())
	}
	reopened := Ticket{State: Open, OpenedAt: opened, ReopenedAt: &later}
	if !reopened.AnswerDue().Equal(calendar.DeadlineWorkingDays(later, 5)) {
		t.Errorf("reopened, due %s", reopened.AnswerDue())
	}
}

func TestSummary_IsDueAtEightOnWorkingDays(t *testing.T) {
	for at, want := range map[string]string{
		"2026-03-16T07:00:00Z":        "2026-03-16T07:00:00Z",
		"2026-03-16T07:00:00.000001Z": "2026-03-17T07:00:00Z",
		"2026-03-20T12:00:00Z":        "2026-03-23T07:00:00Z",
		// The clocks are put forward on the 29th; 6 April is Easter Monday.
		"2026-03-28T12:00:00Z": "2026-03-30T06:00:00Z",
		"2026-04-04T12:00:00Z": "2026-04-07T06:00:00Z",
	} {
		from, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			t.Fatal(err)
		}
		got := summaryAfter(from).Format(time.RFC3339Nano)
		if got != want {
			t.Errorf("after %s: %s, want %s", at, got, want)
		}
		if next := summaryBefore(summaryAfter(from)); next.Format(time.RFC3339Nano) != want {
			t.Errorf("the last by %s is %s", got, next)
		}
	}
}
