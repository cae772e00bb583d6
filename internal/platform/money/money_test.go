package money_test

import (
	"errors"
	"testing"

	"diresco/internal/platform/money"
)

func TestCents_AreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for text, cents := range map[string]money.Cents{
		"0.00": 0, "0.05": 5, "1850.00": 185_000, "999999999999.99": money.Most,
	} {
		got, err := money.Parse(text)
		if err != nil || got != cents || got.String() != text {
			t.Errorf("%s: %d (%s), %v", text, got, got, err)
		}
	}
	if s := money.Cents(-5).String(); s != "-0.05" {
		t.Errorf("five cents below zero: %s", s)
	}
}

func TestCents_RefuseWhatIsNoAmount(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "1", "1.", "1.0", "1.000", ".50", "01.00", "-1.00", "+1.00", "1,00", "1e2.00", "1000000000000.00", "1.0x", "١.00"} {
		if got, err := money.Parse(text); !errors.Is(err, money.ErrFormat) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}
