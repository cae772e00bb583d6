package sandbox_test

import (
	"context"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/sandbox"
	"diresco/internal/test/dbtest"
)

// busyPINs has no time for a hash at the real cost.
type busyPINs struct{ sandbox.PINs }

// Hash implements sandbox.PINs.
func (busyPINs) Hash(context.Context, secret.Text) (string, error) {
	return "", fault.After(fault.Busy, time.Second)
}

// The PINs of test people are no secret, and a sandbox takes no time for them.
func TestSeed_ASlowMachineIsSeededToo(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d, func(deps *sandbox.Deps) { deps.PINs = busyPINs{deps.PINs} })
		if err := w.Seed(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
