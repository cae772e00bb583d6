package client_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"diresco/api/client"
)

// signReceipt signs with a key of one's own.
func signReceipt(t *testing.T, key *ecdsa.PrivateKey, kind, kid string, embed bool) string {
	t.Helper()
	options := (&jose.SignerOptions{EmbedJWK: embed}).WithType(jose.ContentType(kind))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(`{"n":"INPS.1400.16/03/2026.0000042","t":"2026-03-16T08:15:04Z","d":"sha-256:00","id":"018f3b20-2d4e-7f60-9b72-8d9e0f1a2b3c"}`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestReceipt_IsBelievedByAPublishedKeyAlone(t *testing.T) {
	ours := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	theirs := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	published, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: ours.Public(), KeyID: "receipt-1", Use: "sig", Algorithm: "ES256"}}})
	if err != nil {
		t.Fatal(err)
	}
	v, err := client.NewReceiptVerifier(published)
	if err != nil {
		t.Fatal(err)
	}
	genuine := signReceipt(t, ours, "receipt+jws", "receipt-1", false)
	if got, err := v.Verify(" " + genuine + "\n"); err != nil || got.ProtocolNumber != "INPS.1400.16/03/2026.0000042" || got.Digest != "sha-256:00" {
		t.Errorf("what a QR code holds: %v %v", got, err)
	}
	header, rest, _ := strings.Cut(genuine, ".")
	for name, text := range map[string]string{
		"nothing":          "",
		"another's key":    signReceipt(t, theirs, "receipt+jws", "receipt-1", false),
		"a key brought":    signReceipt(t, theirs, "receipt+jws", "receipt-1", true),
		"an unknown key":   signReceipt(t, ours, "receipt+jws", "receipt-2", false),
		"another purpose":  signReceipt(t, ours, "at+jwt", "receipt-1", false),
		"another payload":  header + ".e30." + strings.SplitN(rest, ".", 2)[1],
		"no signature":     strings.TrimRight(genuine[:strings.LastIndex(genuine, ".")+1], ""),
		"no algorithm":     "eyJhbGciOiJub25lIiwidHlwIjoicmVjZWlwdCtqd3MifQ.e30.",
		"more than a text": genuine + "." + genuine,
	} {
		if got, err := v.Verify(text); !errors.Is(err, client.ErrNotAReceipt) {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	if _, err := client.NewReceiptVerifier([]byte("{")); err == nil {
		t.Error("keys that are none are taken")
	}
}
