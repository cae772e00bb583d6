// Package receiptpdf draws the receipt of a submitted declaration as a PDF in
// Italian. The same facts give the same bytes, so a receipt can be drawn again
// and compared.
package receiptpdf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"rsc.io/qr"

	"diresco/internal/platform/calendar"
	"diresco/internal/platform/institution"
	"diresco/internal/platform/pdfa"
)

// Facts is what a receipt says.
type Facts struct {
	ProtocolNumber string
	SubmittedAt    time.Time
	// Digest is that of the content, "sha-256:" and hexadecimal digits.
	Digest string

	TypeCode    string
	TypeTitle   string
	TypeVersion int

	DeclarationID      string
	ContributorName    string
	ContributorTaxCode string
	PositionNumber     string
	OfficeCode         string
	OfficeName         string
	// By is in whose name the receipt is given.
	By institution.Institution

	// FiledBy is the name of the person who filed. ActingAs is the capacity: one of the contract's
	// acting_as values, or a text that is printed as it is.
	FiledBy  string
	ActingAs string
	// Application is the display name of the application by which it was filed, and ClientID how
	// that is registered; both are empty where the person filed it themselves.
	Application string
	ClientID    string

	// VerifyURL is where the link around the QR code leads. It is the page that verifies receipts,
	// with the receipt in its fragment. Only the page's address is printed.
	VerifyURL string
	// ScanURL is what the QR code holds: the same page with a shorter text, which a scanner reads.
	ScanURL string

	// Content is the declaration's content as it is printed, in the order of the form.
	Content []struct{ Label, Value string }
}

// capacities gives the Italian names of the contract's acting_as values.
var capacities = map[string]string{
	"legal_representative": "legale rappresentante",
	"employee_delegate":    "dipendente delegato",
	"employer":             "datore di lavoro",
	"user_administrator":   "amministratore delle utenze",
	"intermediary":         "intermediario",
	"sub_delegate":         "subdelegato dell'intermediario",
	"operator":             "operatore di sede",
}

// Render writes the receipt to w, all of it or, on an error of its own,
// nothing. It fails without a protocol number, a time of submission, a VerifyURL
// or a ScanURL, and if the ScanURL is too long for a QR code (2,953 bytes).
// It may be called from several goroutines at once.
func Render(w io.Writer, f Facts) error {
	if f.ProtocolNumber == "" || f.SubmittedAt.IsZero() || f.VerifyURL == "" || f.ScanURL == "" {
		return errors.New("receipt without protocol number, time of submission or addresses of verification")
	}
	page, err := url.Parse(f.VerifyURL)
	if err != nil {
		return errors.New("receipt with a malformed address of verification") // the cause would quote it
	}
	page.Fragment = ""

	// Level L makes the modules largest; a receipt is not a label that wears.
	code, err := qr.Encode(f.ScanURL, qr.L)
	if err != nil {
		return fmt.Errorf("QR code of the receipt: %w", err)
	}

	// The first drawing only counts the pages.
	draft := newSheet(f.ProtocolNumber, f.SubmittedAt, 0)
	draft.draw(f, page.String(), code)
	final := newSheet(f.ProtocolNumber, f.SubmittedAt, draft.pdf.PageCount())
	final.draw(f, page.String(), code)

	var out bytes.Buffer
	if err := final.pdf.Output(&out); err != nil {
		return fmt.Errorf("drawing the receipt: %w", err)
	}
	_, err = w.Write(out.Bytes())
	return err
}

func (s *sheet) draw(f Facts, page string, code *qr.Code) {
	s.pdf.AddPage()
	s.heading(f.By.Sender(), "Ricevuta di presentazione", "Dichiarazioni di responsabilità del contribuente")
	s.protocol(f)

	s.section("Dichiarazione")
	s.row("Tipo", fmt.Sprintf("%s – %s (versione %d)", f.TypeCode, f.TypeTitle, f.TypeVersion))
	s.row("Identificativo", f.DeclarationID)
	s.row("Contribuente", f.ContributorName)
	s.row("Codice fiscale", f.ContributorTaxCode)
	s.row("Posizione contributiva", f.PositionNumber)
	s.row("Sede competente", office(f))
	s.row("Presentata da", f.FiledBy+", "+capacity(f.ActingAs))

	if f.ClientID != "" {
		s.row("Tramite l'applicazione", f.Application+" ("+f.ClientID+")")
	}

	s.verification(f, page, code)

	if len(f.Content) > 0 {
		s.section("Contenuto della dichiarazione")
		for _, c := range f.Content {
			s.row(c.Label, c.Value)
		}
	}
	s.note("La ricevuta attesta che la dichiarazione è stata presentata e registrata a protocollo " +
		"(art. 57 del D.P.R. 28 dicembre 2000, n. 445). Non ne anticipa l'esito.")
	if lines := f.By.Lines(false); len(lines) > 0 {
		s.note(strings.Join(lines, "\n"))
	}
}

