package delegationpdf

import (
	"fmt"
	"strings"

	"diresco/internal/platform/pdfa"
	"diresco/internal/platform/pdftext"
)

// Measures of a page, an upright A4, in millimetres.
const (
	left   = 20.0
	top    = 18.0
	width  = 210 - 2*left
	labels = 50.0         // width of the column of labels
	bottom = 297 - 24.0   // nothing but the footer below
	foot   = bottom + 5.0 // where the footer stands
	line   = 0.47         // height of a line of one point
)

// Sizes of type, in points.
const (
	body  = 9.5
	small = 8.5
)

// sheet writes from the top of the page to the bottom and goes on with the next one.
type sheet struct {
	*pdfa.Document
	// part is the part of the form that is being written, table its rows so far.
	part, table *pdfa.Element
	reference   string
	// page is that of the form, of all of which there are pages.
	page, pages int
}

// begin starts a form on a page of its own.
func (s *sheet) begin(reference string, pages int) {
	s.reference, s.page, s.pages, s.part, s.table = reference, 0, pages, s.Root().Add(pdfa.Section), nil
	s.next()
}

func (s *sheet) next() {
	s.AddPage()
	s.page++
	s.SetY(foot)
	s.line(nil, pdftext.Sans, small, left, fmt.Sprintf("Delega %s – Pagina %d di %d", s.reference, s.page, s.pages))
	s.SetY(top)
}

// need goes to the next page unless the height is left on this one.
func (s *sheet) need(height float64) {
	if s.GetY()+height > bottom {
		s.next()
	}
}

func (s *sheet) gap(height float64) { s.SetY(s.GetY() + height) }

// line writes one line of an element and goes below it. Without an element it says nothing that is
// not said elsewhere.
func (s *sheet) line(e *pdfa.Element, face string, size, x float64, text string) {
	s.SetFont(face, "", size)
	y := s.GetY()
	if text = pdftext.Printable(text); strings.TrimSpace(text) != "" {
		draw := func() {
			s.SetXY(x, y)
			s.CellFormat(0, size*line, text, "", 0, "L", false, 0, "")
		}
		if e == nil {
			s.Artifact(draw)
		} else {
			s.In(e, draw)
		}
	}
	s.SetY(y + size*line)
}

// rule draws a line, which says nothing.
func (s *sheet) rule(x, y, length float64) {
	s.SetLineWidth(0.2)
	s.Artifact(func() { s.Line(x, y, x+length, y) })
}

// section begins a part, together with what comes first in it.
func (s *sheet) section(title string) {
	s.gap(4)
	s.need(18)
	s.table = nil
	s.line(s.part.Add(pdfa.Heading), pdftext.Bold, 10.5, left, title)
	s.gap(1)
}

// cells begins a row with its two cells, of the label and of the value.
func (s *sheet) cells() (label, value *pdfa.Element) {
	if s.table == nil {
		s.table = s.part.Add(pdfa.Table)
	}
	row := s.table.Add(pdfa.Row)
	return row.Add(pdfa.RowHeader), row.Add(pdfa.Cell)
}

// row writes a label and, beside it, its value, on as many lines and pages as they need.
func (s *sheet) row(label, value string) {
	labelCell, valueCell := s.cells()
	s.SetFont(pdftext.Sans, "", body)
	labelLines, valueLines := pdftext.Wrap(s.Document.Fpdf, label, labels-3), pdftext.Wrap(s.Document.Fpdf, value, width-labels)
	for i := range max(len(labelLines), len(valueLines)) {
		s.need(body * line)
		y := s.GetY()
		if i < len(labelLines) {
			s.line(labelCell, pdftext.Sans, body, left, labelLines[i])
		}
		s.SetY(y)
		if i < len(valueLines) {
			s.line(valueCell, pdftext.Sans, body, left+labels, valueLines[i])
		}
		s.SetY(y + body*line)
	}
	s.gap(0.8)
}

// blank writes a label and, beside it, a line to be written on by hand.
func (s *sheet) blank(label string) {
	const height = 10.0
	s.need(height)
	end := s.GetY() + height
	s.rule(left+labels, end-1.5, width-labels)
	cell, _ := s.cells()
	s.SetFont(pdftext.Sans, "", small)
	lines := pdftext.Wrap(s.Document.Fpdf, label, labels-3)
	s.SetY(end - 1.5 - float64(len(lines))*small*line)
	for _, l := range lines {
		s.line(cell, pdftext.Sans, small, left, l)
	}
	s.SetY(end)
}

func (s *sheet) paragraph(size float64, text string) {
	s.SetFont(pdftext.Sans, "", size)
	e := s.part.Add(pdfa.Paragraph)
	for _, l := range pdftext.Wrap(s.Document.Fpdf, text, width) {
		s.need(size * line)
		s.line(e, pdftext.Sans, size, left, l)
	}
}

// signature leaves room for place, date and signature, all on one page.
func (s *sheet) signature(name string) {
	const height, half = 24.0, width/2 - 6
	s.gap(4)
	s.need(height)
	y := s.GetY() + 14
	for i, label := range []string{"Luogo e data", "Firma del delegante (" + name + ")"} {
		x := left + float64(i)*(width/2+6)
		s.rule(x, y, half)
		e := s.part.Add(pdfa.Paragraph)
		s.SetFont(pdftext.Sans, "", small)
		s.SetY(y + 1)
		for _, l := range pdftext.Wrap(s.Document.Fpdf, label, half) {
			s.line(e, pdftext.Sans, small, x, l)
		}
	}
}
