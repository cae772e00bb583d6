// Package grouped writes what many requests leave behind in groups, off their path.
package grouped

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
}

// Writer collects items and writes them in groups from one goroutine.
type Writer[T any] struct {
	options Options[T]
	queue   chan T
	flush   chan chan struct{}
	stop    chan struct{}
	once    sync.Once
	done    chan struct{}
}

const writeTimeout = 10 * time.Second

// New starts a writer. Close it to write what is left.
func New[T any](o Options[T]) *Writer[T] {
	w := &Writer[T]{options: o, queue: make(chan T, o.Queue), flush: make(chan chan struct{}), stop: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

// Add queues an item and waits while the queue is full. It reports false once the writer is closed.
func (w *Writer[T]) Add(item T) bool {
	select {
	case <-w.done:
		return false
	default:
	}
	select {
	case w.queue <- item:
		return true
	case <-w.done:
		return false
	}
}

// TryAdd queues an item unless the queue is full. It never waits.
func (w *Writer[T]) TryAdd(item T) bool {
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
	w.once.Do(func() { close(w.stop) })
	<-w.done
}

func (w *Writer[T]) run() {
	defer close(w.done)
	tick := time.NewTicker(w.options.Every)
	defer tick.Stop()
	var waiting []T
	for {
		select {
		case item := <-w.queue:
			if waiting = append(waiting, item); len(waiting) >= w.options.Group {
				waiting = w.write(waiting)
			}
		case <-tick.C:
			waiting = w.write(waiting)
		case reply := <-w.flush:
			waiting = w.write(w.drain(waiting))
			close(reply)
		case <-w.stop:
			w.write(w.drain(waiting))
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
