// Package dpop checks that the sender of a request holds the key to which a token is bound (DPoP,
// RFC 9449). A proof is a short text that is signed with that key for one request, and good once.
package dpop

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"diresco/db"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/secret"
)

// Header is the header of proofs, and Scheme that of tokens which are bound to a key.
const (
	Header = "DPoP"
	Scheme = "DPoP"
)

const (
	// Life is how old a proof may be.
	Life = time.Minute
	// Skew is by how much the sender's clock may be ahead.
	Skew = 30 * time.Second
	// kept is how long a proof is remembered after its instant: as long as any process takes it.
	kept = Life + Skew

	proofType  = "dpop+jwt"
	maxProof   = 4096
	maxID      = 256
	minRSABits = 2048
	maxRSABits = 4096
)

// Algorithms are those by which a proof may be signed. None is symmetric: then whoever checks a
// proof could make one.
func Algorithms() []string {
	return []string{jwt.SigningMethodES256.Alg(), jwt.SigningMethodPS256.Alg(), jwt.SigningMethodRS256.Alg()}
}

// The reasons why a proof is refused.
const (
	ReasonMissing   = "proof-missing"
	ReasonMalformed = "proof-malformed"
	ReasonRequest   = "proof-request"
	ReasonTime      = "proof-time"
	ReasonToken     = "proof-token"
	ReasonKey       = "proof-key"
	ReasonUsed      = "proof-used"
)

// descriptions are the reasons in English, as the protocol tells them to developers.
var descriptions = map[string]string{
	ReasonMissing: "a DPoP header with a proof is missing",
	ReasonMalformed: "the DPoP header is not one proof: a JWT of type dpop+jwt with its public key, signed by ES256, PS256 or RS256, " +
		"with jti, htm, htu and iat",
	ReasonRequest: "the proof is for another request: htm is the method and htu the public address without query",
	ReasonTime:    "the proof is too old or from the future: iat is the present time",
	ReasonToken:   "the proof is for another access token: ath is its SHA-256",
	ReasonKey:     "the proof is by another key than the token is bound to",
	ReasonUsed:    "the proof was used before: each request needs one of its own",
}

// Refusal is why a proof is refused.
type Refusal struct{ Reason string }

// Error implements error.
func (r *Refusal) Error() string { return descriptions[r.Reason] }

// Refuse returns the refusal for a reason.
func Refuse(reason string) error { return &Refusal{reason} }

// Sent is what a proof came with.
type Sent struct {
	// Proofs are the values of the header.
	Proofs []string
	Method string
	// Path is that of the request, with its escapes.
	Path string
	// Token is the access token that came along, "" without one.
	Token secret.Text
}

// Proof is one that was genuine, and for this request. It is not known whether it was used before.
type Proof struct {
	// Key is the thumbprint of the public key (RFC 7638).
	Key    string
	digest string
	until  time.Time
}

// Service checks proofs.
type Service struct {
	clock  clock.Clock
	repo   repository
	bases  []string
	parser *jwt.Parser
}

// NewService returns the service of an installation that is reached at these addresses, each without
// a path.
func NewService(d *db.DB, c clock.Clock, addresses ...string) *Service {
	s := &Service{clock: c, repo: repository{d}}
	for _, address := range addresses {
		if base, ok := baseOf(address); ok {
			s.bases = append(s.bases, base)
		}
	}
	s.parser = jwt.NewParser(
		jwt.WithValidMethods(Algorithms()), jwt.WithStrictDecoding(), jwt.WithTimeFunc(c.Now), jwt.WithLeeway(Skew),
	)
	return s
}

// claims are those of a proof.
type claims struct {
	jwt.RegisteredClaims
	Method    string `json:"htm"`
	Target    string `json:"htu"`
	TokenHash string `json:"ath"`
}

