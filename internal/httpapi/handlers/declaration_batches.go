package handlers

import (
	"bufio"
	"context"
	"errors"
	"io"

	"diresco/api"
	"diresco/internal/filing/declaration"
	"diresco/internal/filing/declarationbatch"
	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
)

// DeclarationBatchHandlers has the operations that file many declarations at once.
type DeclarationBatchHandlers struct {
	DeclarationBatches *declarationbatch.Service
}

const declarationBatchesPath = "/declaration-batches"

// FileDeclarationBatch implements api.StrictServerInterface.
func (h DeclarationBatchHandlers) FileDeclarationBatch(
	ctx context.Context, r api.FileDeclarationBatchRequestObject,
) (api.FileDeclarationBatchResponseObject, error) {
	in := declarationbatch.Input{
		AllOrNothing: value(r.Body.AllOrNothing), Entries: make([]declarationbatch.Entry, len(r.Body.Items)),
	}
	for i, item := range r.Body.Items {
		in.Entries[i] = declarationbatch.Entry{Reference: item.Reference, Declaration: declaration.Input{
			Type: item.Type, PositionID: item.PositionId, Step: string(value(item.Step)), ReservationID: item.ReservationId,
			SupersedesID: item.SupersedesId, RightID: item.RightId, Content: item.Content,
		}}
	}
	taken, err := h.DeclarationBatches.File(ctx, reqctx.ActorOf(ctx), r.ContributorId, in)
	if err != nil {
		return nil, err
	}
	return api.FileDeclarationBatch202JSONResponse{
		Body:    viewDeclarationBatch(taken),
		Headers: api.FileDeclarationBatch202ResponseHeaders{Location: reqctx.BasePath + idPath(declarationBatchesPath, taken.ID)},
	}, nil
}

