package handlers

import (
	"context"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/consent"
)

// ConsentHandlers has the operations of the section Consents.
type ConsentHandlers struct{ Consents *consent.Service }

const consentsPath = "/me/consents"

// ListMyConsents implements api.StrictServerInterface.
func (h ConsentHandlers) ListMyConsents(
	ctx context.Context, r api.ListMyConsentsRequestObject,
) (api.ListMyConsentsResponseObject, error) {
	found, err := h.Consents.Mine(ctx, reqctx.ActorOf(ctx), pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListMyConsents200JSONResponse(pageOf(
		ctx, items(found.Items, viewConsent), consentsPath, "", found.Next, r.Params.Limit,
	)), nil
}

// ShowMyConsent implements api.StrictServerInterface.
func (h ConsentHandlers) ShowMyConsent(ctx context.Context, r api.ShowMyConsentRequestObject) (api.ShowMyConsentResponseObject, error) {
	found, err := h.Consents.Show(ctx, reqctx.ActorOf(ctx), r.ConsentId)
	if err != nil {
		return nil, err
	}
	return api.ShowMyConsent200JSONResponse(viewConsent(found)), nil
}

// WithdrawMyConsent implements api.StrictServerInterface.
func (h ConsentHandlers) WithdrawMyConsent(
	ctx context.Context, r api.WithdrawMyConsentRequestObject,
) (api.WithdrawMyConsentResponseObject, error) {
	if err := h.Consents.Withdraw(ctx, reqctx.ActorOf(ctx), r.ConsentId); err != nil {
		return nil, err
	}
	return api.WithdrawMyConsent204Response{}, nil
}

// ListContributorConsents implements api.StrictServerInterface.
func (h ConsentHandlers) ListContributorConsents(
	ctx context.Context, r api.ListContributorConsentsRequestObject,
) (api.ListContributorConsentsResponseObject, error) {
	path := idPath("/contributors", r.ContributorId) + "/consents"
	found, err := h.Consents.OfContributor(
		ctx, reqctx.ActorOf(ctx), r.ContributorId, pageRequest(ctx, r.Params.Limit, r.Params.Cursor),
	)
	if err != nil {
		return nil, err
	}
	return api.ListContributorConsents200JSONResponse(pageOf(
		ctx, items(found.Items, viewContributorConsent), path, "", found.Next, r.Params.Limit,
	)), nil
}

// WithdrawContributorConsent implements api.StrictServerInterface.
func (h ConsentHandlers) WithdrawContributorConsent(
	ctx context.Context, r api.WithdrawContributorConsentRequestObject,
) (api.WithdrawContributorConsentResponseObject, error) {
	if err := h.Consents.WithdrawFor(ctx, reqctx.ActorOf(ctx), r.ContributorId, r.ConsentId); err != nil {
		return nil, err
	}
	return api.WithdrawContributorConsent204Response{}, nil
}

// mostExcludedShown is how many of those that took themselves out of a consent are shown.
const mostExcludedShown = 100

func viewConsent(v consent.View) api.Consent {
	shown := api.Consent{
		ConsentId: v.ID, ClientId: v.ClientID, DisplayName: v.DisplayName, Scopes: converted[api.Scope](v.Scopes),
		Services: viewServices(v.Services), EveryContributor: v.EveryContributor, GivenAt: v.GivenAt, ExpiresAt: v.ExpiresAt,
		LastUsedAt: v.LastUsedAt,
	}
	if !v.EveryContributor {
		shown.Contributors = new([]api.ConsentContributor(items(v.Contributors, viewConsentContributor)))
	}
	if len(v.Excluded) > 0 {
		excluded := v.Excluded[:min(len(v.Excluded), mostExcludedShown)]
		shown.ExcludedContributors = new([]api.ConsentContributor(items(excluded, viewConsentContributor)))
	}
	return shown
}

func viewConsentContributor(c consent.Contributor) api.ConsentContributor {
	return api.ConsentContributor{ContributorId: c.ID, LegalName: c.LegalName}
}

func viewContributorConsent(v consent.View) api.ContributorConsent {
	return api.ContributorConsent{
		ConsentId: v.ID, ClientId: v.ClientID, DisplayName: v.DisplayName,
		GivenBy: api.PersonReference{PersonId: v.PersonID, GivenName: v.GivenName, FamilyName: v.FamilyName},
		Scopes:  converted[api.Scope](v.Scopes), Services: viewServices(v.Services), EveryContributor: v.EveryContributor,
		GivenAt: v.GivenAt, ExpiresAt: v.ExpiresAt, LastUsedAt: v.LastUsedAt,
	}
}
