package handlers

import (
	"context"

	"diresco/api"
	"diresco/internal/httpapi/etag"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/masterdata/contributor"
)

// OfficeHandlers has the operations of the section Offices, and what sets an office's details.
type OfficeHandlers struct {
	Contributors *contributor.Service
	Details      *contributor.Offices
}

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

// ShowOffice implements api.StrictServerInterface.
func (h OfficeHandlers) ShowOffice(ctx context.Context, r api.ShowOfficeRequestObject) (api.ShowOfficeResponseObject, error) {
	o, err := h.Details.Show(ctx, r.OfficeCode)
	if err != nil {
		return nil, err
	}
	return api.ShowOffice200JSONResponse{Body: viewOffice(o), Headers: api.ShowOffice200ResponseHeaders{ETag: officeTag(o)}}, nil
}

// ReplaceOffice implements api.StrictServerInterface.
func (h OfficeHandlers) ReplaceOffice(ctx context.Context, r api.ReplaceOfficeRequestObject) (api.ReplaceOfficeResponseObject, error) {
	expected, err := etag.Expected(value(r.Params.IfMatch), func() (int, error) {
		o, err := h.Details.Show(ctx, r.OfficeCode)
		return o.Version, err
	})
	if err != nil {
		return nil, err
	}
	in := contributor.OfficeDetails{Phone: r.Body.Phone}
	if a := r.Body.Address; a != nil {
		in.Street, in.PostalCode, in.Town, in.Province = &a.Street, &a.PostalCode, &a.Town, a.Province
	}
	for _, hours := range r.Body.Hours {
		in.Hours = append(in.Hours, contributor.OpeningHours{Weekday: string(hours.Weekday), Opens: hours.Opens, Closes: hours.Closes})
	}
	o, err := h.Details.Replace(ctx, reqctx.ActorOf(ctx), r.OfficeCode, expected, in)
	if err != nil {
		return nil, err
	}
	return api.ReplaceOffice200JSONResponse{Body: viewOffice(o), Headers: api.ReplaceOffice200ResponseHeaders{ETag: officeTag(o)}}, nil
}

func viewOffice(o contributor.Office) api.Office {
	return api.Office{
		OfficeCode: o.Code, Title: o.Title, Address: viewAddress(o.Street, o.PostalCode, o.Town, o.Province), Phone: o.Phone,
		Hours: items(o.Hours, func(h contributor.OpeningHours) api.OpeningHours {
			return api.OpeningHours{Weekday: api.Weekday(h.Weekday), Opens: h.Opens, Closes: h.Closes}
		}),
	}
}

// viewAddress is an office's address, or nil where it is not known.
func viewAddress(street, postalCode, town, province *string) *api.OfficeAddress {
	if street == nil || postalCode == nil || town == nil {
		return nil
	}
	return &api.OfficeAddress{Street: *street, PostalCode: *postalCode, Town: *town, Province: province}
}

// officeTag is the entity tag of an office: the title may change by an import, the version by
// what sets the details alone.
func officeTag(o contributor.Office) string { return etag.Shown(o.Version, o.Title) }
