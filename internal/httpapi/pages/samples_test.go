package pages

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// The main operations are shown in three languages. That they work is shown where there is a
// sandbox, by those that are served.
func TestSamples_AreThereForTheMainOperations(t *testing.T) {
	w := newWorld(t, Config{})
	var served map[string][]sample
	if err := json.Unmarshal(w.do(http.MethodGet, "/assets/samples.json").Body.Bytes(), &served); err != nil {
		t.Fatal(err)
	}
	if len(served) < 10 {
		t.Errorf("%d operations are shown in code", len(served))
	}
	for id, s := range served {
		if len(s) != 3 || s[0].Label != "curl" || s[1].Label != "Go" || s[2].Label != "TypeScript" {
			t.Errorf("%s: %+v", id, s)
		}
	}
	for _, want := range []string{
		`"$API/contributors/$CONTRIBUTOR_ID/declarations"`, `-H "Authorization: Bearer $TOKEN"`, `-H "Idempotency-Key: $KEY"`,
		`"position_id": "$POSITION_ID"`,
	} {
		if got := served["draftDeclaration"][0].Source; !strings.Contains(got, want) {
			t.Errorf("%q is missing: %s", want, got)
		}
	}
	if strings.Contains(served["startSession"][0].Source, "$TOKEN") {
		t.Error("the login sends a token")
	}
}

// Only the sandbox offers to log in with a click.
func TestDocs_OfferTheLoginInTheSandboxAlone(t *testing.T) {
	const button = `id="login"`
	if body := newWorld(t, Config{Sandbox: true}).do(http.MethodGet, "/docs").Body.String(); !strings.Contains(body, button) {
		t.Error("the sandbox offers no login")
	}
	if body := newWorld(t, Config{}).do(http.MethodGet, "/docs").Body.String(); strings.Contains(body, button) {
		t.Error("a service offers the login of test people")
	}
}

// Whoever reads in the dark has dark pages.
func TestPages_FollowTheReadersColours(t *testing.T) {
	w := newWorld(t, Config{})
	for _, style := range []string{"/assets/style.css", "/assets/docs.css"} {
		if body := w.do(http.MethodGet, style).Body.String(); !strings.Contains(body, "@media (prefers-color-scheme: dark)") {
			t.Errorf("%s is always light", style)
		}
	}
}
