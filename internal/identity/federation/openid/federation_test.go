package openid_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"diresco/internal/identity/federation"
)

func TestFederation_ChainIsHeldAgainstEveryRule(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *realm)
		rule   string
	}{
		"expired configuration": {func(r *realm) {
			r.op.own = after(r.op.own, with(map[string]any{"exp": start.Unix()}))
		}, "statement is expired or not yet valid"},
		"expired statement": {func(r *realm) {
			r.middle.about = with(map[string]any{"exp": start.Add(-time.Second).Unix()})
		}, "statement is expired or not yet valid"},
		"expired anchor": {func(r *realm) {
			r.anchor.own = with(map[string]any{"exp": start.Unix()})
		}, "statement is expired or not yet valid"},
		"statement of tomorrow": {func(r *realm) {
			r.anchor.about = with(map[string]any{"iat": start.Add(24 * time.Hour).Unix()})
		}, "statement is expired or not yet valid"},
		"statement by another key": {func(r *realm) {
			other := newKey(t, r.middle.key.kid)
			r.middle.signs = &other
		}, "statement is not signed by the key that it must be"},
		"configuration by a key that nobody vouches for": {func(r *realm) {
			r.op.key = newKey(t, "op-federation-2")
		}, "statement is not signed by the key that it must be"},
		"intermediate whose keys the anchor does not know": {func(r *realm) {
			r.anchor.below[middleID] = newKey(t, "middle-2")
		}, "statement is not signed by the key that it must be"},
		"anchor with other keys than those configured": {func(r *realm) {
			r.anchor.key = newKey(t, r.anchor.key.kid)
		}, "statement is not signed by the key that it must be"},
		"no trust mark": {func(r *realm) {
			r.op.own = after(r.op.own, without("trust_marks"))
		}, "a required trust mark is missing or not valid"},
		"trust mark of another": {func(r *realm) {
			r.marks(with(map[string]any{"sub": "https://other.example"}))
		}, "a required trust mark is missing or not valid"},
		"expired trust mark": {func(r *realm) {
			r.marks(with(map[string]any{"exp": start.Unix()}))
		}, "a required trust mark is missing or not valid"},
		"trust mark by who may not": {func(r *realm) {
			r.marks(with(map[string]any{"iss": middleID}))
		}, "a required trust mark is missing or not valid"},
		"trust mark of another type": {func(r *realm) {
			r.marks(with(map[string]any{"id": "https://anchor.example/marks/other"}))
		}, "a required trust mark is missing or not valid"},
		"trust mark not signed by the anchor": {func(r *realm) {
			mark := r.middle.key.sign(t, map[string]any{
				"iss": anchorID, "sub": issuer, "id": markType, "iat": start.Add(-time.Minute).Unix(),
			}, "trust-mark+jwt")
			r.op.own = after(r.op.own, with(map[string]any{"trust_marks": []any{map[string]any{"id": markType, "trust_mark": mark}}}))
		}, "a required trust mark is missing or not valid"},
		"path longer than the anchor allows": {func(r *realm) {
			r.anchor.own = with(map[string]any{"constraints": map[string]any{"max_path_length": 0}})
		}, "path is longer than allowed"},
		"name that the anchor excludes": {func(r *realm) {
			r.anchor.about = with(map[string]any{"constraints": map[string]any{"naming_constraints": map[string]any{"excluded": []string{"provider.example"}}}})
		}, "name is outside of those allowed"},
		"name outside of those that the intermediate permits": {func(r *realm) {
			r.middle.about = with(map[string]any{"constraints": map[string]any{"naming_constraints": map[string]any{"permitted": []string{".other.example"}}}})
		}, "name is outside of those allowed"},
		"type that the intermediate does not allow": {func(r *realm) {
			r.middle.about = with(map[string]any{"constraints": map[string]any{"allowed_entity_types": []string{"openid_relying_party"}}})
		}, "type of entity is not allowed"},
		"critical claim that is unknown": {func(r *realm) {
			r.middle.about = with(map[string]any{"crit": []string{"news"}})
		}, "statement has not the form of one"},
		"policy": {func(r *realm) {
			r.anchor.about = with(map[string]any{"metadata_policy": map[string]any{"openid_provider": map[string]any{
				"token_endpoint": map[string]any{"one_of": []string{"https://elsewhere.example/token"}},
			}}})
		}, "metadata do not agree with the policy"},
		"no superior": {func(r *realm) {
			r.op.own = after(r.op.own, without("authority_hints"))
		}, "no path leads to a trust anchor"},
		"circle": {func(r *realm) {
			r.middle.own = with(map[string]any{"authority_hints": []string{issuer, middleID}})
		}, "no path leads to a trust anchor"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRealm(t, "cie")
			c.change(r)
			_, err := r.provider.Begin(t.Context(), attempt(2))
			refused(t, err, federation.Invalid, "trust chain: "+c.rule)
		})
	}
}

