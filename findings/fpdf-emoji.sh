#!/bin/sh
# codeberg.org/go-pdf/fpdf 0.12.0 panics when a character beyond U+FFFF is written in a UTF-8 font, instead of setting its error: a name
# with 🙂 or a rare ideograph ends the program. One that the font has not got, up to U+FFFF, is written without a word.
# Needs go. Fails if the library does otherwise.
set -eu
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
printf 'module fact\n\ngo 1.26\n' >go.mod
cat >main.go <<'GO'
package main

import (
	"bytes"
	"fmt"
	"io"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/goregular"
)

func write(text string) (outcome any) {
	defer func() {
		if r := recover(); r != nil {
			outcome = fmt.Sprint("panic: ", r)
		}
	}()
	pdf := fpdf.New("P", "mm", "A4", "")
	pdf.AddUTF8FontFromBytes("go", "", bytes.Clone(goregular.TTF))
	pdf.SetFont("go", "", 12)
	pdf.AddPage()
	pdf.Cell(40, 10, text)
	return pdf.Output(io.Discard)
}

func main() {
	for _, text := range []string{"a日b", "a🙂b"} {
		fmt.Println(text, write(text))
	}
}
GO
go get codeberg.org/go-pdf/fpdf@v0.12.0 golang.org/x/image@v0.47.0 >/dev/null 2>&1
echo "fpdf $(go list -m -f '{{.Version}}' codeberg.org/go-pdf/fpdf)"
go run . | tee seen
grep -qx 'a日b <nil>' seen
grep -q '^a🙂b panic: .*index out of range' seen
