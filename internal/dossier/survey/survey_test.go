package survey_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/dossier/survey"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = context.Background()

func newKeys(t *testing.T) *keyring.DataKeys {
	t.Helper()
	keys, err := keyring.ParseDataKeys("k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func asked(operation string) context.Context {
	return audit.WithOrigin(ctx, audit.Origin{Operation: operation, RequestID: "request-1", Address: "192.0.2.1"})
}

// fixture is a survey that is open, with its administrator.
type fixture struct {
	*world.App
	t       *testing.T
	service *survey.Service
	admin   access.Actor
	id      uuid.UUID
}

func input(a *world.App) survey.Input {
	return survey.Input{
		Title: survey.Text{IT: "Come va?", EN: "How is it?"}, OpensAt: a.Clock.Now(), ClosesAt: a.Clock.Now().Add(30 * 24 * time.Hour),
		Questions: []survey.Question{
			{Code: "overall", Text: survey.Text{IT: "Quanto sei soddisfatto?", EN: "How satisfied are you?"}},
			{Code: "channel", Text: survey.Text{IT: "Quale canale?", EN: "Which channel?"}, Options: []survey.Option{
				{Code: "api", Text: survey.Text{IT: "Software <mio>", EN: "Software"}}, {Code: "office", Text: survey.Text{IT: "Sportello", EN: "Counter"}},
			}},
		},
	}
}

func each(t *testing.T, run func(t *testing.T, f *fixture)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		f := &fixture{App: a, t: t, service: survey.NewService(survey.Deps{Runner: a.Runner, Keys: newKeys(t)})}
		f.admin = f.person(access.Administrator)
		made, err := f.service.Publish(asked("publishSurvey"), f.admin, input(a))
		if err != nil {
			t.Fatal(err)
		}
		f.id = made.ID
		run(t, f)
	})
}

func (f *fixture) person(class access.UserClass) access.Actor {
	f.t.Helper()
	p := f.Person(f.t, func(p *world.Person) { p.UserClass = class })
	session := f.Session(f.t, p.ID, nil)
	by, err := f.Guard.Enter(ctx, session, access.Rule{To: access.ToSession}, access.Target{})
	if err != nil {
		f.t.Fatal(err)
	}
	return by
}

func answers(value int, option string) []survey.Answer {
	return []survey.Answer{{Question: "channel", Option: &option}, {Question: "overall", Value: &value}}
}

func (f *fixture) answer(by access.Actor, value int, option string) error {
	return f.service.Answer(asked("answerSurvey"), by, f.id, answers(value, option))
}

// answered has so many people answer the same.
func (f *fixture) answered(n, value int, option string) {
	f.t.Helper()
	for range n {
		if err := f.answer(f.person(access.InstitutionalIntermediary), value, option); err != nil {
			f.t.Fatal(err)
		}
	}
}

func refused(t *testing.T, what string, err error, code fault.Code, reason string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != code || f.Reason != reason {
		t.Errorf("%s: %v, want %s %s", what, err, code, reason)
	}
}

func TestSurvey_IsAnsweredOnceByAPerson(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		by := f.person(access.InstitutionalIntermediary)
		current, answered, err := f.service.Current(ctx, by)
		if err != nil || current.ID != f.id || answered || len(current.Questions) != 2 {
			t.Fatalf("%+v, answered %t: %v", current, answered, err)
		}
		if err := f.answer(by, 4, "api"); err != nil {
			t.Fatal(err)
		}
		refused(t, "a second time", f.answer(by, 1, "office"), fault.Conflict, "survey-answered")
		again := by
		again.SessionID = f.Session(t, by.PersonID, nil)
		refused(t, "in another session", f.answer(again, 1, "office"), fault.Conflict, "survey-answered")
		if _, answered, err = f.service.Current(ctx, by); err != nil || !answered {
			t.Errorf("answered %t, %v", answered, err)
		}
		if _, answered, err = f.service.Current(ctx, f.person(access.InstitutionalIntermediary)); err != nil || answered {
			t.Errorf("another person answered %t, %v", answered, err)
		}
		found, err := f.service.Show(ctx, f.id)
		if diff := cmp.Diff(survey.Counts{{0, 0, 0, 1, 0}, {1, 0}}, found.Counts); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

func TestSurvey_OfOnePersonAtOnceOneAnswerCounts(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		by := f.person(access.InstitutionalIntermediary)
		errs := make([]error, 8)
		world.Parallel(len(errs), func(i int) { errs[i] = f.answer(by, 1+i%5, "api") })
		good := 0
		for _, err := range errs {
			if err == nil {
				good++
			} else {
				refused(t, "another", err, fault.Conflict, "survey-answered")
			}
		}
		found, err := f.service.Show(ctx, f.id)
		if err != nil || good != 1 || found.Counts[1][0] != 1 {
			t.Errorf("%d took part, counts %v, %v", good, found.Counts, err)
		}
	})
}

