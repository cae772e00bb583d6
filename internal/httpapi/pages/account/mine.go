package account

import (
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"diresco/internal/httpapi/problem"
	"diresco/internal/identity/application"
	"diresco/internal/identity/consent"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// What the audit trail calls what is done here: as the API does.
const (
	opWithdraw = "withdrawMyConsent"
	opRemove   = "removeApplication"
)

// perPage is how many entries a page lists.
const perPage = 20

// listPage is one page of a list.
type listPage[T any] struct {
	Items []T
	// More leads to the next page; "" on the last.
	More string
}

// shownConsent is a consent with its services in words.
type shownConsent struct {
	consent.View
	ServiceTitles []string
}

// showConsents lists what the person lets applications do.
func (v *visit) showConsents() error {
	if ok, err := v.admitted("", "consents"); !ok {
		return err
	}
	if err := v.ensureBrowser(); err != nil {
		return err
	}
	found, err := v.s.Consents.Mine(v.r.Context(), *v.by, v.cursor(consentsPath))
	if err != nil {
		return err
	}
	data := listPage[shownConsent]{More: more(consentsPath, found.Next)}
	for _, c := range found.Items {
		shown := shownConsent{View: c}
		if !c.Services.Covers(access.AllServices) {
			titles, err := v.s.Titles(v.r.Context(), c.Services)
			if err != nil {
				return err
			}
			for _, title := range titles {
				if v.lang == problem.English {
					shown.ServiceTitles = append(shown.ServiceTitles, title.English)
				} else {
					shown.ServiceTitles = append(shown.ServiceTitles, title.Italian)
				}
			}
		}
		data.Items = append(data.Items, shown)
	}
	return v.show(http.StatusOK, "consents", view{Title: v.t("consents.title"), Data: data, Done: v.done("withdrawn")})
}

// withdraw ends a consent.
func (v *visit) withdraw() error {
	if ok, err := v.admitted("", "consents"); !ok {
		return err
	}
	id, err := uuid.Parse(v.form.Get("id"))
	if err != nil {
		return fault.New(fault.Malformed)
	}
	// One that has ended meanwhile is what was wanted.
	if err := v.s.Consents.Withdraw(v.doing(opWithdraw), *v.by, id); err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	return v.redirect(consentsPath + "?done=withdrawn")
}

// showApplications lists the applications that the person registered.
func (v *visit) showApplications() error {
	if ok, err := v.admitted("", "applications"); !ok {
		return err
	}
	if err := v.ensureBrowser(); err != nil {
		return err
	}
	found, err := v.s.Applications.Mine(v.r.Context(), *v.by, v.cursor(applicationsPath))
	if err != nil {
		return err
	}
	data := listPage[application.Application]{Items: found.Items, More: more(applicationsPath, found.Next)}
	return v.show(http.StatusOK, "applications", view{Title: v.t("applications.title"), Data: data, Done: v.done("removed")})
}

// remove takes an application out of the register.
func (v *visit) remove() error {
	if ok, err := v.admitted("", "applications"); !ok {
		return err
	}
	id, err := uuid.Parse(v.form.Get("id"))
	if err != nil {
		return fault.New(fault.Malformed)
	}
	if err := v.s.Applications.Remove(v.doing(opRemove), *v.by, id); err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	return v.redirect(applicationsPath + "?done=removed")
}

// cursor asks for the page of a list that the query names.
func (v *visit) cursor(list string) page.Request {
	return page.Request{Limit: perPage, Cursor: v.r.URL.Query().Get("after"), List: list}
}

func more(path, next string) string {
	if next == "" {
		return ""
	}
	return path + "?" + url.Values{"after": {next}}.Encode()
}

// done says what has just been done, if it was that.
func (v *visit) done(what string) string {
	if v.r.URL.Query().Get("done") != what {
		return ""
	}
	return v.t("done." + what)
}
