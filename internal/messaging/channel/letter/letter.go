// Package letter draws letters and puts them where the print house fetches them.
package letter

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"diresco/internal/messaging/channel"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/pdfa"
	"diresco/internal/platform/pdftext"
)

// Measures of a letter, an upright A4, in millimetres. The address stands in the window of an
// Italian envelope C5/6: on the right, 110 mm from the left edge, 45 to 75 mm from the upper one.
const (
	left         = 25.0
	width        = 210 - 2*left
	windowLeft   = 110.0
	windowTop    = 45.0
	windowBottom = 75.0
	windowWidth  = 210 - windowLeft - 15
	belowWindow  = 95.0
	nextTop      = 25.0 // of the pages after the first
	bottom       = 297 - 30.0
	footer       = 297 - 18.0
)

// Sizes of type, in points. An address that needs more lines gets a smaller one, down to what a
// sorting machine reads.
const (
	bodySize      = 10.5
	returnSize    = 7.0
	addressSize   = 11.0
	codeSize      = 18.0
	smallestSize  = 7.5
	leading       = 1.35
	tight         = 1.15 // leading in the window
	pointsPerInch = 72
	mmPerInch     = 25.4
)

// service is the line at the head of the letter, and above the address where no institution is
// named.
const service = "DiResCo – Dichiarazioni di responsabilità del contribuente"

// noAddress is the reason of a refusal: what stands there is no address, or one that no window
// holds.
const noAddress = "malformed-address"

// Render draws a message as a letter. The same message gives the same bytes. It returns
// *channel.Refused for a message whose address does not fit into the window.
func Render(m channel.Outgoing) ([]byte, error) {
	pdf, _, err := render(m)
	return pdf, err
}

// render also returns the number of pages.
func render(m channel.Outgoing) ([]byte, int, error) {
	// The first drawing only counts the pages.
	draft, err := draw(m, 0)
	if err != nil {
		return nil, 0, err
	}
	pages := draft.PageCount()
	final, err := draw(m, pages)
	if err != nil {
		return nil, 0, err
	}
	var out bytes.Buffer
	if err := final.Output(&out); err != nil {
		return nil, 0, fmt.Errorf("drawing the letter: %w", err)
	}
	return out.Bytes(), pages, nil
}

func draw(m channel.Outgoing, pages int) (*pdfa.Document, error) {
	lang := "it-IT"
	if m.Locale == english {
		lang = "en-GB"
	}
	s := &sheet{pdfa.New(m.Subject, lang, m.CreatedAt)}
	s.SetMargins(left, nextTop, left)
	s.SetFooterFunc(func() { s.footer(m.Locale, m.ID.String(), pages) })
	s.AddPage()
	s.line(s.Root().Add(pdfa.Paragraph), pdftext.Bold, bodySize, left, 20, service)
	if err := s.address(m); err != nil {
		return nil, err
	}
	s.line(s.Root().Add(pdfa.Paragraph), pdftext.Sans, bodySize, left, belowWindow, date(m))
	s.SetY(belowWindow + 2*height(bodySize))
	s.paragraph(s.Root().Add(pdfa.Title), pdftext.Bold, subject(m))
	s.SetY(s.GetY() + height(bodySize)/2)
	for i, paragraph := range paragraphs(m.Text) {
		if i > 0 {
			s.SetY(s.GetY() + height(bodySize))
		}
		if groups := channel.CodeGroups(paragraph); groups != nil {
			s.code(groups)
		} else {
			s.paragraph(s.Root().Add(pdfa.Paragraph), pdftext.Sans, paragraph)
		}
	}
	return s.Document, nil
}

// paragraphs are the parts of a text between empty lines.
func paragraphs(text string) []string {
	var all []string
	for p := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		if p = strings.Trim(p, "\n"); p != "" {
			all = append(all, p)
		}
	}
	return all
}

// sheet is a letter while it is written.
type sheet struct{ *pdfa.Document }

// code writes a code large, in groups that are copied as one word.
func (s *sheet) code(groups []string) {
	y := s.GetY()
	if y+height(codeSize) > bottom {
		s.AddPage()
		y = nextTop
	}
	e := s.Root().Add(pdfa.Paragraph).AddWord(strings.Join(groups, ""))
	s.SetFont(pdftext.Mono, "", codeSize)
	group := s.GetStringWidth("0000") + s.GetStringWidth("0")*0.6
	x := left
	for _, part := range groups {
		s.line(e, pdftext.Mono, codeSize, x, y, part)
		x += group
	}
	s.SetY(y + height(codeSize))
}

