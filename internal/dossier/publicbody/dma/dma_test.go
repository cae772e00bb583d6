package dma_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
	"pgregory.net/rapid"

	"diresco/internal/dossier/publicbody/dma"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/money"
)

const (
	body   = "80039510484"
	worker = "/DenunceMensili/Azienda/ListaPosPA/PosPA/D0_DenunciaIndividuale"
)

var rules = dma.Rules{BodyTaxCode: body, Now: time.Date(2026, 3, 16, 9, 0, 0, 0, time.UTC)}

// example is a list as somebody compiles it by hand.
const example = `{
	"period": "2026-02",
	"sender": {"person_tax_code": "RSSMRA80A01H501U", "legal_name": "Comune di Castel Mugello", "tax_code": "80039510484", "office_code": "3000"},
	"body_number": "00000", "signatory_tax_code": "RSSMRA80A01H501U", "activity_code": "84111", "legal_form": "2430",
	"workers": [
		{"tax_code": "MKJRLA80A01L407X", "family_name": "D'Alò & Figli", "given_name": "Niccolò",
		 "workplace": {"municipality_code": "B406", "postal_code": "50033"},
		 "periods": [{"start_day": "2026-02-01", "end_day": "2026-02-28",
			"framing": {"employment_type": "8", "service_type": "4", "contract": "RALN", "qualification": "042000",
				"part_time": {"type": "O", "share": "50000"}, "severance_scheme": "3"},
			"funds": {
				"pension": {"code": "2", "taxable": "1850.00", "contribution": "440.30", "additional": "1.85", "table_salary": "1700.00", "seniority": "0.00",
					"recoveries": [{"year": "2025", "month": 4, "code": "30", "amount": "13.54"}]},
				"severance": {"code": "6", "tfs_taxable": "1480.00", "tfs_contribution": "90.28"},
				"credit": {"code": "9", "taxable": "1850.00", "contribution": "6.48"},
				"enpdep": {"code": "8", "taxable": "1850.00", "contribution": "1.72"}},
			"termination_code": "3",
			"payers": [{"contribution_type": "1", "tax_code": "80039510484", "body_number": "00000", "taxable": "1850.00", "contribution": "442.15"}]}]},
		{"tax_code": "RSSMRA80A01H501U", "family_name": "Rossi", "given_name": "Mario",
		 "workplace": {"municipality_code": "B406", "postal_code": "50033"},
		 "variations": [
			{"cause": "6", "start_day": "2025-12-01", "end_day": "2025-12-31"},
			{"cause": "5", "start_day": "2025-12-01", "end_day": "2025-12-31",
			 "framing": {"employment_type": "1", "service_type": "4", "contract": "RALN", "qualification": "042000", "severance_scheme": "1"},
			 "funds": {"pension": {"code": "2", "taxable": "2000.00", "contribution": "476.00"},
				"severance": {"code": "6", "tfr_taxable": "2000.00", "tfr_contribution": "122.00"},
				"enam": {"code": "11", "taxable": "2000.00", "contribution": "16.00"}},
			 "payers": [{"contribution_type": "9", "tax_code": "80039510484", "body_number": "00000", "taxable": "2000.00", "contribution": "7.00",
				"paid_in": "2025-12", "rate": "2"}]}]}
	]}`

func exampleList(t testing.TB) dma.List {
	t.Helper()
	var l dma.List
	if err := json.Unmarshal([]byte(example), &l); err != nil {
		t.Fatal(err)
	}
	l.BodyTaxCode, l.BodyName = body, "Comune di Castel Mugello"
	return l
}

func exampleXML(t testing.TB) string { return written(t, exampleList(t)) }

