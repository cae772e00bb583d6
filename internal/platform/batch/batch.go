// Package batch writes what many requests leave behind in groups, off their path.
package batch

import (
	"context"
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
	queue   chan T
	flush   chan chan struct{}
	stop    chan struct{}
	done    chan struct{}

	// Whoever adds holds it shared, so that nothing comes into the queue once it is closed.
	mu     sync.RWMutex
	closed bool
}

const writeTimeout = 10 * time.Second

// New starts a writer. Close it to write what is left.
func New[T any](o Options[T]) *Writer[T] {
	w := &Writer[T]{
		options: o, queue: make(chan T, o.Queue), flush: make(chan chan struct{}), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go w.run()
	return w
}

// Add queues an item and waits while the queue is full. It reports false once the writer is closed.
func (w *Writer[T]) Add(item T) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return false
	}
	w.queue <- item
	return true
}

// TryAdd queues an item unless the queue is full or the writer closed. It does not wait for room.
func (w *Writer[T]) TryAdd(item T) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return false
	}
	select {
	case w.queue <- item:
		return true
	default:
		return false
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
		case item := <-w.queue:
			if waiting = append(waiting, item); len(waiting) >= w.options.Group && !failing {
				write()
			}
		case <-tick.C:
			write()
		case reply := <-w.flush:
			waiting = w.drain(waiting)
			write()
			close(reply)
		case <-w.stop:
			if left := w.write(w.drain(waiting)); len(left) > 0 && w.options.Lost != nil {
				w.options.Lost(left)
			}
			return
		}
	}
}

func (w *Writer[T]) drain(waiting []T) []T {
	for {
		select {
		case item := <-w.queue:
			waiting = append(waiting, item)
		default:
			return waiting
		}
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
