package openid_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/openid"
	"diresco/internal/platform/keyring"
)

const (
	anchorID = "https://anchor.example"
	middleID = "https://middle.example"
	markType = "https://anchor.example/marks/openid_provider"
	level    = "https://www.spid.gov.it/SpidL"
)

// entity is one party of a federation. It signs what it says of itself and of others.
type entity struct {
	t     *testing.T
	clock func() time.Time
	id    string
	key   keyPair
	// own and about change what it says of itself, and of those below.
	own, about func(claims map[string]any)
	below      map[string]keyPair
	// signs is the key of its statements about others, if not its own.
	signs *keyPair
	next  http.Handler
}

func (e *entity) claims(subject string, keys keyPair) map[string]any {
	now := e.clock()
	return map[string]any{
		"iss": e.id, "sub": subject, "iat": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix(), "jwks": keys.set(),
	}
}

// ServeHTTP implements http.Handler.
func (e *entity) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	write := func(text string) {
		w.Header().Set("Content-Type", "application/entity-statement+jwt")
		_, _ = w.Write([]byte(text))
	}
	subject := r.URL.Query().Get("sub")
	switch keys, known := e.below[subject]; {
	case r.URL.Path == "/.well-known/openid-federation":
		claims := e.claims(e.id, e.key)
		claims["metadata"] = map[string]any{"federation_entity": map[string]any{"federation_fetch_endpoint": e.id + "/fetch"}}
		if e.own != nil {
			e.own(claims)
		}
		write(e.key.sign(e.t, claims, "entity-statement+jwt"))
	case r.URL.Path == "/fetch" && known:
		claims := e.claims(subject, keys)
		if e.about != nil {
			e.about(claims)
		}
		key := e.key
		if e.signs != nil {
			key = *e.signs
		}
		write(key.sign(e.t, claims, "entity-statement+jwt"))
	case e.next != nil:
		e.next.ServeHTTP(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// realm is a world in a federation: an anchor, an intermediate, the provider, and this party.
type realm struct {
	*world
	anchor, middle, op *entity
}

// newRealm makes a realm of a profile. The change is done to the settings' text.
func newRealm(t *testing.T, profile string, change ...string) *realm {
	t.Helper()
	key := newKey(t, "anchor-1")
	pinned, err := json.Marshal(key.set())
	if err != nil {
		t.Fatal(err)
	}
	file := strings.NewReplacer(change...).Replace(`{
		"relying_party": {
			"organization_name": "Ente di prova", "homepage_uri": "https://portal.example/", "policy_uri": "https://portal.example/privacy",
			"logo_uri": "https://portal.example/logo.svg", "contacts": ["protocollo@pec.example.it"],
			"authority_hints": ["https://anchor.example"],
			"trust_marks": [{"id": "https://anchor.example/marks/openid_relying_party", "trust_mark": "a.b.c"}]
		},
		"providers": [{
			"provider_id": "national", "kind": "` + profile + `", "profile": "` + profile + `", "display_name": "Entra",
			"issuer": "https://provider.example", "federation": {
				"trust_anchors": [{"entity_id": "https://anchor.example", "jwks": ` + string(pinned) + `}],
				"trust_marks": ["` + markType + `"], "max_path_length": 1
			}
		}]
	}`)
	w := newWorld(t, file)
	opKey := newKey(t, "op-federation-1")
	r := &realm{world: w}
	r.anchor = &entity{t: t, clock: w.clock.Now, id: anchorID, key: key}
	r.middle = &entity{t: t, clock: w.clock.Now, id: middleID, key: newKey(t, "middle-1"), below: map[string]keyPair{issuer: opKey}}
	r.anchor.below = map[string]keyPair{middleID: r.middle.key}
	r.middle.own = with(map[string]any{"authority_hints": []string{anchorID}})
	r.op = &entity{t: t, clock: w.clock.Now, id: issuer, key: opKey, next: w.fake}
	r.op.own = func(claims map[string]any) {
		metadata := w.fake.metadata()
		delete(metadata, "jwks_uri")
		metadata["jwks"] = w.fake.key.set()
		maps.Copy(claims, map[string]any{
			"authority_hints": []string{middleID}, "metadata": map[string]any{"openid_provider": metadata},
			"trust_marks": []any{map[string]any{"id": markType, "trust_mark": r.mark(nil)}},
		})
	}
	for host, e := range map[string]*entity{"anchor.example": r.anchor, "middle.example": r.middle, "provider.example": r.op} {
		w.network.put(host, e)
	}
	w.fake.userinfo = r.sealed(jose.RSA_OAEP_256, jose.A256CBC_HS512, "application/jose")
	return r
}

// mark makes the provider's trust mark, of the anchor.
func (r *realm) mark(change func(map[string]any)) string {
	claims := map[string]any{
		"iss": anchorID, "sub": issuer, "id": markType, "iat": r.clock.Now().Add(-time.Minute).Unix(), "exp": r.clock.Now().Add(time.Hour).Unix(),
	}
	if change != nil {
		change(claims)
	}
	return r.anchor.key.sign(r.t, claims, "trust-mark+jwt")
}

// sealed answers userinfo signed, and encrypted for this party.
func (r *realm) sealed(algorithm jose.KeyAlgorithm, content jose.ContentEncryption, media string) func(http.ResponseWriter, map[string]any) {
	keys, err := ownKeys()
	if err != nil {
		r.t.Fatal(err)
	}
	return func(w http.ResponseWriter, claims map[string]any) {
		delete(claims, "fiscal_number")
		claims["https://attributes.eid.gov.it/fiscal_number"] = "TINIT-" + taxCode
		w.Header().Set("Content-Type", media)
		_, _ = w.Write([]byte(encrypt(r.t, keys.Answers[0], algorithm, content, r.fake.key.sign(r.t, claims, "JWT"))))
	}
}

func TestNational_SomebodyLogsIn(t *testing.T) {
	for _, profile := range []string{"cie", "spid"} {
		r := newRealm(t, profile)
		claims, err := r.login(2, nil)
		if err != nil {
			t.Fatalf("%s: %v", profile, err)
		}
		if claims.TaxCode != taxCode || claims.BirthPlace != "H501" || claims.Level != 2 {
			t.Errorf("%s: %+v", profile, claims)
		}
		assertion := payload(t, r.fake.forms[0].Get("client_assertion"))
		if assertion["iss"] != portal || assertion["aud"].([]any)[0] != issuer+"/token" {
			t.Errorf("%s: %v", profile, assertion)
		}
	}
}

func TestNational_RequestIsSigned(t *testing.T) {
	for _, profile := range []string{"cie", "spid"} {
		r := newRealm(t, profile)
		a := attempt(3)
		departure, err := r.provider.Begin(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(departure.URL)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"client_id": portal, "response_type": "code", "scope": "openid", "state": "", "nonce": ""} {
			if got := u.Query().Get(name); got != want {
				t.Errorf("%s: %s = %q outside, want %q", profile, name, got, want)
			}
		}
		keys, err := ownKeys()
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := jose.ParseSignedCompact(u.Query().Get("request"), []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			t.Fatal(err)
		}
		content, err := parsed.Verify(keys.Requests[0].Public().Key)
		if err != nil || parsed.Signatures[0].Protected.KeyID != keys.Requests[0].KeyID {
			t.Fatal(err)
		}
		var inside map[string]any
		if err := json.Unmarshal(content, &inside); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]any{
			"iss": portal, "client_id": portal, "response_type": "code", "acr_values": level + "3", "prompt": "consent login",
			"state": a.State.Reveal(), "nonce": a.Nonce.Reveal(), "redirect_uri": portal + "/federation/oidc/callback",
			"code_challenge_method": "S256", "exp": float64(start.Add(5 * time.Minute).Unix()),
		} {
			if inside[name] != want {
				t.Errorf("%s: %s = %v inside, want %v", profile, name, inside[name], want)
			}
		}
		if got := inside["aud"].([]any); len(got) != 1 || got[0] != issuer {
			t.Errorf("%s: aud = %v", profile, got)
		}
		wanted := inside["claims"].(map[string]any)
		if _, asks := wanted["userinfo"].(map[string]any)["https://attributes.eid.gov.it/fiscal_number"]; !asks {
			t.Errorf("%s: claims = %v", profile, wanted)
		}
		if _, asks := wanted["id_token"]; asks != (profile == "cie") {
			t.Errorf("%s: claims = %v", profile, wanted)
		}
	}
}

func TestNational_IssuerInTheAnswer(t *testing.T) {
	for profile, needed := range map[string]bool{"cie": true, "spid": false} {
		r := newRealm(t, profile)
		r.fake.discovery = without("authorization_response_iss_parameter_supported")
		_, err := r.login(2, func(v url.Values) { v.Del("iss") })
		if needed {
			refused(t, err, federation.Invalid, "answer does not say who it is from")
		} else if err != nil {
			t.Error(err)
		}
	}
}

func TestNational_UserinfoIsSignedAndEncrypted(t *testing.T) {
	for _, c := range []struct {
		algorithm jose.KeyAlgorithm
		content   jose.ContentEncryption
		media     string
		rule      string
	}{
		{jose.RSA_OAEP, jose.A128CBC_HS256, "application/jwt", ""},
		{jose.RSA_OAEP, jose.A256CBC_HS512, "application/jose", ""},
		{jose.RSA_OAEP_256, jose.A128CBC_HS256, "application/jose;charset=UTF-8", ""},
		{jose.RSA_OAEP_256, jose.A256CBC_HS512, "application/json", "userinfo is not encrypted"},
		{jose.RSA1_5, jose.A256CBC_HS512, "application/jose", "userinfo is encrypted in another way"},
		{jose.RSA_OAEP, jose.A256GCM, "application/jose", "userinfo is encrypted in another way"},
	} {
		r := newRealm(t, "cie")
		r.fake.userinfo = r.sealed(c.algorithm, c.content, c.media)
		_, err := r.login(2, nil)
		if c.rule != "" {
			refused(t, err, federation.Invalid, c.rule)
		} else if err != nil {
			t.Errorf("%s %s: %v", c.algorithm, c.content, err)
		}
	}
}

func TestNational_WrongUserinfoIsRefused(t *testing.T) {
	own, err := ownKeys()
	if err != nil {
		t.Fatal(err)
	}
	other, err := keyring.GenerateFederation()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text func(r *realm, claims map[string]any) string
		rule string
	}{
		"not encrypted": {func(r *realm, claims map[string]any) string { return r.fake.key.sign(t, claims, "JWT") }, "userinfo is not encrypted"},
		"not signed": {func(_ *realm, claims map[string]any) string {
			text, _ := json.Marshal(claims)
			return encrypt(t, own.Answers[0], jose.RSA_OAEP, jose.A128CBC_HS256, string(text))
		}, "userinfo is signed in another way"},
		"signed by another": {func(_ *realm, claims map[string]any) string {
			return encrypt(t, own.Answers[0], jose.RSA_OAEP, jose.A128CBC_HS256, newKey(t, "op-1").sign(t, claims, "JWT"))
		}, "userinfo's signature is wrong"},
		"for another key": {func(r *realm, claims map[string]any) string {
			return encrypt(t, other.Answers[0], jose.RSA_OAEP, jose.A128CBC_HS256, r.fake.key.sign(t, claims, "JWT"))
		}, "userinfo is encrypted for another key"},
		"for another party": {func(r *realm, claims map[string]any) string {
			claims["aud"] = "https://other.example"
			return encrypt(t, own.Answers[0], jose.RSA_OAEP, jose.A128CBC_HS256, r.fake.key.sign(t, claims, "JWT"))
		}, "userinfo's issuer or audience is wrong"},
		"of another issuer": {func(r *realm, claims map[string]any) string {
			claims["iss"] = "https://other.example"
			return encrypt(t, own.Answers[0], jose.RSA_OAEP, jose.A128CBC_HS256, r.fake.key.sign(t, claims, "JWT"))
		}, "userinfo's issuer or audience is wrong"},
		"expired": {func(r *realm, claims map[string]any) string {
			claims["exp"] = start.Add(-time.Second).Unix()
			return encrypt(t, own.Answers[0], jose.RSA_OAEP, jose.A128CBC_HS256, r.fake.key.sign(t, claims, "JWT"))
		}, "userinfo is expired"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRealm(t, "spid")
			r.fake.userinfo = func(w http.ResponseWriter, claims map[string]any) {
				w.Header().Set("Content-Type", "application/jose")
				_, _ = w.Write([]byte(c.text(r, claims)))
			}
			_, err := r.login(2, nil)
			refused(t, err, federation.Invalid, c.rule)
		})
	}
}

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
	for name, c := range map[string]struct {
		signs func(r *realm) keyPair
		typ   string
		rule  string
	}{
		"by the provider": {func(r *realm) keyPair { return r.op.key }, "jwk-set+jwt", ""},
		"by another":      {func(*realm) keyPair { return newKey(t, "op-federation-1") }, "jwk-set+jwt", "provider's keys are not signed"},
		"something else":  {func(r *realm) keyPair { return r.op.key }, "entity-statement+jwt", "provider's keys are not signed"},
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
			_, _ = w.Write([]byte(c.signs(r).sign(t, r.fake.key.set(), c.typ)))
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

func TestFile_MistakesAreNamedByTheirPlace(t *testing.T) {
	for name, c := range map[string]struct{ old, instead, want string }{
		"id":            {`"body"`, `"Body"`, "providers[0].provider_id: is 1 to 64 characters of a-z, 0-9 and hyphens"},
		"kind":          {`"oidc"`, `"saml"`, "providers[0].kind: is spid, cie or oidc"},
		"login method":  {`"spid"`, `"pin"`, "providers[0].login_method: is spid, cie or cns: how people log in there"},
		"issuer":        {`"https://provider.example"`, `"http://provider.example"`, "providers[0].issuer: is an https address without query"},
		"client":        {`"portal-1"`, `""`, "providers[0].client_id: is a line of 1 to 200 characters"},
		"scopes":        {`["openid", "profile"]`, `["profile"]`, "providers[0].scopes: has openid among them"},
		"algorithm":     {`["ES256"]`, `["HS256"]`, "providers[0].algorithms: has RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or ES512"},
		"method":        {`"private_key_jwt"`, `"none"`, "providers[0].authentication.method: is private_key_jwt, client_secret_basic or client_secret_post"},
		"secret":        {`"private_key_jwt"`, `"client_secret_basic"`, "providers[0].authentication.secret_file: is the path of a file that holds the secret"},
		"levels":        {`"2": "urn:level:2"`, `"2": "urn:level:1"`, "providers[0].levels: has another acr value for each level, without blanks"},
		"profile":       {`"kind": "oidc"`, `"kind": "cie", "profile": "cie"`, "providers[0].federation: is missing: a provider of this profile is known by a trust chain"},
		"unknown":       {`"kind"`, `"colour": "red", "kind"`, `there is no member "colour"`},
		"type":          {`"portal-1"`, `7`, "providers.client_id is not of the type that it should have"},
		"not JSON":      {`"kind"`, `kind`, "not JSON near byte"},
		"two documents": {`]}`, `]} {}`, "something stands behind the end"},
	} {
		_, err := openid.Parse([]byte(strings.Replace(plainFile, c.old, c.instead, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}