// Verify returns the proof of a request, or a *Refusal. Call Use before anything is done for it.
func (s *Service) Verify(sent Sent) (Proof, error) {
	if len(sent.Proofs) == 0 {
		return Proof{}, Refuse(ReasonMissing)
	}
	text := sent.Proofs[0]
	// Line breaks would pass as base64.
	if len(sent.Proofs) > 1 || len(text) > maxProof || strings.ContainsAny(text, "\r\n") {
		return Proof{}, Refuse(ReasonMalformed)
	}
	var said claims
	var thumbprint string
	_, err := s.parser.ParseWithClaims(text, &said, func(unverified *jwt.Token) (any, error) {
		public, shown, err := keyOf(unverified)
		thumbprint = shown
		return public, err
	})
	now := s.clock.Now()
	switch {
	case errors.Is(err, jwt.ErrTokenExpired), errors.Is(err, jwt.ErrTokenNotValidYet):
		return Proof{}, Refuse(ReasonTime)
	case err != nil || said.IssuedAt == nil || said.ID == "" || len(said.ID) > maxID:
		return Proof{}, Refuse(ReasonMalformed)
	case said.Method != sent.Method || !s.targets(said.Target, sent.Path):
		return Proof{}, Refuse(ReasonRequest)
	case said.IssuedAt.After(now.Add(Skew)) || said.IssuedAt.Before(now.Add(-Life)):
		return Proof{}, Refuse(ReasonTime)
	case sent.Token != "" && subtle.ConstantTimeCompare([]byte(said.TokenHash), []byte(hashOf(sent.Token))) != 1:
		return Proof{}, Refuse(ReasonToken)
	}
	// Two keys may use one id: it is the key's.
	sum := sha256.Sum256([]byte(thumbprint + " " + said.ID))
	return Proof{Key: thumbprint, digest: hex.EncodeToString(sum[:]), until: said.IssuedAt.Add(kept)}, nil
}

// Use uses a proof up, over all processes. It returns a *Refusal where that was done before.
func (s *Service) Use(ctx context.Context, p Proof) error {
	first, err := s.repo.use(ctx, p.digest, p.until)
	if err == nil && !first {
		err = Refuse(ReasonUsed)
	}
	return err
}

// Purge forgets proofs that no process takes any more.
func (s *Service) Purge(ctx context.Context) error { return s.repo.purge(ctx, s.clock.Now()) }

// hashOf is how a proof names an access token.
func hashOf(token secret.Text) string {
	sum := sha256.Sum256([]byte(token.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// keyOf returns the public key that a proof brings, and its thumbprint. The key is good for the
// method of the proof and for no other.
func keyOf(unverified *jwt.Token) (public any, thumbprint string, err error) {
	kind, _ := unverified.Header["typ"].(string)
	members, ok := unverified.Header["jwk"].(map[string]any)
	_, critical := unverified.Header["crit"]
	if !ok || critical || !strings.EqualFold(kind, proofType) {
		return nil, "", jwt.ErrTokenUnverifiable
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		if _, private := members[name]; private {
			return nil, "", jwt.ErrTokenUnverifiable
		}
	}
	// What else it says of itself, such as certificates, is not looked at.
	plain := map[string]any{}
	for _, name := range []string{"kty", "crv", "x", "y", "n", "e"} {
		if value, said := members[name]; said {
			plain[name] = value
		}
	}
	encoded, err := json.Marshal(plain)
	if err != nil {
		return nil, "", err
	}
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(encoded); err != nil || !key.Valid() || !key.IsPublic() || !fits(key.Key, unverified.Method.Alg()) {
		return nil, "", jwt.ErrTokenUnverifiable
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	return key.Key, base64.RawURLEncoding.EncodeToString(sum), err
}

// fits reports whether a key may sign by the method.
func fits(key any, method string) bool {
	switch public := key.(type) {
	case *ecdsa.PublicKey:
		return method == jwt.SigningMethodES256.Alg() && public.Curve == elliptic.P256()
	case *rsa.PublicKey:
		bits := public.N.BitLen()
		return method != jwt.SigningMethodES256.Alg() && bits >= minRSABits && bits <= maxRSABits && public.E >= 3 && public.E%2 == 1
	}
	return false
}

// targets reports whether the address in a proof is that of the request. Its query and fragment do
// not count (RFC 9449 section 4.3).
func (s *Service) targets(address, path string) bool {
	base, ok := baseOf(address)
	if !ok || !slices.Contains(s.bases, base) {
		return false
	}
	u, err := url.Parse(address)
	return err == nil && rooted(u.EscapedPath()) == rooted(path)
}

func rooted(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// baseOf returns scheme and host of an address in one form, with its port.
func baseOf(address string) (string, bool) {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Hostname() == "" {
		return "", false
	}
	port := u.Port()
	switch scheme := strings.ToLower(u.Scheme); {
	case scheme == "https" && port == "":
		port = "443"
	case scheme == "http" && port == "":
		port = "80"
	case scheme != "https" && scheme != "http":
		return "", false
	}
	return strings.ToLower(u.Scheme+"://"+u.Hostname()) + ":" + port, true
}
