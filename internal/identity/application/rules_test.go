package application

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// payroll is an input that is right.
func payroll() Input {
	return Input{
		Profile: Profile{
			DisplayName: "Paghe Facili", RedirectURIs: []string{"http://127.0.0.1/callback"}, Scopes: []string{access.ScopeDeclarations},
		},
		Kind: Public, AuthMethod: NoAuth, ContactEmail: "sviluppo@paghe.example",
	}
}

// server is one of a confidential application.
func server(t *testing.T) Input {
	t.Helper()
	in := payroll()
	in.Kind, in.AuthMethod, in.JWKS = Confidential, PrivateKeyJWT, keySet(t, public(newEC(t, elliptic.P256()), "1"))
	return in
}

// wrongs are the fields that are wrong with an input, as "pointer code".
func wrongs(in Input) []string {
	_, err := in.normal()
	var f *fault.Fault
	if !errors.As(err, &f) {
		return nil
	}
	list := []string{}
	for _, field := range f.Fields {
		list = append(list, field.Pointer+" "+field.Code)
	}
	return list
}

func check(t *testing.T, what string, in Input, want ...string) {
	t.Helper()
	if got := wrongs(in); !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestApplication_RedirectURIsThatAreTaken(t *testing.T) {
	for _, uri := range []string{
		"https://app.paghe.example/callback", "https://app.paghe.example/", "https://app.paghe.example:8443/a%20b/", "http://127.0.0.1/callback",
		"http://127.0.0.1:8765/callback", "http://[::1]/callback", "http://[::1]:1/", "http://127.0.0.1/", "https://192.0.2.7/callback",
	} {
		in := server(t)
		in.RedirectURIs = []string{uri}
		check(t, uri, in)
		in = payroll()
		in.RedirectURIs = []string{uri}
		check(t, uri, in)
	}
	for _, uri := range []string{"com.example.app:/callback", "com.example.app://callback", "it.paghe.app-2:/a/b"} {
		in := payroll()
		in.RedirectURIs = []string{uri}
		check(t, uri, in)
		confidential := server(t)
		confidential.RedirectURIs = in.RedirectURIs
		check(t, uri+" of a server", confidential, "/redirect_uris/0 uri-scheme")
	}
}

func TestApplication_RedirectURIsThatAreRefused(t *testing.T) {
	for uri, want := range map[string]string{
		"": "too-short", "https://" + strings.Repeat("a", 500): "too-long", "https://a.example/ b": "forbidden-character",
		"https://a.example/\u202e": "forbidden-character", "https://a.example\\@b.example/": "forbidden-character",
		"https://a.example/\x00": "forbidden-character", "https://bücher.example/": "forbidden-character", "https://a.example/{x}": "forbidden-character",
		"https://*.example/callback": "uri-wildcard", "https://a.example/*": "uri-wildcard", "https://a.example/#": "uri-fragment",
		"https://a.example/?": "uri-query", "https://a.example/?next=b": "uri-query", "https://user@a.example/": "uri-userinfo",
		"https://user:word@a.example/": "uri-userinfo", "http://127.0.0.1@a.example/": "uri-userinfo",
		"http://a.example/": "uri-insecure", "http://127.0.0.1.a.example/": "uri-insecure", "http://127.0.0.2/": "uri-insecure",
		"http://[::ffff:127.0.0.1]/": "uri-insecure", "http://0.0.0.0/": "uri-insecure", "http://2130706433/": "uri-insecure",
		"http://127.1/": "uri-insecure", "http://127.0.0.1:0/": "uri-insecure", "http://127.0.0.1:070/": "uri-insecure",
		"http://127.0.0.1:/": "uri-insecure", "https://a.example": "not-canonical", "http://127.0.0.1": "not-canonical",
		"http://[::1]:8080": "not-canonical",
		"http://localhost/": "uri-localhost", "http://LOCALHOST:80/": "uri-localhost", "https://localhost/": "uri-localhost",
		"http://localhost./": "uri-localhost", "http://a.localhost/": "uri-localhost",
		"HTTPS://a.example/": "not-canonical", "https://A.example/": "not-canonical", "https://a.example:443/": "not-canonical",
		"https://a.example:/": "not-canonical", "https://a.example/a/../b": "not-canonical", "https://a.example/%2e%2E/b": "not-canonical",
		"http://127.0.0.1/./": "not-canonical", "com.example.app:/a/..": "not-canonical",
		"https:/callback": "format", "https:callback": "format", "https://": "format", "https://intranet/": "format", "https://a..example/": "format",
		"https://a.example:99999/": "format", "https://a.example:x/": "format", "https://a.example/%zz": "format", "com.example.app:callback": "format", "com.example.app:/%zz": "format",
		"javascript:alert(1)": "uri-scheme", "data:text/html,x": "uri-scheme", "app:/callback": "uri-scheme", "file:///etc/passwd": "uri-scheme",
		"urn:ietf:wg:oauth:2.0:oob": "uri-scheme", "/callback": "uri-scheme", "//a.example/": "uri-scheme", "callback": "uri-scheme",
		"Com.Example:/callback": "uri-scheme", "com.example.:/callback": "uri-scheme", "com.example.app://user@a/": "uri-userinfo",
	} {
		in := payroll()
		in.RedirectURIs = []string{uri}
		check(t, fmt.Sprintf("%q", uri), in, "/redirect_uris/0 "+want)
	}
	in := payroll()
	in.RedirectURIs = nil
	check(t, "none", in, "/redirect_uris required")
	in.RedirectURIs = []string{}
	check(t, "an empty list", in, "/redirect_uris too-few")
	in.RedirectURIs = []string{"https://a.example/", "http://127.0.0.1/", "https://a.example/"}
	check(t, "one twice", in, "/redirect_uris/2 duplicate")
	in.RedirectURIs = nil
	for i := range 11 {
		in.RedirectURIs = append(in.RedirectURIs, fmt.Sprintf("https://a.example/%d", i))
	}
	check(t, "eleven", in, "/redirect_uris too-many")
}

// TestApplication_IsAnsweredWhereItWasRegistered: to the letter, but for the port of a loopback
// address.
func TestApplication_IsAnsweredWhereItWasRegistered(t *testing.T) {
	a := Application{RedirectURIs: []string{
		"https://app.example/callback", "http://127.0.0.1/callback", "http://[::1]:8080/cb", "com.example.app:/callback",
	}}
	for _, uri := range []string{
		"https://app.example/callback", "http://127.0.0.1/callback", "http://127.0.0.1:1/callback", "http://127.0.0.1:65535/callback",
		"http://[::1]/cb", "http://[::1]:8080/cb", "http://[::1]:9/cb", "com.example.app:/callback",
	} {
		if !a.AllowsRedirect(uri) {
			t.Errorf("%s is refused", uri)
		}
	}
	for _, uri := range []string{
		"", "https://app.example/callback/", "https://app.example/callback?x=1", "https://app.example/callback#", "https://app.example/Callback",
		"https://app.example:443/callback", "https://app.example:8443/callback", "https://APP.example/callback", "https://evil.example/callback",
		"http://app.example/callback", "https://app.example/callback/../callback", "https://app.example@evil.example/callback",
		"http://127.0.0.1", "http://127.0.0.1/", "http://127.0.0.1:8080", "http://127.0.0.1:0/callback", "http://127.0.0.1:65536/callback",
		"http://127.0.0.1:08/callback", "http://127.0.0.1:+8/callback", "http://127.0.0.1:/callback", "http://127.0.0.1:80@evil.example/callback",
		"http://127.0.0.1.evil.example/callback", "http://127.0.0.1/callback?x", "http://127.0.0.1:80/callback#x", "http://127.0.0.1:80/cb",
		"http://[::1]/callback", "http://localhost/callback", "http://127.0.0.2/callback", "https://127.0.0.1/callback",
		"HTTP://127.0.0.1/callback", "http://127.0.0.1\\@evil.example/callback", "http://127.0.0.1:80\\callback", "com.example.app:/callback/x",
	} {
		if a.AllowsRedirect(uri) {
			t.Errorf("%s is allowed", uri)
		}
	}
}

func newEC(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newRSA(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// public is the public part of a key, as its members.
func public(key any, kid string, more ...string) map[string]any {
	k := jose.JSONWebKey{Key: key, KeyID: kid}
	return members(k.Public(), more...)
}

// members are those of a key, with more or other ones.
func members(key jose.JSONWebKey, more ...string) map[string]any {
	encoded, err := json.Marshal(key)
	list := map[string]any{}
	if err == nil {
		err = json.Unmarshal(encoded, &list)
	}
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(more); i += 2 {
		if more[i+1] == "" {
			delete(list, more[i])
			continue
		}
		list[more[i]] = more[i+1]
	}
	return list
}

func keySet(t *testing.T, keys ...map[string]any) json.RawMessage {
	t.Helper()
	encoded, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func TestApplication_KeysThatAreRefused(t *testing.T) {
	p256, p384 := newEC(t, elliptic.P256()), newEC(t, elliptic.P384())
	large := newRSA(t, 2048)
	edPublic, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ofBits := func(bits int) map[string]any {
		return map[string]any{"kty": "RSA", "kid": "1", "e": "AQAB", "n": strings.Repeat("_", bits/6)}
	}
	for _, test := range []struct {
		what string
		keys []map[string]any
		want []string
	}{
		{"EC and RSA", []map[string]any{public(p256, "1", "use", "sig", "alg", "ES256"), public(large, "2", "alg", "RS256")}, nil},
		{"a private EC key", []map[string]any{members(jose.JSONWebKey{Key: p256, KeyID: "1"})}, []string{"/jwks/keys/0/d key-private"}},
		{"a private RSA key", []map[string]any{public(p256, "1"), members(jose.JSONWebKey{Key: large, KeyID: "2"})}, []string{"/jwks/keys/1/d key-private"}},
		{"half a private RSA key", []map[string]any{public(large, "2", "qi", "AQAB")}, []string{"/jwks/keys/0/qi key-private"}},
		{"a shared secret", []map[string]any{{"kty": "oct", "kid": "1", "k": "AAAA"}}, []string{"/jwks/keys/0/k key-private"}},
		{"no kind", []map[string]any{public(p256, "1", "kty", "")}, []string{"/jwks/keys/0/kty key-algorithm"}},
		{"Ed25519", []map[string]any{public(edPublic, "1")}, []string{"/jwks/keys/0/kty key-algorithm"}},
		{"P-384", []map[string]any{public(p384, "1")}, []string{"/jwks/keys/0/crv key-algorithm"}},
		{"PS256", []map[string]any{public(large, "1", "alg", "PS256")}, []string{"/jwks/keys/0/alg key-algorithm"}},
		{"an algorithm of another kind", []map[string]any{public(p256, "1", "alg", "RS256")}, []string{"/jwks/keys/0/alg key-algorithm"}},
		{"HS256", []map[string]any{public(large, "1", "alg", "HS256")}, []string{"/jwks/keys/0/alg key-algorithm"}},
		{"1,020 bits", []map[string]any{ofBits(1020)}, []string{"/jwks/keys/0/n key-weak"}},
		{"an even exponent", []map[string]any{public(large, "1", "e", "Ag")}, []string{"/jwks/keys/0/n key-weak"}},
		{"4,608 bits", []map[string]any{ofBits(4608)}, []string{"/jwks/keys/0 format"}},
		{"for encryption", []map[string]any{public(p256, "1", "use", "enc")}, []string{"/jwks/keys/0/use key-use"}},
		{"no id", []map[string]any{public(p256, "")}, []string{"/jwks/keys/0/kid key-id"}},
		{"an id too long", []map[string]any{public(p256, strings.Repeat("a", 101))}, []string{"/jwks/keys/0/kid key-id"}},
		{"an id that is no ASCII", []map[string]any{public(p256, "è")}, []string{"/jwks/keys/0/kid key-id"}},
		{"an id twice", []map[string]any{public(p256, "1"), public(large, "1")}, []string{"/jwks/keys/1/kid duplicate"}},
		{"a point off the curve", []map[string]any{public(p256, "1", "x", strings.Repeat("A", 43))}, []string{"/jwks/keys/0 format"}},
		{"no point", []map[string]any{public(p256, "1", "y", "")}, []string{"/jwks/keys/0 format"}},
		{"a bad certificate is not looked at", []map[string]any{public(p256, "1", "x5c", "x", "x5u", "https://a.example")}, nil},
		{"none", []map[string]any{}, []string{"/jwks/keys too-few"}},
		{"eleven", slices.Repeat([]map[string]any{public(p256, "1")}, 11), []string{"/jwks/keys too-many"}},
		{"16 KiB and more", []map[string]any{public(p256, "1", "x5c", strings.Repeat("a", 16<<10))}, []string{"/jwks too-long"}},
	} {
		in := server(t)
		in.JWKS = keySet(t, test.keys...)
		check(t, test.what, in, test.want...)
	}
	in := server(t)
	in.JWKS = json.RawMessage(`{}`)
	check(t, "no list", in, "/jwks/keys required")
	in.JWKS = json.RawMessage(`[]`)
	check(t, "no set", in, "/jwks format")
	in.JWKS = json.RawMessage(`{"keys": ["x"]}`)
	check(t, "no key", in, "/jwks/keys/0 format")
}

// Who proves by a certificate which one it is has one beside each of its keys, and it is the key's.
func TestApplication_KeysForMutualTLSHaveTheirCertificate(t *testing.T) {
	own, another := newEC(t, elliptic.P256()), newEC(t, elliptic.P256())
	of := func(key *ecdsa.PrivateKey) string {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1<<32, 0)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(der)
	}
	mine := of(own)
	for what, c := range map[string]struct {
		x5c  any
		want []string
	}{
		"its own": {[]string{mine}, nil}, "none": {nil, []string{"/jwks/keys/0/x5c key-certificate"}},
		"two": {[]string{mine, mine}, []string{"/jwks/keys/0/x5c key-certificate"}}, "another's": {[]string{of(another)}, []string{"/jwks/keys/0 format"}},
		"no certificate": {[]string{"AAAA"}, []string{"/jwks/keys/0 format"}},
	} {
		in := server(t)
		in.AuthMethod = SelfSignedTLS
		key := public(own, "1")
		if c.x5c != nil {
			key["x5c"] = c.x5c
		}
		in.JWKS = keySet(t, key)
		check(t, what, in, c.want...)
		if kept, err := in.normal(); err == nil && !strings.Contains(string(kept.JWKS), mine) {
			t.Errorf("%s: kept without it: %s", what, kept.JWKS)
		}
	}
	in := server(t)
	in.Kind, in.JWKS, in.AuthMethod = Public, nil, SelfSignedTLS
	check(t, "a public one", in, "/token_endpoint_auth_method enum")
}

// TestApplication_KeysAreKeptWithoutWhatIsNotNeeded keeps nothing that could be fetched or leaked.
func TestApplication_KeysAreKeptWithoutWhatIsNotNeeded(t *testing.T) {
	in := server(t)
	in.JWKS = keySet(t, public(newEC(t, elliptic.P256()), "1", "x5u", "https://a.example", "ext", "x"))
	kept, err := in.normal()
	var set struct{ Keys []map[string]any }
	if err == nil {
		err = json.Unmarshal(kept.JWKS, &set)
	}
	if err != nil || len(set.Keys) != 1 {
		t.Fatalf("%s, %v", kept.JWKS, err)
	}
	for name := range set.Keys[0] {
		if !slices.Contains([]string{"kty", "kid", "use", "alg", "crv", "x", "y"}, name) {
			t.Errorf("%s is kept", name)
		}
	}
}

func TestApplication_FieldsThatAreRefused(t *testing.T) {
	for _, test := range []struct {
		what   string
		change func(in *Input)
		want   []string
	}{
		{"no name", func(in *Input) { in.DisplayName = " " }, []string{"/display_name pattern"}},
		{"a hidden character", func(in *Input) { in.DisplayName = "Paghe\u202eF" }, []string{"/display_name forbidden-character"}},
		{"a long name", func(in *Input) { in.DisplayName = strings.Repeat("à", 101) }, []string{"/display_name too-long"}},
		{"no address", func(in *Input) { in.ContactEmail = "paghe" }, []string{"/contact_email format"}},
		{"an unknown scope", func(in *Input) { in.Scopes = []string{"events", "admin"} }, []string{"/scopes/1 enum"}},
		{"a scope twice", func(in *Input) { in.Scopes = []string{"events", "events"} }, []string{"/scopes/1 duplicate"}},
		{"no scope", func(in *Input) { in.Scopes = nil }, []string{"/scopes required"}},
		{"a logo by http", func(in *Input) { in.LogoURI = "http://a.example/l.png" }, []string{"/logo_uri uri-insecure"}},
		{"a logo with a user", func(in *Input) { in.LogoURI = "https://u@a.example/l.png" }, []string{"/logo_uri uri-userinfo"}},
		{"a logo of nowhere", func(in *Input) { in.LogoURI = "data:image/png,x" }, []string{"/logo_uri format"}},
		{"a logo at home", func(in *Input) { in.LogoURI = "https://localhost/l.png" }, []string{"/logo_uri uri-localhost"}},
		{"a logo with a query", func(in *Input) { in.LogoURI = "https://a.example/l.png?v=2" }, nil},
		{"an unknown kind", func(in *Input) { in.Kind = "secret" }, []string{"/kind enum", "/jwks required"}},
		{"public with a method", func(in *Input) { in.AuthMethod = PrivateKeyJWT }, []string{"/token_endpoint_auth_method enum"}},
		{"public with keys", func(in *Input) { in.JWKS = server(t).JWKS }, []string{"/jwks not-applicable"}},
		{"public with the address of keys", func(in *Input) { in.JWKSURI = "https://a.example/k" }, []string{"/jwks_uri not-applicable"}},
		{"confidential without a key", func(in *Input) { in.Kind, in.AuthMethod = Confidential, PrivateKeyJWT }, []string{"/jwks required"}},
		{"confidential without a method", func(in *Input) { *in = server(t); in.AuthMethod = NoAuth }, []string{"/token_endpoint_auth_method enum"}},
		{"keys twice", func(in *Input) { *in = server(t); in.JWKSURI = "https://a.example/k" }, []string{"/jwks_uri not-applicable"}},
		{"the address of keys alone", func(in *Input) {
			*in = server(t)
			in.JWKS, in.JWKSURI = nil, "https://a.example/k"
		}, nil},
		{"keys by http", func(in *Input) {
			*in = server(t)
			in.JWKS, in.JWKSURI = nil, "http://127.0.0.1/k"
		}, []string{"/jwks_uri uri-insecure"}},
	} {
		in := payroll()
		test.change(&in)
		check(t, test.what, in, test.want...)
	}
}
