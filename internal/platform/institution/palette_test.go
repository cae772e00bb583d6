package institution

import (
	"fmt"
	"testing"
)

// Whatever colour an institution names, text can be read on its pages.
func TestPalette_CanBeReadWithAnyColour(t *testing.T) {
	for r := 0; r < 256; r += 17 {
		for g := 0; g < 256; g += 17 {
			for b := 0; b < 256; b += 17 {
				colour := fmt.Sprintf("#%02x%02x%02x", r, g, b)
				p := Institution{Colour: colour}.Palette()
				for what, pair := range map[string][2]string{
					"a button": {p.Bar, p.BarInk}, "a button pointed at": {p.BarPressed, p.BarInk},
					"a link": {p.Link, lightGround}, "a link in the dark": {p.LinkDark, darkGround},
				} {
					if got := contrast(parseColour(pair[0]), parseColour(pair[1])); got < legible {
						t.Errorf("%s of %s: %v have a contrast of %.2f", what, colour, pair, got)
					}
				}
				if p.Bar != colour {
					t.Errorf("%s became %s", colour, p.Bar)
				}
			}
		}
	}
	if p := (Institution{}).Palette(); p.Bar != DefaultColour || p.Link != DefaultColour || p.BarInk != lightGround {
		t.Errorf("got %+v", p)
	}
	if got := contrast(parseColour("#767676"), parseColour("#ffffff")); got < 4.53 || got > 4.55 {
		t.Errorf("the grey that is known to have 4.54 has %.3f", got)
	}
	for _, wrong := range []string{"", "red", "#fff", "#12345g", "#123456;", "#1234567"} {
		if IsColour(wrong) {
			t.Errorf("%q is a colour", wrong)
		}
	}
}
