package oauth

import (
	"bytes"
	"encoding/json"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"diresco/internal/identity/application"
	"diresco/internal/identity/consent"
	"diresco/internal/kernel/access"
)

const (
	// maxState is how many characters of its own an application may get back.
	maxState = 1024
	// maxDetails is how many bytes authorization details have.
	maxDetails = 16 << 10
	// maxContributors is how many contributors they name.
	maxContributors = consent.MostContributors
	everybody       = "all"
	methodS256      = "S256"
)

// challenge is base64url of a SHA-256, as RFC 7636 and RFC 7638 write it.
var challenge = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// request is what an application asks for.
type request struct {
	RedirectURI string
	State       string
	Challenge   string
	Scopes      []string
	Details     []Detail
	Language    string
	// Key is the thumbprint of the key that the code is bound to; "" for none.
	Key string
}

// readRequest reads an authorization request. With a refusal, the request has a redirect URI only
// if it is one of the application's: then the refusal may go there.
func (s *Service) readRequest(app application.Application, values url.Values) (request, *Refusal) {
	var asked request
	redirectURI := parameter(values, "redirect_uri")
	switch {
	case redirectURI == "":
		return asked, refuse(invalidRequest, "redirect_uri is missing")
	case !app.AllowsRedirect(redirectURI):
		return asked, refuse(invalidRequest, "redirect_uri is not one that was registered")
	}
	asked.RedirectURI = redirectURI
	if len(values["state"]) == 1 && len(values["state"][0]) <= maxState {
		asked.State = values["state"][0]
	}
	if refusal := misformed(values); refusal != nil {
		return asked, refusal
	}
	if refusal := checkRequest(values); refusal != nil {
		return asked, refusal
	}
	asked.Challenge, asked.Key = parameter(values, "code_challenge"), parameter(values, "dpop_jkt")
	return asked, s.readScope(app, values, &asked)
}

// checkRequest looks at what every request for a code must say.
func checkRequest(values url.Values) *Refusal {
	responseType, method := parameter(values, "response_type"), parameter(values, "code_challenge_method")
	switch mode := parameter(values, "response_mode"); {
	case parameter(values, "request") != "":
		return refuse(requestNotSupported, "signed request objects are not taken: push the request instead")
	case responseType == "":
		return refuse(invalidRequest, "response_type is missing")
	case responseType != "code":
		return refuse(unsupportedResponse, "response_type is code and nothing else")
	case mode != "" && mode != "query":
		return refuse(invalidRequest, "response_mode is query and nothing else")
	case len(parameter(values, "state")) > maxState:
		return refuse(invalidRequest, "state is too long")
	case parameter(values, "code_challenge") == "":
		return refuse(invalidRequest, "code_challenge is missing: every client uses PKCE")
	case method != methodS256:
		return refuse(invalidRequest, "code_challenge_method is S256 and nothing else")
	case !challenge.MatchString(parameter(values, "code_challenge")):
		return refuse(invalidRequest, "code_challenge is not base64url of a SHA-256")
	case parameter(values, "dpop_jkt") != "" && !challenge.MatchString(parameter(values, "dpop_jkt")):
		return refuse(invalidRequest, "dpop_jkt is not base64url of a SHA-256")
	}
	return nil
}

// readScope reads what an application wants to do: scopes, resource and details.
func (s *Service) readScope(app application.Application, values url.Values, asked *request) *Refusal {
	if refusal := s.checkResource(values); refusal != nil {
		return refusal
	}
	asked.Scopes = strings.Fields(parameter(values, "scope"))
	slices.Sort(asked.Scopes)
	asked.Scopes = slices.Compact(asked.Scopes)
	if len(asked.Scopes) == 0 {
		// Who does not say for how long is not given what lasts.
		asked.Scopes = slices.DeleteFunc(slices.Clone(app.Scopes), func(scope string) bool {
			return scope == access.ScopeOfflineAccess
		})
	}
	if slices.ContainsFunc(asked.Scopes, func(scope string) bool { return !slices.Contains(app.Scopes, scope) }) {
		return refuse(invalidScope, "a scope is not one that the application was registered with")
	}
	if !slices.ContainsFunc(asked.Scopes, func(scope string) bool { return scope != access.ScopeOfflineAccess }) {
		return refuse(invalidScope, "no scope lets the application do anything")
	}
	var refusal *Refusal
	asked.Details, refusal = readDetails(parameter(values, "authorization_details"))
	asked.Language = language(parameter(values, "ui_locales"))
	return refusal
}

