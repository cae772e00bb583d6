package attachment_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
)

// utf16le writes a text as Windows does under the name of Unicode.
func utf16le(s string) string {
	b := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(s)) {
		b = append(b, byte(unit), byte(unit>>8))
	}
	return string(b)
}

// zipped is an archive of empty files.
func zipped(t *testing.T, change func(z *zip.Writer), names ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range names {
		if _, err := z.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	if change != nil {
		change(z)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAttachment_WhatIsTextXMLOrAnArchive(t *testing.T) {
	all := append(append(attachment.Documents(), attachment.Signed()...), attachment.XML, attachment.Text, attachment.ZIP)
	raw := func(h zip.FileHeader) func(z *zip.Writer) {
		return func(z *zip.Writer) {
			if _, err := z.CreateRaw(&h); err != nil {
				t.Error(err)
			}
		}
	}
	many := make([]string, 1001)
	for i := range many {
		many[i] = strings.Repeat("a", i%10+1) + "/" + strings.Repeat("b", i/10+1)
	}
	for name, c := range map[string]struct {
		content string
		want    attachment.MediaType
		code    string
	}{
		"XML":                       {`<?xml version="1.0" encoding="UTF-8"?><DenunceMensili><a b="c">è</a></DenunceMensili>`, attachment.XML, ""},
		"XML without a declaration": {"\n <a/>\n", attachment.XML, ""},
		"XML after a mark":          {"\xef\xbb\xbf<a>è</a>", attachment.XML, ""},
		"XML of Windows":            {"<?xml version=\"1.0\" encoding=\"windows-1252\"?><a>\xe8</a>", attachment.XML, ""},
		"XML in UTF-16":             {utf16le(`<?xml version="1.0" encoding="UTF-16"?><a>è</a>`), attachment.XML, ""},
		"XML that breaks off":       {"<a><b></b>", "", fault.FieldFileType},
		"two roots":                 {"<a/><b/>", "", fault.FieldFileType},
		"an entity that grows":      {`<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>`, "", fault.FieldFileType},
		"a drawing":                 {`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`, "", fault.FieldFileType},
		"a page that is well-formed": {
			`<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body/></html>`, "", fault.FieldFileType,
		},
		"a page":              {"<!doctype html><script>alert(1)</script>", "", fault.FieldFileType},
		"a page after spaces": {"\r\n\t <script>alert(1)</script>", "", fault.FieldFileType},
		"text":                {"Perché è stato versato due volte\r\n\t- F24\f", attachment.Text, ""},
		"text after a mark":   {"\xef\xbb\xbfPerché", attachment.Text, ""},
		"text of Windows":     {"Perch\xe9 \x80 5", attachment.Text, ""},
		"text in UTF-16":      {utf16le("Perché\r\n"), attachment.Text, ""},
		"markup in UTF-16":    {utf16le(" <script>"), "", fault.FieldFileType},
		"a script":            {"#!/bin/sh\nrm -rf /", "", fault.FieldFileType},
		"a batch file":        {"@echo off\r\n", "", fault.FieldFileType},
		"control characters":  {"a\x1b[31mb", "", fault.FieldFileType},
		"U+0000 further on":   {strings.Repeat("a", 10_000) + "\x00", "", fault.FieldFileType},
		"a program":           {"MZ\x90\x00\x03\x00", "", fault.FieldFileType},
		"an archive":          {zipped(t, nil, "F24.pdf", "2026/", "2026/nota di rettifica.xml"), attachment.ZIP, ""},
		"a way out":           {zipped(t, nil, "a.pdf", "../../etc/passwd"), "", fault.FieldFileUnsafe},
		"a way out by Windows": {
			zipped(t, nil, `..\a.pdf`), "", fault.FieldFileUnsafe,
		},
		"from the root":          {zipped(t, nil, "/etc/passwd"), "", fault.FieldFileUnsafe},
		"a drive":                {zipped(t, nil, "C:a.pdf"), "", fault.FieldFileUnsafe},
		"a program in it":        {zipped(t, nil, "a.pdf", "fattura.pdf.EXE"), "", fault.FieldFileUnsafe},
		"a program with a tail":  {zipped(t, nil, "fattura.js. "), "", fault.FieldFileUnsafe},
		"a page in it":           {zipped(t, nil, "a.html"), "", fault.FieldFileUnsafe},
		"more than 1,000 files":  {zipped(t, nil, many...), "", fault.FieldFileUnsafe},
		"only a directory's end": {zipped(t, nil), "", fault.FieldFileType},
		"much more than it seems": {
			zipped(t, raw(zip.FileHeader{Name: "a.xml", UncompressedSize64: 300 << 20})), "", fault.FieldFileUnsafe,
		},
		"much more together": {zipped(t, func(z *zip.Writer) {
			raw(zip.FileHeader{Name: "a.xml", UncompressedSize64: 150 << 20})(z)
			raw(zip.FileHeader{Name: "b.xml", UncompressedSize64: 150 << 20})(z)
		}), "", fault.FieldFileUnsafe},
		"a password": {zipped(t, raw(zip.FileHeader{Name: "a.pdf", Flags: 1})), "", fault.FieldFilePassword},
		"a link": {zipped(t, func(z *zip.Writer) {
			h := zip.FileHeader{Name: "a.pdf"}
			h.SetMode(os.ModeSymlink)
			raw(h)(z)
		}), "", fault.FieldFileUnsafe},
		"an archive that breaks off": {zipped(t, nil, "F24.pdf")[:60], "", fault.FieldFileUnsafe},
		"a program for Java":         {zipped(t, nil, "META-INF/MANIFEST.MF", "a.class"), "", fault.FieldFileType},
	} {
		t.Run(name, func(t *testing.T) {
			u := spool(t, "a", c.content)
			files, err := attachment.CheckUpTo(3<<20, []*attachment.Upload{u}, "/files", all...)
			if c.code != "" {
				if !refused(err, c.code) {
					t.Errorf("%+v, %v", files, err)
				}
				return
			}
			if err != nil || files[0].MediaType != c.want {
				t.Errorf("%+v, %v", files, err)
			}
			// Whoever takes documents alone takes none of it.
			if _, err := attachment.Check([]*attachment.Upload{u}, "/files", attachment.Documents()...); !refused(err, fault.FieldFileType) {
				t.Errorf("among documents: %v", err)
			}
		})
	}
}

// What is refused says which types are taken and how long a file may be.
func TestAttachment_ARefusalSaysWhatIsTaken(t *testing.T) {
	long, err := attachment.Spool(io.LimitReader(zeros{}, 3<<20+1), "a", t.TempDir(), attachment.MaxSize)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = long.Close() }()
	_, err = attachment.CheckUpTo(
		3<<20, []*attachment.Upload{spool(t, "a", "\x00"), long}, "/files", attachment.PDF, attachment.P7M, attachment.Text,
	)
	var f *fault.Fault
	if !errors.As(err, &f) {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]fault.Field{
		{Pointer: "/files/0", Code: fault.FieldFileType, Right: &fault.Right{Allowed: []string{"PDF", "P7M", "TXT"}, Expected: "≤ 3 MiB"}},
		{Pointer: "/files/1", Code: fault.FieldFileTooLarge, Right: &fault.Right{Expected: "≤ 3 MiB"}},
	}, f.Fields); diff != "" {
		t.Error(diff)
	}
}
