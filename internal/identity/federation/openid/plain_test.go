package openid_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/session"
)

func writeFile(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }

func TestPlain_SomebodyLogsIn(t *testing.T) {
	w := newWorld(t, plainFile)
	claims, err := w.login(2, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(claims.Once) != 1 {
		t.Errorf("once: %q", claims.Once)
	}
	claims.Once = nil
	want := federation.Claims{
		TaxCode: taxCode, GivenName: "Mario", FamilyName: "Rossi", BirthDate: "1980-01-01", BirthPlace: "H501", Email: "mario@example.org", Level: 2,
	}
	if !reflect.DeepEqual(claims, want) {
		t.Errorf("got %+v, want %+v", claims, want)
	}
	about := w.provider.About()
	if about.Protocol != federation.OpenIDConnect || about.Method != session.BySPID || !reflect.DeepEqual(about.Levels, []federation.Level{2, 3}) {
		t.Errorf("about: %+v", about)
	}
	if len(w.fake.revoked) != 1 {
		t.Error("the access token was not revoked")
	}
	form := w.fake.forms[0]
	assertion := payload(t, form.Get("client_assertion"))
	if assertion["iss"] != "portal-1" || assertion["sub"] != "portal-1" || assertion["aud"].([]any)[0] != issuer+"/token" ||
		form.Get("redirect_uri") != portal+"/federation/oidc/callback" || form.Get("client_secret") != "" {
		t.Errorf("token request: %v %v", form, assertion)
	}
}

func TestPlain_RequestHasWhatBindsItsAnswer(t *testing.T) {
	w := newWorld(t, plainFile)
	a := attempt(2)
	departure, err := w.provider.Begin(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(departure.URL)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"client_id": "portal-1", "response_type": "code", "scope": "openid profile", "state": a.State.Reveal(), "nonce": a.Nonce.Reveal(),
		"code_challenge_method": "S256", "acr_values": "urn:level:2", "prompt": "login", "redirect_uri": portal + "/federation/oidc/callback",
	} {
		if got := u.Query().Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if strings.Contains(departure.URL, a.Verifier.Reveal()) {
		t.Error("the verifier is in the address")
	}
}

func TestPlain_SecretIsSentAsTheSettingsSay(t *testing.T) {
	for _, method := range []string{"client_secret_basic", "client_secret_post"} {
		file := strings.Replace(plainFile, `{"method": "private_key_jwt"}`,
			`{"method": "`+method+`", "secret_file": "`+writeSecret(t, "s3cret-A_b\n")+`"}`, 1)
		w := newWorld(t, file)
		if _, err := w.login(1, nil); err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		posted := w.fake.forms[0].Get("client_secret")
		if basic := len(w.fake.basic) == 1 && w.fake.basic[0] == "portal-1:s3cret-A_b"; basic != (method == "client_secret_basic") ||
			(posted == "s3cret-A_b") != (method == "client_secret_post") {
			t.Errorf("%s: basic %q, posted %q", method, w.fake.basic, posted)
		}
	}
}

func TestPlain_HigherLevelIsAsGood(t *testing.T) {
	w := newWorld(t, plainFile)
	w.fake.idClaims = with(map[string]any{"acr": "urn:level:3"})
	claims, err := w.login(2, nil)
	if err != nil || claims.Level != 3 {
		t.Errorf("level %d, %v", claims.Level, err)
	}
}

func TestPlain_WrongIDTokenIsRefused(t *testing.T) {
	const notRight = "ID token's signature, issuer or audience is wrong"
	for name, c := range map[string]struct {
		claims func(map[string]any)
		token  func(w *world) func(map[string]any) string
		rule   string
	}{
		"nonce of another":        {claims: with(map[string]any{"nonce": "other"}), rule: "ID token has another nonce"},
		"no nonce":                {claims: without("nonce"), rule: "ID token has another nonce"},
		"audience":                {claims: with(map[string]any{"aud": "portal-2"}), rule: notRight},
		"no audience":             {claims: without("aud"), rule: notRight},
		"issuer":                  {claims: with(map[string]any{"iss": "https://other.example"}), rule: notRight},
		"several, nobody named":   {claims: with(map[string]any{"aud": []string{"portal-1", "b"}}), rule: "ID token is for another party"},
		"authorized party":        {claims: with(map[string]any{"azp": "b"}), rule: "ID token is for another party"},
		"lower level":             {claims: with(map[string]any{"acr": "urn:level:1"}), rule: "level is lower than asked"},
		"no level":                {claims: without("acr"), rule: "ID token tells no level"},
		"unknown level":           {claims: with(map[string]any{"acr": "urn:level:9"}), rule: "ID token tells no level"},
		"expired":                 {claims: with(map[string]any{"exp": start.Add(-time.Second).Unix()}), rule: "ID token is expired"},
		"no end":                  {claims: without("exp"), rule: "ID token is expired"},
		"issued tomorrow":         {claims: with(map[string]any{"iat": start.Add(24 * time.Hour).Unix()}), rule: "ID token was not issued just now"},
		"issued yesterday":        {claims: with(map[string]any{"iat": start.Add(-24 * time.Hour).Unix()}), rule: "ID token was not issued just now"},
		"no subject":              {claims: without("sub"), rule: "ID token has no subject"},
		"of another access token": {claims: with(map[string]any{"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}), rule: "ID token is for another access token"},
		"foreign key": {token: func(w *world) func(map[string]any) string {
			other := newKey(w.t, "op-1")
			return func(claims map[string]any) string { return other.sign(w.t, claims, "JWT") }
		}, rule: notRight},
		"another algorithm": {token: func(w *world) func(map[string]any) string {
			return func(claims map[string]any) string {
				return signBy(w.t, jose.HS256, []byte(strings.Repeat("k", 32)), claims, "JWT")
			}
		}, rule: notRight},
		"none": {token: func(w *world) func(map[string]any) string {
			return func(claims map[string]any) string {
				parts := strings.Split(w.fake.key.sign(w.t, claims, "JWT"), ".")
				return "eyJhbGciOiJub25lIn0." + parts[1] + "."
			}
		}, rule: notRight},
		"changed after signing": {token: func(w *world) func(map[string]any) string {
			return func(claims map[string]any) string {
				parts := strings.Split(w.fake.key.sign(w.t, claims, "JWT"), ".")
				claims["acr"] = "urn:level:3"
				return parts[0] + "." + strings.Split(w.fake.key.sign(w.t, claims, "JWT"), ".")[1] + "." + parts[2]
			}
		}, rule: notRight},
		"none at all": {token: func(*world) func(map[string]any) string {
			return func(map[string]any) string { return "" }
		}, rule: "there is no ID token"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, plainFile)
			w.fake.idClaims = c.claims
			if c.token != nil {
				w.fake.idToken = c.token(w)
			}
			_, err := w.login(2, nil)
			refused(t, err, federation.Invalid, c.rule)
		})
	}
}

func TestPlain_WrongAnswerIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(url.Values)
		outcome federation.Outcome
		number  int
		rule    string
	}{
		"state":        {func(v url.Values) { v.Set("state", "x") }, federation.Invalid, 0, "answer has another state"},
		"issuer":       {func(v url.Values) { v.Set("iss", "https://other.example") }, federation.Invalid, 0, "answer is from another issuer"},
		"no issuer":    {func(v url.Values) { v.Del("iss") }, federation.Invalid, 0, "answer does not say who it is from"},
		"no code":      {func(v url.Values) { v.Del("code") }, federation.Invalid, 0, "answer has no code"},
		"two codes":    {func(v url.Values) { v.Add("code", "b") }, federation.Invalid, 0, "answer names a parameter twice"},
		"unknown code": {func(v url.Values) { v.Set("code", "b") }, federation.Invalid, 0, "token endpoint refuses the code"},
		"cancelled":    {func(v url.Values) { v.Set("error", "access_denied") }, federation.Denied, 0, "provider denies: access_denied"},
		"foreign denial": {
			func(v url.Values) { v.Set("error", "access_denied"); v.Set("iss", "https://other.example") },
			federation.Invalid, 0, "answer is from another issuer",
		},
		"numbered": {
			func(v url.Values) { v.Set("error", "access_denied"); v.Set("error_description", "ErrorCode nr25") },
			federation.Denied, 25, "provider denies: access_denied",
		},
		"numbered otherwise": {
			func(v url.Values) { v.Set("error", "access_denied"); v.Set("error_description", "ErrorCode nr12") },
			federation.Denied, 0, "provider denies: access_denied",
		},
		"away":        {func(v url.Values) { v.Set("error", "server_error") }, federation.Unavailable, 0, "provider says it is unavailable"},
		"our mistake": {func(v url.Values) { v.Set("error", "invalid_request") }, federation.Invalid, 0, "provider refuses the request: invalid_request"},
		"unheard of":  {func(v url.Values) { v.Set("error", "<script>") }, federation.Invalid, 0, "provider answers with an unknown error"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newWorld(t, plainFile).login(2, c.change)
			refused(t, err, c.outcome, c.rule)
			if refusal, is := err.(*federation.Refusal); is && refusal.Number != c.number { //nolint:errorlint // it is not wrapped
				t.Errorf("number %d, want %d", refusal.Number, c.number)
			}
		})
	}
}

