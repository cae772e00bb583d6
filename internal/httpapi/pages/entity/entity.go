// Package entity serves what the installation says as a member of an OpenID federation. Programs of
// other members read it, without logging in.
package entity

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"diresco/internal/httpapi/pages"
	"diresco/internal/identity/federation/openid"
	"diresco/internal/identity/federation/openid/trust"
	"diresco/internal/platform/fault"
)

// maxParameter is how long a parameter may be.
const maxParameter = 1000

// Member is the installation in its federation; see openid.Source.
type Member interface {
	Configuration() (string, error)
	Resolve(ctx context.Context, subject, anchor, typ string) (string, error)
}

// New returns the places at which others ask.
func New(member Member) []pages.Page {
	return []pages.Page{
		{Pattern: trust.WellKnown, Serve: func(w http.ResponseWriter, _ *http.Request) error {
			signed, err := member.Configuration()
			return write(w, signed, openid.StatementMedia, err)
		}},
		{Pattern: openid.ResolvePath, Serve: func(w http.ResponseWriter, r *http.Request) error {
			query := r.URL.Query()
			// Drafts of the standard had other names.
			either := func(name, before string) string {
				if query.Has(name) {
					return query.Get(name)
				}
				return query.Get(before)
			}
			subject, anchor, typ := query.Get("sub"), either("trust_anchor", "anchor"), either("entity_type", "type")
			if subject == "" || anchor == "" || len(subject)+len(anchor)+len(typ) > maxParameter {
				return refuse(w, http.StatusBadRequest, "invalid_request", "sub and trust_anchor are needed")
			}
			signed, err := member.Resolve(r.Context(), subject, anchor, typ)
			return write(w, signed, openid.ResolveMedia, err)
		}},
	}
}

// write answers with a signed text, or says as the standard does why there is none.
func write(w http.ResponseWriter, signed, media string, err error) error {
	var f *fault.Fault
	switch {
	case errors.As(err, &f) && f.Code == fault.NotFound:
		return refuse(w, http.StatusNotFound, "not_found", "there is nothing to say about this entity")
	case errors.As(err, &f) && f.Code == fault.Unavailable:
		return refuse(w, http.StatusServiceUnavailable, "temporarily_unavailable", "the trust chain cannot be verified now")
	case err != nil:
		return err
	}
	w.Header().Set("Content-Type", media)
	_, err = w.Write([]byte(signed)) //nolint:gosec // a signed text of a type that no browser shows as a page
	return err
}

func refuse(w http.ResponseWriter, status int, code, description string) error {
	encoded, err := json.Marshal(map[string]string{"error": code, "error_description": description})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err = w.Write(encoded)
	return err
}
