package dpop_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"diresco/db"
	"diresco/internal/identity/dpop"
	"diresco/internal/identity/dpop/dpoptest"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const (
	base    = "https://diresco.example"
	path    = "/v1/me"
	address = base + path
	token   = "an access token"
)

var now = time.Date(2026, 3, 16, 9, 0, 0, 0, time.UTC)

// reasonOf is why a proof is refused, "" for one that is not.
func reasonOf(t *testing.T, err error) string {
	t.Helper()
	var refused *dpop.Refusal
	if err != nil && !errors.As(err, &refused) {
		t.Fatal(err)
	}
	if refused == nil {
		return ""
	}
	if refused.Error() == "" {
		t.Errorf("nobody is told what %s means", refused.Reason)
	}
	return refused.Reason
}

func sent(proofs ...string) dpop.Sent {
	return dpop.Sent{Proofs: proofs, Method: "GET", Path: path, Token: token}
}

type change = func(header, claims map[string]any)

func TestProof_IsForOneRequest(t *testing.T) {
	s := dpop.NewService(nil, clock.NewManual(now), base, "https://mtls.diresco.example:8443/")
	key := dpoptest.NewKey(t)
	claim := func(name string, value any) change {
		return func(_, claims map[string]any) { claims[name] = value }
	}
	for name, c := range map[string]struct {
		want   string
		change change
	}{
		"good":                {"", nil},
		"no type":             {dpop.ReasonMalformed, func(header, _ map[string]any) { header["typ"] = nil }},
		"another type":        {dpop.ReasonMalformed, func(header, _ map[string]any) { header["typ"] = "JWT" }},
		"no key":              {dpop.ReasonMalformed, func(header, _ map[string]any) { header["jwk"] = nil }},
		"key as a text":       {dpop.ReasonMalformed, func(header, _ map[string]any) { header["jwk"] = "key" }},
		"critical":            {dpop.ReasonMalformed, func(header, _ map[string]any) { header["crit"] = []string{"exp"} }},
		"further header":      {"", func(header, _ map[string]any) { header["kid"] = "k1" }},
		"private key":         {dpop.ReasonMalformed, func(header, _ map[string]any) { header["jwk"] = key.Private(t) }},
		"key with others":     {"", func(header, _ map[string]any) { header["jwk"].(map[string]any)["x5c"] = []string{"MIIB"} }},
		"no method":           {dpop.ReasonRequest, claim("htm", nil)},
		"another method":      {dpop.ReasonRequest, claim("htm", "POST")},
		"method in lower":     {dpop.ReasonRequest, claim("htm", "get")},
		"no address":          {dpop.ReasonRequest, claim("htu", nil)},
		"another path":        {dpop.ReasonRequest, claim("htu", base+"/v1/me/contacts")},
		"path and slash":      {dpop.ReasonRequest, claim("htu", address+"/")},
		"another host":        {dpop.ReasonRequest, claim("htu", "https://attacker.example"+path)},
		"host with a prefix":  {dpop.ReasonRequest, claim("htu", base+".attacker.example"+path)},
		"another scheme":      {dpop.ReasonRequest, claim("htu", "http://diresco.example"+path)},
		"another port":        {dpop.ReasonRequest, claim("htu", base+":444"+path)},
		"somebody at it":      {dpop.ReasonRequest, claim("htu", "https://me@diresco.example"+path)},
		"path alone":          {dpop.ReasonRequest, claim("htu", path)},
		"query and fragment":  {"", claim("htu", address+"?a=b#c")},
		"host in capitals":    {"", claim("htu", "HTTPS://DIRESCO.example:443"+path)},
		"the other address":   {"", claim("htu", "https://mtls.diresco.example:8443"+path)},
		"no time":             {dpop.ReasonMalformed, claim("iat", nil)},
		"a minute old":        {"", claim("iat", now.Add(-time.Minute).Unix())},
		"older":               {dpop.ReasonTime, claim("iat", now.Add(-time.Minute-time.Second).Unix())},
		"a clock ahead":       {"", claim("iat", now.Add(30*time.Second).Unix())},
		"from the future":     {dpop.ReasonTime, claim("iat", now.Add(31*time.Second).Unix())},
		"expired":             {dpop.ReasonTime, claim("exp", now.Add(-time.Minute).Unix())},
		"not yet":             {dpop.ReasonTime, claim("nbf", now.Add(time.Minute).Unix())},
		"no id":               {dpop.ReasonMalformed, claim("jti", nil)},
		"id too long":         {dpop.ReasonMalformed, claim("jti", strings.Repeat("a", 257))},
		"no token":            {dpop.ReasonToken, claim("ath", nil)},
		"another token":       {dpop.ReasonToken, claim("ath", dpoptest.Hash("another"))},
		"all of it too long":  {dpop.ReasonMalformed, claim("more", strings.Repeat("a", 4096))},
		"algorithm of a word": {dpop.ReasonMalformed, func(header, _ map[string]any) { header["alg"] = "ES512" }},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := s.Verify(sent(key.Proof(t, "GET", address, now, token, c.change)))
			if reason := reasonOf(t, err); reason != c.want {
				t.Errorf("%q, want %q", reason, c.want)
			}
			if (got.Key == key.Thumbprint(t)) != (c.want == "") {
				t.Errorf("by key %q", got.Key)
			}
		})
	}
	good := key.Proof(t, "GET", address, now, token, nil)
	for name, proofs := range map[string][]string{
		dpop.ReasonMissing: nil, "two": {good, good}, "line break": {good + "\n"}, "rubbish": {"rubbish"}, "empty": {""}, "three dots": {"..."},
		"signature cut": {good[:strings.LastIndexByte(good, '.')+1]}, "padded": {good + "="},
	} {
		want := dpop.ReasonMalformed
		if name == dpop.ReasonMissing {
			want = name
		}
		if _, err := s.Verify(sent(proofs...)); reasonOf(t, err) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Where there is no token nothing names one, and what does is no fault.
	plain := sent(good)
	plain.Token = ""
	if _, err := s.Verify(plain); err != nil {
		t.Error(err)
	}
}

