package oauth_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/oauth"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
)

func TestAuthorization_AnswersNameTheIssuerAndReturnTheState(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("web", nil)
		for name, answer := range map[string]func() url.Values{
			"success": func() url.Values { return f.code(c, nil) },
			"denial": func() url.Values {
				flow, err := f.server.Begin(f.context(), asking(c, nil), browser)
				f.must(err)
				redirect, err := f.server.Deny(f.context(), flow.ID, browser)
				f.must(err)
				return query(t, redirect)
			},
			"error": func() url.Values {
				_, err := f.server.Begin(f.context(), asking(c, url.Values{"scope": {"dossier"}}), browser)
				return query(t, refusalOf(t, err, "invalid_scope").Redirect)
			},
		} {
			if got := answer(); got.Get("iss") != pintest.PublicURL || got.Get("state") != "a state of its own" {
				t.Errorf("%s: %v", name, got)
			}
		}
	})
}

func TestAuthorization_NeedsNoState(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("web", nil)
		for _, state := range []string{"", "x"} {
			got := f.code(c, url.Values{"state": {state}})
			if got.Get("code") == "" || got.Get("state") != state || got.Has("state") != (state != "") {
				t.Errorf("state %q: %v", state, got)
			}
		}
	})
}

func TestAuthorization_WhoCannotBeAnsweredIsShown(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("web", nil)
		suspended := f.register("suspended", func(c *client) { c.State = "suspended" })
		for name, values := range map[string]url.Values{
			"no client":          asking(c, url.Values{"client_id": nil}),
			"unknown client":     asking(c, url.Values{"client_id": {"nobody"}}),
			"suspended client":   asking(suspended, nil),
			"client twice":       asking(c, url.Values{"client_id": {"web", "web"}}),
			"no redirect":        asking(c, url.Values{"redirect_uri": nil}),
			"redirect twice":     asking(c, url.Values{"redirect_uri": {webRedirect, webRedirect}}),
			"other host":         asking(c, url.Values{"redirect_uri": {"https://paghe.example.evil.example/callback"}}),
			"user information":   asking(c, url.Values{"redirect_uri": {"https://paghe.example@evil.example/callback"}}),
			"longer path":        asking(c, url.Values{"redirect_uri": {webRedirect + "/more"}}),
			"dot segments":       asking(c, url.Values{"redirect_uri": {"https://paghe.example/a/../callback"}}),
			"query":              asking(c, url.Values{"redirect_uri": {webRedirect + "?a=b"}}),
			"fragment":           asking(c, url.Values{"redirect_uri": {webRedirect + "#a"}}),
			"case":               asking(c, url.Values{"redirect_uri": {"https://Paghe.example/callback"}}),
			"port":               asking(c, url.Values{"redirect_uri": {"https://paghe.example:8443/callback"}}),
			"plain http":         asking(c, url.Values{"redirect_uri": {"http://paghe.example/callback"}}),
			"localhost by name":  asking(c, url.Values{"redirect_uri": {"http://localhost:4000/callback"}}),
			"loopback elsewhere": asking(c, url.Values{"redirect_uri": {"http://127.0.0.1:4000/other"}}),
			"loopback user":      asking(c, url.Values{"redirect_uri": {"http://127.0.0.1:4000@evil.example/callback"}}),
		} {
			_, err := f.server.Begin(f.context(), values, browser)
			var refusal *oauth.Refusal
			if refusal, _ = err.(*oauth.Refusal); refusal == nil || refusal.Redirect != "" { //nolint:errorlint // as it is made
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := f.server.Begin(f.context(), asking(c, url.Values{"redirect_uri": {"http://127.0.0.1:49152/callback"}}), browser); err != nil {
			t.Errorf("a free port of the loopback: %v", err)
		}
	})
}

