package money_test

import (
	"testing"

	"diresco/internal/platform/money"
)

// FuzzParse looks whether two texts are one amount.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"0.00", "1850.00", "01.00", "1.0", "-1.00", "999999999999.99", "1e2.00", "１.00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := money.Parse(text); err == nil && (c < 0 || c.String() != text) {
			t.Errorf("%q is %s", text, c)
		}
	})
}
