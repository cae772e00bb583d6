package application_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/application"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/test/world"
)

// TestApplication_ARepeatGoesRoundNoLostRight: who lost the role gets nothing again.
func TestApplication_ARepeatGoesRoundNoLostRight(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		company := w.Company(t, world.Rome)
		role := w.Role(t, w.owner.PersonID, company.ID, access.LegalRepresentative)
		in := input()
		in.ContributorID = &company.ID
		keyed := world.WithKey(ctx, w.owner, "key-1")
		first, err := w.service.Register(keyed, w.owner, in)
		if err != nil {
			t.Fatal(err)
		}
		again, err := w.service.Register(keyed, w.owner, in)
		if err != nil || again.ID != first.ID || w.Count(t, "applications") != 1 {
			t.Errorf("again %+v, %v", again, err)
		}
		w.WithdrawRole(t, role)
		_, err = w.service.Register(keyed, w.owner, in)
		refused(t, "without the role", err, fault.NotFound)
		w.Exec(t, "UPDATE idempotency_keys SET status = 201, headers = '{}', body = ?", []byte("{}"))
		_, err = w.service.Register(keyed, w.owner, in)
		refused(t, "without the role, where the answer was kept", err, fault.NotFound)
	})
}

// ending are rights that end after they were looked at once.
type ending struct {
	of    application.Rights
	looks int
}

func (e *ending) Rights(ctx context.Context, by access.Actor, ids []uuid.UUID) (map[uuid.UUID][]access.Right, error) {
	if e.looks++; e.looks > 1 {
		return nil, nil
	}
	return e.of.Rights(ctx, by, ids)
}

func (e *ending) Memberships(ctx context.Context, by access.Actor) ([]access.Membership, error) {
	return e.of.Memberships(ctx, by)
}

// TestApplication_IsLookedAtAgainUnderItsLock: a role that ended since the request was let in gives
// nothing.
func TestApplication_IsLookedAtAgainUnderItsLock(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		company := w.Company(t, world.Rome)
		w.Role(t, w.owner.PersonID, company.ID, access.LegalRepresentative)
		a := w.registered(w.owner, func(in *application.Input) { in.ContributorID = &company.ID })
		late := application.NewService(application.Deps{
			Runner: w.Runner, Rights: &ending{of: w.Rights}, Outbox: w.Outbox,
		})
		_, err := late.Change(ctx, w.owner, a.ID, fault.AnyVersion, application.Change{DisplayName: new("x")})
		refused(t, "changed", err, fault.NotFound)
		if got, err := w.service.ByID(ctx, a.ID); err != nil || got.Version != 1 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// TestApplication_IsNotChangedByARightThatEndedMeanwhile: session and role are looked at again when
// it is done.
func TestApplication_IsNotChangedByARightThatEndedMeanwhile(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		a := w.registered(w.owner, nil)
		w.Exec(t, "UPDATE sessions SET ended_at = ? WHERE id = ?", w.Clock.Now(), w.owner.SessionID)
		_, err := w.change(w.owner, a.ID, application.Change{DisplayName: new("x")})
		refused(t, "after the logout", err, fault.SessionEnded)
		if got, err := w.service.ByID(ctx, a.ID); err != nil || got.Version != 1 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// keySet is a set of the same key under several ids.
func keySet(ids ...string) json.RawMessage {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = `{"use":"sig","kty":"EC","kid":"` + id + `","crv":"P-256","alg":"ES256",` +
			`"x":"Mv1OPFPuJkW5oZb45Z0JF4JnjrFfkem0hqDiTHZiSfE","y":"SxAoW2oRlWPs7xoG7MowEg69SB6bGHQ6BKsVxtWmCL0"}`
	}
	return json.RawMessage(`{"keys":[` + strings.Join(keys, ",") + `]}`)
}

// TestApplication_KeysAreExchangedAtOnceByWhoEnteredThePIN: a key that got out is taken out without
// stopping the server. Whatever else is changed, or is more than before, waits for its approval.
func TestApplication_KeysAreExchangedAtOnceByWhoEnteredThePIN(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		a := w.registered(w.owner, func(in *application.Input) {
			in.Kind, in.AuthMethod, in.JWKS = application.Confidential, application.PrivateKeyJWT, keySet("1", "2")
		})
		w.decided(a.ID, application.Approved)
		late, fresh := w.owner, w.owner
		late.AuthenticatedAt = w.Clock.Now().Add(-access.FreshFor - time.Microsecond)
		fresh.AuthenticatedAt = w.Clock.Now().Add(-access.FreshFor)
		for _, c := range []struct {
			what    string
			by      access.Actor
			change  application.Change
			inForce string
			waits   bool
			told    int
		}{
			{"by who logged in long ago", late, application.Change{JWKS: keySet("1", "3")}, "1 2", true, 0},
			{"more keys than before", fresh, application.Change{JWKS: keySet("1", "2", "3")}, "1 2", true, 0},
			{"an address instead", fresh, application.Change{JWKSURI: new("https://a.example/jwks.json")}, "1 2", true, 0},
			{
				"another name with it", fresh,
				application.Change{JWKS: keySet("1", "3"), DisplayName: new("Altro")},
				"1 2", true, 0,
			},
			{"back", fresh, application.Change{JWKS: keySet("1", "2"), DisplayName: new("Paghe Facili")}, "1 2", false, 0},
			{"one for another", fresh, application.Change{JWKS: keySet("1", "3")}, "1 3", false, 1},
			{"one for two", fresh, application.Change{JWKS: keySet("4")}, "4", false, 2},
			{"the same again", fresh, application.Change{JWKS: keySet("4")}, "4", false, 2},
			{"a scope that waits", fresh, application.Change{Scopes: []string{access.ScopeDeclarations, access.ScopeEvents}}, "4", true, 2},
			{"beside what waits", fresh, application.Change{JWKS: keySet("5")}, "5", true, 3},
		} {
			got, err := w.change(c.by, a.ID, c.change)
			if err != nil {
				t.Fatalf("%s: %v", c.what, err)
			}
			if kids := keyIDs(t, got.JWKS); kids != c.inForce || (got.Pending != nil) != c.waits || w.told("application.keys_replaced", w.owner) != c.told {
				t.Errorf("%s: in force are %s, waiting %+v, told %d", c.what, kids, got.Pending, w.told("application.keys_replaced", w.owner))
			}
		}
		// What waits keeps its scopes, and has the new key.
		got := w.decided(a.ID, application.Approved)
		if keyIDs(t, got.JWKS) != "5" || len(got.Scopes) != 2 {
			t.Errorf("approved with %s and %v", keyIDs(t, got.JWKS), got.Scopes)
		}
	})
}