func TestSurvey_TakesWhatItAsks(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		by := f.person(access.InstitutionalIntermediary)
		one, six, api, fax := 1, 6, "api", "fax"
		for what, c := range map[string]struct {
			answers []survey.Answer
			want    string
		}{
			"one question alone":   {[]survey.Answer{{Question: "overall", Value: &one}}, "/answers too-few"},
			"an unknown question":  {append(answers(1, "api"), survey.Answer{Question: "age", Value: &one}), "/answers/2/question_id enum"},
			"a question twice":     {append(answers(1, "api"), survey.Answer{Question: "overall", Value: &one}), "/answers/2/question_id duplicate"},
			"an unknown option":    {[]survey.Answer{{Question: "channel", Option: &fax}, {Question: "overall", Value: &one}}, "/answers/0/option enum"},
			"a value too high":     {[]survey.Answer{{Question: "channel", Option: &api}, {Question: "overall", Value: &six}}, "/answers/1/value maximum"},
			"a value of a choice":  {[]survey.Answer{{Question: "channel", Value: &one}, {Question: "overall", Value: &one}}, "/answers/0/value not-applicable"},
			"a choice for a value": {[]survey.Answer{{Question: "channel", Option: &api}, {Question: "overall", Option: &api}}, "/answers/1/option not-applicable"},
			"no choice":            {[]survey.Answer{{Question: "channel"}, {Question: "overall", Value: &one}}, "/answers/0/option required"},
			"no value":             {[]survey.Answer{{Question: "channel", Option: &api}, {Question: "overall"}}, "/answers/1/value required"},
		} {
			var wrong *fault.Fault
			err := f.service.Answer(asked("answerSurvey"), by, f.id, c.answers)
			if !errors.As(err, &wrong) || wrong.Code != fault.Invalid || len(wrong.Fields) != 1 ||
				wrong.Fields[0].Pointer+" "+wrong.Fields[0].Code != c.want {
				t.Errorf("%s: %v %+v, want %s", what, err, wrong, c.want)
			}
		}
		if n := f.Count(t, "survey_participations"); n != 0 {
			t.Errorf("%d took part", n)
		}
	})
}

