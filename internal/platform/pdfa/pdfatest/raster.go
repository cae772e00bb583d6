package pdfatest

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

const pointsPerInch = 72

// Raster draws a page in shades of grey at so many dots an inch, as a scanner would see it. The
// first page is 1. It knows what documents of ours are drawn with.
func Raster(pdf []byte, page int, dpi float64) (*image.Gray, error) {
	f, err := Open(pdf)
	if err != nil {
		return nil, err
	}
	pages := f.pages()
	if page < 1 || page > len(pages) {
		return nil, fmt.Errorf("no page %d", page)
	}
	box := f.array(f.get(f.dict(pages[page-1])["MediaBox"]))
	if box == nil {
		box = f.array(f.dict(f.catalogue(), "Pages")["MediaBox"])
	}
	if len(box) != 4 {
		return nil, errors.New("a page without measures")
	}
	scale := dpi / pointsPerInch
	r := &raster{
		File: f, resources: f.dict(pages[page-1], "Resources"), scale: scale, high: box[3].(float64) * scale,
		page: image.NewGray(image.Rect(0, 0, int(math.Ceil(box[2].(float64)*scale)), int(math.Ceil(box[3].(float64)*scale)))),
		now:  state{matrix: [6]float64{1, 0, 0, 1, 0, 0}},
	}
	draw.Draw(r.page, r.page.Bounds(), image.White, image.Point{}, draw.Src)
	for _, t := range f.content(pages[page-1]) {
		if err := r.do(t); err != nil {
			return nil, fmt.Errorf("%s: %w", t.op, err)
		}
	}
	return r.page, nil
}

type state struct {
	matrix     [6]float64
	fill, pen  uint8
	wide, size float64
	font       string
}

type raster struct {
	*File
	resources dict
	scale     float64 // dots a point
	high      float64 // dots
	page      *image.Gray
	now       state
	kept      []state
	from, to  [2]float64 // of a line
	x, y      float64    // of a text
	box       [4]float64 // of an area
}

// at returns where a place stands in the picture.
func (r *raster) at(x, y float64) (float32, float32) {
	m := r.now.matrix
	return float32((x*m[0] + y*m[2] + m[4]) * r.scale), float32(r.high - (x*m[1]+y*m[3]+m[5])*r.scale)
}

func (r *raster) do(t token) error {
	var n [6]float64
	for i := range min(len(t.operands), len(n)) {
		n[i], _ = t.operands[i].(float64)
	}
	grey := func(red, green, blue float64) uint8 {
		return color.GrayModel.Convert(color.NRGBA{uint8(red * 255), uint8(green * 255), uint8(blue * 255), 255}).(color.Gray).Y
	}
	switch t.op {
	case "q":
		r.kept = append(r.kept, r.now)
	case "Q":
		r.now, r.kept = r.kept[len(r.kept)-1], r.kept[:len(r.kept)-1]
	case "cm":
		m := r.now.matrix
		for i := range 3 {
			x, y, one := n[2*i], n[2*i+1], 0.0
			if i == 2 {
				one = 1
			}
			r.now.matrix[2*i], r.now.matrix[2*i+1] = x*m[0]+y*m[2]+one*m[4], x*m[1]+y*m[3]+one*m[5]
		}
	case "rg":
		r.now.fill = grey(n[0], n[1], n[2])
	case "g":
		r.now.fill = grey(n[0], n[0], n[0])
	case "RG":
		r.now.pen = grey(n[0], n[1], n[2])
	case "G":
		r.now.pen = grey(n[0], n[0], n[0])
	case "w":
		r.now.wide = n[0]
	case "m":
		r.from = [2]float64{n[0], n[1]}
	case "l":
		r.to = [2]float64{n[0], n[1]}
	case "S": // lines of ours are level
		r.area(r.now.pen, r.from[0], r.from[1]-r.now.wide/2, r.to[0], r.to[1]+r.now.wide/2)
	case "re":
		r.box = [4]float64{n[0], n[1], n[0] + n[2], n[1] + n[3]}
	case "f":
		r.area(r.now.fill, r.box[0], r.box[1], r.box[2], r.box[3])
	case "Td":
		r.x, r.y = n[0], n[1]
	case "Tf":
		r.now.font, r.now.size = string(t.operands[0].(name)), n[1]
	case "Tj":
		shows, _ := t.operands[0].(bytez)
		return r.text(codes(string(shows)))
	case "Do":
		return r.picture(t.operands[0].(name))
	case "BT", "ET", "BDC", "BMC", "EMC", "J", "j", "d", "Tw", "Tc":
	default:
		return errors.New("documents of ours are not drawn with it")
	}
	return nil
}

func (r *raster) area(shade uint8, left, bottom, right, top float64) {
	x0, y0 := r.at(min(left, right), max(bottom, top))
	x1, y1 := r.at(max(left, right), min(bottom, top))
	p := newPath(x0, y0, x1, y1)
	p.MoveTo(p.from(x0, y0))
	for _, corner := range [][2]float32{{x1, y0}, {x1, y1}, {x0, y1}} {
		p.LineTo(p.from(corner[0], corner[1]))
	}
	p.paint(r.page, shade)
}

