package declaration

import (
	"context"
	"sync"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

const (
	// exportRows is how many rows are read at a time: a chunk of them is all that an export keeps.
	exportRows = 2000
	// chunkSize is about as long as such a chunk.
	chunkSize = 1 << 20
	// mostExports and mostExportsEach are how many exports a process serves at a time, to all and
	// to one person.
	mostExports, mostExportsEach = 16, 2
	// clientsTogether is of how many contributors the rights are read together.
	clientsTogether = 500
)

// Export is an export under way. It reads a chunk of rows at a time, and keeps no connection
// between two, however slow its reader is.
type Export struct {
	service *Service
	by      access.Actor
	// rights are those by which all of it is shown. Where there are none, each page asks which there
	// are.
	rights []access.Right
	writer *writer
	source source
	chunk  []byte
	begun  bool
	ended  bool
	close  func()
}

// source reads the rows of an export, one page after the other.
type source interface {
	// next adds a page of rows to the chunk. It reports false behind the last one.
	next(ctx context.Context, w *writer, chunk []byte) ([]byte, bool, error)
}

// ExportOfContributor exports what OfContributor lists, in that order.
func (s *Service) ExportOfContributor(by access.Actor, f Filter, l Layout) (*Export, error) {
	return s.export(by, l, &ranged{s: s, in: ofContributor(by), filter: f}, by.Rights...)
}

// ExportMine exports what Mine lists, one contributor after the other and the latest of each first.
func (s *Service) ExportMine(by access.Actor, f Filter, l Layout) (*Export, error) {
	if f.WorkerTaxCode != "" {
		// A worker's declarations are few.
		return s.export(by, l, &walked{s: s, by: by, filter: f})
	}
	return s.export(by, l, &clients{s: s, by: by, filter: f})
}

// ExportOfOffice exports what OfOffice lists, in that order.
func (s *Service) ExportOfOffice(ctx context.Context, by access.Actor, f Filter, l Layout) (*Export, error) {
	f, found, err := s.resolved(ctx, by, f)
	if err != nil {
		return nil, err
	}
	return s.export(by, l, &ranged{s: s, in: ofOffice(by.OfficeCode), filter: f, ended: !found}, by.Office())
}

// export begins an export. It returns fault.Busy where too many are under way.
func (s *Service) export(by access.Actor, l Layout, from source, rights ...access.Right) (*Export, error) {
	if !s.exports.enter(by.PersonID) {
		return nil, fault.New(fault.Busy)
	}
	return &Export{
		service: s, by: by, rights: rights, writer: newWriter(l, s.run.DB.Dialect()), source: from,
		chunk: make([]byte, 0, chunkSize), close: sync.OnceFunc(func() { s.exports.leave(by.PersonID) }),
	}, nil
}

// Close ends an export, whole or not.
func (e *Export) Close() { e.close() }

// Next returns the next chunk, which is good until the one after it, and nil behind the last. Rights
// and session are looked at again before each but the first. It returns these faults:
//   - fault.SessionEnded: the session has ended;
//   - fault.NotFound, fault.Forbidden: a right has ended by which rows were shown.
func (e *Export) Next(ctx context.Context) ([]byte, error) {
	e.chunk = e.chunk[:0]
	switch {
	case !e.begun:
		if err := e.service.funds.CatchUp(ctx); err != nil {
			return nil, err
		}
		e.begun = true
		e.chunk = append(e.chunk, e.writer.heading()...)
	case !e.ended:
		if err := e.service.run.Recheck.Ongoing(ctx, e.by, e.rights...); err != nil {
			return nil, err
		}
	}
	for !e.ended {
		var more bool
		var err error
		if e.chunk, more, err = e.source.next(ctx, e.writer, e.chunk); err != nil {
			return nil, err
		}
		if e.ended = !more; len(e.chunk) >= chunkSize/2 {
			break
		}
	}
	if len(e.chunk) == 0 {
		return nil, nil
	}
	return e.chunk, nil
}

// ranged reads what one list has.
type ranged struct {
	s      *Service
	in     scope
	filter Filter
	after  *page.Key
	ended  bool
}

func (r *ranged) next(ctx context.Context, w *writer, chunk []byte) ([]byte, bool, error) {
	if r.ended {
		return chunk, false, nil
	}
	chunk, last, err := r.s.repo.exportRange(ctx, r.in, r.filter, r.after, w, chunk)
	r.after, r.ended = last, last == nil
	return chunk, !r.ended, err
}

// walked reads what the person's rights show of everything. Each page asks for the rights anew.
type walked struct {
	s      *Service
	by     access.Actor
	filter Filter
	after  *page.Key
}

func (r *walked) next(ctx context.Context, w *writer, chunk []byte) ([]byte, bool, error) {
	m := mine{r: r.s.repo, reached: r.s.rights.Declared(r.by, access.Declarations), filter: r.filter, after: r.after}
	chunk, last, err := m.export(ctx, uuid.Nil, w, chunk)
	r.after = last
	return chunk, last != nil, err
}

// clients reads one contributor after the other of those that the person may declare for. What a
// right does not show any more is not read; whether one has ended meanwhile is asked before the
// export is over, so that a part is not taken for the whole.
type clients struct {
	s      *Service
	by     access.Actor
	filter Filter
	// together are the contributors whose turn it is, the at-th is being read.
	together []uuid.UUID
	at       int
	after    *page.Key
}

func (r *clients) next(ctx context.Context, w *writer, chunk []byte) ([]byte, bool, error) {
	if r.at == len(r.together) {
		more, err := r.turn(ctx)
		if err != nil || !more {
			return chunk, false, err
		}
	}
	m := mine{r: r.s.repo, reached: r.s.rights.Declared(r.by, access.Declarations), filter: r.filter, after: r.after}
	chunk, last, err := m.export(ctx, r.together[r.at], w, chunk)
	if r.after = last; last == nil {
		r.at++
	}
	return chunk, true, err
}

// turn goes on to the next contributors. It reports false behind the last.
func (r *clients) turn(ctx context.Context) (bool, error) {
	reached := r.s.rights.Declared(r.by, access.Declarations)
	behind := uuid.Nil
	if len(r.together) > 0 {
		still, err := r.s.repo.stillReached(ctx, reached, r.together)
		if err != nil {
			return false, err
		}
		if still < len(r.together) {
			return false, fault.New(fault.NotFound)
		}
		behind = r.together[len(r.together)-1]
	}
	var err error
	r.together, err = r.s.repo.reachedBehind(ctx, reached, behind, clientsTogether)
	r.at, r.after = 0, nil
	return len(r.together) > 0, err
}

// slots are the exports that a process serves.
type slots struct {
	mu    sync.Mutex
	taken int
	each  map[uuid.UUID]int
}

func (s *slots) enter(personID uuid.UUID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken >= mostExports || s.each[personID] >= mostExportsEach {
		return false
	}
	if s.each == nil {
		s.each = map[uuid.UUID]int{}
	}
	s.taken++
	s.each[personID]++
	return true
}

func (s *slots) leave(personID uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if s.each[personID]--; s.each[personID] == 0 {
		delete(s.each, personID)
	}
}
