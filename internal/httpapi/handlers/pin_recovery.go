package handlers

import (
	"context"

	"diresco/api"
	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/pinrecovery"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/secret"
)

// PINRecoveryHandlers has the operations for people who cannot log in, and for the holder who gives
// up a PIN.
type PINRecoveryHandlers struct {
	PINs     *pin.Service
	Recovery *pinrecovery.Service
}

// RevokePin implements api.StrictServerInterface.
func (h PINRecoveryHandlers) RevokePin(ctx context.Context, _ api.RevokePinRequestObject) (api.RevokePinResponseObject, error) {
	if err := h.PINs.Revoke(ctx, reqctx.ActorOf(ctx)); err != nil {
		return nil, err
	}
	return api.RevokePin204Response{}, nil
}

// StartPinRecovery implements api.StrictServerInterface.
func (h PINRecoveryHandlers) StartPinRecovery(
	ctx context.Context, r api.StartPinRecoveryRequestObject,
) (api.StartPinRecoveryResponseObject, error) {
	code, err := parseTaxCode(r.Body.TaxCode, "/tax_code")
	if err != nil {
		return nil, err
	}
	if err := h.Recovery.StartRecovery(ctx, code, items(r.Body.Contacts, electronicContact)); err != nil {
		return nil, err
	}
	return api.StartPinRecovery202JSONResponse{
		Body:    api.Acknowledgement{Detail: problem.Notice(reqctx.LanguageOf(ctx), problem.NoticeRecovery)},
		Headers: api.StartPinRecovery202ResponseHeaders{Location: reqctx.BasePath + "/pin-recoveries"},
	}, nil
}

// ConfirmPinRecovery implements api.StrictServerInterface.
func (h PINRecoveryHandlers) ConfirmPinRecovery(
	ctx context.Context, r api.ConfirmPinRecoveryRequestObject,
) (api.ConfirmPinRecoveryResponseObject, error) {
	code, err := parseTaxCode(r.Body.TaxCode, "/tax_code")
	if err != nil {
		return nil, err
	}
	halves, err := h.Recovery.ConfirmRecovery(ctx, code, secret.Text(r.Body.RecoveryCode))
	if err != nil {
		return nil, err
	}
	view := api.PinRecovered{Deliveries: make(api.List[api.PinHalfDestination], len(halves))}
	for i, which := range []api.PinHalf{api.PinHalfFirst, api.PinHalfSecond} {
		view.Deliveries[i] = api.PinHalfDestination{
			Half: which, Channel: api.MessageChannel(halves[i].Channel), To: outbox.Mask(halves[i].Channel, halves[i].To),
		}
	}
	return api.ConfirmPinRecovery200JSONResponse(view), nil
}

// StartPinRevocation implements api.StrictServerInterface.
func (h PINRecoveryHandlers) StartPinRevocation(
	ctx context.Context, r api.StartPinRevocationRequestObject,
) (api.StartPinRevocationResponseObject, error) {
	code, err := parseTaxCode(r.Body.TaxCode, "/tax_code")
	if err != nil {
		return nil, err
	}
	if err := h.Recovery.StartRevocation(ctx, code, electronicContact(r.Body.Contact)); err != nil {
		return nil, err
	}
	return api.StartPinRevocation202JSONResponse{
		Body:    api.Acknowledgement{Detail: problem.Notice(reqctx.LanguageOf(ctx), problem.NoticeRevocation)},
		Headers: api.StartPinRevocation202ResponseHeaders{Location: reqctx.BasePath + "/pin-revocations"},
	}, nil
}

// ConfirmPinRevocation implements api.StrictServerInterface.
func (h PINRecoveryHandlers) ConfirmPinRevocation(
	ctx context.Context, r api.ConfirmPinRevocationRequestObject,
) (api.ConfirmPinRevocationResponseObject, error) {
	code, err := parseTaxCode(r.Body.TaxCode, "/tax_code")
	if err != nil {
		return nil, err
	}
	revoked, err := h.Recovery.ConfirmRevocation(ctx, code, secret.Text(r.Body.Code))
	if err != nil {
		return nil, err
	}
	return api.ConfirmPinRevocation200JSONResponse{RevokedAt: revoked}, nil
}

func electronicContact(c api.ElectronicContact) person.NewContact {
	return person.NewContact{Kind: person.ContactKind(c.Kind), Value: c.Value}
}
