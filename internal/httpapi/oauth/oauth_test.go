package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	handlers "diresco/internal/httpapi/oauth"
	"diresco/internal/httpapi/pages"
	"diresco/internal/identity/oauth"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// server answers as it is told.
type server struct {
	tokens     oauth.Tokens
	inspection oauth.Inspection
	err        error
	form       url.Values
	proofs     []string
}

func (s *server) Metadata() oauth.Metadata { return oauth.MetadataOf("https://diresco.test") }

func (s *server) Push(_ context.Context, post oauth.Post) (oauth.Pushed, error) {
	s.form, s.proofs = post.Form, post.Proofs
	return oauth.Pushed{RequestURI: "urn:a", ExpiresIn: time.Minute}, s.err
}

func (s *server) Exchange(_ context.Context, post oauth.Post) (oauth.Tokens, error) {
	s.form, s.proofs = post.Form, post.Proofs
	return s.tokens, s.err
}

func (s *server) AuthorizeDevice(_ context.Context, post oauth.Post) (oauth.Device, error) {
	s.form, s.proofs = post.Form, post.Proofs
	return oauth.Device{
		DeviceCode: "d", UserCode: "BCDF-GHJK", VerificationURI: "https://diresco.test/oauth2/device", ExpiresIn: 10 * time.Minute,
		Interval: 5 * time.Second,
	}, s.err
}

func (s *server) Inspect(_ context.Context, post oauth.Post) (oauth.Inspection, error) {
	s.form, s.proofs = post.Form, post.Proofs
	return s.inspection, s.err
}

func (s *server) Revoke(_ context.Context, post oauth.Post) error {
	s.form, s.proofs = post.Form, post.Proofs
	return s.err
}

func endpoint(t *testing.T, s *server, path string) pages.Page {
	t.Helper()
	all, err := handlers.New(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.Pattern == path {
			return p
		}
	}
	t.Fatalf("nothing is at %s", path)
	return pages.Page{}
}

func post(t *testing.T, s *server, path, body string, change func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
	if change != nil {
		change(request)
	}
	answer := httptest.NewRecorder()
	if err := endpoint(t, s, path).Serve(answer, request); err != nil {
		t.Fatal(err)
	}
	return answer
}

// members are those of an answer; the test ends when one of them is empty.
func members(t *testing.T, answer *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	if got := answer.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %s", got)
	}
	var all map[string]any
	if err := json.Unmarshal(answer.Body.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	for name, value := range all {
		if value == nil || value == "" || value == 0.0 {
			t.Errorf("%s is empty", name)
		}
	}
	return all
}

// A device is told where to type its code and never a link that brings it along: who sends such a link
// to somebody has their own device let in.
func TestOAuthEndpoints_NoLinkBringsTheCodeOfADevice(t *testing.T) {
	shown := members(t, post(t, &server{}, oauth.DevicePath, "a=b", nil))
	if _, given := shown["verification_uri_complete"]; given {
		t.Error("there is a complete link")
	}
	code, _ := shown["user_code"].(string)
	for name, value := range shown {
		if text, _ := value.(string); name != "user_code" && (code == "" || holdsCode(text, code)) {
			t.Errorf("%s holds the code: %q", name, text)
		}
	}
}

// holdsCode reports whether a text has a code in it, however that is written.
func holdsCode(text, code string) bool {
	plain := strings.NewReplacer("-", "", "%2D", "", "%2d", "", " ", "", "+", "")
	return strings.Contains(strings.ToUpper(plain.Replace(text)), strings.ToUpper(plain.Replace(code)))
}

func TestOAuthEndpoints_HaveNoEmptyMembers(t *testing.T) {
	detail := &oauth.Detail{Services: access.ServiceSet{access.Declarations}}
	for name, one := range map[string]struct {
		path string
		s    *server
		want string
	}{
		"tokens": {oauth.TokenPath, &server{tokens: oauth.Tokens{
			AccessToken: "a", RefreshToken: "r", ExpiresIn: time.Minute, Scopes: []string{"declarations", "events"}, Granted: detail,
		}}, `{"access_token":"a","authorization_details":[{"contributors":"all","services":["declarations"],"type":"diresco_access"}],` +
			`"expires_in":60,"refresh_token":"r","scope":"declarations events","token_type":"Bearer"}`},
		"online tokens": {
			oauth.TokenPath, &server{tokens: oauth.Tokens{AccessToken: "a", ExpiresIn: time.Minute, Scopes: []string{"events"}}},
			`{"access_token":"a","expires_in":60,"scope":"events","token_type":"Bearer"}`,
		},
		"pushed": {oauth.PushPath, &server{}, `{"expires_in":60,"request_uri":"urn:a"}`},
		"device": {oauth.DevicePath, &server{}, `{"device_code":"d","expires_in":600,"interval":5,"user_code":"BCDF-GHJK",` +
			`"verification_uri":"https://diresco.test/oauth2/device"}`},
		"no token": {oauth.IntrospectionPath, &server{}, `{"active":false}`},
		"token": {oauth.IntrospectionPath, &server{inspection: oauth.Inspection{
			Active: true, ClientID: "c", PersonID: uuid.UUID{1}, Scopes: []string{"events"}, IssuedAt: time.Unix(10, 0), ExpiresAt: time.Unix(20, 0),
			Audience: "https://diresco.test/v1", Access: true,
		}}, `{"active":true,"aud":"https://diresco.test/v1","client_id":"c","exp":20,"iat":10,"iss":"https://diresco.test","scope":"events",` +
			`"sub":"01000000-0000-0000-0000-000000000000","token_type":"Bearer"}`},
	} {
		got, err := json.Marshal(members(t, post(t, one.s, one.path, "a=b", nil)))
		if err != nil || string(got) != one.want {
			t.Errorf("%s: %s, not %s", name, got, one.want)
		}
	}
	if answer := post(t, &server{}, oauth.RevocationPath, "token=a", nil); answer.Code != http.StatusOK || answer.Body.Len() != 0 {
		t.Errorf("revocation: %d %s", answer.Code, answer.Body)
	}
	if answer := post(t, &server{}, oauth.PushPath, "", nil); answer.Code != http.StatusCreated {
		t.Errorf("push: %d", answer.Code)
	}
}

