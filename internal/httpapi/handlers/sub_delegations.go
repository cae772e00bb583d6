package handlers

import (
	"context"

	"github.com/google/uuid"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/mandate/subdelegation"
)

// SubDelegationHandlers has the operations of the section Sub-delegations.
type SubDelegationHandlers struct{ SubDelegations *subdelegation.Service }

const subDelegationsPath = "/sub-delegations"

// GrantSubDelegation implements api.StrictServerInterface.
func (h SubDelegationHandlers) GrantSubDelegation(
	ctx context.Context, r api.GrantSubDelegationRequestObject,
) (api.GrantSubDelegationResponseObject, error) {
	code, err := parseTaxCode(r.Body.TaxCode, "/tax_code")
	if err != nil {
		return nil, err
	}
	in := subdelegation.Input{
		DelegateID: r.Body.DelegateId, TaxCode: code, All: value(r.Body.All), DelegationIDs: value(r.Body.DelegationIds),
		ValidUntil: r.Body.ValidUntil, Services: servicesOf(r.Body.Services),
	}
	granted, err := h.SubDelegations.Grant(ctx, reqctx.ActorOf(ctx), in)
	if err != nil {
		return nil, err
	}
	return api.GrantSubDelegation201JSONResponse{
		Body:    viewSubDelegation(granted),
		Headers: api.GrantSubDelegation201ResponseHeaders{Location: reqctx.BasePath + idPath(subDelegationsPath, granted.ID)},
	}, nil
}

// ListSubDelegations implements api.StrictServerInterface.
func (h SubDelegationHandlers) ListSubDelegations(
	ctx context.Context, r api.ListSubDelegationsRequestObject,
) (api.ListSubDelegationsResponseObject, error) {
	found, err := h.SubDelegations.List(ctx, reqctx.ActorOf(ctx), pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListSubDelegations200JSONResponse(pageOf(
		ctx, items(found.Items, viewSubDelegation), subDelegationsPath, "", found.Next, r.Params.Limit,
	)), nil
}

// ShowSubDelegation implements api.StrictServerInterface.
func (h SubDelegationHandlers) ShowSubDelegation(
	ctx context.Context, r api.ShowSubDelegationRequestObject,
) (api.ShowSubDelegationResponseObject, error) {
	found, err := h.SubDelegations.Show(ctx, reqctx.ActorOf(ctx), r.SubDelegationId)
	if err != nil {
		return nil, err
	}
	return api.ShowSubDelegation200JSONResponse(viewSubDelegation(found)), nil
}

// RevokeSubDelegation implements api.StrictServerInterface.
func (h SubDelegationHandlers) RevokeSubDelegation(
	ctx context.Context, r api.RevokeSubDelegationRequestObject,
) (api.RevokeSubDelegationResponseObject, error) {
	revoked, err := h.SubDelegations.Revoke(ctx, reqctx.ActorOf(ctx), r.SubDelegationId)
	if err != nil {
		return nil, err
	}
	return api.RevokeSubDelegation200JSONResponse(viewSubDelegation(revoked)), nil
}

func viewSubDelegation(s subdelegation.View) api.SubDelegation {
	return api.SubDelegation{
		SubDelegationId: s.ID,
		Delegate:        viewDelegate(s.DelegateID, s.DelegateKind, s.DelegateName),
		Person:          api.PersonReference{PersonId: s.PersonID, GivenName: s.GivenName, FamilyName: s.FamilyName}, All: s.Every,
		DelegationIds: items(s.DelegationIDs, func(id uuid.UUID) api.Id {
			return id
		}), Services: viewServices(s.Services), ValidUntil: s.ValidUntil,
		State: api.SubDelegationState(s.State), GrantedAt: s.GrantedAt, RevokedAt: s.RevokedAt,
	}
}
