package account

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
)

// The cookies. That of the session stands for a login; that of the browser is there before one, and
// ties a flow and its forms to the browser in which they began.
const (
	sessionCookie  = "diresco"
	browserCookie  = "diresco-browser"
	languageCookie = "diresco-language"
	// hostPrefix has browsers take a cookie only from this very host and by https.
	hostPrefix = "__Host-"
)

const (
	// maxForm is how long a form may be, in bytes.
	maxForm = 16 << 10
	// maxEntry is how long one entry of a form may be.
	maxEntry = 128
	// secretLength is how many characters the secrets in cookies have.
	secretLength = 43
	formType     = "application/x-www-form-urlencoded"
)

// visit is one request for a page.
type visit struct {
	s    *site
	w    http.ResponseWriter
	r    *http.Request
	lang problem.Language
	// chosen says that somebody chose the language on a page.
	chosen bool
	// browser is the secret of the browser; known that of its session. Each is "" where there is none.
	browser, known secret.Text
	// by is who has logged in; nil where nobody has.
	by   *access.Actor
	form url.Values
	// policy is the page's Content-Security-Policy.
	policy string
}

func (s *site) visit(w http.ResponseWriter, r *http.Request) *visit {
	v := &visit{s: s, w: w, r: r, lang: reqctx.LanguageOf(r.Context()), policy: s.policy}
	v.browser, v.known = v.cookie(browserCookie), v.cookie(sessionCookie)
	if c, err := r.Cookie(s.cookieName(languageCookie)); err == nil {
		v.choose(c.Value)
	}
	if wanted := r.URL.Query().Get("lang"); v.choose(wanted) && r.Method == http.MethodGet {
		v.setCookie(languageCookie, secret.Text(wanted))
	}
	return v
}

// choose takes a language by its tag and reports whether there is such a one.
func (v *visit) choose(tag string) bool {
	for _, lang := range []problem.Language{problem.Italian, problem.English} {
		if tag == lang.String() {
			v.lang, v.chosen = lang, true
			return true
		}
	}
	return false
}

// prefer takes the language that an application asked for, unless somebody chose one.
func (v *visit) prefer(tag string) {
	if !v.chosen && v.choose(tag) {
		v.chosen = false
	}
}

func (s *site) cookieName(name string) string {
	if s.secure {
		return hostPrefix + name
	}
	return name
}

// cookie returns a secret from a cookie, and "" for what is none of ours.
func (v *visit) cookie(name string) secret.Text {
	all := v.r.CookiesNamed(v.s.cookieName(name))
	if len(all) != 1 || len(all[0].Value) != secretLength {
		return ""
	}
	return secret.Text(all[0].Value)
}

