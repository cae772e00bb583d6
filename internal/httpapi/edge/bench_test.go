package edge

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const benchBody = `{"type":"RIOC","position_id":"018f3a12-0b2c-7d4e-9f50-6b7c8d9e0f1a","content":{"worker_tax_code":"BNCLRA75D52F205V",` +
	`"mandatory_communication_code":"1700026000123456","average_monthly_pay":"1850.00","currency":"EUR","part_time_percentage":60,"employer_contribution_rate":"28.98"},"submit":true}`

// nowhere takes an answer.
type nowhere struct{ h http.Header }

func (n *nowhere) Header() http.Header         { return n.h }
func (n *nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n *nowhere) WriteHeader(int)             {}

// bench measures what the edge itself costs, with a handler that does nothing.
func bench(b *testing.B, method, path, body string) {
	w := newWorld(b, func(c *Config) { c.PersonRate = 1_000_000_000 })
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer live")
		r.Header.Set("Accept", "application/json")
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Idempotency-Key", "018f3b20-2d4e-7f60-9b72-8d9e0f1a2b3c")
		}
		w.http.ServeHTTP(&nowhere{http.Header{}}, r)
	}
}

func BenchmarkRead(b *testing.B) {
	bench(b, http.MethodGet, "/v1/declarations/"+aDeclaration.String(), "")
}

func BenchmarkDraft(b *testing.B) { bench(b, http.MethodPost, draftPath, benchBody) }

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		newWorld(b)
	}
}
