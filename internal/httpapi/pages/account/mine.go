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

// confirmation asks whether something is to be ended that cannot be brought back.
type confirmation struct {
	ID           uuid.UUID
	Text, Button string
	Facts        []fact
}

// fact is something to know before.
type fact struct{ Name, Text string }

// asked returns what a page is to be confirmed for, and false where the list is asked for.
func (v *visit) asked() (uuid.UUID, bool) {
	id, err := uuid.Parse(v.r.URL.Query().Get("id"))
	return id, err == nil
}

// confirm asks before something is ended. What is none of the person's is over already.
func (v *visit) confirm(title string, c confirmation, err error) error {
	if fault.Is(err, fault.NotFound) {
		return v.redirect(v.r.URL.Path)
	}
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "confirm", view{Title: title, Data: c})
}

// askWithdraw asks whether a consent is to be withdrawn.
func (v *visit) askWithdraw(id uuid.UUID) error {
	shown, err := v.s.Consents.Show(v.r.Context(), *v.by, id)
	return v.confirm(v.t("consents.ask.title", shown.DisplayName), confirmation{
		ID: id, Text: v.t("consents.ask.text"), Button: v.t("consents.withdraw"),
		Facts: []fact{
			{v.t("consents.given"), momentText(v.lang, shown.GivenAt)}, {v.t("consents.until"), momentText(v.lang, shown.ExpiresAt)},
		},
	}, err)
}

// askRemove asks whether an application is to be removed.
func (v *visit) askRemove(id uuid.UUID) error {
	a, err := v.s.Applications.Show(v.r.Context(), *v.by, id)
	return v.confirm(v.t("applications.ask.title", a.DisplayName), confirmation{
		ID: id, Text: v.t("applications.ask.text"), Button: v.t("applications.remove"),
		Facts: []fact{{v.t("applications.client"), a.ClientID}},
	}, err)
}

// showConsents lists what the person lets applications do.
func (v *visit) showConsents() error {
	if ok, err := v.admitted("", "consents"); !ok {
		return err
	}
	if err := v.ensureBrowser(); err != nil {
		return err
	}
	if id, ok := v.asked(); ok {
		return v.askWithdraw(id)
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

// withdraw ends a consent, once that was confirmed.
func (v *visit) withdraw() error {
	if ok, err := v.admitted("", "consents"); !ok {
		return err
	}
	id, err := uuid.Parse(v.form.Get("id"))
	if err != nil {
		return fault.New(fault.Malformed)
	}
	if v.form.Get("confirmed") == "" {
		return v.askWithdraw(id)
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
	if id, ok := v.asked(); ok {
		return v.askRemove(id)
	}
	found, err := v.s.Applications.Mine(v.r.Context(), *v.by, v.cursor(applicationsPath))
	if err != nil {
		return err
	}
	data := listPage[application.Application]{Items: found.Items, More: more(applicationsPath, found.Next)}
	return v.show(http.StatusOK, "applications", view{Title: v.t("applications.title"), Data: data, Done: v.done("removed")})
}

// remove takes an application out of the register, once that was confirmed.
func (v *visit) remove() error {
	if ok, err := v.admitted("", "applications"); !ok {
		return err
	}
	id, err := uuid.Parse(v.form.Get("id"))
	if err != nil {
		return fault.New(fault.Malformed)
	}
	if v.form.Get("confirmed") == "" {
		return v.askRemove(id)
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
