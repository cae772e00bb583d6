// Package delegationpdf draws the form (modulo di delega) by which a contributor lets an
// intermediary act for it.
//
// It is in Italian, to be printed and signed. The same facts give the same bytes.
package delegationpdf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"diresco/internal/platform/calendar"
	"diresco/internal/platform/institution"
	"diresco/internal/platform/pdfa"
	"diresco/internal/platform/pdftext"
)

// Form is what one form says.
type Form struct {
	ReferenceCode string
	DraftedAt     time.Time

	ContributorName    string
	ContributorTaxCode string
	// SignatoryName is as much of the name as may be told. Without a tax code the form leaves lines
	// for the whole name and the code.
	SignatoryName    string
	SignatoryTaxCode string

	DelegateName    string
	DelegateTaxCode string
	// DelegateKind is one of the contract's kinds of intermediary, or a text that is printed as it
	// is.
	DelegateKind string
	// DraftedBy is who prepared the form for the intermediary.
	DraftedBy string

	Positions []Position
	// Total forms are about all services; Services are the codes of the others.
	Total     bool
	Services  []string
	Exclusive bool
	// ValidUntil is nil for a delegation until it is revoked.
	ValidUntil *time.Time
	// By is who the form is for.
	By institution.Institution
}

// Position is a position that a form is about. An office without a name is told by its code.
type Position struct{ Number, Scheme, OfficeCode, OfficeName string }

func (p Position) office() string {
	if p.OfficeName == "" {
		return p.OfficeCode
	}
	return p.OfficeName + " (" + p.OfficeCode + ")"
}

// The Italian words for codes of the contract; others are printed as they are.
var (
	kinds = map[string]string{
		"professional": "professionista iscritto all'albo", "association": "associazione di categoria", "caf": "CAF imprese",
		"patronato": "patronato",
	}
	schemes = map[string]string{
		"private_employers": "aziende con dipendenti", "public_employees": "gestione dipendenti pubblici",
		"artisans_and_traders": "artigiani e commercianti",
		"domestic_workers":     "lavoro domestico", "agriculture": "agricoltura", "separate_fund": "gestione separata",
	}
	services = map[string]string{
		"declarations": "Dichiarazioni di responsabilità (DiResCo)", "delegations": "Gestione deleghe",
		"view_payments":    "Consultazione dei versamenti",
		"view_debit_notes": "Consultazione delle note di debito", "view_amortisation_plans": "Consultazione dei piani di ammortamento",
		"compile_dma": "Compilazione DMA/UNIEMENS ListaPosPa", "view_dma": "Consultazione DMA/UNIEMENS ListaPosPa",
	}
)

func word(words map[string]string, code string) string {
	if w, ok := words[code]; ok {
		return w
	}
	return code
}

const (
	statement = "Il delegante, nella persona del firmatario, delega l'intermediario a operare per suo conto, tramite i servizi " +
		"telematici dell'Istituto, sulle posizioni e " +
		"per i servizi indicati in questo modulo. La delega può essere revocata in ogni momento da ciascuna delle parti, con effetto " +
		"immediato. Ha effetto dall'attivazione, " +
		"per la quale l'intermediario inserisce il codice OTP che il delegante riceve e dichiara, sotto la propria responsabilità, che " +
		"il delegante ha firmato."
	privacy = "I dati personali indicati in questo modulo sono trattati, anche con strumenti informatici, al solo fine di gestire la " +
		"delega e i servizi a cui dà accesso, " +
		"ai sensi del Regolamento (UE) 2016/679 e del decreto legislativo 30 giugno 2003, n. 196. Sono conservati per la durata della " +
		"delega e per i cinque anni successivi e " +
		"comunicati ad altri soltanto nei casi previsti dalla legge. L'interessato può chiedere in ogni momento di accedere ai propri " +
		"dati, di rettificarli e, nei casi previsti " +
		"dalla legge, di cancellarli o di limitarne il trattamento. Il conferimento è necessario per attivare la delega."
	keeping = "Il modulo firmato è conservato dall'intermediario per la durata della delega e per i cinque anni successivi, insieme alla " +
		"copia di un documento del firmatario, " +
		"ed è esibito a richiesta dell'Istituto."
)

