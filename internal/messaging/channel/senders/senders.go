// Package senders makes the channels that the configuration describes.
package senders

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"gocloud.dev/blob"

	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/channel"
	"diresco/internal/messaging/channel/letter"
	"diresco/internal/messaging/channel/mail"
	"diresco/internal/messaging/channel/pec"
	"diresco/internal/messaging/channel/sms"
	"diresco/internal/platform/config"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/smtpurl"
)

// New returns the configured channels. One that is not configured is not there; letters always are,
// in the bucket.
func New(c config.Config, bucket *blob.Bucket) (map[outbox.Channel]channel.Sender, error) {
	all := map[outbox.Channel]channel.Sender{outbox.Letter: letter.NewSender(bucket)}
	for by, raw := range map[outbox.Channel]secret.Text{outbox.Email: c.SMTPURL, outbox.PEC: c.PECSMTPURL} {
		if raw == "" {
			continue
		}
		server, err := smtpurl.Parse(raw)
		if err != nil {
			return nil, fmt.Errorf("channel %s: %w", by, err)
		}
		all[by] = mail.NewSender(mail.Config{Server: server, Channel: by})
	}
	if c.SMSGatewayURL != "" {
		gateway, err := sms.NewSender(sms.Config{URL: c.SMSGatewayURL, Token: c.SMSGatewayToken, From: c.SMSSender})
		if err != nil {
			return nil, err
		}
		all[outbox.SMS] = gateway
	}
	return all, nil
}

// Spool returns the folder of the PEC provider's receipts, or nil when none is configured.
func Spool(c config.Config, reporter channel.Reporter, log *slog.Logger) (*pec.Spool, error) {
	if c.PECSpoolDir == "" {
		return nil, nil
	}
	var roots *x509.CertPool
	if c.PECCA == "" {
		log.Warn("DIRESCO_PEC_CA is not set: the signatures of PEC receipts are not verified")
	} else {
		certificates, err := os.ReadFile(c.PECCA)
		if err != nil {
			return nil, fmt.Errorf("authorities of PEC: %w", err)
		}
		if roots = x509.NewCertPool(); !roots.AppendCertsFromPEM(certificates) {
			return nil, errors.New("authorities of PEC: no certificate in the file")
		}
	}
	return pec.NewSpool(c.PECSpoolDir, reporter, roots, log), nil
}
