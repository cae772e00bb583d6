package dma_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"diresco/internal/dossier/publicbody/dma"
)

const body = "80039510484"

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

func exampleXML(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := exampleList(t).WriteXML(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// read reads a file with all its workers.
func read(t testing.TB, file []byte) (dma.List, dma.Summary, error) {
	t.Helper()
	var l dma.List
	var sum dma.Summary
	var err error
	l.Header, sum, err = dma.ReadXML(bytes.NewReader(file), rules, func(w *dma.Worker) { l.Workers = append(l.Workers, *w) })
	return l, sum, err
}

func TestDMA_WhatIsWrittenIsReadAgain(t *testing.T) {
	list := exampleList(t)
	want, err := list.Check(rules)
	if err != nil {
		t.Fatal(err)
	}
	again, sum, err := read(t, exampleXML(t))
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if sum != want || sum.Workers != 2 || sum.Periods != 1 || sum.Variations != 2 || sum.PensionContribution != 44215+47600 {
		t.Errorf("added up %+v, then %+v", want, sum)
	}
	before, _ := json.Marshal(list)
	after, _ := json.Marshal(again)
	if diff := cmp.Diff(string(before), string(after)); diff != "" {
		t.Error(diff)
	}
}