func TestAuthorization_TellsTheApplicationWhatItDidWrong(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("web", nil)
		for name, one := range map[string]struct {
			change url.Values
			code   string
		}{
			"no response type":     {url.Values{"response_type": nil}, "invalid_request"},
			"implicit":             {url.Values{"response_type": {"token"}}, "unsupported_response_type"},
			"fragment mode":        {url.Values{"response_mode": {"fragment"}}, "invalid_request"},
			"request object":       {url.Values{"request": {"e30.e30."}}, "request_not_supported"},
			"no challenge":         {url.Values{"code_challenge": nil}, "invalid_request"},
			"no method":            {url.Values{"code_challenge_method": nil}, "invalid_request"},
			"plain":                {url.Values{"code_challenge_method": {"plain"}}, "invalid_request"},
			"no SHA-256":           {url.Values{"code_challenge": {verifier + "="}}, "invalid_request"},
			"unknown scope":        {url.Values{"scope": {"declarations everything"}}, "invalid_scope"},
			"scope not registered": {url.Values{"scope": {"dossier"}}, "invalid_scope"},
			"nothing to do":        {url.Values{"scope": {"offline_access"}}, "invalid_scope"},
			"other resource":       {url.Values{"resource": {"https://api.evil.example"}}, "invalid_target"},
			"scope twice":          {url.Values{"scope": {"declarations", "declarations"}}, "invalid_request"},
			"details no JSON":      {url.Values{"authorization_details": {"{"}}, "invalid_authorization_details"},
			"details of none":      {url.Values{"authorization_details": {"[]"}}, "invalid_authorization_details"},
			"unknown type":         {url.Values{"authorization_details": {`[{"type":"payment"}]`}}, "invalid_authorization_details"},
			"unknown member":       {url.Values{"authorization_details": {`[{"type":"diresco_access","actions":["read"]}]`}}, "invalid_authorization_details"},
			"two details":          {url.Values{"authorization_details": {`[{"type":"diresco_access"},{"type":"diresco_access"}]`}}, "invalid_authorization_details"},
			"something follows":    {url.Values{"authorization_details": {`[{"type":"diresco_access"}] []`}}, "invalid_authorization_details"},
			"no contributor":       {url.Values{"authorization_details": {`[{"type":"diresco_access","contributors":[]}]`}}, "invalid_authorization_details"},
			"unknown service":      {url.Values{"authorization_details": {`[{"type":"diresco_access","services":["all"]}]`}}, "invalid_authorization_details"},
			"no service":           {url.Values{"authorization_details": {`[{"type":"diresco_access","services":[]}]`}}, "invalid_authorization_details"},
		} {
			_, err := f.server.Begin(f.context(), asking(c, one.change), browser)
			refusal, _ := err.(*oauth.Refusal) //nolint:errorlint // as it is made
			if refusal == nil || refusal.Code != one.code || !strings.HasPrefix(refusal.Redirect, webRedirect+"?") {
				t.Errorf("%s: %v, not %s", name, err, one.code)
				continue
			}
			got := query(t, refusal.Redirect)
			if got.Get("error") != one.code || got.Get("iss") != pintest.PublicURL || got.Get("state") == "" {
				t.Errorf("%s: %v", name, got)
			}
		}
		if got := f.Count(t, "oauth_flows"); got != 0 {
			t.Errorf("%d flows were kept", got)
		}
		for _, resource := range []string{pintest.PublicURL, pintest.PublicURL + "/", pintest.PublicURL + "/v1"} {
			if _, err := f.server.Begin(f.context(), asking(c, url.Values{"resource": {resource}}), browser); err != nil {
				t.Errorf("resource %s: %v", resource, err)
			}
		}
	})
}

