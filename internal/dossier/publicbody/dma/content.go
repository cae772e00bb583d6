// Package dma reads, checks and writes the monthly list of public employees (DMA, today UNIEMENS
// ListaPosPA). It comes as XML, or compiled by hand as JSON; both go through the same checks.
//
// The names in JSON are English, those of the XML are the institute's own.
package dma

import (
	"encoding/json"
	"strings"

	"diresco/internal/platform/money"
)

// List is a list with its workers, as somebody compiles it by hand.
type List struct {
	Header
	Workers []Worker `json:"workers"`
}

// Header is what a list says of itself.
type Header struct {
	// Period is the month, YYYY-MM (AnnoMeseDenuncia).
	Period string `json:"period"`
	Sender Sender `json:"sender"`
	// BodyTaxCode and BodyName are whose list it is (CFAzienda, RagSocAzienda).
	BodyTaxCode string `json:"-"`
	BodyName    string `json:"-"`
	// BodyNumber tells the positions of one body apart (PRGAZIENDA).
	BodyNumber string `json:"body_number"`
	// SignatoryTaxCode is who signs (CFRappresentanteFirmatario).
	SignatoryTaxCode string `json:"signatory_tax_code"`
	// ActivityCode is ISTAT, LegalForm FormaGiuridica.
	ActivityCode string `json:"activity_code"`
	LegalForm    string `json:"legal_form"`
	// VariationsOnly marks a list without periods of its month (TipoListaPosPA="1").
	VariationsOnly bool `json:"variations_only,omitempty"`
}

// Sender is who sends a list (DatiMittente).
type Sender struct {
	PersonTaxCode string `json:"person_tax_code"`
	LegalName     string `json:"legal_name"`
	TaxCode       string `json:"tax_code"`
	// SoftwareTaxCode is that of who made the program; eleven zeros stand for none.
	SoftwareTaxCode string `json:"software_tax_code,omitempty"`
	OfficeCode      string `json:"office_code,omitempty"`
}

// Worker is what is declared of one person (D0_DenunciaIndividuale).
type Worker struct {
	TaxCode    string    `json:"tax_code"`
	FamilyName string    `json:"family_name"`
	GivenName  string    `json:"given_name"`
	Workplace  Workplace `json:"workplace"`
	// Periods are those of the month (E0_PeriodoNelMese).
	Periods []Period `json:"periods,omitempty"`
	// Variations are about months before (V1_PeriodoPrecedente).
	Variations []Variation `json:"variations,omitempty"`
	// carried says that there is more that is taken as it stands (E1, F1).
	carried bool
}

// Workplace is where somebody works (DatiSedeLavoro).
type Workplace struct {
	MunicipalityCode string `json:"municipality_code"`
	PostalCode       string `json:"postal_code"`
}

// Period is a period with what is owed for it.
type Period struct {
	StartDay string   `json:"start_day"`
	EndDay   string   `json:"end_day"`
	Framing  *Framing `json:"framing,omitempty"`
	Funds    *Funds   `json:"funds,omitempty"`
	// TerminationCode says why the service ended (CodiceCessazione).
	TerminationCode string `json:"termination_code,omitempty"`
	// Payers are others who pay (AltroEnteVersante; in a variation EnteVersante).
	Payers []Payer `json:"payers,omitempty"`
	// carried says that there is more that is taken as it stands.
	carried bool
}

// Variation is about a period that was declared before, or should have been.
type Variation struct {
	// Cause is 1 integration, 5 replacement, 6 annulment, 7 balance (CausaleVariazione).
	Cause string `json:"cause"`
	Period
}

// Framing is how the worker is employed (InquadramentoLavPA).
type Framing struct {
	EmploymentType  string    `json:"employment_type"`
	ServiceType     string    `json:"service_type"`
	Contract        string    `json:"contract"`
	Qualification   string    `json:"qualification"`
	PartTime        *PartTime `json:"part_time,omitempty"`
	SeveranceScheme string    `json:"severance_scheme"`
}

// PartTime is how much less than full time (PartTimePA). The share is in thousandths of a per cent.
type PartTime struct {
	Type  string `json:"type"`
	Share string `json:"share"`
}

// Funds are the managements (Gestioni) to which something is owed.
type Funds struct {
	Pension   *Pension   `json:"pension,omitempty"`
	Severance *Severance `json:"severance,omitempty"`
	Credit    *Fund      `json:"credit,omitempty"`
	ENPDEP    *Fund      `json:"enpdep,omitempty"`
	ENAM      *Fund      `json:"enam,omitempty"`
}

// Pension is GestPensionistica.
type Pension struct {
	Code         string `json:"code"`
	Taxable      Amount `json:"taxable"`
	Contribution Amount `json:"contribution"`
	// Additional is the one per cent on top (Contrib1PerCento).
	Additional  Amount     `json:"additional,omitzero"`
	TableSalary Amount     `json:"table_salary,omitzero"`
	Seniority   Amount     `json:"seniority,omitzero"`
	Recoveries  []Recovery `json:"recoveries,omitempty"`
}