func after(first, second func(map[string]any)) func(map[string]any) {
	return func(claims map[string]any) { first(claims); second(claims) }
}

// marks lets the provider show a trust mark that is changed.
func (r *realm) marks(change func(map[string]any)) {
	r.op.own = after(r.op.own, func(claims map[string]any) {
		claims["trust_marks"] = []any{map[string]any{"id": markType, "trust_mark": r.mark(change)}}
	})
}

func TestFederation_PathLongerThanTheSettingsAllow(t *testing.T) {
	r := newRealm(t, "cie", `"max_path_length": 1`, `"max_path_length": 0`)
	_, err := r.provider.Begin(t.Context(), attempt(2))
	refused(t, err, federation.Invalid, "trust chain: path is longer than allowed")
}

func TestFederation_PolicyChangesMetadata(t *testing.T) {
	r := newRealm(t, "cie")
	r.anchor.about = with(map[string]any{"metadata_policy": map[string]any{"openid_provider": map[string]any{
		"revocation_endpoint": map[string]any{"value": issuer + "/revoke/elsewhere"},
	}}})
	if _, err := r.login(2, nil); err != nil {
		t.Fatal(err)
	}
	if r.network.count("provider.example/revoke/elsewhere") != 1 || r.network.count("provider.example/revoke") != 0 {
		t.Error("the policy of the anchor was not applied")
	}
}

// The policy of those above holds whatever else the provider's parameters are called: the decoder takes
// some names for others.
func TestFederation_PolicyIsNotEvadedByAnotherSpelling(t *testing.T) {
	for name, spelt := range map[string]string{"a letter that folds": "to\u212aen_endpoint", "capitals": "TOKEN_ENDPOINT"} {
		r := newRealm(t, "cie")
		r.anchor.about = with(map[string]any{"metadata_policy": map[string]any{"openid_provider": map[string]any{
			"token_endpoint": map[string]any{"value": issuer + "/token/forced"},
		}}})
		r.op.own = after(r.op.own, func(claims map[string]any) {
			claims["metadata"].(map[string]any)["openid_provider"].(map[string]any)[spelt] = "https://elsewhere.example/token"
		})
		if _, err := r.login(2, nil); err == nil && r.network.count("provider.example/token/forced") == 0 {
			t.Errorf("%s: a login without the address of the policy", name)
		}
		if r.network.count("elsewhere.example/token") != 0 || r.network.count("provider.example/token/forced") != 1 {
			t.Errorf("%s: the code went elsewhere", name)
		}
	}
}

func TestFederation_TrustMarkOfAnAccreditedIssuer(t *testing.T) {
	r := newRealm(t, "cie")
	r.op.own = after(r.op.own, func(claims map[string]any) {
		claims["trust_marks"] = []any{map[string]any{"trust_mark_type": markType, "trust_mark": r.middle.key.sign(t, map[string]any{
			"iss": middleID, "sub": issuer, "trust_mark_type": markType, "iat": start.Add(-time.Minute).Unix(),
		}, "trust-mark+jwt")}}
	})
	_, err := r.provider.Begin(t.Context(), attempt(2))
	refused(t, err, federation.Invalid, "trust chain: a required trust mark is missing or not valid")
	r.anchor.own = with(map[string]any{
		"trust_mark_issuers": map[string]any{markType: []string{middleID}},
		"metadata":           map[string]any{"federation_entity": map[string]any{"federation_fetch_endpoint": anchorID + "/fetch"}},
	})
	r.clock.Advance(10 * time.Second)
	if _, err := r.provider.Begin(t.Context(), attempt(2)); err != nil {
		t.Error(err)
	}
}

