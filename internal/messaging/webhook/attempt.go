package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"diresco/internal/platform/egress"
)

const (
	// attemptTimeout is for one attempt and its whole answer.
	attemptTimeout = 10 * time.Second
	// answerRead is how much of an answer is read.
	answerRead = 1 << 10
	userAgent  = "diresco-webhooks/1"
)

// result is what became of a delivery: an attempt, or that it may not be sent.
type result struct {
	delivery Delivery
	// attempt is nil where there was none.
	attempt *Attempt
	// after is how long the endpoint asked to be left alone.
	after time.Duration
	// gone says that the endpoint wants nothing any more.
	gone bool
}

// attempt sends a delivery once.
func (s *Sender) attempt(ctx context.Context, c *contact, d Delivery) result {
	// Who receives it has the time of the world, and not that of a sandbox's clock.
	begun, at := time.Now(), s.clock.Now() //nolint:forbidigo // as above; how long it takes is measured by it too
	a := Attempt{ID: uuid.Must(uuid.NewV7()), DeliveryID: d.ID, At: at}
	r := result{delivery: d, attempt: &a}
	answered, err := s.post(ctx, c, d, begun)
	a.DurationMS = int(time.Since(begun).Milliseconds()) //nolint:forbidigo // as above
	if err != nil {
		a.Outcome = outcomeOf(err)
		return r
	}
	a.Status, a.Answer, a.Outcome = answered.status, printable(answered.begins), Refused
	switch {
	case answered.status/100 == 2:
		a.Outcome = Took
	case answered.status == http.StatusGone:
		r.gone = true
	default:
		r.after = retryAfter(answered.retryAfter, begun)
	}
	return r
}

// reply is what an endpoint answered, as far as it is read.
type reply struct {
	status     int
	retryAfter string
	begins     []byte
}

// post sends what is signed, and reads how the answer begins.
func (s *Sender) post(ctx context.Context, c *contact, d Delivery, at time.Time) (reply, error) {
	// The address was good when it was given: it is looked at again, and once more when it is dialled.
	if checkURL(c.webhook.URL, s.loopback) != "" {
		return reply{}, egress.ErrRefused
	}
	body, err := d.body(s.baseURL)
	if err != nil {
		return reply{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.webhook.URL, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", userAgent)
	if err := c.signer.sign(request.Header, d.EventID, at, body); err != nil {
		return reply{}, err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	// The status says whether it was taken, however the answer ends.
	begins, _ := io.ReadAll(io.LimitReader(response.Body, answerRead))
	return reply{response.StatusCode, response.Header.Get("Retry-After"), begins}, nil
}

// outcomeOf says what an error of an attempt means to who owns the endpoint.
func outcomeOf(err error) Outcome {
	var timeout net.Error
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.Is(err, egress.ErrRefused):
		return AddressRefused
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return TimedOut
	case errors.As(err, &certificate), errors.As(err, &record), errors.As(err, &alert), errors.As(err, &unknown):
		return Insecure
	}
	return Unreachable
}

// unusableError is what is wrong with one webhook, and with no other one.
type unusableError struct{ error }

// Unwrap returns what is wrong.
func (e *unusableError) Unwrap() error { return e.error }

// meet makes what is needed to speak to an endpoint.
func (s *Sender) meet(ctx context.Context, w Webhook) (*contact, error) {
	secrets, err := s.repo.secrets(ctx, w.ID, s.clock.Now())
	if err != nil {
		return nil, err
	}
	c := &contact{webhook: w}
	for _, one := range secrets {
		if one.ExpiresAt != nil && (c.until.IsZero() || one.ExpiresAt.Before(c.until)) {
			c.until = *one.ExpiresAt
		}
	}
	if c.signer, err = newSigner(s.keys, w, secrets); err != nil {
		return nil, &unusableError{err}
	}
	target, err := url.Parse(w.URL)
	if err != nil {
		return nil, &unusableError{err}
	}
	network := s.network
	network.Timeout, network.Connections = attemptTimeout, atOnce
	c.client = egress.Client(target, network)
	return c, nil
}
