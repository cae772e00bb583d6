package handlers

import (
	"context"

	"github.com/google/uuid"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/access"
	"diresco/internal/mandate/grant"
	"diresco/internal/masterdata/intermediary"
)

// UserHandlers has the operations of the section Users.
type UserHandlers struct {
	Users          *grant.Service
	Intermediaries *intermediary.Repository
}

// ListContributorUsers implements api.StrictServerInterface.
func (h UserHandlers) ListContributorUsers(
	ctx context.Context, r api.ListContributorUsersRequestObject,
) (api.ListContributorUsersResponseObject, error) {
	at, err := h.Users.AtContributor(reqctx.ActorOf(ctx), r.ContributorId)
	if err != nil {
		return nil, err
	}
	found, err := h.users(ctx, at, usersPath("/contributors", r.ContributorId), r.Params.Limit, r.Params.Cursor)
	return api.ListContributorUsers200JSONResponse(found), err
}

// GrantContributorRole implements api.StrictServerInterface.
func (h UserHandlers) GrantContributorRole(
	ctx context.Context, r api.GrantContributorRoleRequestObject,
) (api.GrantContributorRoleResponseObject, error) {
	at, err := h.Users.AtContributor(reqctx.ActorOf(ctx), r.ContributorId)
	if err != nil {
		return nil, err
	}
	given, err := h.give(ctx, at, r.Body.TaxCode, access.ActingAs(r.Body.Role), r.Body.Services)
	if err != nil {
		return nil, err
	}
	headers := api.GrantContributorRole201ResponseHeaders{Location: reqctx.BasePath + idPath(
		usersPath("/contributors", r.ContributorId), given.ID,
	)}
	return api.GrantContributorRole201JSONResponse{Body: viewGrant(given), Headers: headers}, nil
}

// WithdrawContributorRole implements api.StrictServerInterface.
func (h UserHandlers) WithdrawContributorRole(
	ctx context.Context, r api.WithdrawContributorRoleRequestObject,
) (api.WithdrawContributorRoleResponseObject, error) {
	at, err := h.Users.AtContributor(reqctx.ActorOf(ctx), r.ContributorId)
	if err != nil {
		return nil, err
	}
	if err := h.Users.Withdraw(ctx, reqctx.ActorOf(ctx), at, r.GrantId); err != nil {
		return nil, err
	}
	return api.WithdrawContributorRole204Response{}, nil
}

// SearchPeopleForRole implements api.StrictServerInterface.
func (h UserHandlers) SearchPeopleForRole(
	ctx context.Context, r api.SearchPeopleForRoleRequestObject,
) (api.SearchPeopleForRoleResponseObject, error) {
	at, err := h.Users.AtContributor(reqctx.ActorOf(ctx), r.ContributorId)
	if err != nil {
		return nil, err
	}
	found, err := h.find(ctx, at, *r.Body, idPath("/contributors", r.ContributorId))
	return api.SearchPeopleForRole200JSONResponse(found), err
}

// ShowIntermediary implements api.StrictServerInterface.
func (h UserHandlers) ShowIntermediary(
	ctx context.Context, r api.ShowIntermediaryRequestObject,
) (api.ShowIntermediaryResponseObject, error) {
	// The guard lets in only who is the intermediary or has a role there.
	d, err := h.Intermediaries.Delegable(ctx, r.DelegateId)
	if err != nil {
		return nil, err
	}
	return api.ShowIntermediary200JSONResponse{
		DelegateId: d.ID, Kind: api.DelegateKind(d.Kind), TaxCode: d.TaxCode.Clear(), LegalName: d.LegalName, RegisterCode: d.RegisterCode,
		RegistrationNumber: d.RegistrationNumber, ListedAt: d.ListedAt, StruckOffAt: d.StruckOffAt,
	}, nil
}

// ListIntermediaryUsers implements api.StrictServerInterface.
func (h UserHandlers) ListIntermediaryUsers(
	ctx context.Context, r api.ListIntermediaryUsersRequestObject,
) (api.ListIntermediaryUsersResponseObject, error) {
	at, err := h.Users.AtIntermediary(reqctx.ActorOf(ctx), r.DelegateId)
	if err != nil {
		return nil, err
	}
	found, err := h.users(ctx, at, usersPath("/intermediaries", r.DelegateId), r.Params.Limit, r.Params.Cursor)
	return api.ListIntermediaryUsers200JSONResponse(found), err
}

