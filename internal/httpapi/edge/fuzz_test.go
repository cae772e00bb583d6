package edge

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"diresco/internal/httpapi/problem"
)

// FuzzHeaders looks whether what stands in a header can end the program, or choose what there is not.
func FuzzHeaders(f *testing.F) {
	f.Add("en-GB,en;q=0.9,it;q=0.1", "application/pdf, application/json;q=0.5", "203.0.113.66:4711, [2001:db8::1%eth0]:80")
	f.Add("*;q=0", "*/*;q=1e309", `"unknown", for=`)
	f.Add("i-klingon,x-a,und-u-va-posix", "application/json;q=NaN,a/b;c=\"", "::ffff:10.0.0.1")
	produces := []string{"application/json", "application/pdf"}
	f.Fuzz(func(t *testing.T, acceptLanguage, accept, forwarded string) {
		if l := preferredLanguage(acceptLanguage); l != problem.Italian && l != problem.English {
			t.Errorf("%q asks for language %d", acceptLanguage, l)
		}
		if chosen := chooseType([]string{accept}, produces); chosen != "" && !slices.Contains(produces, chosen) {
			t.Errorf("%q is answered with %q", accept, chosen)
		}
		for text := range strings.SplitSeq(forwarded, ",") {
			if a, known := hop(text); known && (!a.IsValid() || a.Zone() != "" || a.Is4In6()) {
				t.Errorf("%q is %s", text, a)
			}
		}
		if fitRequestID(forwarded) && strings.ContainsAny(forwarded, " \r\n\x00\"\\") {
			t.Errorf("%q may stand in the log", forwarded)
		}
	})
}

// FuzzRequest looks whether a request that says anything in its headers, query and path fails.
func FuzzRequest(f *testing.F) {
	f.Add("/v1/declarations/"+aDeclaration.String(), "a=b", "Bearer live", "key-00000001", `"3"`, "application/json")
	f.Add("/v1/offices", "limit=100&cursor=a", "DPoP a.b.c", `"key-00000001"`, "*", "text/plain; charset=\"a")
	f.Add("/v1/me", "%zz&&=&a[]=1", "Basic AAAA", "\x7f", "W/", "")
	f.Fuzz(func(t *testing.T, path, query, authorization, key, tag, kind string) {
		w := newWorld(t)
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete} {
			r := w.request(ask{method: method, path: "/v1/me", body: draftBody})
			r.URL.Path, r.URL.RawPath, r.URL.RawQuery = path, "", query
			for name, value := range map[string]string{
				"Authorization": authorization, "Idempotency-Key": key, "If-Match": tag, "If-None-Match": tag, "Content-Type": kind, "Accept": kind,
			} {
				r.Header.Set(name, value)
			}
			if answer := w.serve(r); answer.Code >= http.StatusInternalServerError || answer.Code < http.StatusOK {
				t.Errorf("%s %q?%q: %d %s", method, path, query, answer.Code, answer.Body)
			}
		}
	})
}