// setCookie has the browser keep a value until it is closed; "" has it forget.
func (v *visit) setCookie(name string, value secret.Text) {
	c := &http.Cookie{ //nolint:gosec // secure wherever there is https
		Name: v.s.cookieName(name), Value: value.Reveal(), Path: "/", HttpOnly: true, Secure: v.s.secure, SameSite: http.SameSiteLaxMode,
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(v.w, c)
}

// ensureBrowser gives the browser a secret if it has none.
func (v *visit) ensureBrowser() error {
	if v.browser != "" {
		return nil
	}
	fresh, err := v.s.Browsers.Draw()
	if err != nil {
		return err
	}
	v.browser = fresh
	v.setCookie(browserCookie, fresh)
	return nil
}

// identify finds out who has logged in, if somebody has. They may have to change their PIN.
func (v *visit) identify() error {
	id, found, err := v.s.Browsers.Session(v.r.Context(), v.known)
	if err != nil {
		return err
	}
	if found {
		err = v.enter(id)
	}
	if !found && v.known != "" || fault.Is(err, fault.SessionEnded) {
		v.known = ""
		v.setCookie(sessionCookie, "")
		err = nil
	}
	return err
}

// enter makes the holder of a session the one who acts.
func (v *visit) enter(sessionID uuid.UUID) error {
	by, err := v.s.Enter(v.r.Context(), sessionID, access.Rule{To: access.ToSession, Forced: true})
	if err != nil {
		return err
	}
	v.by = &by
	return reqctx.Count(v.r.Context(), reqctx.Sender{ID: by.PersonID})
}

// begin has the browser hold another session from now on.
func (v *visit) begin(sessionID uuid.UUID) error {
	fresh, err := v.s.Browsers.Open(v.r.Context(), sessionID, v.known)
	if err != nil {
		return err
	}
	v.known = fresh
	v.setCookie(sessionCookie, fresh)
	return v.enter(sessionID)
}

// fresh reports whether the last login is recent enough to let an application in.
func (v *visit) fresh() bool {
	return v.by != nil && v.s.Clock.Now().Sub(v.by.AuthenticatedAt) <= access.FreshFor
}

// doing is the request's context for what the API calls by that name.
func (v *visit) doing(operation string) context.Context {
	origin := audit.OriginOf(v.r.Context())
	origin.Operation = operation
	return audit.WithOrigin(v.r.Context(), origin)
}

// address is the client's.
func (v *visit) address() string { return audit.OriginOf(v.r.Context()).Address }

// token is what a form of this page carries so that no other site can send it. It is bound to the
// browser, its login, and the page.
func (v *visit) token(path string) string {
	mac := hmac.New(sha256.New, []byte("form of a page\x00"+v.browser.Reveal()))
	mac.Write([]byte(path + "\x00" + v.known.Reveal()))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// repeated are the entries of which a form may have several.
var repeated = map[string]bool{"contributor": true, "service": true}

// formNames are the entries that forms have, whichever.
var formNames = map[string]bool{
	"token": true, "flow": true, "next": true, "tax_code": true, "pin": true, "rotation": true, "decision": true, "which": true,
	"contributor": true, "service": true, "months": true, "user_code": true, "id": true, "confirmed": true,
}

// readForm reads what was posted, and refuses what was sent by another site.
func (v *visit) readForm() error {
	if mediaType, _, err := mime.ParseMediaType(v.r.Header.Get("Content-Type")); err != nil || mediaType != formType {
		return fault.New(fault.UnsupportedMediaType)
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(http.MaxBytesReader(v.w, v.r.Body, maxForm)); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return err
		}
		return fault.Wrap(fault.Malformed, err)
	}
	form, err := url.ParseQuery(body.String())
	if err != nil {
		return fault.New(fault.Malformed)
	}
	for name, values := range form {
		if !formNames[name] || len(values) > 1 && !repeated[name] {
			return fault.New(fault.Malformed)
		}
		for _, value := range values {
			if len(value) > maxEntry || !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
				return fault.New(fault.Malformed)
			}
		}
	}
	if !v.sentByUs() || v.browser == "" || !hmac.Equal([]byte(form.Get("token")), []byte(v.token(v.r.URL.Path))) {
		expired := v.notice(http.StatusForbidden, "expired")
		expired.Href, expired.Link = v.onward(loginPath, form.Get("flow"), form.Get("next")), v.t("expired.link")
		return expired
	}
	v.form = form
	return nil
}

// sentByUs reports whether the browser says that a page of ours sent the form. One that is told to
// send no referrer says "null" for the origin; a newer one tells of itself which site it was.
func (v *visit) sentByUs() bool {
	if site := v.r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	origin := v.r.Header.Get("Origin")
	return origin == "" || origin == "null" || origin == v.s.origin
}

// flowID reads the id of a flow; it is zero for what is none.
func flowID(text string) uuid.UUID {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != len(id.String()) {
		return uuid.Nil
	}
	return id
}

// places are where a login may lead without a flow: nowhere else, whatever a link says.
var places = map[string]string{"consents": consentsPath, "applications": applicationsPath, "device": devicePath}

// onward is the path with the flow, or with where a login leads.
func (v *visit) onward(path, flow, next string) string {
	query := url.Values{}
	switch {
	case flowID(flow) != uuid.Nil:
		query.Set("flow", flow)
	case places[next] != "":
		query.Set("next", next)
	default:
		return path
	}
	return path + "?" + query.Encode()
}

// destination is where somebody goes who has logged in.
func (v *visit) destination(flow, next string) string {
	switch {
	case v.by != nil && v.by.PINChangeRequired:
		return v.onward(pinPath, flow, next)
	case flowID(flow) != uuid.Nil:
		return v.onward(consentPath, flow, "")
	case places[next] != "":
		return places[next]
	default:
		return consentsPath
	}
}

// redirect sends the browser to another page by GET. What was posted is not posted again by a look
// back.
func (v *visit) redirect(to string) error {
	v.w.Header().Set("Location", to)
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// admitted sends whoever has not logged in, or must change the PIN, to where they do. It reports
// whether they may go on here.
func (v *visit) admitted(flow, next string) (bool, error) {
	switch {
	case v.by == nil:
		return false, v.redirect(v.onward(loginPath, flow, next))
	case v.by.PINChangeRequired:
		return false, v.redirect(v.onward(pinPath, flow, next))
	}
	return true, nil
}

// setWait tells programs how long to wait.
func (v *visit) setWait(f *fault.Fault) {
	if f.RetryAfter > 0 {
		v.w.Header().Set("Retry-After", strconv.FormatInt(int64((f.RetryAfter+time.Second-1)/time.Second), 10))
	}
}
