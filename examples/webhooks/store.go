package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// store keeps events in a file, one on each line, in the order in which they came.
type store struct {
	mu   sync.Mutex
	file *os.File
	end  int64
	ids  map[string]bool
}

// line is an event as it is kept.
type line struct {
	WebhookID string          `json:"webhook_id"`
	Event     json.RawMessage `json:"event"`
}

// openStore opens the file and reads which events it has. A last line that was not written whole is
// dropped: that event was not answered for, so it is sent again.
func openStore(path string) (*store, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	s := &store{file: file, ids: map[string]bool{}}
	lines := bufio.NewReader(file)
	for {
		text, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		var l line
		if err == nil {
			err = json.Unmarshal(text, &l)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
		}
		s.ids[l.WebhookID] = true
		s.end += int64(len(text))
	}
	return s, file.Truncate(s.end)
}

// keep writes an event, unless it is there already, and returns whether it was new. When it returns
// the event is on disk.
func (s *store) keep(id string, event []byte) (isNew bool, err error) {
	var text bytes.Buffer
	// A body that is no JSON cannot be kept in a line.
	if err := json.NewEncoder(&text).Encode(line{id, event}); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids[id] {
		return false, nil
	}
	_, err = s.file.WriteAt(text.Bytes(), s.end)
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		// Of what a full disk cut off nothing stays.
		return false, errors.Join(err, s.file.Truncate(s.end))
	}
	s.end += int64(text.Len())
	s.ids[id] = true
	return true, nil
}

// Close closes the file.
func (s *store) Close() error { return s.file.Close() }
