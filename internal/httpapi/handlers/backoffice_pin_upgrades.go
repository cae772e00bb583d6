package handlers

import (
	"context"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/pinupgrade"
	"diresco/internal/kernel/review"
	"diresco/internal/platform/fault"
)

// OfficePINUpgradeHandlers has the operations with which an office decides about requests for a
// dispositive PIN.
type OfficePINUpgradeHandlers struct{ Upgrades *pinupgrade.Service }

const officeUpgradesPath = "/backoffice/pin-upgrades"

// ListPinUpgrades implements api.StrictServerInterface.
func (h OfficePINUpgradeHandlers) ListPinUpgrades(
	ctx context.Context, r api.ListPinUpgradesRequestObject,
) (api.ListPinUpgradesResponseObject, error) {
	p := r.Params
	found, err := h.Upgrades.OfOffice(ctx, reqctx.ActorOf(ctx), pinupgrade.State(value(p.State)), pageRequest(ctx, p.Limit, p.Cursor))
	if err != nil {
		return nil, err
	}
	query := queryOf(map[string]*string{"state": (*string)(p.State)})
	return api.ListPinUpgrades200JSONResponse(pageOf(
		ctx, items(found.Items, viewOfficeUpgrade), officeUpgradesPath, query, found.Next, p.Limit,
	)), nil
}

// ShowOfficePinUpgrade implements api.StrictServerInterface.
func (h OfficePINUpgradeHandlers) ShowOfficePinUpgrade(
	ctx context.Context, r api.ShowOfficePinUpgradeRequestObject,
) (api.ShowOfficePinUpgradeResponseObject, error) {
	found, err := h.Upgrades.OpenAtOffice(ctx, reqctx.ActorOf(ctx), r.UpgradeId)
	if err != nil {
		return nil, err
	}
	return api.ShowOfficePinUpgrade200JSONResponse(viewOfficeUpgrade(found)), nil
}

// DownloadPinUpgradeAttachment implements api.StrictServerInterface: the file in the form that it
// has, or nothing.
func (h OfficePINUpgradeHandlers) DownloadPinUpgradeAttachment(
	ctx context.Context, r api.DownloadPinUpgradeAttachmentRequestObject,
) (api.DownloadPinUpgradeAttachmentResponseObject, error) {
	f, err := h.Upgrades.File(ctx, reqctx.ActorOf(ctx), r.UpgradeId, int(r.Number))
	if err != nil {
		return nil, err
	}
	if !reqctx.MayAnswer(ctx, string(f.MediaType)) {
		return nil, fault.New(fault.NotAcceptable)
	}
	content, err := h.Upgrades.Content(ctx, r.UpgradeId, f)
	if err != nil {
		return nil, err
	}
	return storedFile{f, content}, nil
}

// DecidePinUpgrade implements api.StrictServerInterface.
func (h OfficePINUpgradeHandlers) DecidePinUpgrade(
	ctx context.Context, r api.DecidePinUpgradeRequestObject,
) (api.DecidePinUpgradeResponseObject, error) {
	decided, err := h.Upgrades.Decide(ctx, reqctx.ActorOf(ctx), r.UpgradeId, review.Decision{
		Outcome: review.Outcome(r.Body.Outcome), Reason: r.Body.Reason,
	})
	if err != nil {
		return nil, err
	}
	return api.DecidePinUpgrade200JSONResponse(viewOfficeUpgrade(decided)), nil
}

func viewOfficeUpgrade(h pinupgrade.Details) api.OfficePinUpgrade {
	u := viewUpgrade(h.Upgrade)
	return api.OfficePinUpgrade{
		UpgradeId: u.UpgradeId,
		Person:    api.PinHolder{PersonId: h.PersonID, TaxCode: h.TaxCode.Clear(), GivenName: h.GivenName, FamilyName: h.FamilyName},
		State:     u.State, ProtocolNumber: u.ProtocolNumber, OfficeCode: u.OfficeCode, DocumentKind: u.DocumentKind,
		DocumentNumber: u.DocumentNumber, IssuedBy: u.IssuedBy,
		IssuedOn: u.IssuedOn, ExpiresOn: u.ExpiresOn, Attachments: u.Attachments, SubmittedAt: u.SubmittedAt, DecidedAt: u.DecidedAt,
		Reason: u.Reason,
	}
}
