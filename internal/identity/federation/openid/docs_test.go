package openid_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"diresco/internal/identity/federation/openid"
)

func TestFile_ExamplesOfTheDocsAreRight(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "identity-openid.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```json\n")[1:]
	if len(blocks) != 2 {
		t.Fatalf("%d examples", len(blocks))
	}
	for i, block := range blocks {
		text, _, _ := strings.Cut(block, "```")
		if _, err := openid.Parse([]byte(strings.ReplaceAll(text, "/etc/diresco/broker-secret", writeSecret(t, "s3cret")))); err != nil {
			t.Errorf("example %d: %v", i, err)
		}
	}
}
