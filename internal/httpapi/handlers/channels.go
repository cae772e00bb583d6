package handlers

import (
	"context"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/messaging/channel/sms"
)

// SMSReportHandlers has the operations of the section Channels.
type SMSReportHandlers struct{ Reports *sms.Reports }

// ReceiveSmsReport implements api.StrictServerInterface.
func (h SMSReportHandlers) ReceiveSmsReport(
	ctx context.Context, r api.ReceiveSmsReportRequestObject,
) (api.ReceiveSmsReportResponseObject, error) {
	err := h.Reports.Receive(ctx,
		sms.Signed{
			ID: value(r.Params.WebhookId), Timestamp: value(r.Params.WebhookTimestamp), Signature: value(r.Params.WebhookSignature),
			Body: reqctx.SignedBodyOf(ctx),
		},
		sms.Report{DeliveryID: r.Body.MessageId, Delivered: r.Body.State == api.SmsReportStateDelivered, Reason: value(r.Body.Reason)})
	if err != nil {
		return nil, err
	}
	return api.ReceiveSmsReport204Response{}, nil
}
