package handlers

import (
	"context"
	"strconv"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/outbox"
)

// MessageHandlers has the operations on messages and how they fare, of the sections Back office and
// Me.
type MessageHandlers struct{ Messages *outbox.Service }

// ListDeliveries implements api.StrictServerInterface.
func (h MessageHandlers) ListDeliveries(ctx context.Context, r api.ListDeliveriesRequestObject) (api.ListDeliveriesResponseObject, error) {
	p := r.Params
	found, err := h.Messages.List(ctx, reqctx.ActorOf(ctx), outbox.Filter{
		State: outbox.DeliveryState(value(p.State)), Channel: outbox.Channel(value(p.Channel)), ReceiptOverdue: value(p.ReceiptOverdue),
	}, pageRequest(ctx, p.Limit, p.Cursor))
	if err != nil {
		return nil, err
	}
	var overdue *string
	if p.ReceiptOverdue != nil {
		overdue = new(strconv.FormatBool(*p.ReceiptOverdue))
	}
	query := queryOf(map[string]*string{"state": (*string)(p.State), "channel": (*string)(p.Channel), "receipt_overdue": overdue})
	return api.ListDeliveries200JSONResponse(pageOf(
		ctx, items(found.Items, h.viewDelivery), "/backoffice/deliveries", query, found.Next, p.Limit,
	)), nil
}

// RetryDelivery implements api.StrictServerInterface.
func (h MessageHandlers) RetryDelivery(ctx context.Context, r api.RetryDeliveryRequestObject) (api.RetryDeliveryResponseObject, error) {
	d, err := h.Messages.Retry(ctx, reqctx.ActorOf(ctx), r.DeliveryId)
	if err != nil {
		return nil, err
	}
	return api.RetryDelivery202JSONResponse{
		Body: h.viewDelivery(d), Headers: api.RetryDelivery202ResponseHeaders{Location: reqctx.BasePath + "/backoffice/deliveries"},
	}, nil
}

func (h MessageHandlers) viewDelivery(d outbox.Delivery) api.Delivery {
	view := api.Delivery{
		DeliveryId: d.ID, MessageId: d.Message(), Kind: d.Kind, PersonId: d.PersonID, Channel: api.MessageChannel(d.Channel),
		To:    outbox.Mask(d.Channel, d.Recipient),
		State: api.DeliveryState(d.State), Attempts: int32(d.Attempts), LastError: d.LastError, CreatedAt: d.CreatedAt, //nolint:gosec // a few hundred at most
		DeadlineAt: d.DeadlineAt,
	}
	if d.ReceiptOverdue(h.Messages.Now()) {
		view.ReceiptOverdue = new(true)
	}
	if d.WillBeTried() {
		view.NextAttemptAt = &d.NextAt
	}
	return view
}
