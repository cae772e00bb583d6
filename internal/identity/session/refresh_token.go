package session

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"

	"github.com/google/uuid"

	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
)

// A refresh token is base64url of its parts. They are version, session id, generation, 16 random or
// derived bytes, and a keyed digest of all that. The digest lets a forged one be refused without
// looking at the session that it names.
const (
	refreshVersion = 1
	// grantVersion is that of an application's, which is good for nothing else.
	grantVersion  = 2
	refreshNonce  = 16
	refreshSigned = 1 + 16 + 4 + refreshNonce
	refreshBytes  = refreshSigned + sha256.Size

	refreshPurpose   = "refresh token"
	successorPurpose = "refresh token successor"
)

// refreshTokens makes and reads refresh tokens.
type refreshTokens struct{ keys *keyring.DataKeys }

// fresh makes a token of a person or, by its version, of an application, with random bytes.
func (t refreshTokens) fresh(version byte, sessionID uuid.UUID, generation uint32) (secret.Text, error) {
	nonce := make([]byte, refreshNonce)
	if _, err := rand.Read(nonce); err != nil {
		return "", err
	}
	return t.seal(version, sessionID, generation, nonce, 0), nil
}

// successors returns the tokens that may follow one under an idempotency key. There is one for each
// data key, the current one's first. They are the same at every call.
func (t refreshTokens) successors(of secret.Text, key string, sessionID uuid.UUID, generation uint32) []secret.Text {
	// Both digests of a token are by one key, though another may become current meanwhile.
	settled := refreshTokens{t.keys.Settled()}
	var tokens []secret.Text
	for i, sum := range settled.keys.Sums(successorPurpose, []byte(of.Reveal()), []byte(key)) {
		tokens = append(tokens, settled.seal(versionOf(of), sessionID, generation, sum[:refreshNonce], i))
	}
	return tokens
}

func (t refreshTokens) seal(version byte, sessionID uuid.UUID, generation uint32, nonce []byte, dataKey int) secret.Text {
	b := make([]byte, 0, refreshBytes)
	b = append(b, version)
	b = append(b, sessionID[:]...)
	b = binary.BigEndian.AppendUint32(b, generation)
	b = append(b, nonce...)
	b = append(b, t.keys.Sums(refreshPurpose, b)[dataKey]...)
	return secret.Text(base64.RawURLEncoding.EncodeToString(b))
}

// versionOf is the version of a genuine token.
func versionOf(token secret.Text) byte {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token.Reveal())
	if err != nil || len(b) == 0 {
		return refreshVersion
	}
	return b[0]
}

// open returns what a genuine token of a person names, and false for anything else.
func (t refreshTokens) open(token secret.Text) (sessionID uuid.UUID, generation uint32, genuine bool) {
	return t.unseal(token, refreshVersion)
}

// openGrant returns the session that a genuine token of an application names, and false for
// anything else.
func (t refreshTokens) openGrant(token secret.Text) (sessionID uuid.UUID, genuine bool) {
	sessionID, _, genuine = t.unseal(token, grantVersion)
	return sessionID, genuine
}

func (t refreshTokens) unseal(token secret.Text, version byte) (sessionID uuid.UUID, generation uint32, genuine bool) {
	if len(token) != base64.RawURLEncoding.EncodedLen(refreshBytes) {
		return uuid.Nil, 0, false
	}
	// Strict, so that one token has one text and so one digest in the table.
	b, err := base64.RawURLEncoding.Strict().DecodeString(token.Reveal())
	if err != nil || len(b) != refreshBytes || b[0] != version {
		return uuid.Nil, 0, false
	}
	for _, sum := range t.keys.Sums(refreshPurpose, b[:refreshSigned]) {
		if subtle.ConstantTimeCompare(sum, b[refreshSigned:]) == 1 {
			return uuid.UUID(b[1:17]), binary.BigEndian.Uint32(b[17:21]), true
		}
	}
	return uuid.Nil, 0, false
}

// digest is what the table keeps of a token or key.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