// A key is good for the methods of its kind alone, and whoever checks a proof cannot make one.
func TestProof_AlgorithmConfusion(t *testing.T) {
	s := dpop.NewService(nil, clock.NewManual(now), base)
	weak, small := rsaKey(t, 1024), rsaKey(t, 2048)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, other := dpoptest.NewKey(t), dpoptest.NewKey(t)
	for name, c := range map[string]struct {
		key  dpoptest.Key
		want string
	}{
		"RS256": {dpoptest.Key{Signer: small, Method: jwt.SigningMethodRS256}, ""},
		"PS256": {dpoptest.Key{Signer: small, Method: jwt.SigningMethodPS256}, ""},
		"RS384": {dpoptest.Key{Signer: small, Method: jwt.SigningMethodRS384}, dpop.ReasonMalformed},
		"weak":  {dpoptest.Key{Signer: weak, Method: jwt.SigningMethodRS256}, dpop.ReasonMalformed},
		"P-384": {dpoptest.Key{Signer: p384, Method: jwt.SigningMethodES384}, dpop.ReasonMalformed},
	} {
		_, err := s.Verify(sent(c.key.Proof(t, "GET", address, now, token, nil)))
		if got := reasonOf(t, err); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	genuine := key.Proof(t, "GET", address, now, token, nil)
	parts := strings.Split(genuine, ".")
	header := func(change map[string]any) string {
		all := map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": key.Public(t)}
		maps.Copy(all, change)
		encoded, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(encoded)
	}
	hmac := func(change map[string]any, with []byte) string {
		text := header(change) + "." + parts[1]
		sum, err := jwt.SigningMethodHS256.Sign(text, with)
		if err != nil {
			t.Fatal(err)
		}
		return text + "." + base64.RawURLEncoding.EncodeToString(sum)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, proof := range map[string]string{
		"none":             header(map[string]any{"alg": "none"}) + "." + parts[1] + ".",
		"None":             header(map[string]any{"alg": "None"}) + "." + parts[1] + ".",
		"no algorithm":     header(map[string]any{"alg": nil}) + "." + parts[1] + "." + parts[2],
		"HS256, public":    hmac(map[string]any{"alg": "HS256"}, public),
		"HS256, symmetric": hmac(map[string]any{"alg": "HS256", "jwk": map[string]any{"kty": "oct", "k": "c2VjcmV0"}}, []byte("secret")),
		"symmetric key":    header(map[string]any{"jwk": map[string]any{"kty": "oct", "k": "c2VjcmV0"}}) + "." + parts[1] + "." + parts[2],
		"RS256, EC key":    header(map[string]any{"alg": "RS256"}) + "." + parts[1] + "." + parts[2],
		"another's key":    header(map[string]any{"jwk": other.Public(t)}) + "." + parts[1] + "." + parts[2],
		"changed claims":   parts[0] + "." + strings.Split(key.Proof(t, "GET", address, now, token, nil), ".")[1] + "." + parts[2],
		"point off curve": header(map[string]any{"jwk": map[string]any{
			"kty": "EC", "crv": "P-256", "x": strings.Repeat("A", 43), "y": strings.Repeat("A", 43),
		}}) + "." + parts[1] + "." + parts[2],
	} {
		if _, err := s.Verify(sent(proof)); reasonOf(t, err) != dpop.ReasonMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func rsaKey(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A proof is good once, wherever it is shown, and is forgotten when no process takes it any more.
func TestProof_IsGoodOnceOverAllProcesses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		at := clock.NewManual(now)
		processes := []*dpop.Service{dpop.NewService(d, at, base), dpop.NewService(d, at, base)}
		key, other := dpoptest.NewKey(t), dpoptest.NewKey(t)
		named := func(_, claims map[string]any) { claims["jti"] = "one" }
		proof := key.Proof(t, "GET", address, now, token, named)
		var good, used atomic.Int32
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				s := processes[i%2]
				p, err := s.Verify(sent(proof))
				if err == nil {
					err = s.Use(t.Context(), p)
				}
				switch reason := reasonOf(t, err); reason {
				case "":
					good.Add(1)
				case dpop.ReasonUsed:
					used.Add(1)
				default:
					t.Error(reason)
				}
			})
		}
		all.Wait()
		if good.Load() != 1 || used.Load() != 15 {
			t.Errorf("%d were good, %d used", good.Load(), used.Load())
		}
		use := func(key dpoptest.Key) string {
			p, err := processes[0].Verify(sent(key.Proof(t, "GET", address, at.Now(), token, named)))
			if err == nil {
				err = processes[0].Use(t.Context(), p)
			}
			return reasonOf(t, err)
		}
		// The id is the key's: another's does not stand in its way.
		if got := use(other); got != "" {
			t.Error(got)
		}
		kept := func() (n int) {
			if err := d.From(t.Context()).Raw("SELECT COUNT(*) FROM dpop_proofs").Scan(&n).Error; err != nil {
				t.Fatal(err)
			}
			return n
		}
		at.Advance(90 * time.Second)
		if err := processes[1].Purge(t.Context()); err != nil || kept() != 2 {
			t.Errorf("%d kept, %v", kept(), err)
		}
		at.Advance(time.Second)
		if err := processes[1].Purge(t.Context()); err != nil || kept() != 0 {
			t.Errorf("%d kept, %v", kept(), err)
		}
		if _, err := processes[0].Verify(sent(proof)); reasonOf(t, err) != dpop.ReasonTime {
			t.Errorf("forgotten, and good: %v", err)
		}
	})
}

