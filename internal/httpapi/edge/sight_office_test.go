package edge

import (
	"net/http"
	"testing"
)

// What is done for one's own office is not there for the operators of another one.
func TestSight_AnotherOfficeIsNotFoundWhateverIsWrong(t *testing.T) {
	w := newWorld(t)
	w.guard.office = "7000"
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for name, path := range map[string]string{"parameter": "?x=y", "body": ""} {
			for office, want := range map[string]int{"7000": http.StatusBadRequest, "4900": http.StatusNotFound} {
				if method == http.MethodGet && name == "body" {
					continue
				}
				asked := ask{method: method, path: "/v1/backoffice/offices/" + office + "/slots" + path, token: "live"}
				if method == http.MethodPost {
					asked.body, asked.header = `{`, map[string]string{"Idempotency-Key": "key-00000001"}
				}
				if got := w.do(asked); got.Code != want {
					t.Errorf("%s of %s, a wrong %s: %d, want %d: %s", method, office, name, got.Code, want, got.Body)
				}
			}
		}
	}
}
