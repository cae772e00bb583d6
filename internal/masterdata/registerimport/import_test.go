package registerimport_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/masterdata/registerimport"
	"diresco/internal/platform/page"
	"diresco/internal/test/world"
)

// nothingLeft checks that an import leaves neither lines nor files.
func (w *fixture) nothingLeft() {
	w.t.Helper()
	for _, table := range []string{
		"staged_people", "staged_delegates", "staged_contributors", "staged_positions", "staged_public_body_data", "register_notices",
		"register_imports WHERE step <> 'none' OR lease_owner IS NOT NULL",
	} {
		if n := w.Count(w.t, table); n != 0 {
			w.t.Errorf("%d rows left in %s", n, table)
		}
	}
	if _, err := w.Blobs.List(nil).Next(context.Background()); err == nil {
		w.t.Error("a file is left")
	}
}

func TestRegisterImport_AWrongLineChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		c := w.Company(t, world.Rome)
		public := w.Company(t, world.Rome)
		w.Exec(t, "UPDATE contributors SET kind = ? WHERE id = ?", contributor.PublicBody, public.ID)
		_, professional := w.Professional(t)
		professionalCode := w.one("SELECT tax_code FROM delegates WHERE id = ?", professional)
		good := person(t, 1, "Via Roma 1", "")
		csv := func(header string, lines ...string) string { return header + "\n" + strings.Join(lines, "\n") + "\n" }
		for name, tt := range map[string]struct {
			register registerimport.Register
			format   registerimport.Format
			content  string
			wrong    string
		}{
			"tax code": {
				registerimport.People, registerimport.CSV,
				csv(peopleHeader, good, strings.Replace(person(t, 2, "Via", ""), code(t, 2), "RSSMRA80A01H501X", 1)), "3 /tax_code format",
			},
			"an organisation's": {
				registerimport.People, registerimport.CSV, csv(peopleHeader, strings.Replace(good, code(t, 1), "00743110157", 1)),
				"2 /tax_code format",
			},
			"no street": {
				registerimport.People, registerimport.CSV, csv(peopleHeader, person(t, 2, "", "")), "2 /street required",
			},
			"several": {
				registerimport.People, registerimport.CSV,
				csv(
					peopleHeader, strings.Replace(person(t, 2, "Via", "9999"), "1930-01-01", "1930-02-30", 1), good,
					person(t, 3, "Via", "9999"),
				),
				"2 /birth_date format; 4 /office_code unknown-office",
			},
			"twice": {
				registerimport.People, registerimport.CSV, csv(peopleHeader, good, person(t, 2, "Via", ""), good), "4 /tax_code repeated",
			},
			"too long": {
				registerimport.People, registerimport.CSV, csv(peopleHeader, person(t, 1, strings.Repeat("è", 301), "")),
				"2 /street too-long",
			},
			"markup in a name": {
				registerimport.People, registerimport.CSV, csv(peopleHeader, strings.Replace(good, ";Ugo;", ";<img src=x>;", 1)),
				"2 /given_name forbidden-character",
			},
			"control characters": {
				registerimport.People, registerimport.CSV, csv(peopleHeader, person(t, 1, "Via\x00Roma", "")),
				"2 /street forbidden-character",
			},
			"Latin-1": {
				registerimport.People, registerimport.CSV, csv(peopleHeader, "x", person(t, 2, "", ""), person(t, 1, "Via Forl\xec", "")),
				"4 /street encoding",
			},
			"garbled": {
				registerimport.People, registerimport.CSV, csv(peopleHeader, "x", person(t, 1, "Via Forl\u00c3\u00ac", ""), "y"),
				"3 /street garbled",
			},
			"garbled in JSON": {
				registerimport.People, registerimport.JSONL, "{}\n{\"street\":\"Via Forl\u00c3\u00ac\"}\n", "2 /street garbled",
			},
			"a workbook":    {registerimport.People, registerimport.CSV, "PK\x03\x04\x14\x00", "1  no-text"},
			"a title":       {registerimport.People, registerimport.CSV, "Anagrafe\n" + csv(peopleHeader, good), "1  title-rows"},
			"nobody's date": {registerimport.People, registerimport.CSV, csv(peopleHeader, strings.Replace(good, "1930-01-01", "01/13/1930", 1)), "2 /birth_date format"},
			"two digits of a year": {
				registerimport.People, registerimport.CSV, csv(peopleHeader, strings.Replace(good, "1930-01-01", "01/01/30", 1)),
				"2 /birth_date format",
			},
			"six digits of a postal code": {
				registerimport.People, registerimport.CSV, csv(peopleHeader, strings.Replace(good, "00184", "001844", 1)),
				"2 /postal_code format",
			},
			"zeros that a number lost": {
				registerimport.Positions, registerimport.CSV, csv(positionsHeader, "906310275;"+c.TaxCode.Clear()+";aziende;7000;active"),
				"2 /number leading-zeros",
			},
			"columns": {registerimport.People, registerimport.CSV, csv(peopleHeader, "a;b", good), "2  columns"},
			"quotes":  {registerimport.People, registerimport.CSV, csv(peopleHeader, `a"b;c`, good), "2  format"},
			"no such column": {
				registerimport.People, registerimport.CSV, csv(strings.Replace(peopleHeader, "town", "city", 1), good),
				"1 /city unknown-field; 1 /town required",
			},
			"column twice": {registerimport.People, registerimport.CSV, csv(peopleHeader+";town", good+";Roma"), "1 /town repeated"},
			"endless row": {
				registerimport.People, registerimport.CSV, csv(peopleHeader, `"`+strings.Repeat("x\n", 200_000)), "2  too-long",
			},
			"only a header":  {registerimport.People, registerimport.CSV, peopleHeader, "1  empty"},
			"no object":      {registerimport.People, registerimport.JSONL, "[]\n", "1  format"},
			"broken":         {registerimport.People, registerimport.JSONL, "{\"tax_code\":\n", "1  format"},
			"two on a line":  {registerimport.People, registerimport.JSONL, "{} {}\n", "1  format"},
			"no such member": {registerimport.People, registerimport.JSONL, `{"nome":"x"}`, "1 /nome unknown-field"},
			"member twice":   {registerimport.People, registerimport.JSONL, `{"town":"x","town":"y"}`, "1 /town repeated"},
			"a number":       {registerimport.People, registerimport.JSONL, `{"town":1}`, "1 /town type"},
			"a truth value":  {registerimport.People, registerimport.JSONL, `{"town":true}`, "1 /town type"},
			"null":           {registerimport.People, registerimport.JSONL, `{"town":null}`, "1 /town type"},
			"nested":         {registerimport.People, registerimport.JSONL, `{"town":{"a":"b"}}`, "1 /town type"},
			"a long line": {registerimport.People, registerimport.JSONL, "\n" + `{"town":"` + strings.Repeat("x", 100_000) + `"}` +
				"\n{}x", "2  too-long; 3  format"},
			"lone surrogate": {registerimport.Albi, registerimport.JSONL, `{"tax_code":"` + code(t, 1) +
				`","given_name":"\ud800","family_name":"x","register_code":"a","registration_number":"1"}`, "1 /given_name forbidden-character"},
			"register code": {
				registerimport.Albi, registerimport.CSV, csv(albiHeader, code(t, 1)+";Ugo;Verdi;a/b;1"), "2 /register_code format",
			},
			"kind": {
				registerimport.Associations, registerimport.CSV,
				csv(associationHeader, professionalCode+";X;caf;caf;1", "00743110157;X;professional;caf;1"),
				"2 /tax_code kind-differs; 3 /kind format",
			},
			"truth": {
				registerimport.Contributors, registerimport.CSV, csv(contributorsHeader, "00743110157;X;company;;yes"),
				"2 /enabled_2023 format",
			},
			"whose position": {
				registerimport.Positions, registerimport.CSV,
				csv(positionsHeader, "9999999999;00743110157;aziende;7000;active", c.Positions[0].Number+";"+public.TaxCode.Clear()+
					";aziende;7000;active"),
				"2 /contributor_tax_code unknown-contributor; 3 /contributor_tax_code contributor-differs",
			},
			"no public body": {
				registerimport.PublicBodyData, registerimport.CSV,
				csv(
					publicHeader, c.Positions[0].Number+";payment;A1;2026-01-01;10.00;EUR;x",
					"9999999999;payment;A1;2026-01-01;10.00;EUR;x", public.Positions[0].Number+";payment;A1;2026-01-01;10,000;EUR;x",
				),
				"2 /position_number not-a-public-body; 3 /position_number unknown-position; 4 /amount format",
			},
		} {
			if got := w.wrong(tt.register, tt.format, tt.content); got != tt.wrong {
				t.Errorf("%s: %q, want %q", name, got, tt.wrong)
			}
		}
		var many []string
		for range 2500 {
			many = append(many, "x")
		}
		if got := strings.Split(w.wrong(registerimport.People, registerimport.CSV, csv(peopleHeader, many...)), "; "); len(got) != 100 ||
			got[99] != "101  columns" {
			t.Errorf("%d errors, the last %s", len(got), got[len(got)-1])
		}
		if n := w.Count(t, "register_people"); n != 0 {
			t.Errorf("%d people", n)
		}
		w.nothingLeft()
	})
}