func written(t testing.TB, l dma.List) string {
	t.Helper()
	var out bytes.Buffer
	if err := l.WriteXML(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// read reads a file with all its workers.
func read(file string) (l dma.List, sum dma.Summary, err error) {
	l.Header, sum, err = dma.ReadXML(strings.NewReader(file), rules, func(w *dma.Worker) { l.Workers = append(l.Workers, *w) })
	return l, sum, err
}

func asJSON(t testing.TB, l dma.List) string {
	t.Helper()
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDMA_WhatIsWrittenIsReadAgain(t *testing.T) {
	list := exampleList(t)
	want, err := list.Check(rules)
	if err != nil {
		t.Fatal(err)
	}
	again, sum, err := read(exampleXML(t))
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if sum != want || sum.Workers != 2 || sum.Periods != 1 || sum.Variations != 2 || sum.PensionContribution != 44215+47600 {
		t.Errorf("added up %+v, then %+v", want, sum)
	}
	if diff := cmp.Diff(asJSON(t, list), asJSON(t, again)); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(exampleXML(t), "<Contributo>440,30</Contributo>") || !strings.Contains(exampleXML(t), "<MeseRif>4</MeseRif>") {
		t.Error("amounts have no comma, or a month has a zero")
	}
}

// Whatever amounts, months and names a list has, what is written is what is read.
func TestDMA_AnyFiguresAreReadAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		list := exampleList(t)
		cents := rapid.Int64Range(0, 99_999_999_999)
		period := &list.Workers[0].Periods[0]
		p := period.Funds.Pension
		p.Taxable, p.Contribution = dma.Euros(money.Cents(cents.Draw(rt, "taxable"))), dma.Euros(money.Cents(cents.Draw(rt, "contribution")))
		p.Additional = dma.Euros(p.Taxable.Cents())
		p.Recoveries[0].Month = rapid.IntRange(1, 12).Draw(rt, "month")
		period.Payers = nil
		name := rapid.StringMatching(`[A-Za-zÀ-ÿ<>&"'\]]([A-Za-zÀ-ÿ<>&"' \]]{0,28}[A-Z])?`)
		list.Workers[0].FamilyName, list.Workers[1].GivenName = name.Draw(rt, "family name"), name.Draw(rt, "given name")
		want, err := list.Check(rules)
		if err != nil {
			rt.Fatalf("%+v", err)
		}
		again, sum, err := read(written(t, list))
		if err != nil || sum != want {
			rt.Fatalf("added up %+v, then %+v, %+v", want, sum, err)
		}
		if diff := cmp.Diff(asJSON(t, list), asJSON(t, again)); diff != "" {
			rt.Error(diff)
		}
	})
}

// wrong lists what an error says is wrong: place, code and line.
func wrong(t testing.TB, err error) []string {
	t.Helper()
	var f *fault.Fault
	if err == nil {
		return nil
	}
	if !errors.As(err, &f) || f.Code != fault.Invalid {
		t.Fatalf("%v is no refusal", err)
	}
	all := make([]string, len(f.Fields))
	for i, field := range f.Fields {
		all[i] = strings.TrimSpace(field.Pointer + " " + field.Code)
		if field.Line > 0 {
			all[i] += " " + strconv.Itoa(field.Line)
		}
	}
	return all
}

// lineOf is the line on which a text stands first.
func lineOf(t testing.TB, file, text string) string {
	t.Helper()
	before, _, found := strings.Cut(file, text)
	if !found {
		t.Fatalf("%q is not in the file", text)
	}
	return strconv.Itoa(1 + strings.Count(before, "\n"))
}

