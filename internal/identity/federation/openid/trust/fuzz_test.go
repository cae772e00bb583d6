package trust

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// FuzzSelf looks whether an entity that nobody signed for is taken.
func FuzzSelf(f *testing.F) {
	encoded := base64.RawURLEncoding.EncodeToString
	payload := encoded([]byte(`{"iss":"https://a.example","sub":"https://a.example","iat":1,"exp":9999999999,"jwks":{"keys":[]}}`))
	f.Add(encoded([]byte(`{"alg":"none","typ":"entity-statement+jwt"}`)) + "." + payload + ".")
	f.Add(encoded([]byte(`{"alg":"ES256","typ":"entity-statement+jwt","kid":"a"}`)) + "." + payload + ".AAAA")
	f.Add("..")
	f.Fuzz(func(t *testing.T, raw string) {
		if _, err := Self(raw, "https://a.example", time.Unix(1_700_000_000, 0)); err == nil {
			t.Errorf("%q is taken", raw)
		}
		if _, _, err := SignedSet(raw, "https://a.example", Keys{}, time.Unix(1_700_000_000, 0)); err == nil {
			t.Errorf("%q is a key set", raw)
		}
	})
}

// FuzzPolicy looks whether a policy of others can end the program, or let metadata pass that have
// something else than the one value it demands.
func FuzzPolicy(f *testing.F) {
	f.Add(`{"a":{"value":["x"]}}`, `{"a":{"subset_of":["x","y"]}}`, `{"a":["x"],"scope":"openid profile"}`)
	f.Add(`{"scope":{"superset_of":["openid"]}}`, `{"scope":{"add":["a"]}}`, `{"scope":"openid"}`)
	f.Add(`{"a":{"one_of":[1,null,{}],"essential":true}}`, `{"a":{"default":{}}}`, `{}`)
	f.Fuzz(func(t *testing.T, above, below, metadata string) {
		var first, second map[string]map[string]any
		var about map[string]any
		if json.Unmarshal([]byte(above), &first) != nil || json.Unmarshal([]byte(below), &second) != nil ||
			json.Unmarshal([]byte(metadata), &about) != nil || about == nil {
			return
		}
		p := policy{}
		if p.merge(first, nil) != nil || p.merge(second, nil) != nil || p.apply(about) != nil {
			return
		}
		// What a policy has made of metadata, it leaves as it is.
		once, err := json.Marshal(about)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.apply(about); err != nil {
			t.Fatalf("%s and %s make %s, which they refuse: %v", above, below, once, err)
		}
		if again, err := json.Marshal(about); err != nil || strings.Compare(string(once), string(again)) != 0 {
			t.Errorf("%s and %s make %s, and then %s: %v", above, below, once, again, err)
		}
	})
}
