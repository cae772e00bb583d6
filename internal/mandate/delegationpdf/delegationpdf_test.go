package delegationpdf_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"diresco/internal/mandate/delegationpdf"
	"diresco/internal/platform/institution"
	"diresco/internal/platform/pdfa/pdfatest"
	"diresco/internal/platform/pdftext/pdftexttest"
)

func form() delegationpdf.Form {
	until := time.Date(2027, 3, 31, 22, 0, 0, 0, time.UTC)
	return delegationpdf.Form{
		ReferenceCode: "7K3M-Q9XA-R8DN", DraftedAt: time.Date(2026, 3, 16, 23, 30, 0, 0, time.UTC),
		ContributorName: "Officine Città dell'Aria S.r.l.", ContributorTaxCode: "00743110157",
		SignatoryName: "Nicolò D'Alò", SignatoryTaxCode: "RSSMRA80A01H501U", DelegateName: "Andrea Ricci, consulente del lavoro",
		DelegateTaxCode: "RSSMRA80A01H50MM",
		DelegateKind:    "professional", DraftedBy: "Andrea Ricci",
		Positions: []delegationpdf.Position{
			{Number: "0123456789", Scheme: "private_employers", OfficeCode: "7000", OfficeName: "Direzione provinciale di Roma"},
			{Number: "0123456790", Scheme: "another", OfficeCode: "4900"},
		},
		Services: []string{"declarations", "something_new"}, Exclusive: true, ValidUntil: &until,
		By: institution.Institution{
			Name: "Istituto Esempio", Address: "Via Roma 1, 00100 Roma", Telephone: "06 123456", Page: "https://istituto.example",
			PrivacyPage: "https://istituto.example/privacy",
		},
	}
}

func render(t *testing.T, forms ...delegationpdf.Form) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := delegationpdf.Render(&b, forms...); err != nil {
		t.Fatal(err)
	}
	pdfatest.Check(t, b.Bytes())
	return b.Bytes()
}

// words is the text of a document with its lines joined.
func words(pdf []byte) (string, int) {
	lines, pages := pdftexttest.Read(pdf)
	return strings.Join(lines, " "), pages
}

func TestDelegationForm_WhatStandsInAForm(t *testing.T) {
	pdf := render(t, form())
	text, pages := words(pdf)
	if pages != 1 {
		t.Errorf("%d pages", pages)
	}
	for _, want := range []string{
		"Modulo di delega", "Codice di riferimento: 7K3M-Q9XA-R8DN", "Redatto il 17/03/2026, ore 00:30 da Andrea Ricci",
		"Officine Città dell'Aria S.r.l.", "00743110157", "Nicolò D'Alò", "RSSMRA80A01H501U",
		"Andrea Ricci, consulente del lavoro", "RSSMRA80A01H50MM", "professionista iscritto all'albo", "Matricola 0123456789",
		"gestione: aziende con dipendenti, sede: Direzione provinciale di Roma (7000)", "gestione: another, sede: 4900",
		"Istituto Esempio – Via Roma 1, 00100 Roma", "Tel. 06 123456 – https://istituto.example",
		"Informativa sulla privacy: https://istituto.example/privacy",
		"parziale: i soli servizi indicati", "Dichiarazioni di responsabilità (DiResCo)", "something_new", "sì: nessun altro intermediario",
		"fino al 01/04/2027, ore 00:00", "codice OTP", "sotto la propria responsabilità",
		"Regolamento (UE) 2016/679", "Luogo e data", "Firma del delegante (Nicolò D'Alò)", "Pagina 1 di 1",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the form:\n%s", want, text)
		}
	}
	total := form()
	total.Total, total.Exclusive, total.ValidUntil = true, false, nil
	if text, _ = words(render(t, total)); !strings.Contains(text, "totale: tutti i servizi") || !strings.Contains(text, "Esclusiva no") ||
		!strings.Contains(text, "fino alla revoca") || strings.Contains(text, "something_new") {
		t.Errorf("a total one says\n%s", text)
	}
	if !bytes.Equal(pdf, render(t, form())) {
		t.Error("the same facts gave other bytes")
	}
}

// Whoever has not agreed yet writes who they are themselves.
func TestDelegationForm_ASignatoryWithoutATaxCodeIsCompletedByHand(t *testing.T) {
	f := form()
	f.SignatoryName, f.SignatoryTaxCode = "Nicolò D.", ""
	text, pages := words(render(t, f))
	if pages != 1 {
		t.Errorf("%d pages", pages)
	}
	for _, want := range []string{
		"Firmatario Nicolò D. ", "Nome e cognome del firmatario (da completare a mano)",
		"Codice fiscale del firmatario (da completare a mano)", "Firma del delegante (Nicolò D.)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the form:\n%s", want, text)
		}
	}
	if text, _ = words(render(t, form())); strings.Contains(text, "a mano") {
		t.Errorf("a signed one leaves lines:\n%s", text)
	}
}

func TestDelegationForm_ManyPositionsGoOnOverPages(t *testing.T) {
	f := form()
	f.Positions = nil
	for i := range 100 {
		f.Positions = append(f.Positions, delegationpdf.Position{
			Number: fmt.Sprintf("%010d", i), Scheme: "private_employers", OfficeCode: "7000",
		})
	}
	text, pages := words(render(t, f))
	if pages < 3 || !strings.Contains(text, fmt.Sprintf("Pagina %d di %d", pages, pages)) || strings.Contains(text, "di 0") {
		t.Errorf("%d pages:\n%s", pages, text)
	}
	for _, p := range f.Positions {
		if !strings.Contains(text, "Matricola "+p.Number) {
			t.Errorf("%s is missing", p.Number)
		}
	}
}

func TestDelegationForm_ManyFormsAreOneDocument(t *testing.T) {
	second := form()
	second.ReferenceCode = "AAAA-BBBB-CCCC"
	lines, pages := pdftexttest.Read(render(t, form(), second))
	if pages != 2 || !slices.Contains(lines, "Delega 7K3M-Q9XA-R8DN – Pagina 1 di 1") ||
		!slices.Contains(lines, "Delega AAAA-BBBB-CCCC – Pagina 1 di 1") {
		t.Errorf("%d pages:\n%s", pages, strings.Join(lines, "\n"))
	}
	if err := delegationpdf.Render(&bytes.Buffer{}); err == nil {
		t.Error("no form was drawn")
	}
}

// What is copied, searched and read aloud comes in this order, with these roles.
func TestDelegationForm_ReadsAsItIsStructured(t *testing.T) {
	pdfatest.Golden(t, render(t, form()), "form.txt")
	byHand := form()
	byHand.SignatoryName, byHand.SignatoryTaxCode, byHand.Total, byHand.ValidUntil = "Nicolò D.", "", true, nil
	pdfatest.Golden(t, render(t, byHand), "form-by-hand.txt")
}
