package fault_test

import (
	"testing"

	"diresco/internal/platform/fault"
)

func TestNearest_IsWhatWasMeant(t *testing.T) {
	known := []string{"RIOC", "RIOC-PT", "GAGI", "DURC", "submitted_from", "submitted_to", "limit"}
	for written, want := range map[string]string{
		"RIOC": "RIOC", "rioc": "RIOC", "RIOX": "RIOC", "ROIC": "RIOC", "RIO": "RIOC", "RIOCC": "RIOC", "GAG1": "GAGI",
		"submited_from": "submitted_from", "submitted-to": "submitted_to", "limits": "limit", "Limit": "limit",
		"": "", "XXXX": "", "stato": "", "RSSMRA80A01H501U": "", "é": "",
	} {
		if got := fault.Nearest(written, known); got != want {
			t.Errorf("%q: got %q, want %q", written, got, want)
		}
	}
}
