package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"unicode/utf8"

	"github.com/google/uuid"

	"diresco/api"
	"diresco/internal/httpapi/etag"
	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/outbox"
	"diresco/internal/mandate/delegation"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/masterdata/intermediary"
	"diresco/internal/platform/secret"
)

// DelegationHandlers has the operations of the section Delegations.
type DelegationHandlers struct{ Delegations *delegation.Service }

const delegationsPath = "/delegations"

// SearchDelegationCandidates implements api.StrictServerInterface.
func (h DelegationHandlers) SearchDelegationCandidates(
	ctx context.Context, r api.SearchDelegationCandidatesRequestObject,
) (api.SearchDelegationCandidatesResponseObject, error) {
	found, err := h.Delegations.Candidates(ctx, reqctx.ActorOf(ctx), r.Body.TaxCode, r.Body.DelegateId)
	if err != nil {
		return nil, err
	}
	return api.SearchDelegationCandidates200JSONResponse(pageOf(
		ctx, items(found, viewCandidate), "/delegation-candidate-searches", "", "", r.Params.Limit,
	)), nil
}

// ListDelegationLookups implements api.StrictServerInterface.
func (h DelegationHandlers) ListDelegationLookups(
	ctx context.Context, r api.ListDelegationLookupsRequestObject,
) (api.ListDelegationLookupsResponseObject, error) {
	found, err := h.Delegations.LookUps(ctx, reqctx.ActorOf(ctx), r.ContributorId, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	path := idPath("/contributors", r.ContributorId) + "/delegation-lookups"
	return api.ListDelegationLookups200JSONResponse(
		pageOf(ctx, items(found.Items, viewLookUp), path, "", found.Next, r.Params.Limit),
	), nil
}

func viewLookUp(l delegation.LookUp) api.DelegationLookup {
	return api.DelegationLookup{At: l.At, Delegate: viewDelegate(l.DelegateID, l.DelegateKind, l.DelegateName)}
}

// ListContributorDelegations implements api.StrictServerInterface.
func (h DelegationHandlers) ListContributorDelegations(
	ctx context.Context, r api.ListContributorDelegationsRequestObject,
) (api.ListContributorDelegationsResponseObject, error) {
	p := r.Params
	found, err := h.Delegations.OfContributor(ctx, reqctx.ActorOf(ctx), r.ContributorId, pageRequest(ctx, p.Limit, p.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListContributorDelegations200JSONResponse(pageOf(
		ctx, items(found.Items, viewDelegation), idPath("/contributors", r.ContributorId)+"/delegations", "", found.Next, p.Limit,
	)), nil
}

// DraftDelegation implements api.StrictServerInterface.
func (h DelegationHandlers) DraftDelegation(
	ctx context.Context, r api.DraftDelegationRequestObject,
) (api.DraftDelegationResponseObject, error) {
	b := r.Body
	d, err := h.Delegations.Draft(ctx, reqctx.ActorOf(ctx), delegation.Input{
		DelegateID: b.DelegateId, ContributorTaxCode: b.ContributorTaxCode, PositionIDs: b.PositionIds, Scope: delegation.Scope(b.Scope),
		Services:  servicesOf(b.Services),
		Exclusive: value(b.Exclusive), ValidUntil: b.ValidUntil, SignatoryID: b.SignatoryId,
	})
	if err != nil {
		return nil, err
	}
	view := viewDelegation(d)
	return api.DraftDelegation201JSONResponse{
		Body: view,
		Headers: api.DraftDelegation201ResponseHeaders{
			ETag: delegationTag(d, view), Location: reqctx.BasePath + idPath(delegationsPath, d.ID),
		},
	}, nil
}

// ListDelegations implements api.StrictServerInterface.
func (h DelegationHandlers) ListDelegations(
	ctx context.Context, r api.ListDelegationsRequestObject,
) (api.ListDelegationsResponseObject, error) {
	p := r.Params
	found, err := h.Delegations.List(ctx, reqctx.ActorOf(ctx), delegation.Filter{
		State: delegation.State(value(p.State)), ContributorID: p.ContributorId, DelegateID: p.DelegateId,
	}, pageRequest(ctx, p.Limit, p.Cursor))
	if err != nil {
		return nil, err
	}
	query := queryOf(map[string]*string{
		"state": (*string)(p.State), "contributor_id": idText(p.ContributorId), "delegate_id": idText(p.DelegateId),
	})
	return api.ListDelegations200JSONResponse(pageOf(
		ctx, items(found.Items, viewDelegation), delegationsPath, query, found.Next, p.Limit,
	)), nil
}

// SearchDelegations implements api.StrictServerInterface.
func (h DelegationHandlers) SearchDelegations(
	ctx context.Context, r api.SearchDelegationsRequestObject,
) (api.SearchDelegationsResponseObject, error) {
	b := r.Body
	found, err := h.Delegations.Search(ctx, reqctx.ActorOf(ctx), delegation.Search{
		ContributorTaxCode: value(b.ContributorTaxCode), LegalName: value(b.LegalName), PositionNumber: value(b.PositionNumber),
		State: delegation.State(value(b.State)),
	}, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.SearchDelegations200JSONResponse(pageOf(
		ctx, items(found.Items, viewDelegation), "/delegation-searches", "", found.Next, r.Params.Limit,
	)), nil
}

// ShowDelegation implements api.StrictServerInterface.
func (h DelegationHandlers) ShowDelegation(
	ctx context.Context, r api.ShowDelegationRequestObject,
) (api.ShowDelegationResponseObject, error) {
	d, err := h.Delegations.ShowTo(ctx, reqctx.ActorOf(ctx), r.DelegationId)
	if err != nil {
		return nil, err
	}
	view := viewDelegation(d)
	return api.ShowDelegation200JSONResponse{Body: view, Headers: api.ShowDelegation200ResponseHeaders{ETag: delegationTag(d, view)}}, nil
}

// ChangeDelegation implements api.StrictServerInterface.
func (h DelegationHandlers) ChangeDelegation(
	ctx context.Context, r api.ChangeDelegationRequestObject,
) (api.ChangeDelegationResponseObject, error) {
	b := r.Body
	change := delegation.Change{
		PositionIDs: value(b.PositionIds), Scope: (*delegation.Scope)(b.Scope), Services: servicesOf(b.Services), Exclusive: b.Exclusive,
		SignatoryID: b.SignatoryId,
		Endless:     b.ValidUntil.IsNull(),
	}
	if until, err := b.ValidUntil.Get(); err == nil {
		change.ValidUntil = &until
	}
	expected, err := etag.Expected(value(r.Params.IfMatch), func() (int, error) {
		shown, err := h.Delegations.ShowTo(ctx, reqctx.ActorOf(ctx), r.DelegationId)
		return shown.Version, err
	})
	if err != nil {
		return nil, err
	}
	d, err := h.Delegations.Change(ctx, reqctx.ActorOf(ctx), r.DelegationId, expected, change)
	if err != nil {
		return nil, err
	}
	view := viewDelegation(d)
	return api.ChangeDelegation200JSONResponse{
		Body: view, Headers: api.ChangeDelegation200ResponseHeaders{ETag: delegationTag(d, view)},
	}, nil
}

// ShowDelegationForm implements api.StrictServerInterface.
func (h DelegationHandlers) ShowDelegationForm(
	ctx context.Context, r api.ShowDelegationFormRequestObject,
) (api.ShowDelegationFormResponseObject, error) {
	d, form, err := h.Delegations.Form(ctx, r.DelegationId)
	if err != nil {
		return nil, err
	}
	disposition := `attachment; filename="delega-` + d.ReferenceCode + `.pdf"`
	return api.ShowDelegationForm200ApplicationpdfResponse{
		Body: bytes.NewReader(form), ContentLength: int64(len(form)),
		Headers: api.ShowDelegationForm200ResponseHeaders{ContentDisposition: &disposition, ContentLanguage: problem.Italian.String()},
	}, nil
}

// SendDelegationOtp implements api.StrictServerInterface.
func (h DelegationHandlers) SendDelegationOtp(
	ctx context.Context, r api.SendDelegationOtpRequestObject,
) (api.SendDelegationOtpResponseObject, error) {
	d, err := h.Delegations.Send(ctx, reqctx.ActorOf(ctx), r.DelegationId)
	if err != nil {
		return nil, err
	}
	view := viewDelegation(d)
	return api.SendDelegationOtp202JSONResponse{
		Body: view,
		Headers: api.SendDelegationOtp202ResponseHeaders{
			ETag: delegationTag(d, view), Location: reqctx.BasePath + idPath(delegationsPath, d.ID),
		},
	}, nil
}

// ActivateDelegation implements api.StrictServerInterface.
func (h DelegationHandlers) ActivateDelegation(
	ctx context.Context, r api.ActivateDelegationRequestObject,
) (api.ActivateDelegationResponseObject, error) {
	d, err := h.Delegations.Activate(ctx, reqctx.ActorOf(ctx), r.DelegationId, delegation.Activation{
		OTP: secret.Text(r.Body.Otp), SignatureDeclared: r.Body.SignatureDeclared,
	})
	if err != nil {
		return nil, err
	}
	view := viewDelegation(d)
	return api.ActivateDelegation200JSONResponse{
		Body: view, Headers: api.ActivateDelegation200ResponseHeaders{ETag: delegationTag(d, view)},
	}, nil
}

// RevokeDelegation implements api.StrictServerInterface.
func (h DelegationHandlers) RevokeDelegation(
	ctx context.Context, r api.RevokeDelegationRequestObject,
) (api.RevokeDelegationResponseObject, error) {
	words := ""
	if r.Body != nil {
		words = value(r.Body.Reason)
	}
	d, err := h.Delegations.Revoke(ctx, reqctx.ActorOf(ctx), r.DelegationId, words)
	if err != nil {
		return nil, err
	}
	view := viewDelegation(d)
	return api.RevokeDelegation200JSONResponse{
		Body: view, Headers: api.RevokeDelegation200ResponseHeaders{ETag: delegationTag(d, view)},
	}, nil
}

// delegationTag is the entity tag of a delegation as it is shown. Clock, register and wrong codes
// change it without a new version.
func delegationTag(s delegation.View, view api.Delegation) string {
	shown, _ := json.Marshal(view) // of text, numbers and times
	return etag.Shown(s.Version, string(shown))
}

func viewDelegation(s delegation.View) api.Delegation {
	view := api.Delegation{
		DelegationId: s.ID, State: api.DelegationState(s.State), ReferenceCode: s.ReferenceCode,
		Delegate: viewDelegate(s.DelegateID, s.DelegateKind, s.DelegateName),
		Contributor: api.DelegatingContributor{
			ContributorId: s.ContributorID, TaxCode: s.ContributorTaxCode.Clear(), LegalName: s.ContributorName,
		},
		Positions: items(s.Positions, func(p contributor.Position) api.DelegatedPosition {
			return api.DelegatedPosition{PositionId: p.ID, Number: p.Number, Scheme: p.Scheme}
		}),
		Scope: api.DelegationScope(s.Scope), Services: viewServices(s.Services), Exclusive: s.Exclusive, ValidUntil: s.ValidUntil,
		Signatory:   api.Signatory{SignatoryId: s.SignatoryID, GivenName: s.SignatoryGivenName},
		DraftedBy:   api.PersonReference{PersonId: s.DraftedBy, GivenName: s.DrafterGivenName, FamilyName: s.DrafterFamilyName},
		DraftedAt:   s.DraftedAt,
		ActivatedAt: s.ActivatedAt, EndedAt: s.EndedAt, EndCause: (*api.DelegationEndCause)(s.EndCause), EndReason: s.EndReason,
		ContactEmail: s.ContactEmail, ContactPhone: s.ContactPhone,
	}
	if s.HidesSignatory() {
		view.Signatory.FamilyInitial = new(initial(s.SignatoryFamilyName))
	} else {
		view.Signatory.FamilyName = &s.SignatoryFamilyName
	}
	if s.ActivatedBy != nil {
		view.ActivatedBy = &api.PersonReference{
			PersonId: *s.ActivatedBy, GivenName: s.ActivatorGivenName, FamilyName: s.ActivatorFamilyName,
		}
	}
	if s.Workers != nil {
		workers := []api.DelegationWorker(items(s.Workers, viewWorker))
		view.Workers = &workers
	}
	if o := s.OTP; o != nil {
		view.Otp = &api.DelegationOtp{
			SentAt: o.SentAt, ExpiresAt: o.ExpiresAt, Channel: api.MessageChannel(o.Channel),
			To:        outbox.Mask(outbox.Channel(o.Channel), o.Recipient),
			TriesLeft: int32(o.TriesLeft), //nolint:gosec // five at most
		}
	}
	return view
}

func viewDelegate(id uuid.UUID, kind intermediary.Kind, legalName string) api.Delegate {
	return api.Delegate{DelegateId: id, Kind: api.DelegateKind(kind), LegalName: legalName}
}

func viewWorker(w delegation.Worker) api.DelegationWorker {
	return api.DelegationWorker{
		Person:   api.PersonReference{PersonId: w.PersonID, GivenName: w.GivenName, FamilyName: w.FamilyName},
		ActingAs: api.WorkerActingAs(w.ActingAs), SubDelegationId: w.SubDelegationID,
		Services: viewServices(w.Services), GrantedAt: w.GrantedAt,
	}
}

// viewCandidate shows of a person no more than who knows them needs.
func viewCandidate(c delegation.Candidate) api.DelegationCandidate {
	return api.DelegationCandidate{
		ContributorTaxCode: c.TaxCode.Clear(), LegalName: c.LegalName, Kind: api.ContributorKind(c.Kind),
		Positions: items(c.Positions, viewPosition),
		Signatories: items(c.Signatories, func(s contributor.Signatory) api.ProposedSignatory {
			return api.ProposedSignatory{
				SignatoryId: s.PersonID, GivenName: s.GivenName, FamilyInitial: initial(s.FamilyName), Role: api.ContributorRole(s.Role),
			}
		}),
	}
}

// initial is the first letter of a name.
func initial(name string) string {
	first, _ := utf8.DecodeRuneInString(name)
	return string(first)
}
