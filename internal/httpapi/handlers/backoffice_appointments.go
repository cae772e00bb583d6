package handlers

import (
	"context"
	"slices"
	"time"

	"diresco/api"
	"diresco/internal/dossier/appointment"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/masterdata/contributor"
)

// OfficeAppointmentHandlers has the operations on slots and appointments of the section Back
// office.
type OfficeAppointmentHandlers struct{ AtDesk *appointment.Service }

// PublishSlots implements api.StrictServerInterface.
func (h OfficeAppointmentHandlers) PublishSlots(
	ctx context.Context, r api.PublishSlotsRequestObject,
) (api.PublishSlotsResponseObject, error) {
	b := r.Body
	offer := appointment.Offer{
		Channel: appointment.Channel(b.Channel), Topics: b.Topics, Desks: int(value(b.Desks)), FirstDesk: int(value(b.FirstDesk)),
		StartsAt: b.StartsAt, EndsAt: b.EndsAt, From: dayOf(b.From), To: dayOf(b.To), Starts: value(b.Starts), Ends: value(b.Ends),
		Minutes: int(value(b.Minutes)),
	}
	if b.Weekdays != nil {
		offer.Weekdays = items(*b.Weekdays, weekdayOf)
	}
	p, err := h.AtDesk.Publish(ctx, reqctx.ActorOf(ctx), r.OfficeCode, offer)
	if err != nil {
		return nil, err
	}
	return api.PublishSlots201JSONResponse{
		Body:    api.SlotPublication{Count: int32(p.Count), StartsAt: p.From, EndsAt: p.To}, //nolint:gosec // bounded by the service
		Headers: api.PublishSlots201ResponseHeaders{Location: reqctx.BasePath + "/backoffice/offices/" + r.OfficeCode + "/slots"},
	}, nil
}

// weekdayOf is a day of the week, which the contract names.
func weekdayOf(day api.Weekday) time.Weekday {
	return time.Weekday((slices.Index(contributor.Weekdays(), string(day)) + 1) % len(contributor.Weekdays()))
}

// ListOfficeSlots implements api.StrictServerInterface.
func (h OfficeAppointmentHandlers) ListOfficeSlots(
	ctx context.Context, r api.ListOfficeSlotsRequestObject,
) (api.ListOfficeSlotsResponseObject, error) {
	found, err := h.AtDesk.OfficeSlots(ctx, reqctx.ActorOf(ctx), r.OfficeCode, appointment.SlotFilter{
		From: dayOf(r.Params.From), To: dayOf(r.Params.To), Channel: appointment.Channel(value(r.Params.Channel)),
		Free: value(r.Params.Free),
	}, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	query := slotQuery(r.Params.From, r.Params.To, r.Params.Channel, r.Params.Free, nil)
	now := h.AtDesk.Now()
	return api.ListOfficeSlots200JSONResponse(pageOf(ctx, items(found.Items, func(s appointment.SlotView) api.OfficeSlot {
		return viewOfficeSlot(s, now)
	}), "/backoffice/offices/"+r.OfficeCode+"/slots", query, found.Next, r.Params.Limit)), nil
}

// WithdrawSlot implements api.StrictServerInterface.
func (h OfficeAppointmentHandlers) WithdrawSlot(
	ctx context.Context, r api.WithdrawSlotRequestObject,
) (api.WithdrawSlotResponseObject, error) {
	s, err := h.AtDesk.Withdraw(ctx, reqctx.ActorOf(ctx), r.SlotId, r.Body.Reason)
	if err != nil {
		return nil, err
	}
	return api.WithdrawSlot200JSONResponse(viewOfficeSlot(s, h.AtDesk.Now())), nil
}

// ListOfficeAppointments implements api.StrictServerInterface.
func (h OfficeAppointmentHandlers) ListOfficeAppointments(
	ctx context.Context, r api.ListOfficeAppointmentsRequestObject,
) (api.ListOfficeAppointmentsResponseObject, error) {
	filter := appointment.OfficeFilter{Day: h.AtDesk.Today(), State: appointment.State(value(r.Params.State))}
	if day := dayOf(r.Params.Day); day != nil {
		filter.Day = *day
	}
	found, err := h.AtDesk.OfOffice(ctx, reqctx.ActorOf(ctx), filter, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	// The next page is of the same day, whenever it is asked for.
	query := map[string]*string{"state": (*string)(r.Params.State)}
	if r.Params.Day != nil || found.Next != "" {
		query["day"] = new(filter.Day.String())
	}
	return api.ListOfficeAppointments200JSONResponse(pageOf(ctx, items(found.Items, func(v appointment.View) api.OfficeAppointment {
		// Looking through a day is no look at anybody, so it says nothing of how they are reached.
		listed := viewOfficeAppointment(ctx, v)
		listed.Phone, listed.Notes = nil, nil
		return listed
	}), "/backoffice/appointments", queryOf(query), found.Next, r.Params.Limit)), nil
}

// ShowOfficeAppointment implements api.StrictServerInterface.
func (h OfficeAppointmentHandlers) ShowOfficeAppointment(
	ctx context.Context, r api.ShowOfficeAppointmentRequestObject,
) (api.ShowOfficeAppointmentResponseObject, error) {
	v, err := h.AtDesk.OpenAtOffice(ctx, reqctx.ActorOf(ctx), r.AppointmentId)
	if err != nil {
		return nil, err
	}
	return api.ShowOfficeAppointment200JSONResponse(viewOfficeAppointment(ctx, v)), nil
}

// MarkAppointment implements api.StrictServerInterface.
func (h OfficeAppointmentHandlers) MarkAppointment(
	ctx context.Context, r api.MarkAppointmentRequestObject,
) (api.MarkAppointmentResponseObject, error) {
	v, err := h.AtDesk.Attend(ctx, reqctx.ActorOf(ctx), r.AppointmentId, r.Body.Attended)
	if err != nil {
		return nil, err
	}
	return api.MarkAppointment200JSONResponse(viewOfficeAppointment(ctx, v)), nil
}

func viewOfficeSlot(s appointment.SlotView, now time.Time) api.OfficeSlot {
	return api.OfficeSlot{
		SlotId: s.ID, OfficeCode: s.OfficeCode, Desk: int32(s.Desk), //nolint:gosec // bounded by the contract
		StartsAt: s.StartsAt, EndsAt: s.EndsAt, Channel: api.AppointmentChannel(s.Channel),
		Topics: api.List[api.AppointmentTopicCode](s.Topics), Free: s.Free(now), AppointmentId: s.AppointmentID,
		PublishedAt: s.PublishedAt, WithdrawnAt: s.WithdrawnAt, WithdrawalReason: s.WithdrawalReason,
	}
}

func viewOfficeAppointment(ctx context.Context, v appointment.View) api.OfficeAppointment {
	shown := viewAppointment(ctx, v)
	return api.OfficeAppointment{
		AppointmentId: shown.AppointmentId, State: shown.State, SlotId: shown.SlotId, StartsAt: shown.StartsAt, EndsAt: shown.EndsAt,
		Channel: shown.Channel, Office: shown.Office, Topic: shown.Topic, TopicTitle: shown.TopicTitle, ContributorId: shown.ContributorId,
		ContributorLegalName: v.LegalName, TicketId: shown.TicketId, Phone: &shown.Phone, Notes: &shown.Notes, BookedBy: shown.BookedBy,
		BookedAt: shown.BookedAt, ConfirmBy: shown.ConfirmBy, ConfirmedAt: shown.ConfirmedAt, EndedAt: shown.EndedAt,
		WithdrawalReason: shown.WithdrawalReason, Attended: shown.Attended,
	}
}
