package client_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"diresco/api/client"
)

const (
	secretOne = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	secretTwo = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
	payload   = `{"type":"declaration.submitted","timestamp":"2026-03-16T08:15:04Z","data":{` +
		`"event_id":"018f3b20-2d4e-7f60-9b72-8d9e0f1a2b3c","subject":{"kind":"declaration","id":"018f3b20-2d4e-7f60-9b72-8d9e0f1a2b3d"},` +
		`"url":"https://diresco.example/v1/declarations/018f3b20-2d4e-7f60-9b72-8d9e0f1a2b3d"}}`
)

// signedCall makes the headers of a call.
func signedCall() http.Header {
	return call("e1", time.Now(), payload, secretOne)
}

// call makes the headers of a call, with signatures that the library of Standard Webhooks makes.
func call(id string, at time.Time, body string, secrets ...string) http.Header {
	h := http.Header{}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	signatures := ""
	for _, secret := range secrets {
		signature := must(must(standardwebhooks.NewWebhook(secret)).Sign(id, at, []byte(body)))
		signatures += signature + " "
	}
	h.Set("webhook-signature", signatures)
	return h
}

func TestWebhook_IsBelievedByOneSignature(t *testing.T) {
	now := time.Now()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key := "whpk_" + base64.StdEncoding.EncodeToString(public)
	byKey := call("e1", now, payload, secretTwo)
	byKey.Add("webhook-signature", "")
	signature := ed25519.Sign(private, []byte("e1."+byKey.Get("webhook-timestamp")+"."+payload))
	byKey.Set("webhook-signature", byKey.Get("webhook-signature")+"v1a,"+base64.StdEncoding.EncodeToString(signature))
	for name, c := range map[string]struct {
		trusted []string
		header  http.Header
		body    string
		want    bool
	}{
		"one secret":              {[]string{secretOne}, call("e1", now, payload, secretOne), payload, true},
		"the new one of two":      {[]string{secretTwo}, call("e1", now, payload, secretOne, secretTwo), payload, true},
		"either of two":           {[]string{secretOne, secretTwo}, call("e1", now, payload, secretTwo), payload, true},
		"the public key":          {[]string{key}, byKey, payload, true},
		"another public key":      {[]string{"whpk_" + base64.StdEncoding.EncodeToString(make([]byte, 32))}, byKey, payload, false},
		"another secret":          {[]string{secretTwo}, call("e1", now, payload, secretOne), payload, false},
		"another body":            {[]string{secretOne}, call("e1", now, payload, secretOne), payload + " ", false},
		"an old one":              {[]string{secretOne}, call("e1", now.Add(-6*time.Minute), payload, secretOne), payload, false},
		"one of the future":       {[]string{secretOne}, call("e1", now.Add(6*time.Minute), payload, secretOne), payload, false},
		"nothing that was signed": {[]string{secretOne}, http.Header{}, payload, false},
	} {
		v, err := client.NewWebhookVerifier(c.trusted...)
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.Verify(c.header, []byte(c.body))
		if c.want != (err == nil) || !c.want && !errors.Is(err, client.ErrWebhook) ||
			c.want && (got.Type != "declaration.submitted" || got.Data.Subject.Kind != "declaration") {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	for _, wrong := range []string{"", "whsec_", "whsec_***", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whpk_AAAA"} {
		if _, err := client.NewWebhookVerifier(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
	if _, err := client.NewWebhookVerifier(); err == nil {
		t.Error("nothing is taken")
	}
}
