package handlers

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"diresco/api"
	"diresco/internal/filing/declaration"
	"diresco/internal/httpapi/etag"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/platform/money"
	"diresco/internal/platform/page"
)

// DeclarationHandlers has the operations of the section Declarations.
type DeclarationHandlers struct{ Declarations *declaration.Service }

// DraftDeclaration implements api.StrictServerInterface.
func (h DeclarationHandlers) DraftDeclaration(
	ctx context.Context, r api.DraftDeclarationRequestObject,
) (api.DraftDeclarationResponseObject, error) {
	d, err := h.Declarations.Draft(ctx, reqctx.ActorOf(ctx), r.ContributorId, declaration.Input{
		Type: r.Body.Type, PositionID: r.Body.PositionId, Step: string(value(r.Body.Step)), ReservationID: r.Body.ReservationId,
		SupersedesID: r.Body.SupersedesId, RightID: r.Body.RightId, Content: r.Body.Content, Submit: value(r.Body.Submit),
	})
	if err != nil {
		return nil, err
	}
	return api.DraftDeclaration201JSONResponse{
		Body: viewDeclaration(d),
		Headers: api.DraftDeclaration201ResponseHeaders{
			ETag: etag.Version(d.Version), Location: reqctx.BasePath + idPath("/declarations", d.ID),
		},
	}, nil
}

// ListDeclarations implements api.StrictServerInterface.
func (h DeclarationHandlers) ListDeclarations(
	ctx context.Context, r api.ListDeclarationsRequestObject,
) (api.ListDeclarationsResponseObject, error) {
	p := r.Params
	filter, query := filterOf(p.Type, p.State, p.SubmittedFrom, p.SubmittedTo)
	found, err := h.Declarations.OfContributor(ctx, reqctx.ActorOf(ctx), filter, pageRequest(ctx, p.Limit, p.Cursor))
	if err != nil {
		return nil, err
	}
	return declarationPage(viewDeclarations(
		ctx, found, idPath("/contributors", r.ContributorId)+"/declarations", query, p.Limit,
	)), nil
}

