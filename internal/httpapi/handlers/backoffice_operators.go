package handlers

import (
	"context"

	"diresco/api"
	"diresco/internal/httpapi/etag"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
)

// ListOperators implements api.StrictServerInterface.
func (h PeopleHandlers) ListOperators(ctx context.Context, r api.ListOperatorsRequestObject) (api.ListOperatorsResponseObject, error) {
	found, err := h.BackOffice.Operators(ctx, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListOperators200JSONResponse(pageOf(
		ctx, items(found.Items, viewOperator), "/backoffice/operators", "", found.Next, r.Params.Limit,
	)), nil
}

// AddOperator implements api.StrictServerInterface.
func (h PeopleHandlers) AddOperator(ctx context.Context, r api.AddOperatorRequestObject) (api.AddOperatorResponseObject, error) {
	code, err := parseTaxCode(r.Body.TaxCode, "/tax_code")
	if err != nil {
		return nil, err
	}
	p, err := h.BackOffice.Appoint(ctx, reqctx.ActorOf(ctx), code, person.Post{
		Class: access.UserClass(r.Body.UserClass), OfficeCode: value(r.Body.OfficeCode),
	})
	if err != nil {
		return nil, err
	}
	return api.AddOperator201JSONResponse{
		Body: viewOperator(p),
		Headers: api.AddOperator201ResponseHeaders{
			ETag: etag.Version(p.Version), Location: reqctx.BasePath + idPath("/backoffice/operators", p.ID),
		},
	}, nil
}

// ShowOperator implements api.StrictServerInterface.
func (h PeopleHandlers) ShowOperator(ctx context.Context, r api.ShowOperatorRequestObject) (api.ShowOperatorResponseObject, error) {
	p, err := h.BackOffice.Operator(ctx, r.OperatorId)
	if err != nil {
		return nil, err
	}
	return api.ShowOperator200JSONResponse{
		Body: viewOperator(p), Headers: api.ShowOperator200ResponseHeaders{ETag: etag.Version(p.Version)},
	}, nil
}

// ChangeOperator implements api.StrictServerInterface.
func (h PeopleHandlers) ChangeOperator(ctx context.Context, r api.ChangeOperatorRequestObject) (api.ChangeOperatorResponseObject, error) {
	change := person.PostChange{Class: (*access.UserClass)(r.Body.UserClass), OfficeCode: r.Body.OfficeCode}
	expected, err := etag.Expected(value(r.Params.IfMatch), func() (int, error) {
		shown, err := h.BackOffice.Operator(ctx, r.OperatorId)
		return shown.Version, err
	})
	if err != nil {
		return nil, err
	}
	p, err := h.BackOffice.Reassign(ctx, reqctx.ActorOf(ctx), r.OperatorId, expected, change)
	if err != nil {
		return nil, err
	}
	return api.ChangeOperator200JSONResponse{
		Body: viewOperator(p), Headers: api.ChangeOperator200ResponseHeaders{ETag: etag.Version(p.Version)},
	}, nil
}

// ConfirmOperator implements api.StrictServerInterface.
func (h PeopleHandlers) ConfirmOperator(
	ctx context.Context, r api.ConfirmOperatorRequestObject,
) (api.ConfirmOperatorResponseObject, error) {
	p, err := h.BackOffice.ConfirmOperator(ctx, reqctx.ActorOf(ctx), r.OperatorId)
	if err != nil {
		return nil, err
	}
	return api.ConfirmOperator200JSONResponse{
		Body: viewOperator(p), Headers: api.ConfirmOperator200ResponseHeaders{ETag: etag.Version(p.Version)},
	}, nil
}

// RemoveOperator implements api.StrictServerInterface.
func (h PeopleHandlers) RemoveOperator(ctx context.Context, r api.RemoveOperatorRequestObject) (api.RemoveOperatorResponseObject, error) {
	if err := h.BackOffice.Dismiss(ctx, reqctx.ActorOf(ctx), r.OperatorId); err != nil {
		return nil, err
	}
	return api.RemoveOperator204Response{}, nil
}

func viewOperator(p person.Person) api.Operator {
	return api.Operator{
		OperatorId: p.ID, TaxCode: p.TaxCode.Clear(), GivenName: p.GivenName, FamilyName: p.FamilyName,
		UserClass:  api.StaffClass(p.UserClass),
		OfficeCode: p.OfficeCode, Suspended: p.SuspendedAt != nil, Unconfirmed: p.PostGivenBy != nil,
	}
}
