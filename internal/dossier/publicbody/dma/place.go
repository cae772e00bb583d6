package dma

import (
	"strconv"
	"strings"
)

// field is a place by its two names, below the part of the list that it is in. A # stands for the
// place among several.
type field struct{ json, xml string }

// The fields of the list itself.
var (
	fPeriod         = &field{"period", "Azienda/AnnoMeseDenuncia"}
	fSenderType     = &field{"sender", "DatiMittente/@Tipo"}
	fSenderPerson   = &field{"sender/person_tax_code", "DatiMittente/CFPersonaMittente"}
	fSenderName     = &field{"sender/legal_name", "DatiMittente/RagSocMittente"}
	fSenderCode     = &field{"sender/tax_code", "DatiMittente/CFMittente"}
	fSenderSoftware = &field{"sender/software_tax_code", "DatiMittente/CFSoftwarehouse"}
	fSenderOffice   = &field{"sender/office_code", "DatiMittente/SedeINPS"}
	fBody           = &field{"body_tax_code", "Azienda/CFAzienda"}
	fBodyName       = &field{"body_name", "Azienda/RagSocAzienda"}
	fBodyNumber     = &field{"body_number", "Azienda/ListaPosPA/PRGAZIENDA"}
	fSignatory      = &field{"signatory_tax_code", "Azienda/ListaPosPA/CFRappresentanteFirmatario"}
	fActivity       = &field{"activity_code", "Azienda/ListaPosPA/ISTAT"}
	fLegalForm      = &field{"legal_form", "Azienda/ListaPosPA/FormaGiuridica"}
	fOnlyVariations = &field{"variations_only", "Azienda/ListaPosPA/@TipoListaPosPA"}
	fWorkers        = &field{"workers", "Azienda/ListaPosPA/PosPA"}
)

// The fields of a worker.
var (
	fTaxCode      = &field{"tax_code", "CFLavoratore"}
	fFamilyName   = &field{"family_name", "Cognome"}
	fGivenName    = &field{"given_name", "Nome"}
	fMunicipality = &field{"workplace/municipality_code", "DatiSedeLavoro/CodiceComune"}
	fPostalCode   = &field{"workplace/postal_code", "DatiSedeLavoro/CAP"}
	fPeriods      = &field{"periods", "E0_PeriodoNelMese"}
	fAll          = &field{"", ""}
)

// The fields of a period, or of a variation.
var (
	fCause         = &field{"cause", "@CausaleVariazione"}
	fStart         = &field{"start_day", "GiornoInizio"}
	fEnd           = &field{"end_day", "GiornoFine"}
	fFraming       = &field{"framing", "InquadramentoLavPA"}
	fEmployment    = &field{"framing/employment_type", "InquadramentoLavPA/TipoImpiego"}
	fService       = &field{"framing/service_type", "InquadramentoLavPA/TipoServizio"}
	fContract      = &field{"framing/contract", "InquadramentoLavPA/Contratto"}
	fQualification = &field{"framing/qualification", "InquadramentoLavPA/Qualifica"}
	fPartType      = &field{"framing/part_time/type", "InquadramentoLavPA/PartTimePA/TipoPartTime"}
	fPartShare     = &field{"framing/part_time/share", "InquadramentoLavPA/PartTimePA/PercPartTime"}
	fScheme        = &field{"framing/severance_scheme", "InquadramentoLavPA/RegimeFineServizio"}
	fFunds         = &field{"funds", "Gestioni"}
	fTermination   = &field{"termination_code", "CodiceCessazione"}

	fPensionCode         = &field{"funds/pension/code", "Gestioni/GestPensionistica/CodGestione"}
	fPensionTaxable      = &field{"funds/pension/taxable", "Gestioni/GestPensionistica/Imponibile"}
	fPensionContribution = &field{"funds/pension/contribution", "Gestioni/GestPensionistica/Contributo"}
	fPensionAdditional   = &field{"funds/pension/additional", "Gestioni/GestPensionistica/Contrib1PerCento"}
	fTableSalary         = &field{"funds/pension/table_salary", "Gestioni/GestPensionistica/StipendioTabellare"}
	fSeniority           = &field{"funds/pension/seniority", "Gestioni/GestPensionistica/RetribIndivAnzianita"}
	fRecoveryYear        = &field{"funds/pension/recoveries/#/year", "Gestioni/GestPensionistica/RecuperoSgravi[#]/AnnoRif"}
	fRecoveryMonth       = &field{"funds/pension/recoveries/#/month", "Gestioni/GestPensionistica/RecuperoSgravi[#]/MeseRif"}
	fRecoveryCode        = &field{"funds/pension/recoveries/#/code", "Gestioni/GestPensionistica/RecuperoSgravi[#]/CodiceRecupero"}
	fRecoveryOther       = &field{
		"funds/pension/recoveries/#/other_taxable",
		"Gestioni/GestPensionistica/RecuperoSgravi[#]/AltroImponibile",
	}
	fRecoveryAmount = &field{"funds/pension/recoveries/#/amount", "Gestioni/GestPensionistica/RecuperoSgravi[#]/Importo"}

	fSeveranceCode   = &field{"funds/severance/code", "Gestioni/GestPrevidenziale/CodGestione"}
	fTFRTaxable      = &field{"funds/severance/tfr_taxable", "Gestioni/GestPrevidenziale/ImponibileTFR"}
	fTFRContribution = &field{"funds/severance/tfr_contribution", "Gestioni/GestPrevidenziale/ContributoTFR"}
	fTFSTaxable      = &field{"funds/severance/tfs_taxable", "Gestioni/GestPrevidenziale/ImponibileTFS"}
	fTFSContribution = &field{"funds/severance/tfs_contribution", "Gestioni/GestPrevidenziale/ContributoTFS"}

	fCredit = fundFields("credit", "GestCredito")
	fENPDEP = fundFields("enpdep", "ENPDEP")
	fENAM   = fundFields("enam", "ENAM")

	fPayers      = payerFields("AltroEnteVersante")
	fPriorPayers = payerFields("EnteVersante")
)

