package handlers

import (
	"context"

	"diresco/api"
	"diresco/internal/httpapi/clientcert"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/federation/card"
	"diresco/internal/platform/fault"
)

// CardHandlers has the operation that lets people in with cards.
type CardHandlers struct {
	// Cards is nil where none are taken.
	Cards *card.Service
}

// StartCardSession implements api.StrictServerInterface.
func (h CardHandlers) StartCardSession(
	ctx context.Context, _ api.StartCardSessionRequestObject,
) (api.StartCardSessionResponseObject, error) {
	if h.Cards == nil {
		return nil, fault.Because(fault.NotFound, card.ReasonClosed)
	}
	presented, err := clientcert.Of(ctx)
	if err != nil {
		return nil, err
	}
	s, err := h.Cards.Start(ctx, presented.Leaf, presented.Others)
	if err != nil {
		return nil, err
	}
	return api.StartCardSession201JSONResponse{
		Body: viewSession(s), Headers: api.StartCardSession201ResponseHeaders{Location: reqctx.BasePath + idPath("/sessions", s.SessionID)},
	}, nil
}
