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