// TestRegisterImport_ReadsWhatSpreadsheetsMakeOfAFile: it says the same, so it does the same.
func TestRegisterImport_ReadsWhatSpreadsheetsMakeOfAFile(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		c, office := code(t, 1), world.Rome
		w.Exec(t, "INSERT INTO offices (code, title) VALUES ('0070', 'Roma Eur')")
		plain := c + ";NICCOLÒ;D'ANGELO;1930-03-01;ROMA;VIA ROMA 1;00184;ROMA;RM;" + office
		const was = "NICCOLÒ|D'ANGELO|1930-03-01|ROMA|VIA ROMA 1|00184|ROMA|RM|"
		for name, tt := range map[string]struct{ file, charset, office string }{
			"as it should be": {peopleHeader + "\n" + plain, "", office},
			"Windows-1252":    {strings.ReplaceAll(peopleHeader+"\n"+plain, "Ò", "\xd2"), "windows-1252", office},
			"sep=, blanks, capitals": {
				"sep=;\r\n" + strings.ToUpper(peopleHeader) + ";;\r\n" + plain + ";;\r\n;;;;;;;;;;;\r\n", "", office,
			},
			"commas":              {strings.ReplaceAll(peopleHeader+"\n"+plain, ";", ","), "", office},
			"as Italy writes":     {peopleHeader + "\n" + strings.ReplaceAll(plain, "1930-03-01", "1/03/1930"), "", office},
			"with midnight":       {peopleHeader + "\n" + strings.ReplaceAll(plain, "1930-03-01", "1930-03-01 00:00:00"), "", office},
			"without zeros":       {peopleHeader + "\n" + strings.ReplaceAll(plain, ";00184;", ";184;"), "", office},
			"an office's":         {peopleHeader + "\n" + strings.TrimSuffix(plain, office) + "70", "", "0070"},
			"small and in groups": {peopleHeader + "\n" + strings.Replace(strings.Replace(plain, ";RM;", ";rm;", 1), c, c[:6]+" "+c[6:]+" ", 1), "", office},
		} {
			w.Exec(t, "DELETE FROM register_people")
			w.Clock.Advance(time.Second)
			f := fileOf(registerimport.People, registerimport.CSV, tt.file)
			f.Charset = tt.charset
			i, err := w.service.Take(context.Background(), w.admin, f)
			if err != nil {
				t.Fatal(err)
			}
			w.drain()
			if i = w.show(i.ID); i.State != registerimport.Done || i.LinesDone != 1 {
				t.Errorf("%s: %+v", name, i)
			}
			if got := w.one(`SELECT given_name || '|' || family_name || '|' || birth_date || '|' || birth_place || '|' || street || '|' ||
				postal_code || '|' || town || '|' || province || '|' || office_code FROM register_people`); got != was+tt.office {
				t.Errorf("%s: %s", name, got)
			}
		}
		// Abroad no zeros are missing.
		w.bring(registerimport.People, peopleHeader, strings.ReplaceAll(strings.ReplaceAll(plain, ";00184;", ";8001;"), ";RM;", ";ee;"))
		if got := w.one("SELECT postal_code || province FROM register_people"); got != "8001EE" {
			t.Error(got)
		}
		public := w.Company(t, world.Rome)
		w.Exec(t, "UPDATE contributors SET kind = ? WHERE id = ?", contributor.PublicBody, public.ID)
		w.bring(registerimport.Contributors, contributorsHeader, "743110157;Comune;PUBLIC_BODY;;VERO")
		if got := w.one("SELECT kind FROM contributors WHERE tax_code = '00743110157'"); got != "public_body" {
			t.Error(got)
		}
		w.bring(registerimport.PublicBodyData, publicHeader, public.Positions[0].Number+";payment;A1;16/03/2026;1.850,50;eur;x")
		if got := w.one("SELECT CAST(amount AS text) || currency || date FROM public_body_data"); got != "1850.50EUR2026-03-16" {
			t.Error(got)
		}
		w.nothingLeft()
	})
}

