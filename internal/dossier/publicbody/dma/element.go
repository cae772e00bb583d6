package dma

// element is an element of the file, and what is to be done where one stands.
type element struct {
	name string
	kids []*element
	// index finds the place of a kid by its name.
	index map[string]int
	// needed has a bit for each kid that must be there.
	needed uint64
	// required says that the element must stand in its parent, repeats that it may stand there more
	// than once.
	required, repeats bool
	// carried elements are taken as they stand, with all that is in them.
	carried bool
	// attributes are those that it may have. What they set may refuse the value.
	attributes map[string]func(r *reader, value string)
	// must is the attribute that it has to have; it may be empty.
	must       string
	begin, end func(r *reader)
	// field and set are those of an element that holds a text.
	field *field
	set   func(r *reader, text string)
}

// group is an element that holds others.
func group(name string, kids ...*element) *element {
	e := &element{name: name, kids: kids, index: make(map[string]int, len(kids))}
	for i, kid := range kids {
		e.index[kid.name] = i
		if kid.required {
			e.needed |= 1 << i
		}
	}
	return e
}

// leaf is an element that holds a text.
func leaf(name string, f *field, set func(r *reader, text string)) *element {
	return &element{name: name, field: f, set: set}
}

// carried is an element that may stand any number of times and is taken as it stands.
func carried(name string, note func(r *reader)) *element {
	return &element{name: name, carried: true, repeats: true, begin: note}
}

func need(e *element) *element {
	e.required = true
	return e
}

func many(e *element) *element {
	e.repeats = true
	return e
}

func (e *element) on(begin, end func(r *reader)) *element {
	e.begin, e.end = begin, end
	return e
}

func (e *element) with(name string, set func(r *reader, value string)) *element {
	if e.attributes == nil {
		e.attributes = map[string]func(r *reader, value string){}
	}
	e.attributes[name] = set
	return e
}

// withNeeded is with for an attribute that must be there.
func (e *element) withNeeded(name string, set func(r *reader, value string)) *element {
	e.must = name
	return e.with(name, set)
}

func nothing(*reader) {}

// root is the whole file.
var root = group(rootName,
	need(group("DatiMittente",
		need(leaf("CFPersonaMittente", fSenderPerson, func(r *reader, t string) { r.list.Sender.PersonTaxCode = t })),
		need(leaf("RagSocMittente", fSenderName, func(r *reader, t string) { r.list.Sender.LegalName = t })),
		need(leaf("CFMittente", fSenderCode, func(r *reader, t string) { r.list.Sender.TaxCode = t })),
		need(leaf("CFSoftwarehouse", fSenderSoftware, func(r *reader, t string) {
			if t != noSoftware {
				r.list.Sender.SoftwareTaxCode = t
			}
		})),
		leaf("SedeINPS", fSenderOffice, func(r *reader, t string) { r.list.Sender.OfficeCode = t }),
	).withNeeded("Tipo", func(r *reader, value string) { r.only(fSenderType, value, "1") })),
	need(group("Azienda",
		need(leaf("AnnoMeseDenuncia", fPeriod, func(r *reader, t string) { r.list.Period = t })),
		need(leaf("CFAzienda", fBody, func(r *reader, t string) { r.list.BodyTaxCode = t })),
		need(leaf("RagSocAzienda", fBodyName, func(r *reader, t string) { r.list.BodyName = t })),
		need(group("ListaPosPA",
			need(leaf("PRGAZIENDA", fBodyNumber, func(r *reader, t string) { r.list.BodyNumber = t })),
			need(leaf("CFRappresentanteFirmatario", fSignatory, func(r *reader, t string) { r.list.SignatoryTaxCode = t })),
			need(leaf("ISTAT", fActivity, func(r *reader, t string) { r.list.ActivityCode = t })),
			need(leaf("FormaGiuridica", fLegalForm, func(r *reader, t string) { r.list.LegalForm = t })),
			carried("EnteVersanteMEF", nothing),
			need(many(group("PosPA",
				carried("EnteAppartenenza", nothing), carried("SedeServizio", nothing),
				need(many(worker())),
			).on((*reader).beginWorkers, nil))),
			carried("AltriImportiDovuti_Z2", nothing), carried("AltriImportiAConguaglio", nothing),
		).with("TipoListaPosPA", func(r *reader, value string) {
			r.list.VariationsOnly = true
			r.only(fOnlyVariations, value, "1")
		})),
	)),
)

