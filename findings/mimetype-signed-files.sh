#!/bin/sh
# What offices send, as gabriel-vasile/mimetype 1.4.16 sees it. A signed PDF (.pdf.p7m: CMS around a PDF) is a PDF, since
# "%PDF-" stands near its beginning; the same signature in base64 is plain text; a container of signatures (ASiC) whose
# META-INF comes first is a Java archive; BigTIFF is unknown. So look for these before you ask it.
# Needs go. Fails if it says otherwise.
set -eu
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
printf 'module seen\n\ngo 1.26\n' >go.mod
cat >main.go <<'GO'
package main

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

func main() {
	oid := func(last byte) []byte { return append([]byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"), last) }
	// SignedData, indefinite length: version 1, SHA-256, and a document in clear.
	signed := append([]byte("\x30\x80"), oid(2)...)
	signed = append(signed, "\xa0\x80\x30\x80\x02\x01\x01\x31\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x30\x80"...)
	signed = append(append(signed, oid(1)...), "\xa0\x80\x24\x80\x04\x82\x03\xe8"...)
	signed = append(signed, "%PDF-1.7\n"+strings.Repeat("x", 991)...)
	var asic bytes.Buffer
	w := zip.NewWriter(&asic)
	for _, f := range [][2]string{{"META-INF/", ""}, {"META-INF/signatures001.xml", "<x/>"}, {"a.pdf", "%PDF-1.7\n"}, {"mimetype", "application/vnd.etsi.asic-e+zip"}} {
		e, _ := w.CreateHeader(&zip.FileHeader{Name: f[0], Method: zip.Store})
		e.Write([]byte(f[1]))
	}
	w.Close()
	for _, c := range []struct {
		name    string
		content []byte
	}{
		{"signed PDF", signed},
		{"signed PDF as base64", []byte(base64.StdEncoding.EncodeToString(signed))},
		{"ASiC, META-INF first", asic.Bytes()},
		{"BigTIFF", []byte("II+\x00\x08\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00")},
	} {
		fmt.Printf("%s: %s\n", c.name, mimetype.Detect(c.content))
	}
}
GO
go get github.com/gabriel-vasile/mimetype@v1.4.16 >/dev/null 2>&1
echo "mimetype $(go list -m -f '{{.Version}}' github.com/gabriel-vasile/mimetype)"
go run . | tee seen
grep -qx 'signed PDF: application/pdf' seen
grep -qx 'signed PDF as base64: text/plain; charset=utf-8' seen
grep -qx 'ASiC, META-INF first: application/java-archive' seen
grep -qx 'BigTIFF: application/octet-stream' seen