// TestRegisterImport_TheSameBytesInAnotherCharset are another file.
func TestRegisterImport_TheSameBytesInAnotherCharset(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := fileOf(registerimport.People, registerimport.CSV, peopleHeader+"\n"+person(t, 1, "Via Forl\xec", ""))
		a, err := w.service.Take(context.Background(), w.admin, f)
		if err != nil {
			t.Fatal(err)
		}
		f.Charset = "windows-1252"
		w.Clock.Advance(time.Second)
		b, err := w.service.Take(context.Background(), w.admin, f)
		if err != nil || a.ID == b.ID {
			t.Fatalf("%v, %v", b.ID, err)
		}
		w.drain()
		if a, b = w.show(a.ID), w.show(b.ID); a.State != registerimport.Failed || b.State != registerimport.Done {
			t.Errorf("%s and %s", a.State, b.State)
		}
	})
}

func TestRegisterImport_ContributorsPositionsAndPublicBodies(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		represents := w.Person(t, nil)
		line := func(name, kind, representative, enabled string) string {
			return "00743110157;" + name + ";" + kind + ";" + representative + ";" + enabled
		}
		id := func() string {
			return w.one("SELECT CAST(id AS text) FROM contributors WHERE tax_code = '00743110157'")
		}
		w.bring(registerimport.Contributors, contributorsHeader, line("Comune", "public_body", represents.TaxCode.Clear(), "true"))
		first := id()
		if n := w.Count(
			t, "contributor_roles WHERE person_id = ? AND role = 'legal_representative' AND withdrawn_at IS NULL", represents.ID,
		); n != 1 {
			t.Errorf("%d roles", n)
		}
		// What a file does not say stays; nobody gets a role twice; who is unknown gets none.
		w.bring(registerimport.Contributors, contributorsHeader, line("Comune di Roma", "public_body", represents.TaxCode.Clear(), ""))
		w.bring(registerimport.Contributors, contributorsHeader, line("Comune di Roma", "public_body", code(t, 77), ""))
		if id() != first || w.Count(t, "contributors WHERE legal_name = 'Comune di Roma'") != 1 || w.Count(t, "contributor_roles") != 1 {
			t.Error("the contributor was not changed as it should be")
		}
		w.bring(
			registerimport.Positions, positionsHeader, "0000000001;00743110157;aziende;7000;active",
			"0000000002;00743110157;aziende;7000;active",
		)
		w.bring(registerimport.Positions, positionsHeader, "0000000002;00743110157;artigiani;4900;ceased")
		if got := w.one("SELECT number || scheme || office_code || state FROM positions " +
			"ORDER BY number"); got != "0000000001aziende7000active,0000000002artigiani4900ceased" {
			t.Error(got)
		}
		w.bring(
			registerimport.PublicBodyData, publicHeader, "0000000001;payment;P1;2026-01-01;10.50;EUR;Gennaio",
			"0000000001;debit_note;P1;2026-01-01;7;EUR;Nota", "0000000002;payment;P1;2026-01-01;-3.5;EUR;x",
		)
		w.bring(registerimport.PublicBodyData, publicHeader, "0000000001;payment;P1;2026-01-02;11.50;EUR;Gennaio")
		if got := w.one("SELECT date || amount FROM public_body_data d JOIN positions p ON p.id = d.position_id WHERE p.number = " +
			"'0000000001' ORDER BY d.kind"); got != "2026-01-017,2026-01-0211.50" {
			t.Error(got)
		}
		// Who was enabled on 2023-03-31 keeps the services of public bodies; who was not asks for
		// them.
		services := func(tax string, enabled string) string {
			i := w.send(
				registerimport.Contributors, registerimport.JSONL,
				`{"tax_code":"`+tax+`","legal_name":"Ente","kind":"public_body","legal_representative_tax_code":"`+
					represents.TaxCode.Clear()+`"`+enabled+`}`,
			)
			w.drain()
			if i = w.show(i.ID); i.State != registerimport.Done {
				t.Errorf("%+v", i)
			}
			return w.one(
				"SELECT r.services FROM contributor_roles r JOIN contributors c ON c.id = r.contributor_id WHERE c.tax_code = ?", tax,
			)
		}
		for tax, want := range map[string][2]string{
			"80039510484": {`,"enabled_2023":true`, `["*"]`}, "80073410526": {`,"enabled_2023":false`, `["declarations","delegations","dossier"]`},
			"04102730589": {"", `["declarations","delegations","dossier"]`},
		} {
			if got := services(tax, want[0]); got != want[1] {
				t.Errorf("%s gives %s", want[0], got)
			}
		}
		w.nothingLeft()
	})
}

