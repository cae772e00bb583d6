package pinrecovery_test

import (
	"context"
	"errors"
	"testing"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/throttle"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// Nobody learns who is registered, whether the data match, or whether more was asked than is
// served. All cause the same statements and hashes, and nothing is left over for whom nothing is
// sent.
func TestPINRecovery_TheSameWorkForEverybody(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d, mobile)
		statements := world.Statements(t, d)
		cost := func(work func() error, code fault.Code) [2]int64 {
			t.Helper()
			before := [2]int64{int64(statements()), w.Hasher.Hashes()}
			want(t, work(), code)
			return [2]int64{int64(statements()) - before[0], w.Hasher.Hashes() - before[1]}
		}
		start := func(code taxcode.Code, given ...person.NewContact) func() error {
			return func() error { return w.recovery.StartRecovery(ctx, code, given) }
		}
		revoke := func(code taxcode.Code, given person.NewContact) func() error {
			return func() error { return w.recovery.StartRevocation(ctx, code, given) }
		}
		served := cost(start(pintest.Mario, mobile, email), "")
		starts := map[string][2]int64{
			"no match":           cost(start(pintest.Mario, mobile, thief), ""),
			"nobody":             cost(start(pintest.Stranger, mobile, email), ""),
			"nobody, one served": cost(start(pintest.Giulia, mobile, thief), ""),
			"second":             cost(start(pintest.Mario, mobile, email), ""),
			"third":              cost(start(pintest.Mario, mobile, email), ""),
			"fourth":             cost(start(pintest.Mario, mobile, email), ""),
		}
		w.Exec(t, "DELETE FROM one_time_codes")
		w.Exec(t, "UPDATE pins SET first_access_at = NULL")
		starts["impossible"] = cost(start(pintest.Mario, mobile, email), "")
		w.Exec(t, "UPDATE people SET suspended_at = created_at")
		starts["suspended"] = cost(start(pintest.Mario, mobile, email), "")
		w.Exec(t, "UPDATE people SET suspended_at = NULL")
		w.Exec(t, "UPDATE pins SET first_access_at = changed_at")
		for name, got := range starts {
			if got != served {
				t.Errorf("recovery, %s: %d statements and %d hashes, want %d and %d", name, got[0], got[1], served[0], served[1])
			}
		}

		served = cost(revoke(pintest.Mario, email), "")
		for name, got := range map[string][2]int64{
			"no match": cost(revoke(pintest.Mario, thief), ""),
			"nobody":   cost(revoke(pintest.Stranger, email), ""),
		} {
			if got != served {
				t.Errorf("revocation, %s: %v, want %v", name, got, served)
			}
		}
		if n := w.Count(t, "outbox WHERE person_id IS NULL OR person_id <> ?", w.who.ID); n != 0 {
			t.Errorf("%d messages for nobody", n)
		}

		confirm := func(code taxcode.Code) func() error {
			return func() error { _, err := w.recovery.ConfirmRecovery(ctx, code, "22222222"); return err }
		}
		known, unknown := cost(confirm(pintest.Mario), fault.CodeInvalid), cost(confirm(pintest.Stranger), fault.CodeInvalid)
		if known != unknown || known[1] != 1 {
			t.Errorf("a wrong code costs %v for somebody and %v for nobody", known, unknown)
		}
		for range throttle.MaxFailures - 1 {
			want(t, confirm(pintest.Mario)(), fault.CodeInvalid)
			want(t, confirm(pintest.Stranger)(), fault.CodeInvalid)
		}
		known, unknown = cost(confirm(pintest.Mario), fault.RateLimited), cost(confirm(pintest.Stranger), fault.RateLimited)
		if known != unknown {
			t.Errorf("during the wait a code costs %v for somebody and %v for nobody", known, unknown)
		}
		confirmRevocation := func(code taxcode.Code) func() error {
			return func() error { _, err := w.recovery.ConfirmRevocation(ctx, code, "22222222"); return err }
		}
		if known, unknown := cost(
			confirmRevocation(pintest.Mario), fault.CodeInvalid,
		), cost(confirmRevocation(pintest.Stranger), fault.CodeInvalid); known != unknown || known[1] != 0 {
			t.Errorf("a wrong revocation code costs %v for somebody and %v for nobody", known, unknown)
		}
	})
}

// Requests about one tax code wait for each other, whether or not there is such a person. Otherwise
// many at once would tell, by how long they take, who is registered.
func TestPINRecovery_RequestsAboutOneTaxCodeWait(t *testing.T) {
	w := open(t, dbtest.Open(t, dbtest.Postgres(t)), mobile)
	undo := errors.New("undo")
	for name, start := range map[string]func(ctx context.Context, code taxcode.Code) error{
		"recovery": func(ctx context.Context, code taxcode.Code) error {
			return w.recovery.StartRecovery(ctx, code, []person.NewContact{mobile, email})
		},
		"revocation": func(ctx context.Context, code taxcode.Code) error {
			return w.recovery.StartRevocation(ctx, code, thief)
		},
	} {
		for _, code := range []taxcode.Code{pintest.Mario, pintest.Stranger} {
			err := w.DB.InTx(ctx, func(first context.Context) error {
				want(t, start(first, code), "")
				return w.DB.InTx(ctx, func(second context.Context) error {
					if err := w.DB.From(second).Exec("SET LOCAL lock_timeout = '50ms'").Error; err != nil {
						return err
					}
					if err := start(second, code); !db.IsLockTimeout(err) {
						t.Errorf("%s, registered %v: the second got %v", name, code == pintest.Mario, err)
					}
					return undo
				})
			})
			if !errors.Is(err, undo) {
				t.Fatal(err)
			}
		}
	}
}
