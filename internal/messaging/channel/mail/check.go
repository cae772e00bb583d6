package mail

import (
	"context"
	"fmt"
	"time"
)

// checkTimeout bounds a try: a server that is well greets at once.
const checkTimeout = 30 * time.Second

// Check connects to the server as for a message: EHLO, encryption and, where the configuration has
// a user, the login. It hands over no message.
func (s *Sender) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	connections := &connections{dial: s.config.Dial}
	defer connections.close()
	stop := context.AfterFunc(ctx, connections.close)
	defer stop()
	client, err := s.client(connections)
	if err != nil {
		return fmt.Errorf("smtp: %w", err)
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return failed(connecting, err)
	}
	if session.UpdateDeadline(farewellTimeout) == nil {
		_ = session.Quit() // it let us in, which was the question
	}
	return nil
}
