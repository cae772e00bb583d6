package spid

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"regexp"

	"github.com/beevik/etree"
)

// Private is what the metadata of a private service provider say in place of a code of the index of
// public bodies. At least one of its two numbers is there.
type Private struct {
	// VATNumber begins with the code of a country.
	VATNumber  string `json:"vat_number"`
	FiscalCode string `json:"fiscal_code"`
	// NACE2Code is that of its activity. CIE alone asks for it.
	NACE2Code string `json:"nace2_code"`
	// Billing is whom the providers of SPID send their invoices.
	Billing Billing `json:"billing"`
}

// Billing is the addressee of invoices, as the national form of electronic invoices writes one.
type Billing struct {
	Name       string `json:"name"`
	VATNumber  string `json:"vat_number"`
	FiscalCode string `json:"fiscal_code"`
	Address    string `json:"address"`
	// Number is that of the house; it may be "", as may Province and Telephone.
	Number     string `json:"number"`
	PostalCode string `json:"postal_code"`
	City       string `json:"city"`
	Province   string `json:"province"`
	Country    string `json:"country"`
	Email      string `json:"email"`
	Telephone  string `json:"telephone"`
}

// What the schemas of metadata and of invoices let in.
var (
	vatNumber   = regexp.MustCompile(`^[A-Z]{2}[A-Za-z0-9]{1,28}$`)
	fiscalCode  = regexp.MustCompile(`^[A-Z0-9]{11,16}$`)
	nace2Code   = regexp.MustCompile(`^[0-9]{2}(\.[0-9]{1,2}){0,2}$`)
	latin60     = regexp.MustCompile(`^[\x20-\x7E\x{A0}-\x{FF}]{1,60}$`)
	latin80     = regexp.MustCompile(`^[\x20-\x7E\x{A0}-\x{FF}]{1,80}$`)
	houseNumber = regexp.MustCompile(`^[\x20-\x7E]{1,8}$`)
	postalCode  = regexp.MustCompile(`^[0-9]{5}$`)
	twoLetters  = regexp.MustCompile(`^[A-Z]{2}$`)
	telephone   = regexp.MustCompile(`^\+[0-9]{6,15}$`)
)

// ParsePrivate reads what a file says of a private service provider. Its error names the place.
func ParsePrivate(content []byte) (*Private, error) {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	var p Private
	if err := decoder.Decode(&p); err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands behind its end")
	}
	return &p, p.check()
}

func (p *Private) check() error {
	for _, field := range []struct {
		name, value string
		form        *regexp.Regexp
		needed      bool
	}{
		{"vat_number", p.VATNumber, vatNumber, p.FiscalCode == ""},
		{"fiscal_code", p.FiscalCode, fiscalCode, p.VATNumber == ""},
		{"nace2_code", p.NACE2Code, nace2Code, false},
		{"billing.name", p.Billing.Name, latin80, true},
		{"billing.vat_number", p.Billing.VATNumber, vatNumber, p.Billing.FiscalCode == ""},
		{"billing.fiscal_code", p.Billing.FiscalCode, fiscalCode, p.Billing.VATNumber == ""},
		{"billing.address", p.Billing.Address, latin60, true},
		{"billing.number", p.Billing.Number, houseNumber, false},
		{"billing.postal_code", p.Billing.PostalCode, postalCode, true},
		{"billing.city", p.Billing.City, latin60, true},
		{"billing.province", p.Billing.Province, twoLetters, false},
		{"billing.country", p.Billing.Country, twoLetters, true},
		{"billing.telephone", p.Billing.Telephone, telephone, false},
	} {
		switch {
		case field.value == "" && field.needed:
			return fmt.Errorf("%s is missing", field.name)
		case field.value != "" && !field.form.MatchString(field.value):
			return fmt.Errorf("%s has not the form that the rules ask for", field.name)
		}
	}
	if address, err := mail.ParseAddress(p.Billing.Email); err != nil || address.Address != p.Billing.Email {
		return errors.New("billing.email must be an e-mail address")
	}
	return nil
}

// describe writes what stands among the extensions of the first contact. SPID has the kind behind the
// numbers, CIE before them.
func (p *Private) describe(extensions *etree.Element, prefix string, cie bool) {
	if cie {
		extensions.CreateElement(prefix + "Private")
	}
	optional(extensions, prefix+"VATNumber", p.VATNumber)
	optional(extensions, prefix+"FiscalCode", p.FiscalCode)
	if cie {
		optional(extensions, prefix+"NACE2Code", p.NACE2Code)
	} else {
		extensions.CreateElement(prefix + "Private")
	}
}

// describe writes the contact for invoices.
func (b Billing) describe(e *etree.Element, organisation string) {
	e.CreateAttr("contactType", "billing")
	extensions := e.CreateElement("md:Extensions")
	extensions.CreateAttr("xmlns:fpa", invoiceSpace)
	whole := extensions.CreateElement("fpa:CessionarioCommittente")
	who := whole.CreateElement("fpa:DatiAnagrafici")
	if b.VATNumber != "" {
		vat := who.CreateElement("fpa:IdFiscaleIVA")
		vat.CreateElement("fpa:IdPaese").SetText(b.VATNumber[:2])
		vat.CreateElement("fpa:IdCodice").SetText(b.VATNumber[2:])
	}
	optional(who, "fpa:CodiceFiscale", b.FiscalCode)
	who.CreateElement("fpa:Anagrafica").CreateElement("fpa:Denominazione").SetText(b.Name)
	seat := whole.CreateElement("fpa:Sede")
	seat.CreateElement("fpa:Indirizzo").SetText(b.Address)
	optional(seat, "fpa:NumeroCivico", b.Number)
	seat.CreateElement("fpa:CAP").SetText(b.PostalCode)
	seat.CreateElement("fpa:Comune").SetText(b.City)
	optional(seat, "fpa:Provincia", b.Province)
	seat.CreateElement("fpa:Nazione").SetText(b.Country)
	if b.Name != organisation {
		// Invoices go to another firm.
		e.CreateElement("md:Company").SetText(b.Name)
	}
	e.CreateElement("md:EmailAddress").SetText(b.Email)
	optional(e, "md:TelephoneNumber", b.Telephone)
}

// optional adds an element where there is a text for it.
func optional(e *etree.Element, tag, text string) {
	if text != "" {
		e.CreateElement(tag).SetText(text)
	}
}
