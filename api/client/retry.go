package client

import (
	"context"
	"errors"
	"math/rand/v2" //nolint:depguard // how long to wait is no secret
	"net"
	"net/http"
	"time"

	"github.com/google/uuid"
)

const (
	idempotencyKey = "Idempotency-Key"
	authorization  = "Authorization"
	// firstPause is about how long to wait before the second try; each later pause is twice as long.
	firstPause = 200 * time.Millisecond
)

// doer sends a request until it has an answer that is worth giving.
type doer struct{ Options }

// Do implements HttpRequestDoer. A request that is refused for its token is sent again with another.
func (d *doer) Do(r *http.Request) (*http.Response, error) {
	d.prepare(r)
	if d.Tokens == nil || r.Header.Get(authorization) != "" {
		return d.send(r)
	}
	token, err := d.Tokens.AccessToken(r.Context(), "")
	if err != nil {
		return nil, errors.Join(err, drop(r))
	}
	r.Header.Set(authorization, "Bearer "+token)
	answer, err := d.send(r)
	if !isUnauthorized(err) || !rewind(r) {
		return answer, err
	}
	renewed, renewErr := d.Tokens.AccessToken(r.Context(), token)
	switch {
	case renewErr != nil:
		return nil, renewErr
	case renewed == token:
		return nil, err
	}
	r.Header.Set(authorization, "Bearer "+renewed)
	return d.send(r)
}

// prepare sets the headers that every request has.
func (d *doer) prepare(r *http.Request) {
	if r.Method == http.MethodPost && r.Header.Get(idempotencyKey) == "" {
		r.Header.Set(idempotencyKey, uuid.NewString())
	}
	if d.Language != "" && r.Header.Get("Accept-Language") == "" {
		r.Header.Set("Accept-Language", d.Language)
	}
	if d.UserAgent != "" {
		r.Header.Set("User-Agent", d.UserAgent)
	}
}

// send sends a request, again and again while that may help.
func (d *doer) send(r *http.Request) (*http.Response, error) {
	for try := 1; ; try++ {
		answer, err := d.deliver(r)
		if err == nil {
			if answer.StatusCode < http.StatusBadRequest && !foreign(r, answer) {
				return answer, nil
			}
			err = refusal(answer)
		}
		asked, again := mayRepeat(r, err)
		if !again || asked > d.LongestWait || try >= d.Tries || r.Context().Err() != nil || !rewind(r) {
			return nil, err
		}
		if waitErr := d.Wait(r.Context(), pause(asked, try)); waitErr != nil {
			return nil, errors.Join(waitErr, err)
		}
	}
}

// headersWithin is the key of how long each try waits for the headers of its answer.
type headersWithin struct{}

// deliver sends a request once.
func (d *doer) deliver(r *http.Request) (*http.Response, error) {
	within, limited := r.Context().Value(headersWithin{}).(time.Duration)
	if !limited {
		return d.HTTP.Do(r)
	}
	// The body is read under it, so it ends with the context of the request.
	ctx, cancel := context.WithCancel(r.Context())
	late := time.AfterFunc(within, cancel)
	answer, err := d.HTTP.Do(r.WithContext(ctx))
	late.Stop()
	if err != nil {
		cancel()
	}
	return answer, err
}

// pause is how long to wait after a try. What the service asks for is a minimum. Programs that were
// turned away together do not come back together.
func pause(asked time.Duration, try int) time.Duration {
	longest := firstPause << min(try, 8)
	return asked + longest/4 + rand.N(longest*3/4) //nolint:gosec // as above
}

// mayRepeat reports whether sending the request again may help and does no harm, and how long the
// service asks to wait.
func mayRepeat(r *http.Request, err error) (after time.Duration, again bool) {
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Header.Get(idempotencyKey) != ""
	var refused *Refusal
	if errors.As(err, &refused) {
		switch refused.Problem.Code { //nolint:exhaustive // the others are decisions
		case ProblemCodeRateLimited:
			return refused.RetryAfter, true
		case ProblemCodeUnavailable, ProblemCodeBusy, ProblemCodeRequestInProgress:
			return refused.RetryAfter, safe
		}
		return 0, false
	}
	var foreign *AnswerError
	if errors.As(err, &foreign) {
		switch foreign.Status {
		case http.StatusTooManyRequests:
			return foreign.RetryAfter, true
		case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return foreign.RetryAfter, safe
		}
		return 0, false
	}
	// Nothing was sent over a connection that never was.
	var network *net.OpError
	return 0, safe || errors.As(err, &network) && network.Op == "dial"
}

// isUnauthorized reports whether a request was refused for its access token, or its session.
func isUnauthorized(err error) bool {
	var p *Problem
	return errors.As(err, &p) && p.Status == http.StatusUnauthorized
}

// rewind makes a request that was sent ready to be sent again, and reports whether it can be.
func rewind(r *http.Request) bool {
	if r.Body == nil || r.Body == http.NoBody {
		return true
	}
	if r.GetBody == nil {
		return false
	}
	body, err := r.GetBody()
	if err != nil {
		return false
	}
	r.Body = body
	return true
}

// drop closes the body of a request that is not sent.
func drop(r *http.Request) error {
	if r.Body == nil {
		return nil
	}
	return r.Body.Close()
}