// Each rule is broken by one change to the file; the line is that of what is wrong.
func TestDMA_AFileIsRefusedAtItsElementAndLine(t *testing.T) {
	pension := worker + "[1]/E0_PeriodoNelMese[1]/Gestioni/GestPensionistica"
	for name, c := range map[string]struct {
		from, to, path, code string
		// at is the text whose line is named, where that is not what the change makes.
		at string
	}{
		"check letter":             {"<CFLavoratore>MKJRLA80A01L407X", "<CFLavoratore>MKJRLA80A01L407Y", worker + "[1]/CFLavoratore", fault.FieldFormat, ""},
		"a code in lower case":     {"<CFLavoratore>MKJRLA80A01L407X", "<CFLavoratore>mkjrla80a01l407x", worker + "[1]/CFLavoratore", fault.FieldFormat, ""},
		"second worker":            {"<CFLavoratore>RSSMRA80A01H501U", "<CFLavoratore>RSSMRA80A01H501V", worker + "[2]/CFLavoratore", fault.FieldFormat, ""},
		"another body":             {"<CFAzienda>" + body, "<CFAzienda>00743110157", "/DenunceMensili/Azienda/CFAzienda", fault.FieldOtherBody, ""},
		"to come":                  {">2026-02<", ">2026-04<", "/DenunceMensili/Azienda/AnnoMeseDenuncia", fault.FieldInFuture, ""},
		"too early":                {">2026-02<", ">2012-09<", "/DenunceMensili/Azienda/AnnoMeseDenuncia", fault.FieldTooEarly, ""},
		"no month":                 {">2026-02<", ">2026-13<", "/DenunceMensili/Azienda/AnnoMeseDenuncia", fault.FieldPattern, ""},
		"a point":                  {"440,30", "440.30", pension + "/Contributo", fault.FieldPattern, ""},
		"no comma":                 {"440,30", "44030", pension + "/Contributo", fault.FieldPattern, ""},
		"thousands":                {">1850,00", ">1.850,00", pension + "/Imponibile", fault.FieldPattern, ""},
		"below zero":               {"1,85<", "-1,85<", pension + "/Contrib1PerCento", fault.FieldPattern, ""},
		"a month with a zero":      {"<MeseRif>4", "<MeseRif>04", pension + "/RecuperoSgravi[1]/MeseRif", fault.FieldPattern, ""},
		"more paid than owed":      {">442,15", ">442,16", pension + "/Contributo", fault.FieldOverContribution, "440,30"},
		"no such fund":             {"<CodGestione>6", "<CodGestione>5", worker + "[1]/E0_PeriodoNelMese[1]/Gestioni/GestPrevidenziale/CodGestione", fault.FieldEnum, ""},
		"no such scheme":           {"<RegimeFineServizio>3", "<RegimeFineServizio>4", worker + "[1]/E0_PeriodoNelMese[1]/InquadramentoLavPA/RegimeFineServizio", fault.FieldEnum, ""},
		"days in the wrong order":  {"<GiornoInizio>2025-12-01</GiornoInizio>", "<GiornoInizio>2026-01-01</GiornoInizio>", worker + "[2]/V1_PeriodoPrecedente[1]/GiornoFine", fault.FieldDayOrder, "<GiornoFine>2025-12-31"},
		"no day":                   {"<GiornoFine>2026-02-28", "<GiornoFine>2026-02-30", worker + "[1]/E0_PeriodoNelMese[1]/GiornoFine", fault.FieldPattern, ""},
		"outside the month":        {"<GiornoInizio>2026-02-01", "<GiornoInizio>2026-01-31", worker + "[1]/E0_PeriodoNelMese[1]/GiornoFine", fault.FieldOutsidePeriod, "<GiornoFine>2026-02-28"},
		"no cause":                 {` CausaleVariazione="5"`, "", worker + "[2]/V1_PeriodoPrecedente[2]/@CausaleVariazione", fault.FieldRequired, "-"},
		"no such cause":            {`CausaleVariazione="5"`, `CausaleVariazione="2"`, worker + "[2]/V1_PeriodoPrecedente[2]/@CausaleVariazione", fault.FieldEnum, ""},
		"a period twice":           {`CausaleVariazione="5"`, `CausaleVariazione="6"`, worker + "[2]/V1_PeriodoPrecedente[2]/GiornoInizio", fault.FieldDuplicate, "-"},
		"only variations":          {"<ListaPosPA>", `<ListaPosPA TipoListaPosPA="1">`, worker + "[1]/E0_PeriodoNelMese", fault.FieldOnlyVariations, "<D0_DenunciaIndividuale>"},
		"not the mark of a list":   {"<ListaPosPA>", `<ListaPosPA TipoListaPosPA="2">`, "/DenunceMensili/Azienda/ListaPosPA/@TipoListaPosPA", fault.FieldEnum, ""},
		"a misspelt element":       {"<Nome>Mario</Nome>", "<Nomme>Mario</Nomme>", worker + "[2]/Nomme", fault.FieldUnknown, ""},
		"an element twice":         {"<Nome>Mario</Nome>", "<Nome>Mario</Nome><Nome>Mario</Nome>", worker + "[2]/Nome", fault.FieldRepeated, ""},
		"a name that is missing":   {"<Nome>Mario</Nome>", "", worker + "[2]/Nome", fault.FieldRequired, "-"},
		"an empty name":            {"<Nome>Mario</Nome>", "<Nome> </Nome>", worker + "[2]/Nome", fault.FieldRequired, ""},
		"a part that is missing":   {"<ListaPosPA>", "<ListaPosPa>", "/DenunceMensili/Azienda/ListaPosPa", fault.FieldUnknown, ""},
		"no kind of sender":        {`<DatiMittente Tipo="1">`, "<DatiMittente>", "/DenunceMensili/DatiMittente/@Tipo", fault.FieldRequired, ""},
		"no kind, but another":     {`<DatiMittente Tipo="1">`, `<DatiMittente tipo="1">`, "/DenunceMensili/DatiMittente/@tipo", fault.FieldUnknown, "-"},
		"an attribute":             {"<PosPA>", `<PosPA id="1">`, "/DenunceMensili/Azienda/ListaPosPA/PosPA/@id", fault.FieldUnknown, ""},
		"a namespace":              {"<DenunceMensili>", `<DenunceMensili xmlns="urn:x">`, "/DenunceMensili/@xmlns", fault.FieldUnknown, ""},
		"text between elements":    {"<PosPA>", "<PosPA>text", "/DenunceMensili/Azienda/ListaPosPA/PosPA", fault.FieldStrayText, "-"},
		"a document type":          {"<DenunceMensili>", "<!DOCTYPE x [<!ENTITY a \"b\">]>\n<DenunceMensili>", "/", fault.FieldDocumentType, "<!DOCTYPE"},
		"a long document type":     {"<DenunceMensili>", "<!DOCTYPE x [" + strings.Repeat(`<!ENTITY a "b">`, 1000) + "]>\n<DenunceMensili>", "/", fault.FieldDocumentType, "<!DOCTYPE"},
		"an entity":                {"<Nome>Mario", "<Nome>&mario;", worker + "[2]/Nome", fault.FieldSyntax, ""},
		"an instruction":           {"<PosPA>", "<PosPA><?php x ?>", "/DenunceMensili/Azienda/ListaPosPA/PosPA", fault.FieldInstruction, ""},
		"a second declaration":     {"<PosPA>", `<PosPA><?xml version="1.0"?>`, "/DenunceMensili/Azienda/ListaPosPA/PosPA", fault.FieldInstruction, ""},
		"elements that cross":      {"</Cognome>", "</Nome>", worker + "[1]/Cognome", fault.FieldSyntax, ""},
		"another root":             {"<DenunceMensili>", "<Denunce>", "/Denunce", fault.FieldUnknown, ""},
		"an encoding of two bytes": {`encoding="UTF-8"`, `encoding="UTF-16"`, "/", fault.FieldXMLEncoding, ""},
		"another encoding":         {`encoding="UTF-8"`, `encoding="EBCDIC-CP-IT"`, "/", fault.FieldXMLEncoding, ""},
		"not the encoding":         {"Mario", "Mari\xF2", worker + "[2]/Nome", fault.FieldXMLEncoding, ""},
		"a text that never ends":   {"<Nome>Mario", "<Nome>" + strings.Repeat("x", 9000), worker + "[2]/Nome", fault.FieldTooLong, ""},
		"a long text":              {"<Nome>Mario", "<Nome>" + strings.Repeat("x", 2000), worker + "[2]/Nome", fault.FieldTooLong, ""},
	} {
		file := strings.Replace(exampleXML(t), c.from, c.to, 1)
		if file == exampleXML(t) {
			t.Fatalf("%s changes nothing", name)
		}
		_, _, err := read(file)
		got, at := wrong(t, err), c.to
		if c.at != "" {
			at = c.at
		}
		line := ""
		if at != "-" {
			line = " " + lineOf(t, file, at)
		}
		if len(got) == 0 || !strings.HasPrefix(got[0]+" ", c.path+" "+c.code+line+" ") {
			t.Errorf("%s: %v, want %s %s%s", name, got, c.path, c.code, line)
		}
	}
}