func TestPlain_CodeIsGoodOnce(t *testing.T) {
	w := newWorld(t, plainFile)
	a := attempt(1)
	departure, err := w.provider.Begin(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	answer := w.fake.authorize(t, departure)
	first, err := w.provider.Finish(t.Context(), a, answer)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.provider.Finish(t.Context(), a, answer)
	refused(t, err, federation.Invalid, "token endpoint refuses the code")

	// Where the provider lets it pass, what names the answer is the same.
	w.fake.replays = true
	if answer = w.fake.authorize(t, departure); answer.Get("code") == "" {
		t.Fatal("no code")
	}
	second, err := w.provider.Finish(t.Context(), a, answer)
	if err != nil {
		t.Fatal(err)
	}
	third, err := w.provider.Finish(t.Context(), a, answer)
	if err != nil || !reflect.DeepEqual(second.Once, third.Once) || reflect.DeepEqual(first.Once, second.Once) {
		t.Errorf("%q %q %q %v", first.Once, second.Once, third.Once, err)
	}
}

func TestPlain_CodeIsBoundToTheVerifier(t *testing.T) {
	w := newWorld(t, plainFile)
	a := attempt(1)
	departure, err := w.provider.Begin(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	answer := w.fake.authorize(t, departure)
	a.Verifier = attempt(1).Verifier
	_, err = w.provider.Finish(t.Context(), a, answer)
	refused(t, err, federation.Invalid, "token endpoint refuses the code")
}

func TestPlain_WrongUserinfoIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		info func(map[string]any)
		rule string
	}{
		"another subject":      {with(map[string]any{"sub": "other"}), "userinfo is about another subject"},
		"no subject":           {without("sub"), "userinfo is about another subject"},
		"no tax code":          {without("fiscal_number"), "tax code is missing or wrong"},
		"wrong check letter":   {with(map[string]any{"fiscal_number": "TINIT-RSSMRA80A01H501A"}), "tax code is missing or wrong"},
		"of an organisation":   {with(map[string]any{"fiscal_number": "TINIT-01165400589"}), "tax code is missing or wrong"},
		"of another country":   {with(map[string]any{"fiscal_number": "TINES-" + taxCode}), "tax code is missing or wrong"},
		"a number for a text":  {with(map[string]any{"fiscal_number": 7}), "tax code is missing or wrong"},
		"no name":              {without("family_name"), "name is missing"},
		"name with line break": {with(map[string]any{"given_name": "Ma\nrio"}), "name is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, plainFile)
			w.fake.info = c.info
			_, err := w.login(2, nil)
			refused(t, err, federation.Invalid, c.rule)
		})
	}
	for name, c := range map[string]struct {
		write func(http.ResponseWriter, map[string]any)
		rule  string
	}{
		"no JSON": {func(w http.ResponseWriter, _ map[string]any) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte("["))
		}, "userinfo cannot be read"},
		"a page": {func(w http.ResponseWriter, _ map[string]any) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("{}"))
		}, "userinfo is of an unknown type"},
		"refused": {func(w http.ResponseWriter, _ map[string]any) { w.WriteHeader(http.StatusForbidden) }, "userinfo is refused"},
		"redirect": {func(w http.ResponseWriter, _ map[string]any) {
			w.Header().Set("Location", issuer+"/x")
			w.WriteHeader(http.StatusFound)
		}, "userinfo is refused"},
		"very long": {func(w http.ResponseWriter, _ map[string]any) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(make([]byte, 2<<20))
		}, "userinfo is refused"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, plainFile)
			w.fake.userinfo = c.write
			_, err := w.login(2, nil)
			refused(t, err, federation.Invalid, c.rule)
		})
	}
}

