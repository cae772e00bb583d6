package dma

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"diresco/internal/platform/calendar"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/money"
	"diresco/internal/platform/taxcode"
)

// Rules are what a list is held against beside itself.
type Rules struct {
	// BodyTaxCode is whose list it must be; empty for anybody's.
	BodyTaxCode string
	// Now is when it is sent.
	Now time.Time
}

// firstPeriod is the first month that lists were made for in this form.
const firstPeriod = "2012-10"

// mostWrong is how many places one refusal names. What comes after them is not looked at.
const mostWrong = 100

// noSoftware stands for no maker of programs.
const noSoftware = "00000000000"

// checker holds a list against the rules, worker by worker. It keeps of those that it has seen
// only what tells a repeated one.
type checker struct {
	rules Rules
	// at finds the line of a place, and is nil where there are no lines.
	at func(place) int
	// period is the month of the list once that is known to be one.
	period string
	// onlyVariations says that the list is one of variations.
	onlyVariations bool
	// known is the tax code that was right last: that of a payer stands there again and again.
	known string
	wrong []fault.Field
	seen  map[span]struct{}
	sum   Summary
}

// span is what a period must not share with another one of the list.
type span struct {
	code       [16]byte
	cause      byte
	start, end [10]byte
}

func newChecker(rules Rules, at func(place) int) *checker {
	return &checker{rules: rules, at: at, seen: map[span]struct{}{}}
}

// Check holds a list that was compiled by hand against the rules. It returns fault.Invalid with the
// places that are wrong.
func (l List) Check(rules Rules) (Summary, error) {
	c := newChecker(rules, nil)
	c.header(&l.Header)
	for i := range l.Workers {
		if c.full() {
			break
		}
		c.worker(i, &l.Workers[i])
	}
	if len(l.Workers) == 0 {
		c.refuse(place{field: fWorkers}, fault.FieldTooFew, nil)
	}
	return c.result()
}

func (c *checker) result() (Summary, error) {
	if len(c.wrong) > 0 {
		return Summary{}, fault.InvalidFields(c.wrong...)
	}
	return c.sum, nil
}

func (c *checker) full() bool { return len(c.wrong) >= mostWrong }

func (c *checker) refuse(p place, code string, right *fault.Right) {
	if c.full() {
		return
	}
	f := fault.Field{Pointer: p.pointer(), Code: code, Right: right}
	if c.at != nil {
		f.Pointer, f.Line = p.path(), c.at(p)
	}
	c.wrong = append(c.wrong, f)
}

// header checks what a list says of itself.
func (c *checker) header(h *Header) {
	in := func(f *field) place { return place{field: f} }
	switch {
	case !isMonth(h.Period):
		c.text(in(fPeriod), h.Period, false, "2026-02")
	case h.Period < firstPeriod:
		c.refuse(in(fPeriod), fault.FieldTooEarly, &fault.Right{Expected: firstPeriod})
	case h.Period > calendar.DateIn(c.rules.Now).String()[:len(firstPeriod)]:
		c.refuse(in(fPeriod), fault.FieldInFuture, nil)
	default:
		c.period = h.Period
	}
	c.onlyVariations = h.VariationsOnly
	c.code(in(fSenderPerson), h.Sender.PersonTaxCode, true)
	c.name(in(fSenderName), h.Sender.LegalName, 250)
	c.code(in(fSenderCode), h.Sender.TaxCode, false)
	if s := h.Sender.SoftwareTaxCode; s != "" && s != noSoftware {
		c.code(in(fSenderSoftware), s, false)
	}
	if s := h.Sender.OfficeCode; s != "" {
		c.text(in(fSenderOffice), s, digits(s, 4, 4), "3000")
	}
	switch {
	case h.BodyTaxCode == "":
		c.refuse(in(fBody), fault.FieldRequired, nil)
	case c.rules.BodyTaxCode != "" && h.BodyTaxCode != c.rules.BodyTaxCode:
		c.refuse(in(fBody), fault.FieldOtherBody, nil)
	}
	c.name(in(fBodyName), h.BodyName, 250)
	c.text(in(fBodyNumber), h.BodyNumber, digits(h.BodyNumber, 5, 5), "00000")
	c.code(in(fSignatory), h.SignatoryTaxCode, true)
	c.text(in(fActivity), h.ActivityCode, capitals(h.ActivityCode, 12), "84111")
	c.text(in(fLegalForm), h.LegalForm, digits(h.LegalForm, 4, 4), "2430")
}

