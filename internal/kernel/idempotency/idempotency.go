// Package idempotency makes a repeated request have its effect once and its answer again. The claim
// of a key is a row inserted as the first statement of the transaction that has the effect, so
// there is no effect without its key nor key without its effect. The answer is added after commit;
// until then a replay renders the resource that the row names.
package idempotency

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"diresco/db"
	"diresco/db/direct"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
)

// Lifetime is how long a key is remembered.
const Lifetime = 24 * time.Hour

// Claim is a request's wish to be done once.
type Claim struct {
	// Scope is whose key it is: a person's, or on public operations the request's own digest.
	Scope string
	Key   string
	// Operation is the operation id of the contract.
	Operation string
	// RequestMAC is a keyed digest of method, path, query and body.
	RequestMAC string
	// OtherMACs are the digests of the same request under other keys. A first try may be known by
	// one of them.
	OtherMACs []string
	// A request that stopped waiting for its filing may ask while the register still takes the key.
	taken atomic.Bool
	// rendered claims need no stored answer: what they made can be rendered as it was then.
	rendered atomic.Bool
}

// Taken reports whether this request holds the key, so that its answer is the one to remember. It
// means nothing once the operation failed.
func (c *Claim) Taken() bool { return c != nil && c.taken.Load() }

// Rendered says that a repeat of the request will be answered from what it made. That answer is
// exactly that of the first time, which therefore need not be kept.
func (c *Claim) Rendered() {
	if c != nil {
		c.rendered.Store(true)
	}
}

// Keeps reports whether the answer of this request is to be remembered.
func (c *Claim) Keeps() bool { return c.Taken() && !c.rendered.Load() }

type claimKey struct{}

// WithClaim returns a context that carries the claim.
func WithClaim(ctx context.Context, c *Claim) context.Context {
	return context.WithValue(ctx, claimKey{}, c)
}

// ClaimOf returns the claim that the context carries, or nil.
func ClaimOf(ctx context.Context) *Claim {
	c, _ := ctx.Value(claimKey{}).(*Claim)
	return c
}

// Answer is a response as it was given the first time.
type Answer struct {
	Status  int
	Headers map[string]string
	Body    []byte
}

// Replay is returned, as an error, for a request that was done before.
type Replay struct {
	// ResourceID names what the first request made or changed.
	ResourceID string
	// Answer is nil when the first answer was not stored (yet): then the resource is rendered.
	Answer *Answer
}

// Error implements error.
func (*Replay) Error() string { return "request was done before" }

// Store keeps the claims.
type Store struct {
	db    *db.DB
	clock clock.Clock
	// pending has the answers of this process that are not written yet.
	pending *Answers
}

// NewStore returns the store of a database. Answers of this process that are not written yet are
// found in pending, which is nil where nobody remembers answers.
func NewStore(d *db.DB, c clock.Clock, pending *Answers) *Store {
	return &Store{db: d, clock: c, pending: pending}
}

// Want is a claim together with the id of what the request will make or change.
type Want struct {
	Claim      *Claim
	ResourceID string
}

// Take claims one key in the context's transaction. It waits for a concurrent duplicate that is
// still running and returns a *Replay when that one succeeded, fault.IdempotencyKeyReused when the
// key belongs to another request, and fault.RequestInProgress when the duplicate takes too long. A
// nil claim is always granted.
func (s *Store) Take(ctx context.Context, want Want) error {
	if want.Claim == nil {
		return nil
	}
	return s.TakeAll(ctx, []Want{want})[0]
}

// TakeAll claims many keys, each different, with one statement; each gets its own outcome as in
// Take.
func (s *Store) TakeAll(ctx context.Context, wants []Want) []error {
	t := s.taking(wants)
	if len(t.order) == 0 {
		return make([]error, len(wants))
	}
	taken, err := db.InsertReturning(ctx, s.db, t.rows, takeOver, t.forgotten)
	return t.outcomes(ctx, taken, err)
}

// TakeIn is TakeAll when the batch is sent, on PostgreSQL. It adds its statement, or none where there
// is no claim, and returns what tells the outcomes then: of the batch's error where that came before
// the keys were taken.
func (s *Store) TakeIn(b *direct.Batch, wants []Want) (outcomes func(ctx context.Context, err error) []error, err error) {
	t := s.taking(wants)
	if len(t.order) == 0 {
		return func(context.Context, error) []error { return make([]error, len(wants)) }, nil
	}
	statement, values, err := db.Insertion(s.db, t.rows, takeOver, t.forgotten)
	if err != nil {
		return nil, err
	}
	var taken []keyRow
	direct.Ask(b, &taken, func(r *direct.Row) keyRow { return keyRow{Scope: r.Text(), Key: r.Text()} }, statement, values...)
	return func(ctx context.Context, err error) []error { return t.outcomes(ctx, taken, err) }, nil
}