// All that is wrong is named at once, in the order of the file; one mistake names one place.
func TestDMA_NamesAllThatIsWrong(t *testing.T) {
	file := strings.NewReplacer("MKJRLA80A01L407X", "MKJRLA80A01L407Y", "440,30", "440.30", "<Nome>Mario</Nome>", "").Replace(exampleXML(t))
	_, _, err := read(file)
	want := []string{
		worker + "[1]/CFLavoratore format " + lineOf(t, file, "MKJRLA80A01L407Y"),
		worker + "[1]/E0_PeriodoNelMese[1]/Gestioni/GestPensionistica/Contributo pattern " + lineOf(t, file, "440.30"),
		worker + "[1]/E0_PeriodoNelMese[1]/Gestioni/GestPensionistica/Contributo over-contribution " + lineOf(t, file, "440.30"),
	}
	if got := wrong(t, err); !cmp.Equal(got[:3], want) || len(got) != 4 {
		t.Errorf("%q", got)
	}
	_, _, err = read(strings.ReplaceAll(written(t, crowd(t, 300)), "<Nome>", "<Nome>  \t</Nome><Nome>"))
	if got := wrong(t, err); len(got) != 100 {
		t.Errorf("%d places", len(got))
	}
}

// crowd is the example with so many workers.
func crowd(t testing.TB, n int) dma.List {
	t.Helper()
	l := exampleList(t)
	one := l.Workers[0]
	l.Workers = nil
	for i := range n {
		w, p := one, one.Periods[0]
		// Many periods of one person, none of them twice.
		p.StartDay = time.Date(2026, 2, 1+i%28, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		w.Periods = []dma.Period{p}
		w.TaxCode = codes[i/28%len(codes)]
		l.Workers = append(l.Workers, w)
	}
	return l
}

// codes are the tax codes of people.
var codes = []string{
	"MKJRLA80A01L407X", "RSSMRA80A01H501U", "RSSMRA80A01H50MM", "RSSMRA80A01H5L1F", "RSSMRAULALMHRLMD", "BNCLRA75D52F205V", "BNCLNE85M41H501P",
	"VRDPLA72H21D612L", "00743110157", "80039510484", "06829140158",
}

// By hand the same rules hold, with pointers into the JSON.
func TestDMA_ACompiledListIsHeldAgainstTheSameRules(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*dma.List)
		want   string
	}{
		"check letter":                 {func(l *dma.List) { l.Workers[0].TaxCode = "MKJRLA80A01L407Y" }, "/workers/0/tax_code format"},
		"another body":                 {func(l *dma.List) { l.BodyTaxCode = "00743110157" }, "/body_tax_code other-body"},
		"to come":                      {func(l *dma.List) { l.Period = "2026-04" }, "/period in-future"},
		"no workers":                   {func(l *dma.List) { l.Workers = nil }, "/workers too-few"},
		"recovery":                     {func(l *dma.List) { l.Workers[0].Periods[0].Funds.Pension.Recoveries[0].Month = 13 }, "/workers/0/periods/0/funds/pension/recoveries/0/month pattern"},
		"only days":                    {func(l *dma.List) { l.Workers[1].Variations[1].Cause = "6" }, "/workers/1/variations/1/start_day duplicate"},
		"annulment":                    {func(l *dma.List) { l.Workers[1].Variations[0].TerminationCode = "3" }, "/workers/1/variations/0 only-days"},
		"nothing owed":                 {func(l *dma.List) { l.Workers[1].Variations[1].Funds = &dma.Funds{} }, "/workers/1/variations/1/funds required"},
		"two schemes":                  {func(l *dma.List) { l.Workers[0].Periods[0].Funds.Severance.TFRTaxable = dma.Euros(1) }, "/workers/0/periods/0/funds/severance/tfr_contribution required"},
		"nothing at all":               {func(l *dma.List) { l.Workers[0].Periods = nil }, "/workers/0/periods required"},
		"payer":                        {func(l *dma.List) { l.Workers[0].Periods[0].Payers[0].PaidIn = "2026-02" }, "/workers/0/periods/0/payers/0/paid_in not-applicable"},
		"a name that no file can hold": {func(l *dma.List) { l.Workers[0].GivenName = "a\uFFFEb" }, "/workers/0/given_name forbidden-character"},
		"blanks around a name":         {func(l *dma.List) { l.Workers[0].GivenName = " a" }, "/workers/0/given_name forbidden-character"},
	} {
		list := exampleList(t)
		c.change(&list)
		_, err := list.Check(rules)
		if got := wrong(t, err); len(got) == 0 || got[0] != c.want {
			t.Errorf("%s: %q, want %s", name, got, c.want)
		}
	}
}

