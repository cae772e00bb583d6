package delegation_test

import (
	"crypto/sha256"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/mandate/delegation"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// steps is how many calls one walk makes.
const steps = 40

// Whatever anybody calls in whatever order, a delegation only goes the ways that are in the table.
func TestDelegation_NoTransitionOutsideTheTable(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		seen := map[[2]delegation.State]bool{}
		rapid.Check(t, func(r *rapid.T) {
			walk{w: w, r: r, seen: seen}.run()
		})
		for from, to := range delegation.Transitions {
			for _, to := range to {
				if !seen[[2]delegation.State{from, to}] {
					t.Logf("no walk went from %s to %s", from, to)
				}
			}
		}
		if len(seen) < 6 {
			t.Errorf("the walks saw only %d ways", len(seen))
		}
	})
}

// The page about the model shows the ways that the code knows, and no others.
func TestDelegation_TheDocumentedTransitions(t *testing.T) {
	text, err := os.ReadFile("../../../docs/domain.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "## The delegation (delega)")
	if !found {
		t.Fatal("the section is gone")
	}
	_, table, found = strings.Cut(table, "| from | to | by |\n|---|---|---|\n")
	if !found {
		t.Fatal("the table is gone")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	documented := map[delegation.State][]delegation.State{}
	add := func(from, to string) {
		documented[delegation.State(from)] = append(documented[delegation.State(from)], delegation.State(to))
	}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, " | ")
		to, back := strings.CutSuffix(cells[1], ", and back")
		for from := range strings.SplitSeq(strings.TrimPrefix(cells[0], "| "), ", ") {
			add(from, to)
			if back {
				add(to, from)
			}
		}
	}
	sorted := cmpopts.SortSlices(func(a, b delegation.State) bool { return a < b })
	// States that are the end have no row.
	ends := cmpopts.IgnoreMapEntries(func(_ delegation.State, to []delegation.State) bool { return len(to) == 0 })
	if diff := cmp.Diff(delegation.Transitions, documented, sorted, ends); diff != "" {
		t.Errorf("the code has -, the page +:\n%s", diff)
	}
}

// walk is one sequence of calls about a new contributor.
type walk struct {
	w    *fixture
	r    *rapid.T
	seen map[[2]delegation.State]bool
}

// oneOf draws evenly: rapid itself prefers the first, so its walks seldom get anywhere.
func oneOf[T any](r *rapid.T, label string, all []T) T {
	h := sha256.Sum256(rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(r, label))
	return all[binary.BigEndian.Uint64(h[:])%uint64(len(all))]
}

