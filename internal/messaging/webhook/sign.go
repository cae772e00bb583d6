package webhook

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
)

const (
	secretPrefix    = "whsec_"
	publicKeyPrefix = "whpk_"
	// secretBytes need no padding in base64, about which the receivers' libraries disagree.
	secretBytes = 24
	// The labels under which secrets and keys are sealed. They never change.
	sealedSecret = "webhook secret"
	sealedKey    = "webhook key"
)

// storedSecret is a secret of a webhook.
type storedSecret struct {
	ID        uuid.UUID
	WebhookID uuid.UUID
	Sealed    string
	CreatedAt time.Time
	// ExpiresAt is nil for the newest.
	ExpiresAt *time.Time
}

// TableName tells GORM the table.
func (storedSecret) TableName() string { return "webhook_secrets" }

// newSecret draws a secret, and seals it.
func newSecret(keys *keyring.DataKeys, random io.Reader, webhookID uuid.UUID, now time.Time) (storedSecret, secret.Text, error) {
	drawn := make([]byte, secretBytes)
	if _, err := io.ReadFull(random, drawn); err != nil {
		return storedSecret{}, "", err
	}
	shown := secretPrefix + base64.StdEncoding.EncodeToString(drawn)
	return storedSecret{
		ID: uuid.Must(uuid.NewV7()), WebhookID: webhookID, Sealed: keys.Seal(sealedSecret, []byte(shown), webhookID[:]), CreatedAt: now,
	}, secret.Text(shown), nil
}

// newKey draws an Ed25519 key. It returns its seed, sealed, and its public part as it is shown.
func newKey(keys *keyring.DataKeys, random io.Reader, webhookID uuid.UUID) (sealed, public string, err error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return "", "", err
	}
	key, _ := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	return keys.Seal(sealedKey, seed, webhookID[:]), publicKeyPrefix + base64.StdEncoding.EncodeToString(key), nil
}

// signer signs what is sent to one endpoint.
type signer struct {
	secrets []*standardwebhooks.Webhook
	key     ed25519.PrivateKey
}

// newSigner opens what an endpoint's messages are signed with.
func newSigner(keys *keyring.DataKeys, w Webhook, secrets []storedSecret) (signer, error) {
	seed, err := keys.Open(sealedKey, w.PrivateKey, w.ID[:])
	if err != nil {
		return signer{}, fmt.Errorf("key of webhook %s: %w", w.ID, err)
	}
	s := signer{key: ed25519.NewKeyFromSeed(seed)}
	for _, stored := range secrets {
		opened, err := keys.Open(sealedSecret, stored.Sealed, w.ID[:])
		if err != nil {
			return signer{}, fmt.Errorf("secret of webhook %s: %w", w.ID, err)
		}
		known, err := standardwebhooks.NewWebhook(string(opened))
		if err != nil {
			return signer{}, fmt.Errorf("secret of webhook %s is stored wrongly", w.ID)
		}
		s.secrets = append(s.secrets, known)
	}
	return s, nil
}

// sign sets the headers of a message: v1 by each secret in force, and v1a by the key. No library
// verifies v1a today, so it never stands alone.
func (s signer) sign(h http.Header, id uuid.UUID, at time.Time, body []byte) error {
	var signatures []string
	for _, known := range s.secrets {
		one, err := known.Sign(id.String(), at, body)
		if err != nil {
			return err
		}
		signatures = append(signatures, one)
	}
	seconds := strconv.FormatInt(at.Unix(), 10)
	signed := ed25519.Sign(s.key, []byte(id.String()+"."+seconds+"."+string(body)))
	signatures = append(signatures, "v1a,"+base64.StdEncoding.EncodeToString(signed))
	h.Set(standardwebhooks.HeaderWebhookID, id.String())
	h.Set(standardwebhooks.HeaderWebhookTimestamp, seconds)
	h.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return nil
}