// fundOf are the fields of a Fund.
type fundOf struct{ code, taxable, contribution *field }

func fundFields(json, xml string) fundOf {
	json, xml = "funds/"+json+"/", "Gestioni/"+xml+"/"
	return fundOf{&field{json + "code", xml + "CodGestione"}, &field{json + "taxable", xml + "Imponibile"}, &field{
		json + "contribution",
		xml + "Contributo",
	}}
}

// payerOf are the fields of a Payer.
type payerOf struct{ kind, taxCode, number, taxable, contribution, paidIn, rate *field }

func payerFields(xml string) payerOf {
	of := func(json, name string) *field { return &field{"payers/#/" + json, xml + "[#]/" + name} }
	return payerOf{
		kind: of("contribution_type", "TipoContributo"), taxCode: of("tax_code", "CFAzienda"), number: of("body_number", "PRGAZIENDA"),
		taxable: of("taxable", "Imponibile"), contribution: of("contribution", "Contributo"), paidIn: of("paid_in", "AnnoMeseErogazione"),
		rate: of("rate", "Aliquota"),
	}
}

// part is which part of a list a field is in.
type part uint8

const (
	ofList part = iota
	ofWorker
	ofPeriod
	ofVariation
)

// place is one place in a list; numbers begin with nought.
type place struct {
	part                  part
	worker, period, index int
	field                 *field
}

const (
	rootName   = "DenunceMensili"
	workerPath = "/DenunceMensili/Azienda/ListaPosPA/PosPA/D0_DenunciaIndividuale"
	periodName = "E0_PeriodoNelMese"
	priorName  = "V1_PeriodoPrecedente"
)

// pointer is the place as a JSON pointer.
func (p place) pointer() string {
	at := ""
	if p.part != ofList {
		at = "/workers/" + strconv.Itoa(p.worker)
	}
	switch p.part {
	case ofPeriod:
		at += "/periods/" + strconv.Itoa(p.period)
	case ofVariation:
		at += "/variations/" + strconv.Itoa(p.period)
	case ofList, ofWorker:
	}
	if p.field.json == "" {
		return at
	}
	return at + "/" + strings.Replace(p.field.json, "#", strconv.Itoa(p.index), 1)
}

// path is the place as a path of elements.
func (p place) path() string {
	at := "/" + rootName
	if p.part != ofList {
		at = workerPath + numbered(p.worker)
	}
	switch p.part {
	case ofPeriod:
		at += "/" + periodName + numbered(p.period)
	case ofVariation:
		at += "/" + priorName + numbered(p.period)
	case ofList, ofWorker:
	}
	if p.field.xml == "" {
		return at
	}
	return at + "/" + strings.Replace(p.field.xml, "[#]", numbered(p.index), 1)
}

func numbered(i int) string { return "[" + strconv.Itoa(i+1) + "]" }
