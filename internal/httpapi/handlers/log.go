package handlers

import (
	"context"
	"encoding/base64"

	"golang.org/x/mod/sumdb/tlog"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/translog"
)

// ShowReceiptProof implements api.StrictServerInterface.
func (h ReceiptHandlers) ShowReceiptProof(
	ctx context.Context, r api.ShowReceiptProofRequestObject,
) (api.ShowReceiptProofResponseObject, error) {
	if _, err := h.Declarations.Receipt(ctx, reqctx.ActorOf(ctx), r.DeclarationId); err != nil {
		return nil, err
	}
	p, err := h.Log.ProveEntry(ctx, r.DeclarationId)
	if err != nil {
		return nil, err
	}
	return api.ShowReceiptProof200JSONResponse{
		Row: p.Row, Salt: base64.StdEncoding.EncodeToString(p.Salt), Index: p.Index, Hashes: viewHashes(p.Hashes),
		Checkpoint: viewCheckpoint(p.Checkpoint),
	}, nil
}

// ShowCheckpoint implements api.StrictServerInterface.
func (h ReceiptHandlers) ShowCheckpoint(
	ctx context.Context, _ api.ShowCheckpointRequestObject,
) (api.ShowCheckpointResponseObject, error) {
	c, err := h.Log.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	return api.ShowCheckpoint200JSONResponse(viewCheckpoint(c)), nil
}

// ShowConsistencyProof implements api.StrictServerInterface.
func (h ReceiptHandlers) ShowConsistencyProof(
	ctx context.Context, r api.ShowConsistencyProofRequestObject,
) (api.ShowConsistencyProofResponseObject, error) {
	p, err := h.Log.ProveConsistency(ctx, r.Params.From)
	if err != nil {
		return nil, err
	}
	return api.ShowConsistencyProof200JSONResponse{
		From: p.From, Hashes: viewHashes(p.Hashes), Checkpoint: viewCheckpoint(p.Checkpoint),
	}, nil
}

func viewCheckpoint(c translog.Checkpoint) api.Checkpoint {
	view := api.Checkpoint{Origin: c.Name, Size: c.Size, Root: c.Root.String(), Text: c.Text, Keys: c.Keys}
	if c.Cosigned != "" {
		view.Cosigned = &c.Cosigned
	}
	return view
}

func viewHashes(hashes []tlog.Hash) []api.LogHash {
	shown := make([]api.LogHash, len(hashes))
	for i, h := range hashes {
		shown[i] = h.String()
	}
	return shown
}
