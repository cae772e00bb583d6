package edge

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/google/uuid"

	"diresco/internal/httpapi/pages"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/platform/fault"
)

func rates(person, address int) func(*Config) {
	return func(c *Config) { c.PersonRate, c.AddressRate = person, address }
}

// count makes n requests and returns how many were let through.
func count(w *world, n int, request func(i int) ask) int {
	passed := 0
	for i := range n {
		if w.do(request(i)).Code != http.StatusTooManyRequests {
			passed++
		}
	}
	return passed
}

func TestRateLimit_ForwardedAddressesAreNotBelieved(t *testing.T) {
	w := newWorld(t, rates(1000, 50))
	passed := count(w, 1000, func(i int) ask {
		return ask{
			method: http.MethodGet, path: "/v1/status", address: "192.0.2.7:" + strconv.Itoa(1000+i),
			header: map[string]string{
				"X-Forwarded-For": fmt.Sprintf("198.51.100.%d", i%250), "X-Real-Ip": fmt.Sprintf("203.0.113.%d", i%250),
				"Forwarded": "for=203.0.113.9",
			},
		}
	})
	if passed != 50 {
		t.Errorf("%d of 1000 requests passed, want 50: one client", passed)
	}
	if answer := w.do(ask{method: http.MethodGet, path: "/v1/status", address: "192.0.2.8:1"}); answer.Code != http.StatusOK {
		t.Errorf("another address pays for it: %d", answer.Code)
	}
}

func TestRateLimit_ATrustedProxyNamesTheClient(t *testing.T) {
	trusted := func(c *Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }
	w := newWorld(t, rates(1000, 5), trusted)
	from := func(proxy, forwarded string) func(int) ask {
		return func(int) ask {
			return ask{method: http.MethodGet, path: "/v1/status", address: proxy, header: map[string]string{"X-Forwarded-For": forwarded}}
		}
	}
	if passed := count(w, 10, from("10.1.2.3:1", "198.51.100.1")); passed != 5 {
		t.Errorf("%d passed, want 5", passed)
	}
	if passed := count(w, 10, from("10.1.2.3:1", "198.51.100.2")); passed != 5 {
		t.Errorf("another client: %d passed, want 5", passed)
	}
	// What the client itself put before its address does not count.
	if passed := count(w, 10, from("10.1.2.3:1", "1.2.3.4, 198.51.100.2")); passed != 0 {
		t.Errorf("a forged hop: %d passed", passed)
	}
	// Somebody who is no proxy is not believed, private address or not.
	if passed := count(w, 10, from("127.0.0.1:1", "198.51.100.3")) + count(w, 10, from("127.0.0.1:1", "198.51.100.4")); passed != 5 {
		t.Errorf("not a proxy: %d passed, want 5", passed)
	}
}

// Who proves on a page who they are is counted for that, and stops nobody behind the same address.
// What nobody proved to have sent counts for the address, and what comes with the pages counts apart.
func TestRateLimit_APageCountsForWhoeverProvedToHaveSentIt(t *testing.T) {
	form := pages.Page{
		Pattern: "/further/{who}", Methods: []string{http.MethodPost}, Counts: true,
		Serve: func(w http.ResponseWriter, r *http.Request) error {
			senders := map[string]reqctx.Sender{"ann": {ID: uuid.UUID{1}}, "bob": {ID: uuid.UUID{2}}, "carl": {ID: uuid.UUID{4}}, "server": {ID: uuid.UUID{3}, Program: true}}
			if sender, known := senders[r.PathValue("who")]; known {
				for range 2 {
					// Once, however often it is found out.
					if err := reqctx.Count(r.Context(), sender); err != nil {
						return err
					}
				}
			}
			w.WriteHeader(http.StatusNoContent)
			return nil
		},
	}
	w := newWorldWith(t, []pages.Page{form}, rates(7, 20), func(c *Config) { c.ApplicationRate = 6 })
	from := func(who string) func(int) ask {
		return func(int) ask { return ask{method: http.MethodPost, path: "/further/" + who, address: "192.0.2.7:1"} }
	}
	for _, c := range []struct {
		who         string
		sent, taken int
	}{
		{"ann", 10, 7},
		{"bob", 10, 7},
		{"server", 10, 6},
		// Who is over their own limit counts for the address too: 3, 3 and 4 of its 20.
		{"nobody", 20, 10},
		{"nobody", 1, 0},
		{"ann", 1, 0},
		{"carl", 1, 0},
	} {
		if passed := count(w, c.sent, from(c.who)); passed != c.taken {
			t.Errorf("%s: %d of %d passed, want %d", c.who, passed, c.sent, c.taken)
		}
	}
	style := func(int) ask { return ask{method: http.MethodGet, path: "/assets/style.css", address: "192.0.2.7:1"} }
	if passed := count(w, 30, style); passed != 20 {
		t.Errorf("%d assets passed, want 20", passed)
	}
	answer := w.do(ask{method: http.MethodPost, path: "/further/nobody", address: "192.0.2.9:1"})
	if h := answer.Header(); h.Get("RateLimit-Limit") != "20" || h.Get("RateLimit-Remaining") != "19" || h.Get("RateLimit-Reset") == "" {
		t.Errorf("headers %v", h)
	}
	answer = w.do(ask{method: http.MethodPost, path: "/further/bob", address: "192.0.2.9:1"})
	if h := answer.Header(); answer.Code != http.StatusTooManyRequests || h.Get("RateLimit-Limit") != "7" || h.Get("RateLimit-Remaining") != "0" {
		t.Errorf("got %d, headers %v", answer.Code, h)
	}
}

