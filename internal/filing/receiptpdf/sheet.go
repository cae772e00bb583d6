package receiptpdf

import (
	"fmt"
	"strings"
	"time"

	"diresco/internal/platform/pdfa"
	"diresco/internal/platform/pdftext"
)

// Measures of the sheet, an upright A4, in millimetres.
const (
	left    = 18.0
	top     = 16.0
	width   = 210 - 2*left
	bottom  = 297 - 20.0 // nothing but the footer below
	labels  = 48.0       // width of the column of labels
	rowSize = 9.5        // in points
)

// The typefaces.
const (
	sans = pdftext.Sans
	bold = pdftext.Bold
	mono = pdftext.Mono
)

type colour [3]int

var (
	black = colour{23, 32, 42}
	grey  = colour{92, 104, 116}
	blue  = colour{0, 82, 163}
	tint  = colour{238, 243, 249}
	rule  = colour{214, 221, 228}
)

// sheet draws text from the top of the page to the bottom and then goes on
// with the next page.
type sheet struct {
	pdf *pdfa.Document
	// part is the part of the document that is being written, table its rows so far.
	part, table *pdfa.Element
}

// newSheet prepares an empty document. The only time in it is that of the
// submission.
func newSheet(protocol string, submitted time.Time, pages int) *sheet {
	pdf := pdfa.New("Ricevuta "+protocol, "it-IT", submitted)
	pdf.SetMargins(left, top, left)

	s := &sheet{pdf: pdf, part: pdf.Root()}
	pdf.SetFooterFunc(func() {
		s.font(sans, 8, grey)
		s.line(bottom + 4)
		s.text(nil, left, bottom+6, width/2, protocol)
		number := fmt.Sprintf("Pagina %d di %d", pdf.PageNo(), pages)
		s.text(nil, left+width-pdf.GetStringWidth(number), bottom+6, width/2, number)
	})
	return s
}

func (s *sheet) font(face string, points float64, c colour) {
	s.pdf.SetFont(face, "", points)
	s.pdf.SetTextColor(c[0], c[1], c[2])
}

// area fills a part of the page, which says nothing.
func (s *sheet) area(c colour, x, y, wide, high float64) {
	s.pdf.SetFillColor(c[0], c[1], c[2])
	s.pdf.Artifact(func() { s.pdf.Rect(x, y, wide, high, "F") })
}

// line draws a line over the width of the page, which says nothing.
func (s *sheet) line(y float64) {
	s.pdf.SetDrawColor(rule[0], rule[1], rule[2])
	s.pdf.SetLineWidth(0.2)
	s.pdf.Artifact(func() { s.pdf.Line(left, y, left+width, y) })
}

// need goes to the next page unless height is left on this one.
func (s *sheet) need(height float64) {
	if s.pdf.GetY()+height > bottom {
		s.pdf.AddPage()
	}
}

// lineHeight is that of the current font.
func (s *sheet) lineHeight() float64 {
	_, size := s.pdf.GetFontSize()
	return size * 1.32
}

// text writes a line of an element with its upper edge at y. It is smaller if it is wider than the
// room. Without an element it says nothing that is not said elsewhere.
func (s *sheet) text(e *pdfa.Element, x, y, room float64, str string) {
	str = pdftext.Printable(str)
	if strings.TrimSpace(str) == "" {
		return
	}
	points, _ := s.pdf.GetFontSize()
	if wide := s.pdf.GetStringWidth(strings.TrimRight(str, " ")); wide > room {
		s.pdf.SetFontSize(points * room / wide)
	}
	draw := func() {
		s.pdf.SetXY(x, y)
		s.pdf.CellFormat(room, s.lineHeight(), str, "", 0, "L", false, 0, "")
	}
	if e == nil {
		s.pdf.Artifact(draw)
	} else {
		s.pdf.In(e, draw)
	}
	s.pdf.SetFontSize(points)
}

// paragraph writes wrapped text without looking at the end of the page, and returns where it ends.
// The place of the next row stays what it was.
func (s *sheet) paragraph(e *pdfa.Element, x, y, room float64, face string, points float64, c colour, str string) float64 {
	keep := s.pdf.GetY()
	s.font(face, points, c)
	for _, line := range s.wrap(str, room) {
		s.text(e, x, y, room, line)
		y += s.lineHeight()
	}
	s.pdf.SetY(keep)
	return y
}

func (s *sheet) heading(sender, title, subtitle string) {
	y := top
	if sender != "" {
		s.font(sans, 8.5, grey)
		s.text(s.part.Add(pdfa.Paragraph), left, y, width, sender)
		y += 6
	}
	s.font(sans, 9.5, blue)
	s.text(s.part.Add(pdfa.Paragraph), left, y, width, subtitle)
	s.font(bold, 19, black)
	s.text(s.part.Add(pdfa.Title), left, y+5.5, width, title)
	s.pdf.SetY(y + 18)
}

// section begins a part, together with at least its first row.
func (s *sheet) section(title string) {
	s.need(20)
	s.part, s.table = s.pdf.Root().Add(pdfa.Section), nil
	y := s.pdf.GetY() + 5
	s.font(bold, 10.5, blue)
	s.text(s.part.Add(pdfa.Heading), left, y, width, title)
	s.pdf.SetY(y + 7)
}

// row writes a label and, beside it, its value, each on as many lines and pages as they need.
func (s *sheet) row(label, value string) {
	const gap, space = 4.0, 1.1
	if s.table == nil {
		s.table = s.part.Add(pdfa.Table)
	}
	row := s.table.Add(pdfa.Row)
	header, cell := row.Add(pdfa.RowHeader), row.Add(pdfa.Cell)
	s.font(sans, rowSize, grey)
	labelLines := s.wrap(label, labels-gap)
	s.font(sans, rowSize, black)
	valueLines := s.wrap(value, width-labels)

	s.need(s.lineHeight() + 2*space)
	s.line(s.pdf.GetY())
	s.pdf.SetY(s.pdf.GetY() + space)
	for i := range max(len(labelLines), len(valueLines)) {
		s.need(s.lineHeight())
		y := s.pdf.GetY()
		if i < len(labelLines) {
			s.font(sans, rowSize, grey)
			s.text(header, left, y, labels-gap, labelLines[i])
		}
		if i < len(valueLines) {
			s.font(sans, rowSize, black)
			s.text(cell, left+labels, y, width-labels, valueLines[i])
		}
		s.pdf.SetY(y + s.lineHeight())
	}
	s.pdf.SetY(s.pdf.GetY() + space)
}

// note writes a paragraph in small letters, all of it on one page.
func (s *sheet) note(str string) {
	s.font(sans, 8, grey)
	lines := s.wrap(str, width)
	s.need(float64(len(lines))*s.lineHeight() + 3)
	e := s.pdf.Root().Add(pdfa.Paragraph)
	s.pdf.SetY(s.paragraph(e, left, s.pdf.GetY()+3, width, sans, 8, grey, str))
}

// wrap breaks text into lines that fit the room in the current font.
func (s *sheet) wrap(str string, room float64) []string { return pdftext.Wrap(s.pdf.Fpdf, str, room) }
