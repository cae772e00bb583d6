package client

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
)

const (
	formType = "application/x-www-form-urlencoded"
	// assertionLife is how long an assertion is good: as long as it takes to arrive.
	assertionLife = time.Minute
	// tokenTries is how often a form is sent. A program that waits for somebody goes on until its code
	// expires (RFC 8628 3.5).
	tokenTries  = 4
	deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"
	// tryBound is how long one try may take.
	tryBound = 15 * time.Second
)

// tokenTransport sends the forms of the authorization server. It adds what proves who the
// application is, anew for each try, and sends again what was lost on its way.
type tokenTransport struct {
	base               http.RoundTripper
	clientID, audience string
	key                *jose.JSONWebKey
	wait               func(ctx context.Context, d time.Duration) error
}

// RoundTrip implements http.RoundTripper.
func (t *tokenTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	base := t.base
	if base == nil {
		base = http.DefaultTransport
	}
	form, err := formOf(r)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		sent, err := t.signed(r, form)
		if err != nil {
			return nil, err
		}
		answer, err := once(base, sent, form.Has("code"))
		var asked time.Duration
		if err == nil {
			asked = retryAfter(answer.Header)
			if answer.StatusCode != http.StatusTooManyRequests && answer.StatusCode < http.StatusInternalServerError {
				return answer, nil
			}
		}
		// A code is good once: a second use would end what the first began.
		last := form.Has("code") || try >= tokenTries && form.Get("grant_type") != deviceGrant
		if last || asked > time.Minute || r.Context().Err() != nil {
			return answer, err
		}
		next := pause(asked, try)
		if end, bound := r.Context().Deadline(); bound && time.Until(end) <= next { //nolint:forbidigo // it runs in other programs
			return answer, err
		}
		if answer != nil {
			_ = answer.Body.Close()
		}
		if waitErr := t.wait(r.Context(), next); waitErr != nil {
			return nil, errors.Join(waitErr, err)
		}
	}
}

// once sends a request once, and reads the whole answer: one whose body is lost is lost. A request
// that cannot be repeated may take as long as it likes.
func once(base http.RoundTripper, r *http.Request, patient bool) (*http.Response, error) {
	if !patient {
		ctx, cancel := context.WithTimeout(r.Context(), tryBound)
		defer cancel()
		r = r.WithContext(ctx)
	}
	answer, err := base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	const longest = 1 << 20
	body, err := io.ReadAll(io.LimitReader(answer.Body, longest))
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer, nil
}

// formOf reads the form that a request sends, and closes its body.
func formOf(r *http.Request) (url.Values, error) {
	if r.Body == nil {
		return url.Values{}, nil
	}
	body, err := io.ReadAll(r.Body)
	if err := errors.Join(err, r.Body.Close()); err != nil {
		return nil, err
	}
	return url.ParseQuery(string(body))
}

// signed is a request with the form, and with what proves who sends it.
func (t *tokenTransport) signed(r *http.Request, form url.Values) (*http.Request, error) {
	sent := r.Clone(r.Context())
	if refresh := form.Get("refresh_token"); refresh != "" {
		// The same token has the same key, also in another process or after a crash. So all who renew it
		// at once, or again within a minute, are given the same successor.
		sum := sha256.Sum256([]byte("refresh " + refresh))
		sent.Header.Set(idempotencyKey, base64.RawURLEncoding.EncodeToString(sum[:]))
	}
	if t.key != nil {
		assertion, err := t.assertion()
		if err != nil {
			return nil, err
		}
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
	}
	encoded := form.Encode()
	sent.Body, sent.ContentLength = io.NopCloser(strings.NewReader(encoded)), int64(len(encoded))
	sent.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(encoded)), nil }
	return sent, nil
}

// assertion signs who the application is (RFC 7523).
func (t *tokenTransport) assertion() (string, error) {
	algorithm := jose.RS256
	if _, ok := t.key.Key.(*ecdsa.PrivateKey); ok {
		algorithm = jose.ES256
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: t.key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	now := time.Now() //nolint:forbidigo // it runs in other programs
	claims, err := json.Marshal(map[string]any{
		"iss": t.clientID, "sub": t.clientID, "aud": t.audience, "jti": uuid.NewString(), "iat": now.Unix(),
		"exp": now.Add(assertionLife).Unix(),
	})
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}