// path is an outline within a part of the picture.
type path struct {
	*vector.Rasterizer
	part image.Rectangle
}

func newPath(left, top, right, bottom float32) path {
	part := image.Rect(int(left)-1, int(top)-1, int(right)+2, int(bottom)+2)
	return path{vector.NewRasterizer(part.Dx(), part.Dy()), part}
}

func (p path) from(x, y float32) (float32, float32) {
	return x - float32(p.part.Min.X), y - float32(p.part.Min.Y)
}

func (p path) paint(page *image.Gray, shade uint8) {
	p.ClosePath()
	p.Draw(page, p.part, image.NewUniform(color.Gray{shade}), image.Point{})
}

// text draws characters with the font that the document brings.
func (r *raster) text(shown []int) error {
	cid := r.dict(r.array(r.dict(r.resources, "Font", r.now.font)["DescendantFonts"])[0])
	program, _ := r.dict(cid, "FontDescriptor")["FontFile2"].(ref)
	toGlyph, _ := cid["CIDToGIDMap"].(ref)
	parsed, err := sfnt.Parse(r.streams[int(program)])
	if err != nil {
		return err
	}
	glyphs := codes(string(r.streams[int(toGlyph)]))
	const units = 1000
	var buf sfnt.Buffer
	x := r.x
	for _, code := range shown {
		glyph := sfnt.GlyphIndex(glyphs[code]) //nolint:gosec // two bytes each
		outline, err := parsed.LoadGlyph(&buf, glyph, fixed.I(units), nil)
		if err != nil {
			return err
		}
		left, top := r.at(x-r.now.size, r.y+r.now.size*1.5)
		right, bottom := r.at(x+r.now.size*1.5, r.y-r.now.size)
		z := newPath(left, top, right, bottom)
		place := func(p fixed.Point26_6) (float32, float32) {
			return z.from(r.at(x+float64(p.X)/64/units*r.now.size, r.y-float64(p.Y)/64/units*r.now.size))
		}
		for _, s := range outline {
			ax, ay := place(s.Args[0])
			bx, by := place(s.Args[1])
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				z.ClosePath()
				z.MoveTo(ax, ay)
			case sfnt.SegmentOpLineTo:
				z.LineTo(ax, ay)
			case sfnt.SegmentOpQuadTo:
				z.QuadTo(ax, ay, bx, by)
			case sfnt.SegmentOpCubeTo:
				return errors.New("a curve that TrueType has not got")
			}
		}
		z.paint(r.page, r.now.fill)
		wide, err := parsed.GlyphAdvance(&buf, glyph, fixed.I(units), 0)
		if err != nil {
			return err
		}
		x += float64(wide) / 64 / units * r.now.size
	}
	return nil
}

// picture draws one of black and white into the unit square.
func (r *raster) picture(named name) error {
	number, _ := r.dict(r.resources, "XObject")[string(named)].(ref)
	d := r.dict(number)
	wide, high := d["Width"].(float64), d["Height"].(float64)
	predictor, _ := r.dict(d["DecodeParms"])["Predictor"].(float64)
	if d["Subtype"] != name("Image") || d["ColorSpace"] != name("DeviceGray") || d["BitsPerComponent"] != 1.0 || predictor < 10 {
		return fmt.Errorf("a picture is %v", d)
	}
	rows, err := unfilter(r.streams[int(number)], (int(wide)+7)/8)
	if err != nil || len(rows) < int(high) {
		return fmt.Errorf("%d rows: %w", len(rows), err)
	}
	left, bottom := r.at(0, 0)
	right, top := r.at(1, 1)
	const parts = 4 // of a dot, each way
	for y := int(top); y <= int(bottom); y++ {
		for x := int(left); x <= int(right); x++ {
			sum, there := 0, 0
			for i := range parts * parts {
				u := (float64(x) + (float64(i%parts)+0.5)/parts - float64(left)) / float64(right-left) * wide
				v := (float64(y) + (float64(i/parts)+0.5)/parts - float64(top)) / float64(bottom-top) * high
				if u < 0 || v < 0 || u >= wide || v >= high {
					continue
				}
				there++
				sum += int(rows[int(v)][int(u)/8] >> (7 - int(u)%8) & 1)
			}
			if there > 0 {
				paper := int(r.page.GrayAt(x, y).Y) * (parts*parts - there)
				r.page.SetGray(x, y, color.Gray{uint8((sum*255 + paper) / (parts * parts))}) //nolint:gosec // 255 at most
			}
		}
	}
	return nil
}

// unfilter takes away what PNG does to rows so that they pack better.
func unfilter(b []byte, wide int) ([][]byte, error) {
	var rows [][]byte
	above := make([]byte, wide)
	for ; len(b) > wide; b = b[wide+1:] {
		row := b[1 : wide+1]
		for i := range row {
			switch b[0] {
			case 0:
			case 1:
				if i > 0 {
					row[i] += row[i-1]
				}
			case 2:
				row[i] += above[i]
			default:
				return nil, fmt.Errorf("a row of the kind %d", b[0])
			}
		}
		rows, above = append(rows, row), row
	}
	return rows, nil
}