// worker checks what is declared of a person.
func (c *checker) worker(i int, w *Worker) {
	in := func(f *field) place { return place{part: ofWorker, worker: i, field: f} }
	c.code(in(fTaxCode), w.TaxCode, false)
	c.name(in(fFamilyName), w.FamilyName, 40)
	c.name(in(fGivenName), w.GivenName, 30)
	m := w.Workplace.MunicipalityCode
	c.text(in(fMunicipality), m, len(m) == 4 && capitals(m[:1], 1) && !digits(m[:1], 1, 1) && digits(m[1:], 3, 3), "B406")
	c.text(in(fPostalCode), w.Workplace.PostalCode, digits(w.Workplace.PostalCode, 5, 5), "50033")
	switch {
	case c.onlyVariations && (len(w.Periods) > 0 || w.carried):
		c.refuse(in(fPeriods), fault.FieldOnlyVariations, nil)
	case len(w.Periods)+len(w.Variations) == 0 && !w.carried:
		c.refuse(in(fPeriods), fault.FieldRequired, nil)
	}
	c.sum.Workers++
	for j := range w.Periods {
		c.ofMonth(place{part: ofPeriod, worker: i, period: j}, w.TaxCode, &w.Periods[j])
	}
	for j := range w.Variations {
		c.variation(place{part: ofVariation, worker: i, period: j}, w.TaxCode, &w.Variations[j])
	}
}

// ofMonth checks a period of the month of the list.
func (c *checker) ofMonth(p place, worker string, e *Period) {
	c.sum.Periods++
	c.sum.add(e.Funds)
	if c.days(p, worker, "", e) && c.period != "" && (e.StartDay[:7] != c.period || e.EndDay[:7] != c.period) {
		c.refuse(p.to(fEnd), fault.FieldOutsidePeriod, nil)
	}
	c.owed(p, e, fPayers, false)
}

// variation checks a period of before. One that is annulled has its days alone.
func (c *checker) variation(p place, worker string, v *Variation) {
	c.sum.Variations++
	if !slices.Contains([]string{"1", "5", "6", "7"}, v.Cause) {
		c.refuse(p.to(fCause), missingOr(v.Cause, fault.FieldEnum), &fault.Right{Allowed: []string{"1", "5", "6", "7"}})
	}
	if c.days(p, worker, v.Cause, &v.Period) && c.period != "" && v.EndDay[:7] > c.period {
		c.refuse(p.to(fEnd), fault.FieldOutsidePeriod, nil)
	}
	if v.Cause != annulment {
		c.sum.add(v.Funds)
		c.owed(p, &v.Period, fPriorPayers, true)
		return
	}
	if v.Framing != nil || v.Funds != nil || v.TerminationCode != "" || len(v.Payers) > 0 || v.carried {
		c.refuse(p.to(fAll), fault.FieldOnlyDays, nil)
	}
}

// annulment is the cause of a variation that takes back what was declared.
const annulment = "6"

// days checks the days of a period, and reports whether they are days in their order.
func (c *checker) days(p place, worker, cause string, e *Period) bool {
	start, end := isDay(e.StartDay), isDay(e.EndDay)
	c.text(p.to(fStart), e.StartDay, start, "2026-02-01")
	c.text(p.to(fEnd), e.EndDay, end, "2026-02-28")
	if !start || !end {
		return false
	}
	if e.EndDay < e.StartDay {
		c.refuse(p.to(fEnd), fault.FieldDayOrder, nil)
		return false
	}
	s := span{}
	copy(s.code[:], worker)
	copy(s.start[:], e.StartDay)
	copy(s.end[:], e.EndDay)
	if cause != "" {
		s.cause = cause[0]
	}
	if _, twice := c.seen[s]; twice {
		c.refuse(p.to(fStart), fault.FieldDuplicate, nil)
	}
	c.seen[s] = struct{}{}
	return true
}

