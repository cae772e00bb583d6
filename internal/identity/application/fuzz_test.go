package application

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// FuzzRedirect looks whether an address that is taken can be read in two ways.
func FuzzRedirect(f *testing.F) {
	for _, uri := range []string{
		"https://app.example/back", "http://127.0.0.1:8080/back", "http://[::1]/", "com.example.app:/back",
		"https://app.example@evil.example/",
		"https://app.example\\@evil.example/", "https://app.example:443/", "https://app.example/../a",
		"http://127.0.0.1.evil.example/", "https://xn--a/",
		"https://app.example/%2e%2e/a", "HTTPS://APP.example/", "https:///a", "https:app.example/a",
	} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		for _, kind := range []Kind{Public, Confidential} {
			if checkRedirect(uri, kind) != "" {
				continue
			}
			u, err := url.Parse(uri)
			if err != nil || u.User != nil || u.Fragment != "" || u.RawQuery != "" || strings.ContainsAny(uri, "\\*#?@ \t\r\n\x00") {
				t.Errorf("%q is taken", uri)
				continue
			}
			if !strings.EqualFold(u.Scheme, "https") && !strings.EqualFold(u.Scheme, "http") {
				continue
			}
			if u.String() != uri || u.Hostname() == "" || u.Scheme == "http" && !slices.Contains([]string{"127.0.0.1", "::1"}, u.Hostname()) {
				t.Errorf("%q is taken, and read as %q at %q", uri, u, u.Hostname())
			}
		}
	})
}

// FuzzKeySet looks whether anything private of a key set is kept, and whether what is kept is taken
// again as it is.
func FuzzKeySet(f *testing.F) {
	f.Add(`{"keys":[{"kty":"EC","crv":"P-256","kid":"a","use":"sig","alg":"ES256",` +
		`"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`)
	f.Add(`{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}`)
	f.Add(`{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"}]}`)
	f.Add(`{"keys":[]}`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, certified := range []bool{false, true} {
			kept, wrong := normalKeys(json.RawMessage(text), certified)
			if len(wrong) > 0 {
				continue
			}
			var set struct {
				Keys []map[string]any `json:"keys"`
			}
			if err := json.Unmarshal(kept, &set); err != nil || len(set.Keys) == 0 || len(set.Keys) > maxKeys {
				t.Fatalf("%q is kept as %s: %v", text, kept, err)
			}
			for _, key := range set.Keys {
				for _, member := range privateMembers {
					if key[member] != nil {
						t.Errorf("%q: %s is kept", text, member)
					}
				}
			}
			if again, wrong := normalKeys(kept, certified); len(wrong) > 0 || string(again) != string(kept) {
				t.Errorf("%s is kept as %s: %v", kept, again, wrong)
			}
		}
	})
}