// keyIDs are those of a set that is kept.
func keyIDs(t *testing.T, set json.RawMessage) string {
	t.Helper()
	var kept struct{ Keys []struct{ Kid string } }
	if err := json.Unmarshal(set, &kept); err != nil {
		t.Fatal(err)
	}
	ids := make([]string, len(kept.Keys))
	for i, key := range kept.Keys {
		ids[i] = key.Kid
	}
	return strings.Join(ids, " ")
}

// TestApplication_KeysMayMoveToAnAddress and back.
func TestApplication_KeysMayMoveToAnAddress(t *testing.T) {
	keys := string(keySet("1"))
	eachOf(t, true, func(t *testing.T, w *fixture) {
		a := w.registered(w.owner, func(in *application.Input) {
			in.Kind, in.AuthMethod, in.JWKS = application.Confidential, application.PrivateKeyJWT, json.RawMessage(keys)
		})
		a, err := w.change(w.owner, a.ID, application.Change{JWKSURI: new("https://a.example/jwks.json")})
		if err != nil || a.JWKS != nil || a.JWKSURI == "" {
			t.Fatalf("%+v, %v", a, err)
		}
		if _, err := w.change(w.owner, a.ID, application.Change{JWKS: json.RawMessage(keys)}); err != nil {
			t.Fatal(err)
		}
		got, err := w.service.Client(ctx, a.ClientID)
		if err != nil || string(got.JWKS) != keys || got.JWKSURI != "" {
			t.Errorf("%s %s, %v", got.JWKS, got.JWKSURI, err)
		}
		_, err = w.change(w.owner, a.ID, application.Change{
			JWKS: json.RawMessage(strings.Replace(keys, `"use"`, `"d":"AA","use"`, 1)), ContactEmail: new("x"),
		})
		refused(t, "a private key", err, fault.Invalid, "/contact_email", "format", "/jwks/keys/0/d", "key-private")
	})
}
