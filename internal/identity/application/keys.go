package application

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"diresco/internal/platform/fault"
)

// privateMembers are those of a key of which nobody but its holder may know (RFC 7518, 6).
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// normalKeys returns a key set as it is kept, with what verifies signatures and nothing else, and
// what is wrong with it. On request each key has its certificate.
func normalKeys(raw json.RawMessage, certified bool) (json.RawMessage, []fault.Field) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if len(raw) > maxKeyBytes {
		return raw, []fault.Field{{Pointer: "/jwks", Code: fault.FieldTooLong}}
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		return raw, []fault.Field{{Pointer: "/jwks", Code: fault.FieldFormat}}
	}
	switch {
	case len(set.Keys) == 0:
		return raw, []fault.Field{{Pointer: "/jwks/keys", Code: fault.EmptyList(set.Keys)}}
	case len(set.Keys) > maxKeys:
		return raw, []fault.Field{{Pointer: "/jwks/keys", Code: fault.FieldTooMany}}
	}
	var wrong []fault.Field
	kept := jose.JSONWebKeySet{}
	seen := map[string]bool{}
	for i, one := range set.Keys {
		pointer := "/jwks/keys/" + strconv.Itoa(i)
		key, member, code := normalKey(one, certified)
		if code == "" && seen[key.KeyID] {
			member, code = "/kid", fault.FieldDuplicate
		}
		if code != "" {
			wrong = append(wrong, fault.Field{Pointer: pointer + member, Code: code})
			continue
		}
		seen[key.KeyID] = true
		kept.Keys = append(kept.Keys, key)
	}
	if len(wrong) > 0 {
		return raw, wrong
	}
	normal, err := json.Marshal(kept)
	if err != nil {
		return raw, []fault.Field{{Pointer: "/jwks", Code: fault.FieldFormat}}
	}
	return normal, nil
}

// keysIn lists the keys of a set that is kept, each as a text.
func keysIn(set json.RawMessage) []string {
	var kept struct {
		Keys []json.RawMessage `json:"keys"`
	}
	// What is kept can be read; none is no key.
	_ = json.Unmarshal(set, &kept)
	list := make([]string, len(kept.Keys))
	for i, key := range kept.Keys {
		list[i] = string(key)
	}
	return list
}

// normalKey returns a key as it is kept, or what is wrong with which of its members.
func normalKey(raw json.RawMessage, certified bool) (key jose.JSONWebKey, member, code string) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return key, "", fault.FieldFormat
	}
	for _, name := range privateMembers {
		if members[name] != nil {
			return key, "/" + name, fault.FieldKeyPrivate
		}
	}
	if kty := string(members["kty"]); kty != `"EC"` && kty != `"RSA"` {
		return key, "/kty", fault.FieldKeyAlgorithm
	}
	// Certificates that nobody needs are not looked at, so they cannot make a good key a bad one.
	for name := range members {
		if strings.HasPrefix(name, "x5") && (!certified || name != "x5c") {
			delete(members, name)
		}
	}
	plain, err := json.Marshal(members)
	if err == nil {
		err = key.UnmarshalJSON(plain)
	}
	if err != nil || !key.IsPublic() {
		return key, "", fault.FieldFormat
	}
	algorithm, member, code := algorithmOf(key)
	switch {
	case code != "":
		return key, member, code
	case key.Algorithm != "" && key.Algorithm != string(algorithm):
		return key, "/alg", fault.FieldKeyAlgorithm
	case key.Use != "" && key.Use != "sig":
		return key, "/use", fault.FieldKeyUse
	case key.KeyID == "" || len(key.KeyID) > maxKeyID || strings.ContainsFunc(key.KeyID, func(r rune) bool { return r < ' ' || r > '~' }):
		return key, "/kid", fault.FieldKeyID
	}
	if certified && len(key.Certificates) != 1 {
		return key, "/x5c", fault.FieldKeyCertificate
	}
	return jose.JSONWebKey{
		Key: key.Key, KeyID: key.KeyID, Algorithm: string(algorithm), Use: "sig", Certificates: key.Certificates,
	}, "", ""
}

// algorithmOf returns the one algorithm that a key is good for, or what is wrong with which of its
// members.
func algorithmOf(key jose.JSONWebKey) (algorithm jose.SignatureAlgorithm, member, code string) {
	switch public := key.Key.(type) {
	case *ecdsa.PublicKey:
		if public.Curve != elliptic.P256() {
			return "", "/crv", fault.FieldKeyAlgorithm
		}
		return jose.ES256, "", ""
	case *rsa.PublicKey:
		// The library takes none of more than 4,096 bits.
		if public.N.BitLen() < minModulusBits || public.E < 3 || public.E%2 == 0 {
			return "", "/n", fault.FieldKeyWeak
		}
		return jose.RS256, "", ""
	}
	return "", "/kty", fault.FieldKeyAlgorithm
}
