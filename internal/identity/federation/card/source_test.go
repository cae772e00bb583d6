package card_test

import (
	"crypto/x509"
	"errors"
	"net/url"
	"testing"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/card"
	"diresco/internal/identity/session"
)

func TestSource_LeadsToTheCardsOwnAddress(t *testing.T) {
	v, _ := verifier(t)
	address := ""
	source := card.NewSource(v, func() string { return address })
	if all := source.Providers(); len(all) != 0 {
		t.Errorf("without an address: %d", len(all))
	}
	address = "https://cards.example.org"
	seen := map[string]session.LoginMethod{}
	for _, p := range source.Providers() {
		about := p.About()
		seen[about.ID] = about.Method
		d, err := p.Begin(t.Context(), federation.Attempt{State: "abc"})
		if err != nil || d.URL != address+card.LoginPath+"?state=abc" || d.Form != nil || about.Protocol != federation.Certificate {
			t.Errorf("%s: %+v %v", about.ID, d, err)
		}
	}
	if len(seen) != 2 || seen["cns-card"] != session.ByCNS || seen["cie-card"] != session.ByCIE {
		t.Errorf("providers %v", seen)
	}
}

func TestSource_TakesACardOfItsKind(t *testing.T) {
	a := newAuthority(t, "cards")
	v, _ := verifier(t, a.Certificate)
	byID := map[string]federation.Provider{}
	for _, p := range card.NewSource(v, func() string { return "https://cards.example.org" }).Providers() {
		byID[p.About().ID] = p
	}
	cns := a.issue(nil)
	expired := a.issue(func(c *x509.Certificate) { c.NotAfter = c.NotBefore.AddDate(0, 0, 1) })
	revoked := a.issue(nil)
	a.set(func() { a.revoked = append(a.revoked, revoked.SerialNumber) })
	claims, err := byID["cns-card"].Finish(t.Context(), federation.Attempt{}, card.Shown(cns, []*x509.Certificate{a.Certificate}))
	if err != nil || claims.TaxCode == "" || claims.Level != card.Level {
		t.Errorf("a good one: %+v %v", claims, err)
	}
	foreign := newAuthority(t, "others").issue(nil)
	for reason, c := range map[string]struct {
		at     string
		answer url.Values
	}{
		"card-missing": {"cns-card", card.Shown(nil, nil)}, "card-kind": {"cie-card", card.Shown(cns, nil)},
		"card-validity": {"cns-card", card.Shown(expired, nil)}, "card-revoked": {"cns-card", card.Shown(revoked, nil)},
		"card-refused": {"cns-card", card.Shown(foreign, nil)},
	} {
		_, err := byID[c.at].Finish(t.Context(), federation.Attempt{}, c.answer)
		var refusal *federation.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != reason || refusal.Outcome != federation.Denied {
			t.Errorf("%s: %v %+v", reason, err, refusal)
		}
	}
}
