package httpapi

import (
	"context"

	"diresco/api"
	"diresco/internal/person"
	"diresco/internal/pin"
)

// MeHandlers has the operations of the section Me.
type MeHandlers struct {
	People *person.Service
	PINs   *pin.Service
}

// ShowMe implements api.StrictServerInterface.
func (h MeHandlers) ShowMe(ctx context.Context, _ api.ShowMeRequestObject) (api.ShowMeResponseObject, error) {
	by := actorFrom(ctx)
	p, err := h.People.Show(ctx, by)
	if err != nil {
		return nil, err
	}
	expires, err := h.PINs.ExpiresAt(ctx, by.PersonID)
	if err != nil {
		return nil, err
	}
	return api.ShowMe200JSONResponse{
		PersonId: p.ID, GivenName: p.GivenName, FamilyName: p.FamilyName, UserClass: api.UserClass(p.UserClass), CredentialLevel: api.CredentialLevel(p.CredentialLevel),
		PinExpiresAt: expires, IdentityConfirmed: p.IdentityConfirmedAt != nil, OfficeCode: p.OfficeCode, Intermediaries: api.List[api.MyIntermediary]{},
	}, nil
}
