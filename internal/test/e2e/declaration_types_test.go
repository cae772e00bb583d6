package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
)

const publishPath = "/v1/backoffice/declaration-types"

// trialType is the document of a type of one step with one member and a list.
func trialType(code string, version int) map[string]any {
	words := func(it, en string, more map[string]any) map[string]any {
		member := map[string]any{"title": it, "description": it + ".", "x-en": map[string]any{"title": en, "description": en + "."}}
		maps.Copy(member, more)
		return member
	}
	kind := words("Genere", "Kind", map[string]any{
		"type": "string", "enum": []string{"new", "old"}, "x-labels": map[string]string{"new": "nuovo", "old": "vecchio"},
	})
	kind["x-en"].(map[string]any)["labels"] = map[string]string{"new": "new", "old": "old"}
	return map[string]any{
		"code": code, "version": version, "title": map[string]string{"it": "Dichiarazione di prova", "en": "Trial declaration"},
		"legal_reference": "Circolare di prova", "steps": []map[string]any{{"step": "single"}}, "opens_at": "2020-01-01T00:00:00Z",
		"worker_field": "/worker_tax_code",
		"content_schema": map[string]any{
			"type": "object", "additionalProperties": false, "required": []string{"worker_tax_code"},
			"properties": map[string]any{
				"worker_tax_code": words("Lavoratore", "Worker", map[string]any{"type": "string", "format": "tax-code", "maxLength": 16}),
				"kind":            kind,
			},
		},
		"content_example": map[string]any{"worker_tax_code": "BNCLRA75D52F205V", "kind": "new"},
	}
}

func TestDeclarationType_AnAdministratorPublishesIt(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		admin := w.loginAs(w.named("Fontana")).AccessToken
		once := key()
		published := w.do(http.MethodPost, publishPath, admin, trialType("PROVA", 1), once).want(t, http.StatusCreated, "")
		at := "/v1/declaration-types/PROVA"
		if got := published.header.Get("Location"); got != at+"/versions/1" {
			t.Errorf("Location %s", got)
		}
		again := w.do(http.MethodPost, publishPath, admin, trialType("PROVA", 1), once).want(t, http.StatusCreated, "")
		if string(again.body) != string(published.body) {
			t.Errorf("a repeat answers %s", again.body)
		}
		w.do(http.MethodPost, publishPath, w.loginAs(w.named("Greco")).AccessToken, trialType("ALTRA", 1), key()).want(t, http.StatusForbidden, "forbidden")

		// In both languages, without the keyword that has the other.
		for language, want := range map[string][]string{
			"it": {"Dichiarazione di prova", "Lavoratore", "vecchio"}, "en": {"Trial declaration", "Worker", `"old":"old"`},
		} {
			shown := w.do(http.MethodGet, at, "", nil, header{"Accept-Language", language}).want(t, http.StatusOK, "")
			for _, text := range want {
				if !strings.Contains(string(shown.body), text) {
					t.Errorf("%s: no %s in %s", language, text, shown.body)
				}
			}
			if strings.Contains(string(shown.body), "x-en") {
				t.Errorf("%s: %s", language, shown.body)
			}
			if vary := shown.header.Get("Vary"); !strings.Contains(vary, "Accept-Language") {
				t.Errorf("Vary %s", vary)
			}
			tag := shown.header.Get("ETag")
			w.do(http.MethodGet, at, "", nil, header{"Accept-Language", language}, header{"If-None-Match", tag}).want(t, http.StatusNotModified, "")
		}

		second := trialType("PROVA", 2)
		second["closes_at"] = "2099-01-01T00:00:00Z"
		w.do(http.MethodPost, publishPath, admin, second, key()).want(t, http.StatusCreated, "")
		for path, version := range map[string]float64{at: 2, at + "/versions/1": 1, at + "/versions/2": 2} {
			if got := w.do(http.MethodGet, path, "", nil).want(t, http.StatusOK, "").field("version"); got != version {
				t.Errorf("%s: version %v", path, got)
			}
		}
		old := w.do(http.MethodGet, at+"/versions/1", "", nil)
		if kept := old.header.Get("Cache-Control"); kept != "public, max-age=31536000, immutable" {
			t.Errorf("an old version is kept %s", kept)
		}
		w.do(http.MethodGet, at+"/versions/3", "", nil).want(t, http.StatusNotFound, "not-found")
		versions, _ := w.do(http.MethodGet, at+"/versions?limit=1", "", nil).want(t, http.StatusOK, "").field("items").([]any)
		if len(versions) != 1 || fmt.Sprint(versions[0].(map[string]any)["version"]) != "2" {
			t.Errorf("versions %v", versions)
		}
	})
}

