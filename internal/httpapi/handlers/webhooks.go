package handlers

import (
	"context"

	"github.com/google/uuid"

	"diresco/api"
	"diresco/internal/httpapi/etag"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/messaging/webhook"
)

// WebhookHandlers has the operations of the section Webhooks.
type WebhookHandlers struct{ Webhooks *webhook.Service }

func webhooksPath(applicationID uuid.UUID) string {
	return idPath(applicationsPath, applicationID) + "/webhooks"
}

func deliveriesPath(applicationID, webhookID uuid.UUID) string {
	return idPath(webhooksPath(applicationID), webhookID) + "/deliveries"
}

// AddWebhook implements api.StrictServerInterface.
func (h WebhookHandlers) AddWebhook(ctx context.Context, r api.AddWebhookRequestObject) (api.AddWebhookResponseObject, error) {
	w, err := h.Webhooks.Add(ctx, reqctx.ActorOf(ctx), r.ApplicationId, webhook.Input{
		URL: r.Body.Url, EventTypes: eventTypesOf(r.Body.EventTypes),
	})
	if err != nil {
		return nil, err
	}
	return api.AddWebhook201JSONResponse{
		Body: viewNewWebhook(w),
		Headers: api.AddWebhook201ResponseHeaders{
			ETag: etag.Version(w.Version), Location: reqctx.BasePath + idPath(webhooksPath(r.ApplicationId), w.ID),
		},
	}, nil
}

