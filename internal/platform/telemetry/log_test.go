package telemetry_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"diresco/internal/platform/secret"
	"diresco/internal/platform/telemetry"
)

func TestLog_SecretsLoggedByMistakeAreHidden(t *testing.T) {
	const value = "K7QX2M9A"
	for _, attribute := range []slog.Attr{
		slog.String("pin", value), slog.String("PIN", value), slog.String("new_pin", value), slog.String("otp", value),
		slog.String("access_token", value), slog.String("refreshToken", value), slog.String("Authorization", "Bearer "+value),
		slog.String("Set-Cookie", value), slog.String("receipt.jws", value), slog.String("worker_tax_code", value),
		slog.String("recovery_code", value), slog.String("DIRESCO_DATABASE_URL", value),
		slog.Group("token", slog.String("raw", value)), slog.Group("request", slog.String("pin", value)),
		slog.Any("headers", http.Header{"Authorization": {value}}), slog.Any("anything", secret.Text(value)),
	} {
		for _, format := range []string{"json", "text"} {
			var out bytes.Buffer
			telemetry.NewLogger(&out, format, slog.LevelInfo).Info("something", attribute)
			if strings.Contains(out.String(), value) {
				t.Errorf("%s: %s", format, out.String())
			}
			out.Reset()
			telemetry.NewLogger(&out, format, slog.LevelInfo).With(attribute).WithGroup("g").Info("something", attribute)
			if strings.Contains(out.String(), value) {
				t.Errorf("%s, with: %s", format, out.String())
			}
		}
	}
}

func TestLog_WhatIsNoSecretIsLogged(t *testing.T) {
	var out bytes.Buffer
	log := telemetry.NewLogger(&out, "json", slog.LevelInfo)
	log.Debug("too fine")
	log.Info(
		"request", "route", "/v1/me/pin/rotations", "status", 401, "fault", "pin-locked", "office_code", "7000", "pin_change_required",
		true, "spin", "x",
	)
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("one JSON line was expected: %v in %s", err, out.String())
	}
	for key, want := range map[string]any{
		"msg": "request", "level": "INFO", "route": "/v1/me/pin/rotations", "status": 401.0, "fault": "pin-locked",
		"office_code": "7000", "pin_change_required": true, "spin": "x",
	} {
		if line[key] != want {
			t.Errorf("%s: %v, want %v", key, line[key], want)
		}
	}
}
