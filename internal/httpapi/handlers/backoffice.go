package handlers

import (
	"context"

	"diresco/api"
	"diresco/internal/filing/declaration"
	"diresco/internal/httpapi/reqctx"
)

// BackOfficeHandlers has the operations of the section Back office.
type BackOfficeHandlers struct{ Declarations *declaration.Service }

// ListOfficeDeclarations implements api.StrictServerInterface.
func (h BackOfficeHandlers) ListOfficeDeclarations(
	ctx context.Context, r api.ListOfficeDeclarationsRequestObject,
) (api.ListOfficeDeclarationsResponseObject, error) {
	p := r.Params
	filter, query := filterOf(p.Type, p.State, p.SubmittedFrom, p.SubmittedTo)
	found, err := h.Declarations.OfOffice(ctx, reqctx.ActorOf(ctx), filter, pageRequest(ctx, p.Limit, p.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListOfficeDeclarations200JSONResponse(viewDeclarations(ctx, found, "/backoffice/declarations", query, p.Limit)), nil
}
