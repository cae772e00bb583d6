package sandbox_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/sandbox"
	"diresco/internal/test/dbtest"
)

// impatientPINs lets nobody wait: whoever finds every processor at work is told to come again.
type impatientPINs struct {
	sandbox.PINs
	running atomic.Int64
}

// Hash implements sandbox.PINs.
func (p *impatientPINs) Hash(ctx context.Context, pin secret.Text) (string, error) {
	defer p.running.Add(-1)
	if p.running.Add(1) > int64(runtime.GOMAXPROCS(0)) {
		return "", fault.After(fault.Busy, time.Second)
	}
	for range 100 { // the others have their turn
		runtime.Gosched()
	}
	return p.PINs.Hash(ctx, pin)
}

// The sandbox never asks for more hashes at once than a machine can compute. Those that wait are
// refused after a while.
func TestSeed_ASlowMachineIsSeededToo(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d, func(deps *sandbox.Deps) { deps.PINs = &impatientPINs{PINs: deps.PINs} })
		if err := w.Seed(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
