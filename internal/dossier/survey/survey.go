// Package survey asks professional users whether they are satisfied, anonymously. What somebody
// answers goes into counts at once, and is kept nowhere else; nothing that is stored leads from a
// person, or from a moment, to an answer.
package survey

import (
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"diresco/internal/platform/fault"
)

const (
	// HiddenBelow is how many people must have answered before anything is shown. What is shown
	// changes with each further group of so many.
	HiddenBelow = 5
	// Highest is the best of the values of a question without options; the worst is 1.
	Highest = 5
	// longest is how long a survey is open at most.
	longest = 366 * 24 * time.Hour
	// aheadYears is how many years before it opens a survey is published at most.
	aheadYears = 2
)

// Text is said in both languages.
type Text struct {
	IT string `json:"it"`
	EN string `json:"en"`
}

// In returns the text in English or in Italian.
func (t Text) In(english bool) string {
	if english {
		return t.EN
	}
	return t.IT
}

// Question is one question of a survey.
type Question struct {
	Code string `json:"code"`
	Text Text   `json:"text"`
	// Options are what one may choose; without any it is a value from 1 to Highest.
	Options []Option `json:"options,omitempty"`
}

// Option is one answer that may be chosen.
type Option struct {
	Code string `json:"code"`
	Text Text   `json:"text"`
}

// choices is how many answers a question has.
func (q Question) choices() int {
	if len(q.Options) > 0 {
		return len(q.Options)
	}
	return Highest
}

// State is where a survey stands.
type State string

// The states of a survey.
const (
	Planned State = "planned"
	Open    State = "open"
	Closed  State = "closed"
)

// Survey is a survey with what was answered.
type Survey struct {
	ID          uuid.UUID
	Title       Text       `gorm:"serializer:json"`
	Questions   []Question `gorm:"serializer:json"`
	OpensAt     time.Time
	ClosesAt    time.Time
	ClosedAt    *time.Time
	PublishedAt time.Time
	// Counts are how often each answer was given, by question; Shown is what of them may be shown.
	Counts Counts `gorm:"serializer:json"`
	Shown  Counts `gorm:"serializer:json"`
}

// TableName tells GORM the table.
func (Survey) TableName() string { return "surveys" }

// Counts are how often each answer was given, by the places of question and answer.
type Counts [][]int

// none is the counts of a survey that nobody has answered.
func none(questions []Question) Counts {
	counts := make(Counts, len(questions))
	for i, q := range questions {
		counts[i] = make([]int, q.choices())
	}
	return counts
}

// people is how many answered: everybody answers each question once.
func (c Counts) people() int {
	n := 0
	for _, count := range c[0] {
		n += count
	}
	return n
}

// State is where the survey stands now.
func (s Survey) State(now time.Time) State {
	switch {
	case s.ClosedAt != nil, !now.Before(s.ClosesAt):
		return Closed
	case now.Before(s.OpensAt):
		return Planned
	}
	return Open
}

// Answer is what somebody answers to one question: an option, or a value.
type Answer struct {
	Question string
	Option   *string
	Value    *int
}

// choose returns the place of the answer to each question, in their order. It returns fault.Invalid
// unless each is answered once, by what it offers.
func (s Survey) choose(answers []Answer) ([]int, error) {
	var wrong []fault.Field
	chosen := make([]int, len(s.Questions))
	for i := range chosen {
		chosen[i] = -1
	}
	for i, a := range answers {
		refuse := func(member, code string) {
			wrong = append(wrong, fault.Field{Pointer: "/answers/" + strconv.Itoa(i) + member, Code: code})
		}
		at := slices.IndexFunc(s.Questions, func(q Question) bool { return q.Code == a.Question })
		if at < 0 {
			refuse("/question_id", fault.FieldEnum)
			continue
		}
		if chosen[at] >= 0 {
			refuse("/question_id", fault.FieldDuplicate)
			continue
		}
		place, member, code := s.Questions[at].place(a)
		if code != "" {
			refuse(member, code)
			continue
		}
		chosen[at] = place
	}
	if len(wrong) == 0 && slices.Contains(chosen, -1) {
		wrong = append(wrong, fault.Field{Pointer: "/answers", Code: fault.FieldTooFew})
	}
	if len(wrong) > 0 {
		return nil, fault.InvalidFields(wrong...)
	}
	return chosen, nil
}

// place is that of an answer among those of the question, or which member of it is wrong and why.
func (q Question) place(a Answer) (place int, member, code string) {
	options := len(q.Options) > 0
	switch {
	case options && a.Value != nil:
		return 0, "/value", fault.FieldNotApplicable
	case !options && a.Option != nil:
		return 0, "/option", fault.FieldNotApplicable
	case options && a.Option == nil:
		return 0, "/option", fault.FieldRequired
	case !options && a.Value == nil:
		return 0, "/value", fault.FieldRequired
	case !options && (*a.Value < 1 || *a.Value > Highest):
		return 0, "/value", fault.FieldMaximum
	case !options:
		return *a.Value - 1, "", ""
	}
	if place = slices.IndexFunc(q.Options, func(o Option) bool { return o.Code == *a.Option }); place < 0 {
		return 0, "/option", fault.FieldEnum
	}
	return place, "", ""
}

// answered counts what somebody chose. What may be shown grows by whole groups, so that nobody who
// looks before and after learns what one person answered.
func (s Survey) answered(chosen []int) Survey {
	counts := make(Counts, len(s.Counts))
	for i, of := range s.Counts {
		counts[i] = slices.Clone(of)
		counts[i][chosen[i]]++
	}
	s.Counts = counts
	if counts.people()%HiddenBelow == 0 {
		s.Shown = counts
	}
	return s
}

// Results are what may be shown of the answers. It returns fault.Conflict where that is nothing yet.
// It is whole groups alone, also after the end: what the last few said would be seen by who looked
// before.
func (s Survey) Results() (Counts, error) {
	if s.Shown.people() < HiddenBelow {
		return nil, fault.Because(fault.Conflict, "survey-too-few")
	}
	return s.Shown, nil
}

// Input is a survey as it is published.
type Input struct {
	Title     Text
	Questions []Question
	OpensAt   time.Time
	ClosesAt  time.Time
}

// check returns fault.Invalid naming each field that is wrong. The instants are as they are stored.
func (in Input) check(now time.Time) error {
	var wrong []fault.Field
	refuse := func(pointer, code string) { wrong = append(wrong, fault.Field{Pointer: pointer, Code: code}) }
	switch {
	case !in.ClosesAt.After(in.OpensAt):
		refuse("/closes_at", fault.FieldNotAfter)
	case !in.ClosesAt.After(now):
		refuse("/closes_at", fault.FieldPast)
	case in.ClosesAt.Sub(in.OpensAt) > longest:
		refuse("/closes_at", fault.FieldTooFar)
	}
	if in.OpensAt.After(now.AddDate(aheadYears, 0, 0)) {
		refuse("/opens_at", fault.FieldTooFar)
	}
	codes := map[string]bool{}
	for i, q := range in.Questions {
		at := "/questions/" + strconv.Itoa(i)
		if codes[q.Code] {
			refuse(at+"/question_id", fault.FieldDuplicate)
		}
		codes[q.Code] = true
		options := map[string]bool{}
		for j, o := range q.Options {
			if options[o.Code] {
				refuse(at+"/options/"+strconv.Itoa(j)+"/option", fault.FieldDuplicate)
			}
			options[o.Code] = true
		}
	}
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}
