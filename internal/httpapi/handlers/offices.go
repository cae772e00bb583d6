package handlers

import (
	"context"

	"diresco/api"
	"diresco/internal/masterdata/contributor"
)

// OfficeHandlers has the operations of the section Offices.
type OfficeHandlers struct{ Contributors *contributor.Service }

// ListOffices implements api.StrictServerInterface.
func (h OfficeHandlers) ListOffices(ctx context.Context, r api.ListOfficesRequestObject) (api.ListOfficesResponseObject, error) {
	found, err := h.Contributors.Offices(ctx, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListOffices200JSONResponse(pageOf(
		ctx, items(found.Items, viewOffice), "/offices", "", found.Next, r.Params.Limit,
	)), nil
}

func viewOffice(o contributor.Office) api.Office {
	return api.Office{OfficeCode: o.Code, Title: o.Title}
}
