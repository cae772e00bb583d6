package main

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"diresco/api/client"
)

// idHeader has the id of an event, the same each time that it is sent.
const idHeader = "Webhook-Id"

// formerSecret is how long the service signs with the secret before as well.
const formerSecret = 24 * time.Hour

// verifier tells what the service sent from what others did. It wants both signatures: one by a secret
// that the service and the receiver know (v1), one by a key that the service alone has (v1a).
type verifier struct {
	bySecret, byKey *client.WebhookVerifier
	// beside takes the secret before as well, until a time: nobody goes on with what may have leaked.
	beside *client.WebhookVerifier
	until  time.Time
	now    func() time.Time
}

// newVerifier takes secrets (whsec_…), two while one takes the other's place, and the public key
// (whpk_…), as the service shows them.
func newVerifier(k keys) (v verifier, err error) {
	if len(k.Secrets) == 0 {
		return v, errors.New("no secret is known: run it with -register, or set WEBHOOK_SECRET and WEBHOOK_PUBLIC_KEY")
	}
	v.now = time.Now
	good := k.Secrets
	if k.RotatedAt != nil {
		good, v.until = k.Secrets[:1], k.RotatedAt.Add(formerSecret)
		if v.beside, err = client.NewWebhookVerifier(k.Secrets...); err != nil {
			return v, fmt.Errorf("the secrets: %w", err)
		}
	}
	if v.bySecret, err = client.NewWebhookVerifier(good...); err != nil {
		return v, fmt.Errorf("the secret: %w", err)
	}
	if v.byKey, err = client.NewWebhookVerifier(k.PublicKey); err != nil {
		return v, fmt.Errorf("the public key: %w", err)
	}
	return v, nil
}

// verify returns why an event is not what the service sent, and what it says where it is. The body is
// as it came: JSON that was read and written again is not the same.
func (v verifier) verify(header http.Header, body []byte) (*client.WebhookCall, error) {
	bySecret := v.bySecret
	if v.beside != nil && v.now().Before(v.until) {
		bySecret = v.beside
	}
	if _, err := bySecret.Verify(header, body); err != nil {
		return nil, fmt.Errorf("by the secret: %w", err)
	}
	call, err := v.byKey.Verify(header, body)
	if err != nil {
		return nil, fmt.Errorf("by the key: %w", err)
	}
	return call, nil
}
