package httpapi

import (
	"context"

	"diresco/api"
	"diresco/internal/messaging/channel/sms"
)

// signatureHeader is what makes an operation one for programs that sign what they send.
const signatureHeader = "Webhook-Signature"

// signedKey is where the context of such a request has the body as it was sent, which is what the signature covers.
type signedKey struct{}

// SMSReportHandlers has the operations of the section Channels.
type SMSReportHandlers struct{ Reports *sms.Reports }

// ReceiveSmsReport implements api.StrictServerInterface.
func (h SMSReportHandlers) ReceiveSmsReport(ctx context.Context, r api.ReceiveSmsReportRequestObject) (api.ReceiveSmsReportResponseObject, error) {
	body, _ := ctx.Value(signedKey{}).([]byte)
	err := h.Reports.Receive(ctx,
		sms.Signed{ID: value(r.Params.WebhookId), Timestamp: value(r.Params.WebhookTimestamp), Signature: value(r.Params.WebhookSignature), Body: body},
		sms.Report{DeliveryID: r.Body.MessageId, Delivered: r.Body.State == api.SmsReportStateDelivered, Reason: value(r.Body.Reason)})
	if err != nil {
		return nil, err
	}
	return api.ReceiveSmsReport204Response{}, nil
}
