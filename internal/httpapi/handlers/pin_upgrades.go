package handlers

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/pinupgrade"
	"diresco/internal/platform/attachment"
)

// PINUpgradeHandlers has the operations with which the holder of an ordinary PIN asks for a
// dispositive one.
type PINUpgradeHandlers struct{ PINUpgrades *pinupgrade.Service }

const myUpgradesPath = "/me/pin/upgrades"

// RequestPinUpgrade implements api.StrictServerInterface. The edge has read the form: there is
// nothing left in the body.
func (h PINUpgradeHandlers) RequestPinUpgrade(
	ctx context.Context, _ api.RequestPinUpgradeRequestObject,
) (api.RequestPinUpgradeResponseObject, error) {
	form := reqctx.FormOf(ctx)
	filed, err := h.PINUpgrades.Request(ctx, reqctx.ActorOf(ctx), pinupgrade.Input{
		DocumentKind: pinupgrade.DocumentKind(form.Text("document_kind")), DocumentNumber: form.Text("document_number"),
		IssuedBy: form.Text("issued_by"),
		IssuedOn: form.Text("issued_on"), ExpiresOn: form.Text("expires_on"), OfficeCode: form.Text("office_code"),
		Files: form.Files("files"),
	})
	if err != nil {
		return nil, err
	}
	return api.RequestPinUpgrade202JSONResponse{
		Body:    viewUpgrade(filed),
		Headers: api.RequestPinUpgrade202ResponseHeaders{Location: reqctx.BasePath + idPath(myUpgradesPath, filed.ID)},
	}, nil
}

// ListMyPinUpgrades implements api.StrictServerInterface.
func (h PINUpgradeHandlers) ListMyPinUpgrades(
	ctx context.Context, r api.ListMyPinUpgradesRequestObject,
) (api.ListMyPinUpgradesResponseObject, error) {
	found, err := h.PINUpgrades.Mine(ctx, reqctx.ActorOf(ctx), pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListMyPinUpgrades200JSONResponse(pageOf(
		ctx, items(found.Items, viewUpgrade), myUpgradesPath, "", found.Next, r.Params.Limit,
	)), nil
}

// ShowPinUpgrade implements api.StrictServerInterface.
func (h PINUpgradeHandlers) ShowPinUpgrade(
	ctx context.Context, r api.ShowPinUpgradeRequestObject,
) (api.ShowPinUpgradeResponseObject, error) {
	found, err := h.PINUpgrades.Show(ctx, reqctx.ActorOf(ctx), r.UpgradeId)
	if err != nil {
		return nil, err
	}
	return api.ShowPinUpgrade200JSONResponse(viewUpgrade(found)), nil
}

func viewUpgrade(u pinupgrade.Upgrade) api.PinUpgrade {
	return api.PinUpgrade{
		UpgradeId: u.ID, State: api.PinUpgradeState(u.State), ProtocolNumber: u.ProtocolNumber, OfficeCode: u.OfficeCode,
		DocumentKind:   api.IdentityDocumentKind(u.DocumentKind),
		DocumentNumber: u.DocumentNumber, IssuedBy: u.IssuedBy, IssuedOn: viewDate(u.IssuedOn), ExpiresOn: viewDate(u.ExpiresOn),
		Attachments: items(u.Attachments, viewFile),
		SubmittedAt: u.SubmittedAt, DecidedAt: u.DecidedAt, Reason: u.Reason,
	}
}

func viewFile(f attachment.File) api.Attachment {
	return api.Attachment{
		Number: int32(f.Number), FileName: f.Name, MediaType: api.AttachmentMediaType(f.MediaType), Size: int32(f.Size), //nolint:gosec // a few files of 5 MiB at most
	}
}

// storedFile is the answer that hands out a file that somebody sent, in the form that it has.
type storedFile struct {
	file    attachment.File
	content io.ReadCloser
}

func (f storedFile) write(w http.ResponseWriter) error {
	defer func() { _ = f.content.Close() }()
	h := w.Header()
	h.Set("Content-Type", string(f.file.MediaType))
	h.Set("Content-Length", strconv.FormatInt(f.file.Size, 10))
	h.Set("Content-Disposition", attachment.Disposition(f.file.Name))
	w.WriteHeader(http.StatusOK)
	_, err := io.Copy(w, f.content)
	return err
}

// VisitDownloadPinDocumentResponse implements api.DownloadPinDocumentResponseObject.
func (f storedFile) VisitDownloadPinDocumentResponse(w http.ResponseWriter) error { return f.write(w) }

// VisitDownloadPinUpgradeAttachmentResponse implements
// api.DownloadPinUpgradeAttachmentResponseObject.
func (f storedFile) VisitDownloadPinUpgradeAttachmentResponse(w http.ResponseWriter) error {
	return f.write(w)
}

// viewDate shows a stored date, which was checked when it was stored.
func viewDate(s string) openapi_types.Date {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return openapi_types.Date{}
	}
	return openapi_types.Date{Time: t}
}