// Severance is GestPrevidenziale, for one of two schemes: TFR or TFS.
type Severance struct {
	Code            string `json:"code"`
	TFRTaxable      Amount `json:"tfr_taxable,omitzero"`
	TFRContribution Amount `json:"tfr_contribution,omitzero"`
	TFSTaxable      Amount `json:"tfs_taxable,omitzero"`
	TFSContribution Amount `json:"tfs_contribution,omitzero"`
}

// Fund is GestCredito, ENPDEP or ENAM.
type Fund struct {
	Code         string `json:"code"`
	Taxable      Amount `json:"taxable"`
	Contribution Amount `json:"contribution"`
}

// Recovery is relief that is recovered (RecuperoSgravi). Month is 1 to 12.
type Recovery struct {
	Year         string `json:"year"`
	Month        int    `json:"month"`
	Code         string `json:"code"`
	OtherTaxable Amount `json:"other_taxable,omitzero"`
	Amount       Amount `json:"amount"`
}

// Payer is another body that pays a part.
type Payer struct {
	ContributionType string `json:"contribution_type"`
	TaxCode          string `json:"tax_code"`
	BodyNumber       string `json:"body_number"`
	Taxable          Amount `json:"taxable"`
	Contribution     Amount `json:"contribution"`
	// PaidIn and Rate are of variations alone (AnnoMeseErogazione, Aliquota).
	PaidIn string `json:"paid_in,omitempty"`
	Rate   string `json:"rate,omitempty"`
}

// Amount is an amount in euros, or none, or what is no amount. The XML has a decimal comma.
type Amount struct {
	cents money.Cents
	state amountState
}

type amountState uint8

const (
	absent amountState = iota
	right
	wrong
)

// mostDigits is how many digits an amount has before the decimals, so that no sum is too large.
const mostDigits = 9

// Cents returns how much it is: nothing where there is no amount.
func (a Amount) Cents() money.Cents { return a.cents }

// IsZero reports whether there is no amount, for what is left out of JSON.
func (a Amount) IsZero() bool { return a.state == absent }

// Euros is the amount of so many cents.
func Euros(c money.Cents) Amount { return Amount{c, right} }

func parseAmount(text string) Amount {
	cents, err := money.Parse(text)
	if err != nil || len(text) > mostDigits+len(".00") {
		return Amount{state: wrong}
	}
	return Amount{cents, right}
}

// parseComma reads an amount as the XML writes it: two decimals after a comma, no mark of
// thousands, no zero before the first digit.
func parseComma(text string) Amount {
	whole := len(text) - len(",00")
	if whole < 1 || whole > mostDigits || text[whole] != ',' || whole > 1 && text[0] == '0' {
		return Amount{state: wrong}
	}
	var cents money.Cents
	for i := range len(text) {
		switch digit := text[i]; {
		case i == whole:
		case digit < '0' || digit > '9':
			return Amount{state: wrong}
		default:
			cents = 10*cents + money.Cents(digit-'0')
		}
	}
	return Amount{cents, right}
}

func (a Amount) comma() string { return strings.Replace(a.cents.String(), ".", ",", 1) }

// MarshalJSON implements json.Marshaler.
func (a Amount) MarshalJSON() ([]byte, error) { return json.Marshal(a.cents.String()) }

// UnmarshalJSON implements json.Unmarshaler. What is no amount is found by the checks.
func (a *Amount) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	*a = parseAmount(s)
	return nil
}

// Summary counts and adds up what a list declares.
type Summary struct {
	Workers               int         `json:"workers"`
	Periods               int         `json:"periods"`
	Variations            int         `json:"variations"`
	PensionTaxable        money.Cents `json:"pension_taxable"`
	PensionContribution   money.Cents `json:"pension_contribution"`
	SeveranceTaxable      money.Cents `json:"severance_taxable"`
	SeveranceContribution money.Cents `json:"severance_contribution"`
	CreditTaxable         money.Cents `json:"credit_taxable"`
	CreditContribution    money.Cents `json:"credit_contribution"`
}

func (s *Summary) add(f *Funds) {
	if f == nil {
		return
	}
	if p := f.Pension; p != nil {
		s.PensionTaxable += p.Taxable.cents
		s.PensionContribution += p.Contribution.cents + p.Additional.cents
	}
	if p := f.Severance; p != nil {
		s.SeveranceTaxable += p.TFRTaxable.cents + p.TFSTaxable.cents
		s.SeveranceContribution += p.TFRContribution.cents + p.TFSContribution.cents
	}
	if p := f.Credit; p != nil {
		s.CreditTaxable += p.Taxable.cents
		s.CreditContribution += p.Contribution.cents
	}
}
