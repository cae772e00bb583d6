package account

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/net/html"

	"diresco/internal/httpapi/problem"
	"diresco/internal/identity/application"
	"diresco/internal/identity/consent"
	"diresco/internal/identity/oauth"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/kernel/access"
)

// whole is every page in each state, by a name.
func (w *world) whole(lang string) map[string]shown {
	pages := map[string]shown{}
	c := w.client()
	c.lang = lang
	w.flows.refusal = &oauth.Refusal{Code: "invalid_client", Description: "not known"}
	pages["a refusal of authorize"] = c.get(authorizePath)
	w.flows.refusal = nil
	login := c.follow(c.get(authorizePath))
	pages["login"] = login
	pages["login, nothing typed"] = c.submit(login, loginPath, nil)
	pages["login, wrong PIN"] = c.submit(login, loginPath, url.Values{"tax_code": {pintest.Mario.Clear()}, "pin": {"wrong"}})
	forged := url.Values{"token": {"forged"}}
	pages["a forged form"] = c.submit(login, loginPath, forged)
	pages["login with an identity, refused"] = c.get(FederatedPath + "?error=access_denied&error_code=22")
	pages["device, without a login"] = c.follow(c.get(devicePath))
	pages["consent"] = c.authorize()
	pages["consent, nothing chosen"] = c.submit(pages["consent"], consentPath, url.Values{
		"decision": {"approve"}, "which": {"some"}, "contributor": nil, "service": nil, "months": nil,
	})
	w.Clock.Advance(6 * minute)
	pages["consent, PIN again"] = c.get(pages["consent"].path)
	pages["consent, wrong PIN again"] = c.submit(pages["consent, PIN again"], consentPath, url.Values{
		"decision": {"approve"}, "pin": {"wrong"},
	})
	w.contributors.all = nil
	pages["consent, no contributor"] = c.get(pages["consent"].path)
	for range 21 {
		w.contributors.add("One of many")
	}
	pages["consent, many contributors"] = c.get(pages["consent"].path)
	w.reach = nil
	pages["consent, no right"] = c.get(pages["consent"].path)
	for _, open := range w.flows.open {
		open.Details = []oauth.Detail{{Services: access.ServiceSet{access.Declarations}}}
		open.Scopes = []string{access.ScopeDeclarations}
	}
	pages["consent, blocked"] = c.get(pages["consent"].path)
	w.reach = access.ServiceSet{access.Declarations}
	pages["consent, once"] = c.get(pages["consent"].path)
	pages["device"] = c.get(devicePath)
	pages["device, wrong code"] = c.submit(pages["device"], devicePath, url.Values{"user_code": {"wrong"}})
	pages["consent of a device"] = c.follow(c.submit(pages["device"], devicePath, url.Values{"user_code": {"bcdf-ghjk"}}))
	pages["device, refused"] = c.follow(c.submit(pages["consent of a device"], consentPath, url.Values{"decision": {"refuse"}}))
	pages["refused"] = c.submit(pages["consent"], consentPath, url.Values{"decision": {"refuse"}})
	pages["over"] = c.get(pages["consent"].path)
	pages["no consents"] = c.get(consentsPath)
	used := w.Clock.Now()
	w.consents.all = []consent.View{
		{
			Consent: consent.Consent{
				ID: uuid.UUID{15: 1}, Scopes: access.Scopes(), Services: access.ServiceSet{access.AllServices}, EveryContributor: true,
				GivenAt: used, ExpiresAt: used.Add(time.Hour),
			},
			DisplayName: "Paghe", Excluded: []consent.Contributor{{LegalName: "Escluso"}}, LastUsedAt: &used,
		},
		{
			Consent: consent.Consent{
				ID: uuid.UUID{15: 2}, Scopes: consent.Scopes{access.ScopeDeclarationsRead},
				Services: access.ServiceSet{access.Declarations}, GivenAt: used, ExpiresAt: used.Add(time.Hour),
			},
			DisplayName: "Altro", Contributors: []consent.Contributor{{LegalName: "Forno"}},
		},
	}
	pages["consents"] = c.get(consentsPath)
	pages["consent, to be withdrawn"] = c.get(consentsPath + "?id=" + w.consents.all[0].ID.String())
	pages["consent withdrawn"] = c.follow(c.submit(pages["consent, to be withdrawn"], consentsPath, nil))
	pages["no applications"] = c.get(applicationsPath)
	one := payroll().Application
	one.Kind, one.Pending = application.Confidential, &application.Profile{}
	w.applications.all = []application.Application{one}
	pages["applications"] = c.get(applicationsPath)
	pages["application, to be removed"] = c.get(applicationsPath + "?id=" + one.ID.String())
	pages["application removed"] = c.follow(c.submit(pages["application, to be removed"], applicationsPath, nil))
	w.Exec(w.t, "UPDATE sessions SET pin_change_required = ?", true)
	pages["PIN"] = c.follow(c.get(consentsPath))
	pages["PIN made"] = c.submit(pages["PIN"], pinPath, nil)
	pages["PIN typed wrong"] = c.submit(pages["PIN made"], pinPath, url.Values{"pin": {"wrong"}})
	pages["logged out"] = c.follow(c.submit(pages["PIN"], logoutPath, nil))
	return pages
}

