package main

import (
	"bytes"
	"image/color"
	"io"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	canvas "gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

const (
	width       = 20 * vg.Centimeter
	panelHeight = 8 * vg.Centimeter
	// keyLine is the height of a line that says which work a colour is.
	keyLine = 0.55 * vg.Centimeter
	margin  = 0.3 * vg.Centimeter
)

// colours can be told apart by those who see few of them; marks differ too.
var (
	colours = []color.Color{
		color.RGBA{0x00, 0x72, 0xB2, 0xFF},
		color.RGBA{0xD5, 0x5E, 0x00, 0xFF},
		color.RGBA{0x00, 0x9E, 0x73, 0xFF},
		color.RGBA{0xCC, 0x79, 0xA7, 0xFF},
		color.RGBA{0x56, 0x56, 0x56, 0xFF},
	}
	marks = []canvas.GlyphDrawer{
		canvas.CircleGlyph{}, canvas.BoxGlyph{}, canvas.PyramidGlyph{}, canvas.RingGlyph{}, canvas.CrossGlyph{},
	}
	grey = color.Gray{0xDD}
)

// draw draws two panels side by side: the rate, and the p99.
func draw(w io.Writer, c curve) error {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	works := c.works()
	rate, wait := newPanel(c, "requests a second"), newPanel(c, "p99, ms")
	key := plot.NewLegend()
	key.Left, key.Top, key.ThumbnailWidth = true, true, vg.Centimeter
	key.TextStyle.Font.Size = 10
	key.YPosition = canvas.PosCenter
	key.Padding = 3
	for i, work := range works {
		line, err := addLine(rate, c.of(work), i, func(p point) float64 { return p.Rate })
		if err != nil {
			return err
		}
		if _, err := addLine(wait, c.of(work), i, func(p point) float64 { return p.P99 }); err != nil {
			return err
		}
		key.Add(work, line...)
	}
	rate.Y.Min = 0
	rate.Y.Max *= 1.05
	rate.Y.Tick.Marker = thousands{}
	logarithmic(wait)

	height := panelHeight + keyLine*vg.Length(len(works)) + 3*margin
	svg := vgsvg.New(width, height)
	all := canvas.New(svg)
	all.SetColor(color.White)
	all.Fill(all.Rectangle.Path())
	all = canvas.Crop(all, margin, -margin, margin, -margin)
	panels := canvas.Crop(all, 0, 0, 0, -(height - 2*margin - panelHeight))
	tiles := canvas.Tiles{Rows: 1, Cols: 2, PadX: 0.8 * vg.Centimeter}
	for i, column := range plot.Align([][]*plot.Plot{{rate, wait}}, tiles, panels)[0] {
		[]*plot.Plot{rate, wait}[i].Draw(column)
	}
	key.Draw(canvas.Crop(all, 0, 0, panelHeight+margin, 0))
	var drawn bytes.Buffer
	if _, err := svg.WriteTo(&drawn); err != nil {
		return err
	}
	_, err := w.Write(bytes.ReplaceAll(drawn.Bytes(), []byte("font-family:Liberation Sans;"), []byte(fonts)))
	return err
}

// fonts name others for readers who do not have the one by which was measured.
const fonts = "font-family:'Liberation Sans',Arial,Helvetica,sans-serif;"

// newPanel is a panel in which the places of the curve are the ticks.
func newPanel(c curve, what string) *plot.Plot {
	p := plot.New()
	p.Title.Text = what
	p.Title.TextStyle.Font.Size = 11
	p.X.Label.Text = c.Along
	p.X.Scale = plot.LogScale{}
	p.X.Tick.Marker = plot.ConstantTicks(c.ticks())
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font.Size = 10
		axis.Tick.Label.Font.Size = 9
		axis.Padding = 2
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = grey, grey
	p.Add(grid)
	return p
}

// logarithmic gives a panel whole decades.
func logarithmic(p *plot.Plot) {
	p.Y.Min = math.Pow(10, math.Floor(math.Log10(p.Y.Min)))
	p.Y.Max = math.Pow(10, math.Ceil(math.Log10(p.Y.Max)))
	if p.Y.Max <= p.Y.Min {
		p.Y.Max = 10 * p.Y.Min
	}
	p.Y.Scale = plot.LogScale{}
	p.Y.Tick.Marker = decades{}
}

// decades has a label at each power of ten, and lines in between.
type decades struct{}

// Ticks implements plot.Ticker.
func (decades) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for decade := low; decade <= high*1.0001; decade *= 10 {
		ticks = append(ticks, plot.Tick{Value: decade, Label: strconv.FormatFloat(decade, 'g', 6, 64)})
		for n := 2.0; n < 10 && decade*n < high; n++ {
			ticks = append(ticks, plot.Tick{Value: decade * n})
		}
	}
	return ticks
}

// thousands groups the digits of the usual labels.
type thousands struct{ plot.DefaultTicks }

// Ticks implements plot.Ticker.
func (t thousands) Ticks(low, high float64) []plot.Tick {
	ticks := t.DefaultTicks.Ticks(low, high)
	for i := range ticks {
		if ticks[i].Label != "" && ticks[i].Value == math.Trunc(ticks[i].Value) {
			ticks[i].Label = grouped(ticks[i].Value)
		}
	}
	return ticks
}

// addLine adds a work's points to a panel.
func addLine(p *plot.Plot, points []point, i int, value func(point) float64) ([]plot.Thumbnailer, error) {
	var places plotter.XYs
	for _, one := range points {
		places = append(places, plotter.XY{X: one.At, Y: value(one)})
	}
	line, dots, err := plotter.NewLinePoints(places)
	if err != nil {
		return nil, err
	}
	line.Color, line.Width = colours[i%len(colours)], 1.5
	dots.Color, dots.Shape, dots.Radius = line.Color, marks[i%len(marks)], 3
	p.Add(line, dots)
	return []plot.Thumbnailer{line, dots}, nil
}

// works are those of a curve, in the order of the data.
func (c curve) works() []string {
	var works []string
	for _, p := range c.Points {
		if !slices.Contains(works, p.Work) {
			works = append(works, p.Work)
		}
	}
	return works
}

// of are the points of a work from left to right.
func (c curve) of(work string) []point {
	points := slices.DeleteFunc(slices.Clone(c.Points), func(p point) bool { return p.Work != work })
	slices.SortFunc(points, func(a, b point) int { return int(math.Copysign(1, a.At-b.At)) })
	return points
}

// ticks are the places at which was measured.
func (c curve) ticks() []plot.Tick {
	var places []float64
	for _, p := range c.Points {
		if !slices.Contains(places, p.At) {
			places = append(places, p.At)
		}
	}
	slices.Sort(places)
	var ticks []plot.Tick
	for _, at := range places {
		ticks = append(ticks, plot.Tick{Value: at, Label: grouped(at)})
	}
	return ticks
}

// grouped writes a whole number in groups of three digits.
func grouped(at float64) string {
	digits := strconv.FormatFloat(at, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