// checkResource refuses every resource but this API (RFC 8707).
func (s *Service) checkResource(values url.Values) *Refusal {
	switch strings.TrimSuffix(parameter(values, "resource"), "/") {
	case "", s.issuer, s.audience():
		return nil
	}
	return refuse(invalidTarget, "resource is the address of this API and nothing else")
}

// audience is whom access tokens are for.
func (s *Service) audience() string { return s.issuer + "/v1" }

// language picks the first of the languages that there are.
func language(locales string) string {
	for _, tag := range strings.Fields(locales) {
		switch base, _, _ := strings.Cut(strings.ToLower(tag), "-"); base {
		case "it", "en":
			return base
		}
	}
	return ""
}

// wireDetail is a detail as it is sent.
type wireDetail struct {
	Type         string          `json:"type"`
	Contributors json.RawMessage `json:"contributors,omitempty"`
	Services     []string        `json:"services,omitempty"`
}

// readDetails reads authorization details (RFC 9396). What they have beyond what there is is
// refused: nobody may think that it holds.
func readDetails(text string) ([]Detail, *Refusal) {
	if text == "" {
		return nil, nil
	}
	wrong := func(description string) ([]Detail, *Refusal) { return nil, refuse(invalidDetails, description) }
	if len(text) > maxDetails {
		return wrong("authorization_details are too long")
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	var sent []wireDetail
	if err := decoder.Decode(&sent); err != nil || sent == nil {
		return wrong("authorization_details are not an array of objects with type, contributors and services")
	}
	if _, err := decoder.Token(); err != io.EOF {
		return wrong("something follows authorization_details")
	}
	if len(sent) != 1 || sent[0].Type != DetailType {
		return wrong("authorization_details have one member, of type " + DetailType)
	}
	var d Detail
	if raw := bytes.TrimSpace(sent[0].Contributors); len(raw) > 0 && !bytes.Equal(raw, []byte(`"`+everybody+`"`)) {
		if err := json.Unmarshal(raw, &d.Contributors); err != nil || len(d.Contributors) == 0 || len(d.Contributors) > maxContributors {
			return wrong("contributors are their ids, 100 at most, or the word all")
		}
		slices.SortFunc(d.Contributors, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
		d.Contributors = slices.Compact(d.Contributors)
	}
	if sent[0].Services != nil {
		for _, service := range sent[0].Services {
			d.Services = append(d.Services, access.Service(service))
		}
		if d.Services == nil {
			d.Services = access.ServiceSet{}
		}
		if len(d.Services.Check("")) > 0 {
			return wrong("services are codes of services, each once")
		}
	}
	return []Detail{d}, nil
}

// MarshalJSON writes a detail as applications are shown it.
func (d Detail) MarshalJSON() ([]byte, error) {
	shown := wireDetail{Type: DetailType, Contributors: json.RawMessage(`"` + everybody + `"`)}
	if d.Contributors != nil {
		listed, err := json.Marshal(d.Contributors)
		if err != nil {
			return nil, err
		}
		shown.Contributors = listed
	}
	for _, service := range d.Services.OrAll().List() {
		shown.Services = append(shown.Services, string(service))
	}
	return json.Marshal(shown)
}

// storedDetail is a detail as it is kept: what was not said stays so.
type storedDetail struct {
	Contributors []uuid.UUID       `json:"contributors"`
	Services     access.ServiceSet `json:"services"`
}

// stored are details as they are kept.
func stored(details []Detail) []storedDetail {
	kept := make([]storedDetail, len(details))
	for i, d := range details {
		kept[i] = storedDetail(d)
	}
	return kept
}

func (r row) clientState() string {
	if r.ClientState == nil {
		return ""
	}
	return *r.ClientState
}

// show is the flow as a page shows it.
func (r row) show(app application.Application) Flow {
	f := Flow{
		ID: r.ID, Application: app, Scopes: r.Scopes, Language: r.Language, ExpiresAt: r.ExpiresAt, Device: r.Kind == kindDevice,
	}
	for _, d := range r.Details {
		f.Details = append(f.Details, Detail(d))
	}
	return f
}