// Whoever sends many requests at once proves nothing by it: no more come in than the address has
// left. One that proves who sent it makes room at once, not when it is answered.
func TestRateLimit_PagesAskedForTogetherAreCountedAsTheyCome(t *testing.T) {
	const limit = 4
	arrived, refused, release := make(chan struct{}), make(chan int), make(chan struct{})
	form := pages.Page{
		Pattern: "/further/{who}", Methods: []string{http.MethodPost}, Counts: true,
		Serve: func(w http.ResponseWriter, r *http.Request) error {
			if r.PathValue("who") == "ann" {
				if err := reqctx.Count(r.Context(), reqctx.Sender{ID: uuid.UUID{1}}); err != nil {
					return err
				}
			}
			arrived <- struct{}{}
			<-release
			w.WriteHeader(http.StatusNoContent)
			return nil
		},
	}
	w := newWorldWith(t, []pages.Page{form}, rates(100, limit))
	var group sync.WaitGroup
	// held sends requests and returns how many of them are let in, which all are still there.
	held := func(who string, n int, together bool) (in int) {
		settle := func() {
			select {
			case <-arrived:
				in++
			case code := <-refused:
				if code != http.StatusTooManyRequests {
					t.Errorf("%s is answered %d", who, code)
				}
			}
		}
		for range n {
			group.Go(func() {
				code := w.do(ask{method: http.MethodPost, path: "/further/" + who, address: "192.0.2.7:1"}).Code
				if code != http.StatusNoContent {
					refused <- code
				}
			})
			if !together {
				settle()
			}
		}
		for range n {
			if together {
				settle()
			}
		}
		return in
	}
	if in := held("ann", 3*limit, false); in != 3*limit {
		t.Errorf("%d of somebody's are in, want %d", in, 3*limit)
	}
	if in := held("nobody", 5*limit, true); in != limit {
		t.Errorf("%d of nobody's are in at once, want %d", in, limit)
	}
	close(release)
	group.Wait()
}

func TestRateLimit_AnIPv6NetworkIsOneClient(t *testing.T) {
	w := newWorld(t, rates(1000, 20))
	if passed := count(w, 100, func(i int) ask {
		return ask{method: http.MethodGet, path: "/v1/status", address: fmt.Sprintf("[2001:db8:1:2:%x::%x]:1", i+1, i)}
	}); passed != 20 {
		t.Errorf("%d passed, want 20", passed)
	}
	if answer := w.do(ask{method: http.MethodGet, path: "/v1/status", address: "[2001:db8:1:3::1]:1"}); answer.Code != http.StatusOK {
		t.Errorf("the next network: %d", answer.Code)
	}
}

// Another session gives nobody another rate.
func TestRateLimit_APersonHasOneRateOverAllSessions(t *testing.T) {
	w := newWorld(t, rates(30, 10))
	if passed := count(w, 100, func(i int) ask {
		return ask{method: http.MethodGet, path: "/v1/me", token: []string{"live", "another"}[i%2]}
	}); passed != 30 {
		t.Errorf("%d passed in two sessions, want 30", passed)
	}
	if passed := count(w, 100, func(int) ask { return ask{method: http.MethodGet, path: "/v1/me", token: "somebody"} }); passed != 30 {
		t.Errorf("%d of somebody else's passed, want 30", passed)
	}
}

