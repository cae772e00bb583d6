package smarttask_test

import (
	"context"
	"sort"
	"strings"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/dossier/smarttask"
	"diresco/internal/dossier/ticket"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// Wherever a process dies, another finds what it left once the lease has ended. Effect and outcome
// are there together, once.
func TestSmartTask_SurvivesADeathAtAnyPoint(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		n := 0
		for _, at := range [][2]string{
			{"UPDATE", "tickets"},
			{"INSERT", "audit_records"},
			{"UPDATE", "delegations"},
			{"INSERT", "outbox"},
		} {
			for step := range 2 {
				_, delegate := w.Professional(t)
				w.deleg = w.Delegation(t, delegate, w.company, nil)
				id := w.requested(w.rep, w.revocation())
				if step == 1 {
					// The process died after it had taken the task in charge.
					w.Exec(t, "UPDATE smart_tasks SET state = 'under_examination', taken_at = submitted_at, examined_at = submitted_at WHERE id = ?", id)
					w.Exec(t, "UPDATE tickets SET state = 'in_charge', assigned_at = opened_at WHERE id = ?", id)
				}
				mend := w.Break(t, at[0], at[1])
				if _, err := process(t, w.App).Step()(context.Background()); err == nil {
					t.Fatalf("%v is not broken", at)
				}
				mend()
				if w.state() != "active" || w.one("SELECT CAST(decided_at AS text) FROM smart_tasks WHERE id = ?", id) != "" {
					t.Errorf("%v: half of it is done", at)
				}
				if more, err := process(t, w.App).Step()(context.Background()); err != nil || more {
					t.Errorf("another process does not wait for the lease: %v", err)
				}
				w.Clock.Advance(smarttask.LeaseTime)
				if err := process(t, w.App).Drain(context.Background()); err != nil {
					t.Fatal(err)
				}
				n++
				w.want(id, smarttask.Accepted, "")
				if w.state() != "revoked" || w.Count(t, "audit_records WHERE operation = 'requestSmartTask' AND outcome = 'revoked'") != n ||
					w.Count(t, "audit_records WHERE operation = 'decideSmartTask'") != n ||
					w.Count(t, "outbox WHERE kind = 'ticket.closed'") != n {
					t.Errorf("%v: not done once", at)
				}
			}
		}
	})
}

// Two ask to end the same delegation at once: it ends once, and the other is told so.
func TestSmartTask_TwoForOneDelegation(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := &fixture{App: world.New(t, d), t: t}
		w.service = process(t, w.App)
		w.company, w.rep = w.Employer(t, world.Rome, world.Milan)
		second := w.Colleague(t, w.company.ID, access.Employer, access.Dispositive)
		_, delegate := w.Professional(t)
		for range 5 {
			w.deleg = w.Delegation(t, delegate, w.company, nil)
			ids := make([]uuid.UUID, 2)
			world.Parallel(2, func(i int) {
				by := []access.Actor{w.rep, second}[i]
				v, err := w.service.Request(ctx, by, w.revocation())
				if err != nil {
					t.Error(err)
				}
				ids[i] = v.ID
			})
			processes := []*smarttask.Service{process(t, w.Twin(t, d)), process(t, w.Twin(t, d))}
			world.Parallel(2, func(i int) {
				if err := processes[i].Drain(context.Background()); err != nil {
					t.Error(err)
				}
			})
			var states []string
			for _, id := range ids {
				v, err := w.service.Show(ctx, w.rep, id)
				if err != nil {
					t.Fatal(err)
				}
				state := string(v.State)
				for _, r := range v.Reasons {
					state += " " + string(r.Code)
				}
				states = append(states, state)
			}
			sort.Strings(states)
			if got := strings.Join(states, ", "); got != "accepted, not_accepted delegation-ended" {
				t.Error(got)
			}
			if n := w.Count(t, "audit_records WHERE subject_kind = 'delegation' AND subject_id = ?", w.deleg.String()); n != 1 {
				t.Errorf("%d traces of one end", n)
			}
		}
	})
}

// Processes share the work: each task is one's at a time, and none is decided twice.
func TestSmartTask_ProcessesShareTheWork(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := &fixture{App: world.New(t, d), t: t}
		w.service = process(t, w.App)
		w.company, w.rep = w.Employer(t, world.Rome, world.Milan)
		_, delegate := w.Professional(t)
		w.deleg = w.Delegation(t, delegate, w.company, nil)
		const tasks = 12
		for range tasks {
			w.requested(w.rep, ask("change-intermediary-contacts", map[string]any{"delegation_id": w.deleg, "contact_phone": "06 5555 0100"}))
		}
		processes := make([]*smarttask.Service, 3)
		for i := range processes {
			processes[i] = process(t, w.Twin(t, d))
		}
		world.Parallel(len(processes), func(i int) {
			if err := processes[i].Drain(context.Background()); err != nil {
				t.Error(err)
			}
		})
		w.drain()
		for _, counted := range []string{
			"smart_tasks WHERE state = 'accepted'", "audit_records WHERE operation = 'decideSmartTask'",
			"audit_records WHERE outcome = 'contacts-changed'", "outbox WHERE kind = 'ticket.closed'",
		} {
			if n := w.Count(t, counted); n != tasks {
				t.Errorf("%d %s", n, counted)
			}
		}
	})
}