// taking is what is asked of the keys.
type taking struct {
	store *Store
	wants []Want
	// order are the places of those with a claim, sorted; rows are theirs.
	order     []int
	rows      []keyRow
	forgotten time.Time
}

func (s *Store) taking(wants []Want) taking {
	now := s.clock.Now()
	t := taking{store: s, wants: wants, forgotten: now.Add(-Lifetime)}
	for i, w := range wants {
		if w.Claim != nil {
			t.order = append(t.order, i)
		}
	}
	// The same order everywhere, or two groups with the same keys would wait for each other.
	slices.SortFunc(t.order, func(a, b int) int {
		return strings.Compare(wants[a].Claim.Scope+"\x00"+wants[a].Claim.Key, wants[b].Claim.Scope+"\x00"+wants[b].Claim.Key)
	})
	t.rows = make([]keyRow, len(t.order))
	for n, i := range t.order {
		c := wants[i].Claim
		t.rows[n] = keyRow{
			Scope: c.Scope, Key: c.Key, Operation: c.Operation, RequestMAC: c.RequestMAC, ResourceID: wants[i].ResourceID, CreatedAt: now,
		}
	}
	return t
}

// outcomes says of each what became of its claim; taken are the keys that were.
func (t taking) outcomes(ctx context.Context, taken []keyRow, err error) []error {
	outcomes := make([]error, len(t.wants))
	if err != nil {
		if db.IsLockTimeout(err) {
			err = &fault.Fault{Code: fault.RequestInProgress, RetryAfter: time.Second, Err: err}
		}
		for _, i := range t.order {
			outcomes[i] = err
		}
		return outcomes
	}
	got := make(map[[2]string]bool, len(taken))
	for _, row := range taken {
		got[[2]string{row.Scope, row.Key}] = true
	}
	for _, i := range t.order {
		c := t.wants[i].Claim
		c.taken.Store(got[[2]string{c.Scope, c.Key}])
		if !c.Taken() {
			outcomes[i] = t.store.before(ctx, c)
		}
	}
	return outcomes
}

// keyRow is a claim as it is inserted.
type keyRow struct {
	Scope      string
	Key        string
	Operation  string
	RequestMAC string `gorm:"column:request_mac"`
	ResourceID string
	CreatedAt  time.Time
}

// TableName tells GORM the table.
func (keyRow) TableName() string { return "idempotency_keys" }

// takeOver lets a key that nobody remembers any more be used again, and nobody else's.
const takeOver = ` ON CONFLICT (scope, key)
	DO UPDATE SET operation = excluded.operation, request_mac = excluded.request_mac, resource_id = excluded.resource_id,
	created_at = excluded.created_at, status = NULL, headers = NULL, body = NULL
	WHERE idempotency_keys.created_at <= ? RETURNING scope, key`

// before tells what became of the earlier request that holds the key.
func (s *Store) before(ctx context.Context, c *Claim) error {
	var row struct {
		RequestMac string
		ResourceID string
		Status     *int
		Headers    *string
		Body       []byte
	}
	result := s.db.From(ctx).Raw(
		"SELECT request_mac, resource_id, status, headers, body FROM idempotency_keys WHERE scope = ? AND key = ?", c.Scope, c.Key,
	).Scan(&row)
	if result.Error != nil {
		return result.Error
	}
	if result.RowsAffected == 0 {
		return fault.After(fault.RequestInProgress, time.Second)
	}
	if row.RequestMac != c.RequestMAC && !slices.Contains(c.OtherMACs, row.RequestMac) {
		return fault.New(fault.IdempotencyKeyReused)
	}
	replay := &Replay{ResourceID: row.ResourceID}
	if row.Status == nil && s.pending != nil {
		replay.Answer = s.pending.waiting(c)
	}
	if row.Status != nil && row.Headers != nil {
		answer := Answer{Status: *row.Status, Body: row.Body}
		if err := json.Unmarshal([]byte(*row.Headers), &answer.Headers); err != nil {
			return err
		}
		replay.Answer = &answer
	}
	return replay
}

// Release gives claims back inside the transaction that took them: refused requests leave no row.
func (s *Store) Release(ctx context.Context, claims ...*Claim) error {
	for _, c := range claims {
		if !c.Taken() {
			continue
		}
		if err := s.db.From(ctx).Exec("DELETE FROM idempotency_keys WHERE scope = ? AND key = ?", c.Scope, c.Key).Error; err != nil {
			return err
		}
		c.taken.Store(false)
	}
	return nil
}

// Purge drops the keys that nobody remembers any more.
func (s *Store) Purge(ctx context.Context) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		return s.db.From(ctx).Exec("DELETE FROM idempotency_keys WHERE created_at <= ?", s.clock.Now().Add(-Lifetime)).Error
	})
}
