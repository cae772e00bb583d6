package timeline

import (
	"io"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	// mostExports is how many exports a process makes at a time; a person has one.
	mostExports = 4
	// paceWindow is over how long it is looked how fast a reader is.
	paceWindow = 30 * time.Second
	// leastPace is how many bytes a reader takes in that time who does not give way to others.
	leastPace = 120 << 10
)

// slots are the exports that a process makes.
type slots struct {
	mu    sync.Mutex
	taken map[uuid.UUID]*slot
}

// slot is an export under way.
type slot struct {
	all *slots
	// since is when the window began, and bytes how much was taken in it.
	since time.Time
	bytes int
	// slow says that too little was taken in the window before.
	slow bool
	// over says that it gave way to another.
	over bool
}

// enter returns a place for an export, or nil where all are taken. Whoever does not read, or hardly
// does, gives way.
func (s *slots) enter(personID uuid.UUID, now time.Time) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if own := s.taken[personID]; own != nil && !own.givesWay(now) {
		return nil
	} else if own != nil {
		s.end(personID)
	}
	for other, one := range s.taken {
		if len(s.taken) < mostExports {
			break
		}
		if one.givesWay(now) {
			s.end(other)
		}
	}
	if len(s.taken) >= mostExports {
		return nil
	}
	if s.taken == nil {
		s.taken = map[uuid.UUID]*slot{}
	}
	entered := &slot{all: s, since: now}
	s.taken[personID] = entered
	return entered
}

func (s *slots) end(personID uuid.UUID) {
	s.taken[personID].over = true
	delete(s.taken, personID)
}

// leave gives a place back, unless another has it by now.
func (s *slots) leave(personID uuid.UUID, own *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[personID] == own {
		delete(s.taken, personID)
	}
}

func (o *slot) givesWay(now time.Time) bool { return o.slow || now.Sub(o.since) >= 2*paceWindow }

// moved notes that so many bytes were taken.
func (o *slot) moved(bytes int, now time.Time) {
	o.all.mu.Lock()
	defer o.all.mu.Unlock()
	if o.bytes += bytes; now.Sub(o.since) >= paceWindow {
		o.slow, o.since, o.bytes = o.bytes < leastPace, now, 0
	}
}

// isOver reports whether the export gave way.
func (o *slot) isOver() bool {
	o.all.mu.Lock()
	defer o.all.mu.Unlock()
	return o.over
}

// paced passes on what an export writes, and notes how fast it is taken.
type paced struct {
	io.Writer
	slot *slot
	now  func() time.Time
}

// Write implements io.Writer.
func (p paced) Write(piece []byte) (int, error) {
	n, err := p.Writer.Write(piece)
	p.slot.moved(n, p.now())
	return n, err
}
