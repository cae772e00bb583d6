package registerimport_test

import (
	"strings"
	"testing"

	"diresco/internal/masterdata/registerimport"
	"diresco/internal/test/world"
)

func person(t testing.TB, n int, street, office string) string {
	return code(t, n) + ";Ugo;Verdi;1930-01-01;Roma;" + street + ";00184;Roma;RM;" + office
}

func TestRegisterImport_People(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		w.bring(registerimport.People, peopleHeader, person(t, 1, "Via Roma 1", world.Rome), person(t, 2, "Via Roma 2", ""))
		if got := w.one("SELECT street FROM register_people ORDER BY tax_code"); got != "Via Roma 1,Via Roma 2" &&
			got != "Via Roma 2,Via Roma 1" {
			t.Error(got)
		}
		// Who is missing stays: the file is not the whole register.
		w.bring(registerimport.People, peopleHeader, person(t, 2, "Via Milano 2", world.Milan))
		if got := w.one("SELECT street || office_code FROM register_people WHERE tax_code = ?", code(t, 2)); got != "Via Milano 2"+
			world.Milan {
			t.Error(got)
		}
		if n := w.Count(t, "register_people"); n != 2 {
			t.Errorf("%d people", n)
		}
		if n := w.Count(t, "register_people WHERE moved_at IS NOT NULL AND tax_code = ?", code(t, 2)); n != 1 ||
			w.Count(t, "register_people WHERE moved_at IS NOT NULL") != 1 {
			t.Error("it is not kept who moved")
		}
		// Another office is no other home. Somebody registered here whose first residence comes is
		// as one who moved.
		known := w.Person(t, nil)
		w.bring(
			registerimport.People, peopleHeader, person(t, 1, "Via Roma 1", world.Milan),
			strings.Replace(person(t, 4, "Via Roma 4", ""), code(t, 4), known.TaxCode.Clear(), 1),
		)
		if n := w.Count(t, "register_people WHERE moved_at IS NOT NULL AND tax_code = ?", known.TaxCode); n != 1 ||
			w.Count(t, "register_people WHERE moved_at IS NOT NULL") != 2 {
			t.Error("it is not kept who moved")
		}
		w.Exec(t, "DELETE FROM register_people WHERE tax_code = ?", known.TaxCode)
		// As JSON Lines, in another order, with an optional member left out; blank lines are none.
		line := `{"province":"RM","tax_code":"` + strings.ToLower(code(t, 3)) +
			`","given_name":"Ugo","family_name":"D'Angelo  Ü","birth_date":"1930-01-03","birth_place":"Forlì","street":"Via \"3\"","postal_code":"00184","town":"Roma"}`
		i := w.send(registerimport.People, registerimport.JSONL, "\ufeff\n"+line+"\r\n\n")
		w.drain()
		if i = w.show(i.ID); i.State != registerimport.Done || *i.LinesTotal != 1 ||
			w.one("SELECT family_name || ' ' || street FROM register_people WHERE tax_code = ?", code(t, 3)) != `D'Angelo Ü Via "3"` {
			t.Errorf("%+v", i)
		}
		w.nothingLeft()
	})
}

// TestRegisterImport_AnotherSpellingIsNoMove: capitals stop nobody's letters for 30 days. Nor do
// the zeros of postal codes that earlier imports kept without.
func TestRegisterImport_AnotherSpellingIsNoMove(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		w.bring(registerimport.People, peopleHeader, person(t, 1, "Via Roma 1", world.Rome))
		w.Exec(t, "UPDATE register_people SET postal_code = '184'")
		w.bring(registerimport.People, peopleHeader, person(t, 1, "Via Roma 1", world.Rome))
		w.bring(registerimport.People, peopleHeader, strings.ToUpper(person(t, 1, "Via Roma 1", world.Rome)))
		if got := w.one("SELECT street || ' ' || postal_code || ' ' || town FROM register_people"); got != "VIA ROMA 1 00184 ROMA" {
			t.Error(got)
		}
		if w.Count(t, "register_people WHERE moved_at IS NOT NULL") != 0 {
			t.Error("who lives where they lived has moved")
		}
	})
}