// What fails by a defect is given up after some tries, and its asker is told.
func TestSmartTask_ADefectIsGivenUp(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		id := w.requested(w.rep, w.revocation())
		mend := w.Break(t, "UPDATE", "delegations")
		for n := 1; n <= 5; n++ {
			if err := w.service.Drain(context.Background()); err == nil {
				t.Fatalf("try %d says nothing", n)
			}
			w.Clock.Advance(smarttask.LeaseTime)
		}
		mend()
		w.drain()
		w.want(id, smarttask.NotAccepted, "", smarttask.Unexaminable)
		if w.state() != "active" {
			t.Error("revoked all the same")
		}
	})
}

func TestSmartTask_TheWorkerHearsOfATask(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		running, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { defer close(ended); w.service.Run(running) }()
		w.requested(w.rep, w.revocation())
		world.Eventually(t, "the delegation has ended", func() bool { return w.state() == "revoked" })
		stop()
		<-ended
	})
}

// A contributor's list is a range of an index, however many tasks there are.
func TestSmartTask_ListsAreRangesOfAnIndex(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		id := w.requested(w.rep, w.revocation())
		filed, err := w.Tickets.Show(ctx, w.rep, id)
		if err != nil {
			t.Fatal(err)
		}
		other, _ := w.Employer(t)
		tickets, tasks := make([]ticket.Ticket, 3000), make([]smarttask.Task, 3000)
		for i := range tickets {
			tickets[i] = filed.Ticket
			tickets[i].ID, tickets[i].ContributorID = uuid.Must(uuid.NewV7()), other.ID
			tasks[i] = smarttask.Task{
				ID: tickets[i].ID, ContributorID: other.ID, Type: "revoke-intermediary-delegation", Content: "{}", State: smarttask.Accepted,
				PersonID: w.rep.PersonID, RightID: w.rep.Rights[0].ID, SubmittedAt: w.Clock.Now(), DecidedAt: new(w.Clock.Now()),
				Checks: []smarttask.Check{}, Reasons: []smarttask.Reason{},
			}
		}
		w.Must(t, func(ctx context.Context) error {
			if err := w.DB.From(ctx).CreateInBatches(&tickets, 500).Error; err != nil {
				return err
			}
			return w.DB.From(ctx).CreateInBatches(&tasks, 500).Error
		})
		if w.DB.Dialect() == db.Postgres {
			w.Exec(t, "ANALYZE smart_tasks")
			w.Exec(t, "ANALYZE tickets")
		}
		for what, look := range map[string]func() error{
			"smart_tasks_by_contributor": func() error {
				_, err := w.service.OfContributor(ctx, w.rep, page.Request{Limit: 10})
				return err
			},
			"smart_tasks_open": func() error {
				_, err := w.service.Step()(ctx)
				return err
			},
		} {
			asked := world.Listen(t, w.DB, map[string]string{
				"smart_tasks_by_contributor": "FROM smart_tasks s", "smart_tasks_open": "SELECT id FROM smart_tasks",
			}[what])
			if err := look(); err != nil {
				t.Fatal(err)
			}
			if len(*asked) == 0 {
				t.Fatal("nothing was asked")
			}
			for _, plan := range world.Plans(t, w.DB, (*asked)[0]) {
				if !strings.Contains(plan, what) || strings.Contains(strings.ToUpper(plan), "SORT") || strings.Contains(plan, "TEMP B-TREE") {
					t.Errorf("%s: %s", what, plan)
				}
			}
		}
	})
}

// A process of before an update leaves what it does not know to the new ones.
func TestSmartTask_ATypeOfANewerVersionWaits(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		unknown, known := w.requested(w.rep, w.revocation()), w.requested(w.rep, w.withdrawal())
		w.Exec(t, "UPDATE smart_tasks SET type = 'newer' WHERE id = ?", unknown)
		w.drain()
		w.want(known, smarttask.Accepted, "")
		if due, err := w.service.Due(ctx); due || err != nil {
			t.Errorf("there is something to do: %v", err)
		}
		w.Exec(t, "UPDATE smart_tasks SET type = 'revoke-intermediary-delegation' WHERE id = ?", unknown)
		w.drain()
		w.want(unknown, smarttask.Accepted, "")
	})
}

// Whoever comments locks the ticket, then their right: the decision does not go the other way.
func TestSmartTask_TheTicketIsHeldBeforeItsEffect(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		w.requested(w.rep, w.withdrawal())
		asked := world.Listen(t, w.DB, "")
		w.drain()
		held := 0
		for _, q := range *asked {
			if strings.Contains(q.Statement, "contributor_roles") {
				break
			}
			if strings.Contains(q.Statement, " FROM tickets WHERE id = ") {
				held++
			}
		}
		// SQLite has one writer, which holds everything.
		if w.DB.Dialect() == db.Postgres && held != 2 {
			t.Errorf("held %d times before the role: to take it in charge, and to decide it", held)
		}
	})
}
