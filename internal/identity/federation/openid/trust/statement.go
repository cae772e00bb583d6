// Package trust builds and verifies trust chains as OpenID Federation 1.0 describes them. A chain
// leads from a party over those that vouch for it to a trust anchor whose keys are configured.
package trust

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The types of signed documents, as their headers name them.
const (
	StatementType  = "entity-statement+jwt"
	MarkType       = "trust-mark+jwt"
	SetType        = "jwk-set+jwt"
	delegationType = "trust-mark-delegation+jwt"
)

const (
	// WellKnown is where an entity shows its configuration, below its identifier.
	WellKnown = "/.well-known/openid-federation"
	// skew is by how much the clocks of others may differ.
	skew = time.Minute
	// maxKeys is how many keys of a set count.
	maxKeys = 50
)

// Algorithms are those by which documents may be signed.
var Algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512,
}

// The rules that a chain can break. Their texts are fixed words, fit for a log.
var (
	ErrForm        = errors.New("statement has not the form of one")
	ErrSignature   = errors.New("statement is not signed by the key that it must be")
	ErrExpired     = errors.New("statement is expired or not yet valid")
	ErrNoPath      = errors.New("no path leads to a trust anchor")
	ErrPathLength  = errors.New("path is longer than allowed")
	ErrNaming      = errors.New("name is outside of those allowed")
	ErrEntityType  = errors.New("type of entity is not allowed")
	ErrPolicy      = errors.New("metadata do not agree with the policy")
	ErrMark        = errors.New("a required trust mark is missing or not valid")
	ErrUnreachable = errors.New("a statement cannot be had")
)

// Keys are public keys as documents carry them. Keys of kinds that are not known are left out.
type Keys []jose.JSONWebKey

// UnmarshalJSON implements json.Unmarshaler for a JWK set (RFC 7517).
func (k *Keys) UnmarshalJSON(encoded []byte) error {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(encoded, &set); err != nil {
		return ErrForm
	}
	for _, raw := range set.Keys[:min(len(set.Keys), maxKeys)] {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) == nil && key.Valid() && key.IsPublic() {
			*k = append(*k, key)
		}
	}
	return nil
}

// Find returns the key that is to verify a signature by that id.
func (k Keys) Find(kid string) (jose.JSONWebKey, bool) {
	i := slices.IndexFunc(k, func(key jose.JSONWebKey) bool { return key.KeyID == kid })
	if kid == "" || i < 0 {
		return jose.JSONWebKey{}, false
	}
	return k[i], k[i].Use != "enc"
}

// Metadata are what is said of an entity, by type of entity and name of parameter.
type Metadata map[string]map[string]any

// Constraints limit what may stand below whoever sets them.
type Constraints struct {
	MaxPathLength *int `json:"max_path_length"`
	Naming        *struct {
		Permitted []string `json:"permitted"`
		Excluded  []string `json:"excluded"`
	} `json:"naming_constraints"`
	EntityTypes []string `json:"allowed_entity_types"`
	// LeafEntityTypes is what drafts called it.
	LeafEntityTypes []string `json:"allowed_leaf_entity_types"`
}

// MarkEntry is a trust mark as an entity shows it. Drafts called its type "id".
type MarkEntry struct {
	Type string `json:"trust_mark_type,omitempty"`
	ID   string `json:"id,omitempty"`
	Mark string `json:"trust_mark"`
}

// Named returns the type of the mark.
func (m MarkEntry) Named() string {
	if m.Type != "" {
		return m.Type
	}
	return m.ID
}

// Statement is what one entity says of another, or of itself.
type Statement struct {
	Issuer         string                               `json:"iss"`
	Subject        string                               `json:"sub"`
	IssuedAt       int64                                `json:"iat"`
	Expires        int64                                `json:"exp"`
	Keys           Keys                                 `json:"jwks"`
	AuthorityHints []string                             `json:"authority_hints"`
	Metadata       Metadata                             `json:"metadata"`
	Policy         map[string]map[string]map[string]any `json:"metadata_policy"`
	PolicyCritical []string                             `json:"metadata_policy_crit"`
	Constraints    *Constraints                         `json:"constraints"`
	Critical       []string                             `json:"crit"`
	Marks          []MarkEntry                          `json:"trust_marks"`
	MarkIssuers    map[string][]string                  `json:"trust_mark_issuers"`
	MarkOwners     map[string]struct {
		Subject string `json:"sub"`
		Keys    Keys   `json:"jwks"`
	} `json:"trust_mark_owners"`
	// Raw is the signed text.
	Raw string `json:"-"`
}

