package account

import (
	"net/http"

	"github.com/google/uuid"

	"diresco/internal/httpapi/problem"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
)

// pinPage is what the change of a PIN shows.
type pinPage struct {
	// Forced says that nothing else can be done before.
	Forced bool
	// Rotation is the change that waits to be confirmed; "" where none was begun.
	Rotation string
	// PIN is the new one, the one time that it is shown.
	PIN string
}

// showPIN explains the change of a PIN.
func (v *visit) showPIN() error {
	query := v.r.URL.Query()
	flow, next := query.Get("flow"), query.Get("next")
	if v.by == nil {
		return v.redirect(v.onward(loginPath, flow, next))
	}
	if !v.by.PINChangeRequired {
		return v.redirect(v.destination(flow, next))
	}
	return v.showRotation(http.StatusOK, flow, next, pinPage{}, nil)
}

func (v *visit) showRotation(status int, flow, next string, data pinPage, errs []wrong) error {
	data.Forced = v.by.PINChangeRequired
	return v.show(status, "pin", view{Title: v.t("pin.title"), Flow: flow, Next: next, Data: data, Errors: errs})
}

// changePIN makes a new PIN or, once it is typed back, lets it take the place of the old one. The
// new one is in this answer alone: a page that is asked for again does not have it.
func (v *visit) changePIN() error {
	flow, next, rotation := v.form.Get("flow"), v.form.Get("next"), v.form.Get("rotation")
	if v.by == nil {
		return v.redirect(v.onward(loginPath, flow, next))
	}
	if rotation == "" {
		made, err := v.s.PINs.Rotate(v.doing(opRotate), *v.by)
		if fault.Is(err, fault.Reauthenticate) {
			return v.redirect(v.destination(flow, next))
		}
		if err != nil {
			return err
		}
		return v.showRotation(http.StatusOK, flow, next, pinPage{Rotation: made.ID.String(), PIN: made.PIN.Reveal()}, nil)
	}
	typed := secret.Text(v.form.Get("pin"))
	if secret.Normalise(typed) == "" {
		return v.showRotation(
			http.StatusUnprocessableEntity, flow, next, pinPage{Rotation: rotation}, []wrong{{"pin", v.t("pin.missing")}},
		)
	}
	id, err := uuid.Parse(rotation)
	if err != nil {
		return fault.New(fault.Malformed)
	}
	s, err := v.s.PINs.Confirm(v.doing(opConfirm), *v.by, id, typed)
	if f := problem.FaultOf(err); f != nil {
		if f.Code == fault.Invalid {
			v.note(opConfirm, f)
			return v.showRotation(
				http.StatusUnprocessableEntity, flow, next, pinPage{Rotation: rotation}, []wrong{{"pin", v.t("pin.differs")}},
			)
		}
		if f.Code == fault.NotFound {
			return v.showRotation(http.StatusNotFound, flow, next, pinPage{}, []wrong{{"", v.t("pin.over")}})
		}
		status, errs := v.refusedPIN(opConfirm, f)
		if errs == nil {
			return err
		}
		return v.showRotation(status, flow, next, pinPage{Rotation: rotation}, errs)
	}
	if err != nil {
		return err
	}
	if err := v.begin(s.SessionID); err != nil {
		return err
	}
	return v.redirect(v.destination(flow, next))
}