// The mark of who has not paid comes with a line that says so, and stays until another line takes it
// away.
func TestRegisterImport_ARegisterMarksWhoIsIrregular(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		const marked = "SELECT CASE WHEN irregular THEN '1' ELSE '0' END FROM contributors WHERE tax_code = '00743110157'"
		for _, step := range []struct {
			header, line string
			irregular    string
		}{
			{"tax_code;legal_name;kind", "00743110157;Ditta;company", "0"},
			{"tax_code;legal_name;kind;regular", "00743110157;Ditta;company;false", "1"},
			{"tax_code;legal_name;kind", "00743110157;Ditta nuova;company", "1"},
			{"tax_code;legal_name;kind;regular", "00743110157;Ditta nuova;company;", "1"},
			{"tax_code;legal_name;kind;regular", "00743110157;Ditta nuova;company;VERO", "0"},
			{"tax_code;legal_name;kind;regular", "00743110157;Ditta nuova;company;falso", "1"},
		} {
			w.bring(registerimport.Contributors, step.header, step.line)
			if got := w.one(marked); got != step.irregular {
				t.Errorf("after %s: irregular %s", step.line, got)
			}
		}
		for _, step := range []struct{ regular, irregular string }{{"true", "0"}, {"false", "1"}} {
			i := w.send(registerimport.Contributors, registerimport.JSONL,
				`{"tax_code":"00743110157","legal_name":"Ditta","kind":"company","regular":`+step.regular+`}`)
			w.drain()
			if i = w.show(i.ID); i.State != registerimport.Done || w.one(marked) != step.irregular {
				t.Errorf("a regular of %s leaves irregular %s in %+v", step.regular, w.one(marked), i)
			}
		}
	})
}