// An annulment has its days alone, also where it has what is not read.
func TestDMA_AnAnnulmentHasOnlyDays(t *testing.T) {
	file := strings.Replace(exampleXML(t), "</GiornoFine>\n          </V1", "</GiornoFine><NumeroMensilita>1</NumeroMensilita>\n          </V1", 1)
	_, _, err := read(file)
	if got, want := wrong(t, err), worker+"[2]/V1_PeriodoPrecedente[1] only-days "+lineOf(t, file, `CausaleVariazione="6"`); !slices.Equal(got, []string{want}) {
		t.Errorf("%q, want %q", got, want)
	}
}

// All individual parts stand in one list.
func TestDMA_OneListHasAllWorkers(t *testing.T) {
	file := strings.Replace(exampleXML(t), "</D0_DenunciaIndividuale>", "</D0_DenunciaIndividuale></PosPA><PosPA>", 1)
	_, _, err := read(file)
	if got := wrong(t, err); len(got) != 1 || !strings.HasPrefix(got[0], "/DenunceMensili/Azienda/ListaPosPA/PosPA one-list ") {
		t.Errorf("%q", got)
	}
}

func TestDMA_ReadsTheEncodingsThatProgramsWrite(t *testing.T) {
	want := asJSON(t, exampleList(t))
	latin, err := charmap.Windows1252.NewEncoder().String(exampleXML(t))
	if err != nil {
		t.Fatal(err)
	}
	declare := func(file, encoding string) string { return strings.Replace(file, "UTF-8", encoding, 1) }
	for name, file := range map[string]string{
		"mark": "\uFEFF" + exampleXML(t), "ISO-8859-1": declare(latin, "ISO-8859-1"), "windows-1252": declare(latin, "Windows-1252"),
		"none": strings.TrimPrefix(exampleXML(t), `<?xml version="1.0" encoding="UTF-8"?>`), "Windows' lines": strings.ReplaceAll(exampleXML(t), "\n", "\r\n"),
		"comments": strings.Replace(exampleXML(t), "<PosPA>", "<!-- in un solo blocco --><PosPA>", 1),
		"where the schema is": strings.Replace(exampleXML(t), "<DenunceMensili>",
			`<DenunceMensili xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="DenunceMensili.xsd">`, 1),
		"what is taken as it stands": strings.Replace(exampleXML(t), "</PosPA>", "</PosPA><AltriImportiDovuti_Z2><A b=\"c\">x</A></AltriImportiDovuti_Z2>", 1),
	} {
		list, _, err := read(file)
		if err != nil {
			t.Errorf("%s: %q", name, wrong(t, err))
		} else if diff := cmp.Diff(want, asJSON(t, list)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

// What breaks off is refused, wherever it does, and a reader that fails is no fault of the sender.
func TestDMA_AFileIsReadToItsEnd(t *testing.T) {
	file := strings.TrimSpace(exampleXML(t))
	for n := 0; n < len(file); n += 17 {
		if _, _, err := read(file[:n]); len(wrong(t, err)) == 0 {
			t.Fatalf("%d bytes are taken for a list", n)
		}
	}
	if _, _, err := read(file + "<a/>"); !slices.ContainsFunc(wrong(t, err), func(s string) bool { return strings.HasPrefix(s, "/a trailing-data ") }) {
		t.Errorf("more than one root: %v", err)
	}
	failed := errors.New("the disk is gone")
	_, _, err := dma.ReadXML(iotest.TimeoutReader(strings.NewReader(file)), rules, nil)
	if !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("a reader that fails later: %v", err)
	}
	if _, _, err := dma.ReadXML(iotest.ErrReader(failed), rules, nil); !errors.Is(err, failed) {
		t.Errorf("a reader that fails: %v", err)
	}
}

// One worker cannot make the reader keep the file.
func TestDMA_AWorkerIsNoLongerThanAMebibyte(t *testing.T) {
	file := strings.Replace(exampleXML(t), "<E0_PeriodoNelMese>", strings.Repeat("<F1_Ammortamento>"+strings.Repeat("<a>b</a>", 300)+"</F1_Ammortamento>", 500)+"<E0_PeriodoNelMese>", 1)
	_, _, err := read(file)
	if got := wrong(t, err); len(got) != 1 || !strings.HasPrefix(got[0], worker+"[1] too-long ") {
		t.Errorf("%q", got)
	}
	file = strings.Replace(exampleXML(t), "<F1", "", 1)
	deep := strings.Replace(file, "<E0_PeriodoNelMese>", "<F1_Ammortamento>"+strings.Repeat("<a>", 40), 1)
	if _, _, err := read(deep); !strings.Contains(wrong(t, err)[0], "too-deep") {
		t.Errorf("deep: %v", err)
	}
	many := strings.Replace(file, "<E0_PeriodoNelMese>", "<E0_PeriodoNelMese "+strings.Repeat(`a="b" `, 20)+">", 1)
	if _, _, err := read(many); !strings.Contains(wrong(t, err)[0], "too-many") {
		t.Errorf("many attributes: %v", err)
	}
}

func FuzzDMA_ReadXML(f *testing.F) {
	f.Add([]byte(exampleXML(f)))
	f.Add([]byte("<!DOCTYPE a><DenunceMensili/>"))
	f.Add([]byte(`<?xml version="1.0" encoding="ISO-8859-1"?><DenunceMensili><Azienda>` + "\xE0" + `</Azienda></DenunceMensili>`))
	f.Fuzz(func(t *testing.T, file []byte) {
		var l dma.List
		var sum dma.Summary
		var err error
		l.Header, sum, err = dma.ReadXML(bytes.NewReader(file), rules, func(w *dma.Worker) { l.Workers = append(l.Workers, *w) })
		if err != nil {
			if got := wrong(t, err); len(got) == 0 || len(got) > 100 {
				t.Fatalf("%d places", len(got))
			}
			return
		}
		// What is taken is written and read again with the same figures, but for what is carried.
		if again, err := l.Check(rules); err == nil && again != sum {
			t.Fatalf("%+v, by hand %+v", sum, again)
		}
	})
}