// office names the office, and gives its code with the name.
func office(f Facts) string {
	if f.OfficeName == "" {
		return f.OfficeCode
	}
	return f.OfficeName + " (codice " + f.OfficeCode + ")"
}

func capacity(actingAs string) string {
	if name, ok := capacities[actingAs]; ok {
		return "in qualità di " + name
	}
	return "in qualità di " + actingAs
}

// protocol draws the box that people look for first.
func (s *sheet) protocol(f Facts) {
	const height = 22
	x, y := left, s.pdf.GetY()
	s.area(tint, x, y, width, height)
	s.area(blue, x, y, 1.2, height)

	line := func(face string, points float64, c colour, x, y, room float64, str string) {
		s.font(face, points, c)
		s.text(s.part.Add(pdfa.Paragraph), x, y, room, str)
	}
	line(sans, 8.5, grey, x+6, y+4.2, 90, "Numero di protocollo")
	line(bold, 14, black, x+6, y+9.8, 100, f.ProtocolNumber)
	line(sans, 8.5, grey, x+112, y+4.2, 58, "Data e ora di presentazione")
	line(bold, 11, black, x+112, y+9.8, 60, f.SubmittedAt.In(calendar.Rome).Format("02/01/2006, 15:04:05"))
	line(sans, 8, grey, x+112, y+15.6, 60, "ora italiana; UTC "+f.SubmittedAt.UTC().Format("02/01/2006, 15:04:05.000000"))
	s.pdf.SetY(y + height)
}

// Sides of the QR code, in millimetres. A scan of 150 dots an inch has four for a module of
// leastModule, with which a code is still read.
const (
	leastSide   = 56.0
	leastModule = 0.68
)

// verification draws the QR code and, beside it, what it is for.
func (s *sheet) verification(f Facts, page string, code *qr.Code) {
	const gap = 8.0
	side := max(leastSide, leastModule*float64(code.Size))
	s.need(side + 12) // the title stays with the code
	s.section("Verifica")
	x, y := left, s.pdf.GetY()
	s.qr(f, code, x, y, side)

	x += side + gap
	wide := width - side - gap
	write := func(points float64, c colour, str string) {
		y = s.paragraph(s.part.Add(pdfa.Paragraph), x, y, wide, sans, points, c, str)
	}
	write(9.5, black, "Inquadrando il codice si apre la pagina di verifica, che conferma numero di protocollo, "+
		"data e firma della ricevuta senza mostrare dati personali.")
	y += 3
	write(8.5, grey, "Pagina di verifica")
	y += 0.5
	write(9.5, blue, page)
	y += 3
	write(8.5, grey, "Impronta del contenuto")
	y += 0.5
	word := s.part.Add(pdfa.Paragraph).AddWord(f.Digest)
	y = s.paragraph(word, x, y, wide, mono, 8.5, black, digestLines(f.Digest))
	s.pdf.SetY(max(y, s.pdf.GetY()+side))
}

// digestLines breaks "sha-256:" and 64 digits into three lines that can be
// compared by eye.
func digestLines(digest string) string {
	algorithm, digits, ok := strings.Cut(digest, ":")
	if !ok || len(digits) != 64 {
		return digest
	}
	return algorithm + ":\n" + digits[:32] + "\n" + digits[32:]
}

// qr draws a QR code of the given side, within a link to the whole receipt. The quiet zone of four
// modules on each side comes on top of that: the page around the code has to be empty.
func (s *sheet) qr(f Facts, code *qr.Code, x, y, side float64) {
	const name = "qr"
	code.Scale = 8 // pixels a module, so that no viewer blurs the edges
	quiet := side * 4 / float64(code.Size)
	x, y, side = x-quiet, y-quiet, side+2*quiet
	kind := fpdf.ImageOptions{ImageType: "PNG"}
	s.pdf.RegisterImageOptionsReader(name, kind, bytes.NewReader(code.PNG()))
	link := s.part.Add(pdfa.Link)
	s.pdf.Picture(link.Add(pdfa.Figure), x, y, side, side, "Codice QR che apre la pagina di verifica di questa ricevuta", func() {
		s.pdf.ImageOptions(name, x, y, side, side, false, kind, 0, "")
	})
	s.pdf.Target(link, x, y, side, side, f.VerifyURL, "Verifica la ricevuta "+f.ProtocolNumber)
}