// Signed returns the verified payload of a signed document of one type.
func Signed(raw, typ string, keys Keys) ([]byte, error) {
	signed, err := parse(raw, typ)
	if err != nil {
		return nil, err
	}
	key, found := keys.Find(signed.Signatures[0].Protected.KeyID)
	if !found {
		return nil, ErrSignature
	}
	payload, err := signed.Verify(key)
	if err != nil {
		return nil, ErrSignature
	}
	return payload, nil
}

// SignedSet returns the verified payload of an entity's signed set of keys (OpenID Federation 1.0,
// 5.2.1), and when it ends: the zero time if it does not say.
func SignedSet(raw, entity string, keys Keys, now time.Time) ([]byte, time.Time, error) {
	payload, err := Signed(raw, SetType, keys)
	if err != nil {
		return nil, time.Time{}, err
	}
	var set struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		IssuedAt *int64 `json:"iat"`
		Expires  *int64 `json:"exp"`
	}
	if json.Unmarshal(payload, &set) != nil || set.Issuer != entity || set.Subject != entity {
		return nil, time.Time{}, ErrForm
	}
	if set.IssuedAt != nil && time.Unix(*set.IssuedAt, 0).After(now.Add(skew)) {
		return nil, time.Time{}, ErrExpired
	}
	if set.Expires == nil {
		return payload, time.Time{}, nil
	}
	ends := time.Unix(*set.Expires, 0)
	if !now.Before(ends) {
		return nil, time.Time{}, ErrExpired
	}
	return payload, ends, nil
}

// parse reads a signed document without verifying it.
func parse(raw, typ string) (*jose.JSONWebSignature, error) {
	signed, err := jose.ParseSignedCompact(strings.TrimSpace(raw), Algorithms)
	if err != nil || len(signed.Signatures) != 1 {
		return nil, ErrForm
	}
	if got, _ := signed.Signatures[0].Protected.ExtraHeaders[jose.HeaderType].(string); got != typ {
		return nil, ErrForm
	}
	return signed, nil
}

// Self returns an entity's configuration, which it signed with a key of its own. Whether that key
// is its own to others, too, only a chain tells.
func Self(raw, entity string, now time.Time) (Statement, error) {
	signed, err := parse(raw, StatementType)
	if err != nil {
		return Statement{}, err
	}
	var claimed struct {
		Keys Keys `json:"jwks"`
	}
	if json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &claimed) != nil {
		return Statement{}, ErrForm
	}
	return read(raw, entity, entity, claimed.Keys, now)
}

// read returns what the issuer says of the subject.
func read(raw, issuer, subject string, keys Keys, now time.Time) (Statement, error) {
	payload, err := Signed(raw, StatementType, keys)
	if err != nil {
		return Statement{}, err
	}
	var s Statement
	switch {
	case json.Unmarshal(payload, &s) != nil,
		s.Issuer != issuer || s.Subject != subject || len(s.Keys) == 0,
		// No further claim is understood, so none may be critical.
		len(s.Critical) != 0:
		return Statement{}, ErrForm
	}
	s.Raw = strings.TrimSpace(raw)
	return s, within(s.IssuedAt, s.Expires, now)
}

// within tells whether a document is valid now.
func within(issuedAt, expires int64, now time.Time) error {
	if issuedAt <= 0 || time.Unix(issuedAt, 0).After(now.Add(skew)) || !now.Before(time.Unix(expires, 0)) {
		return ErrExpired
	}
	return nil
}

// check holds a constraint against the names below whoever sets it. The subject's own types are
// those of its metadata; between counts the entities between that one and the subject.
func (c *Constraints) check(below []string, types []string, between int) error {
	if c == nil {
		return nil
	}
	if c.MaxPathLength != nil && between > *c.MaxPathLength {
		return ErrPathLength
	}
	if c.Naming != nil {
		for _, name := range below {
			if c.Naming.Permitted != nil && !named(name, c.Naming.Permitted) || named(name, c.Naming.Excluded) {
				return ErrNaming
			}
		}
	}
	for _, allowed := range [][]string{c.EntityTypes, c.LeafEntityTypes} {
		for _, typ := range types {
			if allowed != nil && typ != federationEntity && !slices.Contains(allowed, typ) {
				return ErrEntityType
			}
		}
	}
	return nil
}

// named tells whether the host of an identifier is one of these. They are as RFC 5280 writes them
// (4.2.1.10): with a full stop before it a name stands for all below it.
func named(entity string, hosts []string) bool {
	u, err := url.Parse(entity)
	if err != nil {
		return false
	}
	// With a final full stop it is the same host.
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	return slices.ContainsFunc(hosts, func(allowed string) bool {
		allowed = strings.ToLower(allowed)
		return host == allowed || strings.HasPrefix(allowed, ".") && strings.HasSuffix(host, allowed)
	})
}
