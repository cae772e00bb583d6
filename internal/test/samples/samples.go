// Package samples goes the way of a declaration with the samples of code that the documentation
// shows. It goes from the login to the receipt. Whoever runs them says how.
package samples

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Sample is a program that the documentation shows.
type Sample struct {
	OperationID string
	Source      string
}

// step is one operation on the way.
type step struct {
	operation string
	// learns says which variable the next ones need, and where it stands in the answer.
	learns, from string
	// says has to stand in the answer.
	says string
}

// steps are all operations that have samples, in an order in which each has what it needs.
var steps = []step{
	{operation: "startSession", learns: "TOKEN", from: "access_token"},
	{operation: "listContributors", learns: "CONTRIBUTOR_ID", from: "items.contributor_id"},
	{operation: "listPositions", learns: "POSITION_ID", from: "items.position_id"},
	{operation: "listDeclarationTypes", says: `"RIOC"`},
	{operation: "draftDeclaration", learns: "DECLARATION_ID", from: "declaration_id"},
	{operation: "submitDeclaration", says: `"INPS.`},
	{operation: "showDeclaration", says: `"submitted"`},
	{operation: "listDeclarations", says: `"INPS.`},
	{operation: "showReceipt", learns: "JWS", from: "jws"},
	{operation: "downloadReceiptPdf"},
	{operation: "verifyReceipt", says: `"genuine"`},
}

// Of returns the samples that the service at the address shows in the language, by label. It ends
// the test unless they are those of the way.
func Of(t *testing.T, address, label string) []Sample {
	t.Helper()
	request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, address+"/assets/samples.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	var served map[string][]struct{ Label, Source string }
	if err := errors.Join(json.NewDecoder(answer.Body).Decode(&served), answer.Body.Close()); err != nil {
		t.Fatal(err)
	}
	var found []Sample
	for _, s := range steps {
		for _, one := range served[s.operation] {
			if one.Label == label {
				found = append(found, Sample{s.operation, one.Source})
			}
		}
	}
	if len(found) != len(steps) || len(served) != len(steps) {
		t.Fatalf("of %d operations that are shown in code and %d on the way, %d are in %s", len(served), len(steps), len(found), label)
	}
	return found
}

// Follow runs the samples one after the other, against the service at the address. The variables
// that run gets are those that an environment has, and it returns what the program prints.
func Follow(t *testing.T, address string, all []Sample, run func(s Sample, variables []string) string) {
	t.Helper()
	variables := []string{"API=" + address + "/v1"}
	for i, s := range steps {
		printed := run(all[i], slices.Clone(variables))
		if !strings.Contains(printed, s.says) {
			t.Fatalf("%s prints no %s: %s", s.operation, s.says, printed)
		}
		if s.learns == "" {
			continue
		}
		value := valueOf(printed, strings.Split(s.from, "."))
		if value == "" {
			t.Fatalf("%s prints no %s: %s", s.operation, s.from, printed)
		}
		variables = append(variables, s.learns+"="+value)
	}
}

// Receipt is the file that a sample saves in the folder where it runs.
func Receipt(dir string) string { return filepath.Join(dir, "receipt.pdf") }

// valueOf finds a text by the names that lead to it. Of a list it is that of the first member.
func valueOf(printed string, names []string) string {
	var at any
	if json.Unmarshal([]byte(printed), &at) != nil {
		return ""
	}
	for _, name := range names {
		object, _ := at.(map[string]any)
		at = object[name]
		if list, is := at.([]any); is && len(list) > 0 {
			at = list[0]
		}
	}
	text, _ := at.(string)
	return text
}
