// Package oauth serves the endpoints of the authorization server to applications: they speak the
// forms and errors of OAuth and not those of the contract. The pages that people see are elsewhere.
package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/httpapi/clientcert"
	"diresco/internal/httpapi/pages"
	"diresco/internal/identity/dpop"
	"diresco/internal/identity/oauth"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// maxForm is how many bytes a form has.
const maxForm = 64 << 10

const (
	contentType  = "Content-Type"
	cacheControl = "Cache-Control"
	formType     = "application/x-www-form-urlencoded"
	jsonType     = "application/json"
	// publicFor lets caches keep the metadata, which are the same for everybody.
	publicFor = "public, max-age=300"
)

// Server is the authorization server; see oauth.Service.
type Server interface {
	Metadata() oauth.Metadata
	Push(ctx context.Context, post oauth.Post) (oauth.Pushed, error)
	Exchange(ctx context.Context, post oauth.Post) (oauth.Tokens, error)
	AuthorizeDevice(ctx context.Context, post oauth.Post) (oauth.Device, error)
	Inspect(ctx context.Context, post oauth.Post) (oauth.Inspection, error)
	Revoke(ctx context.Context, post oauth.Post) error
}

// handlers are the endpoints.
type handlers struct{ server Server }

// New returns the endpoints of a server.
func New(server Server) ([]pages.Page, error) {
	metadata, err := json.Marshal(server.Metadata())
	if err != nil {
		return nil, err
	}
	h := handlers{server: server}
	endpoints := map[string]answering{
		oauth.PushPath: h.push, oauth.TokenPath: h.token, oauth.DevicePath: h.device, oauth.IntrospectionPath: h.inspect,
		oauth.RevocationPath: h.revoke,
	}
	all := []pages.Page{{Pattern: oauth.MetadataPath, Serve: func(w http.ResponseWriter, _ *http.Request) error {
		header := w.Header()
		header.Set(cacheControl, publicFor)
		header.Set("Access-Control-Allow-Origin", "*")
		write(w, http.StatusOK, metadata)
		return nil
	}}}
	for path, answer := range endpoints {
		all = append(all, pages.Page{Pattern: path, Methods: []string{http.MethodPost}, Serve: serve(answer), Refuse: refuse, Counts: true})
	}
	return all, nil
}

// answering is an endpoint. Without an answer there is a status alone.
type answering func(ctx context.Context, post oauth.Post) (status int, answer any, err error)

// serve answers a form.
func serve(answer answering) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		form, err := readForm(w, r)
		if err != nil {
			return shown(w, err)
		}
		certificate := clientcert.MutualOf(r.Context())
		status, content, err := answer(r.Context(), oauth.Post{
			Form: form, Proofs: r.Header.Values(dpop.Header), Certificate: certificate.Leaf, Between: certificate.Others,
			IdempotencyKey: r.Header.Get("Idempotency-Key"),
		})
		if err != nil {
			return shown(w, err)
		}
		if content == nil {
			w.Header().Del(contentType)
			w.WriteHeader(status)
			return nil
		}
		encoded, err := json.Marshal(content)
		if err != nil {
			return err
		}
		write(w, status, encoded)
		return nil
	}
}

// readForm reads what was posted. Nothing of the address counts: it stands in logs.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	invalid := func(description string) (url.Values, error) {
		return nil, &oauth.Refusal{Code: "invalid_request", Description: description, Status: http.StatusBadRequest}
	}
	if scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Basic") {
		return nil, oauth.UnknownClient()
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get(contentType)); err != nil || kind != formType {
		return invalid("the body is a form: " + formType)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return invalid("the body is longer than 64 KiB")
	}
	if err != nil {
		return invalid("the body broke off")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return invalid("the body is not a form that can be read")
	}
	return form, nil
}

// problem is an error as OAuth writes it.
type problem struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// shown writes a refusal; what is none is returned.
func shown(w http.ResponseWriter, err error) error {
	var refusal *oauth.Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	encoded, err := json.Marshal(problem{refusal.Code, refusal.Description})
	if err != nil {
		return err
	}
	if refusal.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((refusal.RetryAfter+time.Second-1)/time.Second), 10))
	}
	write(w, refusal.Status, encoded)
	return nil
}

