package openid

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"diresco/internal/identity/federation/openid/trust"
	"diresco/internal/platform/egress"
)

const (
	// requestTimeout is for one request to a provider and its whole answer.
	requestTimeout = 10 * time.Second
	// maxAnswer is how long an answer may be, in bytes.
	maxAnswer = 1 << 20
	// maxHosts bounds for how many hosts connections are kept.
	maxHosts = 200
)

var errLong = errors.New("the answer is too long")

// outgoing sends requests to providers. What is configured may lie in a network that the operator
// allows; what a document of somebody else names is on the public Internet.
type outgoing struct {
	allow []netip.Prefix
	// own are the hosts that are configured.
	own map[string]bool

	mu    sync.Mutex
	hosts map[string]http.RoundTripper
}

// newOutgoing makes the way to everything that is configured, and beyond it.
func newOutgoing(allow []netip.Prefix, configured ...string) *outgoing {
	o := &outgoing{allow: allow, own: map[string]bool{}, hosts: map[string]http.RoundTripper{}}
	for _, address := range configured {
		if u, err := url.Parse(address); err == nil {
			o.own[u.Host] = true
		}
	}
	return o
}

// RoundTrip implements http.RoundTripper.
func (o *outgoing) RoundTrip(r *http.Request) (*http.Response, error) {
	transport, err := o.transport(r.URL)
	if err != nil {
		return nil, err
	}
	return transport.RoundTrip(r)
}

// transport returns how a host is reached.
func (o *outgoing) transport(target *url.URL) (http.RoundTripper, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if known := o.hosts[target.Host]; known != nil && (target.Scheme == "https" || o.own[target.Host]) {
		return known, nil
	}
	if _, err := egress.CheckURL(target.String()); err != nil {
		return nil, egress.ErrRefused
	}
	options := egress.Options{Timeout: requestTimeout}
	if o.own[target.Host] {
		options.Allow = o.allow
	} else if target.Scheme != "https" || isLoopback(target.Hostname()) {
		return nil, egress.ErrRefused
	}
	if len(o.hosts) >= maxHosts {
		clear(o.hosts)
	}
	o.hosts[target.Host] = egress.Client(target, options).Transport
	return o.hosts[target.Host], nil
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && address.Unmap().IsLoopback()
}

// newClient returns a client on a transport. It follows no redirect and reads no endless answer.
func newClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Timeout: requestTimeout, Transport: bounded{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// bounded ends answers that are too long.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = &limitedBody{ReadCloser: response.Body, left: maxAnswer}
	return response, nil
}

type limitedBody struct {
	io.ReadCloser
	left int
}

// Read implements io.Reader.
func (l *limitedBody) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, errLong
	}
	n, err := l.ReadCloser.Read(p)
	l.left -= n
	return n, err
}

// get fetches a document.
func get(ctx context.Context, client *http.Client, address, accept string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, errors.New("no request made")
	}
	request.Header.Set("Accept", accept)
	body, _, err := send(client, request)
	return body, err
}

// askStatus asks an issuer of trust marks about one. Who knows the question by GET alone, as drafts
// had it, refuses the form.
func askStatus(ctx context.Context, client *http.Client, address string, form url.Values) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil || !isAddress(address) {
		return nil, trust.ErrMark
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", statusMedia)
	body, _, err := send(client, request)
	if errors.Is(err, errRefused) {
		u, parsed := url.Parse(address)
		if parsed != nil {
			return nil, trust.ErrMark
		}
		query := u.Query()
		query.Set("trust_mark", form.Get("trust_mark"))
		u.RawQuery = query.Encode()
		body, err = get(ctx, client, u.String(), statusMedia)
	}
	if errors.Is(err, errRefused) {
		return nil, trust.ErrMark
	}
	return body, err
}

// statusMedia are the forms in which an issuer answers.
const statusMedia = "application/trust-mark-status-response+jwt, application/json"

// send sends a request and reads an answer that is a success. The errors hold no part of it.
func send(client *http.Client, request *http.Request) (body []byte, contentType string, err error) {
	response, err := client.Do(request)
	if err != nil {
		return nil, "", errUnreached
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(response.Body)
	switch {
	case errors.Is(err, errLong):
		return nil, "", err
	case err != nil, response.StatusCode >= http.StatusInternalServerError, response.StatusCode == http.StatusTooManyRequests:
		return nil, "", errUnreached
	case response.StatusCode != http.StatusOK:
		return nil, "", errRefused
	}
	return body, response.Header.Get("Content-Type"), nil
}

var (
	errUnreached = errors.New("the provider does not answer")
	errRefused   = errors.New("the provider refuses the request")
)
