package spid_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/spid"
)

// FuzzMetadata looks whether metadata that were fetched can end the program.
func FuzzMetadata(f *testing.F) {
	f.Add([]byte(idpMetadata(idpID, key("idp"), "HTTP-Redirect", "HTTP-POST")))
	f.Add([]byte(`<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata"><EntityDescriptor entityID="a"/></EntitiesDescriptor>`))
	f.Add([]byte(`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`))
	var w *world
	f.Fuzz(func(t *testing.T, metadata []byte) {
		if w == nil {
			w = plain(t)
		}
		registry := spid.NewRegistry(spid.Origin{Kind: federation.SPID})
		if err := w.service.Set(registry, metadata); err == nil && bytes.Contains(metadata, []byte("<!DOCTYPE")) {
			t.Errorf("%q is taken", metadata)
		}
	})
}

// FuzzLogout looks whether a request to log out can end the program, or be taken from nobody.
func FuzzLogout(f *testing.F) {
	f.Add("SAMLRequest=PGEvPg%3D%3D&RelayState=abc", "")
	f.Add("", "SAMLRequest=PGEvPg%3D%3D&SigAlg=http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256&Signature=AAAA")
	f.Add("", "SAMLRequest=fZBBT4QwEIX%2F&RelayState=")
	var w *world
	f.Fuzz(func(t *testing.T, form, query string) {
		if w == nil {
			w = plain(t)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, logoutPlace, nil)
		if form != "" {
			r = httptest.NewRequestWithContext(t.Context(), http.MethodPost, logoutPlace, strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if _, err := url.ParseQuery(query); err != nil {
			return
		}
		r.URL.RawQuery = query
		if _, err := w.service.Logout(r); err == nil {
			t.Errorf("%q and %q are an order of the provider's", form, query)
		}
	})
}
