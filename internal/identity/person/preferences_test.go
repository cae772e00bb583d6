package person_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
)

func channel(c outbox.Channel) *outbox.Channel { return &c }

func TestPreferences_SayHowSomebodyIsTold(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, ctx := open(t, d), context.Background()
		shown, err := w.people.Preferences(ctx, w.by.PersonID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(person.Preferences{
			PersonID: w.by.PersonID, Language: "it", Muted: []outbox.Category{}, Version: 1,
		}, shown); diff != "" {
			t.Error(diff)
		}
		in := person.Preferences{Language: "en", PreferredChannel: channel(outbox.SMS), Muted: []outbox.Category{outbox.Reminders}}
		for _, version := range []int{0, 2} {
			_, err = w.people.ReplacePreferences(ctx, w.by, version, in)
			refused(t, err, fault.PreconditionFailed, "")
		}
		records := rows(t, d, "audit_records")
		replaced, err := w.people.ReplacePreferences(ctx, w.by, 1, in)
		if err != nil {
			t.Fatal(err)
		}
		in.PersonID, in.Version, in.UpdatedAt = w.by.PersonID, 2, start
		if diff := cmp.Diff(in, replaced); diff != "" {
			t.Error(diff)
		}
		if shown, err = w.people.Preferences(ctx, w.by.PersonID); err != nil || !shown.Mutes(outbox.Reminders) ||
			shown.Mutes(outbox.AboutDeclarations) {
			t.Errorf("%+v, %v", shown, err)
		}
		if diff := cmp.Diff(in, shown); diff != "" {
			t.Error(diff)
		}
		if n := rows(t, d, "audit_records") - records; n != 1 {
			t.Errorf("%d audit records", n)
		}
		if replaced, err = w.people.ReplacePreferences(ctx, w.by, 2, person.Preferences{Language: "it"}); err != nil ||
			replaced.Version != 3 || replaced.PreferredChannel != nil {
			t.Errorf("%+v, %v", replaced, err)
		}
	})
}

func TestPreferences_WrongPreferences(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.add(t, person.PEC, "rossi@pec.example")
		for pointer, in := range map[string]person.Preferences{
			"/language":          {Language: "de"},
			"/muted/0":           {Language: "it", Muted: []outbox.Category{"pin"}},
			"/muted/1":           {Language: "it", Muted: []outbox.Category{outbox.Reminders, outbox.Reminders}},
			"/preferred_channel": {Language: "it", PreferredChannel: channel(outbox.PEC)}, // not verified yet
		} {
			var f *fault.Fault
			if _, err := w.people.ReplacePreferences(context.Background(), w.by, 1, in); !errors.As(err, &f) || f.Code != fault.Invalid ||
				len(f.Fields) != 1 || f.Fields[0].Pointer != pointer {
				t.Errorf("%s: %v", pointer, err)
			}
		}
		letter := person.Preferences{Language: "it", PreferredChannel: channel(outbox.Letter)}
		if _, err := w.people.ReplacePreferences(context.Background(), w.by, 1, letter); !fault.Is(err, fault.Invalid) {
			t.Errorf("by letter: %v", err)
		}
	})
}

func TestPreferences_OneOfManyReplacesPreferences(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		var all sync.WaitGroup
		var replaced atomic.Int32
		for range 8 {
			all.Go(func() {
				_, err := w.people.ReplacePreferences(context.Background(), w.by, 1, person.Preferences{Language: "en"})
				switch {
				case err == nil:
					replaced.Add(1)
				case !fault.Is(err, fault.PreconditionFailed):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if replaced.Load() != 1 {
			t.Errorf("%d replaced the same version", replaced.Load())
		}
	})
}
