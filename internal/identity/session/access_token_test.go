package session_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"diresco/internal/identity/pin/pintest"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

func TestAccessToken_FollowsItsProfile(t *testing.T) {
	w := pintest.New(t, dbtest.Open(t, dbtest.SQLite(t)), pintest.Cheap)
	p, pin := w.Person(t, pintest.Mario, access.Citizen, false)
	s := w.Login(t, pintest.Mario, pin)
	kid, key := pintest.Signing(t, w.Ring, keyring.ForSessions)
	var claims jwt.MapClaims
	token, err := jwt.ParseWithClaims(s.AccessToken.Reveal(), &claims, func(*jwt.Token) (any, error) {
		return &key.PublicKey, nil
	}, jwt.WithTimeFunc(w.Clock.Now))
	if err != nil {
		t.Fatal(err)
	}
	if token.Header["typ"] != "at+jwt" || token.Header["alg"] != "ES256" || token.Header["kid"] != kid {
		t.Errorf("header %v", token.Header)
	}
	issued := float64(pintest.Start.Unix())
	for name, want := range map[string]any{
		"iss": pintest.PublicURL, "sub": p.ID.String(), "sid": s.SessionID.String(), "client_id": "diresco", "iat": issued,
		"exp": issued + 900,
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if audience, err := claims.GetAudience(); err != nil || len(audience) != 1 || audience[0] != pintest.PublicURL+"/v1" {
		t.Errorf("aud %v, %v", audience, err)
	}
	if id, _ := claims["jti"].(string); len(id) != 36 {
		t.Errorf("jti %q", id)
	}
	if len(claims) != 8 {
		t.Errorf("claims %v: no personal data belongs there", claims)
	}
	if strings.Contains(token.Raw, pin.Reveal()) {
		t.Error("the token holds the PIN")
	}
}

func TestAccessToken_Attacks(t *testing.T) {
	w := pintest.New(t, dbtest.Open(t, dbtest.SQLite(t)), pintest.Cheap)
	_, pin := w.Person(t, pintest.Mario, access.Citizen, false)
	genuine := w.Login(t, pintest.Mario, pin)
	kid, key := pintest.Signing(t, w.Ring, keyring.ForSessions)
	receiptKid, receiptKey := pintest.Signing(t, w.Ring, keyring.ForReceipts)
	foreign, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}

	type changes map[string]any
	forge := func(method jwt.SigningMethod, with any, header, claims changes) string {
		t.Helper()
		now := w.Clock.Now()
		all := jwt.MapClaims{
			"iss": pintest.PublicURL, "aud": []string{pintest.PublicURL + "/v1"}, "sub": uuid.NewString(),
			"sid":       genuine.SessionID.String(),
			"client_id": "diresco", "jti": uuid.NewString(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
		}
		maps.Copy(all, claims)
		for name, value := range all {
			if value == nil {
				delete(all, name)
			}
		}
		token := jwt.NewWithClaims(method, all)
		token.Header["typ"], token.Header["kid"] = "at+jwt", kid
		maps.Copy(token.Header, header)
		for name, value := range token.Header {
			if value == nil {
				delete(token.Header, name)
			}
		}
		text, err := token.SignedString(with)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	es256 := jwt.SigningMethodES256
	parts := strings.Split(genuine.AccessToken.Reveal(), ".")
	raw := base64.RawURLEncoding.EncodeToString

	tests := map[string]string{
		"empty":                 "",
		"rubbish":               "rubbish",
		"two dots":              "..",
		"none":                  forge(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, nil),
		"None, cut signature":   raw([]byte(`{"alg":"None","typ":"at+jwt","kid":"`+kid+`"}`)) + "." + parts[1] + ".",
		"signature cut":         parts[0] + "." + parts[1] + ".",
		"signature of another":  parts[0] + "." + strings.Split(forge(es256, key, nil, nil), ".")[1] + "." + parts[2],
		"HS256 with public key": forge(jwt.SigningMethodHS256, public, nil, nil),
		"HS256 with the kid":    forge(jwt.SigningMethodHS256, []byte(kid), nil, nil),
		"foreign key":           forge(es256, foreign, nil, nil),
		"foreign key inside":    forge(es256, foreign, changes{"jwk": jose.JSONWebKey{Key: foreign.Public(), KeyID: kid}}, nil),
		"right key, jwk header": forge(es256, key, changes{"jwk": jose.JSONWebKey{Key: key.Public(), KeyID: kid}}, nil),
		"jku":                   forge(es256, key, changes{"jku": "https://attacker.example/jwks.json"}, nil),
		"x5u":                   forge(es256, key, changes{"x5u": "https://attacker.example/cert.pem"}, nil),
		"x5c":                   forge(es256, key, changes{"x5c": []string{"MIIB"}}, nil),
		"crit":                  forge(es256, key, changes{"crit": []string{"exp"}}, nil),
		"unknown kid":           forge(es256, key, changes{"kid": "session-unknown0"}, nil),
		"no kid":                forge(es256, key, changes{"kid": nil}, nil),
		"kid a path":            forge(es256, key, changes{"kid": "../../../dev/null"}, nil),
		"kid an injection":      forge(es256, key, changes{"kid": "session-' OR '1'='1"}, nil),
		"kid a number":          forge(es256, key, changes{"kid": 1}, nil),
		"receipt key":           forge(es256, receiptKey, changes{"kid": receiptKid}, nil),
		"typ JWT":               forge(es256, key, changes{"typ": "JWT"}, nil),
		"no typ":                forge(es256, key, changes{"typ": nil}, nil),
		"typ of a receipt":      forge(es256, key, changes{"typ": "receipt+jws"}, nil),
		"another issuer":        forge(es256, key, nil, changes{"iss": "https://attacker.example"}),
		"no issuer":             forge(es256, key, nil, changes{"iss": nil}),
		"another audience":      forge(es256, key, nil, changes{"aud": "https://other.example/v1"}),
		"audience without path": forge(es256, key, nil, changes{"aud": pintest.PublicURL}),
		"no audience":           forge(es256, key, nil, changes{"aud": nil}),
		"expired":               forge(es256, key, nil, changes{"exp": w.Clock.Now().Unix()}),
		"no expiry":             forge(es256, key, nil, changes{"exp": nil}),
		"expiry a text":         forge(es256, key, nil, changes{"exp": "never"}),
		"no time of issue":      forge(es256, key, nil, changes{"iat": nil}),
		"issued tomorrow": forge(es256, key, nil, changes{
			"iat": w.Clock.Now().Add(24 * time.Hour).Unix(), "exp": w.Clock.Now().Add(25 * time.Hour).Unix(),
		}),
		"not yet valid":  forge(es256, key, nil, changes{"nbf": w.Clock.Now().Add(time.Minute).Unix()}),
		"another client": forge(es256, key, nil, changes{"client_id": "other"}),
		"no session":     forge(es256, key, nil, changes{"sid": nil}),
		"session no id":  forge(es256, key, nil, changes{"sid": "1 OR 1=1"}),
		"no person":      forge(es256, key, nil, changes{"sub": nil}),
		"huge":           forge(es256, key, nil, changes{"padding": strings.Repeat("A", 8192)}),
		"padded":         genuine.AccessToken.Reveal() + "=",
		"line break":     genuine.AccessToken.Reveal() + "\n",
		"refresh token":  genuine.RefreshToken.Reveal(),
	}
	for name, token := range tests {
		t.Run(name, func(t *testing.T) {
			for range 2 { // what was refused once is not remembered as good
				if _, err := w.Sessions.Parse(ctx, secret.Text(token)); !fault.Is(err, fault.Unauthenticated) {
					t.Errorf("got %v", err)
				}
			}
		})
	}
	if _, err := w.Sessions.Parse(ctx, secret.Text(forge(es256, key, nil, nil))); err != nil {
		t.Errorf("the test's own way of making tokens must be good where the attack is left out: %v", err)
	}
	var f *fault.Fault
	if _, err := w.Sessions.Parse(ctx, "x"); !errors.As(err, &f) || f.Err != nil {
		t.Errorf("the fault tells why: %v", f.Err)
	}
}

func TestAccessToken_Expires(t *testing.T) {
	w := pintest.New(t, dbtest.Open(t, dbtest.SQLite(t)), pintest.Cheap)
	_, pin := w.Person(t, pintest.Mario, access.Citizen, false)
	s := w.Login(t, pintest.Mario, pin)
	for range 2 { // the second time from memory
		claims, err := w.Sessions.Parse(ctx, s.AccessToken)
		if err != nil || claims.SessionID != s.SessionID {
			t.Errorf("claims %+v, %v", claims, err)
		}
	}
	w.Clock.Advance(15*time.Minute - time.Second)
	_, err := w.Sessions.Parse(ctx, s.AccessToken)
	want(t, err, "")
	w.Clock.Advance(time.Second)
	_, err = w.Sessions.Parse(ctx, s.AccessToken)
	want(t, err, fault.Unauthenticated)
	reason := func(token secret.Text) string {
		_, err := w.Sessions.Parse(ctx, token)
		var f *fault.Fault
		if !errors.As(err, &f) {
			t.Fatal(err)
		}
		return f.Reason
	}
	// Whoever holds it is told that it has expired; one that was changed, that it is none.
	if got := reason(s.AccessToken); got != "token-expired" {
		t.Errorf("from memory: %q", got)
	}
	if got := reason(secret.Text(s.AccessToken.Reveal()[:40] + "A" + s.AccessToken.Reveal()[41:])); got != "token-invalid" {
		t.Errorf("changed: %q", got)
	}
	_, pin = w.Person(t, pintest.Giulia, access.Citizen, false)
	other := w.Login(t, pintest.Giulia, pin)
	w.Clock.Advance(15 * time.Minute)
	if got := reason(other.AccessToken); got != "token-expired" {
		t.Errorf("seen for the first time: %q", got)
	}
}

func FuzzParse(f *testing.F) {
	w := pintest.New(f, dbtest.Open(f, dbtest.SQLite(f)), pintest.Cheap)
	_, pin := w.Person(f, pintest.Mario, access.Citizen, false)
	s := w.Login(f, pintest.Mario, pin)
	f.Add(s.AccessToken.Reveal())
	f.Add("AQ" + strings.Repeat("A", len(s.RefreshToken)-2))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := w.Sessions.Parse(ctx, secret.Text(text)); err != nil && !fault.Is(err, fault.Unauthenticated) ||
			err == nil && text != s.AccessToken.Reveal() {
			t.Errorf("access token: %v", err)
		}
		if _, err := w.Sessions.Renew(ctx, secret.Text(text), ""); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("refresh token: %v", err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	w := pintest.New(b, dbtest.Open(b, dbtest.SQLite(b)), pintest.Cheap)
	_, pin := w.Person(b, pintest.Mario, access.Citizen, false)
	s := w.Login(b, pintest.Mario, pin)
	for b.Loop() {
		if _, err := w.Sessions.Parse(ctx, s.AccessToken); err != nil {
			b.Fatal(err)
		}
	}
}