// address writes the line of the sender and the recipient's lines into the window.
func (s *sheet) address(m channel.Outgoing) error {
	sender := service
	if m.Sender != "" {
		s.SetFont(pdftext.Sans, "", returnSize)
		sender = pdftext.Wrap(s.Fpdf, m.Sender, windowWidth)[0]
	}
	s.line(s.Root().Add(pdfa.Paragraph), pdftext.Sans, returnSize, windowLeft, windowTop, sender)
	lines := Lines(m.To)
	if len(lines) == 0 {
		return &channel.Refused{Reason: noAddress, Certain: true}
	}
	top := windowTop + height(returnSize) + 0.5
	for size := addressSize; size >= smallestSize; size -= 0.5 {
		s.SetFont(pdftext.Sans, "", size)
		var fitting []string
		for _, l := range lines {
			fitting = append(fitting, pdftext.Wrap(s.Fpdf, l, windowWidth)...)
			fitting[len(fitting)-1] += " " // what follows is another word
		}
		step := height(size) / leading * tight
		if float64(len(fitting))*step > windowBottom-top {
			continue
		}
		e := s.Root().Add(pdfa.Paragraph)
		for i, l := range fitting {
			s.line(e, pdftext.Sans, size, windowLeft, top+float64(i)*step, l)
		}
		return nil
	}
	return &channel.Refused{Reason: noAddress, Certain: true}
}

// paragraph writes an element over the width of the page and goes on with the next one where it
// must.
func (s *sheet) paragraph(e *pdfa.Element, face, text string) {
	s.SetFont(face, "", bodySize)
	for _, l := range pdftext.Wrap(s.Fpdf, text, width) {
		y := s.GetY()
		if y+height(bodySize) > bottom {
			s.AddPage()
			y = nextTop
		}
		s.line(e, face, bodySize, left, y, l)
		s.SetY(y + height(bodySize))
	}
}

// line writes one line of an element with its upper edge at y. Without an element it says nothing
// that is not said elsewhere. The place of the next row stays what it was.
func (s *sheet) line(e *pdfa.Element, face string, size, x, y float64, text string) {
	if text = pdftext.Printable(text); strings.TrimSpace(text) == "" {
		return
	}
	keep := s.GetY()
	s.SetFont(face, "", size)
	draw := func() {
		s.SetXY(x, y)
		s.CellFormat(0, height(size), text, "", 0, "L", false, 0, "")
	}
	if e == nil {
		s.Artifact(draw)
	} else {
		s.In(e, draw)
	}
	s.SetY(keep)
}

func (s *sheet) footer(locale, id string, pages int) {
	of := "Pagina %d di %d"
	if locale == english {
		of = "Page %d of %d"
	}
	s.line(nil, pdftext.Sans, returnSize, left, footer, fmt.Sprintf(of, s.PageNo(), pages)+" – "+id)
}

func height(size float64) float64 { return size * leading * mmPerInch / pointsPerInch }

// Lines returns the lines of a postal address that say something, as they are printed.
func Lines(address string) []string {
	var lines []string
	for l := range strings.SplitSeq(strings.ReplaceAll(address, "\r", "\n"), "\n") {
		if l = strings.Join(strings.Fields(pdftext.Printable(l)), " "); l != "" {
			lines = append(lines, l)
		}
	}
	return lines
}

const english = "en"

var months = map[string][12]string{
	"it": {
		"gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre", "novembre", "dicembre",
	},
	english: {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
}

// date writes out the day in Rome on which the message was promised. A repeat bears the same.
func date(m channel.Outgoing) string {
	names, known := months[m.Locale]
	if !known {
		names = months["it"]
	}
	d := calendar.DateIn(m.CreatedAt)
	return strconv.Itoa(d.Day) + " " + names[d.Month-1] + " " + strconv.Itoa(d.Year)
}

func subject(m channel.Outgoing) string {
	if m.Locale == english {
		return "Subject: " + m.Subject
	}
	return "Oggetto: " + m.Subject
}
