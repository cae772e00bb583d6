package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// requestTimeout bounds one request: an answer that takes longer counts as none.
const requestTimeout = 30 * time.Second

// connection is one keep-alive HTTP/1.1 connection. It writes requests that were rendered by hand
// and reads answers with as little work as possible: the load generator shares the machine with
// what it measures, and net/http's client would take more of it than some of the handlers do.
type connection struct {
	address string
	// from is the local address, for work that must seem to come from many clients; nil for any.
	from   net.IP
	conn   net.Conn
	reader *bufio.Reader
	// body is that of the last answer, and location where it sends on to, or "".
	body     []byte
	location string
}

func dial(ctx context.Context, address string, from net.IP) (*connection, error) {
	c := &connection{address: address, from: from}
	return c, c.open(ctx)
}

func (c *connection) open(ctx context.Context) error {
	dialer := net.Dialer{Timeout: requestTimeout}
	if c.from != nil {
		dialer.LocalAddr = &net.TCPAddr{IP: c.from}
	}
	conn, err := dialer.DialContext(ctx, "tcp", c.address)
	if err != nil {
		return err
	}
	c.conn, c.reader = conn, bufio.NewReaderSize(conn, 32<<10)
	return nil
}

func (c *connection) close() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
}

// do sends a whole request and returns the status of the answer, whose body is then in c.body.
// After an error the connection is a new one.
func (c *connection) do(ctx context.Context, request []byte) (int, error) {
	status, err := c.exchange(request)
	if err != nil {
		c.close()
		return 0, errors.Join(err, c.open(ctx))
	}
	return status, nil
}

func (c *connection) exchange(request []byte) (int, error) {
	if c.conn == nil {
		return 0, net.ErrClosed
	}
	if err := c.conn.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return 0, err
	}
	if _, err := c.conn.Write(request); err != nil {
		return 0, err
	}
	return c.read()
}

var (
	lengthName   = []byte("content-length")
	encodingName = []byte("transfer-encoding")
	locationName = []byte("location")
	chunkedValue = []byte("chunked")
)

// read reads one answer of a Go server: a length or chunks, no trailers.
func (c *connection) read() (int, error) {
	line, err := c.line()
	if err != nil {
		return 0, err
	}
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, fmt.Errorf("not an HTTP/1.1 answer: %q", line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return 0, fmt.Errorf("not an HTTP/1.1 answer: %q", line)
	}
	length, chunked := 0, false
	c.location = ""
	for {
		if line, err = c.line(); err != nil {
			return 0, err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case len(name) == len(lengthName) && bytes.EqualFold(name, lengthName):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil || length < 0 {
				return 0, fmt.Errorf("wrong header: %q", line)
			}
		case len(name) == len(encodingName) && bytes.EqualFold(name, encodingName):
			chunked = bytes.EqualFold(bytes.TrimSpace(value), chunkedValue)
		case len(name) == len(locationName) && bytes.EqualFold(name, locationName):
			c.location = string(bytes.TrimSpace(value))
		}
	}
	c.body = c.body[:0]
	if !chunked {
		return status, c.take(length)
	}
	for {
		if line, err = c.line(); err != nil {
			return 0, err
		}
		size, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return 0, fmt.Errorf("wrong chunk: %q", line)
		}
		if err := c.take(int(size)); err != nil {
			return 0, err
		}
		if line, err = c.line(); err != nil {
			return 0, err
		}
		if len(line) > 0 {
			return 0, fmt.Errorf("text after a chunk: %q", line)
		}
		if size == 0 {
			return status, nil
		}
	}
}

// line reads a line and returns it without its end.
func (c *connection) line() ([]byte, error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

// take appends the next bytes of the answer to the body.
func (c *connection) take(length int) error {
	for length > 0 {
		part, err := c.reader.Peek(min(length, c.reader.Size()))
		if err != nil {
			return err
		}
		c.body = append(c.body, part...)
		if _, err := c.reader.Discard(len(part)); err != nil {
			return err
		}
		length -= len(part)
	}
	return nil
}

// call is a request that is sent again and again, each time with a fresh Idempotency-Key where it
// needs one.
type call struct {
	head, tail []byte
	keyed      bool
	out        []byte
}

// newCall renders a request.
func newCall(method, path, host, token string, body []byte, keyed bool) *call {
	var head bytes.Buffer
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\n", method, path, host)
	if token != "" {
		fmt.Fprintf(&head, "Authorization: Bearer %s\r\n", token)
	}
	if body != nil {
		fmt.Fprintf(&head, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	end := "\r\n"
	if keyed {
		head.WriteString("Idempotency-Key: ")
		end = "\r\n\r\n"
	}
	return &call{head: head.Bytes(), tail: append([]byte(end), body...), keyed: keyed}
}

// next returns the whole request; it is valid until the next call.
func (c *call) next() []byte {
	c.out = append(c.out[:0], c.head...)
	if c.keyed {
		c.out = append(c.out, uuid.NewString()...)
	}
	c.out = append(c.out, c.tail...)
	return c.out
}
