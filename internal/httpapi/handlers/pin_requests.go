package handlers

import (
	"context"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/pinrequest"
	"diresco/internal/masterdata/residents"
)

// PINRequestHandlers has the operations with which somebody without a login asks for a PIN.
type PINRequestHandlers struct{ PINRequests *pinrequest.Service }

// RequestPin implements api.StrictServerInterface.
func (h PINRequestHandlers) RequestPin(ctx context.Context, r api.RequestPinRequestObject) (api.RequestPinResponseObject, error) {
	application, err := pinApplication(*r.Body)
	if err != nil {
		return nil, err
	}
	made, err := h.PINRequests.Request(ctx, application)
	if err != nil {
		return nil, err
	}
	return api.RequestPin202JSONResponse{
		Body: viewPINRequest(made), Headers: api.RequestPin202ResponseHeaders{Location: reqctx.BasePath + "/pin-requests/" + made.ID},
	}, nil
}

// ShowPinRequest implements api.StrictServerInterface.
func (h PINRequestHandlers) ShowPinRequest(
	ctx context.Context, r api.ShowPinRequestRequestObject,
) (api.ShowPinRequestResponseObject, error) {
	found, err := h.PINRequests.Show(ctx, r.RequestId)
	if err != nil {
		return nil, err
	}
	return api.ShowPinRequest200JSONResponse(viewPINRequest(found)), nil
}

func pinApplication(body api.PinApplication) (pinrequest.Application, error) {
	code, err := parseTaxCode(body.TaxCode, "/tax_code")
	if err != nil {
		return pinrequest.Application{}, err
	}
	return pinrequest.Application{
		TaxCode: code,
		Identity: residents.Identity{
			GivenName: body.GivenName, FamilyName: body.FamilyName, BirthDate: body.BirthDate.Format(openapi_types.DateFormat),
			BirthPlace: body.BirthPlace,
			Street:     body.Residence.Street, PostalCode: body.Residence.PostalCode, Town: body.Residence.Town,
			Province: body.Residence.Province,
		},
		Phone: value(body.Phone), Contacts: items(body.Contacts, electronicContact),
	}, nil
}

// viewPINRequest is what whoever asked may see: not why it waits.
func viewPINRequest(r pinrequest.View) api.PinRequest {
	return api.PinRequest{
		RequestId: r.ID, State: api.PinRequestState(r.State), Deliveries: items(r.Deliveries, viewHalf), CreatedAt: r.CreatedAt,
	}
}

func viewHalf(d pinrequest.HalfDelivery) api.PinHalfDelivery {
	return api.PinHalfDelivery{
		Half: api.PinHalf(d.Half), Channel: api.MessageChannel(d.Channel), To: d.To, State: api.DeliveryState(d.State),
	}
}
