package dma

import (
	"bufio"
	"encoding/xml"
	"io"
	"strconv"
)

// WriteXML writes a list that was checked as the institute's XML. The same list is always the same
// bytes.
func (l List) WriteXML(to io.Writer) error {
	w := &writer{out: bufio.NewWriter(to)}
	w.raw(xml.Header)
	w.in(rootName, "", func() {
		w.in("DatiMittente", ` Tipo="1"`, func() {
			software := l.Sender.SoftwareTaxCode
			if software == "" {
				software = noSoftware
			}
			w.text("CFPersonaMittente", l.Sender.PersonTaxCode)
			w.text("RagSocMittente", l.Sender.LegalName)
			w.text("CFMittente", l.Sender.TaxCode)
			w.text("CFSoftwarehouse", software)
			w.some("SedeINPS", l.Sender.OfficeCode)
		})
		w.in("Azienda", "", func() {
			w.text("AnnoMeseDenuncia", l.Period)
			w.text("CFAzienda", l.BodyTaxCode)
			w.text("RagSocAzienda", l.BodyName)
			kind := ""
			if l.VariationsOnly {
				kind = ` TipoListaPosPA="1"`
			}
			w.in("ListaPosPA", kind, func() {
				w.text("PRGAZIENDA", l.BodyNumber)
				w.text("CFRappresentanteFirmatario", l.SignatoryTaxCode)
				w.text("ISTAT", l.ActivityCode)
				w.text("FormaGiuridica", l.LegalForm)
				w.in("PosPA", "", func() {
					for i := range l.Workers {
						w.worker(&l.Workers[i])
					}
				})
			})
		})
	})
	if w.err != nil {
		return w.err
	}
	return w.out.Flush()
}

// writer writes elements, each on a line of its own.
type writer struct {
	out   *bufio.Writer
	depth int
	err   error
}

func (w *writer) raw(s string) {
	if w.err == nil {
		_, w.err = w.out.WriteString(s)
	}
}

func (w *writer) indent() {
	for range w.depth {
		w.raw("  ")
	}
}

func (w *writer) in(name, attribute string, inside func()) {
	w.indent()
	w.raw("<" + name + attribute + ">\n")
	w.depth++
	inside()
	w.depth--
	w.indent()
	w.raw("</" + name + ">\n")
}

func (w *writer) text(name, text string) {
	w.indent()
	w.raw("<" + name + ">")
	if w.err == nil {
		w.err = xml.EscapeText(w.out, []byte(text))
	}
	w.raw("</" + name + ">\n")
}

// some writes a text that is there.
func (w *writer) some(name, text string) {
	if text != "" {
		w.text(name, text)
	}
}

func (w *writer) amount(name string, a Amount) {
	if !a.IsZero() {
		w.text(name, a.comma())
	}
}

func (w *writer) worker(d *Worker) {
	w.in(workerName, "", func() {
		w.text("CFLavoratore", d.TaxCode)
		w.text("Cognome", d.FamilyName)
		w.text("Nome", d.GivenName)
		w.in("DatiSedeLavoro", "", func() {
			w.text("CodiceComune", d.Workplace.MunicipalityCode)
			w.text("CAP", d.Workplace.PostalCode)
		})
		for i := range d.Periods {
			w.in(periodName, "", func() { w.period(&d.Periods[i], "AltroEnteVersante") })
		}
		for i := range d.Variations {
			v := &d.Variations[i]
			w.in(priorName, ` CausaleVariazione="`+v.Cause+`"`, func() { w.period(&v.Period, "EnteVersante") })
		}
	})
}

func (w *writer) period(e *Period, payer string) {
	w.text("GiornoInizio", e.StartDay)
	w.text("GiornoFine", e.EndDay)
	if f := e.Framing; f != nil {
		w.in("InquadramentoLavPA", "", func() {
			w.text("TipoImpiego", f.EmploymentType)
			w.text("TipoServizio", f.ServiceType)
			w.text("Contratto", f.Contract)
			w.text("Qualifica", f.Qualification)
			if t := f.PartTime; t != nil {
				w.in("PartTimePA", "", func() {
					w.text("TipoPartTime", t.Type)
					w.text("PercPartTime", t.Share)
				})
			}
			w.text("RegimeFineServizio", f.SeveranceScheme)
		})
	}
	if e.Funds != nil {
		w.in("Gestioni", "", func() { w.funds(e.Funds) })
	}
	w.some("CodiceCessazione", e.TerminationCode)
	for i := range e.Payers {
		y := &e.Payers[i]
		w.in(payer, "", func() {
			w.text("TipoContributo", y.ContributionType)
			w.text("CFAzienda", y.TaxCode)
			w.text("PRGAZIENDA", y.BodyNumber)
			w.amount("Imponibile", y.Taxable)
			w.amount("Contributo", y.Contribution)
			w.some("AnnoMeseErogazione", y.PaidIn)
			w.some("Aliquota", y.Rate)
		})
	}
}

func (w *writer) funds(f *Funds) {
	if p := f.Pension; p != nil {
		w.in("GestPensionistica", "", func() {
			w.text("CodGestione", p.Code)
			w.amount("Imponibile", p.Taxable)
			w.amount("Contributo", p.Contribution)
			w.amount("Contrib1PerCento", p.Additional)
			w.amount("StipendioTabellare", p.TableSalary)
			w.amount("RetribIndivAnzianita", p.Seniority)
			for i := range p.Recoveries {
				r := &p.Recoveries[i]
				w.in("RecuperoSgravi", "", func() {
					w.text("AnnoRif", r.Year)
					w.text("MeseRif", strconv.Itoa(r.Month))
					w.text("CodiceRecupero", r.Code)
					w.amount("AltroImponibile", r.OtherTaxable)
					w.amount("Importo", r.Amount)
				})
			}
		})
	}
	if p := f.Severance; p != nil {
		w.in("GestPrevidenziale", "", func() {
			w.text("CodGestione", p.Code)
			w.amount("ImponibileTFR", p.TFRTaxable)
			w.amount("ContributoTFR", p.TFRContribution)
			w.amount("ImponibileTFS", p.TFSTaxable)
			w.amount("ContributoTFS", p.TFSContribution)
		})
	}
	w.fund("GestCredito", f.Credit)
	w.fund("ENPDEP", f.ENPDEP)
	w.fund("ENAM", f.ENAM)
}

func (w *writer) fund(name string, f *Fund) {
	if f == nil {
		return
	}
	w.in(name, "", func() {
		w.text("CodGestione", f.Code)
		w.amount("Imponibile", f.Taxable)
		w.amount("Contributo", f.Contribution)
	})
}
