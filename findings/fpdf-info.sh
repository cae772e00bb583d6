#!/bin/sh
# codeberg.org/go-pdf/fpdf 0.12.0: once a document has an output intent, as PDF/A asks, the trailer's /Info leads to the colour profile. Title
# and dates, which stand in the object after it, are lost; nothing is reported.
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
	"regexp"

	"codeberg.org/go-pdf/fpdf"
)

func main() {
	for _, intent := range []bool{false, true} {
		pdf := fpdf.New("P", "mm", "A4", "")
		pdf.SetTitle("A title", false)
		if intent {
			pdf.AddOutputIntent(fpdf.OutputIntentType{
				SubtypeIdent: fpdf.OutputIntent_GTS_PDFA1, OutputConditionIdentifier: "sRGB", Info: "sRGB", ICCProfile: []byte("a profile"),
			})
		}
		pdf.AddPage()
		var out bytes.Buffer
		if err := pdf.Output(&out); err != nil {
			panic(err)
		}
		info := regexp.MustCompile(`/Info (\d+) 0 R`).FindSubmatch(out.Bytes())
		object := regexp.MustCompile(`(?s)\n` + string(info[1]) + ` 0 obj\n<<\s*(/\w+ [^/\n]*)`).FindSubmatch(out.Bytes())
		fmt.Printf("output intent %v: %s begins %q\n", intent, info[0], bytes.TrimSpace(object[1]))
	}
}
GO
go get codeberg.org/go-pdf/fpdf@v0.12.0 >/dev/null 2>&1
echo "fpdf $(go list -m -f '{{.Version}}' codeberg.org/go-pdf/fpdf)"
go run . | tee seen
grep -q '^output intent false: /Info [0-9]* 0 R begins "/Producer' seen
grep -q '^output intent true: /Info [0-9]* 0 R begins "/N 3"' seen