func TestOAuthEndpoints_AnswerErrorsAsPlainJSON(t *testing.T) {
	refusal := &oauth.Refusal{Code: "invalid_client", Description: "who is that", Status: http.StatusUnauthorized, RetryAfter: 1500 * time.Millisecond}
	answer := post(t, &server{err: refusal}, oauth.TokenPath, "a=b", nil)
	if got := members(t, answer); answer.Code != http.StatusUnauthorized || got["error"] != "invalid_client" || got["error_description"] != "who is that" ||
		answer.Header().Get("WWW-Authenticate") != "" || answer.Header().Get("Retry-After") != "2" {
		t.Errorf("%d %v %v", answer.Code, got, answer.Header())
	}
	// An outage is none of the protocol's errors.
	broken := errors.New("the database is away")
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, oauth.TokenPath, strings.NewReader(""))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	page := endpoint(t, &server{err: broken}, oauth.TokenPath)
	if err := page.Serve(httptest.NewRecorder(), request); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	for code, one := range map[fault.Code]struct {
		status int
		error  string
	}{
		fault.MethodNotAllowed: {http.StatusMethodNotAllowed, "invalid_request"},
		fault.RateLimited:      {http.StatusTooManyRequests, "temporarily_unavailable"},
		fault.Unavailable:      {http.StatusServiceUnavailable, "temporarily_unavailable"},
		fault.Internal:         {http.StatusInternalServerError, "server_error"},
	} {
		answer := httptest.NewRecorder()
		page.Refuse(answer, request, fault.New(code), one.status)
		if got := members(t, answer); answer.Code != one.status || got["error"] != one.error {
			t.Errorf("%s: %d %v", code, answer.Code, got)
		}
	}
}

func TestOAuthEndpoints_TakeFormsAndNothingElse(t *testing.T) {
	for name, one := range map[string]struct {
		body   string
		change func(*http.Request)
		error  string
	}{
		"JSON":     {`{"a":"b"}`, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, "invalid_request"},
		"untyped":  {"a=b", func(r *http.Request) { r.Header.Del("Content-Type") }, "invalid_request"},
		"too long": {"a=" + strings.Repeat("b", 64<<10), nil, "invalid_request"},
		"broken":   {"a=%zz", nil, "invalid_request"},
		"password": {"a=b", func(r *http.Request) { r.SetBasicAuth("web", "a secret") }, "invalid_client"},
	} {
		s := &server{}
		answer := post(t, s, oauth.TokenPath, one.body, one.change)
		if got := members(t, answer); got["error"] != one.error || answer.Code/100 != 4 || s.form != nil {
			t.Errorf("%s: %d %v", name, answer.Code, got)
		}
	}
	s := &server{}
	post(t, s, oauth.TokenPath, "a="+strings.Repeat("b", 64<<10-2), func(r *http.Request) { r.URL.RawQuery = "client_id=web" })
	if len(s.form.Get("a")) != 64<<10-2 || s.form.Has("client_id") {
		t.Error("the form is not what was posted")
	}
}

func TestOAuthMetadata_SayWhatWorks(t *testing.T) {
	answer := httptest.NewRecorder()
	page := endpoint(t, &server{}, oauth.MetadataPath)
	if err := page.Serve(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, oauth.MetadataPath, nil)); err != nil {
		t.Fatal(err)
	}
	if answer.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Error("not every origin may read them")
	}
	var got map[string]any
	if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got["issuer"] != "https://diresco.test" || got["authorization_response_iss_parameter_supported"] != true {
		t.Errorf("got %v", got)
	}
	all, err := handlers.New(&server{})
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{oauth.AuthorizePath: true}
	for _, p := range all {
		served[p.Pattern] = true
	}
	for name, value := range got {
		if !strings.HasSuffix(name, "_endpoint") {
			continue
		}
		if path := strings.TrimPrefix(value.(string), "https://diresco.test"); !served[path] {
			t.Errorf("%s is %v, where nothing is", name, value)
		}
	}
	want := map[string]string{
		"code_challenge_methods_supported":                 `["S256"]`,
		"response_types_supported":                         `["code"]`,
		"token_endpoint_auth_methods_supported":            `["none","private_key_jwt"]`,
		"token_endpoint_auth_signing_alg_values_supported": `["ES256","RS256"]`,
		"grant_types_supported":                            `["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:device_code"]`,
		"authorization_details_types_supported":            `["diresco_access"]`,
	}
	for name, value := range want {
		if text, err := json.Marshal(got[name]); err != nil || string(text) != value {
			t.Errorf("%s: %s", name, text)
		}
	}
}
