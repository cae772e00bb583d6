package spid_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/spid"
)

// logoutRequest is what a provider sends when somebody logs out there.
func logoutRequest(at time.Time, destination string) *saml.LogoutRequest {
	return &saml.LogoutRequest{
		ID: "_logout", Version: "2.0", IssueInstant: at, Destination: destination,
		Issuer: &saml.Issuer{Value: idpID, Format: "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"},
		NameID: &saml.NameID{Format: string(saml.TransientNameIDFormat), NameQualifier: idpID, Value: "_name"},
	}
}

// posted is the request as a form, signed by somebody.
func posted(t *testing.T, r *saml.LogoutRequest, by string) *http.Request {
	t.Helper()
	document := etree.NewDocument()
	document.SetRoot(r.Element())
	if by != "" {
		sign(t, document.Root(), key(by))
	}
	content, err := document.WriteToBytes()
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString(content)}, "RelayState": {"abc"}}
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, spid.LogoutPath, strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := request.ParseForm(); err != nil {
		t.Fatal(err)
	}
	return request
}

// redirected is the request as a redirect, signed by the provider.
func redirected(t *testing.T, r *saml.LogoutRequest) *http.Request {
	t.Helper()
	query := "SAMLRequest=" + url.QueryEscape(r.Redirect("").Query().Get("SAMLRequest")) + "&RelayState=abc&SigAlg=" +
		url.QueryEscape(dsig.RSASHA256SignatureMethod)
	by := key("idp")
	context, err := dsig.NewSigningContext(by.Key, [][]byte{by.Certificate.Raw})
	if err != nil {
		t.Fatal(err)
	}
	signature, err := context.SignString(query)
	if err != nil {
		t.Fatal(err)
	}
	query += "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(signature))
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, spid.LogoutPath+"?"+query, http.NoBody)
	if err := request.ParseForm(); err != nil {
		t.Fatal(err)
	}
	return request
}

func TestLogout_IsAnsweredWithSuccess(t *testing.T) {
	for binding, w := range map[string]*world{"HTTP-Redirect": plain(t), "HTTP-POST": newWorld(t, config(), federation.SPID, "HTTP-POST")} {
		for name, request := range map[string]*http.Request{
			"form":     posted(t, logoutRequest(w.clock.Now(), logoutPlace), "idp"),
			"redirect": redirected(t, logoutRequest(w.clock.Now(), logoutPlace)),
		} {
			d, err := w.service.Logout(request)
			if err != nil {
				t.Errorf("%s, answered by %s: %v", name, binding, err)
				continue
			}
			m := w.message(d, "SAMLResponse")
			issuer := m.FindElement("./Issuer")
			if m.Tag != "LogoutResponse" || m.SelectAttrValue("InResponseTo", "") != "_logout" ||
				m.SelectAttrValue("Destination", "") != "https://idp.example.it/logged-out" ||
				m.FindElement("./Status/StatusCode").SelectAttrValue("Value", "") != saml.StatusSuccess ||
				issuer.SelectAttrValue("NameQualifier", "") != entityID || issuer.Text() != entityID {
				t.Errorf("%s, answered by %s: %s", name, binding, m.Tag)
			}
			if binding == "HTTP-POST" {
				verify(t, m)
				if d.URL != "https://idp.example.it/logged-out" || d.Form[1] != (federation.Field{Name: "RelayState", Value: "abc"}) {
					t.Errorf("%s: posted to %s", name, d.URL)
				}
				continue
			}
			checkQuery(t, d.URL, "SAMLResponse")
			if !strings.HasPrefix(d.URL, "https://idp.example.it/logged-out?") {
				t.Errorf("%s: sent to %s", name, d.URL)
			}
		}
	}
}

func TestLogout_WhatIsNoProvidersIsRefused(t *testing.T) {
	w := plain(t)
	now := w.clock.Now()
	changed := redirected(t, logoutRequest(now, logoutPlace))
	changed.URL.RawQuery = strings.Replace(changed.URL.RawQuery, "RelayState=abc", "RelayState=abd", 1)
	long := posted(t, logoutRequest(now, logoutPlace), "idp")
	long.Form.Set("RelayState", strings.Repeat("a", 81))
	large, stranger := logoutRequest(now, logoutPlace), logoutRequest(now, logoutPlace)
	large.NameID.Value, stranger.Issuer.Value = strings.Repeat("a", 64<<10), "https://stranger.example.org"
	for name, request := range map[string]*http.Request{
		"larger than allowed":  redirected(t, large),
		"of nobody we know":    redirected(t, stranger),
		"not signed":           posted(t, logoutRequest(now, logoutPlace), ""),
		"signed by a stranger": posted(t, logoutRequest(now, logoutPlace), "stranger"),
		"to another place":     posted(t, logoutRequest(now, "https://other.example.org/logout"), "idp"),
		"old":                  posted(t, logoutRequest(now.Add(-time.Hour), logoutPlace), "idp"),
		"from the future":      posted(t, logoutRequest(now.Add(time.Hour), logoutPlace), "idp"),
		"changed on its way":   changed,
		"with a long state":    long,
		"nothing":              httptest.NewRequestWithContext(t.Context(), http.MethodGet, spid.LogoutPath, http.NoBody),
	} {
		if request.Form == nil {
			if err := request.ParseForm(); err != nil {
				t.Fatal(err)
			}
		}
		if d, err := w.service.Logout(request); !errors.Is(err, spid.ErrLogout) || d.URL != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