func TestSurvey_IsOpenForItsTime(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		by := f.person(access.InstitutionalIntermediary)
		in := input(f.App)
		in.OpensAt, in.ClosesAt = in.ClosesAt, in.ClosesAt.Add(time.Hour)
		next, err := f.service.Publish(asked("publishSurvey"), f.admin, in)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, "before it opens", f.service.Answer(ctx, by, next.ID, answers(1, "api")), fault.NotFound, "")
		refused(t, "one that there is not", f.service.Answer(ctx, by, uuid.New(), answers(1, "api")), fault.NotFound, "")
		in.ClosesAt = in.ClosesAt.Add(time.Hour)
		_, err = f.service.Publish(asked("publishSurvey"), f.admin, in)
		refused(t, "one beside another", err, fault.Conflict, "survey-beside")
		f.answered(1, 5, "api")
		if err := f.service.Purge(ctx); err != nil || f.Count(t, "survey_participations") != 1 {
			t.Errorf("forgotten while it is open: %v", err)
		}
		f.Clock.Advance(30 * 24 * time.Hour)
		refused(t, "after its end", f.answer(by, 1, "api"), fault.NotFound, "")
		if current, _, err := f.service.Current(ctx, by); err != nil || current.ID != next.ID {
			t.Errorf("then %s is open, %v", current.ID, err)
		}
		if err := f.service.Purge(ctx); err != nil || f.Count(t, "survey_participations") != 0 {
			t.Errorf("who took part is kept after the end: %v", err)
		}
		f.Clock.Advance(time.Hour)
		_, _, err = f.service.Current(ctx, by)
		refused(t, "none is open", err, fault.NotFound, "")
		listed, err := f.service.List(ctx, page.Request{Limit: 1})
		if err != nil || len(listed.Items) != 1 || listed.Items[0].ID != next.ID || listed.Next == "" {
			t.Fatalf("%+v, %v", listed, err)
		}
		listed, err = f.service.List(ctx, page.Request{Limit: 1, Cursor: listed.Next})
		if err != nil || len(listed.Items) != 1 || listed.Items[0].ID != f.id || f.service.State(listed.Items[0]) != survey.Closed {
			t.Errorf("%+v, %v", listed, err)
		}
	})
}

func TestSurvey_IsPublishedRight(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for want, change := range map[string]func(in *survey.Input){
			"/closes_at past": func(in *survey.Input) {
				in.OpensAt, in.ClosesAt = in.OpensAt.Add(-2*time.Hour), in.OpensAt.Add(-time.Hour)
			},
			"/closes_at not-after": func(in *survey.Input) {
				in.OpensAt = in.OpensAt.Truncate(time.Microsecond)
				in.ClosesAt = in.OpensAt.Add(time.Nanosecond)
			},
			"/opens_at too-far": func(in *survey.Input) {
				in.OpensAt, in.ClosesAt = in.OpensAt.AddDate(3, 0, 0), in.ClosesAt.AddDate(3, 0, 0)
			},
			"/closes_at too-far":                      func(in *survey.Input) { in.ClosesAt = in.OpensAt.Add(400 * 24 * time.Hour) },
			"/questions/1/question_id duplicate":      func(in *survey.Input) { in.Questions[1].Code = "overall" },
			"/questions/1/options/1/option duplicate": func(in *survey.Input) { in.Questions[1].Options[1].Code = "api" },
		} {
			in := input(f.App)
			change(&in)
			_, err := f.service.Publish(asked("publishSurvey"), f.admin, in)
			var wrong *fault.Fault
			if !errors.As(err, &wrong) || wrong.Code != fault.Invalid || len(wrong.Fields) != 1 ||
				wrong.Fields[0].Pointer+" "+wrong.Fields[0].Code != want {
				t.Errorf("%v, want %s", err, want)
			}
		}
		if n := f.Count(t, "audit_records WHERE operation = 'publishSurvey' AND person_id = ? AND subject_id = ?", f.admin.PersonID, f.id.String()); n != 1 {
			t.Errorf("%d records", n)
		}
	})
}

// Until five have answered nothing is shown; then whole groups, so that two looks tell of nobody.
func TestSurvey_ShowsGroups(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		people := func() int {
			t.Helper()
			found, err := f.service.Results(ctx, f.id)
			if err != nil {
				refused(t, "results", err, fault.Conflict, "survey-too-few")
				return 0
			}
			return found.People()
		}
		for i, want := range []int{0, 0, 0, 0, 5, 5, 5, 5, 5, 10, 10} {
			f.answered(1, 1+i%5, []string{"api", "office"}[i%2])
			if got := people(); got != want {
				t.Errorf("after %d people %d are shown, want %d", i+1, got, want)
			}
		}
		f.Clock.Advance(31 * 24 * time.Hour)
		found, err := f.service.Results(ctx, f.id)
		if diff := cmp.Diff(survey.Counts{{2, 2, 2, 2, 2}, {5, 5}}, found.Counts); diff != "" || err != nil {
			t.Errorf("after the end: %v\n%s", err, diff)
		}
		if err := f.service.Purge(ctx); err != nil {
			t.Fatal(err)
		}
		if n := f.Count(t, "surveys WHERE counts <> shown"); n != 0 {
			t.Error("what one person said is kept")
		}
		_, err = f.service.Results(ctx, uuid.New())
		refused(t, "of none", err, fault.NotFound, "")
	})
}