// Render writes forms as one document, each beginning on a page of its own. On an error of its own
// it writes nothing.
func Render(w io.Writer, forms ...Form) error {
	if len(forms) == 0 {
		return errors.New("no form to draw")
	}
	// The first drawing only counts the pages of each form.
	counts := make([]int, len(forms))
	draw(forms, counts)
	var out bytes.Buffer
	if err := draw(forms, counts).Output(&out); err != nil {
		return fmt.Errorf("drawing the form: %w", err)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// draw notes the number of pages of each form, and writes what was noted before below each page.
func draw(forms []Form, pages []int) *pdfa.Document {
	title := "Deleghe"
	if len(forms) == 1 {
		title = "Delega " + forms[0].ReferenceCode
	}
	s := &sheet{Document: pdfa.New(title, "it-IT", forms[0].DraftedAt)}
	s.SetMargins(left, top, left)
	counts := make([]int, len(forms))
	for i, f := range forms {
		s.begin(f.ReferenceCode, pages[i])
		s.form(f)
		counts[i] = s.page
	}
	copy(pages, counts)
	return s.Document
}

func (s *sheet) form(f Form) {
	if lines := f.By.Lines(false); len(lines) > 0 {
		s.paragraph(small, strings.Join(lines, " – "))
		s.gap(1)
	}
	s.line(s.part.Add(pdfa.Paragraph), pdftext.Sans, 9.5, left, "DiResCo – Gestione deleghe")
	s.line(s.part.Add(pdfa.Title), pdftext.Bold, 18, left, "Modulo di delega")
	s.line(s.part.Add(pdfa.Paragraph), pdftext.Mono, 11, left, "Codice di riferimento: "+f.ReferenceCode)
	s.line(s.part.Add(pdfa.Paragraph), pdftext.Sans, small, left, "Redatto il "+moment(f.DraftedAt)+" da "+f.DraftedBy)

	s.section("Delegante")
	s.row("Denominazione", f.ContributorName)
	s.row("Codice fiscale", f.ContributorTaxCode)
	s.row("Firmatario", f.SignatoryName)
	if f.SignatoryTaxCode == "" {
		s.blank("Nome e cognome del firmatario (da completare a mano)")
		s.blank("Codice fiscale del firmatario (da completare a mano)")
	} else {
		s.row("Codice fiscale del firmatario", f.SignatoryTaxCode)
	}

	s.section("Intermediario delegato")
	s.row("Denominazione", f.DelegateName)
	s.row("Codice fiscale", f.DelegateTaxCode)
	s.row("In qualità di", word(kinds, f.DelegateKind))

	s.section("Posizioni")
	for _, p := range f.Positions {
		s.row("Matricola "+p.Number, "gestione: "+word(schemes, p.Scheme)+", sede: "+p.office())
	}

	s.section("Contenuto della delega")
	if f.Total {
		s.row("Ambito", "totale: tutti i servizi delle posizioni, anche futuri")
	} else {
		s.row("Ambito", "parziale: i soli servizi indicati")
		names := make([]string, len(f.Services))
		for i, code := range f.Services {
			names[i] = word(services, code)
		}
		s.row("Servizi", strings.Join(names, "\n"))
	}
	if f.Exclusive {
		s.row("Esclusiva", "sì: nessun altro intermediario può operare sulle posizioni")
	} else {
		s.row("Esclusiva", "no")
	}
	if f.ValidUntil == nil {
		s.row("Valida", "dall'attivazione fino alla revoca")
	} else {
		s.row("Valida", "dall'attivazione fino al "+moment(*f.ValidUntil))
	}
	s.gap(3)
	s.paragraph(body, statement)

	s.section("Informativa sul trattamento dei dati personali")
	s.paragraph(small, privacy)
	s.gap(2)
	s.paragraph(small, keeping)
	s.signature(f.SignatoryName)
}

// moment writes an instant as Italy's clocks show it, with its offset in the hour that exists
// twice.
func moment(t time.Time) string {
	text := t.In(calendar.Rome).Format("02/01/2006, ore 15:04")
	if offset := calendar.Offset(t); offset != "" {
		text += " (" + offset + ")"
	}
	return text
}
