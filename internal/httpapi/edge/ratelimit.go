package edge

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/httprate"
	"github.com/google/uuid"

	"diresco/internal/httpapi/reqctx"
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
	person, application, address *httprate.RateLimiter
	// assets come with the pages, anew for each person of an office.
	asset *httprate.RateLimiter
	// preflights are counted apart: a browser sends them by itself, and without the person that
	// would count.
	preflight *httprate.RateLimiter
	// signed requests come from a program with a key of its own, many from one address.
	signed *httprate.RateLimiter
	// traces bounds how often a client that is over its limit is written into the access log.
	traces *httprate.RateLimiter
}

func newLimits(person, application, address int) limits {
	shown := httprate.WithResponseHeaders(httprate.ResponseHeaders{Limit: limitRequests, Remaining: limitLeft, Reset: limitReset})
	silent := httprate.WithResponseHeaders(httprate.ResponseHeaders{})
	return limits{
		person:      httprate.NewRateLimiter(person, rateWindow, shown),
		application: httprate.NewRateLimiter(application, rateWindow, shown),
		address:     httprate.NewRateLimiter(address, rateWindow, shown),
		asset:       httprate.NewRateLimiter(max(person, address), rateWindow, shown),
		preflight:   httprate.NewRateLimiter(max(person, address), rateWindow, shown),
		signed:      httprate.NewRateLimiter(max(person, address), rateWindow, shown),
		traces:      httprate.NewRateLimiter(1, rateWindow, silent),
	}
}

// limitRate counts the request. It counts for its person once the token is verified, whichever of
// their sessions it is in, else for the client's address. What an application does counts for the
// consent by which it does it, and costs the person nothing. Who sent a request for a page is found
// out later: it counts for the address until then, so that many at once are no more than one after
// another.
func (e *edge) limitRate(r *request) error {
	limiter, key := e.limits.address, ""
	switch {
	case strings.HasPrefix(r.c.Path(), assetsPath):
		limiter, key = e.limits.asset, clientKey(r.address)
	case e.counting[r.c.Path()] && r.op == nil && !r.preflight:
		key, r.unproved = clientKey(r.address), true
	case r.preflight:
		limiter, key = e.limits.preflight, clientKey(r.address)
	case r.authError == nil && r.caller.ClientID != "":
		limiter, key = e.limits.application, string(r.caller.SessionID[:])
	case r.authError == nil && r.caller.PersonID != uuid.Nil:
		limiter, key = e.limits.person, string(r.caller.PersonID[:])
	case r.op != nil && r.op.signed:
		limiter, key = e.limits.signed, clientKey(r.address)
	default:
		key = clientKey(r.address)
	}
	return e.take(r, limiter, key)
}

// assetsPath is where the pages have their scripts and styles.
const assetsPath = "/assets/"

// take counts a request, and returns fault.RateLimited where there are too many.
func (e *edge) take(r *request, limiter *httprate.RateLimiter, key string) error {
	response := r.c.Response()
	over := limiter.OnLimit(response, r.c.Request(), key)
	wait := e.secondsUntil(response.Header())
	response.Header().Set(limitReset, strconv.Itoa(wait))
	if over {
		return fault.After(fault.RateLimited, time.Duration(wait)*time.Second)
	}
	return nil
}

// countSender counts a request for a page for whoever proved to have sent it, once, and no more for
// the address. Where the sender has sent too many it stays the address's: who goes on after that is
// refused before anything is looked up for them.
func (e *edge) countSender(r *request, sender reqctx.Sender) error {
	if !r.unproved {
		return nil
	}
	limiter := e.limits.person
	if sender.Program {
		limiter = e.limits.application
	}
	r.sender = sender.ID
	if err := e.take(r, limiter, string(sender.ID[:])); err != nil {
		return err
	}
	r.unproved = false
	sent := r.c.Request()
	e.limits.address.OnLimit(discardedHeaders{}, sent.WithContext(httprate.WithIncrement(sent.Context(), -1)), clientKey(r.address))
	return nil
}

// discardedHeaders is where headers go that the answer does not show.
type discardedHeaders struct{ http.ResponseWriter }

// Header implements http.ResponseWriter.
func (discardedHeaders) Header() http.Header { return http.Header{} }

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
	switch {
	case r.caller.ClientID != "":
		key = string(r.caller.SessionID[:])
	case r.caller.PersonID != uuid.Nil:
		key = string(r.caller.PersonID[:])
	case r.sender != uuid.Nil:
		key = string(r.sender[:])
	}
	return !e.limits.traces.OnLimit(r.c.Response(), r.c.Request(), key)
}
