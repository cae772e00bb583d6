package handlers

import (
	"bytes"
	"context"

	"github.com/oapi-codegen/runtime/types"

	"diresco/api"
	"diresco/internal/dossier/appointment"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/platform/calendar"
)

// AppointmentHandlers has the operations of the section Appointments.
type AppointmentHandlers struct{ Appointments *appointment.Service }

const appointmentsPath = "/appointments"

// ListSlots implements api.StrictServerInterface.
func (h AppointmentHandlers) ListSlots(ctx context.Context, r api.ListSlotsRequestObject) (api.ListSlotsResponseObject, error) {
	found, err := h.Appointments.Slots(ctx, r.OfficeCode, appointment.SlotFilter{
		From: dayOf(r.Params.From), To: dayOf(r.Params.To), Topic: value(r.Params.Topic),
		Channel: appointment.Channel(value(r.Params.Channel)), Free: value(r.Params.Free),
	}, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	query := slotQuery(r.Params.From, r.Params.To, r.Params.Channel, r.Params.Free, r.Params.Topic)
	return api.ListSlots200JSONResponse(pageOf(ctx, items(found.Items, func(s appointment.SlotView) api.Slot {
		return api.Slot{
			SlotId: s.ID, StartsAt: s.StartsAt, EndsAt: s.EndsAt, Channel: api.AppointmentChannel(s.Channel),
			Topics: api.List[api.AppointmentTopicCode](s.Topics), Free: !s.Taken(),
		}
	}), "/offices/"+r.OfficeCode+"/slots", query, found.Next, r.Params.Limit)), nil
}

// slotQuery are the parameters by which a list of slots was narrowed down.
func slotQuery(from, to *types.Date, channel *api.AppointmentChannel, free *bool, topic *string) string {
	params := map[string]*string{"from": dayText(from), "to": dayText(to), "channel": (*string)(channel), "topic": topic}
	if value(free) {
		params["free"] = new("true")
	}
	return queryOf(params)
}

func dayText(day *types.Date) *string {
	if day == nil {
		return nil
	}
	return new(day.Format(types.DateFormat))
}

// dayOf is a day of the calendar; nil for none.
func dayOf(d *types.Date) *calendar.Date {
	if d == nil {
		return nil
	}
	return &calendar.Date{Year: d.Year(), Month: d.Month(), Day: d.Day()}
}

// BookAppointment implements api.StrictServerInterface.
func (h AppointmentHandlers) BookAppointment(
	ctx context.Context, r api.BookAppointmentRequestObject,
) (api.BookAppointmentResponseObject, error) {
	booked, err := h.Appointments.Book(ctx, reqctx.ActorOf(ctx), appointment.Booking{
		SlotID: r.Body.SlotId, ContributorID: r.Body.ContributorId, Topic: r.Body.Topic, TicketID: r.Body.TicketId, Phone: r.Body.Phone,
		Notes: r.Body.Notes,
	})
	if err != nil {
		return nil, err
	}
	return api.BookAppointment201JSONResponse{
		Body:    viewAppointment(ctx, booked),
		Headers: api.BookAppointment201ResponseHeaders{Location: reqctx.BasePath + idPath(appointmentsPath, booked.ID)},
	}, nil
}

// ListAppointments implements api.StrictServerInterface.
func (h AppointmentHandlers) ListAppointments(
	ctx context.Context, r api.ListAppointmentsRequestObject,
) (api.ListAppointmentsResponseObject, error) {
	filter := appointment.Filter{State: appointment.State(value(r.Params.State)), ContributorID: r.Params.ContributorId}
	if day := dayOf(r.Params.From); day != nil {
		filter.From = new(day.Start())
	}
	found, err := h.Appointments.List(ctx, reqctx.ActorOf(ctx), filter, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	query := queryOf(map[string]*string{
		"from": dayText(r.Params.From), "state": (*string)(r.Params.State), "contributor_id": idText(r.Params.ContributorId),
	})
	return api.ListAppointments200JSONResponse(pageOf(ctx, items(found.Items, func(v appointment.View) api.Appointment {
		return viewAppointment(ctx, v)
	}), appointmentsPath, query, found.Next, r.Params.Limit)), nil
}

// ShowAppointment implements api.StrictServerInterface.
func (h AppointmentHandlers) ShowAppointment(
	ctx context.Context, r api.ShowAppointmentRequestObject,
) (api.ShowAppointmentResponseObject, error) {
	v, err := h.Appointments.Show(ctx, reqctx.ActorOf(ctx), r.AppointmentId)
	if err != nil {
		return nil, err
	}
	return api.ShowAppointment200JSONResponse(viewAppointment(ctx, v)), nil
}

// ConfirmAppointment implements api.StrictServerInterface.
func (h AppointmentHandlers) ConfirmAppointment(
	ctx context.Context, r api.ConfirmAppointmentRequestObject,
) (api.ConfirmAppointmentResponseObject, error) {
	v, err := h.Appointments.Confirm(ctx, reqctx.ActorOf(ctx), r.AppointmentId)
	if err != nil {
		return nil, err
	}
	return api.ConfirmAppointment200JSONResponse(viewAppointment(ctx, v)), nil
}

// RescheduleAppointment implements api.StrictServerInterface.
func (h AppointmentHandlers) RescheduleAppointment(
	ctx context.Context, r api.RescheduleAppointmentRequestObject,
) (api.RescheduleAppointmentResponseObject, error) {
	v, err := h.Appointments.Reschedule(ctx, reqctx.ActorOf(ctx), r.AppointmentId, r.Body.SlotId)
	if err != nil {
		return nil, err
	}
	return api.RescheduleAppointment200JSONResponse(viewAppointment(ctx, v)), nil
}

// CancelAppointment implements api.StrictServerInterface.
func (h AppointmentHandlers) CancelAppointment(
	ctx context.Context, r api.CancelAppointmentRequestObject,
) (api.CancelAppointmentResponseObject, error) {
	v, err := h.Appointments.Cancel(ctx, reqctx.ActorOf(ctx), r.AppointmentId)
	if err != nil {
		return nil, err
	}
	return api.CancelAppointment200JSONResponse(viewAppointment(ctx, v)), nil
}

// ShowAppointmentCalendar implements api.StrictServerInterface.
func (h AppointmentHandlers) ShowAppointmentCalendar(
	ctx context.Context, r api.ShowAppointmentCalendarRequestObject,
) (api.ShowAppointmentCalendarResponseObject, error) {
	v, err := h.Appointments.Show(ctx, reqctx.ActorOf(ctx), r.AppointmentId)
	if err != nil {
		return nil, err
	}
	file := h.Appointments.Calendar(v, inEnglish(ctx))
	return api.ShowAppointmentCalendar200TextcalendarResponse{
		Body: bytes.NewReader(file), ContentLength: int64(len(file)),
		Headers: api.ShowAppointmentCalendar200ResponseHeaders{
			ContentDisposition: new(`attachment; filename="appointment-` + v.ID.String() + `.ics"`),
		},
	}, nil
}

func viewAppointment(ctx context.Context, v appointment.View) api.Appointment {
	view := api.Appointment{
		AppointmentId: v.ID, State: api.AppointmentState(v.Now), SlotId: v.SlotID, StartsAt: v.StartsAt, EndsAt: v.EndsAt,
		Channel: api.AppointmentChannel(v.Channel), Office: viewAppointmentOffice(v), Topic: v.Topic, TopicTitle: v.TopicTitleIt,
		ContributorId: v.ContributorID, TicketId: v.TicketID, Phone: v.Phone, Notes: v.Notes,
		BookedBy: api.PersonReference{PersonId: v.PersonID, GivenName: v.GivenName, FamilyName: v.FamilyName},
		BookedAt: v.BookedAt, ConfirmedAt: v.ConfirmedAt, EndedAt: v.EndedAt, WithdrawalReason: v.WithdrawalReason, Attended: v.Attended,
	}
	if inEnglish(ctx) {
		view.TopicTitle = v.TopicTitleEn
	}
	switch {
	case v.Now == appointment.Booked:
		view.ConfirmBy = &v.ConfirmBy
	case v.Now == appointment.Expired:
		view.EndedAt = &v.ConfirmBy
	}
	return view
}

func viewAppointmentOffice(v appointment.View) api.AppointmentOffice {
	return api.AppointmentOffice{
		OfficeCode: v.OfficeCode, Title: v.OfficeTitle, Phone: v.OfficePhone,
		Address: viewAddress(v.Street, v.PostalCode, v.Town, v.Province),
	}
}
