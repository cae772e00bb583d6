package api_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestClient_CanBeCopiedIntoAnotherModule: nobody can fetch this module, so the generated client
// needs nothing else of it.
func TestClient_CanBeCopiedIntoAnotherModule(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("client", "*.go"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imported := range parsed.Imports {
			if path, err := strconv.Unquote(imported.Path.Value); err != nil || path == "diresco" || strings.HasPrefix(path, "diresco/") {
				t.Errorf("%s imports %s", file, path)
			}
		}
	}
}
