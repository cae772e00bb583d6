package account

import (
	"errors"
	"net/http"

	"github.com/google/uuid"

	"diresco/internal/httpapi/problem"
	"diresco/internal/identity/oauth"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/taxcode"
)

// What the access log and the audit trail call what is done here: as the API does.
const (
	opStart   = "startSession"
	opEnd     = "endSession"
	opRotate  = "rotatePin"
	opConfirm = "confirmPinRotation"
	opAgain   = "reauthenticate"
)

// authorize begins the flow of an application that sent the browser here.
func (v *visit) authorize() error {
	if err := v.ensureBrowser(); err != nil {
		return err
	}
	flow, err := v.s.Flows.Begin(v.r.Context(), v.r.URL.Query(), v.browser)
	var refused *oauth.Refusal
	switch {
	case errors.As(err, &refused) && refused.Redirect != "":
		return v.redirect(refused.Redirect)
	case errors.As(err, &refused):
		n := v.notice(http.StatusBadRequest, "refused")
		// For whoever made the application.
		n.Texts = append(n.Texts, refused.Code+": "+refused.Description)
		return n
	case err != nil:
		return err
	}
	return v.redirect(v.onward(consentPath, flow.ID.String(), ""))
}

// loginPage is what the login shows beside its form.
type loginPage struct {
	// Application is the one that asks to be let in; "" where none does.
	Application string
	TaxCode     string
	// Ways are the buttons of national identities.
	Ways []way
}

// showLogin shows the form, save to who has logged in already.
func (v *visit) showLogin() error {
	query := v.r.URL.Query()
	if v.by != nil {
		return v.redirect(v.destination(query.Get("flow"), query.Get("next")))
	}
	return v.askLogin(http.StatusOK, query.Get("flow"), query.Get("next"), "", nil)
}

// askLogin shows the form with what was wrong.
func (v *visit) askLogin(status int, flow, next, taxCode string, errs []wrong) error {
	if err := v.ensureBrowser(); err != nil {
		return err
	}
	data := loginPage{TaxCode: taxCode}
	if id := flowID(flow); id != uuid.Nil {
		f, err := v.s.Flows.Flow(v.r.Context(), id, v.browser)
		if err != nil {
			return v.flowOver(err)
		}
		data.Application = f.Application.DisplayName
		v.prefer(f.Language)
	} else {
		flow = ""
	}
	if places[next] == "" {
		next = ""
	}
	var err error
	if data.Ways, err = v.ways(flow, next); err != nil {
		return err
	}
	done := ""
	if v.r.URL.Query().Get("done") == "out" {
		done = v.t("done.out")
	}
	return v.show(status, "login", view{Title: v.t("login.title"), Flow: flow, Next: next, Data: data, Errors: errs, Done: done})
}

// flowOver is the page about a flow that is over, or began in another browser.
func (v *visit) flowOver(err error) error {
	if fault.Is(err, fault.NotFound) {
		return v.notice(http.StatusNotFound, "over")
	}
	return err
}

// login logs somebody in.
func (v *visit) login() error {
	flow, next, typed := v.form.Get("flow"), v.form.Get("next"), v.form.Get("tax_code")
	pin := secret.Text(v.form.Get("pin"))
	var errs []wrong
	code, err := taxcode.Parse(typed)
	if err != nil {
		errs = append(errs, wrong{"tax_code", v.t("login.tax_code.form")})
	}
	if secret.Normalise(pin) == "" {
		errs = append(errs, wrong{"pin", v.t("login.pin.missing")})
	}
	if len(errs) > 0 {
		return v.askLogin(http.StatusUnprocessableEntity, flow, next, typed, errs)
	}
	s, err := v.s.Sessions.Start(v.doing(opStart), code.Clear(), pin, v.address())
	if f := problem.FaultOf(err); f != nil {
		status, errs := v.refusedPIN(opStart, f)
		if errs == nil {
			return err
		}
		return v.askLogin(status, flow, next, typed, errs)
	}
	if err != nil {
		return err
	}
	if err := v.begin(s.SessionID); err != nil {
		return err
	}
	return v.redirect(v.destination(flow, next))
}

// pinFaults are what becomes of a PIN that lets nobody in.
var pinFaults = map[fault.Code]bool{
	fault.InvalidCredentials: true, fault.PINLocked: true, fault.RateLimited: true, fault.Busy: true, fault.PINExpired: true,
	fault.Unavailable: true,
}

// refusedPIN says in words why a PIN let nobody in, as the API says it. It has none where the fault
// is another. It says nothing more to who is registered than to who is not.
func (v *visit) refusedPIN(operation string, f *fault.Fault) (status int, errs []wrong) {
	if !pinFaults[f.Code] {
		return 0, nil
	}
	v.note(operation, f)
	v.setWait(f)
	status, _ = problem.Status(f.Code)
	for i, text := range v.words(f) {
		field := ""
		if i == 0 {
			field = "pin"
		}
		errs = append(errs, wrong{field, text})
	}
	return status, errs
}

// logout ends the session, and what the browser holds of it.
func (v *visit) logout() error {
	if v.by != nil {
		err := v.s.Sessions.End(v.doing(opEnd), *v.by, v.by.SessionID)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	if err := v.s.Browsers.Close(v.r.Context(), v.known); err != nil {
		return err
	}
	v.setCookie(sessionCookie, "")
	return v.redirect(loginPath + "?done=out")
}
