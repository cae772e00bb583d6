package handlers

import (
	"context"
	"time"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/pinrequest"
)

// OfficePINRequestHandlers has the operations of the section Back office about requests for a PIN.
type OfficePINRequestHandlers struct{ Requests *pinrequest.Service }

// ListPinRequests implements api.StrictServerInterface.
func (h OfficePINRequestHandlers) ListPinRequests(
	ctx context.Context, r api.ListPinRequestsRequestObject,
) (api.ListPinRequestsResponseObject, error) {
	p := r.Params
	found, err := h.Requests.List(ctx, pinrequest.State(value(p.State)), pageRequest(ctx, p.Limit, p.Cursor))
	if err != nil {
		return nil, err
	}
	list := make(api.List[api.OfficePinRequest], len(found.Items))
	for i, item := range found.Items {
		if list[i], err = viewOfficePINRequest(item); err != nil {
			return nil, err
		}
	}
	query := queryOf(map[string]*string{"state": (*string)(p.State)})
	return api.ListPinRequests200JSONResponse(pageOf(ctx, list, "/backoffice/pin-requests", query, found.Next, p.Limit)), nil
}

// FilePinRequest implements api.StrictServerInterface.
func (h OfficePINRequestHandlers) FilePinRequest(
	ctx context.Context, r api.FilePinRequestRequestObject,
) (api.FilePinRequestResponseObject, error) {
	application, err := pinApplication(*r.Body)
	if err != nil {
		return nil, err
	}
	filed, err := h.Requests.File(ctx, reqctx.ActorOf(ctx), application)
	if err != nil {
		return nil, err
	}
	view, err := viewOfficePINRequest(filed)
	return api.FilePinRequest202JSONResponse{
		Body: view, Headers: api.FilePinRequest202ResponseHeaders{Location: reqctx.BasePath + "/backoffice/pin-requests/" + filed.ID},
	}, err
}

// ShowOfficePinRequest implements api.StrictServerInterface.
func (h OfficePINRequestHandlers) ShowOfficePinRequest(
	ctx context.Context, r api.ShowOfficePinRequestRequestObject,
) (api.ShowOfficePinRequestResponseObject, error) {
	found, err := h.Requests.Open(ctx, reqctx.ActorOf(ctx), r.RequestId)
	if err != nil {
		return nil, err
	}
	view, err := viewOfficePINRequest(found)
	return api.ShowOfficePinRequest200JSONResponse(view), err
}

// DecidePinRequest implements api.StrictServerInterface.
func (h OfficePINRequestHandlers) DecidePinRequest(
	ctx context.Context, r api.DecidePinRequestRequestObject,
) (api.DecidePinRequestResponseObject, error) {
	decided, err := h.Requests.Decide(ctx, reqctx.ActorOf(ctx), r.RequestId, pinrequest.Outcome{
		State: pinrequest.State(r.Body.Outcome), Reason: r.Body.Reason,
	})
	if err != nil {
		return nil, err
	}
	view, err := viewOfficePINRequest(decided)
	return api.DecidePinRequest200JSONResponse(view), err
}

func viewOfficePINRequest(r pinrequest.View) (api.OfficePinRequest, error) {
	born, err := time.Parse(openapi_types.DateFormat, r.BirthDate)
	view := api.OfficePinRequest{
		RequestId: r.ID, State: api.PinRequestState(r.State), TaxCode: r.TaxCode.Clear(), GivenName: r.GivenName, FamilyName: r.FamilyName,
		BirthDate: openapi_types.Date{Time: born}, BirthPlace: r.BirthPlace,
		Residence: api.Residence{Street: r.Street, PostalCode: r.PostalCode, Town: r.Town, Province: r.Province}, Phone: r.Phone,
		Contacts: items(r.Contacts, func(c pinrequest.Contact) api.ElectronicContact {
			return api.ElectronicContact{Kind: api.ElectronicContactKind(c.Kind), Value: c.Value}
		}),
		Deliveries: items(r.Deliveries, viewHalf), DecidedAt: r.DecidedAt, Reason: r.Reason, CreatedAt: r.CreatedAt,
	}
	if r.WaitsBecause != nil && r.State == pinrequest.Waiting {
		because := api.PinRequestWaitReason(*r.WaitsBecause)
		view.WaitsBecause = &because
	}
	if r.Filer != nil {
		view.FiledBy = &api.PersonReference{PersonId: r.Filer.ID, GivenName: r.Filer.GivenName, FamilyName: r.Filer.FamilyName}
	}
	return view, err
}
