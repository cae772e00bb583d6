#!/bin/sh
# codeberg.org/go-pdf/fpdf 0.12.0 says what the codes of a TrueType font mean in one range, <0000> to <FFFF>. In a ToUnicode CMap the
# codes of a range have the same first byte (ISO 32000-1, 9.10.3, after Adobe's technical note 5014): a reader that keeps to it
# need not know what stands above U+00FF, such as – or €, while à and ò are known: a test with plain Italian sees nothing.
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
	"compress/zlib"
	"fmt"
	"io"
	"regexp"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/goregular"
)

func main() {
	pdf := fpdf.New("P", "mm", "A4", "")
	pdf.AddUTF8FontFromBytes("go", "", bytes.Clone(goregular.TTF))
	pdf.SetFont("go", "", 12)
	pdf.AddPage()
	pdf.Cell(40, 10, "à – €")
	var out bytes.Buffer
	if err := pdf.Output(&out); err != nil {
		panic(err)
	}
	for _, s := range regexp.MustCompile(`(?s)stream\n(.*?)\nendstream`).FindAllSubmatch(out.Bytes(), -1) {
		body := s[1]
		if z, err := zlib.NewReader(bytes.NewReader(body)); err == nil {
			body, _ = io.ReadAll(z)
		}
		fmt.Printf("%s", regexp.MustCompile(`(?s)\d+ beginbfrange.*?endbfrange\n`).Find(body))
	}
}
GO
go get codeberg.org/go-pdf/fpdf@v0.12.0 golang.org/x/image@v0.47.0 >/dev/null 2>&1
echo "fpdf $(go list -m -f '{{.Version}}' codeberg.org/go-pdf/fpdf)"
go run . | tee seen
printf '1 beginbfrange\n<0000> <FFFF> <0000>\nendbfrange\n' | cmp - seen
