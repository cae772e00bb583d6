package handlers

import (
	"bytes"
	"context"
	"strings"

	"github.com/google/uuid"

	"diresco/api"
	"diresco/internal/filing/declaration"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/translog"
)

// ReceiptHandlers has the operations of the section Receipts.
type ReceiptHandlers struct {
	Declarations *declaration.Service
	Log          *translog.Log
}

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
			Headers: api.ShowReceipt200ResponseHeaders{ContentDisposition: receiptFile(r.DeclarationId, ".pdf")},
		}, nil
	}
	d, err := h.Declarations.Receipt(ctx, by, r.DeclarationId)
	if err != nil {
		return nil, err
	}
	if form == "application/jose" {
		return api.ShowReceipt200ApplicationjoseResponse{
			Body: strings.NewReader(d.JWS), ContentLength: int64(len(d.JWS)),
			Headers: api.ShowReceipt200ResponseHeaders{ContentDisposition: receiptFile(r.DeclarationId, ".jws")},
		}, nil
	}
	return api.ShowReceipt200JSONResponse{Body: viewReceipt(d)}, nil
}

// DownloadReceiptPdf implements api.StrictServerInterface.
func (h ReceiptHandlers) DownloadReceiptPdf(
	ctx context.Context, r api.DownloadReceiptPdfRequestObject,
) (api.DownloadReceiptPdfResponseObject, error) {
	document, err := h.Declarations.ReceiptPDF(ctx, reqctx.ActorOf(ctx), r.DeclarationId)
	if err != nil {
		return nil, err
	}
	return api.DownloadReceiptPdf200ApplicationpdfResponse{
		Body: bytes.NewReader(document), ContentLength: int64(len(document)),
		Headers: api.DownloadReceiptPdf200ResponseHeaders{ContentDisposition: receiptFile(r.DeclarationId, ".pdf")},
	}, nil
}

// receiptFile is the header that names the file in which a receipt is saved.
func receiptFile(declarationID uuid.UUID, extension string) *string {
	disposition := `attachment; filename="receipt-` + declarationID.String() + extension + `"`
	return &disposition
}

// VerifyReceipt implements api.StrictServerInterface.
func (h ReceiptHandlers) VerifyReceipt(ctx context.Context, r api.VerifyReceiptRequestObject) (api.VerifyReceiptResponseObject, error) {
	verdict, err := h.Declarations.Verify(ctx, strings.TrimSpace(r.Body.Jws))
	if err != nil {
		return nil, err
	}
	genuine := verdict.Finding == declaration.Genuine
	view := api.VerifyReceipt200JSONResponse{Valid: genuine, Finding: api.ReceiptVerificationFinding(verdict.Finding)}
	if genuine {
		view.ProtocolNumber, view.SubmittedAt = &verdict.ProtocolNumber, &verdict.SubmittedAt
	}
	return view, nil
}
