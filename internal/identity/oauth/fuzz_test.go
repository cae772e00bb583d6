package oauth_test

import (
	"errors"
	"net/url"
	"testing"

	"diresco/internal/identity/oauth"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
)

// FuzzEndpoints looks whether a form that anybody sends can fail, give a token, or begin what nobody
// asked for.
func FuzzEndpoints(f *testing.F) {
	f.Add("grant_type=authorization_code&code=a&client_id=b&redirect_uri=c&code_verifier=d")
	f.Add("grant_type=refresh_token&refresh_token=a&client_id=b")
	f.Add("client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer" +
		"&client_assertion=eyJhbGciOiJub25lIn0.e30.&token=a")
	f.Add("client_id=b&response_type=code&redirect_uri=https%3A%2F%2Fa&scope=declarations&code_challenge_method=plain&request_uri=urn%3Aa")
	f.Add("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=a&client_id=a&client_id=b")
	d := dbtest.Open(f, dbtest.SQLite(f))
	var w *fixture
	f.Fuzz(func(t *testing.T, text string) {
		form, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		if w == nil {
			w = begin(t, d)
		}
		post := oauth.Post{Form: form}
		for name, call := range map[string]func() error{
			"token":     func() error { _, err := w.server.Exchange(t.Context(), post); return err },
			"push":      func() error { _, err := w.server.Push(t.Context(), post); return err },
			"device":    func() error { _, err := w.server.AuthorizeDevice(t.Context(), post); return err },
			"inspect":   func() error { _, err := w.server.Inspect(t.Context(), post); return err },
			"revoke":    func() error { return w.server.Revoke(t.Context(), post) },
			"authorize": func() error { _, err := w.server.Begin(t.Context(), form, browser); return err },
		} {
			var refused *oauth.Refusal
			var known *fault.Fault
			if err := call(); err == nil || !errors.As(err, &refused) && !errors.As(err, &known) {
				t.Errorf("%s took %q: %v", name, text, err)
			}
		}
	})
}
