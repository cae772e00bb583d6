package edge

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"diresco/api"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
)

// claims is what a service does with the claim of its request, in a database of its own.
func claims(t *testing.T) func(ctx context.Context) error {
	d := dbtest.Open(t, dbtest.SQLite(t))
	store := idempotency.NewStore(d, clock.NewManual(time.Date(2026, 3, 16, 8, 0, 0, 0, time.UTC)), nil)
	return func(ctx context.Context) error {
		return d.InTx(ctx, func(ctx context.Context) error {
			return store.Take(ctx, idempotency.Want{Claim: idempotency.ClaimOf(ctx), ResourceID: "r"})
		})
	}
}

func TestIdempotency_TheFirstSuccessUnderAKeyIsRemembered(t *testing.T) {
	w := newWorld(t)
	take := claims(t)
	w.handlers.draft = func(ctx context.Context, r api.DraftDeclarationRequestObject) (api.DraftDeclarationResponseObject, error) {
		if err := take(ctx); err != nil {
			return nil, err
		}
		return drafted(r.Body.Content), nil
	}
	answer := w.do(draft(draftBody))
	if answer.Code != http.StatusCreated || len(w.answers.kept) != 1 {
		t.Fatalf("got %d, kept %v", answer.Code, w.answers.kept)
	}
	want := idempotency.Answer{Status: http.StatusCreated, Body: answer.Body.Bytes(), Headers: map[string]string{
		"Content-Type": "application/json", "ETag": `"1"`, "Location": "/v1/declarations/" + aDeclaration.String(),
		"Content-Language": "it",
	}}
	if diff := cmp.Diff(want, w.answers.kept[0]); diff != "" {
		t.Error(diff)
	}
	// The answer is not stored yet: the twin is told to come back. Nothing new is remembered.
	w.problem(w.do(draft(draftBody)), http.StatusConflict, fault.RequestInProgress)
	// Another request under the key.
	w.problem(
		w.do(draft(`{"type":"RIOC","position_id":"018f3a12-0b2c-7d4e-9f50-6b7c8d9e0f1a","content":{}}`)), http.StatusUnprocessableEntity,
		fault.IdempotencyKeyReused,
	)
	if len(w.answers.kept) != 1 {
		t.Errorf("kept %v", w.answers.kept)
	}
}

func TestIdempotency_WhatIsNotASuccessOfAHolderIsNotRemembered(t *testing.T) {
	w := newWorld(t)
	w.do(draft(draftBody)) // the service claims nothing
	take := claims(t)
	w.handlers.draft = func(ctx context.Context, _ api.DraftDeclarationRequestObject) (api.DraftDeclarationResponseObject, error) {
		return nil, errors.Join(take(ctx), fault.New(fault.Conflict))
	}
	w.problem(w.do(draft(draftBody)), http.StatusConflict, fault.Conflict)
	if len(w.answers.kept) != 0 {
		t.Errorf("kept %v", w.answers.kept)
	}
}

