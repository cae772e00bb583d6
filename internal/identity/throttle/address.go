package throttle

import (
	"context"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
)

const (
	// AddressWindow is how long a wrong secret counts against the address that it came from.
	AddressWindow = 10 * time.Minute
	// AddressFailures is how many wrong secrets within the window make an address wait.
	AddressFailures = 30
)

// AddressLimit refuses addresses that send many wrong secrets, over all subjects. Unlike a
// subject's counter it moves with the wrong ones alone.
type AddressLimit struct {
	repo    repository
	clock   clock.Clock
	enabled bool
	// apart is before the addresses that are counted for themselves.
	apart string
}

// NewAddressLimit returns the limit; one that is not enabled refuses nobody and keeps nothing.
func NewAddressLimit(d *db.DB, c clock.Clock, enabled bool) *AddressLimit {
	return &AddressLimit{repo: repository{d}, clock: c, enabled: enabled}
}

// Apart returns a limit with the same bounds that counts for itself: what is wrong there makes
// nobody wait elsewhere.
func (a *AddressLimit) Apart(purpose string) *AddressLimit {
	return &AddressLimit{repo: a.repo, clock: a.clock, enabled: a.enabled, apart: purpose + " "}
}

// Check refuses an address from which 30 secrets were wrong in the last ten minutes. An empty
// address, that of work which no client asked for, always passes. It returns fault.RateLimited,
// with the time to wait.
func (a *AddressLimit) Check(ctx context.Context, address string) error {
	if !a.enabled || address == "" {
		return nil
	}
	now := a.clock.Now()
	times, err := a.repo.latest(ctx, a.apart+network(address), now.Add(-AddressWindow), AddressFailures)
	if err != nil || len(times) < AddressFailures {
		return err
	}
	return fault.After(fault.RateLimited, times[AddressFailures-1].Add(AddressWindow).Sub(now))
}

// Record counts a wrong secret against the address, in the context's transaction.
func (a *AddressLimit) Record(ctx context.Context, address string) error {
	if !a.enabled || address == "" {
		return nil
	}
	return a.repo.addFailure(ctx, addressFailure{ID: uuid.Must(uuid.NewV7()), Address: a.apart + network(address), At: a.clock.Now()})
}

// Purge forgets what no longer counts.
func (a *AddressLimit) Purge(ctx context.Context) error {
	return a.repo.purgeFailures(ctx, a.clock.Now().Add(-AddressWindow))
}

// network returns what counts as one address: an IPv4 address, or the /64 of an IPv6 one. Who has
// one address of a /64 has them all.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	return netip.PrefixFrom(ip, 64).Masked().String()
}