// lawyers makes the lines of a register.
func lawyers(t testing.TB, register string, people ...string) []string {
	t.Helper()
	var all []string
	for i, p := range people {
		all = append(all, fmt.Sprintf("%s;Ugo;Verdi;%s;%d", p, register, i))
	}
	return all
}

func TestRegisterImport_WhoLeavesTheRegister(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		consulente, delegate := w.Professional(t)
		me := consulente.TaxCode.Clear()
		c, representative := w.Employer(t, world.Rome, world.Milan)
		w.Delegation(t, delegate, c, nil)
		ended := w.Company(t, world.Rome)
		w.Delegation(t, delegate, ended, func(d *world.Delegation) { now := w.Clock.Now(); d.ValidUntil = &now })
		w.Role(t, w.Person(t, nil).ID, ended.ID, access.LegalRepresentative)
		session := w.Session(t, consulente.ID, nil)
		rule := access.Rule{To: access.ToContributor, Service: access.Declarations}
		enters := func() bool {
			_, err := w.Guard.Enter(context.Background(), session, rule, access.Target{ContributorID: c.ID})
			return err == nil
		}
		// A register of others says nothing about this one.
		w.bring(registerimport.Albi, albiHeader, lawyers(t, "lawyers", code(t, 1))...)
		w.bring(registerimport.Associations, associationHeader, "00743110157;Patronato;patronato;register;1")
		if !enters() {
			t.Fatal("another register strikes off")
		}
		w.bring(registerimport.Albi, albiHeader, lawyers(t, "register", code(t, 1), code(t, 2))...)
		if enters() {
			t.Error("who is missing acts on")
		}
		told := func(kind string) int { return w.Count(t, "outbox WHERE kind = ?", kind) }
		if told("delegation.suspended") != 2 ||
			w.Count(t, "outbox WHERE kind = 'delegation.suspended' AND person_id IN (?, ?)", consulente.ID, representative.PersonID) != 2 {
			t.Errorf("%d are told", told("delegation.suspended"))
		}
		if data := w.one(
			"SELECT data FROM outbox WHERE kind = 'delegation.suspended' AND person_id = ?", representative.PersonID,
		); !strings.Contains(data, `"positions":"2"`) || !strings.Contains(data, c.LegalName) {
			t.Error(data)
		}
		// The same again, spelled otherwise, changes nothing more.
		w.bring(registerimport.Albi, albiHeader, lawyers(t, "register", code(t, 2), code(t, 1))...)
		if told("delegation.suspended") != 2 || told("delegation.resumed") != 0 {
			t.Error("told again")
		}
		w.bring(registerimport.Albi, albiHeader, lawyers(t, "register", code(t, 1), me)...)
		if !enters() || told("delegation.resumed") != 2 {
			t.Errorf("back: %v, %d told", enters(), told("delegation.resumed"))
		}
		// On two registers: struck off when the last one is left.
		w.bring(registerimport.Albi, albiHeader, lawyers(t, "lawyers", code(t, 1), me)...)
		w.bring(registerimport.Albi, albiHeader, lawyers(t, "register", code(t, 1))...)
		if got := w.one("SELECT register_code FROM delegates WHERE id = ?", delegate); !enters() || got != "lawyers" {
			t.Errorf("struck off, or known by %s", got)
		}
		w.bring(registerimport.Albi, albiHeader, lawyers(t, "lawyers", code(t, 1))...)
		if enters() || told("delegation.suspended") != 4 {
			t.Error("not struck off")
		}
		w.nothingLeft()
	})
}