// GrantIntermediaryRole implements api.StrictServerInterface.
func (h UserHandlers) GrantIntermediaryRole(
	ctx context.Context, r api.GrantIntermediaryRoleRequestObject,
) (api.GrantIntermediaryRoleResponseObject, error) {
	at, err := h.Users.AtIntermediary(reqctx.ActorOf(ctx), r.DelegateId)
	if err != nil {
		return nil, err
	}
	given, err := h.give(ctx, at, r.Body.TaxCode, access.ActingAs(r.Body.Role), r.Body.Services)
	if err != nil {
		return nil, err
	}
	headers := api.GrantIntermediaryRole201ResponseHeaders{Location: reqctx.BasePath + idPath(
		usersPath("/intermediaries", r.DelegateId), given.ID,
	)}
	return api.GrantIntermediaryRole201JSONResponse{Body: viewGrant(given), Headers: headers}, nil
}

// WithdrawIntermediaryRole implements api.StrictServerInterface.
func (h UserHandlers) WithdrawIntermediaryRole(
	ctx context.Context, r api.WithdrawIntermediaryRoleRequestObject,
) (api.WithdrawIntermediaryRoleResponseObject, error) {
	at, err := h.Users.AtIntermediary(reqctx.ActorOf(ctx), r.DelegateId)
	if err != nil {
		return nil, err
	}
	if err := h.Users.Withdraw(ctx, reqctx.ActorOf(ctx), at, r.GrantId); err != nil {
		return nil, err
	}
	return api.WithdrawIntermediaryRole204Response{}, nil
}

// SearchPeopleForIntermediaryRole implements api.StrictServerInterface.
func (h UserHandlers) SearchPeopleForIntermediaryRole(
	ctx context.Context, r api.SearchPeopleForIntermediaryRoleRequestObject,
) (api.SearchPeopleForIntermediaryRoleResponseObject, error) {
	at, err := h.Users.AtIntermediary(reqctx.ActorOf(ctx), r.DelegateId)
	if err != nil {
		return nil, err
	}
	found, err := h.find(ctx, at, *r.Body, idPath("/intermediaries", r.DelegateId))
	return api.SearchPeopleForIntermediaryRole200JSONResponse(found), err
}

func usersPath(collection string, id uuid.UUID) string { return idPath(collection, id) + "/users" }

func (h UserHandlers) users(ctx context.Context, at grant.Place, path string, limit *int32, cursor *string) (api.UserGrantList, error) {
	found, err := h.Users.Users(ctx, at, pageRequest(ctx, limit, cursor))
	if err != nil {
		return api.UserGrantList{}, err
	}
	return pageOf(ctx, items(found.Items, viewGrant), path, "", found.Next, limit), nil
}

func (h UserHandlers) give(
	ctx context.Context, at grant.Place, taxCode string, role access.ActingAs, services *[]api.ServiceCode,
) (grant.Grant, error) {
	code, err := parseTaxCode(taxCode, "/tax_code")
	if err != nil {
		return grant.Grant{}, err
	}
	return h.Users.Give(ctx, reqctx.ActorOf(ctx), at, grant.Input{TaxCode: code, Role: role, Services: servicesOf(services)})
}

func (h UserHandlers) find(
	ctx context.Context, at grant.Place, search api.PeopleForRoleSearch, place string,
) (api.PersonIdentityList, error) {
	code, err := parseTaxCode(search.TaxCode, "/tax_code")
	if err != nil {
		return api.PersonIdentityList{}, err
	}
	found, err := h.Users.Find(ctx, reqctx.ActorOf(ctx), at, grant.Search{TaxCode: code, FamilyName: search.FamilyName})
	if err != nil {
		return api.PersonIdentityList{}, err
	}
	return pageOf(ctx, items(found, viewIdentity), place+"/people-searches", "", "", nil), nil
}

func viewIdentity(p grant.Identity) api.PersonIdentity {
	return api.PersonIdentity{PersonId: p.ID, TaxCode: p.TaxCode.Clear(), GivenName: p.GivenName, FamilyName: p.FamilyName}
}

func viewGrant(g grant.Grant) api.UserGrant {
	view := api.UserGrant{
		GrantId: g.ID, Person: viewIdentity(g.Person), Role: api.ContributorRole(g.Role), Services: viewServices(g.Services),
		GrantedAt: g.GrantedAt, ContactEmail: g.ContactEmail, ContactPhone: g.ContactPhone,
	}
	if g.GrantedBy != nil {
		view.GrantedBy = &api.PersonReference{
			PersonId: g.GrantedBy.ID, GivenName: g.GrantedBy.GivenName, FamilyName: g.GrantedBy.FamilyName,
		}
	}
	return view
}
