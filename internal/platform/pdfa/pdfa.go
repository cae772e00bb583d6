// Package pdfa makes documents that may be kept and that everybody can read. They are PDF/A-2u (ISO
// 19005-2) and PDF/UA-1 (ISO 14289-1) at once.
//
// The library draws, and knows neither of them. So a document notes, while it is drawn, which piece
// belongs to which element of its structure, and writes the library's plain objects again with what
// they lack. Whatever is drawn is drawn inside In, or inside Artifact if it says nothing.
package pdfa

import (
	"errors"
	"fmt"
	"time"

	"codeberg.org/go-pdf/fpdf"

	"diresco/internal/platform/pdftext"
)

// Role is what an element of the structure is, as ISO 32000-1 (14.8.4) names it.
type Role string

// The roles.
const (
	Section       Role = "Sect"
	Title         Role = "H1"
	Heading       Role = "H2"
	Paragraph     Role = "P"
	Table         Role = "Table"
	Row           Role = "TR"
	RowHeader     Role = "TH" // of the cells beside it
	Cell          Role = "TD"
	Span          Role = "Span"
	Figure        Role = "Figure"
	Link          Role = "Link"
	wholeDocument Role = "Document"
)

// Element is a part of a document's structure. What is read, copied and spoken comes in the order
// in which elements were added, wherever on the page it stands.
type Element struct {
	role   Role
	parent *Element
	kids   []any // *Element, mark or *link
	alt    string
	actual string
	box    *box
	number int // of its object, once it has one
}

// mark is a piece of marked content.
type mark struct{ page, id int }

// box is a place on a page, in points from its lower left corner.
type box struct{ left, bottom, right, top float64 }

type link struct {
	element  *Element
	page     int
	place    box
	url, say string
	number   int // of its object
}

// Add adds an element at the end of e.
func (e *Element) Add(role Role) *Element {
	kid := &Element{role: role, parent: e}
	e.kids = append(e.kids, kid)
	return kid
}

// AddWord adds a piece of text that is copied and spoken as word, however it is drawn.
func (e *Element) AddWord(word string) *Element {
	kid := e.Add(Span)
	kid.actual = word
	return kid
}

// Document is a document of upright A4 pages while it is drawn. Drawing is the library's.
type Document struct {
	*fpdf.Fpdf
	title, lang string
	at          time.Time
	root        *Element
	marks       [][]*Element // for each page, the elements of its marked content
	links       []*link
	marked      bool
}

// New prepares an empty document with its title, its language (a tag such as it-IT) and its one
// time. The same calls give the same bytes.
func New(title, lang string, at time.Time) *Document {
	return &Document{
		Fpdf: pdftext.New(), title: pdftext.Line(title), lang: lang, at: at.UTC(), root: &Element{role: wholeDocument},
	}
}

// Root is the element that holds all others.
func (d *Document) Root() *Element { return d.root }

// In draws a piece of an element, on one page.
func (d *Document) In(e *Element, draw func()) {
	page := d.PageNo()
	for len(d.marks) < page {
		d.marks = append(d.marks, nil)
	}
	m := mark{page, len(d.marks[page-1])}
	d.marks[page-1] = append(d.marks[page-1], e)
	e.kids = append(e.kids, m)
	actual := ""
	if e.actual != "" {
		word := e.actual
		if len(e.kids) > 1 { // said with the first piece
			word = ""
		}
		actual = " /ActualText " + text(word)
	}
	d.between(fmt.Sprintf("/%s <</MCID %d%s>> BDC", e.role, m.id, actual), draw)
}

// Artifact draws what says nothing by itself: lines, backgrounds, page numbers.
func (d *Document) Artifact(draw func()) { d.between("/Artifact BMC", draw) }

func (d *Document) between(begin string, draw func()) {
	if d.marked {
		d.SetError(errors.New("marked content within marked content"))
		return
	}
	page := d.PageNo()
	d.marked = true
	d.RawWriteStr(begin)
	draw()
	d.RawWriteStr("EMC")
	d.marked = false
	if d.PageNo() != page {
		d.SetError(errors.New("marked content on two pages"))
	}
}

// Picture draws a figure of the given place, in millimetres from the upper left corner. What it
// shows alt says in words.
func (d *Document) Picture(e *Element, x, y, width, height float64, alt string, draw func()) {
	place := d.place(x, y, width, height)
	e.alt, e.box = alt, &place
	d.In(e, draw)
}

// Target makes a place of the present page lead to an address. It is given in millimetres from the
// upper left corner; say is what the link is for, and e an element of the role Link.
func (d *Document) Target(e *Element, x, y, width, height float64, url, say string) {
	l := &link{element: e, page: d.PageNo(), place: d.place(x, y, width, height), url: url, say: say}
	d.links = append(d.links, l)
	e.kids = append(e.kids, l)
}

func (d *Document) place(x, y, width, height float64) box {
	k := d.GetConversionRatio()
	_, high := d.GetPageSize()
	return box{x * k, (high - y - height) * k, (x + width) * k, (high - y) * k}
}