func TestRateLimit_APersonIsCountedByThemselves(t *testing.T) {
	w := newWorld(t, rates(30, 10))
	if passed := count(w, 100, func(i int) ask {
		return ask{method: http.MethodGet, path: "/v1/me", token: "live", address: fmt.Sprintf("192.0.2.%d:1", i)}
	}); passed != 30 {
		t.Errorf("%d passed, want 30 wherever it comes from", passed)
	}
	// A token that is not valid makes nobody a person.
	if passed := count(w, 100, func(i int) ask {
		return ask{method: http.MethodGet, path: "/v1/me", token: fmt.Sprintf("bad%d", i), address: "192.0.2.200:1"}
	}); passed != 10 {
		t.Errorf("%d with bad tokens passed, want 10", passed)
	}
}

func TestRateLimit_ParallelRequestsAreCountedExactly(t *testing.T) {
	w := newWorld(t, rates(100, 100))
	var group sync.WaitGroup
	codes := make([]int, 300)
	for i := range codes {
		group.Go(func() {
			codes[i] = w.do(ask{method: http.MethodGet, path: "/v1/status"}).Code
		})
	}
	group.Wait()
	slices.Sort(codes)
	if passed, _ := slices.BinarySearch(codes, http.StatusTooManyRequests); passed != 100 {
		t.Errorf("%d passed, want 100", passed)
	}
}

func TestRateLimit_EveryAnswerSaysHowMuchIsLeft(t *testing.T) {
	w := newWorld(t)
	for name, a := range map[string]ask{
		"success":        {method: http.MethodGet, path: "/v1/status"},
		"not found":      {method: http.MethodGet, path: "/v1/nothing"},
		"wrong method":   {method: http.MethodDelete, path: "/v1/me"},
		"unauthorised":   {method: http.MethodGet, path: "/v1/me"},
		"not acceptable": {method: http.MethodGet, path: "/v1/status", header: map[string]string{"Accept": "text/html"}},
		"malformed":      draft("{"),
		"too long":       draft(string(make([]byte, maxBody+1))),
		"page":           {method: http.MethodGet, path: "/docs"},
		"asset":          {method: http.MethodGet, path: "/assets/style.css"},
		"not modified": {
			method: http.MethodGet, path: "/v1/declarations/" + aDeclaration.String(), token: "live",
			header: map[string]string{"If-None-Match": `"3"`},
		},
		"preflight": {
			method: http.MethodOptions, path: "/v1/me",
			header: map[string]string{"Origin": "https://a.example", "Access-Control-Request-Method": "GET"},
		},
		"options":    {method: http.MethodOptions, path: "/v1/me"},
		"no sandbox": {method: http.MethodGet, path: "/v1/sandbox/people"},
	} {
		h := w.do(a).Header()
		limit, left, reset := h.Get("RateLimit-Limit"), h.Get("RateLimit-Remaining"), h.Get("RateLimit-Reset")
		if n, err := strconv.Atoi(reset); limit != "100000" || left == "" || err != nil || n < 1 || n > 60 {
			t.Errorf("%s: limit %q, remaining %q, reset %q", name, limit, left, reset)
		}
	}
}

func TestRateLimit_WhoIsOverTheLimitIsToldToWait(t *testing.T) {
	w := newWorld(t, rates(2, 2))
	a := ask{method: http.MethodGet, path: "/v1/me", token: "live"}
	w.do(a)
	if left := w.do(a).Header().Get("RateLimit-Remaining"); left != "0" {
		t.Errorf("%s left after the last request", left)
	}
	for range 5 {
		answer := w.do(a)
		w.problem(answer, http.StatusTooManyRequests, fault.RateLimited)
		if wait, err := strconv.Atoi(answer.Header().Get("Retry-After")); err != nil || wait < 1 || wait > 60 ||
			answer.Header().Get("RateLimit-Remaining") != "0" {
			t.Errorf("got %v", answer.Header())
		}
	}
	if got := w.outcomes(); !slices.Equal(got, []string{"showMe rate-limited"}) {
		t.Errorf("got rows %v, want one: the flood must not reach the database", got)
	}
}
