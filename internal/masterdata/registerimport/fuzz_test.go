package registerimport

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// FuzzLines looks whether a file of a register ends the program, goes on for ever, or has rows of
// another length than its columns.
func FuzzLines(f *testing.F) {
	f.Add(true, `{"tax_code":"RSSMRA80A01H501U","given_name":"Mario","listed":true}`+"\n")
	f.Add(true, "\xef\xbb\xbf{}\n[]\nnull\n{\"a\":\"b\",\"a\":\"c\"}\n{\"tax_code\":1}\n")
	f.Add(true, strings.Repeat("a", 70_000)+"\n{}")
	f.Add(false, "tax_code;given_name;listed\nRSSMRA80A01H501U;Mario;true\n")
	f.Fuzz(func(t *testing.T, asJSON bool, content string) {
		columns := []column{{name: "tax_code", check: text}, {name: "given_name", check: text, optional: true}, {name: "listed", check: text}}
		i := Import{Format: CSV}
		if asJSON {
			i.Format = JSONL
		}
		file := newLines(strings.NewReader(content), i, columns)
		for range strings.Count(content, "\n") + strings.Count(content, "\r") + 3 {
			r, wrong, err := file.next()
			var refused fileError
			switch {
			case errors.Is(err, io.EOF), errors.As(err, &refused):
				return
			case err != nil:
				t.Fatal(err)
			case len(wrong) == 0 && len(r.values) != len(columns):
				t.Fatalf("%d values", len(r.values))
			}
		}
		t.Error("it goes on")
	})
}
