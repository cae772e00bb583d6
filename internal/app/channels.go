package app

import (
	"context"
	"time"

	"diresco/internal/kernel/operation"
	"diresco/internal/messaging/channel/senders"
	"diresco/internal/messaging/channel/sms"
)

// spoolEvery is how often the receipts of the PEC provider are read.
const spoolEvery = 5 * time.Second

// hearChannels makes what takes the channels' word about messages that they took: the reports of the SMS gateway, and the
// receipts of the PEC provider, which it begins to read.
func (a *App) hearChannels(runner *operation.Runner, p parts) (*sms.Reports, error) {
	log := p.options.Log
	if spool := senders.Spool(p.config, a.messages, log); spool != nil && !p.options.Sandbox {
		a.repeat(spoolEvery, func(ctx context.Context) {
			if err := spool.Read(ctx); err != nil && ctx.Err() == nil {
				log.Warn("PEC receipts not read", "error", err)
			}
		})
	}
	return sms.NewReports(runner, a.messages, p.config.SMSReportSecret)
}