func TestAuthorization_ShowsWhatWasAsked(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("web", nil)
		wanted := uuid.Must(uuid.NewV7())
		flow, err := f.server.Begin(f.context(), asking(c, url.Values{
			"scope": {"offline_access declarations declarations"}, "ui_locales": {"fr en-GB it"},
			"authorization_details": {`[{"type":"diresco_access","contributors":["` + wanted.String() + `"],"services":["declarations"]}]`},
		}), browser)
		f.must(err)
		shown, err := f.server.Flow(f.context(), flow.ID, browser)
		f.must(err)
		if shown.Application.ClientID != "web" || strings.Join(shown.Scopes, " ") != "declarations offline_access" || shown.Language != "en" ||
			shown.Device || !shown.ExpiresAt.Equal(f.Clock.Now().Add(oauth.FlowLife)) {
			t.Errorf("it shows %+v", shown)
		}
		if len(shown.Details) != 1 || len(shown.Details[0].Contributors) != 1 || shown.Details[0].Contributors[0] != wanted ||
			shown.Details[0].Services.String() != `["declarations"]` {
			t.Errorf("the details are %+v", shown.Details)
		}
		// Without scopes it asks for all that was registered, save what lasts.
		if flow, err = f.server.Begin(f.context(), asking(c, url.Values{"scope": nil}), browser); err != nil ||
			strings.Join(flow.Scopes, " ") != "declarations declarations.read" {
			t.Errorf("without scopes: %v, %v", flow.Scopes, err)
		}
	})
}

func TestAuthorization_BelongsToTheBrowserInWhichItBegan(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("web", nil)
		flow, err := f.server.Begin(f.context(), asking(c, nil), browser)
		f.must(err)
		_, err = f.server.Flow(f.context(), flow.ID, elsewhere)
		want(t, err, fault.NotFound)
		_, err = f.server.Approve(f.context(), f.by, flow.ID, elsewhere, f.everything())
		want(t, err, fault.NotFound)
		_, err = f.server.Deny(f.context(), flow.ID, "")
		want(t, err, fault.NotFound)
		_, err = f.server.Flow(f.context(), uuid.Must(uuid.NewV7()), browser)
		want(t, err, fault.NotFound)
		if f.liveConsents() != 0 {
			t.Error("there is a consent")
		}
	})
}

func TestAuthorization_IsOverAfterOneDecision(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("web", nil)
		flow, err := f.server.Begin(f.context(), asking(c, nil), browser)
		f.must(err)
		f.approve(flow)
		_, err = f.server.Approve(f.context(), f.by, flow.ID, browser, f.everything())
		want(t, err, fault.NotFound)
		_, err = f.server.Deny(f.context(), flow.ID, browser)
		want(t, err, fault.NotFound)
		if f.liveConsents() != 1 {
			t.Errorf("%d consents", f.liveConsents())
		}
		if flow, err = f.server.Begin(f.context(), asking(c, nil), browser); err != nil {
			t.Fatal(err)
		}
		f.Clock.Advance(oauth.FlowLife)
		_, err = f.server.Flow(f.context(), flow.ID, browser)
		want(t, err, fault.NotFound)
		_, err = f.server.Approve(f.context(), f.by, flow.ID, browser, f.everything())
		want(t, err, fault.NotFound)
	})
}

func TestAuthorization_GivesNoMoreThanWasAsked(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("web", nil)
		one := uuid.Must(uuid.NewV7())
		flow, err := f.server.Begin(f.context(), asking(c, url.Values{
			"authorization_details": {`[{"type":"diresco_access","contributors":["` + one.String() + `"],"services":["declarations"]}]`},
		}), browser)
		f.must(err)
		for _, choice := range []oauth.Choice{
			{Services: access.ServiceSet{access.AllServices}, Contributors: []uuid.UUID{one}, ExpiresAt: f.Clock.Now().Add(time.Hour)},
			{Services: access.ServiceSet{access.Delegations}, Contributors: []uuid.UUID{one}, ExpiresAt: f.Clock.Now().Add(time.Hour)},
			{Services: access.ServiceSet{access.Declarations}, ExpiresAt: f.Clock.Now().Add(time.Hour)},
			{
				Services: access.ServiceSet{access.Declarations}, Contributors: []uuid.UUID{one, uuid.Must(uuid.NewV7())},
				ExpiresAt: f.Clock.Now().Add(time.Hour),
			},
		} {
			_, err := f.server.Approve(f.context(), f.by, flow.ID, browser, choice)
			want(t, err, fault.Invalid)
		}
		if f.liveConsents() != 0 {
			t.Error("there is a consent")
		}
	})
}

