package handlers

import (
	"context"
	"time"

	"diresco/api"
	"diresco/internal/platform/fault"
)

// StatusHandlers has the operations of the section Status.
type StatusHandlers struct {
	// Ready reports whether the service can do its work now.
	Ready func(ctx context.Context) error
}

// ShowStatus implements api.StrictServerInterface.
func (h StatusHandlers) ShowStatus(ctx context.Context, _ api.ShowStatusRequestObject) (api.ShowStatusResponseObject, error) {
	if err := h.Ready(ctx); err != nil {
		return nil, &fault.Fault{Code: fault.Unavailable, RetryAfter: 5 * time.Second, Err: err}
	}
	return api.ShowStatus200JSONResponse{Status: api.StatusStatusUp}, nil
}
