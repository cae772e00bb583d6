package edge

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/fault"
)

// invalid is the challenge for a token that is refused, and why.
func invalid(why string) string {
	return `Bearer error="invalid_token", error_description="` + why + `"`
}

func TestGuard_OnlyAGoodTokenOpensWhatNeedsOne(t *testing.T) {
	for name, c := range map[string]struct {
		authorization string
		challenge     string
		code          fault.Code
	}{
		"none": {"", `Bearer, DPoP algs="ES256 PS256 RS256"`, fault.Unauthenticated},
		"bad": {
			"Bearer bad", invalid("The access token is not one of this service, or was changed. Log in to get one."), fault.Unauthenticated,
		},
		"expired": {
			"Bearer expired", invalid("The access token has expired. Renew it with the refresh token, or log in again."), fault.Unauthenticated,
		},
		"no token":     {"Bearer ", invalid("The Authorization header is not Bearer or DPoP followed by a token."), fault.Unauthenticated},
		"other scheme": {"Basic bGl2ZQ==", invalid("The Authorization header is not Bearer or DPoP followed by a token."), fault.Unauthenticated},
		"two words":    {"Bearer live live", invalid("The Authorization header is not Bearer or DPoP followed by a token."), fault.Unauthenticated},
		"ended":        {"Bearer ended", invalid("The session is over. Log in again."), fault.SessionEnded},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			answer := w.do(ask{method: http.MethodGet, path: "/v1/me", header: map[string]string{"Authorization": c.authorization}})
			w.problem(answer, http.StatusUnauthorized, c.code)
			if got := answer.Header().Get("WWW-Authenticate"); got != c.challenge {
				t.Errorf("got challenge %q, want %q", got, c.challenge)
			}
			if got := w.outcomes(); !slices.Equal(got, []string{"showMe " + string(c.code)}) {
				t.Errorf("access log: %v", got)
			}
		})
	}
	w := newWorld(t)
	if answer := w.do(ask{
		method: http.MethodGet, path: "/v1/me", header: map[string]string{"Authorization": "bearer live"},
	}); answer.Code != http.StatusOK {
		t.Errorf("the scheme is not case-sensitive, got %d", answer.Code)
	}
}

func TestGuard_ABadTokenDoesNotHinderWhatIsPublic(t *testing.T) {
	w := newWorld(t)
	for _, authorization := range []string{"", "Bearer bad", "Bearer ended", "nonsense", "Bearer live"} {
		answer := w.do(ask{
			method: http.MethodPost, path: "/v1/sessions/current/tokens", body: `{"refresh_token":"Zk9rQ3h2dWJ0a2dxVnB5TnJ3c0x6bXhQYUhE"}`,
			header: map[string]string{"Authorization": authorization},
		})
		if answer.Code != http.StatusOK {
			t.Errorf("%q: got %d %s", authorization, answer.Code, answer.Body)
		}
	}
	if len(w.guard.asked) > 0 || len(w.access.rows) > 0 {
		t.Errorf("asked the guard %v, traced %v", w.guard.asked, w.outcomes())
	}
}

func TestGuard_AStrangerLearnsNothingFromTheBody(t *testing.T) {
	w := newWorld(t)
	path := "/v1/contributors/" + anothers.String() + "/declarations"
	for name, a := range map[string]ask{
		"valid":          draft(draftBody),
		"invalid":        draft(`{"type":1}`),
		"broken":         draft(`{"type"`),
		"none":           draft(""),
		"too long":       draft(string(make([]byte, maxBody+1))),
		"no key":         draft(draftBody).with("Idempotency-Key", ""),
		"wrong type":     draft(draftBody).with("Content-Type", "text/plain"),
		"not acceptable": draft(draftBody).with("Accept", "text/html"),
	} {
		t.Run(name, func(t *testing.T) {
			w := w.on(t)
			a.path = path
			w.problem(w.do(a), http.StatusNotFound, fault.NotFound)
			a.path = path + "?unknown=1"
			w.problem(w.do(a), http.StatusNotFound, fault.NotFound)
			a.token = ""
			w.problem(w.do(a), http.StatusUnauthorized, fault.Unauthenticated)
			a.token = "ended"
			w.problem(w.do(a), http.StatusUnauthorized, fault.SessionEnded)
		})
	}
}

func TestGuard_APathThatNamesNothingIsNotFound(t *testing.T) {
	w := newWorld(t)
	id := aDeclaration.String()
	for _, path := range []string{
		"/v1/declarations/1", "/v1/declarations/" + id + "0", "/v1/declarations/{" + id + "}", "/v1/declarations/urn:uuid:" + id,
		"/v1/declarations/%00", "/v1/declarations/%ff",
		"/v1/declarations/00000000-0000-0000-0000-000000000000", "/v1/sessions/mine", "/v1/sessions/current%2F",
		"/v1/declaration-types/a%20b", "/v1/declarations/" + id + "/", "/v1//me", "/v1", "/v2/me",
	} {
		w.problem(w.do(ask{method: http.MethodGet, path: path, token: "live"}), http.StatusNotFound, fault.NotFound)
	}
	// An ended session is told so, whatever the path names.
	w.problem(w.do(ask{method: http.MethodGet, path: "/v1/declarations/1", token: "ended"}), http.StatusUnauthorized, fault.SessionEnded)
	w.problem(w.do(ask{
		method: http.MethodPost, path: "/v1/me/pin/rotations/1/confirmation", token: "live", body: `{"pin":"7K3MQ9XA"}`,
	}), http.StatusNotFound, fault.NotFound)
}

