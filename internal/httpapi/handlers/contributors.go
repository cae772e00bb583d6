package handlers

import (
	"context"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/contributor"
)

// ContributorHandlers has the operations of the section Contributors.
type ContributorHandlers struct{ Contributors *contributor.Service }

// ListContributors implements api.StrictServerInterface.
func (h ContributorHandlers) ListContributors(
	ctx context.Context, r api.ListContributorsRequestObject,
) (api.ListContributorsResponseObject, error) {
	found, err := h.Contributors.Mine(
		ctx, reqctx.ActorOf(ctx), contributor.Search{PositionNumber: value(r.Params.Q)}, pageRequest(ctx, r.Params.Limit, r.Params.Cursor),
	)
	if err != nil {
		return nil, err
	}
	query := queryOf(map[string]*string{"q": r.Params.Q})
	return api.ListContributors200JSONResponse(pageOf(
		ctx, items(found.Items, viewContributor), "/contributors", query, found.Next, r.Params.Limit,
	)), nil
}

// SearchContributors implements api.StrictServerInterface.
func (h ContributorHandlers) SearchContributors(
	ctx context.Context, r api.SearchContributorsRequestObject,
) (api.SearchContributorsResponseObject, error) {
	search := contributor.Search{LegalName: value(r.Body.LegalName)}
	if r.Body.TaxCode != nil {
		code, err := parseTaxCode(*r.Body.TaxCode, "/tax_code")
		if err != nil {
			return nil, err
		}
		search.TaxCode = code
	}
	found, err := h.Contributors.Mine(ctx, reqctx.ActorOf(ctx), search, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.SearchContributors200JSONResponse(pageOf(
		ctx, items(found.Items, viewContributor), "/contributor-searches", "", found.Next, r.Params.Limit,
	)), nil
}

// ShowContributor implements api.StrictServerInterface.
func (h ContributorHandlers) ShowContributor(
	ctx context.Context, r api.ShowContributorRequestObject,
) (api.ShowContributorResponseObject, error) {
	c, err := h.Contributors.Show(ctx, reqctx.ActorOf(ctx), r.ContributorId)
	if err != nil {
		return nil, err
	}
	return api.ShowContributor200JSONResponse(viewContributor(c)), nil
}

// ListPositions implements api.StrictServerInterface.
func (h ContributorHandlers) ListPositions(ctx context.Context, r api.ListPositionsRequestObject) (api.ListPositionsResponseObject, error) {
	found, err := h.Contributors.Positions(ctx, reqctx.ActorOf(ctx), r.ContributorId, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListPositions200JSONResponse(pageOf(
		ctx, items(found.Items, viewPosition), idPath("/contributors", r.ContributorId)+"/positions", "", found.Next, r.Params.Limit,
	)), nil
}

func viewContributor(c contributor.WithRights) api.Contributor {
	path := idPath("/contributors", c.ID)
	return api.Contributor{
		ContributorId: c.ID, TaxCode: c.TaxCode.Clear(), LegalName: c.LegalName, Kind: api.ContributorKind(c.Kind),
		Rights: items(c.Rights, viewRight),
		Links: api.ContributorLinks{
			Self: link(path, ""), Positions: link(path+"/positions", ""), Declarations: link(path+"/declarations", ""),
		},
	}
}

func viewRight(r access.Right) api.Right {
	return api.Right{RightId: r.ID, ActingAs: api.ActingAs(r.ActingAs), Services: viewServices(r.Services)}
}

// viewServices spells out what a right for all services covers now.
func viewServices(services access.ServiceSet) []api.ServiceCode {
	return items(services.List(), func(s access.Service) api.ServiceCode { return api.ServiceCode(s) })
}

func viewPosition(p contributor.Position) api.Position {
	return api.Position{PositionId: p.ID, Number: p.Number, Scheme: p.Scheme, OfficeCode: p.OfficeCode, State: api.PositionState(p.State)}
}
