package edge

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"diresco/api"
)

// deprecated is an operation of the contract that will go.
func deprecated(t *testing.T, since, sunset any) (*openapi3.T, *openapi3.Operation) {
	t.Helper()
	contract, err := api.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	o := contract.Paths.Value("/offices").Get
	o.Deprecated = true
	for name, value := range map[string]any{sinceExtension: since, sunsetExtension: sunset} {
		if value != nil {
			o.Extensions[name] = value
		}
	}
	return contract, o
}

func TestDeprecation_IsAnnouncedWithEachAnswer(t *testing.T) {
	contract, _ := deprecated(t, "2027-01-15", "2028-06-30")
	operations, err := readOperations(contract)
	if err != nil {
		t.Fatal(err)
	}
	e := &edge{config: Config{PublicURL: "https://diresco.example"}, operations: operations}
	announced := func(path string) http.Header {
		answer := httptest.NewRecorder()
		c := echo.New().NewContext(httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil), answer)
		c.SetPath(path)
		if err := e.findOperation(&request{c: c}); err != nil {
			t.Fatal(err)
		}
		return answer.Header()
	}
	// It stands there before anything can be refused.
	h := announced("/v1/offices")
	if h.Get("Deprecation") != "@1799971200" || h.Get("Sunset") != "Fri, 30 Jun 2028 00:00:00 GMT" ||
		h.Get("Link") != `<https://diresco.example/docs#/Offices/listOffices>; rel="deprecation"; type="text/html"` {
		t.Errorf("%v", h)
	}
	for _, path := range []string{"/v1/status", "/v1/nothing", "/docs"} {
		if h := announced(path); h.Get("Deprecation") != "" || h.Get("Sunset") != "" || h.Get("Link") != "" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

// A contract that would surprise callers stops the start.
func TestDeprecation_GivesAYear(t *testing.T) {
	for name, c := range map[string]struct {
		since, sunset any
		want          string
	}{
		"a year":            {since: "2027-01-15", sunset: "2028-01-15"},
		"less than a year":  {since: "2027-01-15", sunset: "2028-01-14", want: "sooner than a year"},
		"no end":            {since: "2027-01-15", want: "x-sunset: a day is needed"},
		"no beginning":      {sunset: "2028-01-15", want: "x-deprecated-since: a day is needed"},
		"an instant":        {since: "2027-01-15T00:00:00Z", sunset: "2028-01-15", want: "x-deprecated-since: a day is needed"},
		"a number of a day": {since: 20270115, sunset: "2028-01-15", want: "x-deprecated-since: json"},
	} {
		contract, _ := deprecated(t, c.since, c.sunset)
		if _, err := readOperations(contract); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	contract, o := deprecated(t, "2027-01-15", "2028-01-15")
	o.Deprecated = false
	if _, err := readOperations(contract); err == nil || !strings.Contains(err.Error(), "for operations that are deprecated") {
		t.Errorf("days of an operation that stays: %v", err)
	}
}
