package catalogue_test

import (
	"testing"

	"diresco/internal/filing/declaration/catalogue"
)

// What comes with the program meets the rules for what an administrator publishes.
func TestCatalogue_ShippedTypesMayBePublished(t *testing.T) {
	for _, dt := range all(t) {
		for _, wrong := range catalogue.Check(dt) {
			t.Errorf("%s version %d: %s %s %+v", dt.Code, dt.Version, wrong.Pointer, wrong.Code, wrong.Right)
		}
	}
}
