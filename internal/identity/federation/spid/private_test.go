package spid_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/beevik/etree"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/spid"
)

const private = `{"vat_number": "IT01234567890", "fiscal_code": "01234567890", "nace2_code": "65.30", "billing": {
	"name": "Fatture S.p.A.", "vat_number": "IT09876543210", "address": "Via Città di Castello", "number": "12/A", "postal_code": "00191",
	"city": "Roma", "province": "RM", "country": "IT", "email": "fatture@istituto.example.it", "telephone": "+390612346"}}`

// A private body's metadata have its numbers in place of a code of the index, and for SPID a second
// contact for invoices.
func TestMetadata_OfAPrivateBody(t *testing.T) {
	c := config()
	var err error
	if c.Organisation.Private, err = spid.ParsePrivate([]byte(private)); err != nil {
		t.Fatal(err)
	}
	c.Organisation.IPACode, c.Organisation.Municipality = "", "H501"
	w := newWorld(t, c, federation.SPID)
	ours, cie := read(t, w.service.Metadata(federation.SPID)), read(t, w.service.Metadata(federation.CIE))
	verify(t, ours)
	verify(t, cie)
	for _, contact := range []struct {
		of   *etree.Element
		all  int
		kind string
		has  string
	}{
		{ours, 2, "other", "VATNumber FiscalCode Private"},
		{cie, 1, "administrative", "Private VATNumber FiscalCode NACE2Code Municipality"},
	} {
		all := contact.of.FindElements("./ContactPerson")
		extensions := all[0].FindElement("./Extensions")
		if len(all) != contact.all || all[0].SelectAttrValue("contactType", "") != contact.kind || tags(extensions) != contact.has ||
			at(extensions, "./VATNumber") != "IT01234567890" || at(extensions, "./Private") != "" {
			t.Errorf("%s: %d contacts, %s", contact.kind, len(all), tags(extensions))
		}
	}
	billing := ours.FindElements("./ContactPerson")[1]
	if billing.SelectAttrValue("contactType", "") != "billing" || tags(billing) != "Extensions Company EmailAddress TelephoneNumber" {
		t.Errorf("billing: %s", tags(billing))
	}
	whole := billing.FindElement("./Extensions/CessionarioCommittente")
	if whole.NamespaceURI() != "https://spid.gov.it/invoicing-extensions" || tags(whole) != "DatiAnagrafici Sede" {
		t.Fatalf("%s: %s", whole.NamespaceURI(), tags(whole))
	}
	for path, want := range map[string]string{
		"./DatiAnagrafici/IdFiscaleIVA/IdPaese": "IT", "./DatiAnagrafici/IdFiscaleIVA/IdCodice": "09876543210",
		"./DatiAnagrafici/CodiceFiscale": "absent", "./DatiAnagrafici/Anagrafica/Denominazione": "Fatture S.p.A.",
		"./Sede/Indirizzo": "Via Città di Castello", "./Sede/NumeroCivico": "12/A", "./Sede/CAP": "00191", "./Sede/Comune": "Roma",
		"./Sede/Provincia": "RM", "./Sede/Nazione": "IT",
	} {
		if got := at(whole, path); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
	if tags(whole.FindElement("./Sede")) != "Indirizzo NumeroCivico CAP Comune Provincia Nazione" {
		t.Errorf("seat: %s", tags(whole.FindElement("./Sede")))
	}
	if _, err := spid.NewCertificate(rand.Reader, entityID, c.Organisation, "Roma", start, start.AddDate(1, 0, 0)); err == nil {
		t.Error("it certified itself")
	}
}

func TestPrivate_WrongFilesNameThePlace(t *testing.T) {
	for name, c := range map[string]struct{ from, to, says string }{
		"without a number":      {`"vat_number": "IT01234567890", "fiscal_code": "01234567890", `, "", "vat_number is missing"},
		"without a country":     {`"IT01234567890"`, `"01234567890"`, "vat_number"},
		"without a house":       {`"address": "Via Città di Castello", `, "", "billing.address is missing"},
		"letters in a postcode": {`"00191"`, `"0019A"`, "billing.postal_code"},
		"another alphabet":      {"Fatture S.p.A.", "Ἰταλία", "billing.name"},
		"an address with name":  {"fatture@", "Ufficio <fatture@", "billing.email"},
		"an unknown field":      {`"number"`, `"house"`, "house"},
		"more behind it":        {`346"}}`, `346"}} {}`, "behind"},
	} {
		if !strings.Contains(private, c.from) {
			t.Fatalf("%s: nothing to change", name)
		}
		_, err := spid.ParsePrivate([]byte(strings.Replace(private, c.from, c.to, 1)))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