func TestAuthorization_IsNotForApplicationsToGive(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("web", nil)
		flow, err := f.server.Begin(f.context(), asking(c, nil), browser)
		f.must(err)
		program := f.by
		program.Grant = &access.Grant{}
		_, err = f.server.Approve(f.context(), program, flow.ID, browser, f.everything())
		want(t, err, fault.Forbidden)
		_, err = f.server.FlowByUserCode(f.context(), program, "BCDF-GHJK", browser)
		want(t, err, fault.Forbidden)
		f.Exec(t, "UPDATE sessions SET ended_at = ?, end_reason = 'ended-by-holder' WHERE id = ?", f.Clock.Now(), f.by.SessionID)
		_, err = f.server.Approve(f.context(), f.by, flow.ID, browser, f.everything())
		want(t, err, fault.SessionEnded)
		if f.liveConsents() != 0 {
			t.Error("there is a consent")
		}
	})
}

func TestPush_IsUsedUpByTheFlowThatBegins(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c, other := f.register("web", nil), f.register("other", nil)
		push := func() url.Values {
			pushed, err := f.server.Push(f.context(), oauth.Post{Form: f.says(c, asking(c, nil))})
			f.must(err)
			if pushed.ExpiresIn != oauth.RequestLife || !strings.HasPrefix(pushed.RequestURI.Reveal(), "urn:ietf:params:oauth:request_uri:") {
				t.Errorf("pushed %v for %v", pushed.RequestURI.Reveal(), pushed.ExpiresIn)
			}
			return url.Values{"client_id": {"web"}, "request_uri": {pushed.RequestURI.Reveal()}}
		}
		reference := push()
		_, err := f.server.Begin(f.context(), url.Values{"client_id": {other.ClientID}, "request_uri": reference["request_uri"]}, browser)
		refused(t, err, "invalid_request")
		flow, err := f.server.Begin(f.context(), reference, browser)
		f.must(err)
		// Login takes its time, and a reload finds the same flow.
		f.Clock.Advance(10 * time.Minute)
		again, err := f.server.Begin(f.context(), reference, browser)
		f.must(err)
		if again.ID != flow.ID {
			t.Errorf("the reload began another flow")
		}
		_, err = f.server.Begin(f.context(), reference, elsewhere)
		if got := refusalOf(t, err, "invalid_request"); got.Redirect != "" {
			t.Errorf("another browser goes to %s", got.Redirect)
		}
		reference = push()
		f.Clock.Advance(oauth.RequestLife)
		_, err = f.server.Begin(f.context(), reference, browser)
		refused(t, err, "invalid_request")
	})
}

func TestPush_SaysAtOnceWhatIsWrong(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c, secretive := f.register("web", nil), f.register("server", confidential(p256(t)))
		for name, one := range map[string]struct {
			form url.Values
			code string
		}{
			"unknown client":   {f.says(c, asking(c, url.Values{"client_id": {"nobody"}})), "invalid_client"},
			"no proof":         {asking(secretive, nil), "invalid_client"},
			"request in it":    {f.says(c, asking(c, url.Values{"request_uri": {"urn:a"}})), "invalid_request"},
			"redirect":         {f.says(c, asking(c, url.Values{"redirect_uri": {"https://evil.example/"}})), "invalid_request"},
			"plain":            {f.says(c, asking(c, url.Values{"code_challenge_method": {"plain"}})), "invalid_request"},
			"parameter twice":  {f.says(c, asking(c, url.Values{"state": {"a", "b"}})), "invalid_request"},
			"scope":            {f.says(c, asking(c, url.Values{"scope": {"dossier"}})), "invalid_scope"},
			"foreign resource": {f.says(c, asking(c, url.Values{"resource": {"https://evil.example"}})), "invalid_target"},
		} {
			_, err := f.server.Push(f.context(), oauth.Post{Form: one.form})
			refusal, _ := err.(*oauth.Refusal) //nolint:errorlint // as it is made
			if refusal == nil || refusal.Code != one.code || refusal.Redirect != "" {
				t.Errorf("%s: %v, not %s", name, err, one.code)
			}
		}
		_, err := f.server.Push(f.context(), oauth.Post{Form: f.says(secretive, asking(secretive, nil))})
		f.must(err)
	})
}
