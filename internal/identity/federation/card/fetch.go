package card

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"diresco/internal/platform/egress"
)

// getter fetches what an address names. What it reads is signed, so plain http is as good.
type getter struct {
	// loopback lets it reach addresses of this machine, written as such.
	loopback bool
	// network lets it reach private networks. What a certificate names has none.
	network egress.Options
}

// errAway means that nobody answers at an address, whatever is asked.
var errAway = errors.New("nobody answers")

// maxAddress is how long an address may be.
const maxAddress = 1024

// may tells whether an address may be asked. Certificates name directories (ldap) too.
func (g getter) may(address string) bool {
	u, err := url.Parse(address)
	return err == nil && len(address) <= maxAddress && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil &&
		(g.loopback || !isLoopback(u.Hostname()))
}

// fetch asks once, and reads an answer of at most so many bytes in so much time. A body is posted.
// Its error is errAway where nobody answers, whatever is asked.
func (g getter) fetch(ctx context.Context, address, contentType string, body []byte, most int64, timeout time.Duration) ([]byte, error) {
	target, err := url.Parse(address)
	if err != nil || !g.may(address) {
		return nil, errors.New("the address may not be asked")
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the address may not be asked")
	}
	if body != nil {
		request.Header.Set("Content-Type", contentType)
	}
	network := g.network
	network.Timeout = timeout
	client := egress.Client(target, network)
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return nil, errors.Join(errAway, err)
	}
	defer func() { _ = response.Body.Close() }()
	switch {
	case response.StatusCode >= http.StatusInternalServerError || response.StatusCode == http.StatusTooManyRequests:
		return nil, fmt.Errorf("%w: the answer is %d", errAway, response.StatusCode)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the answer is %d", response.StatusCode)
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, most+1))
	if err != nil {
		return nil, errors.Join(errAway, err)
	}
	if int64(len(content)) > most {
		return nil, errors.New("the answer is too long")
	}
	return content, nil
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}