// keptProof is a proof for a read of the address with the token at now. What fuzzes runs in processes of
// its own, so it cannot be made anew.
const keptProof = "eyJhbGciOiJFUzI1NiIs" +
	"Imp3ayI6eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6Ikp4d1VaQ25RQXhSSUh6cnc5QzlOQzk3c0hBQ1ZlN1pKcGxBN1J0" +
	"REI5RTQiLCJ5IjoibHIzb29CdGxmUDQzamZfYmY5YkdNeE9lT2owRmNQUEY1aVFEVTV3X0ZYcyJ9LCJ0eXAiOiJkcG9wK2p3dCJ9" +
	".eyJhdGgiOiJGUGxjTS0xVVhpaXZPWW96cFVycDdkMTE3Sm5LelBGNFlYdVhObmZabWRVIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9kaXJlc2NvLmV4YW1w" +
	"bGUvdjEvbWUiLCJpYXQiOjE3NzM2NTE2MDAsImp0aSI6ImY4YmQyNDc2LTEwZWUtNGJjNS1iZTY5LTU4ZjAxZTI1ZjM5NiJ9" +
	".v5Dxgv28iDXxYa96WcQoCrLzBEuUqUd6cyWAYIvZFWg4X74qXJAVAWrScjAJ5kbyQLQd7OvNNLp4sIpu6l8C-g"

func FuzzVerify(f *testing.F) {
	s := dpop.NewService(nil, clock.NewManual(now), base)
	f.Add(keptProof)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := s.Verify(dpop.Sent{Proofs: []string{text}, Method: "GET", Path: path, Token: secret.Text(token)})
		if (reasonOf(t, err) == "") != (text == keptProof) {
			t.Errorf("%q is a proof: %v", text, err)
		}
	})
}
