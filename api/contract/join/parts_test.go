package main

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// folder makes files out of name and content, in turn.
func folder(namesAndContents ...string) fstest.MapFS {
	files := fstest.MapFS{}
	for i := 0; i < len(namesAndContents); i += 2 {
		files[namesAndContents[i]] = &fstest.MapFile{Data: []byte(namesAndContents[i+1])}
	}
	return files
}

func TestParts_StandWhereTheHeadNamesThem(t *testing.T) {
	joined, err := joinParts(folder(
		"head.yaml", "paths:\n  # One\n\n  # part: paths/one.yaml\n\n  # part: paths/two.yaml\nend: true\n",
		"paths/one.yaml", "/one: # kept\n  get:\n    description: |-\n      First.\n\n      Second.\n",
		"paths/two.yaml", "/two: {}\n",
		"released.yaml", "/one: {}\n",
	))
	if err != nil {
		t.Fatal(err)
	}
	const want = "paths:\n  # One\n\n  /one: # kept\n    get:\n      description: |-\n        First.\n\n        Second.\n\n  /two: " +
		"{}\nend: true\n"
	if diff := cmp.Diff(want, string(joined.bytes())); diff != "" {
		t.Error(diff)
	}
}

func TestParts_MistakesNameFileAndLine(t *testing.T) {
	for want, files := range map[string]fstest.MapFS{
		"contract/head.yaml:2: open gone.yaml": folder("head.yaml", "paths:\n  # part: gone.yaml\n"),
		"contract/head.yaml:3: one.yaml has a place already": folder(
			"head.yaml", "a:\n  # part: one.yaml\n  # part: one.yaml\n", "one.yaml", "b: 1\n",
		),
		"contract/one.yaml:2: only head.yaml names parts": folder(
			"head.yaml", "# part: one.yaml\n", "one.yaml", "a:\n# part: two.yaml\n", "two.yaml", "",
		),
		`contract/x/left.yaml: no line "# part: x/left.yaml" in head`: folder("head.yaml", "a: 1\n", "x/left.yaml", "b: 1\n"),
	} {
		if _, err := joinParts(files); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