// refuse writes what went wrong beside the protocol. Clients read an error from any answer of this
// form below 500.
func refuse(w http.ResponseWriter, _ *http.Request, f *fault.Fault, status int) {
	p := problem{Error: "invalid_request"}
	switch {
	case f.Code == fault.MethodNotAllowed:
		p.Description = "this endpoint takes POST alone"
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		p.Error, p.Description = "temporarily_unavailable", "try again later"
	case status >= http.StatusInternalServerError:
		p.Error = "server_error"
	}
	w.Header().Del("WWW-Authenticate")
	encoded, err := json.Marshal(p)
	if err != nil {
		encoded = []byte("{}")
	}
	write(w, status, encoded)
}

// write writes an answer of JSON. The status stands already: nobody could be told of an error.
func write(w http.ResponseWriter, status int, encoded []byte) {
	header := w.Header()
	header.Del("Content-Language")
	header.Set(contentType, jsonType)
	w.WriteHeader(status)
	_, _ = w.Write(encoded)
}

// tokenType is how a token is sent.
func tokenType(b access.Binding) string {
	if b.Key != "" {
		return dpop.Scheme
	}
	return "Bearer"
}

// seconds writes a time as OAuth does.
func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func (h handlers) push(ctx context.Context, post oauth.Post) (int, any, error) {
	pushed, err := h.server.Push(ctx, post)
	return http.StatusCreated, struct {
		RequestURI string `json:"request_uri"`
		ExpiresIn  int64  `json:"expires_in"`
	}{pushed.RequestURI.Reveal(), seconds(pushed.ExpiresIn)}, err
}

func (h handlers) token(ctx context.Context, post oauth.Post) (int, any, error) {
	t, err := h.server.Exchange(ctx, post)
	answer := struct {
		AccessToken  string         `json:"access_token"`
		TokenType    string         `json:"token_type"`
		ExpiresIn    int64          `json:"expires_in"`
		RefreshToken string         `json:"refresh_token,omitempty"`
		Scope        string         `json:"scope,omitempty"`
		Details      []oauth.Detail `json:"authorization_details,omitempty"`
	}{
		AccessToken: t.AccessToken.Reveal(), TokenType: tokenType(t.Binding), ExpiresIn: seconds(t.ExpiresIn),
		RefreshToken: t.RefreshToken.Reveal(),
		Scope:        strings.Join(t.Scopes, " "),
	}
	if t.Granted != nil {
		answer.Details = []oauth.Detail{*t.Granted}
	}
	return http.StatusOK, answer, err
}

func (h handlers) device(ctx context.Context, post oauth.Post) (int, any, error) {
	d, err := h.server.AuthorizeDevice(ctx, post)
	return http.StatusOK, struct {
		DeviceCode      string `json:"device_code"`
		UserCode        string `json:"user_code"`
		VerificationURI string `json:"verification_uri"`
		ExpiresIn       int64  `json:"expires_in"`
		Interval        int64  `json:"interval"`
	}{d.DeviceCode.Reveal(), d.UserCode.Reveal(), d.VerificationURI, seconds(d.ExpiresIn), seconds(d.Interval)}, err
}

func (h handlers) inspect(ctx context.Context, post oauth.Post) (int, any, error) {
	i, err := h.server.Inspect(ctx, post)
	if err != nil || !i.Active {
		return http.StatusOK, struct {
			Active bool `json:"active"`
		}{}, err
	}
	answer := struct {
		Active    bool       `json:"active"`
		Scope     string     `json:"scope,omitempty"`
		ClientID  string     `json:"client_id"`
		Subject   *uuid.UUID `json:"sub"`
		TokenType string     `json:"token_type,omitempty"`
		IssuedAt  int64      `json:"iat,omitempty"`
		ExpiresAt int64      `json:"exp,omitempty"`
		Issuer    string     `json:"iss"`
		Audience  string     `json:"aud"`

		Confirmation *session.Confirmation `json:"cnf,omitempty"`
	}{
		Active: true, Scope: strings.Join(i.Scopes, " "), ClientID: i.ClientID, Subject: &i.PersonID, IssuedAt: unix(i.IssuedAt),
		ExpiresAt: unix(i.ExpiresAt), Issuer: h.server.Metadata().Issuer, Audience: i.Audience,
	}
	if i.Access {
		answer.TokenType, answer.Confirmation = tokenType(i.Binding), session.ConfirmationOf(i.Binding)
	}
	return http.StatusOK, answer, nil
}

func (h handlers) revoke(ctx context.Context, post oauth.Post) (int, any, error) {
	return http.StatusOK, nil, h.server.Revoke(ctx, post)
}

// unix is a time as tokens have it; nothing for one that is not known.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