func TestFederation_TrustMarkThatHasAnOwner(t *testing.T) {
	const owner = "https://owner.example"
	key := newKey(t, "owner-1")
	delegation := map[string]any{"iss": owner, "sub": anchorID, "trust_mark_type": markType, "iat": start.Add(-time.Minute).Unix()}
	for name, c := range map[string]struct {
		delegation string
		good       bool
	}{
		"delegated":         {key.sign(t, delegation, "trust-mark-delegation+jwt"), true},
		"not delegated":     {"", false},
		"by another":        {newKey(t, "owner-1").sign(t, delegation, "trust-mark-delegation+jwt"), false},
		"of the wrong type": {key.sign(t, delegation, "trust-mark+jwt"), false},
		"to another":        {key.sign(t, butWith(delegation, "sub", middleID), "trust-mark-delegation+jwt"), false},
		"for another mark":  {key.sign(t, butWith(delegation, "trust_mark_type", "x"), "trust-mark-delegation+jwt"), false},
		"in another's name": {key.sign(t, butWith(delegation, "iss", middleID), "trust-mark-delegation+jwt"), false},
		"expired":           {key.sign(t, butWith(delegation, "exp", start.Unix()), "trust-mark-delegation+jwt"), false},
		"of the future":     {key.sign(t, butWith(delegation, "iat", start.Add(time.Hour).Unix()), "trust-mark-delegation+jwt"), false},
	} {
		r := newRealm(t, "cie")
		r.anchor.own = with(map[string]any{"trust_mark_owners": map[string]any{markType: map[string]any{"sub": owner, "jwks": key.set()}}})
		r.marks(with(map[string]any{"delegation": c.delegation}))
		_, err := r.provider.Begin(t.Context(), attempt(2))
		if !c.good {
			refused(t, err, federation.Invalid, "trust chain: a required trust mark is missing or not valid")
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// butWith returns claims of which one is another.
func butWith(claims map[string]any, name string, value any) map[string]any {
	changed := maps.Clone(claims)
	changed[name] = value
	return changed
}

func TestFederation_ChainIsKeptUntilItExpires(t *testing.T) {
	r := newRealm(t, "cie")
	for range 3 {
		if _, err := r.login(2, nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.network.count("anchor.example/.well-known/openid-federation"); n != 1 {
		t.Errorf("the anchor was asked %d times", n)
	}
	// Once it has expired nothing is taken on trust.
	r.clock.Advance(time.Hour)
	r.network.put("anchor.example", nil)
	_, err := r.provider.Begin(t.Context(), attempt(2))
	refused(t, err, federation.Unavailable, "trust chain: a statement cannot be had")
	r.network.put("anchor.example", r.anchor)
	r.clock.Advance(10 * time.Second)
	if _, err := r.login(2, nil); err != nil {
		t.Error(err)
	}
}

func TestFederation_NewKeyOfTheProviderIsFetched(t *testing.T) {
	r := newRealm(t, "cie")
	if _, err := r.login(2, nil); err != nil {
		t.Fatal(err)
	}
	r.fake.key = newKey(t, "op-2")
	_, err := r.login(2, nil)
	refused(t, err, federation.Invalid, "ID token's signature, issuer or audience is wrong") // not twice in ten seconds
	r.clock.Advance(10 * time.Second)
	if _, err := r.login(2, nil); err != nil {
		t.Error(err)
	}
}

func TestFederation_KeysAtAnAddressAreSigned(t *testing.T) {
	own := func(r *realm) keyPair { return r.op.key }
	const not = "provider's keys are not signed"
	for name, c := range map[string]struct {
		signs func(r *realm) keyPair
		typ   string
		set   func(claims map[string]any)
		rule  string
	}{
		"by the provider":      {own, "jwk-set+jwt", nil, ""},
		"with an end":          {own, "jwk-set+jwt", with(map[string]any{"exp": start.Add(time.Hour).Unix()}), ""},
		"by another":           {func(*realm) keyPair { return newKey(t, "op-federation-1") }, "jwk-set+jwt", nil, not},
		"something else":       {own, "entity-statement+jwt", nil, not},
		"in another's name":    {own, "jwk-set+jwt", with(map[string]any{"iss": "https://elsewhere.example"}), not},
		"about another":        {own, "jwk-set+jwt", with(map[string]any{"sub": "https://elsewhere.example"}), not},
		"in nobody's name":     {own, "jwk-set+jwt", func(claims map[string]any) { delete(claims, "iss") }, not},
		"one that has ended":   {own, "jwk-set+jwt", with(map[string]any{"exp": start.Add(-time.Hour).Unix()}), not},
		"one of the other day": {own, "jwk-set+jwt", with(map[string]any{"iat": start.Add(time.Hour).Unix()}), not},
	} {
		r := newRealm(t, "cie")
		r.op.own = after(r.op.own, func(claims map[string]any) {
			metadata := claims["metadata"].(map[string]any)["openid_provider"].(map[string]any)
			delete(metadata, "jwks")
			metadata["signed_jwks_uri"] = issuer + "/signed"
		})
		r.op.next = http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
			if request.URL.Path != "/signed" {
				r.fake.ServeHTTP(w, request)
				return
			}
			set := map[string]any{"iss": issuer, "sub": issuer}
			maps.Copy(set, r.fake.key.set())
			if c.set != nil {
				c.set(set)
			}
			_, _ = w.Write([]byte(c.signs(r).sign(t, set, c.typ)))
		})
		_, err := r.login(2, nil)
		if c.rule != "" {
			refused(t, err, federation.Invalid, c.rule)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFederation_ConfigurationSaysWhoThisIs(t *testing.T) {
	r := newRealm(t, "cie")
	signed, err := r.source.Configuration()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ownKeys()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jose.ParseSignedCompact(signed, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	if typ := parsed.Signatures[0].Protected.ExtraHeaders[jose.HeaderType]; typ != "entity-statement+jwt" {
		t.Errorf("typ = %v", typ)
	}
	if _, err := parsed.Verify(keys.Statements[0].Public().Key); err != nil {
		t.Error(err)
	}
	if strings.Contains(string(parsed.UnsafePayloadWithoutVerification()), `"d":`) {
		t.Fatal("a private key is published")
	}
	claims := payload(t, signed)
	if claims["iss"] != portal || claims["sub"] != portal || len(claims["trust_marks"].([]any)) != 1 {
		t.Errorf("%v", claims)
	}
	party := claims["metadata"].(map[string]any)["openid_relying_party"].(map[string]any)
	if party["client_id"] != portal || party["redirect_uris"].([]any)[0] != portal+"/federation/oidc/callback" ||
		party["client_registration_types"].([]any)[0] != "automatic" {
		t.Errorf("%v", party)
	}
	kids := func(value any) []string {
		var all []string
		for _, key := range value.(map[string]any)["keys"].([]any) {
			all = append(all, key.(map[string]any)["kid"].(string))
		}
		return all
	}
	if got := kids(claims["jwks"]); len(got) != 1 || got[0] != keys.Statements[0].KeyID {
		t.Errorf("federation keys: %q", got)
	}
	if got := kids(party["jwks"]); len(got) != 2 || got[0] != keys.Requests[0].KeyID || got[1] != keys.Answers[0].KeyID {
		t.Errorf("keys: %q", got)
	}
}

func TestFederation_ResolutionIsForConfiguredProvidersAlone(t *testing.T) {
	r := newRealm(t, "cie")
	signed, err := r.source.Resolve(t.Context(), issuer, anchorID, "openid_provider")
	if err != nil {
		t.Fatal(err)
	}
	claims := payload(t, signed)
	if claims["iss"] != portal || claims["sub"] != issuer || len(claims["trust_chain"].([]any)) != 4 || len(claims["trust_marks"].([]any)) != 1 {
		t.Errorf("%v", claims)
	}
	for _, asked := range [][3]string{
		{"https://elsewhere.example", anchorID, ""}, {issuer, "https://elsewhere.example", ""}, {issuer, anchorID, "openid_relying_party"},
	} {
		if _, err := r.source.Resolve(t.Context(), asked[0], asked[1], asked[2]); err == nil {
			t.Errorf("%q was resolved", asked)
		}
	}
	if _, err := newWorld(t, plainFile).source.Configuration(); err == nil {
		t.Error("who is in no federation has a configuration")
	}
}
