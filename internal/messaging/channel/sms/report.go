package sms

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/channel"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
)

// tolerance is how far a report's timestamp may be from now.
const tolerance = 5 * time.Minute

// Signed is a report as it arrived: what its signature covers, and the signature.
type Signed struct {
	ID, Timestamp, Signature string
	Body                     []byte
}

// Report is what the gateway says of one message.
type Report struct {
	DeliveryID uuid.UUID
	Delivered  bool
	// Reason is why it was not delivered, in the gateway's words.
	Reason string
}

// Reports takes the reports of the gateway.
type Reports struct {
	runner   *operation.Runner
	reporter channel.Reporter
	webhook  *standardwebhooks.Webhook // nil without a key
}

// NewReports returns what takes reports that are signed with the key (whsec_ and base64). With an
// empty key it refuses all.
func NewReports(runner *operation.Runner, reporter channel.Reporter, key secret.Text) (*Reports, error) {
	r := &Reports{runner: runner, reporter: reporter}
	if key == "" {
		return r, nil
	}
	var err error
	r.webhook, err = standardwebhooks.NewWebhook(key.Reveal())
	return r, err
}

// Receive takes one report. One that is not signed, signed wrongly, or signed more than 5 minutes
// from now is fault.Unauthenticated; one about a message that is not known is fault.NotFound. A
// report that comes twice is no error.
func (r *Reports) Receive(ctx context.Context, s Signed, report Report) error {
	if !r.genuine(s) {
		return fault.Because(fault.Unauthenticated, "signature-invalid")
	}
	replay := func(context.Context, string) (struct{}, error) { return struct{}{}, nil }
	_, err := operation.Do(ctx, r.runner, access.Actor{}, report.DeliveryID.String(), func(
		ctx context.Context, trace *operation.Trace,
	) (struct{}, error) {
		trace.SubjectKind = "delivery"
		return struct{}{}, r.reporter.Report(ctx, outbox.Report{
			Channel: outbox.SMS, DeliveryID: report.DeliveryID, Delivered: report.Delivered, Reason: channel.Impersonal(report.Reason),
		})
	}, replay)
	return err
}

// genuine reports whether the gateway signed this, now. The library has the scheme; its clock is
// not ours, so the time is looked at here.
func (r *Reports) genuine(s Signed) bool {
	if r.webhook == nil || s.Body == nil {
		return false
	}
	seconds, err := strconv.ParseInt(s.Timestamp, 10, 64)
	if err != nil || seconds < 0 || r.runner.Clock.Now().Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return false
	}
	headers := http.Header{}
	headers.Set(standardwebhooks.HeaderWebhookID, s.ID)
	headers.Set(standardwebhooks.HeaderWebhookTimestamp, s.Timestamp)
	headers.Set(standardwebhooks.HeaderWebhookSignature, s.Signature)
	return r.webhook.VerifyIgnoringTimestamp(s.Body, headers) == nil
}
