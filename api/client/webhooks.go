package client

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// WebhookTolerance is how far the time of a call may lie from ours.
const WebhookTolerance = 5 * time.Minute

// ErrWebhook means that a call is not to be believed: who sent it, or when, was not proved.
var ErrWebhook = errors.New("not a webhook of this service")

// WebhookCall is what the service tells an endpoint. It is thin: look at the subject for more.
type WebhookCall struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      struct {
		// EventID is the same for each repeat: what was seen before needs no second look.
		EventID       uuid.UUID   `json:"event_id"`
		ContributorID *uuid.UUID  `json:"contributor_id,omitempty"`
		Subject       CallSubject `json:"subject"`
		// URL is where the subject is; empty for a ping.
		URL string `json:"url,omitempty"`
	} `json:"data"`
}

// CallSubject is what an event is about.
type CallSubject struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// WebhookVerifier tells calls of the service from others (Standard Webhooks 1.0).
type WebhookVerifier struct {
	secrets [][]byte
	keys    []ed25519.PublicKey
	now     func() time.Time
}

// NewWebhookVerifier takes what an endpoint was given: secrets ("whsec_…", two while one takes the
// other's place), its public key ("whpk_…"), or both. A call needs one signature by one of them.
func NewWebhookVerifier(secretsAndKeys ...string) (*WebhookVerifier, error) {
	v := &WebhookVerifier{now: time.Now} //nolint:forbidigo // it runs in other programs
	for _, text := range secretsAndKeys {
		prefix, encoded, found := strings.Cut(text, "_")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		switch {
		case !found || err != nil || len(raw) == 0:
			return nil, errors.New("a secret is whsec_ and base64, a public key whpk_ and base64")
		case prefix == "whsec":
			v.secrets = append(v.secrets, raw)
		case prefix == "whpk" && len(raw) == ed25519.PublicKeySize:
			v.keys = append(v.keys, raw)
		default:
			return nil, errors.New("neither a secret (whsec_) nor a public key of Ed25519 (whpk_)")
		}
	}
	if len(v.secrets)+len(v.keys) == 0 {
		return nil, errors.New("a secret or a public key is needed")
	}
	return v, nil
}

// Verify returns what a call says, or ErrWebhook. The body is as it came, byte for byte.
func (v *WebhookVerifier) Verify(header http.Header, body []byte) (*WebhookCall, error) {
	id, at, signatures := header.Get("webhook-id"), header.Get("webhook-timestamp"), header.Get("webhook-signature")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || id == "" || signatures == "" {
		return nil, fmt.Errorf("%w: a header is missing", ErrWebhook)
	}
	if age := v.now().Sub(time.Unix(seconds, 0)); age > WebhookTolerance || age < -WebhookTolerance {
		return nil, fmt.Errorf("%w: its time is not about now", ErrWebhook)
	}
	signed := append([]byte(id+"."+at+"."), body...)
	if !v.signedBy(strings.Fields(signatures), signed) {
		return nil, fmt.Errorf("%w: no signature fits", ErrWebhook)
	}
	var call WebhookCall
	if err := json.Unmarshal(body, &call); err != nil {
		return nil, err
	}
	return &call, nil
}

func (v *WebhookVerifier) signedBy(signatures []string, signed []byte) bool {
	for _, one := range signatures {
		version, encoded, _ := strings.Cut(one, ",")
		signature, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			continue
		}
		switch version {
		case "v1":
			for _, secret := range v.secrets {
				mac := hmac.New(sha256.New, secret)
				mac.Write(signed)
				if hmac.Equal(mac.Sum(nil), signature) {
					return true
				}
			}
		case "v1a":
			for _, key := range v.keys {
				if ed25519.Verify(key, signed, signature) {
					return true
				}
			}
		}
	}
	return false
}
