package edge

import (
	"net/http"
	"testing"

	"diresco/internal/platform/fault"
)

// A gateway has much to say from one address: its reports are not counted as what anybody sends
// from there.
func TestEdge_ReportsAreCountedByThemselves(t *testing.T) {
	w := newWorld(t, rates(30, 10))
	report := ask{method: http.MethodPost, path: "/v1/sms-reports", body: `{"state":"lost"}`}
	for i := range 30 {
		if answer := w.do(report); answer.Code != http.StatusUnprocessableEntity {
			t.Fatalf("report %d: %d", i, answer.Code)
		}
	}
	w.problem(w.do(report), http.StatusTooManyRequests, fault.RateLimited)
	if answer := w.do(ask{method: http.MethodGet, path: "/v1/status"}); answer.Code != http.StatusOK {
		t.Errorf("others are counted with them: %d", answer.Code)
	}
}
