package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTable_ListsEachModule(t *testing.T) {
	page, err := table([]module{{"a.example/a", "v0.1.0", []string{"BSD-3-Clause"}}, {"b.example/b", "v1.0.0", []string{"Apache-2.0", "MIT"}}})
	if err != nil || !strings.HasSuffix(page, "| a.example/a | v0.1.0 | BSD-3-Clause |\n| b.example/b | v1.0.0 | Apache-2.0, MIT |\n") {
		t.Errorf("%v\n%s", err, page)
	}
}

func TestTable_RefusesWhatIsNotKnown(t *testing.T) {
	for name, modules := range map[string][]module{
		"none": {{"a.example/a", "v1.0.0", nil}}, "another": {{"a.example/a", "v1.0.0", []string{"SSPL-1.0"}}},
		"both": {{"a.example/a", "v1.0.0", []string{"MIT", "unclear: LICENSE"}}}, "no module": nil,
	} {
		if page, err := table(modules); err == nil {
			t.Errorf("%s: %s", name, page)
		}
	}
}

func TestComplete_AddsLicencesToTheBill(t *testing.T) {
	component := map[string]any{"name": "b.example/b", "version": "v1.0.0"}
	bill := map[string]any{"components": []any{component, map[string]any{"name": "a.example/a", "version": "v2.0.0"}}}
	modules, err := complete(bill, func(name, _ string) ([]string, error) { return []string{"MIT"}, nil })
	if err != nil || len(modules) != 2 || modules[0].Name != "a.example/a" || component["licenses"] == nil {
		t.Errorf("%v %v %v", modules, component, err)
	}
	gone := errors.New("gone")
	if _, err := complete(bill, func(string, string) ([]string, error) { return nil, gone }); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
}

func TestLicences_AreReadFromFiles(t *testing.T) {
	dir := t.TempDir()
	own, err := os.ReadFile("../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"LICENSE": string(own), "COPYING.other": "Ask us.", "README": "MIT"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := licencesIn("a.example/a", dir); err != nil || !slices.Equal(got, []string{"EUPL-1.2", "unclear: COPYING.other"}) {
		t.Errorf("%v, %v", got, err)
	}
}
