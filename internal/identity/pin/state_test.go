package pin

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
)

func TestPIN_State(t *testing.T) {
	at := time.Date(2026, 3, 16, 8, 0, 0, 0, time.UTC)
	id := uuid.New()
	initial, active := given(id, access.Citizen, "hash", true, at), given(id, access.Citizen, "hash", false, at)
	due, unused := active.ChangeDueAt, *initial.UnusedExpiresAt
	revoked := active
	revoked.RevokedAt = &at
	underway := initial // its second half was not handed over yet
	underway.UnusedExpiresAt = nil
	for name, tt := range map[string]struct {
		pin  stored
		now  time.Time
		want State
	}{
		"as issued":                  {initial, at, StateInitial},
		"a microsecond before 60 d":  {initial, unused.Add(-time.Microsecond), StateInitial},
		"60 days unused":             {initial, unused, StateExpired},
		"on its way for long":        {underway, at.AddDate(1, 0, 0), StateInitial},
		"changed":                    {active, at, StateActive},
		"a microsecond before 6 mon": {active, due.Add(-time.Microsecond), StateActive},
		"6 months old":               {active, due, StateChangeDue},
		"revoked":                    {revoked, due, StateRevoked},
	} {
		if got := tt.pin.state(tt.now); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
