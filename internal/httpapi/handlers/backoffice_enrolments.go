package handlers

import (
	"context"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/review"
	"diresco/internal/mandate/enrolment"
)

// OfficeEnrolmentHandlers has the operations with which an office decides about enrolments.
type OfficeEnrolmentHandlers struct{ AtOffice *enrolment.Service }

const officeEnrolmentsPath = "/backoffice/enrolments"

// ListOfficeEnrolments implements api.StrictServerInterface.
func (h OfficeEnrolmentHandlers) ListOfficeEnrolments(
	ctx context.Context, r api.ListOfficeEnrolmentsRequestObject,
) (api.ListOfficeEnrolmentsResponseObject, error) {
	p := r.Params
	found, err := h.AtOffice.OfOffice(ctx, reqctx.ActorOf(ctx), enrolment.State(value(p.State)), pageRequest(ctx, p.Limit, p.Cursor))
	if err != nil {
		return nil, err
	}
	query := queryOf(map[string]*string{"state": (*string)(p.State)})
	return api.ListOfficeEnrolments200JSONResponse(pageOf(
		ctx, items(found.Items, viewOfficeEnrolment), officeEnrolmentsPath, query, found.Next, p.Limit,
	)), nil
}

// ShowOfficeEnrolment implements api.StrictServerInterface.
func (h OfficeEnrolmentHandlers) ShowOfficeEnrolment(
	ctx context.Context, r api.ShowOfficeEnrolmentRequestObject,
) (api.ShowOfficeEnrolmentResponseObject, error) {
	found, err := h.AtOffice.OpenAtOffice(ctx, reqctx.ActorOf(ctx), r.EnrolmentId)
	if err != nil {
		return nil, err
	}
	return api.ShowOfficeEnrolment200JSONResponse(viewOfficeEnrolment(found)), nil
}

// DecideEnrolment implements api.StrictServerInterface.
func (h OfficeEnrolmentHandlers) DecideEnrolment(
	ctx context.Context, r api.DecideEnrolmentRequestObject,
) (api.DecideEnrolmentResponseObject, error) {
	decided, err := h.AtOffice.Decide(ctx, reqctx.ActorOf(ctx), r.EnrolmentId, review.Decision{
		Outcome: review.Outcome(r.Body.Outcome), Reason: r.Body.Reason,
	})
	if err != nil {
		return nil, err
	}
	return api.DecideEnrolment200JSONResponse(viewOfficeEnrolment(decided)), nil
}

func viewOfficeEnrolment(h enrolment.Details) api.OfficeEnrolment {
	e := viewEnrolment(h)
	return api.OfficeEnrolment{
		EnrolmentId: e.EnrolmentId,
		Person:      api.PersonIdentity{PersonId: h.PersonID, TaxCode: h.TaxCode.Clear(), GivenName: h.GivenName, FamilyName: h.FamilyName},
		Form:        e.Form, State: e.State, ProtocolNumber: e.ProtocolNumber, ContributorTaxCode: e.ContributorTaxCode,
		Services:   e.Services,
		OfficeCode: e.OfficeCode,
		Notes:      e.Notes, SubmittedAt: e.SubmittedAt, DecidedAt: e.DecidedAt, Reason: e.Reason,
	}
}
