package taxcode_test

import (
	"testing"
	"time"

	"diresco/internal/platform/taxcode"
)

func TestTaxCode_BornOn(t *testing.T) {
	by := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for code, want := range map[string]string{
		"RSSMRA80A01H501U": "1980-01-01", "VRDLCU04A01H501S": "2004-01-01", "BNCLNE85M41H501P": "1985-08-01", "12345678903": "", "": "",
	} {
		born, known := taxcode.BornOn(code, by)
		if known != (want != "") || known && born.Format(time.DateOnly) != want {
			t.Errorf("%s: %s", code, born)
		}
	}
}
