package handlers

import (
	"bytes"
	"context"
	"strings"

	"diresco/api"
	"diresco/internal/filing/declaration"
	"diresco/internal/httpapi/reqctx"
)

// ReceiptHandlers has the operations of the section Receipts.
type ReceiptHandlers struct{ Declarations *declaration.Service }

// ShowReceipt implements api.StrictServerInterface: the receipt as JSON, as JWS or as PDF,
// whichever the caller prefers.
func (h ReceiptHandlers) ShowReceipt(ctx context.Context, r api.ShowReceiptRequestObject) (api.ShowReceiptResponseObject, error) {
	by := reqctx.ActorOf(ctx)
	form := value(r.Params.Accept) // one of the three: the edge has negotiated
	if form == "application/pdf" {
		document, err := h.Declarations.ReceiptPDF(ctx, by, r.DeclarationId)
		if err != nil {
			return nil, err
		}
		return api.ShowReceipt200ApplicationpdfResponse{
			Body: bytes.NewReader(document), ContentLength: int64(len(document)),
			Headers: savedAs("receipt-" + r.DeclarationId.String() + ".pdf"),
		}, nil
	}
	d, err := h.Declarations.Receipt(ctx, by, r.DeclarationId)
	if err != nil {
		return nil, err
	}
	if form == "application/jose" {
		return api.ShowReceipt200ApplicationjoseResponse{
			Body: strings.NewReader(d.JWS), ContentLength: int64(len(d.JWS)),
			Headers: savedAs("receipt-" + r.DeclarationId.String() + ".jws"),
		}, nil
	}
	return api.ShowReceipt200JSONResponse{Body: viewReceipt(d)}, nil
}

func savedAs(filename string) api.ShowReceipt200ResponseHeaders {
	disposition := `attachment; filename="` + filename + `"`
	return api.ShowReceipt200ResponseHeaders{ContentDisposition: &disposition}
}

// VerifyReceipt implements api.StrictServerInterface.
func (h ReceiptHandlers) VerifyReceipt(ctx context.Context, r api.VerifyReceiptRequestObject) (api.VerifyReceiptResponseObject, error) {
	verdict, err := h.Declarations.Verify(ctx, r.Body.Jws)
	if err != nil {
		return nil, err
	}
	view := api.VerifyReceipt200JSONResponse{Valid: verdict.Valid}
	if verdict.Valid {
		view.ProtocolNumber, view.SubmittedAt = &verdict.ProtocolNumber, &verdict.SubmittedAt
	}
	return view, nil
}