// Each page, in every state and both languages, is whole: one heading, fields with labels, nothing
// for scripts, and headers that keep it out of caches and frames.
func TestPages_AreWholeInBothLanguages(t *testing.T) {
	statuses := map[string]int{
		"a refusal of authorize": 400, "login, nothing typed": 422, "login, wrong PIN": 401, "a forged form": 403, "login with an identity, refused": 403,
		"consent, nothing chosen": 422, "consent, wrong PIN again": 401, "device, wrong code": 422, "over": 404, "PIN typed wrong": 422,
	}
	for _, lang := range []string{"it", "en"} {
		t.Run(lang, func(t *testing.T) {
			w := newWorld(t, sqlite(t))
			for name, s := range w.whole(lang) {
				want := statuses[name]
				if want == 0 {
					want = http.StatusOK
				}
				if s.status != want {
					t.Errorf("%s: got %d, want %d", name, s.status, want)
				}
				checkWhole(t, name, lang, s)
			}
		})
	}
}

func checkWhole(t *testing.T, name, lang string, s shown) {
	t.Helper()
	wellFormed(t, name, s.body)
	if got := s.all("html"); attr(got[0], "lang") != lang || s.header.Get("Content-Language") != lang {
		t.Errorf("%s: language %q", name, attr(got[0], "lang"))
	}
	for element, count := range map[string]int{"h1": 1, "main": 1, "title": 1, "script": 0, "style": 0, "iframe": 0} {
		if got := len(s.all(element)); got != count {
			t.Errorf("%s has %d %s", name, got, element)
		}
	}
	ids := map[string]int{}
	labelled := map[string]bool{}
	for n := range s.doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if id := attr(n, "id"); id != "" {
			ids[id]++
		}
		if n.Data == "label" {
			labelled[attr(n, "for")] = strings.TrimSpace(textOf(n)) != ""
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				t.Errorf("%s has %s inline", name, a.Key)
			}
		}
		if n.Data == "button" && strings.TrimSpace(textOf(n)) == "" {
			t.Errorf("%s has a button without words", name)
		}
	}
	for _, n := range s.all("input") {
		if attr(n, "type") != "hidden" && !labelled[attr(n, "id")] {
			t.Errorf("%s: %s has no label", name, attr(n, "name"))
		}
		if attr(n, "type") == "password" && attr(n, "value") != "" {
			t.Errorf("%s gives a secret back", name)
		}
	}
	for id, count := range ids {
		if count != 1 {
			t.Errorf("%s has the id %s %d times", name, id, count)
		}
	}
	for _, n := range s.all("input", "fieldset", "section", "article") {
		for _, reference := range strings.Fields(attr(n, "aria-describedby") + " " + attr(n, "aria-labelledby")) {
			if ids[reference] != 1 {
				t.Errorf("%s: nothing is called %s", name, reference)
			}
		}
	}
	for _, n := range s.all("a") {
		if to, here := strings.CutPrefix(attr(n, "href"), "#"); here && ids[to] != 1 {
			t.Errorf("%s leads to #%s, which is not there", name, to)
		}
	}
	if len(s.all("form")) > 0 || s.status != http.StatusOK {
		for header, want := range map[string]string{
			"Cache-Control": "no-store", "X-Frame-Options": "DENY", "Content-Type": "text/html; charset=utf-8",
		} {
			if got := s.header.Get(header); got != want {
				t.Errorf("%s: %s is %q", name, header, got)
			}
		}
	}
	policy := s.header.Get("Content-Security-Policy")
	for _, part := range []string{
		"default-src 'none'", "style-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'",
		"img-src 'self' https://static.istituto.example",
	} {
		if !slices.Contains(strings.Split(policy, "; "), part) {
			t.Errorf("%s: the policy is %q", name, policy)
		}
	}
	read := strings.ReplaceAll(strings.Join(visible(s), " "), "S.r.l.", "")
	for _, word := range regexp.MustCompile(`\b[a-z]+(\.[a-z_]+)+\b`).FindAllString(read, -1) {
		if !strings.HasSuffix(word, ".example") {
			t.Errorf("%s has no text for %s", name, word)
		}
	}
}

// visible are the texts of the page.
func visible(s shown) []string {
	var found []string
	for n := range s.doc.Descendants() {
		if n.Type == html.TextNode {
			found = append(found, n.Data)
		}
	}
	return found
}

// wellFormed sees that every element that was opened is closed, in order.
func wellFormed(t *testing.T, name, body string) {
	t.Helper()
	void := []string{"meta", "link", "input", "img", "br"}
	var open []string
	z := html.NewTokenizer(strings.NewReader(body))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if !errors.Is(z.Err(), io.EOF) || len(open) > 0 {
				t.Errorf("%s: %v, open %v", name, z.Err(), open)
			}
			return
		case html.StartTagToken:
			if tag := z.Token().Data; !slices.Contains(void, tag) {
				open = append(open, tag)
			}
		case html.EndTagToken:
			tag := z.Token().Data
			if len(open) == 0 || open[len(open)-1] != tag {
				t.Errorf("%s: </%s> closes %v", name, tag, open)
				return
			}
			open = open[:len(open)-1]
		}
	}
}

func TestTexts_BothLanguagesHaveTheSame(t *testing.T) {
	if it, en := slices.Sorted(maps.Keys(inItalian)), slices.Sorted(maps.Keys(inEnglish)); !slices.Equal(it, en) {
		t.Errorf("Italian has %q, English %q", it, en)
	}
	for name, text := range inItalian {
		if strings.Count(text, "%") != strings.Count(inEnglish[name], "%") {
			t.Errorf("%s has other values in the two languages", name)
		}
	}
	for _, scope := range access.Scopes() {
		if text(problem.Italian, "scope."+scope) == "scope."+scope {
			t.Errorf("%s has no words", scope)
		}
	}
}