// owed checks how the worker is employed and what is owed for the period.
func (c *checker) owed(p place, e *Period, payers payerOf, prior bool) {
	if e.Framing == nil {
		c.refuse(p.to(fFraming), fault.FieldRequired, nil)
	} else {
		c.framing(p, e.Framing)
	}
	if e.TerminationCode != "" {
		c.text(p.to(fTermination), e.TerminationCode, digits(e.TerminationCode, 1, 2), "3")
	}
	f := e.Funds
	if f == nil || *f == (Funds{}) {
		c.refuse(p.to(fFunds), fault.FieldRequired, nil)
		f = &Funds{}
	}
	var limit, paid money.Cents
	if f.Pension != nil {
		limit = c.pension(p, f.Pension)
	}
	if f.Severance != nil {
		c.severance(p, f.Severance)
	}
	c.fund(p, fCredit, f.Credit, "9")
	c.fund(p, fENPDEP, f.ENPDEP, "8")
	c.fund(p, fENAM, f.ENAM, "11")
	for i := range e.Payers {
		p.index = i
		if c.payer(p, payers, &e.Payers[i], prior) {
			paid += e.Payers[i].Contribution.cents
		}
	}
	p.index = 0
	if paid > limit {
		c.refuse(p.to(fPensionContribution), fault.FieldOverContribution, nil)
	}
}

func (c *checker) framing(p place, f *Framing) {
	c.text(p.to(fEmployment), f.EmploymentType, digits(f.EmploymentType, 1, 2), "1")
	c.text(p.to(fService), f.ServiceType, digits(f.ServiceType, 1, 2), "4")
	c.text(p.to(fContract), f.Contract, capitals(f.Contract, 4), "RALN")
	c.text(p.to(fQualification), f.Qualification, capitals(f.Qualification, 6), "042000")
	c.one(p.to(fScheme), f.SeveranceScheme, "1", "2", "3")
	if t := f.PartTime; t != nil {
		c.one(p.to(fPartType), t.Type, "M", "O", "P", "V")
		c.text(p.to(fPartShare), t.Share, digits(t.Share, 1, 6) && t.Share[0] != '0', "50000")
	}
}

// pension checks what is owed to the pension fund, and returns the contribution in all.
func (c *checker) pension(p place, f *Pension) money.Cents {
	c.one(p.to(fPensionCode), f.Code, "1", "2", "3", "4", "5")
	c.amount(p.to(fPensionTaxable), f.Taxable, true)
	c.amount(p.to(fPensionContribution), f.Contribution, true)
	c.amount(p.to(fPensionAdditional), f.Additional, false)
	c.amount(p.to(fTableSalary), f.TableSalary, false)
	c.amount(p.to(fSeniority), f.Seniority, false)
	for i := range f.Recoveries {
		p.index = i
		r := &f.Recoveries[i]
		c.text(p.to(fRecoveryYear), r.Year, digits(r.Year, 4, 4), "2026")
		if r.Month < 1 || r.Month > 12 {
			// The institute takes 3, and not 03.
			c.refuse(p.to(fRecoveryMonth), fault.FieldPattern, &fault.Right{Example: "3"})
		}
		c.text(p.to(fRecoveryCode), r.Code, capitals(r.Code, 4), "1")
		c.amount(p.to(fRecoveryOther), r.OtherTaxable, false)
		c.amount(p.to(fRecoveryAmount), r.Amount, true)
	}
	return f.Contribution.cents + f.Additional.cents
}

// severance checks what is owed for the end of service: by one scheme, or by the other.
func (c *checker) severance(p place, f *Severance) {
	c.one(p.to(fSeveranceCode), f.Code, "6", "7")
	tfr := !f.TFRTaxable.IsZero() || !f.TFRContribution.IsZero()
	tfs := !f.TFSTaxable.IsZero() || !f.TFSContribution.IsZero()
	c.amount(p.to(fTFRTaxable), f.TFRTaxable, tfr || !tfs)
	c.amount(p.to(fTFRContribution), f.TFRContribution, tfr || !tfs)
	c.amount(p.to(fTFSTaxable), f.TFSTaxable, tfs)
	c.amount(p.to(fTFSContribution), f.TFSContribution, tfs)
	if tfr && tfs {
		c.refuse(p.to(fTFSTaxable), fault.FieldNotApplicable, nil)
	}
}

func (c *checker) fund(p place, fields fundOf, f *Fund, code string) {
	if f == nil {
		return
	}
	c.one(p.to(fields.code), f.Code, code)
	c.amount(p.to(fields.taxable), f.Taxable, true)
	c.amount(p.to(fields.contribution), f.Contribution, true)
}