func TestPlain_ClaimsHaveTheNamesOfTheSettings(t *testing.T) {
	file := strings.Replace(plainFile, `"levels"`, `"claims": {"tax_code": ["cf"], "given_name": ["nome"], "family_name": ["cognome"]},
		"tax_code_prefix": "", "source": "id_token", "levels"`, 1)
	w := newWorld(t, file)
	w.fake.idClaims = with(map[string]any{"cf": strings.ToLower(taxCode), "nome": "Mario", "cognome": "Rossi"})
	claims, err := w.login(2, nil)
	if err != nil || claims.TaxCode != taxCode || claims.FamilyName != "Rossi" {
		t.Errorf("%+v %v", claims, err)
	}
	if w.network.count("provider.example/userinfo") != 0 {
		t.Error("userinfo was asked")
	}
}

func TestPlain_ProviderThatIsDownComesBack(t *testing.T) {
	w := newWorld(t, plainFile)
	w.network.put("provider.example", nil)
	_, err := w.login(2, nil)
	refused(t, err, federation.Unavailable, "discovery failed")
	w.network.put("provider.example", w.fake)
	_, err = w.login(2, nil)
	refused(t, err, federation.Unavailable, "discovery failed") // it is not asked by each who comes
	w.clock.Advance(10 * time.Second)
	if _, err := w.login(2, nil); err != nil {
		t.Error(err)
	}
	// What was discovered stays good while it cannot be asked again; logins do not.
	w.network.put("provider.example", nil)
	w.clock.Advance(2 * time.Hour)
	a := attempt(2)
	if _, err := w.provider.Begin(t.Context(), a); err != nil {
		t.Error(err)
	}
	_, err = w.provider.Finish(t.Context(), a, url.Values{"state": {a.State.Reveal()}, "code": {"c"}, "iss": {issuer}})
	refused(t, err, federation.Unavailable, "token endpoint cannot be reached")
	w.clock.Advance(24 * time.Hour)
	_, err = w.provider.Begin(t.Context(), a)
	refused(t, err, federation.Unavailable, "discovery failed")
}