// ListWebhooks implements api.StrictServerInterface.
func (h WebhookHandlers) ListWebhooks(ctx context.Context, r api.ListWebhooksRequestObject) (api.ListWebhooksResponseObject, error) {
	found, err := h.Webhooks.List(ctx, reqctx.ActorOf(ctx), r.ApplicationId, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListWebhooks200JSONResponse(pageOf(
		ctx, items(found.Items, viewWebhook), webhooksPath(r.ApplicationId), "", found.Next, r.Params.Limit,
	)), nil
}

// ShowWebhook implements api.StrictServerInterface.
func (h WebhookHandlers) ShowWebhook(ctx context.Context, r api.ShowWebhookRequestObject) (api.ShowWebhookResponseObject, error) {
	w, err := h.Webhooks.Show(ctx, reqctx.ActorOf(ctx), r.ApplicationId, r.WebhookId)
	if err != nil {
		return nil, err
	}
	return api.ShowWebhook200JSONResponse{
		Body: viewWebhook(w), Headers: api.ShowWebhook200ResponseHeaders{ETag: etag.Version(w.Version)},
	}, nil
}

// ChangeWebhook implements api.StrictServerInterface.
func (h WebhookHandlers) ChangeWebhook(ctx context.Context, r api.ChangeWebhookRequestObject) (api.ChangeWebhookResponseObject, error) {
	change := webhook.Change{URL: r.Body.Url, State: (*webhook.State)(r.Body.State)}
	if r.Body.EventTypes != nil {
		change.EventTypes = new(eventTypesOf(r.Body.EventTypes))
	}
	expected, err := etag.Expected(value(r.Params.IfMatch), func() (int, error) {
		shown, err := h.Webhooks.Show(ctx, reqctx.ActorOf(ctx), r.ApplicationId, r.WebhookId)
		return shown.Version, err
	})
	if err != nil {
		return nil, err
	}
	w, err := h.Webhooks.Change(ctx, reqctx.ActorOf(ctx), r.ApplicationId, r.WebhookId, expected, change)
	if err != nil {
		return nil, err
	}
	return api.ChangeWebhook200JSONResponse{
		Body: viewWebhook(w), Headers: api.ChangeWebhook200ResponseHeaders{ETag: etag.Version(w.Version)},
	}, nil
}

// RemoveWebhook implements api.StrictServerInterface.
func (h WebhookHandlers) RemoveWebhook(ctx context.Context, r api.RemoveWebhookRequestObject) (api.RemoveWebhookResponseObject, error) {
	if err := h.Webhooks.Remove(ctx, reqctx.ActorOf(ctx), r.ApplicationId, r.WebhookId); err != nil {
		return nil, err
	}
	return api.RemoveWebhook204Response{}, nil
}

// RotateWebhookSecret implements api.StrictServerInterface.
func (h WebhookHandlers) RotateWebhookSecret(
	ctx context.Context, r api.RotateWebhookSecretRequestObject,
) (api.RotateWebhookSecretResponseObject, error) {
	w, err := h.Webhooks.Rotate(ctx, reqctx.ActorOf(ctx), r.ApplicationId, r.WebhookId)
	if err != nil {
		return nil, err
	}
	return api.RotateWebhookSecret201JSONResponse{
		Body: viewNewWebhook(w),
		Headers: api.RotateWebhookSecret201ResponseHeaders{
			ETag: etag.Version(w.Version), Location: reqctx.BasePath + idPath(webhooksPath(r.ApplicationId), w.ID),
		},
	}, nil
}

// PingWebhook implements api.StrictServerInterface.
func (h WebhookHandlers) PingWebhook(ctx context.Context, r api.PingWebhookRequestObject) (api.PingWebhookResponseObject, error) {
	v, err := h.Webhooks.Ping(ctx, reqctx.ActorOf(ctx), r.ApplicationId, r.WebhookId)
	if err != nil {
		return nil, err
	}
	return api.PingWebhook202JSONResponse{
		Body:    viewWebhookDelivery(v),
		Headers: api.PingWebhook202ResponseHeaders{Location: reqctx.BasePath + deliveriesPath(r.ApplicationId, r.WebhookId)},
	}, nil
}

// ListWebhookDeliveries implements api.StrictServerInterface.
func (h WebhookHandlers) ListWebhookDeliveries(
	ctx context.Context, r api.ListWebhookDeliveriesRequestObject,
) (api.ListWebhookDeliveriesResponseObject, error) {
	p := r.Params
	found, err := h.Webhooks.Deliveries(ctx, reqctx.ActorOf(ctx), r.ApplicationId, r.WebhookId, webhook.Filter{
		State: webhook.DeliveryState(value(p.State)),
	}, pageRequest(ctx, p.Limit, p.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListWebhookDeliveries200JSONResponse(pageOf(
		ctx, items(found.Items, viewWebhookDelivery), deliveriesPath(r.ApplicationId, r.WebhookId),
		queryOf(map[string]*string{"state": (*string)(p.State)}), found.Next, p.Limit,
	)), nil
}

// ReplayWebhookDeliveries implements api.StrictServerInterface.
func (h WebhookHandlers) ReplayWebhookDeliveries(
	ctx context.Context, r api.ReplayWebhookDeliveriesRequestObject,
) (api.ReplayWebhookDeliveriesResponseObject, error) {
	done, err := h.Webhooks.Replay(ctx, reqctx.ActorOf(ctx), r.ApplicationId, r.WebhookId, webhook.Replay{
		DeliveryID: r.Body.DeliveryId, From: r.Body.From, To: r.Body.To,
	})
	if err != nil {
		return nil, err
	}
	return api.ReplayWebhookDeliveries202JSONResponse{
		Body:    api.WebhookReplay{Count: int32(done.Count), Until: done.Until}, //nolint:gosec // 10,000 at most
		Headers: api.ReplayWebhookDeliveries202ResponseHeaders{Location: reqctx.BasePath + deliveriesPath(r.ApplicationId, r.WebhookId)},
	}, nil
}

func eventTypesOf(given *[]api.WebhookEventType) []string { return converted[string](value(given)) }

func viewWebhook(w webhook.Webhook) api.Webhook {
	return api.Webhook{
		WebhookId: w.ID, ApplicationId: w.ApplicationID, Url: w.URL, EventTypes: converted[api.WebhookEventType](w.EventTypes),
		State: api.WebhookState(w.State), DisabledReason: (*api.WebhookDisabledReason)(w.DisabledReason), DisabledAt: w.DisabledAt,
		PublicKey: w.PublicKey, CreatedAt: w.CreatedAt, UpdatedAt: w.UpdatedAt,
	}
}

// viewNewWebhook is a webhook with its newest secret, where that was just made.
func viewNewWebhook(w webhook.Shown) api.Webhook {
	v := viewWebhook(w.Webhook)
	v.Secret = unlessEmpty(w.Secret.Reveal())
	return v
}

func viewWebhookDelivery(v webhook.View) api.WebhookDelivery {
	kind, _ := v.Subject()
	shown := api.WebhookDelivery{
		DeliveryId: v.ID, EventId: v.EventID, Type: api.WebhookEventType(v.Type), At: v.At, ContributorId: v.ContributorID,
		Subject: api.WebhookSubject{Kind: kind, Id: v.SubjectID}, State: api.WebhookDeliveryState(v.State), CreatedAt: v.CreatedAt,
		Attempts: items(v.Attempts, func(a webhook.Attempt) api.WebhookAttempt {
			attempt := api.WebhookAttempt{
				At: a.At, Outcome: api.WebhookOutcome(a.Outcome), DurationMs: int32(a.DurationMS), Answer: a.Answer, //nolint:gosec // seconds
			}
			if a.Status != 0 {
				attempt.Status = new(int32(a.Status)) //nolint:gosec // three digits
			}
			return attempt
		}),
	}
	if v.State == webhook.Waiting {
		shown.NextAttemptAt = &v.NextAt
	}
	return shown
}