func TestRegisterImport_TheSameFileAgain(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		first := peopleHeader + "\n" + person(t, 1, "Via Roma 1", "")
		other := peopleHeader + "\n" + person(t, 1, "Via Roma 2", "")
		broken := peopleHeader + "\nx"
		a := w.send(registerimport.People, registerimport.CSV, first)
		if again := w.send(registerimport.People, registerimport.CSV, first); again.ID != a.ID {
			t.Error("taken again while it waits")
		}
		w.drain()
		if again := w.send(registerimport.People, registerimport.CSV, first); again.ID != a.ID || again.State != registerimport.Done {
			t.Errorf("taken again: %+v", again)
		}
		failed := w.send(registerimport.People, registerimport.CSV, broken)
		w.drain()
		if again := w.send(registerimport.People, registerimport.CSV, broken); again.ID == failed.ID {
			t.Error("a file that failed is not tried again")
		}
		w.drain()
		if again := w.send(registerimport.People, registerimport.CSV, first); again.ID != a.ID {
			t.Error("a failed import counts")
		}
		// After another file the first one is work again.
		w.send(registerimport.People, registerimport.CSV, other)
		if again := w.send(registerimport.People, registerimport.CSV, first); again.ID == a.ID {
			t.Error("not taken after another file")
		}
		w.drain()
		if got := w.one("SELECT street FROM register_people"); got != "Via Roma 1" {
			t.Error(got)
		}
		w.nothingLeft()
		list, err := w.service.List(context.Background(), page.Request{Limit: 2})
		if err != nil || len(list.Items) != 2 || list.Next == "" || list.Items[0].CreatedAt.Before(list.Items[1].CreatedAt) {
			t.Errorf("%+v, %v", list, err)
		}
		if n := w.Count(t, "audit_records WHERE subject_kind = 'register-import'"); n != 8 {
			t.Errorf("%d audit rows", n)
		}
	})
}