func TestGuard_HandlersKnowWhoAsksAndFromWhere(t *testing.T) {
	w := newWorld(t)
	var actor access.Actor
	var origin audit.Origin
	w.handlers.draft = func(ctx context.Context, _ api.DraftDeclarationRequestObject) (api.DraftDeclarationResponseObject, error) {
		actor, origin = reqctx.ActorOf(ctx), audit.OriginOf(ctx)
		return drafted(nil), nil
	}
	a := draft(draftBody).with("Request-Id", "my-request-1")
	a.address = "192.0.2.7:1234"
	if answer := w.do(a); answer.Code != http.StatusCreated {
		t.Fatalf("got %d %s", answer.Code, answer.Body)
	}
	if actor.PersonID != myPerson || actor.SessionID != mySession || actor.ContributorID != mine {
		t.Errorf("got actor %+v", actor)
	}
	if want := (audit.Origin{Operation: "draftDeclaration", RequestID: "my-request-1", Address: "192.0.2.7"}); origin != want {
		t.Errorf("got origin %+v, want %+v", origin, want)
	}
	if got := reqctx.ActorOf(reqctx.WithActor(t.Context(), actor)); got.PersonID != myPerson {
		t.Errorf("got %+v", got)
	}
}

func TestGuard_ReadsOfAnothersDataAndRefusalsLeaveARow(t *testing.T) {
	show := ask{method: http.MethodGet, path: "/v1/declarations/" + aDeclaration.String(), token: "live"}
	login := ask{method: http.MethodPost, path: "/v1/sessions", body: `{"tax_code":"RSSMRA80A01H501U","pin":"7K3MQ9XA"}`}
	for name, c := range map[string]struct {
		ask  ask
		err  error // of the login
		want []string
	}{
		"read":            {ask: show, want: []string{"showDeclaration read"}},
		"read from cache": {ask: show.with("If-None-Match", `"3"`), want: []string{"showDeclaration read"}},
		"own data":        {ask: ask{method: http.MethodGet, path: "/v1/me", token: "live"}},
		"public":          {ask: ask{method: http.MethodGet, path: "/v1/offices"}},
		"write":           {ask: draft(draftBody)},
		"turned away": {
			ask:  ask{method: http.MethodGet, path: "/v1/declarations/" + mine.String(), token: "live"},
			want: []string{"showDeclaration not-found"},
		},
		"forbidden": {
			ask:  ask{method: http.MethodGet, path: "/v1/backoffice/declarations", token: "live"},
			want: []string{"listOfficeDeclarations forbidden"},
		},
		"malformed":    {ask: draft(`{`)},
		"no such path": {ask: ask{method: http.MethodGet, path: "/v1/nothing", token: "live"}},
		"wrong PIN": {
			ask: ask{
				method: http.MethodPost, path: "/v1/me/pin/rotations/" + mine.String() + "/confirmation", token: "live",
				body: `{"pin":"7K3MQ9XA"}`,
			},
			want: []string{"confirmPinRotation validation-failed"},
		},
		"failed login":      {ask: login, err: fault.New(fault.InvalidCredentials), want: []string{"startSession invalid-credentials"}},
		"locked login":      {ask: login, err: fault.New(fault.PINLocked), want: []string{"startSession pin-locked"}},
		"login not decided": {ask: login, err: fault.New(fault.Busy)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.handlers.start = func(api.StartSessionRequestObject) (api.StartSessionResponseObject, error) { return nil, c.err }
			c.ask.address = "192.0.2.7:1234"
			answer := w.do(c.ask)
			if got := w.outcomes(); !slices.Equal(got, c.want) {
				t.Fatalf("status %d: got %v, want %v", answer.Code, got, c.want)
			}
			for _, row := range w.access.rows {
				if row.RequestID != answer.Header().Get("Request-Id") || row.Address != "192.0.2.7" {
					t.Errorf("got %+v", row)
				}
				if c.ask.token == "live" && (row.PersonID == nil || *row.PersonID != myPerson || *row.SessionID != mySession) {
					t.Errorf("the row does not say who: %+v", row)
				}
			}
		})
	}
	w := newWorld(t)
	w.do(show)
	if row := w.access.rows[0]; *row.ContributorID != mine || *row.SubjectID != aDeclaration.String() {
		t.Errorf("the row does not say whose: %+v", row)
	}
}

func TestGuard_AnOutageOfTheGuardIsNoRefusal(t *testing.T) {
	w := newWorld(t)
	w.handlers.me = func(context.Context) (api.ShowMeResponseObject, error) { return nil, errors.New("broken") }
	w.problem(w.do(ask{method: http.MethodGet, path: "/v1/me", token: "live"}), http.StatusInternalServerError, fault.Internal)
	if len(w.access.rows) > 0 {
		t.Errorf("got %v", w.outcomes())
	}
}
