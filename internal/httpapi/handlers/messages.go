package handlers

import (
	"bytes"
	"context"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/outbox"
)

// MessageHandlers has the operations on messages and how they fare, of the sections Me and Back office.
type MessageHandlers struct{ Messages *outbox.Service }

// ListDeliveries implements api.StrictServerInterface.
func (h MessageHandlers) ListDeliveries(ctx context.Context, r api.ListDeliveriesRequestObject) (api.ListDeliveriesResponseObject, error) {
	p := r.Params
	found, err := h.Messages.List(ctx, outbox.Filter{State: outbox.DeliveryState(value(p.State)), Channel: outbox.Channel(value(p.Channel))}, pageRequest(ctx, p.Limit, p.Cursor))
	if err != nil {
		return nil, err
	}
	query := queryOf(map[string]*string{"state": (*string)(p.State), "channel": (*string)(p.Channel)})
	return api.ListDeliveries200JSONResponse{Items: items(found.Items, viewDelivery), Links: pageLinks(ctx, "/backoffice/deliveries", query, found.Next, p.Limit)}, nil
}

// RetryDelivery implements api.StrictServerInterface.
func (h MessageHandlers) RetryDelivery(ctx context.Context, r api.RetryDeliveryRequestObject) (api.RetryDeliveryResponseObject, error) {
	d, err := h.Messages.Retry(ctx, reqctx.ActorOf(ctx), r.DeliveryId)
	if err != nil {
		return nil, err
	}
	return api.RetryDelivery202JSONResponse{
		Body: viewDelivery(d), Headers: api.RetryDelivery202ResponseHeaders{Location: reqctx.BasePath + "/backoffice/deliveries"},
	}, nil
}

// ListNotifications implements api.StrictServerInterface.
func (h MessageHandlers) ListNotifications(ctx context.Context, r api.ListNotificationsRequestObject) (api.ListNotificationsResponseObject, error) {
	found, err := h.Messages.Notifications(ctx, reqctx.ActorOf(ctx), pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListNotifications200JSONResponse{Items: items(found.Items, viewNotification), Links: pageLinks(ctx, "/me/notifications", "", found.Next, r.Params.Limit)}, nil
}

// ShowSandboxLetter implements api.StrictServerInterface.
func (h SandboxHandlers) ShowSandboxLetter(ctx context.Context, r api.ShowSandboxLetterRequestObject) (api.ShowSandboxLetterResponseObject, error) {
	letter, err := h.Sandbox.Letter(ctx, r.MessageId)
	if err != nil {
		return nil, err
	}
	disposition := `inline; filename="letter-` + r.MessageId.String() + `.pdf"`
	return api.ShowSandboxLetter200ApplicationpdfResponse{
		Body: bytes.NewReader(letter), ContentLength: int64(len(letter)), Headers: api.ShowSandboxLetter200ResponseHeaders{ContentDisposition: &disposition},
	}, nil
}

func viewDelivery(d outbox.Delivery) api.Delivery {
	view := api.Delivery{
		DeliveryId: d.ID, MessageId: d.MessageID, Kind: d.Kind, PersonId: d.PersonID, Channel: api.MessageChannel(d.Channel), To: outbox.Mask(d.Channel, d.Recipient),
		State: api.DeliveryState(d.State), Attempts: int32(d.Attempts), LastError: d.LastError, CreatedAt: d.CreatedAt, DeadlineAt: d.DeadlineAt, //nolint:gosec // a few hundred at most
	}
	if d.State == outbox.Queued {
		view.NextAttemptAt = &d.NextAt
	}
	return view
}

func viewNotification(n outbox.Notification) api.Notification {
	return api.Notification{
		NotificationId: n.ID, Kind: n.Kind, Subject: n.Subject, CreatedAt: n.CreatedAt,
		Deliveries: items(n.Deliveries, func(d outbox.Notified) api.NotificationDelivery {
			return api.NotificationDelivery{
				Channel: api.MessageChannel(d.Channel), To: outbox.Mask(d.Channel, d.Recipient), State: api.DeliveryState(d.State),
				Attempts: items(d.Attempts, func(a outbox.Attempt) api.DeliveryAttempt {
					return api.DeliveryAttempt{At: a.At, Outcome: api.AttemptOutcome(a.Outcome), Reason: a.Reason}
				}),
			}
		}),
	}
}
