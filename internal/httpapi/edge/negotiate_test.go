package edge

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"
)

// A media type may be written in capital letters, which the generated code does not read.
func TestNegotiate_JSONBesideAFormIsReadHoweverItIsWritten(t *testing.T) {
	op := &operation{form: &formRule{}, body: &openapi3.Schema{}, consumes: []string{formType, jsonType}}
	for sent, want := range map[string]string{
		"Application/JSON; charset=UTF-8":  "application/json",
		"application/json":                 "application/json",
		"multipart/form-data; boundary=xY": "multipart/form-data; boundary=xY",
	} {
		asked := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/x", strings.NewReader("{}"))
		asked.Header.Set("Content-Type", sent)
		r := &request{op: op, c: echo.New().NewContext(asked, httptest.NewRecorder())}
		if err := (&edge{}).negotiate(r); err != nil || r.c.Request().Header.Get("Content-Type") != want {
			t.Errorf("%s became %s, %v", sent, r.c.Request().Header.Get("Content-Type"), err)
		}
	}
}