// SearchDeclarations implements api.StrictServerInterface.
func (h DeclarationHandlers) SearchDeclarations(
	ctx context.Context, r api.SearchDeclarationsRequestObject,
) (api.SearchDeclarationsResponseObject, error) {
	filter, err := searchOf(r.Body)
	if err != nil {
		return nil, err
	}
	found, err := h.Declarations.OfContributor(ctx, reqctx.ActorOf(ctx), filter, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return declarationPage(viewDeclarations(
		ctx, found, idPath("/contributors", r.ContributorId)+"/declaration-searches", "", r.Params.Limit,
	)), nil
}

// ListMyDeclarations implements api.StrictServerInterface.
func (h DeclarationHandlers) ListMyDeclarations(
	ctx context.Context, r api.ListMyDeclarationsRequestObject,
) (api.ListMyDeclarationsResponseObject, error) {
	p := r.Params
	filter, query := filterOf(p.Type, p.State, p.SubmittedFrom, p.SubmittedTo)
	found, err := h.Declarations.Mine(ctx, reqctx.ActorOf(ctx), filter, pageRequest(ctx, p.Limit, p.Cursor))
	if err != nil {
		return nil, err
	}
	return declarationPage(viewDeclarations(ctx, found, "/declarations", query, p.Limit)), nil
}

// SearchMyDeclarations implements api.StrictServerInterface.
func (h DeclarationHandlers) SearchMyDeclarations(
	ctx context.Context, r api.SearchMyDeclarationsRequestObject,
) (api.SearchMyDeclarationsResponseObject, error) {
	filter, err := searchOf(r.Body)
	if err != nil {
		return nil, err
	}
	found, err := h.Declarations.Mine(ctx, reqctx.ActorOf(ctx), filter, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return declarationPage(viewDeclarations(ctx, found, "/declaration-searches", "", r.Params.Limit)), nil
}

// ShowDeclaration implements api.StrictServerInterface.
func (h DeclarationHandlers) ShowDeclaration(
	ctx context.Context, r api.ShowDeclarationRequestObject,
) (api.ShowDeclarationResponseObject, error) {
	d, err := h.Declarations.Show(ctx, reqctx.ActorOf(ctx), r.DeclarationId)
	if err != nil {
		return nil, err
	}
	return shownDeclaration{
		Body: viewDeclaration(d), Headers: api.ShowDeclaration200ResponseHeaders{ETag: etag.Version(d.Version)},
	}, nil
}

// ChangeDeclaration implements api.StrictServerInterface.
func (h DeclarationHandlers) ChangeDeclaration(
	ctx context.Context, r api.ChangeDeclarationRequestObject,
) (api.ChangeDeclarationResponseObject, error) {
	expected, err := etag.Expected(value(r.Params.IfMatch), func() (int, error) {
		shown, err := h.Declarations.Show(ctx, reqctx.ActorOf(ctx), r.DeclarationId)
		return shown.Version, err
	})
	if err != nil {
		return nil, err
	}
	d, err := h.Declarations.Change(ctx, reqctx.ActorOf(ctx), r.DeclarationId, expected, declaration.Change{
		PositionID: r.Body.PositionId, Content: r.Body.Content,
	})
	if err != nil {
		return nil, err
	}
	return api.ChangeDeclaration200JSONResponse{
		Body: viewDeclaration(d), Headers: api.ChangeDeclaration200ResponseHeaders{ETag: etag.Version(d.Version)},
	}, nil
}

// DiscardDeclaration implements api.StrictServerInterface.
func (h DeclarationHandlers) DiscardDeclaration(
	ctx context.Context, r api.DiscardDeclarationRequestObject,
) (api.DiscardDeclarationResponseObject, error) {
	if err := h.Declarations.Discard(ctx, reqctx.ActorOf(ctx), r.DeclarationId); err != nil {
		return nil, err
	}
	return api.DiscardDeclaration204Response{}, nil
}

// SubmitDeclaration implements api.StrictServerInterface.
func (h DeclarationHandlers) SubmitDeclaration(
	ctx context.Context, r api.SubmitDeclarationRequestObject,
) (api.SubmitDeclarationResponseObject, error) {
	d, err := h.Declarations.Submit(ctx, reqctx.ActorOf(ctx), r.DeclarationId)
	if err != nil {
		return nil, err
	}
	return api.SubmitDeclaration200JSONResponse{
		Body: viewDeclaration(d), Headers: api.SubmitDeclaration200ResponseHeaders{ETag: etag.Version(d.Version)},
	}, nil
}

// WithdrawDeclaration implements api.StrictServerInterface.
func (h DeclarationHandlers) WithdrawDeclaration(
	ctx context.Context, r api.WithdrawDeclarationRequestObject,
) (api.WithdrawDeclarationResponseObject, error) {
	d, err := h.Declarations.Withdraw(ctx, reqctx.ActorOf(ctx), r.DeclarationId)
	if err != nil {
		return nil, err
	}
	return api.WithdrawDeclaration200JSONResponse{
		Body: viewDeclaration(d), Headers: api.WithdrawDeclaration200ResponseHeaders{ETag: etag.Version(d.Version)},
	}, nil
}

// filterOf reads the filters of a list, and writes them again as its links need them.
func filterOf(kind *string, state *api.DeclarationState, from, to *time.Time) (declaration.Filter, string) {
	query := queryOf(map[string]*string{
		"type": kind, "state": (*string)(state), "submitted_from": instantText(from), "submitted_to": instantText(to),
	})
	return declaration.Filter{Type: value(kind), State: declaration.State(value(state)), SubmittedFrom: from, SubmittedTo: to}, query
}

func instantText(t *time.Time) *string {
	if t == nil {
		return nil
	}
	text := t.UTC().Format(time.RFC3339Nano)
	return &text
}

func searchOf(body *api.DeclarationSearch) (declaration.Filter, error) {
	filter, _ := filterOf(body.Type, body.State, body.SubmittedFrom, body.SubmittedTo)
	if body.WorkerTaxCode != nil {
		code, err := parseTaxCode(*body.WorkerTaxCode, "/worker_tax_code")
		if err != nil {
			return filter, err
		}
		filter.WorkerTaxCode = code.Clear()
	}
	return filter, nil
}

func viewDeclarations(ctx context.Context, found page.Page[declaration.View], path, query string, limit *int32) api.DeclarationList {
	return pageOf(ctx, items(found.Items, viewSummary), path, query, found.Next, limit)
}

func viewFiledBy(d declaration.View) api.FiledBy {
	return api.FiledBy{
		PersonId: d.PersonID, GivenName: d.GivenName, FamilyName: d.FamilyName, ActingAs: api.ActingAs(d.ActingAs), RightId: d.RightID,
		ClientId: unlessEmpty(d.ClientID),
	}
}

func viewSummary(d declaration.View) api.DeclarationSummary {
	return api.DeclarationSummary{
		DeclarationId: d.ID, ContributorId: d.ContributorID, PositionId: d.PositionID, Type: d.Type,
		TypeVersion: int32(d.TypeVersion), //nolint:gosec // versions are small
		Step:        api.DeclarationStep(d.Step), State: api.DeclarationState(d.State), FiledBy: viewFiledBy(d), CreatedAt: d.CreatedAt,
		SubmittedAt:    d.SubmittedAt,
		ProtocolNumber: d.ProtocolNumber, ReservationId: d.ReservationID, SupersedesId: d.SupersedesID, SupersededById: d.SupersededByID,
		Amount: viewAmount(d.Amount), Currency: viewCurrency(d.Amount), Reasons: viewReasons(d.Because()), DecidedAt: d.DecidedAt,
		HireBy: d.HireBy, ConfirmBy: d.ConfirmBy, LapsesAt: d.EndsAt, AssignedTo: viewAssignee(d), AssignedAt: assignedAt(d),
		Links: api.SelfLinks{Self: link(idPath("/declarations", d.ID), "")},
	}
}

func viewAssignee(d declaration.View) *api.PersonReference {
	if d.Assignee == nil {
		return nil
	}
	return &api.PersonReference{PersonId: d.Assignee.ID, GivenName: d.Assignee.GivenName, FamilyName: d.Assignee.FamilyName}
}

// assignedAt is shown beside the assignee alone.
func assignedAt(d declaration.View) *time.Time {
	if d.Assignee == nil {
		return nil
	}
	return d.AssignedAt
}

func viewAmount(amount *money.Cents) *string {
	if amount == nil {
		return nil
	}
	text := amount.String()
	return &text
}

func viewCurrency(amount *money.Cents) *api.Currency {
	if amount == nil {
		return nil
	}
	currency := api.Currency(money.Currency)
	return &currency
}

func viewReasons(because []declaration.Reason) *[]api.DeclarationReason {
	if len(because) == 0 {
		return nil
	}
	reasons := []api.DeclarationReason(items(because, func(r declaration.Reason) api.DeclarationReason {
		view := api.DeclarationReason{Code: api.DeclarationReasonCode(r.Code)}
		if r.Text != "" {
			view.Text = &r.Text
		}
		return view
	}))
	return &reasons
}

func viewDeclaration(d declaration.View) api.Declaration {
	path := idPath("/declarations", d.ID)
	view := api.Declaration{
		DeclarationId: d.ID, ContributorId: d.ContributorID, PositionId: d.PositionID, Type: d.Type,
		TypeVersion: int32(d.TypeVersion), //nolint:gosec // versions are small
		Step:        api.DeclarationStep(d.Step), State: api.DeclarationState(d.State), Content: json.RawMessage(d.Content),
		FiledBy:      viewFiledBy(d),
		SupersedesId: d.SupersedesID, SupersededById: d.SupersededByID,
		CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt, SubmittedAt: d.SubmittedAt,
		ProtocolNumber: d.ProtocolNumber, ReservationId: d.ReservationID,
		Amount: viewAmount(d.Amount), Currency: viewCurrency(d.Amount), Reasons: viewReasons(d.Because()), DecidedAt: d.DecidedAt,
		HireBy: d.HireBy, ConfirmBy: d.ConfirmBy, LapsesAt: d.EndsAt, AssignedTo: viewAssignee(d), AssignedAt: assignedAt(d),
		Links: api.DeclarationLinks{Self: link(path, ""), Contributor: link(idPath("/contributors", d.ContributorID), "")},
	}
	view.Links.Supersedes, view.Links.SupersededBy = linkTo(d.SupersedesID), linkTo(d.SupersededByID)
	view.Links.Reservation = linkTo(d.ReservationID)
	if d.State == declaration.Draft {
		view.Links.Submission = &api.Link{Href: reqctx.BasePath + path + "/submission"}
		return view
	}
	view.Links.History = &api.Link{Href: reqctx.BasePath + path + "/history"}
	receipt := viewReceipt(d)
	view.Receipt = &receipt
	view.Links.Receipt = &api.Link{Href: reqctx.BasePath + path + "/receipt"}
	if d.MayBeWithdrawn() {
		view.Links.Withdrawal = &api.Link{Href: reqctx.BasePath + path + "/withdrawal"}
	}
	return view
}

func viewReceipt(d declaration.View) api.Receipt {
	return api.Receipt{
		ProtocolNumber: *d.ProtocolNumber, SubmittedAt: *d.SubmittedAt, Digest: *d.Digest, DeclarationId: d.ID, Jws: d.JWS,
		ClientId: unlessEmpty(d.ClientID),
	}
}

// linkTo leads to another declaration, if there is one.
func linkTo(id *uuid.UUID) *api.Link {
	if id == nil {
		return nil
	}
	return new(link(idPath("/declarations", *id), ""))
}