func TestIdempotency_AReplayIsTheFirstAnswerAsItWas(t *testing.T) {
	w := newWorld(t)
	stored := &idempotency.Answer{
		Status: http.StatusCreated, Body: []byte(`{"a":1}` + "\n"),
		Headers: map[string]string{"Content-Type": "application/json", "ETag": `"1"`, "Location": "/v1/x", "Content-Language": "it"},
	}
	w.handlers.draft = func(context.Context, api.DraftDeclarationRequestObject) (api.DraftDeclarationResponseObject, error) {
		return nil, &idempotency.Replay{ResourceID: "r", Answer: stored}
	}
	answer := w.do(draft(draftBody).with("Accept-Language", "en"))
	if answer.Code != stored.Status || answer.Body.String() != string(stored.Body) {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
	for name, value := range stored.Headers {
		if got := answer.Header().Get(name); got != value {
			t.Errorf("%s: got %q, want %q", name, got, value)
		}
	}
	if answer.Header().Get("Cache-Control") != "no-store" || answer.Header().Get("RateLimit-Limit") == "" ||
		answer.Header().Get("Request-Id") == "" {
		t.Errorf("got %v", answer.Header())
	}
	w.problem(w.do(func() ask { a := draft(draftBody); a.token = "ended"; return a }()), http.StatusUnauthorized, fault.SessionEnded)
}

func TestIdempotency_WhichRequestsAreTheSame(t *testing.T) {
	w := newWorld(t, sandboxed)
	claimOf := func(a ask) *idempotency.Claim {
		var claim *idempotency.Claim
		w.handlers.draft = func(ctx context.Context, _ api.DraftDeclarationRequestObject) (api.DraftDeclarationResponseObject, error) {
			claim = idempotency.ClaimOf(ctx)
			return drafted(json.RawMessage(`{}`)), nil
		}
		if answer := w.do(a); answer.Code != http.StatusCreated {
			t.Fatalf("got %d %s", answer.Code, answer.Body)
		}
		return claim
	}
	first := claimOf(draft(draftBody))
	if first.Scope != "person:"+myPerson.String() || first.Key != "key-00000001" || first.Operation != "draftDeclaration" {
		t.Errorf("got %+v", first)
	}
	for name, a := range map[string]ask{
		"spaces, order and number form": draft(
			`{ "content":{"a":"\u00e8","b":1.0}, "position_id":"018f3a12-0b2c-7d4e-9f50-6b7c8d9e0f1a", "type":"RIOC" }`,
		),
		"quoted key":     draft(draftBody).with("Idempotency-Key", `"key-00000001"`),
		"other language": draft(draftBody).with("Accept-Language", "en"),
	} {
		if got := claimOf(a); got.Scope != first.Scope || got.Key != first.Key || got.Operation != first.Operation ||
			got.RequestMAC != first.RequestMAC {
			t.Errorf("%s: got %+v, want %+v", name, got, first)
		}
	}
	other := draft(`{"type":"RIOC","position_id":"018f3a12-0b2c-7d4e-9f50-6b7c8d9e0f1a","content":{"b":2,"a":"è"}}`)
	if got := claimOf(other); got.RequestMAC == first.RequestMAC || got.Key != first.Key {
		t.Errorf("another body: got %+v", got)
	}
	if got := claimOf(draft(draftBody).with(
		"Idempotency-Key", "key-00000002",
	)); got.Key == first.Key || got.RequestMAC != first.RequestMAC {
		t.Errorf("another key: got %+v", got)
	}
}

func TestIdempotency_SearchesSessionsAndReadsClaimNothing(t *testing.T) {
	w := newWorld(t)
	key := map[string]string{"Idempotency-Key": "key-00000001"}
	var claim *idempotency.Claim
	w.handlers.me = func(ctx context.Context) (api.ShowMeResponseObject, error) {
		claim = idempotency.ClaimOf(ctx)
		return api.ShowMe200JSONResponse{}, nil
	}
	for _, a := range []ask{
		{method: http.MethodPost, path: "/v1/contributor-searches", token: "live", body: `{"tax_code":"00743110157"}`, header: key},
		{
			method: http.MethodPost, path: "/v1/sessions/current/tokens", body: `{"refresh_token":"Zk9rQ3h2dWJ0a2dxVnB5TnJ3c0x6bXhQYUhE"}`,
			header: key,
		},
		{method: http.MethodGet, path: "/v1/me", token: "live", header: key},
	} {
		if answer := w.do(a); answer.Code != http.StatusOK {
			t.Errorf("%s: got %d %s", a.path, answer.Code, answer.Body)
		}
	}
	if claim != nil || len(w.answers.kept) > 0 {
		t.Errorf("claimed %v, kept %v", claim, w.answers.kept)
	}
}

func TestIdempotency_WhoIsNotLoggedInIsNamedByTheRequestItself(t *testing.T) {
	w := newWorld(t, sandboxed)
	var claim *idempotency.Claim
	w.handlers.create = func(ctx context.Context) { claim = idempotency.ClaimOf(ctx) }
	a := ask{
		method: http.MethodPost, path: "/v1/sandbox/contributors", body: `{"legal_name":"Rossi S.r.l."}`,
		header: map[string]string{"Idempotency-Key": "key-00000001"},
	}
	if answer := w.do(a); answer.Code != http.StatusCreated {
		t.Fatalf("got %d %s", answer.Code, answer.Body)
	}
	if claim == nil || claim.Scope != "request:"+claim.RequestMAC {
		t.Errorf("got %+v", claim)
	}
}
