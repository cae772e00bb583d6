package declaration

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"diresco/internal/filing/declaration/catalogue"
)

// The content stands on the receipt as in the form, and in figures and dates as Italy writes them.
func TestReceipt_ContentIsInTheOrderOfTheForm(t *testing.T) {
	types, err := catalogue.All()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]line{}
	for _, typ := range types {
		if got[typ.Code], err = labelled(string(typ.ContentExample), string(typ.ContentSchema)); err != nil {
			t.Fatal(err)
		}
	}
	for code, want := range map[string][]line{
		"RIOC": {
			{"Codice fiscale del lavoratore", "RSSMRA80A01H501U"},
			{"Codice della comunicazione obbligatoria", "1700021200123456"},
			{"Retribuzione mensile media", "1.850,00"},
			{"Percentuale di part-time", "62,5"},
			{"Aliquota contributiva a carico del datore di lavoro", "23,81"},
		},
		"DETI-arr": {
			{"Codice fiscale del lavoratore", "RSSMRA80A01H501U"},
			{"Codice della comunicazione obbligatoria", "1700017200456789"},
			{"Estremi della convenzione", "Prot. n. 1284/2017"},
			{"Data della convenzione", "14/03/2017"},
			{"Tipologia del rapporto di lavoro", "a tempo determinato"},
			{"Sgravio dell'80 per cento già fruito", "no"},
			{
				"Importi per anno, 1", "Anno: 2017\nRetribuzione corrisposta: 9.840,00\nSgravio dell'80 per cento: 2.322,24\n" +
					"Ulteriore sgravio del 15 per cento: 435,42",
			},
			{
				"Importi per anno, 2", "Anno: 2018\nRetribuzione corrisposta: 13.120,00\nSgravio dell'80 per cento: 3.096,32\n" +
					"Ulteriore sgravio del 15 per cento: 580,56",
			},
		},
	} {
		if diff := cmp.Diff(want, got[code]); diff != "" {
			t.Errorf("%s: %s", code, diff)
		}
	}
}

func TestReceipt_FiguresAreItalian(t *testing.T) {
	for text, want := range map[string]string{
		"0.00": "0,00", "1.5": "1,5", "123.45": "123,45", "1234.50": "1.234,50", "123456.00": "123.456,00", "999999999.99": "999.999.999,99",
		"-1234.5": "-1.234,5", "-123.4": "-123,4", "2017": "2017", "1e21": "1e21", "1.5e-7": "1.5e-7", "1.2.3": "1.2.3",
	} {
		if got := figure(text); got != want {
			t.Errorf("%s is written %s, not %s", text, got, want)
		}
	}
}

func TestReceipt_WhatTheSchemaDoesNotKnowComesLast(t *testing.T) {
	got, err := labelled(`{"a":"1.50","b":"2026-03-16","c":[true,null],"z":"x"}`,
		`{"properties":{"z":{"title":"Zeta"},"b":{"type":"string"},"gone":{}}}`)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]line{{"Zeta", "x"}, {"b", "2026-03-16"}, {"a", "1.50"}, {"c, 1", "sì"}, {"c, 2", "–"}}, got); diff != "" {
		t.Error(diff)
	}
}
