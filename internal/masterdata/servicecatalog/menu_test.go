package servicecatalog_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"diresco/db"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/masterdata/servicecatalog"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestServiceCatalog_EverybodyArrangesTheirMenu(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		_, by := w.Employer(t)
		var before []string
		for _, s := range w.mine(by, servicecatalog.Chosen{}) {
			before = append(before, s.Code)
			if s.Pinned || s.Order != len(before) {
				t.Errorf("%s is pinned or in place %d", s.Code, s.Order)
			}
		}
		if diff := cmp.Diff([]string{"declarations", "delegations", "dossier", "pin", "contacts", "enrolment", "users"}, before); diff != "" {
			t.Error(diff)
		}
		entries := []servicecatalog.Entry{
			{ServiceCode: "users", Settings: map[string]any{}},
			{ServiceCode: "view_payments", Pinned: true, Settings: map[string]any{"a": "b"}},
			{ServiceCode: "pin", Pinned: true, Settings: map[string]any{"theme": "scuro"}},
		}
		m, err := w.catalogue.ReplaceMenu(ctx, by, 1, entries)
		if err != nil || m.Version != 2 {
			t.Fatal(m, err)
		}
		if shown, err := w.catalogue.Menu(ctx, by, false); err != nil || shown.Version != 2 || !cmp.Equal(entries, shown.Entries) {
			t.Errorf("shown as %+v, %v", shown, err)
		}
		after := w.mine(by, servicecatalog.Chosen{})
		var order []string
		for _, s := range after {
			order = append(order, s.Code)
		}
		// What one may not use is not shown, arranged or not.
		if diff := cmp.Diff([]string{"pin", "users", "declarations", "delegations", "dossier", "contacts", "enrolment"}, order); diff != "" {
			t.Error(diff)
		}
		if !after[0].Pinned || after[0].Settings["theme"] != "scuro" || after[0].Order != 1 || after[1].Pinned {
			t.Errorf("the first are %+v", after[:2])
		}
		for _, expected := range []int{0, 1, 3} {
			if _, err := w.catalogue.ReplaceMenu(ctx, by, expected, nil); !fault.Is(err, fault.PreconditionFailed) {
				t.Errorf("over version %d: %v", expected, err)
			}
		}
		if m, err := w.catalogue.ReplaceMenu(ctx, by, 2, nil); err != nil || m.Version != 3 || len(m.Entries) != 0 {
			t.Errorf("emptied as %+v, %v", m, err)
		}
		if n := w.Count(t, "audit_records WHERE subject_kind = 'menu' AND person_id = ?", by.PersonID); n != 2 {
			t.Errorf("%d audit records", n)
		}
		if m, err := w.catalogue.Menu(ctx, by, false); err != nil || m.Version != 3 || len(m.Entries) != 0 {
			t.Errorf("emptied, it is shown as %+v, %v", m, err)
		}
		if m, err := w.catalogue.ReplaceMenu(ctx, by, fault.AnyVersion, entries); err != nil || m.Version != 4 {
			t.Errorf("over whichever version: %+v, %v", m, err)
		}
		_, other := w.Employer(t)
		m, err = w.catalogue.Menu(ctx, other, false)
		if err != nil || m.Version != servicecatalog.Unarranged {
			t.Fatalf("another's menu is %+v, %v", m, err)
		}
		var offered []string
		for _, e := range m.Entries {
			offered = append(offered, e.ServiceCode)
			if e.Pinned || len(e.Settings) != 0 {
				t.Errorf("nobody arranged %+v", e)
			}
		}
		if diff := cmp.Diff(before, offered); diff != "" {
			t.Errorf("what another is offered:\n%s", diff)
		}
		if m, err := w.catalogue.ReplaceMenu(ctx, other, fault.AnyVersion, nil); err != nil || m.Version != 2 {
			t.Errorf("the first over whichever version: %+v, %v", m, err)
		}
	})
}

func TestServiceCatalog_TwoArrangementsAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		_, by := w.Employer(t)
		for version := 1; version <= 2; version++ {
			errs := make([]error, 8)
			var all sync.WaitGroup
			for i := range errs {
				all.Go(func() {
					_, errs[i] = w.catalogue.ReplaceMenu(ctx, by, version, []servicecatalog.Entry{{
						ServiceCode: "pin", Settings: map[string]any{"n": fmt.Sprint(i)},
					}})
				})
			}
			all.Wait()
			n := 0
			for _, err := range errs {
				if err == nil {
					n++
				} else if !fault.Is(err, fault.PreconditionFailed) {
					t.Error(err)
				}
			}
			if n != 1 {
				t.Errorf("%d replaced version %d", n, version)
			}
		}
	})
}

func TestServiceCatalog_WhatIsNoArrangement(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		_, by := w.Employer(t)
		many := map[string]any{}
		for i := range 11 {
			many[fmt.Sprint(i)] = "x"
		}
		entry := func(settings map[string]any) []servicecatalog.Entry {
			return []servicecatalog.Entry{{ServiceCode: "pin", Settings: settings}}
		}
		for name, c := range map[string]struct {
			entries []servicecatalog.Entry
			want    fault.Field
		}{
			"an unknown service": {
				[]servicecatalog.Entry{{ServiceCode: "pin"}, {ServiceCode: "nothing"}},
				fault.Field{Pointer: "/entries/1/service_code", Code: "unknown-service"},
			},
			"one service twice": {
				[]servicecatalog.Entry{{ServiceCode: "pin"}, {ServiceCode: "pin"}},
				fault.Field{Pointer: "/entries/1/service_code", Code: "duplicate"},
			},
			"too many settings": {entry(many), fault.Field{Pointer: "/entries/0/settings", Code: "too-many"}},
			"a setting of number": {
				entry(map[string]any{"a/b": json.Number("1")}), fault.Field{Pointer: "/entries/0/settings/a~1b", Code: "type"},
			},
			"a long setting": {
				entry(map[string]any{"a": strings.Repeat("è", 501)}), fault.Field{Pointer: "/entries/0/settings/a", Code: "too-long"},
			},
			"a long name": {
				entry(map[string]any{strings.Repeat("a", 101): "x"}), fault.Field{Pointer: "/entries/0/settings", Code: "too-long"},
			},
		} {
			_, err := w.catalogue.ReplaceMenu(ctx, by, 1, c.entries)
			var f *fault.Fault
			if !errors.As(err, &f) || f.Code != fault.Invalid || !cmp.Equal(f.Fields, []fault.Field{c.want}) {
				t.Errorf("%s: %v %+v", name, err, f)
			}
		}
		if _, err := w.catalogue.ReplaceMenu(ctx, by, 1, entry(map[string]any{"a": strings.Repeat("è", 500)})); err != nil {
			t.Error(err)
		}
	})
}

// TestServiceCatalog_TheMenuOfManyClients costs as many statements as that of one.
func TestServiceCatalog_TheMenuOfManyClients(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		professional, delegate := w.Professional(t)
		by := w.enter(professional.ID)
		w.Delegation(t, delegate, w.Company(t, world.Rome), nil)
		count := world.Statements(t, d)
		w.mine(by, servicecatalog.Chosen{})
		one := count()
		for range 20 {
			w.Delegation(t, delegate, w.Company(t, world.Rome), nil)
		}
		before := count()
		w.mine(by, servicecatalog.Chosen{})
		if many := count() - before; many != one {
			t.Errorf("%d statements for one client, %d for many", one, many)
		}
	})
}

var _ servicecatalog.Contributors = (*contributor.Service)(nil)
