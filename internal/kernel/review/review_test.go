package review_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/review"
	"diresco/internal/platform/fault"
)

func TestDecision_NamesWhatIsWrong(t *testing.T) {
	outcome, reason := fault.Field{Pointer: "/outcome", Code: "enum"}, fault.Field{Pointer: "/reason", Code: "pattern"}
	for _, c := range []struct {
		decision review.Decision
		want     []fault.Field
	}{
		{review.Decision{Outcome: review.Accepted, Reason: "Documento valido"}, nil},
		{review.Decision{Outcome: review.NotAccepted, Reason: strings.Repeat("è", 1000)}, nil},
		{review.Decision{Outcome: "submitted", Reason: "Va bene"}, []fault.Field{outcome}},
		{review.Decision{Reason: "Va bene"}, []fault.Field{outcome}},
		{review.Decision{Outcome: review.Accepted}, []fault.Field{reason}},
		{review.Decision{Outcome: review.Accepted, Reason: " \u00a0"}, []fault.Field{reason}},
		{review.Decision{Outcome: review.Accepted, Reason: "due\nrighe"}, []fault.Field{reason}},
		{review.Decision{Outcome: review.Accepted, Reason: "a\xff"}, []fault.Field{reason}},
		{review.Decision{Outcome: review.Accepted, Reason: strings.Repeat("è", 1001)}, []fault.Field{reason}},
		{review.Decision{Outcome: "x", Reason: "\x00"}, []fault.Field{outcome, reason}},
	} {
		err := c.decision.Check()
		var f *fault.Fault
		if (err != nil) != (c.want != nil) ||
			err != nil && (!errors.As(err, &f) || f.Code != fault.Invalid || !cmp.Equal(c.want, f.Fields)) {
			t.Errorf("%+v: %v, want %v", c.decision, err, c.want)
		}
	}
}

func TestDecision_IsKeptWithWhoAndWhen(t *testing.T) {
	operator, now, reason := uuid.Must(uuid.NewV7()), time.Date(2026, 3, 16, 8, 15, 0, 0, time.UTC), "Documento valido"
	got := review.Decision{Outcome: review.Accepted, Reason: reason}.Verdict(operator, now)
	if diff := cmp.Diff(review.Verdict{DecidedBy: &operator, DecidedAt: &now, Reason: &reason}, got); diff != "" {
		t.Error(diff)
	}
}

func TestDecision_NeedsASecondPerson(t *testing.T) {
	one, other := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	for _, c := range []struct {
		parts   []uuid.UUID
		allowed bool
	}{{nil, true}, {[]uuid.UUID{uuid.Nil}, true}, {[]uuid.UUID{other}, true}, {[]uuid.UUID{one}, false}, {[]uuid.UUID{other, one}, false}} {
		err := review.RequireSecond(access.Actor{PersonID: one}, c.parts...)
		var f *fault.Fault
		if (err == nil) != c.allowed || err != nil && (!errors.As(err, &f) || f.Code != fault.Forbidden || f.Reason != "second-person") {
			t.Errorf("parts %v: %v", c.parts, err)
		}
	}
	if err := review.RequireSecond(access.Actor{}, uuid.Nil); err != nil {
		t.Errorf("nobody had a part: %v", err)
	}
}

func TestOffice_IsRequired(t *testing.T) {
	for _, c := range []struct {
		worksAt, asked string
		allowed        bool
	}{{"7000", "7000", true}, {"4900", "7000", false}, {"", "7000", false}, {"", "", false}} {
		err := review.RequireOffice(access.Actor{OfficeCode: c.worksAt}, c.asked)
		if (err == nil) != c.allowed || err != nil && !fault.Is(err, fault.NotFound) {
			t.Errorf("who works at %q, of what is asked of %q: %v", c.worksAt, c.asked, err)
		}
	}
}
