package handlers

import (
	"context"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/outbox"
)

// ListNotifications implements api.StrictServerInterface.
func (h MessageHandlers) ListNotifications(
	ctx context.Context, r api.ListNotificationsRequestObject,
) (api.ListNotificationsResponseObject, error) {
	found, err := h.Messages.Notifications(ctx, reqctx.ActorOf(ctx), pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListNotifications200JSONResponse(pageOf(
		ctx, items(found.Items, viewNotification), "/me/notifications", "", found.Next, r.Params.Limit,
	)), nil
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
