package sandbox_test

import (
	"context"
	"strings"
	"testing"

	"diresco/db"
	"diresco/internal/masterdata/residents"
	"diresco/internal/platform/taxcode"
	"diresco/internal/sandbox"
	"diresco/internal/test/dbtest"
)

// The register of persons holds everybody of the sandbox, and some who have no PIN.
func TestSandbox_TheRegisterOfPersons(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		ctx := context.Background()
		r := residents.New(d, w.clock)
		find := func(code taxcode.Code) residents.Entry {
			t.Helper()
			e, found, err := r.Find(ctx, code)
			if err != nil || !found {
				t.Fatalf("%s is not in the register: %v", code, err)
			}
			return e
		}
		homes := map[string]bool{}
		for _, p := range w.people() {
			e := find(p.TaxCode)
			if e.GivenName != p.GivenName || e.FamilyName != p.FamilyName || e.OfficeCode == nil || homes[e.Street] {
				t.Errorf("%s %s: %+v", p.GivenName, p.FamilyName, e)
			}
			homes[e.Street] = true
		}
		example := taxcode.MustParse("BNCLNE85M41H501P")
		want := residents.Identity{
			GivenName: "Elena", FamilyName: "Bianchi", BirthDate: "1985-08-01", BirthPlace: "Roma", Street: "Via Nazionale 10",
			PostalCode: "00184", Town: "Roma", Province: "RM",
		}
		if e := find(example); e.Identity != want || *e.OfficeCode != "7000" {
			t.Errorf("%+v", e)
		}
		for _, p := range w.people() {
			if p.TaxCode == example {
				t.Error("the person of the example has a PIN")
			}
		}
		// Who is made later stands there too, as the description says; who stood there before stays
		// as they were.
		for code, born := range map[string]string{
			"VRDGPP68M15L219V": "born 1968-08-15 in Torino, lives in Via Giuseppe Mazzini",
			"RSSMRAULALMHRLMD": "born 1980-01-01 in Roma, lives in",
			"BNCLNE85M41H501P": "born 1985-08-01 in Roma, lives in Via Nazionale 10, 00184 Roma RM",
		} {
			p, err := w.CreatePerson(ctx, sandbox.PersonInput{TaxCode: taxcode.MustParse(code), GivenName: "Ugo", FamilyName: "Verdi"})
			if err != nil {
				t.Fatal(err)
			}
			e := find(p.TaxCode)
			if !strings.Contains(p.Description, born) ||
				!strings.Contains(p.Description, e.Street+", "+e.PostalCode+" "+e.Town+" "+e.Province) {
				t.Errorf("%s: %q, %+v", code, p.Description, e)
			}
			if given := e.GivenName; (given == "Ugo") != (p.TaxCode != example) {
				t.Errorf("%s is %s in the register", code, given)
			}
		}
	})
}
