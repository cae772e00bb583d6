package telemetry

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
)

// hidden are the names under which a secret or a person's code could be logged by mistake. Secrets
// are of a type that does not print; this is the second line of defence.
var hidden = []string{
	"pin", "otp", "token", "jws", "jwt", "authorization", "cookie", "password", "secret", "credentials", "private_key",
	"data_keys", "recovery_code", "tax_code", "dsn", "database_url",
}

// NewLogger returns a logger that writes to w, as JSON lines or, with format "text", as key=value
// lines. Attributes whose name is that of a secret are replaced by a placeholder, also inside
// groups.
func NewLogger(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: redact}
	if format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

func redact(groups []string, a slog.Attr) slog.Attr {
	const placeholder = "[redacted]"
	if isHidden(a.Key) {
		return slog.String(a.Key, placeholder)
	}
	for _, group := range groups {
		if isHidden(group) {
			return slog.String(a.Key, placeholder)
		}
	}
	if a.Value.Kind() == slog.KindAny {
		switch a.Value.Any().(type) {
		case http.Header, *http.Request:
			return slog.String(a.Key, placeholder)
		}
	}
	return a
}

// isHidden tells whether the name is one of the hidden ones, or ends in one: worker_tax_code,
// refreshToken.
func isHidden(key string) bool {
	name := snake(key)
	for _, h := range hidden {
		if name == h || (strings.HasSuffix(name, h) && name[len(name)-len(h)-1] == '_') {
			return true
		}
	}
	return false
}

// snake gives camelCase and Header-Case names one form.
func snake(key string) string {
	var b strings.Builder
	lower := false
	for _, r := range key {
		upper := r >= 'A' && r <= 'Z'
		if upper && lower {
			b.WriteByte('_')
		}
		lower = r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
		switch {
		case upper:
			b.WriteRune(r + 'a' - 'A')
		case r == '-' || r == '.' || r == ' ':
			b.WriteByte('_')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
