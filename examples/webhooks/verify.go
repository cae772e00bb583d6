package main

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of an event, as Standard Webhooks 1.0 calls them.
const (
	idHeader        = "Webhook-Id"
	timestampHeader = "Webhook-Timestamp"
	signatureHeader = "Webhook-Signature"
)

// tolerance is how far the two clocks may be apart. What is older may be a copy that somebody sends.
const tolerance = 5 * time.Minute

// verifier knows what the service signs with. While a secret is changed there are two.
type verifier struct {
	secrets [][]byte
	public  ed25519.PublicKey
	now     func() time.Time
}

// newVerifier reads secrets (whsec_…) and the public key (whpk_…) as the service shows them.
func newVerifier(secrets []string, public string, now func() time.Time) (verifier, error) {
	v := verifier{now: now}
	for _, text := range secrets {
		secret, err := decode(text, "whsec_")
		if err != nil {
			return v, fmt.Errorf("the secret: %w", err)
		}
		v.secrets = append(v.secrets, secret)
	}
	if len(v.secrets) == 0 {
		return v, errors.New("no secret is known: run it with -register, or set WEBHOOK_SECRET and WEBHOOK_PUBLIC_KEY")
	}
	key, err := decode(public, "whpk_")
	if err != nil || len(key) != ed25519.PublicKeySize {
		return v, fmt.Errorf("the public key %q is none: %w", public, err)
	}
	v.public = key
	return v, nil
}

func decode(text, prefix string) ([]byte, error) {
	encoded, found := strings.CutPrefix(text, prefix)
	if !found {
		return nil, fmt.Errorf("it does not begin with %s", prefix)
	}
	return base64.StdEncoding.DecodeString(encoded)
}

// verify returns why an event is not what the service sent. It must have both signatures: v1 by a
// secret that the service and the receiver know, v1a by a key that the service alone has.
func (v verifier) verify(header http.Header, body []byte) error {
	id, timestamp := header.Get(idHeader), header.Get(timestampHeader)
	if id == "" || strings.Contains(id, ".") {
		return errors.New("it has no id")
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return errors.New("it has no time")
	}
	if apart := v.now().Sub(time.Unix(seconds, 0)); apart > tolerance || apart < -tolerance {
		return fmt.Errorf("it was sent %v ago by the sender's clock", apart.Round(time.Second))
	}
	// The bytes as they came: JSON that was read and written again is not the same.
	signed := append([]byte(id+"."+timestamp+"."), body...)
	var byMAC, byKey bool
	for _, one := range strings.Fields(header.Get(signatureHeader)) {
		version, encoded, _ := strings.Cut(one, ",")
		signature, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			continue
		}
		switch version {
		case "v1":
			for _, secret := range v.secrets {
				mac := hmac.New(sha256.New, secret)
				_, _ = mac.Write(signed) // never fails
				byMAC = hmac.Equal(mac.Sum(nil), signature) || byMAC
			}
		case "v1a":
			byKey = ed25519.Verify(v.public, signed, signature) || byKey
		}
	}
	switch {
	case !byMAC:
		return errors.New("no signature is by a secret that is known")
	case !byKey:
		return errors.New("no signature is by the service's key")
	}
	return nil
}
