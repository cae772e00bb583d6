package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
)

// connections keeps what was opened for one message. All of it is closed in the end, or when its
// time is over.
type connections struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu     sync.Mutex
	opened []net.Conn
	closed bool
}

func (c *connections) open(ctx context.Context, network, address string) (net.Conn, error) {
	connection, err := c.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errors.Join(context.Canceled, connection.Close())
	}
	c.opened = append(c.opened, connection)
	return connection, nil
}

func (c *connections) openTLS(ctx context.Context, network, address string, config *tls.Config) (net.Conn, error) {
	plain, err := c.open(ctx, network, address)
	if err != nil {
		return nil, err
	}
	encrypted := tls.Client(plain, config)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return encrypted, nil
}

func (c *connections) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, connection := range c.opened {
		_ = connection.Close() // it is over, one way or the other
	}
	c.opened = nil
}
