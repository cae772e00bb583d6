package handlers

import (
	"context"
	"slices"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/kernel/access"
)

// MeHandlers has the operations of the section Me.
type MeHandlers struct {
	People *person.Service
	PINs   *pin.Service
	Rights *access.Repository
}

// ShowMe implements api.StrictServerInterface.
func (h MeHandlers) ShowMe(ctx context.Context, _ api.ShowMeRequestObject) (api.ShowMeResponseObject, error) {
	p, err := h.People.ByID(ctx, reqctx.ActorOf(ctx).PersonID)
	if err != nil {
		return nil, err
	}
	me, err := h.viewMe(ctx, p)
	return api.ShowMe200JSONResponse(me), err
}

// ConfirmIdentity implements api.StrictServerInterface.
func (h MeHandlers) ConfirmIdentity(ctx context.Context, r api.ConfirmIdentityRequestObject) (api.ConfirmIdentityResponseObject, error) {
	p, err := h.People.ConfirmIdentity(ctx, reqctx.ActorOf(ctx), r.Body.Confirmed)
	if err != nil {
		return nil, err
	}
	me, err := h.viewMe(ctx, p)
	return api.ConfirmIdentity200JSONResponse(me), err
}

func (h MeHandlers) viewMe(ctx context.Context, p person.Person) (api.Me, error) {
	expires, err := h.PINs.ExpiresAt(ctx, p.ID)
	if err != nil {
		return api.Me{}, err
	}
	memberships, err := h.Rights.Memberships(ctx, reqctx.ActorOf(ctx))
	if err != nil {
		return api.Me{}, err
	}
	// Several roles at one are one intermediary, and a firm (studio associato) is none.
	memberships = slices.CompactFunc(memberships, func(a, b access.Membership) bool { return a.DelegateID == b.DelegateID })
	memberships = slices.DeleteFunc(memberships, func(s access.Membership) bool { return !api.DelegateKind(s.Kind).Valid() })
	return api.Me{
		PersonId: p.ID, GivenName: p.GivenName, FamilyName: p.FamilyName, UserClass: api.UserClass(p.UserClass),
		CredentialLevel: api.CredentialLevel(p.CredentialLevel),
		PinExpiresAt:    expires, IdentityConfirmed: p.IdentityConfirmedAt != nil, OfficeCode: p.OfficeCode,
		Intermediaries: items(memberships, func(s access.Membership) api.MyIntermediary {
			return api.MyIntermediary{DelegateId: s.DelegateID, Kind: api.DelegateKind(s.Kind), LegalName: s.LegalName}
		}),
	}, nil
}