// A document that breaks a rule is refused with pointers into it, and nothing is kept.
func TestDeclarationType_ADocumentIsCheckedBeforeItCounts(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		admin := w.loginAs(w.named("Fontana")).AccessToken
		schema := func(document map[string]any) map[string]any { return document["content_schema"].(map[string]any) }
		member := func(document map[string]any, name string) map[string]any {
			return schema(document)["properties"].(map[string]any)[name].(map[string]any)
		}
		for want, spoil := range map[string]func(document map[string]any){
			"/version version-not-next":    func(d map[string]any) { d["version"] = 2 },
			"/worker_field leads-nowhere":  func(d map[string]any) { d["worker_field"] = "/employee" },
			"/content_example/kind enum":   func(d map[string]any) { d["content_example"].(map[string]any)["kind"] = "other" },
			"/closes_at not-after":         func(d map[string]any) { d["closes_at"] = "2019-01-01T00:00:00Z" },
			"/steps step-order":            func(d map[string]any) { d["steps"] = []map[string]any{{"step": "reservation"}} },
			"/unknown unknown-field":       func(d map[string]any) { d["unknown"] = true },
			"/title/en required":           func(d map[string]any) { d["title"] = map[string]string{"it": "Prova"} },
			"/fund/fund_code unknown-fund": capped,
			"/content_schema/properties/kind/x-en/title required": func(d map[string]any) {
				delete(member(d, "kind")["x-en"].(map[string]any), "title")
			},
			"/content_schema/properties/kind/x-en/labels/old required": func(d map[string]any) {
				delete(member(d, "kind")["x-en"].(map[string]any)["labels"].(map[string]string), "old")
			},
			"/content_schema/properties/kind/patternProperties unknown-keyword": func(d map[string]any) {
				member(d, "kind")["patternProperties"] = map[string]any{"^a": true}
			},
			"/content_schema/properties/worker_tax_code/pattern too-costly": func(d map[string]any) {
				member(d, "worker_tax_code")["pattern"] = "^(a{1,30}){1,30}$"
			},
		} {
			document := trialType("PROVA", 1)
			spoil(document)
			answer := w.do(http.MethodPost, publishPath, admin, document, key())
			if answer.status != http.StatusUnprocessableEntity {
				t.Errorf("want %s: answered %d", want, answer.status)
			}
			problems, _ := answer.field("errors").([]any)
			var found []string
			for _, p := range problems {
				one, _ := p.(map[string]any)
				found = append(found, fmt.Sprintf("%v %v", one["pointer"], one["code"]))
			}
			if len(found) == 0 || found[0] != want {
				t.Errorf("want %s, got %v", want, found)
			}
		}
		w.do(http.MethodGet, "/v1/declaration-types/PROVA", "", nil).want(t, http.StatusNotFound, "not-found")
	})
}

// capped makes a type of two steps out of a document, with a fund that does not exist.
func capped(document map[string]any) {
	schema := document["content_schema"].(map[string]any)
	properties := schema["properties"].(map[string]any)
	words := func(more map[string]any) map[string]any {
		more["title"], more["description"] = "Campo", "Un campo."
		more["x-en"] = map[string]string{"title": "Field", "description": "A field."}
		return more
	}
	properties["hired_on"] = words(map[string]any{"type": "string", "format": "date", "maxLength": 10})
	properties["amount"] = words(map[string]any{"type": "string", "maxLength": 10, "pattern": `^(0|[1-9][0-9]{0,6})\.[0-9]{2}$`})
	schema["required"] = []string{"worker_tax_code", "amount"}
	example := document["content_example"].(map[string]any)
	example["hired_on"], example["amount"] = "2026-03-16", "100.00"
	term := map[string]any{"days": 7, "kind": "working"}
	document["steps"] = []map[string]any{
		{"step": "reservation", "amount": map[string]any{"cap": "1000.00", "field": "/amount"}},
		{"step": "confirmation", "requires": []string{"hired_on"}, "hire_within": term, "confirm_within": term},
	}
	document["fund"], document["hire_date_field"] = map[string]any{"fund_code": "NONE"}, "/hired_on"
}