func (k walk) run() {
	w, r := k.w, k.r
	w.company = w.Company(w.t, world.Rome, world.Milan)
	if rapid.Bool().Draw(r, "household") {
		w.household()
	}
	w.signatory, _ = w.representativeOf(w.company)
	employee, stranger := w.Person(w.t, nil), w.Person(w.t, nil)
	w.Role(w.t, employee.ID, w.company.ID, access.EmployeeDelegate, access.Declarations)
	one, first := w.Professional(w.t)
	two, second := w.Professional(w.t)
	delegates := []uuid.UUID{first, second}
	people := []uuid.UUID{one.ID, one.ID, one.ID, one.ID, one.ID, one.ID, two.ID, w.signatory.ID, employee.ID, stranger.ID}

	states, codes := map[uuid.UUID]delegation.State{}, map[uuid.UUID][]secret.Text{}
	w.Exec(w.t, "UPDATE delegates SET struck_off_at = NULL")
	ends := w.Clock.Now().Add(30 * time.Hour)
	begun := w.active(w.Session(w.t, one.ID, nil), func(in *delegation.Input) { in.ValidUntil = &ends })
	all := []uuid.UUID{begun.ID}
	states[begun.ID] = delegation.Active
	for range steps {
		session := w.Session(w.t, oneOf(r, "who", people), nil)
		act := oneOf(r, "act", []string{
			"draft", "draft", "draft", "change", "change", "change", "change", "send", "send", "send", "send", "activate", "activate",
			"activate", "activate", "revoke", "later", "much later", "strike off", "list again", "list again",
		})
		var id uuid.UUID
		var by access.Actor
		if slices.Contains([]string{"change", "send", "activate", "revoke"}, act) {
			// Mostly one that can still go somewhere.
			id = oneOf(r, "which", append(slices.DeleteFunc(slices.Clone(all), func(id uuid.UUID) bool {
				return len(delegation.Transitions[states[id]]) == 0
			}), all[len(all)-1], all[0]))
			var err error
			if by, err = w.Guard.Enter(ctx, session, access.Rule{To: access.ToDelegation}, access.Target{DelegationID: id}); err != nil {
				continue
			}
		}
		switch act {
		case "draft":
			in := input(w.company, w.signatory)
			in.Exclusive = rapid.Bool().Draw(r, "exclusive")
			if rapid.Bool().Draw(r, "ends") {
				in.ValidUntil = &ends
			}
			if d, err := w.service.Draft(ctx, w.in(session), in); err == nil {
				all, states[d.ID] = append(all, d.ID), delegation.Draft
			}
		case "change":
			d, err := w.service.Show(ctx, id)
			if err != nil {
				r.Fatal(err)
			}
			_, _ = w.service.Change(ctx, by, id, oneOf(r, "version", []int{
				1, d.Version, d.Version,
			}), delegation.Change{PositionIDs: []uuid.UUID{w.company.Positions[0].ID}})
		case "send":
			if _, err := w.service.Send(ctx, by, id); err == nil {
				codes[id] = append(codes[id], w.otp())
			}
		case "activate":
			a := delegation.Activation{OTP: "12345678", SignatureDeclared: oneOf(r, "declared", []bool{true, true, true, true, false})}
			if sent := codes[id]; len(sent) > 0 {
				a.OTP = oneOf(
					r, "code", append(slices.Clone(sent), sent[len(sent)-1], sent[len(sent)-1], sent[len(sent)-1], wrong(sent[0])),
				)
			}
			_, _ = w.service.Activate(ctx, by, id, a)
		case "revoke":
			_, _ = w.service.Revoke(ctx, by, id, "")
		case "later":
			w.Clock.Advance(time.Hour)
		case "much later":
			w.Clock.Advance(8 * 24 * time.Hour)
		case "strike off":
			w.StrikeOff(w.t, rapid.SampledFrom(delegates).Draw(r, "delegate"))
		case "list again":
			w.Exec(w.t, "UPDATE delegates SET struck_off_at = NULL WHERE id = ?", rapid.SampledFrom(delegates).Draw(r, "delegate"))
		}
		k.compare(act, all, states)
	}
}

// compare looks at all delegations after a call and notes which way each went.
func (k walk) compare(act string, all []uuid.UUID, states map[uuid.UUID]delegation.State) {
	exclusive := map[uuid.UUID]bool{}
	var live []delegation.View
	for _, id := range all {
		d, err := k.w.service.Show(ctx, id)
		if err != nil {
			k.r.Fatal(err)
		}
		before, now := states[id], d.State
		if before != now {
			if !slices.Contains(delegation.Transitions[before], now) {
				k.r.Fatalf("%s brought it from %s to %s", act, before, now)
			}
			k.seen[[2]delegation.State{before, now}], states[id] = true, now
		}
		if now == delegation.Active || now == delegation.Suspended {
			live, exclusive[d.DelegateID] = append(live, d), exclusive[d.DelegateID] || d.Exclusive
		}
		if (now == delegation.Draft || now == delegation.Revoked) && d.OTP != nil {
			k.r.Fatalf("a code for one that is %s", now)
		}
	}
	for _, d := range live {
		for delegateID, only := range exclusive {
			if only && delegateID != d.DelegateID {
				k.r.Fatalf("%s left two where one is exclusive", act)
			}
		}
	}
}
