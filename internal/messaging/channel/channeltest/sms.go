package channeltest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// SMS is a short message as the gateway got it.
type SMS struct {
	MessageID string `json:"message_id"`
	To        string `json:"to"`
	Text      string `json:"text"`
	Sender    string `json:"sender"`
	// Header is that of the request, Body the request as it was.
	Header http.Header `json:"-"`
	Body   string      `json:"-"`
}

// Gateway is an SMS gateway on a loopback address.
type Gateway struct {
	server *httptest.Server

	mu       sync.Mutex
	messages []SMS
	handler  http.HandlerFunc
}

// NewGateway starts a gateway, which ends with the test. It answers 202 with a reference.
func NewGateway(t testing.TB) *Gateway {
	t.Helper()
	g := &Gateway{}
	g.Answer(http.StatusAccepted, `{"reference": "gateway-1"}`)
	g.server = httptest.NewServer(http.HandlerFunc(g.take))
	t.Cleanup(g.server.Close)
	return g
}

// URL is where messages are posted.
func (g *Gateway) URL() string { return g.server.URL + "/v1/messages" }

// Answer makes the gateway answer with a status and a body from now on.
func (g *Gateway) Answer(status int, body string) {
	g.Handle(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // the client's affair
	})
}

// Handle makes the gateway answer with a handler from now on; the message was read before.
func (g *Gateway) Handle(h http.HandlerFunc) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.handler = h
}

// Messages returns every request in the order of its arrival, those that were refused too.
func (g *Gateway) Messages() []SMS {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.messages)
}

// Close stops the gateway: nothing listens any more.
func (g *Gateway) Close() { g.server.Close() }

func (g *Gateway) take(w http.ResponseWriter, r *http.Request) {
	const largest = 1 << 20
	body, err := io.ReadAll(io.LimitReader(r.Body, largest))
	m := SMS{Header: r.Header.Clone(), Body: string(body)}
	if err != nil || r.Method != http.MethodPost || json.Unmarshal(body, &m) != nil {
		http.Error(w, "not a message", http.StatusTeapot)
		return
	}
	g.mu.Lock()
	g.messages = append(g.messages, m)
	handler := g.handler
	g.mu.Unlock()
	handler(w, r)
}
