package openid

import (
	"context"
	"encoding/json"
	"mime"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"diresco/internal/identity/federation"
	"diresco/internal/platform/taxcode"
)

// The ways in which answers may be encrypted, as the national profile lists them.
var (
	keyAlgorithms     = []jose.KeyAlgorithm{jose.RSA_OAEP, jose.RSA_OAEP_256}
	contentEncryption = []jose.ContentEncryption{jose.A128CBC_HS256, jose.A256CBC_HS512}
)

// maxLine is how long a name or address may be.
const maxLine = 200

// open returns what a userinfo endpoint says. It is plain, or signed, or signed and then encrypted;
// the national profile takes nothing but the last.
func (p *provider) open(ctx context.Context, m *metadata, body []byte, contentType string) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, invalid("userinfo has no type")
	}
	text := strings.TrimSpace(string(body))
	switch kind {
	case "application/json":
		if p.settings.national() {
			return nil, invalid("userinfo is not encrypted")
		}
		return body, nil
	case "application/jwt", "application/jose":
	default:
		return nil, invalid("userinfo is of an unknown type")
	}
	// An encrypted one has five parts, a signed one three.
	encrypted := strings.Count(text, ".") == 4
	if p.settings.national() && !encrypted {
		return nil, invalid("userinfo is not encrypted")
	}
	if encrypted {
		if text, err = p.decrypt(text); err != nil {
			return nil, err
		}
	}
	return p.verifyInfo(ctx, m, text)
}

// decrypt opens what was encrypted for one of the installation's keys.
func (p *provider) decrypt(text string) (string, error) {
	sealed, err := jose.ParseEncryptedCompact(text, keyAlgorithms, contentEncryption)
	if err != nil {
		return "", invalid("userinfo is encrypted in another way")
	}
	for _, key := range p.deps.Keys.Answers {
		if sealed.Header.KeyID != "" && sealed.Header.KeyID != key.KeyID {
			continue
		}
		if opened, err := sealed.Decrypt(key.Key); err == nil {
			return strings.TrimSpace(string(opened)), nil
		}
	}
	return "", invalid("userinfo is encrypted for another key")
}

// verifyInfo verifies a signed userinfo.
func (p *provider) verifyInfo(ctx context.Context, m *metadata, text string) ([]byte, error) {
	algorithms := make([]jose.SignatureAlgorithm, len(p.settings.Algorithms))
	for i, name := range p.settings.Algorithms {
		algorithms[i] = jose.SignatureAlgorithm(name)
	}
	if _, err := jose.ParseSignedCompact(text, algorithms); err != nil {
		return nil, invalid("userinfo is signed in another way")
	}
	payload, err := m.verifying.VerifySignature(oidc.ClientContext(ctx, p.client), text)
	if err != nil {
		return nil, invalid("userinfo's signature is wrong")
	}
	var claimed struct {
		Issuer   string           `json:"iss"`
		Audience jwt.ClaimStrings `json:"aud"`
		Expires  *float64         `json:"exp"`
	}
	if json.Unmarshal(payload, &claimed) != nil {
		return nil, invalid("userinfo cannot be read")
	}
	if claimed.Issuer != m.Issuer || !slices.Contains(claimed.Audience, p.clientID()) {
		return nil, invalid("userinfo's issuer or audience is wrong")
	}
	if claimed.Expires != nil && !p.deps.Clock.Now().Before(time.Unix(int64(*claimed.Expires), 0)) {
		return nil, invalid("userinfo is expired")
	}
	return payload, nil
}

// read finds what is needed among what a provider says.
func (s *Settings) read(said map[string]any) (federation.Claims, error) {
	code, err := taxcode.Parse(strings.TrimPrefix(first(said, s.Claims.TaxCode), *s.TaxCodePrefix))
	if err != nil || !code.IsPerson() {
		return federation.Claims{}, invalid("tax code is missing or wrong")
	}
	c := federation.Claims{
		TaxCode: code.Clear(), GivenName: line(said, s.Claims.GivenName), FamilyName: line(said, s.Claims.FamilyName),
		BirthDate: first(said, s.Claims.BirthDate), BirthPlace: line(said, s.Claims.BirthPlace),
		Email: line(said, s.Claims.Email), Mobile: line(said, s.Claims.Mobile),
	}
	if c.GivenName == "" || c.FamilyName == "" {
		return federation.Claims{}, invalid("name is missing")
	}
	if _, err := time.Parse(time.DateOnly, c.BirthDate); err != nil {
		c.BirthDate = ""
	}
	return c, nil
}

// first returns the first of the claims that is there. A place is an object with its code.
func first(said map[string]any, names []string) string {
	for _, name := range names {
		value := said[name]
		if place, isPlace := value.(map[string]any); isPlace {
			value = place["locality"]
		}
		if text, isText := value.(string); isText && strings.TrimSpace(text) != "" {
			return strings.TrimSpace(text)
		}
	}
	return ""
}

// line is first for a text of one line; a longer one is not taken.
func line(said map[string]any, names []string) string {
	text := first(said, names)
	if !isText(text) || len(text) > maxLine {
		return ""
	}
	return text
}
