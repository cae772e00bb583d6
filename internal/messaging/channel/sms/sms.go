// Package sms hands short messages to a gateway over HTTP, and takes its reports about what became
// of them.
package sms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/channel"
	"diresco/internal/platform/egress"
	"diresco/internal/platform/secret"
)

const (
	// timeout is for one request and its whole answer.
	timeout = 15 * time.Second
	// maxAnswer is how much of an answer is read, in bytes.
	maxAnswer = 16 << 10
	// maxReference is how long a reference may be, in bytes; a longer one is not kept.
	maxReference = 200
)

// Config says where the gateway is.
type Config struct {
	// URL is where messages are posted: https, or http to a loopback address.
	URL string
	// Token is sent as a bearer token.
	Token secret.Text
	// From is what recipients see as the sender, if the gateway may choose; it may be empty.
	From string
	// Network is for tests; the zero value is the real thing.
	Network egress.Options
}

// Sender hands messages to the gateway.
type Sender struct {
	config Config
	url    *url.URL
	client *http.Client
}

// NewSender returns a sender for a gateway. It fails when the URL is not one that may be
// configured.
func NewSender(c Config) (*Sender, error) {
	u, err := egress.CheckURL(c.URL)
	if err != nil {
		return nil, fmt.Errorf("SMS gateway: %w", err)
	}
	c.Network.Timeout = timeout
	return &Sender{config: c, url: u, client: egress.Client(u, c.Network)}, nil
}

// request is what the gateway gets.
type request struct {
	MessageID uuid.UUID `json:"message_id"`
	To        string    `json:"to"`
	Text      string    `json:"text"`
	Sender    string    `json:"sender,omitempty"`
}

// answer is what the gateway may say of a message that it took.
type answer struct {
	Reference string `json:"reference"`
}

var mobile = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// Send implements channel.Sender.
func (s *Sender) Send(ctx context.Context, m channel.Outgoing) (channel.Sent, error) {
	if !mobile.MatchString(m.To) {
		return channel.Sent{}, &channel.Refused{Reason: "malformed-number", Certain: true}
	}
	body, err := json.Marshal(request{MessageID: m.ID, To: m.To, Text: channel.OneLine(m.Short), Sender: s.config.From})
	if err != nil {
		return channel.Sent{}, errors.New("SMS not encoded")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url.String(), bytes.NewReader(body))
	if err != nil {
		return channel.Sent{}, errors.New("SMS gateway: no request made")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Authorization", "Bearer "+s.config.Token.Reveal())
	r.Header.Set("Idempotency-Key", m.ID.String())
	r.Header.Set("User-Agent", "diresco")
	response, err := s.client.Do(r)
	if err != nil {
		return channel.Sent{}, fmt.Errorf("SMS gateway: %w", withoutURL(err))
	}
	defer func() { _ = response.Body.Close() }()
	return read(response)
}

// read says what an answer means. Of a success nothing but the status counts: the message must not
// go out twice because the rest of the answer cannot be read.
func read(response *http.Response) (channel.Sent, error) {
	switch status := response.StatusCode; {
	case status >= 200 && status <= 299:
		sent := channel.Sent{State: outbox.Sent}
		var a answer
		if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&a); err == nil && len(a.Reference) <= maxReference &&
			!strings.ContainsFunc(a.Reference, unicode.IsControl) {
			sent.ProviderRef = a.Reference
		}
		return sent, nil
	case status == http.StatusNotFound, status == http.StatusGone:
		return channel.Sent{}, &channel.Refused{Reason: "unknown-number"}
	case status == http.StatusBadRequest, status == http.StatusUnprocessableEntity:
		return channel.Sent{}, &channel.Refused{Reason: "refused-by-gateway", Message: true}
	default:
		return channel.Sent{}, fmt.Errorf("SMS gateway: answered %d", status)
	}
}

// withoutURL takes the error out of the library's, which repeats the URL.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
