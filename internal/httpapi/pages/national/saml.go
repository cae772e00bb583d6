package national

import (
	"errors"
	"net/http"

	"diresco/internal/httpapi/pages"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/spid"
	"diresco/internal/platform/fault"
)

// maxLogout is how many bytes a request for logout has.
const maxLogout = 64 << 10

// forProviders are the pages that providers of SPID and CIE ask for.
func (s *site) forProviders() []pages.Page {
	return []pages.Page{
		{Pattern: spid.MetadataPath, Serve: s.metadata},
		{Pattern: spid.LogoutPath, Methods: []string{http.MethodGet, http.MethodHead, http.MethodPost}, Serve: s.logout, Refuse: s.refuse},
	}
}

// metadata shows what providers register of this service.
func (s *site) metadata(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "application/samlmetadata+xml")
	h.Set("Cache-Control", "public, max-age=300")
	h.Del("Content-Language")
	_, err := w.Write(s.saml.Metadata(federation.SPID))
	return err
}

// logout answers a provider by way of the browser.
func (s *site) logout(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxLogout)
	if len(r.URL.RawQuery) > maxLogout || r.ParseForm() != nil {
		return fault.New(fault.Malformed)
	}
	departure, err := s.saml.Logout(r)
	if errors.Is(err, spid.ErrLogout) {
		return fault.New(fault.Malformed)
	}
	if err != nil {
		return err
	}
	if departure.Form != nil {
		return s.leave(w, r, "logout", "", departure)
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Location", departure.URL)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}
