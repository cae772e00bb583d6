package account

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/httpapi/problem"
	"diresco/internal/identity/federation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
)

// What the access log and the audit trail call these logins: as the API does.
const (
	opDepart    = "startFederatedLogin"
	opFederated = "startFederatedSession"
)

// way is a button that leads to a provider.
type way struct{ Name, Href string }

// ways are the buttons of all providers. Their order is drawn anew each time, as the rules of SPID
// ask, so that none is preferred.
func (v *visit) ways(flow, next string) ([]way, error) {
	providers := slices.Clone(v.s.Federation.Providers())
	for i := len(providers) - 1; i > 0; i-- {
		drawn, err := rand.Int(v.s.Random, big.NewInt(int64(i+1)))
		if err != nil {
			return nil, err
		}
		j := int(drawn.Int64())
		providers[i], providers[j] = providers[j], providers[i]
	}
	ways := make([]way, len(providers))
	for i, p := range providers {
		ways[i] = way{p.DisplayName, v.onwardWith(departPath, flow, next, url.Values{"provider": {p.ID}})}
	}
	return ways, nil
}

// onwardWith is onward with more in the address.
func (v *visit) onwardWith(path, flow, next string, more url.Values) string {
	to := v.onward(path, flow, next)
	if to == path {
		return to + "?" + more.Encode()
	}
	return to + "&" + more.Encode()
}

// verifier is the PKCE verifier of a login at a provider. It follows from the browser's secret, so
// a code is good in the browser alone that began the login, and for where that login leads.
func (v *visit) verifier(flow, next string) secret.Text {
	mac := hmac.New(sha256.New, []byte("login at a provider\x00"+v.browser.Reveal()))
	mac.Write([]byte(v.onward("", flow, next)))
	return secret.Text(base64.RawURLEncoding.EncodeToString(mac.Sum(nil)))
}

// begun shows that a login began in this browser: what an address says of another is told to nobody.
func (v *visit) begun(flow, next string) string {
	mac := hmac.New(sha256.New, []byte("login that began\x00"+v.browser.Reveal()))
	mac.Write([]byte(v.onward("", flow, next)))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// depart begins a login at the provider that somebody chose. A link leads here and no form: browsers
// hold the redirects that follow a form against the page's policy, and providers are anywhere.
func (v *visit) depart() error {
	query := v.r.URL.Query()
	flow, next := query.Get("flow"), query.Get("next")
	providers := v.s.Federation.Providers()
	i := slices.IndexFunc(providers, func(p federation.About) bool { return p.ID == query.Get("provider") })
	if i < 0 {
		// It has gone since the page was shown.
		return v.redirect(v.onward(loginPath, flow, next))
	}
	if err := v.ensureBrowser(); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(v.verifier(flow, next).Reveal()))
	begun, err := v.s.Federation.Begin(v.doing(opDepart), federation.Request{
		// The lowest is a password and something that one has, or the next that the provider offers.
		ProviderID: providers[i].ID, Level: providers[i].Levels[0],
		ReturnURL:     v.s.config.PublicURL + v.onwardWith(FederatedPath, flow, next, url.Values{"begun": {v.begun(flow, next)}}),
		CodeChallenge: base64.RawURLEncoding.EncodeToString(sum[:]),
	})
	if f := problem.FaultOf(err); f != nil && f.Code == fault.Unavailable {
		v.setWait(f)
		return v.notLoggedIn(flow, next, http.StatusServiceUnavailable, string(federation.Unavailable))
	}
	if err != nil {
		return err
	}
	return v.redirect(begun.URL)
}

// arrive takes whoever comes back from a provider.
func (v *visit) arrive() error {
	query := v.r.URL.Query()
	flow, next := query.Get("flow"), query.Get("next")
	code := query.Get("error_code")
	if v.browser == "" || query.Has("error") && !hmac.Equal([]byte(query.Get("begun")), []byte(v.begun(flow, next))) {
		return v.notLoggedIn(flow, next, http.StatusForbidden, "over")
	}
	if query.Get("error") == string(federation.Unavailable) {
		v.setWait(fault.After(fault.Unavailable, time.Minute))
	}
	switch failed := federation.Outcome(query.Get("error")); {
	case failed == federation.Unavailable && v.cardWords(code) != "":
		return v.notLoggedIn(flow, next, http.StatusServiceUnavailable, code)
	case failed == federation.Unavailable:
		return v.notLoggedIn(flow, next, http.StatusServiceUnavailable, string(failed))
	case failed == federation.Denied:
		return v.notLoggedIn(flow, next, http.StatusForbidden, code)
	case failed != "":
		return v.notLoggedIn(flow, next, http.StatusForbidden, string(federation.Invalid))
	}
	s, err := v.s.Federation.Redeem(v.doing(opFederated), secret.Text(query.Get("code")), v.verifier(flow, next))
	if f := problem.FaultOf(err); f != nil && f.Code == fault.InvalidCredentials {
		if v.by != nil {
			// Somebody opened the address again, who is in already.
			return v.redirect(v.destination(flow, next))
		}
		v.note(opFederated, f)
		return v.notLoggedIn(flow, next, http.StatusForbidden, "over")
	}
	if err != nil {
		return err
	}
	before := v.by
	if err := v.begin(s.SessionID); err != nil {
		return err
	}
	if before != nil {
		// The browser has forgotten it, and nobody else knows its tokens.
		if err := v.s.Sessions.End(v.doing(opEnd), *before, before.SessionID); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	return v.redirect(v.destination(flow, next))
}

// notLoggedIn says why a login at a provider did not succeed, and leads back.
func (v *visit) notLoggedIn(flow, next string, status int, reason string) error {
	if id := flowID(flow); id != uuid.Nil && v.browser != "" {
		if f, err := v.s.Flows.Flow(v.r.Context(), id, v.browser); err == nil {
			v.prefer(f.Language)
		}
	}
	text := v.cardWords(reason)
	if text == "" {
		text = texts[v.lang]["federated.why."+reason]
	}
	if text == "" {
		text = v.t("federated.why.other")
	}
	n := &notice{status: status, Title: v.t("federated.title"), Texts: []string{text}}
	n.Href, n.Link = v.onward(loginPath, flow, next), v.t("federated.back")
	return n
}

// cardWords say why a card was not let in; "" for any other reason.
func (v *visit) cardWords(reason string) string {
	if !strings.HasPrefix(reason, "card-") {
		return ""
	}
	return problem.ReasonText(v.lang, reason)
}