// One key, many at once: one import, one file.
func TestRegisterImport_OneKey(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		content := peopleHeader + "\n" + person(t, 1, "Via Roma 1", "")
		ids := make([]uuid.UUID, 8)
		world.Parallel(len(ids), func(n int) {
			ctx := idempotency.WithClaim(context.Background(), &idempotency.Claim{
				Scope: "person:x", Key: "key", Operation: "importRegister", RequestMAC: "m",
			})
			i, err := w.service.Take(ctx, w.admin, fileOf(registerimport.People, registerimport.CSV, content))
			if err != nil {
				t.Error(err)
			}
			ids[n] = i.ID
		})
		for _, id := range ids {
			if id != ids[0] {
				t.Errorf("%v", ids)
			}
		}
		w.drain()
		if i := w.show(ids[0]); i.State != registerimport.Done {
			t.Errorf("%+v", i)
		}
		w.nothingLeft()
	})
}

// A line says where notices of rectification go. What was deleted on request comes back when it is
// verified, and not before.
func TestRegisterImport_PositionsHaveContactsForNotices(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		c := w.Company(t, world.Rome)
		code := w.one("SELECT tax_code FROM contributors WHERE id = ?", c.ID)
		header := positionsHeader + ";rectification_email;rectification_email_state;rectification_pec;rectification_mobile;rectification_mobile_state"
		line := func(contacts string) string {
			return c.Positions[0].Number + ";" + code + ";aziende;" + world.Rome + ";active;" + contacts
		}
		kept := func() string {
			return w.one("SELECT kind || ' ' || value || ' ' || state || CASE WHEN deleted_at IS NULL THEN '' ELSE ' deleted' END " +
				"FROM rectification_contacts ORDER BY kind, value")
		}
		w.bring(registerimport.Positions, header, line("a@posta.example;bounced;a@pec.example;+393331200001;verified"))
		const first = "email a@posta.example bounced,mobile +393331200001 verified,pec a@pec.example unverified"
		if got := kept(); got != first {
			t.Error(got)
		}
		w.bring(registerimport.Positions, positionsHeader, c.Positions[0].Number+";"+code+";aziende;"+world.Rome+";active")
		if got := kept(); got != first {
			t.Errorf("a file without contacts leaves %s", got)
		}
		w.Exec(t, "UPDATE rectification_contacts SET deleted_at = ? WHERE kind = 'email'", w.Clock.Now())
		w.bring(registerimport.Positions, header, line("a@posta.example;unverified;;;"))
		if got := kept(); !strings.HasPrefix(got, "email a@posta.example unverified deleted,") {
			t.Error(got)
		}
		w.bring(registerimport.Positions, header, line("a@posta.example;verified;b@pec.example;;"))
		want := kept()
		w.bring(registerimport.Positions, header, line("a@posta.example;;;;"))
		if got := kept(); got != want {
			t.Errorf("without a state it is %s", got)
		}
		if got := kept(); got != "email a@posta.example verified,mobile +393331200001 verified,pec a@pec.example unverified,pec b@pec.example unverified" {
			t.Error(got)
		}
		got := w.wrong(registerimport.Positions, registerimport.CSV, header+"\n"+line("nobody;bounced;;3331200001;gone")+"\n"+line(";bounced;;;")+"\n")
		for _, want := range []string{
			"/rectification_email format", "/rectification_mobile format", "/rectification_mobile_state format",
			"/rectification_email_state not-applicable",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("%s is not among %s", want, got)
			}
		}
		w.nothingLeft()
	})
}