// What is ended before it opens is over, and is not ended twice.
func TestSurvey_PlannedIsEndedOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		in := input(f.App)
		in.OpensAt, in.ClosesAt = in.OpensAt.AddDate(0, 6, 0), in.OpensAt.AddDate(0, 7, 0)
		planned, err := f.service.Publish(asked("publishSurvey"), f.admin, in)
		if err != nil || f.service.State(planned) != survey.Planned {
			t.Fatalf("%+v, %v", planned, err)
		}
		closed, err := f.service.Close(asked("closeSurvey"), f.admin, planned.ID)
		if err != nil || f.service.State(closed) != survey.Closed {
			t.Errorf("%s, %v", f.service.State(closed), err)
		}
		_, err = f.service.Close(asked("closeSurvey"), f.admin, planned.ID)
		refused(t, "again", err, fault.Conflict, "survey-closed")
	})
}

// Whoever ends a survey after one more person answered does not learn what they said.
func TestSurvey_ClosedBeforeItsTimeShowsGroupsAlone(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.answered(5, 5, "api")
		f.answered(1, 1, "office")
		closed, err := f.service.Close(asked("closeSurvey"), f.admin, f.id)
		if err != nil || f.service.State(closed) != survey.Closed {
			t.Fatalf("%+v, %v", closed, err)
		}
		_, err = f.service.Close(asked("closeSurvey"), f.admin, f.id)
		refused(t, "again", err, fault.Conflict, "survey-closed")
		refused(t, "an answer", f.answer(f.person(access.InstitutionalIntermediary), 1, "api"), fault.NotFound, "")
		for range 2 {
			found, err := f.service.Results(ctx, f.id)
			if diff := cmp.Diff(survey.Counts{{0, 0, 0, 0, 5}, {5, 0}}, found.Counts); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
			f.Clock.Advance(31 * 24 * time.Hour)
		}
		in := input(f.App)
		if _, err := f.service.Publish(asked("publishSurvey"), f.admin, in); err != nil {
			t.Errorf("another one: %v", err)
		}
	})
}

func TestSurvey_NeedsALiveSession(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		by := f.person(access.InstitutionalIntermediary)
		f.Exec(t, "UPDATE sessions SET ended_at = ? WHERE id = ?", f.Clock.Now(), by.SessionID)
		if err := f.answer(by, 3, "api"); !fault.Is(err, fault.SessionEnded) {
			t.Errorf("after the session: %v", err)
		}
		if n := f.Count(t, "survey_participations") + f.Count(t, "audit_records WHERE operation = 'answerSurvey'"); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestSurvey_ChartSaysItInWords(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.answered(3, 5, "api")
		f.answered(2, 2, "office")
		found, err := f.service.Results(ctx, f.id)
		if err != nil {
			t.Fatal(err)
		}
		chart := string(found.Survey.Chart(found.Counts, false))
		for decoder := xml.NewDecoder(strings.NewReader(chart)); ; {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v: %s", err, chart)
			}
		}
		for _, part := range []string{
			`<title id="title">Come va?</title>`, "Hanno risposto 5 persone", "Quanto sei soddisfatto? 1: 0, 2: 2, 3: 0, 4: 0, 5: 3",
			"Software &lt;mio&gt;: 3, Sportello: 2", `width="400"`, `width="266"`,
		} {
			if !strings.Contains(chart, part) {
				t.Errorf("no %s in %s", part, chart)
			}
		}
		if english := string(found.Survey.Chart(found.Counts, true)); !strings.Contains(english, "5 people answered") || strings.Contains(english, "Sportello") {
			t.Errorf("in English: %s", english)
		}
	})
}

