package declaration_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// Should the program ever try to change what was submitted, the database does not let it.
func TestDeclaration_WhatWasSubmittedIsFinal(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t, world.Rome, world.Milan)
		filed, draft := a.Submit(t, by, c), a.Draft(t, by, c, c.Input(false))
		other, _ := a.Employer(t)
		update := func(set string, id uuid.UUID, args ...any) error {
			return d.InTx(ctx, func(ctx context.Context) error {
				return d.From(ctx).Exec("UPDATE declarations SET "+set+" WHERE id = ?", append(args, id)...).Error
			})
		}
		somebody := a.Person(t, nil)
		for _, change := range []struct {
			set  string
			args []any
			// draft says that a draft may be changed so.
			draft bool
		}{
			{"content = '{}'", nil, true},
			{"position_id = ?", []any{c.Positions[1].ID}, true},
			{"contributor_id = ?, position_id = ?", []any{other.ID, other.Positions[0].ID}, true},
			{"office_code = '4900'", nil, true},
			{"type = 'SRDC'", nil, true},
			{"step = 'reservation'", nil, true},
			{"worker_tax_code = NULL", nil, true},
			{"person_id = ?", []any{somebody.ID}, true},
			{"acting_as = 'employer'", nil, true},
			{"right_id = ?", []any{uuid.Must(uuid.NewV7())}, true},
			{"supersedes_id = ?", []any{draft.ID}, true},
			{"created_at = ?", []any{world.Start}, true},
			{"submitted_at = ?", []any{world.Start}, false},
			{"protocol_number = 'INPS.7000.16/03/2026.0000009'", nil, false},
			{"digest = 'sha-256:00'", nil, false},
			{"type_version = 2", nil, false},
			{"state = 'draft'", nil, true},
			{"state = 'draft', submitted_at = NULL, protocol_number = NULL, digest = NULL", nil, true},
			{"submitted_at = NULL", nil, true},
		} {
			err := update(change.set, filed.ID, change.args...)
			if err == nil {
				t.Errorf("a submitted declaration took %s", change.set)
			} else if !strings.Contains(err.Error(), "never changed") && !strings.Contains(
				strings.ToLower(err.Error()), "check constraint",
			) {
				t.Errorf("%s was refused for another reason: %v", change.set, err)
			}
			if err := update(change.set, draft.ID, change.args...); (err == nil) != change.draft {
				t.Errorf("a draft and %s: %v", change.set, err)
			}
			// Back to where it was.
			if err := d.InTx(ctx, func(ctx context.Context) error {
				return d.From(ctx).Select("*").Save(&draft.Declaration).Error
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := update("state = 'in_charge', version = version + 1", filed.ID); err != nil {
			t.Errorf("its state may move: %v", err)
		}
	})
}

// Nor does it forget a filing, its number, its receipt or its trace.
func TestDeclaration_WhatWasFiledIsNotDeleted(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t, world.Rome)
		a.Submit(t, by, c)
		draft := a.Draft(t, by, c, c.Input(false))
		run := func(statement string, args ...any) error {
			return d.InTx(ctx, func(ctx context.Context) error { return d.From(ctx).Exec(statement, args...).Error })
		}
		for _, statement := range []string{
			"DELETE FROM declarations WHERE state <> 'draft'", "DELETE FROM protocol_entries",
			"DELETE FROM audit_records",
			"UPDATE protocol_entries SET jws = 'other'", "UPDATE protocol_entries SET number = number + 1",
			"UPDATE audit_records SET outcome = 'other'",
		} {
			if err := run(statement); err == nil || !strings.Contains(err.Error(), "final") {
				t.Errorf("%s: %v", statement, err)
			}
		}
		if err := run("DELETE FROM declarations WHERE id = ?", draft.ID); err != nil {
			t.Errorf("a draft: %v", err)
		}
	})
}
