package registerimport_test

import (
	"testing"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/masterdata/registerimport"
	"diresco/internal/test/world"
)

// TestRegisterImport_WhoRepresentsHearsOfAnother: an import gives the role of a legal
// representative at once. Those who would know that it is wrong are told at every contact.
func TestRegisterImport_WhoRepresentsHearsOfAnother(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		company, representative := w.Employer(t, world.Rome)
		taxCode := w.one("SELECT tax_code FROM contributors WHERE id = ?", company.ID)
		told := func() int { return w.Count(t, "outbox WHERE kind = 'role.registered'") }
		employee, other := w.Person(t, nil), w.Person(t, nil)
		w.Role(t, employee.ID, company.ID, access.Employer)
		line := func(who string) string { return taxCode + ";Ditta;company;" + who + ";" }
		for range 2 {
			// Who has the role already is nothing new.
			w.bring(registerimport.Contributors, contributorsHeader, line(other.TaxCode.Clear()))
			w.bring(registerimport.Contributors, contributorsHeader, line(""))
			if n := w.Count(t, "outbox WHERE kind = 'role.registered' AND person_id = ?", representative.PersonID); n != 1 || told() != 1 {
				t.Errorf("%d messages, %d of them to who represents it", told(), n)
			}
		}
		// Where nobody was before, nobody is told.
		w.bring(registerimport.Contributors, contributorsHeader, "00743110157;Nuova;company;"+other.TaxCode.Clear()+";")
		if told() != 1 {
			t.Errorf("%d messages", told())
		}
	})
}

// Those who sign for the contributors hear who leaves a register and comes back, each once. So does
// somebody at the organisation.
func TestRegisterImport_BothSidesHearOfARegister(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		home := w.Company(t, world.Rome)
		w.Exec(t, "UPDATE contributors SET kind = ? WHERE id = ?", contributor.Household, home.ID)
		employer, both := w.Person(t, nil), w.Person(t, nil)
		w.Role(t, employer.ID, home.ID, access.Employer)
		w.Role(t, both.ID, home.ID, access.Employer)
		w.Role(t, both.ID, home.ID, access.LegalRepresentative)
		company, representative := w.Employer(t, world.Rome)
		w.Role(t, w.Person(t, nil).ID, company.ID, access.Employer)

		patronato := w.Association(t)
		w.DelegateRole(t, w.Person(t, nil).ID, patronato, access.EmployeeDelegate, access.Declarations)
		manager := w.Person(t, nil)
		w.DelegateRole(t, manager.ID, patronato, access.EmployeeDelegate, access.Delegations)
		w.Delegation(t, patronato, home, nil)
		w.Delegation(t, patronato, company, nil)
		itself := w.one("SELECT tax_code FROM delegates WHERE id = ?", patronato)

		const other = "00743110157;Altro;patronato;register;1"
		w.bring(registerimport.Associations, associationHeader, other)
		w.bring(registerimport.Associations, associationHeader, other, itself+";Patronato;patronato;register;2")
		for _, kind := range []string{"delegation.suspended", "delegation.resumed"} {
			for who, id := range map[string]uuid.UUID{
				"the employer": employer.ID, "who has two roles": both.ID, "the company's representative": representative.PersonID,
				"who manages delegations": manager.ID,
			} {
				if n := w.Count(t, "outbox WHERE kind = ? AND person_id = ?", kind, id); n != 1 {
					t.Errorf("%s hears %d times: %s", who, n, kind)
				}
			}
			if n := w.Count(t, "outbox WHERE kind = ?", kind); n != 4 {
				t.Errorf("%d messages %s", n, kind)
			}
		}
	})
}