// Whoever has the whole database cannot lead from a person, or a moment, to an answer: the dump of
// each table is searched for whatever could join them.
func TestSurvey_NothingLeadsToAnAnswer(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		people := make([]access.Actor, 6)
		for i := range people {
			people[i] = f.person(access.InstitutionalIntermediary)
		}
		f.Clock.Advance(time.Hour)
		before := dump(t, f.App)
		began := f.Clock.Now()
		for i, by := range people {
			f.Clock.Advance(time.Minute)
			if err := f.service.Answer(world.WithKey(asked("answerSurvey"), by, fmt.Sprintf("key-%d", i)), by, f.id, answers(1+i%5, "api")); err != nil {
				t.Fatal(err)
			}
		}
		after := dump(t, f.App)
		var changed []string
		for table, rows := range after {
			if !slices.Equal(rows, before[table]) {
				changed = append(changed, table)
			}
		}
		slices.Sort(changed)
		if diff := cmp.Diff([]string{"audit_records", "survey_participations", "surveys"}, changed); diff != "" {
			t.Fatalf("what changed:\n%s", diff)
		}
		moment := hourOf(began)
		for _, table := range changed {
			for _, row := range after[table] {
				if slices.Contains(before[table], row) {
					continue
				}
				for _, by := range people {
					for _, secret := range []string{by.PersonID.String(), by.SessionID.String(), by.TaxCode.Clear(), "request-1", "192.0.2.1", "key-"} {
						if strings.Contains(row, secret) {
							t.Errorf("%s has %s: %s", table, secret, row)
						}
					}
				}
				if strings.Contains(row, moment) {
					t.Errorf("%s has the moment: %s", table, row)
				}
			}
		}
		// One row counts all, so that no order of rows says what was chosen last.
		if n := len(after["surveys"]); n != 1 {
			t.Errorf("%d rows with counts", n)
		}
		var records []audit.Record
		if err := f.DB.From(ctx).Raw("SELECT " + db.Columns[audit.Record]("a") + " FROM audit_records a WHERE a.operation = 'answerSurvey'").
			Scan(&records).Error; err != nil || len(records) != len(people) {
			t.Fatalf("%d records, %v", len(records), err)
		}
		for _, r := range records {
			seconds, _ := r.ID.Time().UnixTime()
			if r.PersonID != nil || r.SessionID != nil || r.RightID != nil || r.RequestID != "" || r.Address != "" || r.Detail != nil ||
				*r.SubjectID != f.id.String() || !r.At.Equal(records[0].At) || r.At.After(began) || time.Unix(seconds, 0).After(began) {
				t.Errorf("a record says %+v", r)
			}
		}
		last := "SELECT operation FROM audit_records ORDER BY rowid DESC LIMIT 1"
		if f.DB.Dialect() == db.Postgres {
			last = "SELECT operation FROM audit_records ORDER BY xact_id DESC LIMIT 1"
		}
		var newest string
		if err := f.DB.From(ctx).Raw(last).Scan(&newest).Error; err != nil || newest == "answerSurvey" {
			t.Errorf("the newest record is %s, %v", newest, err)
		}
	})
}

// hourOf is how an instant begins wherever it stands in a dump, to the hour.
func hourOf(at time.Time) string { return at.UTC().Format("2006-01-02 15:") }

// dump returns the rows of every table as text.
func dump(t *testing.T, a *world.App) map[string][]string {
	t.Helper()
	list := "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
	if a.DB.Dialect() == db.Postgres {
		list = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'"
	}
	var names []string
	if err := a.DB.From(ctx).Raw(list).Scan(&names).Error; err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, name := range names {
		var rows []map[string]any
		if err := a.DB.From(ctx).Table(name).Find(&rows).Error; err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			all[name] = append(all[name], fmt.Sprint(row))
		}
	}
	return all
}
