package handlers

import (
	"bytes"
	"context"

	"diresco/api"
	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/mandate/delegation"
	"diresco/internal/mandate/delegationbatch"
)

// DelegationBatchHandlers has the operations that draft many delegations at once.
type DelegationBatchHandlers struct{ Batches *delegationbatch.Service }

const delegationBatchesPath = "/delegation-batches"

// DraftDelegationBatch implements api.StrictServerInterface: a list as JSON or as CSV.
func (h DelegationBatchHandlers) DraftDelegationBatch(
	ctx context.Context, r api.DraftDelegationBatchRequestObject,
) (api.DraftDelegationBatchResponseObject, error) {
	in, err := readDelegationBatch(ctx, r)
	if err != nil {
		return nil, err
	}
	taken, err := h.Batches.Draft(ctx, reqctx.ActorOf(ctx), in)
	if err != nil {
		return nil, err
	}
	return api.DraftDelegationBatch202JSONResponse{
		Body:    viewDelegationBatch(taken),
		Headers: api.DraftDelegationBatch202ResponseHeaders{Location: reqctx.BasePath + idPath(delegationBatchesPath, taken.ID)},
	}, nil
}

func readDelegationBatch(ctx context.Context, r api.DraftDelegationBatchRequestObject) (delegationbatch.Input, error) {
	in := delegationbatch.Input{DelegateID: r.Params.DelegateId}
	if raw := reqctx.RawOf(ctx); raw != nil {
		var err error
		in.Entries, err = delegationbatch.ReadCSV(raw.Open(), raw.Charset)
		return in, err
	}
	terms := delegationbatch.Terms{
		Scope: delegation.Scope(r.JSONBody.Scope), Exclusive: value(r.JSONBody.Exclusive), ValidUntil: r.JSONBody.ValidUntil,
		Services: servicesOf(r.JSONBody.Services),
	}
	in.Shared = true
	if r.JSONBody.DelegateId != nil {
		in.DelegateID = r.JSONBody.DelegateId
	}
	for i, item := range r.JSONBody.Items {
		in.Entries = append(in.Entries, delegationbatch.Entry{
			Line: i + 1, PositionNumber: item.PositionNumber, SignatoryID: item.SignatoryId, Terms: terms,
		})
	}
	return in, nil
}

// ShowDelegationBatch implements api.StrictServerInterface.
func (h DelegationBatchHandlers) ShowDelegationBatch(
	ctx context.Context, r api.ShowDelegationBatchRequestObject,
) (api.ShowDelegationBatchResponseObject, error) {
	found, err := h.Batches.Show(ctx, reqctx.ActorOf(ctx), r.BatchId)
	if err != nil {
		return nil, err
	}
	view := viewDelegationBatch(found)
	shown := []api.DelegationBatchItem(items(found.Items, viewDelegationBatchItem))
	view.Items = &shown
	return api.ShowDelegationBatch200JSONResponse(view), nil
}

func viewDelegationBatch(b delegationbatch.Batch) api.DelegationBatch {
	return api.DelegationBatch{
		BatchId: b.ID, State: api.BatchState(b.State), ItemsTotal: int32(b.ItemsTotal), ItemsDone: int32(b.ItemsDone), //nolint:gosec // a thousand at most
		CreatedAt: b.CreatedAt,
	}
}

func viewDelegationBatchItem(i delegationbatch.Item) api.DelegationBatchItem {
	return api.DelegationBatchItem{
		Line: int32(i.Line), PositionNumber: i.PositionNumber, State: api.BatchItemState(i.State), DelegationId: i.DelegationID, //nolint:gosec // lines of 16 MiB
		Reason: i.Reason,
	}
}

// ShowDelegationBatchForms implements api.StrictServerInterface.
func (h DelegationBatchHandlers) ShowDelegationBatchForms(
	ctx context.Context, r api.ShowDelegationBatchFormsRequestObject,
) (api.ShowDelegationBatchFormsResponseObject, error) {
	forms, err := h.Batches.Forms(ctx, reqctx.ActorOf(ctx), r.BatchId)
	if err != nil {
		return nil, err
	}
	disposition := `attachment; filename="deleghe-` + r.BatchId.String() + `.pdf"`
	return api.ShowDelegationBatchForms200ApplicationpdfResponse{
		Body: bytes.NewReader(forms), ContentLength: int64(len(forms)),
		Headers: api.ShowDelegationBatchForms200ResponseHeaders{
			ContentDisposition: &disposition, ContentLanguage: problem.Italian.String(),
		},
	}, nil
}
