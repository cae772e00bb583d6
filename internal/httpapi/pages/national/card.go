package national

import (
	"errors"
	"net/http"
	"net/url"

	"diresco/internal/httpapi/clientcert"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/card"
	"diresco/internal/platform/fault"
)

// card takes the certificate that a browser shows at the cards' own address, and leads back to where
// the login was begun. Elsewhere there is no such page.
func (s *site) card(w http.ResponseWriter, r *http.Request) error {
	presented, err := clientcert.Of(r.Context())
	switch {
	case !clientcert.Asked(r.Context()):
		return fault.New(fault.NotFound)
	case !navigated(r):
		return card.Refused(fault.Forbidden, card.ReasonOrigin)
	case err != nil && !missing(err):
		return err
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(query) != 1 || len(query["state"]) != 1 {
		return fault.New(fault.Malformed)
	}
	// Of what a client wrote the state alone goes on.
	values := card.Shown(presented.Leaf, presented.Others)
	values["state"] = query["state"]
	return s.answer(w, r, federation.Certificate, "state", values)
}

// navigated reports whether the browser opens the page as such. It shows a certificate by itself, so
// scripts and pictures of other pages must not make it do so. Old browsers do not tell.
func navigated(r *http.Request) bool {
	mode, into := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	return (mode == "" || mode == "navigate") && (into == "" || into == "document")
}

// missing reports whether a request came without a certificate.
func missing(err error) bool {
	var f *fault.Fault
	return errors.As(err, &f) && f.Reason == card.ReasonMissing
}