func worker() *element {
	more := func(r *reader) { r.worker.carried = true }
	return group("D0_DenunciaIndividuale",
		need(leaf("CFLavoratore", fTaxCode, func(r *reader, t string) { r.worker.TaxCode = t })),
		need(leaf("Cognome", fFamilyName, func(r *reader, t string) { r.worker.FamilyName = t })),
		need(leaf("Nome", fGivenName, func(r *reader, t string) { r.worker.GivenName = t })),
		carried("DatiPrevCompl", nothing),
		need(group("DatiSedeLavoro",
			need(leaf("CodiceComune", fMunicipality, func(r *reader, t string) { r.worker.Workplace.MunicipalityCode = t })),
			need(leaf("CAP", fPostalCode, func(r *reader, t string) { r.worker.Workplace.PostalCode = t })),
		)),
		many(period(periodName, payer("AltroEnteVersante", fPayers))).on((*reader).beginPeriod, (*reader).endPeriod),
		carried("E1_FondoPensioneCompl", more), carried("F1_Ammortamento", more),
		many(period(
			priorName, payer("EnteVersante", fPriorPayers), also("CodiceMotivoUtilizzo"), also("Aliquota"), also("DescrMotivoUtilizzo"),
		)).on((*reader).beginVariation, (*reader).endVariation).with("CausaleVariazione", func(r *reader,
			value string,
		) {
			r.variation.Cause = value
		}),
	).on((*reader).beginWorker, (*reader).endWorker)
}

// also is what a period may have beside what is checked.
func also(name string) *element { return carried(name, func(r *reader) { r.period.carried = true }) }

func period(name string, more ...*element) *element {
	return group(name, append([]*element{
		need(leaf("GiornoInizio", fStart, func(r *reader, t string) { r.period.StartDay = t })),
		need(leaf("GiornoFine", fEnd, func(r *reader, t string) { r.period.EndDay = t })),
		group("InquadramentoLavPA",
			need(leaf("TipoImpiego", fEmployment, func(r *reader, t string) { r.period.Framing.EmploymentType = t })),
			need(leaf("TipoServizio", fService, func(r *reader, t string) { r.period.Framing.ServiceType = t })),
			also("PercRetribuzione"),
			need(leaf("Contratto", fContract, func(r *reader, t string) { r.period.Framing.Contract = t })),
			need(leaf("Qualifica", fQualification, func(r *reader, t string) { r.period.Framing.Qualification = t })),
			group("PartTimePA",
				need(leaf("TipoPartTime", fPartType, func(r *reader, t string) { r.period.Framing.PartTime.Type = t })),
				need(leaf("PercPartTime", fPartShare, func(r *reader, t string) { r.period.Framing.PartTime.Share = t })),
			).on(func(r *reader) { r.period.Framing.PartTime = &PartTime{} }, nil),
			need(leaf("RegimeFineServizio", fScheme, func(r *reader, t string) { r.period.Framing.SeveranceScheme = t })),
		).on(func(r *reader) { r.period.Framing = &Framing{} }, nil),
		funds(),
		leaf("CodiceCessazione", fTermination, func(r *reader, t string) { r.period.TerminationCode = t }),
		also("NumeroMensilita"), also("RetribTeoricaTabellareTFR"), also("ImponibileTFRUlterioriElem"), also("RetribValutabileTFR"),
		also("DataFineBeneficioCalamita"), also("ConguaglioImponibile"),
	}, more...)...)
}

