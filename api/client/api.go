package client

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// Options say how an API is called. The zero value calls it as nobody, for what is public.
type Options struct {
	// HTTP sends the requests; http.DefaultClient if nil.
	HTTP *http.Client
	// Tokens let the requests in: those of an application (App.Tokens), or StaticToken.
	Tokens TokenSource
	// Language is that of texts: "it", the default of the service, or "en".
	Language string
	// UserAgent names the program, so that the institution can tell whom to ask.
	UserAgent string
	// Tries is how often a request is sent at most while the service is away or busy; 5 if zero.
	Tries int
	// LongestWait is how long to wait for the next try at most; a minute if zero. What asks for more,
	// such as a PIN that is locked, is given back at once.
	LongestWait time.Duration
	// Wait waits between tries; nil is with a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// API calls the service. It has all that the generated client has, and this beside:
//   - A refusal is an error: errors.As finds its *Problem, which has a code and the fields that are wrong. So an answer without an
//     error has the fields of its success.
//   - What is safe to send again is sent again, also when the service was away. Each POST has an Idempotency-Key, which
//     may be left empty in the parameters: then a new one is made. Set it yourself to repeat a request in another process.
//   - An access token that has expired is renewed, and the request sent again.
type API struct {
	*ClientWithResponses
	doer *doer
}

// New returns the API at a base address, such as https://diresco.example/v1.
func New(server string, o Options) (*API, error) {
	if server == "" {
		return nil, errors.New("client: no address of the API")
	}
	d := &doer{Options: o.withDefaults()}
	generated, err := NewClientWithResponses(strings.TrimSuffix(server, "/"), WithHTTPClient(d))
	if err != nil {
		return nil, err
	}
	return &API{ClientWithResponses: generated, doer: d}, nil
}

// withDefaults fills in what was left empty.
func (o Options) withDefaults() Options {
	if o.HTTP == nil {
		o.HTTP = http.DefaultClient
	}
	if o.Tries <= 0 {
		o.Tries = 5
	}
	if o.LongestWait <= 0 {
		o.LongestWait = time.Minute
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	return o
}

// wait waits, or returns what ended the context.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TokenSource gives the access token of a request.
type TokenSource interface {
	// AccessToken returns a token that is good. It is not the one that was refused, if one was.
	AccessToken(ctx context.Context, refused string) (string, error)
}

// StaticToken is an access token that nobody renews, such as that of a session in the sandbox.
type StaticToken string

// AccessToken implements TokenSource.
func (t StaticToken) AccessToken(context.Context, string) (string, error) { return string(t), nil }