// ListDeclarationBatches implements api.StrictServerInterface.
func (h DeclarationBatchHandlers) ListDeclarationBatches(
	ctx context.Context, r api.ListDeclarationBatchesRequestObject,
) (api.ListDeclarationBatchesResponseObject, error) {
	found, err := h.DeclarationBatches.OfContributor(ctx, reqctx.ActorOf(ctx), pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListDeclarationBatches200JSONResponse(pageOf(
		ctx, items(found.Items, viewDeclarationBatch), idPath("/contributors", r.ContributorId)+declarationBatchesPath, "", found.Next,
		r.Params.Limit,
	)), nil
}

// ShowDeclarationBatch implements api.StrictServerInterface.
func (h DeclarationBatchHandlers) ShowDeclarationBatch(
	ctx context.Context, r api.ShowDeclarationBatchRequestObject,
) (api.ShowDeclarationBatchResponseObject, error) {
	found, err := h.DeclarationBatches.Show(ctx, reqctx.ActorOf(ctx), r.BatchId)
	if err != nil {
		return nil, err
	}
	return api.ShowDeclarationBatch200JSONResponse(viewDeclarationBatch(found)), nil
}

// ListDeclarationBatchItems implements api.StrictServerInterface.
func (h DeclarationBatchHandlers) ListDeclarationBatchItems(
	ctx context.Context, r api.ListDeclarationBatchItemsRequestObject,
) (api.ListDeclarationBatchItemsResponseObject, error) {
	p := r.Params
	found, err := h.DeclarationBatches.Items(
		ctx, reqctx.ActorOf(ctx), r.BatchId, declarationbatch.ItemState(value(p.State)), pageRequest(ctx, p.Limit, p.Cursor),
	)
	if err != nil {
		return nil, err
	}
	shown := make(api.List[api.DeclarationBatchItem], len(found.Items))
	for i, item := range found.Items {
		if shown[i], err = viewDeclarationBatchItem(ctx, item); err != nil {
			return nil, err
		}
	}
	return api.ListDeclarationBatchItems200JSONResponse(pageOf(
		ctx, shown, idPath(declarationBatchesPath, r.BatchId)+"/items", queryOf(map[string]*string{"state": (*string)(p.State)}), found.Next,
		p.Limit,
	)), nil
}

// CancelDeclarationBatch implements api.StrictServerInterface.
func (h DeclarationBatchHandlers) CancelDeclarationBatch(
	ctx context.Context, r api.CancelDeclarationBatchRequestObject,
) (api.CancelDeclarationBatchResponseObject, error) {
	cancelled, err := h.DeclarationBatches.Cancel(ctx, reqctx.ActorOf(ctx), r.BatchId)
	if err != nil {
		return nil, err
	}
	return api.CancelDeclarationBatch200JSONResponse(viewDeclarationBatch(cancelled)), nil
}

// DownloadDeclarationBatchReceipts implements api.StrictServerInterface: an archive of PDFs, or
// lines of JSON, written while they are read.
func (h DeclarationBatchHandlers) DownloadDeclarationBatchReceipts(
	ctx context.Context, r api.DownloadDeclarationBatchReceiptsRequestObject,
) (api.DownloadDeclarationBatchReceiptsResponseObject, error) {
	receipts, err := h.DeclarationBatches.Receipts(ctx, reqctx.ActorOf(ctx), r.BatchId)
	if err != nil {
		return nil, err
	}
	file := func(extension string) api.DownloadDeclarationBatchReceipts200ResponseHeaders {
		disposition := `attachment; filename="receipts-` + r.BatchId.String() + extension + `"`
		return api.DownloadDeclarationBatchReceipts200ResponseHeaders{ContentDisposition: &disposition}
	}
	if value(r.Params.Accept) == "application/jsonl" {
		return api.DownloadDeclarationBatchReceipts200ApplicationjsonlResponse{
			Body: streamed(ctx, receipts.WriteJSONL), Headers: file(".jsonl"),
		}, nil
	}
	return api.DownloadDeclarationBatchReceipts200ApplicationzipResponse{
		Body: streamed(ctx, receipts.WriteZIP), Headers: file(".zip"),
	}, nil
}

// streamed is a body that is written while it is sent. Closing it ends the writing; an error breaks
// the answer off.
func streamed(ctx context.Context, write func(ctx context.Context, w io.Writer) error) io.ReadCloser {
	const buffer = 32 << 10
	body, into := io.Pipe()
	go func() {
		buffered := bufio.NewWriterSize(into, buffer)
		_ = into.CloseWithError(errors.Join(write(ctx, buffered), buffered.Flush()))
	}()
	return body
}

func viewDeclarationBatch(b declarationbatch.View) api.DeclarationBatch {
	path := idPath(declarationBatchesPath, b.ID)
	number := func(n int) int32 { return int32(n) } //nolint:gosec // a thousand at most
	view := api.DeclarationBatch{
		BatchId: b.ID, ContributorId: b.ContributorID, State: api.DeclarationBatchState(b.State), AllOrNothing: b.AllOrNothing,
		ItemsTotal: number(b.ItemsTotal), CreatedAt: b.CreatedAt, StartedAt: b.StartedAt, FinishedAt: b.FinishedAt,
		Counts: api.DeclarationBatchCounts{
			Pending: number(b.Counts.Pending), Filed: number(b.Counts.Filed), Refused: number(b.Counts.Refused),
			Cancelled: number(b.Counts.Cancelled),
		},
		Links: api.DeclarationBatchLinks{Self: link(path, ""), Items: link(path+"/items", "")},
	}
	if b.FinishedAt != nil {
		view.Links.Receipts = new(link(path+"/receipts", ""))
	} else {
		view.Links.Cancellation = new(link(path+"/cancellation", ""))
	}
	return view
}

func viewDeclarationBatchItem(ctx context.Context, i declarationbatch.ItemView) (api.DeclarationBatchItem, error) {
	view := api.DeclarationBatchItem{
		Reference: i.Reference, State: api.DeclarationBatchItemState(i.State), DeclarationId: i.DeclarationID,
		ProtocolNumber: i.ProtocolNumber,
	}
	if i.DeclarationID != nil {
		view.Links.Declaration = new(link(idPath("/declarations", *i.DeclarationID), ""))
	}
	if i.JWS != nil {
		view.Receipt = &api.Receipt{
			ProtocolNumber: *i.ProtocolNumber, SubmittedAt: *i.SubmittedAt, Digest: *i.Digest, DeclarationId: *i.DeclarationID, Jws: *i.JWS,
		}
	}
	refused, err := i.Fault()
	if err != nil || refused == nil {
		return view, err
	}
	status, _ := problem.Status(refused.Code)
	p := problem.New(refused, status, reqctx.LanguageOf(ctx), "", "")
	view.Problem = &api.DeclarationBatchProblem{Code: p.Code, Detail: p.Detail, Errors: p.Errors, Allowed: p.Allowed, Href: p.Href}
	if p.Href != nil && i.DeclarationID != nil {
		view.Problem.Href = &view.Links.Declaration.Href
	}
	return view, nil
}
