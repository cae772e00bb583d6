package protocol

import (
	"context"
	"time"

	"diresco/internal/platform/fault"
)

// bundlesWaiting is how many groups made by callers wait at a time.
const bundlesWaiting = 64

// Group is filings of one kind that are filed together, in a transaction of their own. They have no
// idempotency keys: whoever makes the group knows by itself what was filed before.
type Group[T any] struct {
	Filings []Filing[T]
	// Begin runs first of all in the transaction. It takes the locks that come before all others, and
	// may refuse entries. It may be nil, like End.
	Begin func(ctx context.Context, entries []*Entry[T]) error
	// End runs last in the transaction, whether entries are refused or not. What it writes is
	// committed with what is filed.
	End func(ctx context.Context, entries []*Entry[T]) error
	// Whole is for a group of which all is filed or nothing: where an entry is refused, the others
	// are refused with Other.
	Whole bool
	Other error
}

// FileTogether waits until a group is committed, and returns its entries. Those that are refused
// have their Err. An error says that nothing was committed, unless the context ended: then the
// group may still be filed. Beside errors of Begin and End it returns
//   - fault.Busy when more waits than can be filed soon,
//   - fault.Unavailable once the register is closed.
//
// Within a transaction it files there, at once: others that file wait until that ends. That is for a
// sandbox, which does in one transaction what waits.
//
// Lock order: what Begin takes, then the register's.
func (l *Lane[T]) FileTogether(ctx context.Context, g Group[T]) ([]*Entry[T], error) {
	b := &bundle{waiting: waiting{ctx: ctx, done: make(chan struct{})}, whole: g.Whole, other: g.Other}
	slips := make([]*slip[T], len(g.Filings))
	for i, f := range g.Filings {
		slips[i] = &slip[T]{lane: l, filing: f}
		b.filings = append(b.filings, slips[i])
	}
	entries := func() []*Entry[T] {
		all := make([]*Entry[T], len(slips))
		for i, s := range slips {
			all[i] = &s.entry
		}
		return all
	}
	b.begin = func(ctx context.Context) error {
		if g.Begin == nil {
			return nil
		}
		return g.Begin(ctx, entries())
	}
	b.end = func(ctx context.Context) error {
		if g.End == nil {
			return nil
		}
		return g.End(ctx, entries())
	}
	if l.register.db.WithinTx(ctx) {
		return entries(), l.register.transact(ctx, b.lines(), b)
	}
	if err := l.register.waitTogether(ctx, b); err != nil {
		return nil, err
	}
	return entries(), nil
}

// bundle is a group that waits.
type bundle struct {
	waiting
	filings    []filing
	begin, end func(ctx context.Context) error
	whole      bool
	other      error
}

// lines begins the bundle's entries.
func (b *bundle) lines() []*Line {
	entries := make([]*Line, len(b.filings))
	for i, f := range b.filings {
		entries[i] = f.begin()
	}
	return entries
}

// check is what a bundle asks once all its entries have been checked.
func (b *bundle) check(entries []*Line) {
	if !b.whole || len(accepted(entries)) == len(entries) {
		return
	}
	for _, e := range entries {
		e.Refuse(b.other)
	}
}

// waitTogether queues a bundle and waits until it is committed or given up.
func (r *Register) waitTogether(ctx context.Context, b *bundle) error {
	select {
	case <-r.stop:
		return fault.After(fault.Unavailable, time.Second)
	default:
	}
	select {
	case r.bundles <- b:
	default:
		return fault.After(fault.Busy, time.Second)
	}
	return r.await(ctx, &b.waiting)
}

// fileTogether commits a bundle, all of it in one transaction.
func (r *Register) fileTogether(b *bundle) {
	if err := b.ctx.Err(); err != nil {
		b.finish(err)
		return
	}
	b.finish(r.transact(context.Background(), b.lines(), b))
}
