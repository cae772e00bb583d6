// Package clamd asks ClamAV's daemon whether something malicious is in a file. Files go to it as a
// stream, so it needs to see none of ours.
package clamd

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	// pieceSize is how much of a file goes in one piece.
	pieceSize = 64 << 10
	// maxReply is how long a reply may be, and maxFinding what it found.
	maxReply, maxFinding = 4 << 10, 200
)

// ErrTooLong means that the daemon takes no files of this length (StreamMaxLength).
var ErrTooLong = errors.New("the scanner takes no files of this length")

// Client asks one daemon.
type Client struct {
	network, address string
	dialer           *net.Dialer
}

// New makes a client for an address, tcp://host:port or unix:/path. What it says goes unencrypted, so
// a host must lie in a network that the operator allows.
func New(address string, allow []netip.Prefix) (*Client, error) {
	network, at, err := Parse(address)
	if err != nil {
		return nil, err
	}
	c := &Client{network: network, address: at, dialer: &net.Dialer{Timeout: dialTimeout}}
	if network == "tcp" {
		c.dialer.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
			// This is the address after all resolving, just before the connection is made.
			to, err := netip.ParseAddrPort(address)
			if err != nil || !slices.ContainsFunc(allow, func(p netip.Prefix) bool { return p.Contains(to.Addr().Unmap()) }) {
				return errors.New("the scanner lies in no allowed network")
			}
			return nil
		}
	}
	return c, nil
}

// Parse reads an address, tcp://host:port or unix:/path.
func Parse(address string) (network, at string, err error) {
	wrong := errors.New("neither tcp://host:port nor unix:/path")
	u, err := url.Parse(address)
	switch {
	case err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", "", wrong
	case u.Scheme == "unix" && u.Host == "" && strings.HasPrefix(u.Path, "/") && len(u.Path) > 1:
		return "unix", u.Path, nil
	case u.Scheme == "tcp" && u.Hostname() != "" && u.Port() != "" && u.Path == "":
		return "tcp", u.Host, nil
	}
	return "", "", wrong
}

// Ping tries whether the daemon answers.
func (c *Client) Ping(ctx context.Context) error {
	reply, err := c.ask(ctx, "PING", nil)
	if err == nil && reply != "PONG" {
		err = errors.New("the scanner gives no answer that is known")
	}
	return err
}

// Scan reads content and returns what the daemon found in it, "" for nothing. An error says nothing of
// the content: ErrTooLong, or that of the daemon or the way to it.
func (c *Client) Scan(ctx context.Context, content io.Reader) (finding string, err error) {
	reply, err := c.ask(ctx, "INSTREAM", content)
	if err != nil {
		return "", err
	}
	return verdict(reply)
}

// verdict tells what a reply says of a file.
func verdict(reply string) (finding string, err error) {
	reply = strings.TrimPrefix(reply, "stream: ")
	found, isFound := strings.CutSuffix(reply, " FOUND")
	switch {
	case reply == "OK":
		return "", nil
	case isFound && found != "":
		return plain(found), nil
	case strings.Contains(reply, "size limit exceeded"):
		return "", ErrTooLong
	}
	return "", fmt.Errorf("the scanner says: %s", plain(reply))
}

// ask sends a command, with content if it has some, and returns the reply.
func (c *Client) ask(ctx context.Context, command string, content io.Reader) (reply string, err error) {
	connection, err := c.dialer.DialContext(ctx, c.network, c.address)
	if err != nil {
		return "", err
	}
	// Whatever waits ends with the context.
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	defer func() {
		stop()
		_ = connection.Close()
		if err != nil && ctx.Err() != nil {
			err = ctx.Err()
		}
	}()
	_, sent := io.WriteString(connection, "z"+command+"\x00")
	if sent == nil && content != nil {
		var broken *readError
		if sent = stream(connection, content); errors.As(sent, &broken) {
			return "", broken.err
		}
	}
	// A daemon that takes no more says why before it hangs up.
	reply, err = bufio.NewReaderSize(io.LimitReader(connection, maxReply), maxReply).ReadString(0)
	if err != nil {
		return "", errors.Join(errors.New("the scanner does not answer"), sent, err)
	}
	reply = strings.TrimSuffix(reply, "\x00")
	if sent != nil && strings.HasSuffix(reply, "OK") {
		return "", errors.Join(errors.New("the scanner answered before it had heard all"), sent)
	}
	return reply, nil
}

// readError is that of the content, and not of the daemon.
type readError struct{ err error }

// Error implements error.
func (e *readError) Error() string { return e.err.Error() }

// stream sends content in pieces, each with its length before it, and an empty one as the last.
func stream(to io.Writer, content io.Reader) error {
	piece := make([]byte, 4+pieceSize)
	for {
		n, err := io.ReadFull(content, piece[4:])
		if n > 0 {
			binary.BigEndian.PutUint32(piece, uint32(n)) //nolint:gosec // a piece
			if _, err := to.Write(piece[:4+n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			_, err = to.Write(make([]byte, 4))
			return err
		case err != nil:
			return &readError{err}
		}
	}
}

// plain returns a text of the daemon's as it may stand in a log.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	return text[:min(len(text), maxFinding)]
}
