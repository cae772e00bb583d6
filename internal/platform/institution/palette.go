package institution

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
)

// DefaultColour is that of pages whose institution names none.
const DefaultColour = "#0050a0"

// legible is the least contrast between text and what it stands on (WCAG 2.1, 1.4.3).
const legible = 4.5

var colourForm = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// IsColour reports whether a text is a colour as #rrggbb.
func IsColour(text string) bool { return colourForm.MatchString(text) }

// Palette is what pages are drawn with. All of it follows from one colour, and whatever that is,
// text can be read.
type Palette struct {
	// Bar is the ground of the bar and of buttons, BarPressed of a button that is pointed at, BarInk
	// what is written on both.
	Bar, BarPressed, BarInk string
	// Link is the colour of links on a light ground, LinkDark on a dark one.
	Link, LinkDark string
}

// Grounds of pages; style.css has the same.
const (
	lightGround = "#ffffff"
	darkGround  = "#1d2934"
)

// Palette returns what the institution's pages are drawn with.
func (i Institution) Palette() Palette {
	colour := i.Colour
	if !IsColour(colour) {
		colour = DefaultColour
	}
	bar := parseColour(colour)
	white, black := parseColour(lightGround), rgb{}
	ink, away := white, black
	if contrast(bar, white) < legible {
		ink, away = black, white
	}
	return Palette{
		Bar: bar.String(), BarPressed: bar.towards(away, 0.25).String(), BarInk: ink.String(),
		Link: bar.until(black, white).String(), LinkDark: bar.until(white, parseColour(darkGround)).String(),
	}
}

// rgb is a colour, each part from 0 to 1.
type rgb [3]float64

func parseColour(text string) (c rgb) {
	for i := range c {
		part, err := strconv.ParseUint(text[1+2*i:3+2*i], 16, 8)
		if err != nil {
			return rgb{}
		}
		c[i] = float64(part) / 255
	}
	return c
}

// String returns the colour as #rrggbb.
func (c rgb) String() string {
	return fmt.Sprintf("#%02x%02x%02x", int(math.Round(c[0]*255)), int(math.Round(c[1]*255)), int(math.Round(c[2]*255)))
}

// towards mixes so much of another colour in.
func (c rgb) towards(other rgb, share float64) rgb {
	for i := range c {
		c[i] += (other[i] - c[i]) * share
	}
	return c
}

// until mixes as much of another colour in as it takes to be read on the ground.
func (c rgb) until(other, ground rgb) rgb {
	const steps = 20
	mixed := c
	for step := 1; step <= steps && contrast(mixed, ground) < legible+0.1; step++ {
		mixed = c.towards(other, float64(step)/steps)
	}
	return mixed
}

// contrast is the ratio of two colours' luminances, from 1 to 21 (WCAG 2.1).
func contrast(a, b rgb) float64 {
	lighter, darker := a.luminance(), b.luminance()
	if lighter < darker {
		lighter, darker = darker, lighter
	}
	return (lighter + 0.05) / (darker + 0.05)
}

func (c rgb) luminance() float64 {
	for i, part := range c {
		if part <= 0.04045 {
			c[i] = part / 12.92
		} else {
			c[i] = math.Pow((part+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2]
}