func funds() *element {
	pension := func(r *reader) *Pension { return r.period.Funds.Pension }
	last := func(r *reader) *Recovery { return &pension(r).Recoveries[len(pension(r).Recoveries)-1] }
	severance := func(r *reader) *Severance { return r.period.Funds.Severance }
	return group("Gestioni",
		group("GestPensionistica",
			need(leaf("CodGestione", fPensionCode, func(r *reader, t string) { pension(r).Code = t })),
			need(amount("Imponibile", fPensionTaxable, func(r *reader) *Amount { return &pension(r).Taxable })),
			need(amount("Contributo", fPensionContribution, func(r *reader) *Amount { return &pension(r).Contribution })),
			amount("Contrib1PerCento", fPensionAdditional, func(r *reader) *Amount { return &pension(r).Additional }),
			amount("StipendioTabellare", fTableSalary, func(r *reader) *Amount { return &pension(r).TableSalary }),
			amount("RetribIndivAnzianita", fSeniority, func(r *reader) *Amount { return &pension(r).Seniority }),
			also("ImponibileEccMass"), also("IndennitaVolo"), also("MaggiorazBasePensL165_97"), also("GiorniUtiliFiniPensionistici"),
			also("RetribVirtualeFiniPens"), also("ContributoSospesoCalam"), also("Maggiorazione"), also("QuotaDatoreL166_91"),
			also("ContributoL166_91"),
			many(group("RecuperoSgravi",
				need(leaf("AnnoRif", fRecoveryYear, func(r *reader, t string) { last(r).Year = t })),
				need(leaf("MeseRif", fRecoveryMonth, func(r *reader, t string) { last(r).Month = month(t) })),
				need(leaf("CodiceRecupero", fRecoveryCode, func(r *reader, t string) { last(r).Code = t })),
				amount("AltroImponibile", fRecoveryOther, func(r *reader) *Amount { return &last(r).OtherTaxable }),
				need(amount("Importo", fRecoveryAmount, func(r *reader) *Amount { return &last(r).Amount })),
			)).on(func(r *reader) { pension(r).Recoveries = append(pension(r).Recoveries, Recovery{}) }, nil),
		).on(func(r *reader) { r.period.Funds.Pension = &Pension{} }, nil),
		group("GestPrevidenziale",
			need(leaf("CodGestione", fSeveranceCode, func(r *reader, t string) { severance(r).Code = t })),
			amount("ImponibileTFR", fTFRTaxable, func(r *reader) *Amount { return &severance(r).TFRTaxable }),
			amount("ContributoTFR", fTFRContribution, func(r *reader) *Amount { return &severance(r).TFRContribution }),
			amount("ImponibileTFS", fTFSTaxable, func(r *reader) *Amount { return &severance(r).TFSTaxable }),
			amount("ContributoTFS", fTFSContribution, func(r *reader) *Amount { return &severance(r).TFSContribution }),
			also("ImponibileTFREccMass"), also("ImponibileTFSEccMass"), also("ContributoSospesoPrev"),
			also("RetribTeoricaTabellareTFR"), also("ImponibileTFRUlterioriElem"), also("RetribValutabileTFR"),
		).on(func(r *reader) { r.period.Funds.Severance = &Severance{} }, nil),
		fund("GestCredito", fCredit, func(r *reader) **Fund { return &r.period.Funds.Credit }, also("AderenteCredito45_2007"),
			also("ImponibileEccMass")),
		fund("ENPDEP", fENPDEP, func(r *reader) **Fund { return &r.period.Funds.ENPDEP }),
		fund("ENAM", fENAM, func(r *reader) **Fund { return &r.period.Funds.ENAM }),
	).on(func(r *reader) { r.period.Funds = &Funds{} }, nil)
}

func fund(name string, f fundOf, at func(r *reader) **Fund, more ...*element) *element {
	return group(name, append([]*element{
		need(leaf("CodGestione", f.code, func(r *reader, t string) { (*at(r)).Code = t })),
		need(amount("Imponibile", f.taxable, func(r *reader) *Amount { return &(*at(r)).Taxable })),
		need(amount("Contributo", f.contribution, func(r *reader) *Amount { return &(*at(r)).Contribution })),
	}, more...)...).on(func(r *reader) { *at(r) = &Fund{} }, nil)
}

func payer(name string, f payerOf) *element {
	last := func(r *reader) *Payer { return &r.period.Payers[len(r.period.Payers)-1] }
	return many(group(name,
		need(leaf("TipoContributo", f.kind, func(r *reader, t string) { last(r).ContributionType = t })),
		need(leaf("CFAzienda", f.taxCode, func(r *reader, t string) { last(r).TaxCode = t })),
		need(leaf("PRGAZIENDA", f.number, func(r *reader, t string) { last(r).BodyNumber = t })),
		need(amount("Imponibile", f.taxable, func(r *reader) *Amount { return &last(r).Taxable })),
		need(amount("Contributo", f.contribution, func(r *reader) *Amount { return &last(r).Contribution })),
		leaf("AnnoMeseErogazione", f.paidIn, func(r *reader, t string) { last(r).PaidIn = t }),
		leaf("Aliquota", f.rate, func(r *reader, t string) { last(r).Rate = t }),
	)).on(func(r *reader) { r.period.Payers = append(r.period.Payers, Payer{}) }, nil)
}

func amount(name string, f *field, at func(r *reader) *Amount) *element {
	return leaf(name, f, func(r *reader, t string) { *at(r) = parseComma(t) })
}

// month reads a month as the institute takes it, without a zero before it. What is none is nought.
func month(t string) int {
	switch {
	case len(t) == 1 && t >= "1" && t <= "9":
		return int(t[0] - '0')
	case t == "10", t == "11", t == "12":
		return 10 + int(t[1]-'0')
	}
	return 0
}