// payer checks who else pays, and reports whether that is a part of the pension's contribution.
func (c *checker) payer(p place, fields payerOf, y *Payer, prior bool) bool {
	c.one(p.to(fields.kind), y.ContributionType, "1", "2", "3", "4", "5", "6", "7", "8", "9")
	c.code(p.to(fields.taxCode), y.TaxCode, false)
	c.text(p.to(fields.number), y.BodyNumber, digits(y.BodyNumber, 5, 5), "00000")
	c.amount(p.to(fields.taxable), y.Taxable, true)
	c.amount(p.to(fields.contribution), y.Contribution, true)
	for _, more := range []struct {
		field *field
		value string
		right bool
		like  string
	}{{fields.paidIn, y.PaidIn, isMonth(y.PaidIn), "2026-02"}, {fields.rate, y.Rate, y.Rate == "1" || y.Rate == "2", "2"}} {
		if more.value == "" {
			continue
		}
		if !prior {
			c.refuse(p.to(more.field), fault.FieldNotApplicable, nil)
			continue
		}
		c.text(p.to(more.field), more.value, more.right, more.like)
	}
	return y.ContributionType == "1" || y.ContributionType == "5"
}

func (p place) to(f *field) place {
	p.field = f
	return p
}

// text refuses what is missing, or is not right.
func (c *checker) text(p place, value string, right bool, like string) {
	if !right {
		c.refuse(p, missingOr(value, fault.FieldPattern), &fault.Right{Example: like})
	}
}

func missingOr(value, code string) string {
	if value == "" {
		return fault.FieldRequired
	}
	return code
}

func (c *checker) one(p place, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		c.refuse(p, missingOr(value, fault.FieldEnum), &fault.Right{Allowed: allowed})
	}
}

// name refuses what is too long or cannot stand in an XML file.
func (c *checker) name(p place, value string, most int64) {
	switch {
	case value == "":
		c.refuse(p, fault.FieldRequired, nil)
	case utf8.RuneCountInString(value) > int(most):
		c.refuse(p, fault.FieldTooLong, &fault.Right{MaxLength: &most})
	case strings.ContainsFunc(value, unwritable) || strings.TrimSpace(value) != value:
		c.refuse(p, fault.FieldCharacter, nil)
	}
}

func unwritable(r rune) bool {
	return unicode.IsControl(r) || r == utf8.RuneError || r == '\uFFFE' || r == '\uFFFF'
}

// code refuses what is no tax code, as it is written in the tax authority's register.
func (c *checker) code(p place, value string, person bool) {
	if value == c.known && value != "" && !person {
		return
	}
	code, err := taxcode.Parse(value)
	switch {
	case value == "":
		c.refuse(p, fault.FieldRequired, nil)
	case err != nil:
		var right *fault.Right
		if want := taxcode.CheckCharacter(err); want != "" {
			right = &fault.Right{CheckCharacter: want}
		}
		c.refuse(p, fault.FieldFormat, right)
	case code.Clear() != value, person && !code.IsPerson():
		c.refuse(p, fault.FieldFormat, nil)
	default:
		c.known = value
	}
}

func (c *checker) amount(p place, a Amount, required bool) {
	switch {
	case a.state == wrong:
		like := "1850.00"
		if c.at != nil {
			like = "1850,00"
		}
		c.refuse(p, fault.FieldPattern, &fault.Right{Example: like})
	case a.state == absent && required:
		c.refuse(p, fault.FieldRequired, nil)
	}
}

// digits reports whether a text is that many digits.
func digits(s string, least, most int) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) >= least && len(s) <= most
}

// capitals reports whether a text is up to that many capital letters and digits, one at least.
func capitals(s string, most int) bool {
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && (s[i] < 'A' || s[i] > 'Z') {
			return false
		}
	}
	return s != "" && len(s) <= most
}

func isMonth(s string) bool {
	return len(s) == 7 && digits(s[:4], 4, 4) && s[4] == '-' && digits(s[5:], 2, 2) && s[5:] >= "01" && s[5:] <= "12"
}

func isDay(s string) bool {
	if len(s) != 10 || !isMonth(s[:7]) || s[7] != '-' || !digits(s[8:], 2, 2) || s[8:] < "01" {
		return false
	}
	if s[8:] <= "28" {
		return true
	}
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}
