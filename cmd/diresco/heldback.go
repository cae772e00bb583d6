package main

import (
	"bytes"
	"io"
	"sync"
)

// heldBack keeps what is written until it is released, and hands everything on from then on.
type heldBack struct {
	to io.Writer

	mu       sync.Mutex
	kept     bytes.Buffer
	released bool
}

// Write implements io.Writer.
func (h *heldBack) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.released {
		return h.kept.Write(p)
	}
	return h.to.Write(p)
}

// release hands on what was kept. A second call does nothing.
func (h *heldBack) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.released {
		h.released = true
		_, _ = h.to.Write(h.kept.Bytes()) // a log that cannot be written stops nothing
	}
}
