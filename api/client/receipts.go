package client

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/gowebpki/jcs"
)

// ErrNotAReceipt means that a text is no receipt that the published keys signed.
var ErrNotAReceipt = errors.New("not a receipt of this service")

// receiptType is what the header of a receipt says that it is. Nothing else is signed under it.
const receiptType = "receipt+jws"

// SignedReceipt is what a receipt says.
type SignedReceipt struct {
	Issuer         string    `json:"iss"`
	ProtocolNumber string    `json:"protocol_number"`
	SubmittedAt    time.Time `json:"submitted_at"`
	// Digest is of what was declared; see MatchesContent.
	Digest        string     `json:"digest"`
	DeclarationID uuid.UUID  `json:"declaration_id"`
	Type          string     `json:"type"`
	TypeVersion   int        `json:"type_version"`
	ContributorID uuid.UUID  `json:"contributor_id"`
	PositionID    uuid.UUID  `json:"position_id"`
	ActingAs      string     `json:"acting_as"`
	RightID       uuid.UUID  `json:"right_id"`
	FiledBy       uuid.UUID  `json:"filed_by"`
	ClientID      string     `json:"client_id"`
	Filer         SaltedCode `json:"filer_tax_code"`
	Contributor   SaltedCode `json:"contributor_tax_code"`
	Step          string     `json:"step"`
	ReservationID *uuid.UUID `json:"reservation_id"`
}

// SaltedCode is a tax code that only who knows it can recognise.
type SaltedCode struct {
	Salt   string `json:"salt"`
	SHA256 string `json:"sha256"`
}

// Is reports whether it is this tax code.
func (c SaltedCode) Is(taxCode string) bool {
	salt, err := base64.RawURLEncoding.DecodeString(c.Salt)
	if err != nil || c.SHA256 == "" {
		return false
	}
	sum := sha256.Sum256(append(salt, strings.ToUpper(strings.TrimSpace(taxCode))...))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(c.SHA256)) == 1
}

// ReceiptVerifier verifies receipts without asking the service: by its published keys, which stay
// published for ever unless one is revoked. Whether the register has a receipt only the service
// knows (verifyReceipt); that matters once a key was stolen.
type ReceiptVerifier struct{ keys jose.JSONWebKeySet }

// NewReceiptVerifier takes the published keys, a JWK set as /.well-known/jwks.json has it.
func NewReceiptVerifier(keySet []byte) (*ReceiptVerifier, error) {
	v := &ReceiptVerifier{}
	if err := json.Unmarshal(keySet, &v.keys); err != nil {
		return nil, fmt.Errorf("the published keys: %w", err)
	}
	return v, nil
}

// FetchReceiptVerifier gets the keys that an issuer, such as https://diresco.example, publishes. Do
// it once a day, or when a receipt is of a key that is not there.
func FetchReceiptVerifier(ctx context.Context, issuer string, sender *http.Client) (*ReceiptVerifier, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(issuer, "/")+"/.well-known/jwks.json", nil)
	if err != nil {
		return nil, err
	}
	d := doer{Options: Options{HTTP: sender}.withDefaults()}
	answer, err := d.send(r) //nolint:bodyclose // by who reads it
	if err != nil {
		return nil, err
	}
	v := &ReceiptVerifier{}
	return v, readJSON(answer, &v.keys)
}

// Verify returns what a receipt says, or ErrNotAReceipt. It takes the text in the QR code of a
// printed receipt as well, which says less.
func (v *ReceiptVerifier) Verify(jws string) (*SignedReceipt, error) {
	jws = strings.TrimSpace(jws)
	signed, err := jose.ParseSignedCompact(jws, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(signed.Signatures) != 1 {
		return nil, ErrNotAReceipt
	}
	header := signed.Signatures[0].Protected
	// A key that the text brings with it, or says where to fetch, counts for nothing.
	if kind, _ := header.ExtraHeaders[jose.HeaderType].(string); kind != receiptType || header.JSONWebKey != nil {
		return nil, ErrNotAReceipt
	}
	keys := v.keys.Key(header.KeyID)
	if len(keys) != 1 || header.KeyID == "" {
		return nil, fmt.Errorf("%w: no published key is called that", ErrNotAReceipt)
	}
	payload, err := signed.Verify(keys[0])
	if err != nil {
		return nil, ErrNotAReceipt
	}
	var says struct {
		SignedReceipt
		Number      string    `json:"n"`
		At          time.Time `json:"t"`
		Digested    string    `json:"d"`
		Declaration uuid.UUID `json:"id"`
	}
	if err := json.Unmarshal(payload, &says); err != nil {
		return nil, ErrNotAReceipt
	}
	receipt := says.SignedReceipt
	if receipt.ProtocolNumber == "" {
		receipt.ProtocolNumber, receipt.SubmittedAt = says.Number, says.At
		receipt.Digest, receipt.DeclarationID = says.Digested, says.Declaration
	}
	return &receipt, nil
}

// MatchesContent reports whether this content, as it was sent or read, is what was declared.
func (r *SignedReceipt) MatchesContent(content json.RawMessage) (bool, error) {
	encoded, err := json.Marshal(map[string]any{
		"type": r.Type, "version": r.TypeVersion, "contributor_id": r.ContributorID, "position_id": r.PositionID, "content": content,
	})
	if err != nil {
		return false, err
	}
	canonical, err := jcs.Transform(encoded)
	if err != nil {
		return false, err
	}
	sum := sha256.Sum256(canonical)
	return subtle.ConstantTimeCompare([]byte("sha-256:"+hex.EncodeToString(sum[:])), []byte(r.Digest)) == 1, nil
}
