package config

import (
	"encoding/base64"
	"errors"
	"os"
	"regexp"
	"strings"

	"diresco/internal/platform/egress"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/smtpurl"
)

var smsSender = regexp.MustCompile(`^([A-Za-z0-9]{1,11}|\+[1-9][0-9]{6,14})$`)

// checkChannels looks at the variables of the channels by which messages leave.
func (c *Config) checkChannels() []error {
	var wrong []error
	check := func(name string, right bool) {
		if !right {
			wrong = append(wrong, mustBe(name))
		}
	}
	check("SMTP_URL", c.SMTPURL == "" || isSMTP(c.SMTPURL))
	check("PEC_SMTP_URL", c.PECSMTPURL == "" || isSMTP(c.PECSMTPURL))
	check("PEC_SPOOL_DIR", c.PECSpoolDir == "" || isDirectory(c.PECSpoolDir))
	check("PEC_CA", c.PECCA == "" || isFile(c.PECCA))
	check("SMS_GATEWAY_URL", c.SMSGatewayURL == "" || isGateway(c.SMSGatewayURL))
	check("SMS_GATEWAY_TOKEN", !strings.ContainsFunc(c.SMSGatewayToken.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }))
	check("SMS_SENDER", c.SMSSender == "" || smsSender.MatchString(c.SMSSender))
	check("SMS_REPORT_SECRET", c.SMSReportSecret == "" || isWebhookSecret(c.SMSReportSecret))
	if (c.SMSGatewayURL == "") != (c.SMSGatewayToken == "") {
		wrong = append(wrong, errors.New("DIRESCO_SMS_GATEWAY_URL and DIRESCO_SMS_GATEWAY_TOKEN: set both or neither"))
	}
	return wrong
}

func isSMTP(raw secret.Text) bool {
	_, err := smtpurl.Parse(raw)
	return err == nil
}

func isGateway(raw string) bool {
	_, err := egress.CheckURL(raw)
	return err == nil
}

func isDirectory(path string) bool {
	entries, err := os.Open(path) //nolint:gosec // the administrator's own path
	if err != nil {
		return false
	}
	defer func() { _ = entries.Close() }()
	info, err := entries.Stat()
	return err == nil && info.IsDir()
}

func isWebhookSecret(raw secret.Text) bool {
	encoded, found := strings.CutPrefix(raw.Reveal(), "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	return found && err == nil && len(key) >= 24 && len(key) <= 64
}
