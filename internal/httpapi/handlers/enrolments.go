package handlers

import (
	"context"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/access"
	"diresco/internal/mandate/enrolment"
)

// EnrolmentHandlers has the operations of the section Enrolments.
type EnrolmentHandlers struct{ Enrolments *enrolment.Service }

const enrolmentsPath = "/enrolments"

// FileEnrolment implements api.StrictServerInterface.
func (h EnrolmentHandlers) FileEnrolment(ctx context.Context, r api.FileEnrolmentRequestObject) (api.FileEnrolmentResponseObject, error) {
	code, err := parseTaxCode(r.Body.ContributorTaxCode, "/contributor_tax_code")
	if err != nil {
		return nil, err
	}
	in := enrolment.Input{
		Form: enrolment.Form(r.Body.Form), ContributorTaxCode: code, OfficeCode: value(r.Body.OfficeCode), Notes: r.Body.Notes,
		Services: servicesOf(r.Body.Services),
	}
	filed, err := h.Enrolments.File(ctx, reqctx.ActorOf(ctx), in)
	if err != nil {
		return nil, err
	}
	return api.FileEnrolment202JSONResponse{
		Body:    viewEnrolment(filed),
		Headers: api.FileEnrolment202ResponseHeaders{Location: reqctx.BasePath + idPath(enrolmentsPath, filed.ID)},
	}, nil
}

// ListEnrolments implements api.StrictServerInterface.
func (h EnrolmentHandlers) ListEnrolments(
	ctx context.Context, r api.ListEnrolmentsRequestObject,
) (api.ListEnrolmentsResponseObject, error) {
	found, err := h.Enrolments.Mine(ctx, reqctx.ActorOf(ctx), pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListEnrolments200JSONResponse(pageOf(
		ctx, items(found.Items, viewEnrolment), enrolmentsPath, "", found.Next, r.Params.Limit,
	)), nil
}

// ShowEnrolment implements api.StrictServerInterface.
func (h EnrolmentHandlers) ShowEnrolment(ctx context.Context, r api.ShowEnrolmentRequestObject) (api.ShowEnrolmentResponseObject, error) {
	found, err := h.Enrolments.Show(ctx, reqctx.ActorOf(ctx), r.EnrolmentId)
	if err != nil {
		return nil, err
	}
	return api.ShowEnrolment200JSONResponse(viewEnrolment(found)), nil
}

func viewEnrolment(e enrolment.Details) api.Enrolment {
	return api.Enrolment{
		EnrolmentId: e.ID, Form: api.EnrolmentForm(e.Form), State: api.EnrolmentState(e.State), ProtocolNumber: e.ProtocolNumber,
		ContributorTaxCode: e.ContributorTaxCode.Clear(),
		Services:           items(e.Services, func(s access.Service) api.PublicBodyService { return api.PublicBodyService(s) }),
		OfficeCode:         e.OfficeCode, Notes: e.Notes, SubmittedAt: e.SubmittedAt, DecidedAt: e.DecidedAt, Reason: e.Reason,
	}
}
