package delegation_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/mandate/delegation"
	"diresco/internal/platform/pdftext/pdftexttest"
	"diresco/internal/test/dbtest"
)

func (w *fixture) form(id uuid.UUID) string {
	w.t.Helper()
	_, pdf, err := w.service.Form(ctx, id)
	if err != nil {
		w.t.Fatal(err)
	}
	lines, _ := pdftexttest.Read(pdf)
	return strings.Join(lines, " ")
}

// Until the contributor agreed, the form says no more of the signatory than a look-up does. An
// intermediary alone makes a draft.
func TestDelegationForm_WhatTheFormSaysOfTheSignatory(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		const short, full = "Niccolò È.", "Niccolò Èrcoli"
		w.Exec(t, "UPDATE people SET given_name = 'Niccolò', family_name = 'Èrcoli' WHERE id = ?", w.signatory.ID)
		draft := w.draft(w.professional, nil)
		unsigned := func(what string) {
			t.Helper()
			text := w.form(draft.ID)
			if !strings.Contains(text, short) || !strings.Contains(text, "da completare a mano") ||
				!strings.Contains(text, draft.ContributorName) || !strings.Contains(text, w.company.TaxCode.Clear()) {
				t.Errorf("%s:\n%s", what, text)
			}
			if strings.Contains(text, full) || strings.Contains(text, w.signatory.TaxCode.Clear()) {
				t.Errorf("%s tells who the signatory is:\n%s", what, text)
			}
		}
		unsigned("a draft")
		otp := w.send(w.professional, draft.ID)
		unsigned("a pending one")
		if _, err := w.activate(w.professional, draft.ID, otp); err != nil {
			t.Fatal(err)
		}
		signed := func() {
			t.Helper()
			if text := w.form(draft.ID); !strings.Contains(text, full) || !strings.Contains(text, w.signatory.TaxCode.Clear()) ||
				strings.Contains(text, "a mano") {
				t.Errorf("once it was signed:\n%s", text)
			}
		}
		signed()
		if _, err := w.service.Revoke(ctx, w.at(w.representative, draft.ID), draft.ID, ""); err != nil {
			t.Fatal(err)
		}
		signed()
		draft = w.draft(w.professional, nil)
		if _, err := w.service.Revoke(ctx, w.at(w.professional, draft.ID), draft.ID, ""); err != nil {
			t.Fatal(err)
		}
		unsigned("a discarded one")
	})
}

// What was signed before a change has another reference than what the new code is for.
func TestDelegationForm_AChangeIsAnotherForm(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		draft := w.draft(w.professional, nil)
		seen := map[string]bool{draft.ReferenceCode: true}
		for range 3 {
			w.send(w.professional, draft.ID)
			changed, err := w.service.Change(
				ctx, w.at(w.professional, draft.ID), draft.ID, draft.Version+1, delegation.Change{Exclusive: new(!draft.Exclusive)},
			)
			if err != nil {
				t.Fatal(err)
			}
			if seen[changed.ReferenceCode] || changed.ReferenceCode == "" {
				t.Errorf("%s again", changed.ReferenceCode)
			}
			if text := w.form(draft.ID); !strings.Contains(text, changed.ReferenceCode) || strings.Contains(text, draft.ReferenceCode) {
				t.Errorf("the form of %s says\n%s", changed.ReferenceCode, text)
			}
			seen[changed.ReferenceCode] = true
			draft = changed
		}
	})
}

// Who signs reads names: of the institution that the form is for, and of the offices of positions.
func TestDelegationForm_NamesInstitutionAndOffices(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		text := w.form(w.draft(w.professional, nil).ID)
		for _, want := range []string{institutionName + " – Via Roma 1", "Tel. 06 123456"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in the form:\n%s", want, text)
			}
		}
		var offices []struct{ Code, Title string }
		if err := d.From(ctx).Raw(
			"SELECT DISTINCT o.code, o.title FROM offices o JOIN positions p ON p.office_code = o.code WHERE p.contributor_id = ?", w.company.ID,
		).Scan(&offices).Error; err != nil {
			t.Fatal(err)
		}
		if len(offices) != 2 {
			t.Fatalf("%d offices", len(offices))
		}
		for _, o := range offices {
			if want := "sede: " + o.Title + " (" + o.Code + ")"; !strings.Contains(text, want) {
				t.Errorf("%q is not in the form:\n%s", want, text)
			}
		}
	})
}
