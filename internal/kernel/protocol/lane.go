package protocol

import (
	"cmp"
	"context"
	"slices"
)

// Lane is the way of one kind of filing into a register. All lanes of a register share its groups
// and their order.
type Lane[T any] struct {
	register *Register
	kind     string
	handler  Handler[T]
}

// NewLane returns the lane of a kind, which is the register's word for it. It never changes, and no
// other lane has it.
func NewLane[T any](r *Register, kind string, handler Handler[T]) *Lane[T] {
	return &Lane[T]{register: r, kind: kind, handler: handler}
}

// File waits until the filing is in the register, durably, or refused. When the context ends first,
// the filing may still be made: its idempotency key tells. It returns
//   - the Handler's fault,
//   - fault.SessionEnded or that of the right which ended meanwhile,
//   - an *idempotency.Replay for a request that was filed before,
//   - fault.RequestInProgress or fault.IdempotencyKeyReused for its key,
//   - fault.Busy when more waits than can be filed soon,
//   - fault.Unavailable once the register is closed.
func (l *Lane[T]) File(ctx context.Context, f Filing[T]) (Entry[T], error) {
	s := &slip[T]{lane: l, filing: f, waiting: waiting{ctx: ctx, done: make(chan struct{})}}
	if err := l.register.wait(ctx, s); err != nil {
		return Entry[T]{}, err
	}
	return s.entry, nil
}

// slip is a filing that waits, with its entry in the present attempt to commit it.
type slip[T any] struct {
	waiting
	lane   *Lane[T]
	filing Filing[T]
	entry  Entry[T]
}

// filing is a slip of any kind.
type filing interface {
	// wait returns what the register tells who waits by.
	wait() *waiting
	// header returns what was filed.
	header() *Header
	// begin makes the entry anew, for another attempt to commit it.
	begin() *Line
	// kind returns the kind's lane.
	kind() lane
}

func (s *slip[T]) wait() *waiting { return &s.waiting }

func (s *slip[T]) header() *Header { return &s.filing.Header }

func (s *slip[T]) begin() *Line {
	s.entry = Entry[T]{Line: Line{Header: s.filing.Header, filing: s}, Content: s.filing.Content}
	return &s.entry.Line
}

func (s *slip[T]) kind() lane { return s.lane }

// lane is the Lane of any kind. The lines that it is given are its own.
type lane interface {
	word() string
	check(ctx context.Context, lines []*Line) error
	store(ctx context.Context, lines []*Line) error
}

func (l *Lane[T]) word() string { return l.kind }

func (l *Lane[T]) check(ctx context.Context, lines []*Line) error {
	return l.handler.Check(ctx, l.entries(lines))
}

func (l *Lane[T]) store(ctx context.Context, lines []*Line) error {
	return l.handler.Store(ctx, l.entries(lines))
}

// entries returns the entries of the lane's own lines.
func (*Lane[T]) entries(lines []*Line) []*Entry[T] {
	entries := make([]*Entry[T], len(lines))
	for i, l := range lines {
		entries[i] = &l.filing.(*slip[T]).entry
	}
	return entries
}

// part is what a group has of one kind.
type part struct {
	lane  lane
	lines []*Line
}

// parts returns a group by kind, in the order of the kinds' words. All registers thereby take locks
// in one order.
func parts(lines []*Line) []part {
	var all []part
	for _, l := range lines {
		of := l.filing.kind()
		i := slices.IndexFunc(all, func(p part) bool { return p.lane == of })
		if i < 0 {
			i = len(all)
			all = append(all, part{lane: of})
		}
		all[i].lines = append(all[i].lines, l)
	}
	slices.SortFunc(all, func(a, b part) int { return cmp.Compare(a.lane.word(), b.lane.word()) })
	return all
}
