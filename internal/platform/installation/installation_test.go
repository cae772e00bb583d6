package installation_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/platform/installation"
	"diresco/internal/test/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func TestInstallation_ADatabaseStaysWhatItIs(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		for range 2 {
			if offset, err := installation.Claim(ctx, d, installation.Sandbox, start); err != nil || offset != 0 {
				t.Fatalf("offset %v, error %v", offset, err)
			}
		}
		_, err := installation.Claim(ctx, d, installation.Production, start)
		if !errors.Is(err, installation.ErrOtherKind) || strings.Contains(err.Error(), "\n") ||
			!strings.Contains(err.Error(), "DIRESCO_DATABASE_URL") {
			t.Errorf("serving a sandbox's database: %v", err)
		}
	})
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		if _, err := installation.Claim(ctx, d, installation.Production, start); err != nil {
			t.Fatal(err)
		}
		if _, err := installation.Claim(ctx, d, installation.Sandbox, start); !errors.Is(err, installation.ErrOtherKind) {
			t.Errorf("a sandbox on real data: %v", err)
		}
	})
}

func TestInstallation_OffsetIsKept(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		if _, err := installation.Claim(ctx, d, installation.Sandbox, start); err != nil {
			t.Fatal(err)
		}
		const ahead = 20*365*24*time.Hour + 123456*time.Microsecond
		if err := d.InTx(ctx, func(ctx context.Context) error {
			if offset, err := installation.Lock(ctx, d); err != nil || offset != 0 {
				t.Errorf("offset %v, error %v", offset, err)
			}
			return installation.SetClock(ctx, d, ahead)
		}); err != nil {
			t.Fatal(err)
		}
		if offset, err := installation.Claim(ctx, d, installation.Sandbox, start); err != nil || offset != ahead {
			t.Errorf("offset %v, want %v; error %v", offset, ahead, err)
		}
	})
}

func TestInstallation_TwoProcessesStartTogether(t *testing.T) {
	dbtest.EachURL(t, func(t *testing.T, rawURL string) {
		kinds := []installation.Kind{installation.Production, installation.Sandbox}
		outcomes := make([]error, len(kinds))
		var wg sync.WaitGroup
		for i, kind := range kinds {
			d := dbtest.Open(t, rawURL)
			wg.Go(func() { _, outcomes[i] = installation.Claim(context.Background(), d, kind, start) })
		}
		wg.Wait()
		if (outcomes[0] == nil) == (outcomes[1] == nil) {
			t.Errorf("one of the two gets the database: %v", outcomes)
		}
	})
}
