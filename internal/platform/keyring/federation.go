package keyring

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// What a federation key is for. It is the first part of the key's id.
const (
	// forStatements signs what the installation says of itself in a federation.
	forStatements = "federation"
	// forRequests signs requests to providers, and proves to them who asks.
	forRequests = "request"
	// forAnswers decrypts what providers answer.
	forAnswers = "answer"
)

// federationBits is how long a key is at least, and how long a new one is.
const federationBits = 2048

var federationKid = regexp.MustCompile(`^(federation|request|answer)-[A-Za-z0-9_-]{8,64}$`)

// Federation are the private RSA keys for logins by OpenID Connect. The first of each kind is used,
// the others are known beside it while they are exchanged.
type Federation struct {
	// Statements sign statements of OpenID Federation.
	Statements []jose.JSONWebKey
	// Requests sign requests and client assertions, by RS256.
	Requests []jose.JSONWebKey
	// Answers decrypt answers.
	Answers []jose.JSONWebKey
}

// String implements fmt.Stringer without any part of a key.
func (f *Federation) String() string {
	return fmt.Sprintf("%d federation keys", len(f.Statements)+len(f.Requests)+len(f.Answers))
}

// GenerateFederation makes one key of each kind.
func GenerateFederation() (*Federation, error) {
	f := &Federation{}
	for _, kind := range []string{forStatements, forRequests, forAnswers} {
		private, err := rsa.GenerateKey(rand.Reader, federationBits)
		if err != nil {
			return nil, err
		}
		kid, err := newKid(kind, private)
		if err != nil {
			return nil, err
		}
		jwk := jose.JSONWebKey{Key: private, KeyID: kid, Use: "sig"}
		if kind == forAnswers {
			jwk.Use = "enc"
		}
		f.put(kind, jwk)
	}
	return f, nil
}

func (f *Federation) put(kind string, key jose.JSONWebKey) {
	switch kind {
	case forStatements:
		f.Statements = append(f.Statements, key)
	case forRequests:
		f.Requests = append(f.Requests, key)
	case forAnswers:
		f.Answers = append(f.Answers, key)
	}
}

// LoadFederation reads federation keys from a file that holds a private JWK set. The id of a key
// begins with "federation-", "request-" or "answer-", which says what it is for. The error never
// holds a part of a key.
func LoadFederation(path string) (*Federation, error) {
	return load(path, "federation keys", ParseFederation)
}

// LoadOrCreateFederation is LoadFederation for a file that may not exist yet. Where there is none,
// it first writes one with new keys, for the owner's eyes only.
func LoadOrCreateFederation(path string) (*Federation, error) {
	return loadOrCreate(path, LoadFederation, GenerateFederation)
}

// AddFederation writes new keys of each kind behind those that the file has. They are published and
// not used yet: RemoveFederation of the old ones puts them first.
func AddFederation(path string) error {
	old, err := LoadFederation(path)
	if err != nil {
		return err
	}
	added, err := GenerateFederation()
	if err != nil {
		return err
	}
	old.Statements = append(old.Statements, added.Statements...)
	old.Requests = append(old.Requests, added.Requests...)
	old.Answers = append(old.Answers, added.Answers...)
	return save(path, old, ParseFederation)
}

// RemoveFederation writes the file without one of its keys.
func RemoveFederation(path, kid string) error {
	f, err := LoadFederation(path)
	if err != nil {
		return err
	}
	before := f.String()
	for _, keys := range []*[]jose.JSONWebKey{&f.Statements, &f.Requests, &f.Answers} {
		*keys = slices.DeleteFunc(*keys, func(key jose.JSONWebKey) bool { return key.KeyID == kid })
	}
	if f.String() == before {
		return fmt.Errorf("%s has no key %s", path, kid)
	}
	return save(path, f, ParseFederation)
}

func (f *Federation) encode() ([]byte, error) {
	return json.MarshalIndent(jose.JSONWebKeySet{Keys: slices.Concat(f.Statements, f.Requests, f.Answers)}, "", "  ")
}

// ParseFederation reads federation keys as a file holds them.
func ParseFederation(content []byte) (*Federation, error) {
	var raw jose.JSONWebKeySet
	if err := json.Unmarshal(content, &raw); err != nil {
		// The cause might quote the text that could not be read.
		return nil, errors.New("not a JWK set")
	}
	f, seen := &Federation{}, map[string]bool{}
	for i, key := range raw.Keys {
		private, isRSA := key.Key.(*rsa.PrivateKey)
		kind := federationKid.FindStringSubmatch(key.KeyID)
		switch {
		case !isRSA || private.N.BitLen() < federationBits:
			return nil, fmt.Errorf("key %d is not a private RSA key of %d bits or more", i, federationBits)
		case kind == nil:
			return nil, fmt.Errorf(`key %d: its kid must be "federation-…", "request-…" or "answer-…"`, i)
		case key.Use != "" && (key.Use == "enc") != (kind[1] == forAnswers):
			return nil, fmt.Errorf("key %d: its use is not what its kid says", i)
		case seen[key.KeyID]:
			return nil, fmt.Errorf("key %d: its kid stands twice", i)
		}
		seen[key.KeyID] = true
		key.Use, key.Algorithm = "sig", ""
		if kind[1] == forAnswers {
			key.Use = "enc"
		}
		f.put(kind[1], key)
	}
	if len(f.Statements) == 0 || len(f.Requests) == 0 || len(f.Answers) == 0 {
		return nil, errors.New("at least one key for statements, one for requests and one for answers are needed")
	}
	return f, nil
}
