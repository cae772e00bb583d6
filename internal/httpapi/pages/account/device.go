package account

import (
	"net/http"

	"diresco/internal/httpapi/problem"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
)

// opDevice is what the access log calls a code that was typed.
const opDevice = "enterDeviceCode"

// showDevice asks for the code that a device shows.
func (v *visit) showDevice() error {
	switch v.r.URL.Query().Get("done") {
	case "approved":
		return v.notice(http.StatusOK, "device.approved")
	case "refused":
		return v.notice(http.StatusOK, "device.refused")
	}
	if ok, err := v.admitted("", "device"); !ok {
		return err
	}
	return v.askCode(http.StatusOK, nil)
}

func (v *visit) askCode(status int, errs []wrong) error {
	if err := v.ensureBrowser(); err != nil {
		return err
	}
	return v.show(status, "device", view{Title: v.t("device.title"), Errors: errs})
}

// enterCode finds what asks to be let in by the code that it shows.
func (v *visit) enterCode() error {
	if ok, err := v.admitted("", "device"); !ok {
		return err
	}
	code := secret.Text(v.form.Get("user_code"))
	if secret.Normalise(code) == "" {
		return v.askCode(http.StatusUnprocessableEntity, []wrong{{"user_code", v.t("device.missing")}})
	}
	flow, err := v.s.Flows.FlowByUserCode(v.doing(opDevice), *v.by, code, v.browser)
	if f := problem.FaultOf(err); f != nil {
		switch {
		case f.Code == fault.NotFound, f.Code == fault.CodeInvalid:
			v.note(opDevice, fault.New(fault.CodeInvalid))
			return v.askCode(http.StatusUnprocessableEntity, []wrong{{"user_code", v.t("device.unknown")}})
		case f.Code == fault.RateLimited, f.Code == fault.PINLocked, f.Code == fault.Busy:
			status, errs := v.refusedPIN(opDevice, f)
			if f.Code == fault.PINLocked {
				// The words of that fault are about PINs.
				errs[0].Text = v.t("device.locked")
			}
			errs[0].Field = "user_code"
			return v.askCode(status, errs)
		}
	}
	if err != nil {
		return err
	}
	return v.redirect(v.onward(consentPath, flow.ID.String(), ""))
}
