package handlers

import (
	"context"

	"diresco/api"
	"diresco/internal/filing/declaration"
	"diresco/internal/httpapi/etag"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/review"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/money"
)

// DeclarationDeskHandlers has the operations with which an office deals with declarations.
type DeclarationDeskHandlers struct{ AtOffice *declaration.Service }

const officeDeclarationsPath = "/backoffice/declarations"

// ListOfficeDeclarations implements api.StrictServerInterface.
func (h DeclarationDeskHandlers) ListOfficeDeclarations(
	ctx context.Context, r api.ListOfficeDeclarationsRequestObject,
) (api.ListOfficeDeclarationsResponseObject, error) {
	p := r.Params
	filter, query := officeFilterOf(p)
	found, err := h.AtOffice.OfOffice(ctx, reqctx.ActorOf(ctx), filter, pageRequest(ctx, p.Limit, p.Cursor))
	if err != nil {
		return nil, err
	}
	return declarationPage(viewDeclarations(ctx, found, officeDeclarationsPath, query, p.Limit)), nil
}

// SearchOfficeDeclarations implements api.StrictServerInterface.
func (h DeclarationDeskHandlers) SearchOfficeDeclarations(
	ctx context.Context, r api.SearchOfficeDeclarationsRequestObject,
) (api.SearchOfficeDeclarationsResponseObject, error) {
	filter, err := officeSearchOf(r.Body)
	if err != nil {
		return nil, err
	}
	found, err := h.AtOffice.OfOffice(ctx, reqctx.ActorOf(ctx), filter, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return declarationPage(viewDeclarations(
		ctx, found, "/backoffice/declaration-searches", "", r.Params.Limit,
	)), nil
}

// TakeDeclarationInCharge implements api.StrictServerInterface.
func (h DeclarationDeskHandlers) TakeDeclarationInCharge(
	ctx context.Context, r api.TakeDeclarationInChargeRequestObject,
) (api.TakeDeclarationInChargeResponseObject, error) {
	d, err := h.AtOffice.TakeInCharge(ctx, reqctx.ActorOf(ctx), r.DeclarationId)
	if err != nil {
		return nil, err
	}
	return api.TakeDeclarationInCharge200JSONResponse{
		Body: viewDeclaration(d), Headers: api.TakeDeclarationInCharge200ResponseHeaders{ETag: etag.Version(d.Version)},
	}, nil
}

// ReleaseDeclaration implements api.StrictServerInterface.
func (h DeclarationDeskHandlers) ReleaseDeclaration(
	ctx context.Context, r api.ReleaseDeclarationRequestObject,
) (api.ReleaseDeclarationResponseObject, error) {
	if err := h.AtOffice.Release(ctx, reqctx.ActorOf(ctx), r.DeclarationId); err != nil {
		return nil, err
	}
	return api.ReleaseDeclaration204Response{}, nil
}

// DecideDeclaration implements api.StrictServerInterface.
func (h DeclarationDeskHandlers) DecideDeclaration(
	ctx context.Context, r api.DecideDeclarationRequestObject,
) (api.DecideDeclarationResponseObject, error) {
	outcome := declaration.Decision{Decision: review.Decision{Outcome: review.Outcome(r.Body.Outcome), Reason: r.Body.Reason}}
	if r.Body.Amount != nil {
		amount, err := money.Parse(*r.Body.Amount)
		if err != nil {
			return nil, fault.InvalidFields(fault.Field{Pointer: "/amount", Code: fault.FieldPattern})
		}
		outcome.Amount = &amount
	}
	d, err := h.AtOffice.Decide(ctx, reqctx.ActorOf(ctx), r.DeclarationId, outcome)
	if err != nil {
		return nil, err
	}
	return api.DecideDeclaration200JSONResponse{
		Body: viewDeclaration(d), Headers: api.DecideDeclaration200ResponseHeaders{ETag: etag.Version(d.Version)},
	}, nil
}

// officeFilterOf reads the filters of an office's list, and writes them again as its links need
// them.
func officeFilterOf(p api.ListOfficeDeclarationsParams) (declaration.Filter, string) {
	filter, _ := filterOf(p.Type, p.State, p.SubmittedFrom, p.SubmittedTo)
	filter.ContributorID, filter.LapsesBefore = value(p.ContributorId), p.LapsesBefore
	filter.Assigned = review.Assignment(value(p.AssignedTo))
	return filter, queryOf(map[string]*string{
		"type": p.Type, "state": (*string)(p.State), "submitted_from": instantText(p.SubmittedFrom),
		"submitted_to": instantText(p.SubmittedTo), "contributor_id": idText(p.ContributorId), "assigned_to": (*string)(p.AssignedTo),
		"lapses_before": instantText(p.LapsesBefore),
	})
}

func officeSearchOf(body *api.OfficeDeclarationSearch) (declaration.Filter, error) {
	filter, err := searchOf(&api.DeclarationSearch{
		Type: body.Type, State: body.State, SubmittedFrom: body.SubmittedFrom, SubmittedTo: body.SubmittedTo,
		WorkerTaxCode: body.WorkerTaxCode,
	})
	if err != nil {
		return filter, err
	}
	filter.ContributorID, filter.LapsesBefore = value(body.ContributorId), body.LapsesBefore
	filter.Assigned = review.Assignment(value(body.AssignedTo))
	if body.ContributorTaxCode != nil {
		code, err := parseTaxCode(*body.ContributorTaxCode, "/contributor_tax_code")
		if err != nil {
			return filter, err
		}
		filter.ContributorTaxCode = code.Clear()
	}
	return filter, nil
}
