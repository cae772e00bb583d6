package edge

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/httprate"
	"github.com/google/uuid"

	"diresco/internal/platform/fault"
)

const (
	rateWindow    = time.Minute
	limitReset    = "RateLimit-Reset"
	limitLeft     = "RateLimit-Remaining"
	limitRequests = "RateLimit-Limit"
)

// limits count requests in this process. Secrets have a limit of their own, in the database.
type limits struct {
	person, address *httprate.RateLimiter
	// preflights are counted apart: a browser sends them by itself, and without the person that
	// would count.
	preflight *httprate.RateLimiter
	// signed requests come from a program with a key of its own, many from one address.
	signed *httprate.RateLimiter
	// traces bounds how often a client that is over its limit is written into the access log.
	traces *httprate.RateLimiter
}

func newLimits(person, address int) limits {
	shown := httprate.WithResponseHeaders(httprate.ResponseHeaders{Limit: limitRequests, Remaining: limitLeft, Reset: limitReset})
	silent := httprate.WithResponseHeaders(httprate.ResponseHeaders{})
	return limits{
		person:    httprate.NewRateLimiter(person, rateWindow, shown),
		address:   httprate.NewRateLimiter(address, rateWindow, shown),
		preflight: httprate.NewRateLimiter(max(person, address), rateWindow, shown),
		signed:    httprate.NewRateLimiter(max(person, address), rateWindow, shown),
		traces:    httprate.NewRateLimiter(1, rateWindow, silent),
	}
}

// limitRate counts the request. It counts for its person once the token is verified, whichever of
// their sessions it is in, else for the client's address.
func (e *edge) limitRate(r *request) error {
	limiter, key := e.limits.address, ""
	switch {
	case r.preflight:
		limiter, key = e.limits.preflight, clientKey(r.address)
	case r.authError == nil && r.personID != uuid.Nil:
		limiter, key = e.limits.person, string(r.personID[:])
	case r.op != nil && r.op.signed:
		limiter, key = e.limits.signed, clientKey(r.address)
	default:
		key = clientKey(r.address)
	}
	response := r.c.Response()
	over := limiter.OnLimit(response, r.c.Request(), key)
	wait := e.secondsUntil(response.Header())
	response.Header().Set(limitReset, strconv.Itoa(wait))
	if over {
		return fault.After(fault.RateLimited, time.Duration(wait)*time.Second)
	}
	return nil
}

// secondsUntil reads the end of the window, which the limiter gives as a Unix time, as the seconds
// until then.
func (e *edge) secondsUntil(h http.Header) int {
	end, err := strconv.ParseInt(h.Get(limitReset), 10, 64)
	if err != nil {
		return int(rateWindow.Seconds())
	}
	return min(max(int(end-e.now().Unix()), 1), int(rateWindow.Seconds()))
}

// firstOverLimit reports whether this client was not yet over its limit in the last minute.
func (e *edge) firstOverLimit(r *request) bool {
	key := clientKey(r.address)
	if r.personID != uuid.Nil {
		key = string(r.personID[:])
	}
	return !e.limits.traces.OnLimit(r.c.Response(), r.c.Request(), key)
}
