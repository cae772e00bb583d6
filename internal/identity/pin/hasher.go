package pin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"

	"diresco/internal/platform/fault"
)

// HasherOptions are the cost of a hash and the bounds of hashing. The zero value of a part stands
// for the real one.
type HasherOptions struct {
	// Memory is what one hash fills, in KiB (19 MiB), Time how many times (2), by one thread.
	Memory uint32
	Time   uint32
	// Slots is how many hashes are computed together (one for each core). Queue is how many callers
	// may wait for one (64), and Wait for how long (3 s). Whoever exceeds that is told to come
	// again.
	Slots int
	Queue int
	Wait  time.Duration
	// Held is how many of those whom the queue has no place for are told so only after Hold (512,
	// 1 s). More are told at once.
	Held int
	Hold time.Duration
	// After is time.After unless a test brings its own.
	After func(time.Duration) <-chan time.Time
	// Random gives the salts (the system's).
	Random io.Reader
}

const (
	standardMemory = 19 * 1024
	standardTime   = 2
	publicMemory   = 8
	standardQueue  = 64
	standardWait   = 3 * time.Second
	standardHeld   = 512
	standardHold   = time.Second
	busyRetry      = 2 * time.Second
	saltBytes      = 16
	hashBytes      = 32
)

// Hasher computes argon2id hashes, a few at a time. Each fills much memory, and without a bound a
// storm of logins would take the whole machine.
type Hasher struct {
	options HasherOptions
	slots   chan struct{}
	waiting atomic.Int64
	held    atomic.Int64
	hashes  atomic.Int64
	// dummy is the hash of nothing that anybody can enter: a stranger's PIN is compared with it.
	dummy string
}

// NewHasher returns a hasher.
func NewHasher(o HasherOptions) (*Hasher, error) {
	if o.Memory == 0 {
		o.Memory = standardMemory
	}
	if o.Time == 0 {
		o.Time = standardTime
	}
	if o.Slots == 0 {
		o.Slots = runtime.GOMAXPROCS(0)
	}
	if o.Queue == 0 {
		o.Queue = standardQueue
	}
	if o.Wait == 0 {
		o.Wait = standardWait
	}
	if o.Held == 0 {
		o.Held = standardHeld
	}
	if o.Hold == 0 {
		o.Hold = standardHold
	}
	if o.After == nil {
		o.After = time.After
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	h := &Hasher{options: o, slots: make(chan struct{}, o.Slots)}
	unguessable := make([]byte, saltBytes+hashBytes)
	if _, err := io.ReadFull(o.Random, unguessable); err != nil {
		return nil, err
	}
	h.dummy = phc{o.Memory, o.Time, unguessable[:saltBytes], unguessable[saltBytes:]}.String()
	return h, nil
}

// Hashes returns how many hashes were computed so far.
func (h *Hasher) Hashes() int64 { return h.hashes.Load() }

// slot is the right to compute hashes until it is released.
type slot struct {
	hasher   *Hasher
	released bool
}

// acquire waits for a slot; fault.Busy when too many wait already or it takes too long.
func (h *Hasher) acquire(ctx context.Context) (*slot, error) {
	select {
	case h.slots <- struct{}{}:
		return &slot{hasher: h}, nil
	default:
	}
	if h.waiting.Add(1) > int64(h.options.Queue) {
		h.waiting.Add(-1)
		return nil, h.turnAway(ctx)
	}
	defer h.waiting.Add(-1)
	select {
	case h.slots <- struct{}{}:
		return &slot{hasher: h}, nil
	case <-h.options.After(h.options.Wait):
		return nil, fault.After(fault.Busy, busyRetry)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// turnAway tells a caller to come again, but not at once. Whoever is told so comes back the sooner,
// and a crowd of them would take the processors from those who are served.
func (h *Hasher) turnAway(ctx context.Context) error {
	if h.held.Add(1) > int64(h.options.Held) {
		h.held.Add(-1)
		return fault.After(fault.Busy, busyRetry)
	}
	defer h.held.Add(-1)
	select {
	case <-h.options.After(h.options.Hold):
		return fault.After(fault.Busy, busyRetry)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// release gives the slot to the next; it may be called again.
func (s *slot) release() {
	if !s.released {
		s.released = true
		<-s.hasher.slots
	}
}

// hash returns the hash of a normalised PIN with a new salt, in the PHC string format.
func (s *slot) hash(pin string) (string, error) {
	o := s.hasher.options
	salt := make([]byte, saltBytes)
	if _, err := io.ReadFull(o.Random, salt); err != nil {
		return "", err
	}
	p := phc{o.Memory, o.Time, salt, nil}
	p.hash = s.compute(p, pin)
	return p.String(), nil
}

// matches reports whether the hash is that of the PIN. It also reports whether the hash was made at
// the cost that is in force now.
func (s *slot) matches(hash, pin string) (right, current bool, err error) {
	p, err := parsePHC(hash)
	if err != nil {
		return false, false, err
	}
	right = subtle.ConstantTimeCompare(s.compute(p, pin), p.hash) == 1
	return right, p.memory == s.hasher.options.Memory && p.time == s.hasher.options.Time, nil
}

func (s *slot) compute(p phc, pin string) []byte {
	s.hasher.hashes.Add(1)
	return argon2.IDKey([]byte(pin), p.salt, p.time, p.memory, 1, hashBytes)
}

// phc is an argon2id hash by one thread, version 1.3.
type phc struct {
	memory, time uint32
	salt, hash   []byte
}

var base64PHC = base64.RawStdEncoding.Strict()

// String returns the hash in the PHC string format.
func (p phc) String() string {
	return fmt.Sprintf(
		"$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, p.memory, p.time, base64PHC.EncodeToString(p.salt),
		base64PHC.EncodeToString(p.hash),
	)
}

// parsePHC reads what String wrote. The error does not repeat the hash.
func parsePHC(text string) (phc, error) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return phc{}, fmt.Errorf("stored PIN hash is of an unknown kind")
	}
	var p phc
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=1", &p.memory, &p.time); err != nil || p.time == 0 {
		return phc{}, fmt.Errorf("stored PIN hash has unknown parameters")
	}
	var err error
	if p.salt, err = base64PHC.DecodeString(parts[4]); err == nil {
		p.hash, err = base64PHC.DecodeString(parts[5])
	}
	if err != nil || len(p.hash) != hashBytes || p.String() != text {
		return phc{}, fmt.Errorf("stored PIN hash cannot be read")
	}
	return p, nil
}
