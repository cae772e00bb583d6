package handlers

import (
	"context"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/pin"
	"diresco/internal/platform/secret"
)

// PINHandlers has the operations of the section PIN.
type PINHandlers struct{ PINs *pin.Service }

// RotatePin implements api.StrictServerInterface.
func (h PINHandlers) RotatePin(ctx context.Context, _ api.RotatePinRequestObject) (api.RotatePinResponseObject, error) {
	rotation, err := h.PINs.Rotate(ctx, reqctx.ActorOf(ctx))
	if err != nil {
		return nil, err
	}
	return api.RotatePin201JSONResponse{
		Body:    api.PinRotation{RotationId: rotation.ID, Pin: rotation.PIN.Reveal(), ExpiresAt: rotation.ExpiresAt},
		Headers: api.RotatePin201ResponseHeaders{Location: reqctx.BasePath + "/me"},
	}, nil
}

// ConfirmPinRotation implements api.StrictServerInterface.
func (h PINHandlers) ConfirmPinRotation(
	ctx context.Context, r api.ConfirmPinRotationRequestObject,
) (api.ConfirmPinRotationResponseObject, error) {
	s, err := h.PINs.Confirm(ctx, reqctx.ActorOf(ctx), r.RotationId, secret.Text(r.Body.Pin))
	if err != nil {
		return nil, err
	}
	return api.ConfirmPinRotation200JSONResponse(viewSession(s)), nil
}
