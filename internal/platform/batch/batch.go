// Package batch writes what many requests leave behind in groups, off their path.
package batch

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// Options say how a Writer groups.
type Options[T any] struct {
	// Every is the longest time that something waits to be written.
	Every time.Duration
	// Group is the most that Write gets at once.
	Group int
	// Queue is the most that waits in memory before Add blocks and TryAdd refuses.
	Queue int
	// Write writes a group; when it returns an error, the group is given to Failed.
	Write func(ctx context.Context, group []T) error
	// Failed decides what is kept for the next try.
	Failed func(group []T, err error) (keep []T)
	// Lost, if set, is told what could not be written at the end.
	Lost func(items []T)
}

// Writer collects items and writes them in groups from one goroutine.
type Writer[T any] struct {
	options Options[T]
	// more says that something was queued.
	more  chan struct{}
	flush chan chan struct{}
	stop  chan struct{}
	done  chan struct{}

	mu sync.Mutex
	// room is told when the queue was emptied.
	room *sync.Cond
	// queue grows as it is needed: most of the time next to nothing waits.
	queue []T
	// adding is how many wait for room.
	adding int
	closed bool
}

const writeTimeout = 10 * time.Second

// New starts a writer. Close it to write what is left.
func New[T any](o Options[T]) *Writer[T] {
	w := &Writer[T]{
		options: o, more: make(chan struct{}, 1), flush: make(chan chan struct{}), stop: make(chan struct{}), done: make(chan struct{}),
	}
	w.room = sync.NewCond(&w.mu)
	go w.run()
	return w
}

// Add queues an item and waits while the queue is full. It reports false once the writer is closed.
func (w *Writer[T]) Add(item T) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.adding++
	for len(w.queue) >= w.options.Queue {
		w.room.Wait()
	}
	w.adding--
	w.put(item)
	return true
}

// TryAdd queues an item unless the queue is full or the writer closed. It does not wait for room.
func (w *Writer[T]) TryAdd(item T) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.queue) >= w.options.Queue {
		return false
	}
	w.put(item)
	return true
}

// put queues an item, with the mutex held.
func (w *Writer[T]) put(item T) {
	w.queue = append(w.queue, item)
	select {
	case w.more <- struct{}{}:
	default: // that there is more is known already
	}
}

// Flush returns once every item that was added before the call was given to Write.
func (w *Writer[T]) Flush(ctx context.Context) {
	reply := make(chan struct{})
	select {
	case w.flush <- reply:
	case <-w.done:
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-reply:
	case <-ctx.Done():
	}
}

// Close writes what is left and ends the writer.
func (w *Writer[T]) Close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.stop)
	}
	w.mu.Unlock()
	<-w.done
}

func (w *Writer[T]) run() {
	defer close(w.done)
	tick := time.NewTicker(w.options.Every)
	defer tick.Stop()
	var waiting []T
	// After a failure the next try is at the next tick. A try for each further item would take all
	// there is.
	failing := false
	write := func() {
		left := w.write(waiting)
		waiting, failing = left, len(left) > 0
	}
	for {
		select {
		case <-w.more:
			if waiting = w.take(waiting); len(waiting) >= w.options.Group && !failing {
				write()
			}
		case <-tick.C:
			write()
		case reply := <-w.flush:
			waiting = w.take(waiting)
			write()
			close(reply)
		case <-w.stop:
			if left := w.write(w.last(waiting)); len(left) > 0 && w.options.Lost != nil {
				w.options.Lost(left)
			}
			return
		}
	}
}

// take moves what is queued behind what waits already.
func (w *Writer[T]) take(waiting []T) []T {
	w.mu.Lock()
	defer w.mu.Unlock()
	waiting = append(waiting, w.queue...)
	clear(w.queue)
	if w.queue = w.queue[:0]; cap(w.queue) > w.options.Group {
		w.queue = nil
	}
	w.room.Broadcast()
	return waiting
}

// last takes what is left once the writer is closed, and what those add who waited for room.
func (w *Writer[T]) last(waiting []T) []T {
	for {
		waiting = w.take(waiting)
		w.mu.Lock()
		adding := w.adding + len(w.queue)
		w.mu.Unlock()
		if adding == 0 {
			return waiting
		}
		runtime.Gosched()
	}
}

func (w *Writer[T]) write(waiting []T) []T {
	for len(waiting) > 0 {
		group := waiting[:min(len(waiting), w.options.Group)]
		ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
		err := w.options.Write(ctx, group)
		cancel()
		if err != nil {
			return w.options.Failed(waiting, err)
		}
		waiting = waiting[len(group):]
	}
	return nil
}