func TestPlain_FailingTokenEndpointIsUnavailable(t *testing.T) {
	w := newWorld(t, plainFile)
	w.fake.tokenStatus = http.StatusBadGateway
	_, err := w.login(2, nil)
	refused(t, err, federation.Unavailable, "token endpoint fails")
}

func TestPlain_MetadataOfAnotherAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(map[string]any)
		rule   string
	}{
		"issuer":   {with(map[string]any{"issuer": "https://other.example"}), "provider's issuer is another"},
		"http":     {with(map[string]any{"token_endpoint": "http://provider.example/token"}), "provider's addresses are not https"},
		"userinfo": {without("userinfo_endpoint"), "provider's addresses are not https"},
		"keys":     {without("jwks_uri"), "provider's metadata cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, plainFile)
			w.fake.discovery = c.change
			_, err := w.login(2, nil)
			refused(t, err, federation.Invalid, c.rule)
		})
	}
}

func TestPlain_NewKeyIsFetched(t *testing.T) {
	w := newWorld(t, plainFile)
	if _, err := w.login(2, nil); err != nil {
		t.Fatal(err)
	}
	w.fake.key = newKey(t, "op-2")
	if _, err := w.login(2, nil); err != nil {
		t.Error(err)
	}
	if n := w.network.count("provider.example/keys"); n != 2 {
		t.Errorf("keys were fetched %d times", n)
	}
	if n := w.network.count("provider.example/.well-known/openid-configuration"); n != 1 {
		t.Errorf("metadata were fetched %d times", n)
	}
}

func TestPlain_SignedUserinfoIsVerified(t *testing.T) {
	w := newWorld(t, plainFile)
	key := w.fake.key
	signed := func(key keyPair) func(http.ResponseWriter, map[string]any) {
		return func(rw http.ResponseWriter, claims map[string]any) {
			claims["aud"] = "portal-1"
			rw.Header().Set("Content-Type", "application/jwt")
			_, _ = rw.Write([]byte(key.sign(t, claims, "JWT")))
		}
	}
	w.fake.userinfo = signed(key)
	if _, err := w.login(2, nil); err != nil {
		t.Error(err)
	}
	w.fake.userinfo = signed(newKey(t, "op-1"))
	_, err := w.login(2, nil)
	refused(t, err, federation.Invalid, "userinfo's signature is wrong")
}

func TestPlain_NothingSecretIsInAnErrorOrLog(t *testing.T) {
	w := newWorld(t, plainFile)
	w.fake.tokenStatus = http.StatusBadRequest
	var code string
	_, err := w.login(2, func(v url.Values) { code = v.Get("code") })
	encoded, _ := json.Marshal(err)
	if err == nil || strings.Contains(err.Error()+string(encoded)+w.log.String(), code) {
		t.Errorf("%v %s", err, w.log)
	}
}
