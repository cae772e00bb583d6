package pdfa_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"diresco/internal/platform/pdfa"
	"diresco/internal/platform/pdfa/pdfatest"
	"diresco/internal/platform/pdftext"
)

// letters are those that a typical text of the service needs, and some that foreign names do.
const letters = "àèéìòù ÀÈÉÌÒÙ – — € “” ‘’ «» … ł Ł ž ğ ş ő Ж Ω ß □ (\\) {nb}"

// sample draws a document of several pages with one of everything.
func sample() *pdfa.Document {
	d := pdfa.New("Prova – “€” <&>", "it-IT", time.Date(2026, 7, 14, 22, 32, 5, 123456000, time.FixedZone("", 7200)))
	line := func(e *pdfa.Element, face, text string) {
		d.SetFont(face, "", 10)
		d.In(e, func() { d.CellFormat(0, 5, pdftext.Printable(text), "", 1, "L", false, 0, "") })
	}
	d.SetFooterFunc(func() { d.Artifact(func() { d.Line(10, 280, 200, 280) }) })
	d.AddPage()
	line(d.Root().Add(pdfa.Title), pdftext.Bold, "Titolo")
	part := d.Root().Add(pdfa.Section)
	line(part.Add(pdfa.Heading), pdftext.Bold, "Parte")
	row := part.Add(pdfa.Table).Add(pdfa.Row)
	header, cell := row.Add(pdfa.RowHeader), row.Add(pdfa.Cell)
	line(header, pdftext.Sans, "Nome")
	line(cell, pdftext.Sans, letters+" ")
	d.AddPage()
	line(cell, pdftext.Mono, letters)
	word := part.Add(pdfa.Paragraph).AddWord("7K3MQ9XA")
	line(word, pdftext.Mono, "7K3M")
	line(word, pdftext.Mono, "Q9XA")
	for range 2 {
		link := part.Add(pdfa.Link)
		d.Picture(link.Add(pdfa.Figure), 10, 100, 20, 20, "Un quadrato", func() { d.Rect(10, 100, 20, 20, "F") })
		d.Target(link, 10, 100, 20, 20, `https://a.example/(x)\#y`, "Apre la pagina")
	}
	return d
}

func written(t *testing.T, d *pdfa.Document) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := d.Output(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDocument_KeepsTheRules(t *testing.T) {
	pdf := written(t, sample())
	pdfatest.Check(t, pdf)
	got, err := pdfatest.Text(pdf)
	if err != nil {
		t.Fatal(err)
	}
	want := `Document
  H1 Titolo
  Sect
    H2 Parte
    Table
      TR
        TH Nome
        TD ` + letters + " " + letters + `
    P
      Span 7K3MQ9XA
    Link → Apre la pagina
      Figure [Un quadrato]
    Link → Apre la pagina
      Figure [Un quadrato]
`
	if got != want {
		t.Errorf("it says\n%s", got)
	}
	// What the information says is what was said to New, at its instant.
	if !bytes.Contains(pdf, []byte("(D:20260714203205Z)")) || !bytes.Contains(pdf, []byte("Prova – “€” &lt;&amp;&gt;")) {
		t.Error("time or title are others")
	}
}

// The rules that the library's own output breaks: the reader must see each.
func TestDocument_WhatBreaksARuleIsSeen(t *testing.T) {
	pdf := string(written(t, sample()))
	for name, change := range map[string]struct{ old, new string }{
		"header":           {"%PDF-1.7", "%PDF-1.3"},
		"conformance":      {"<pdfaid:conformance>U", "<pdfaid:conformance>B"},
		"title":            {"Prova – “€” &lt;", "Prova – “€” &gt;"},
		"name of a subset": {"/FontName /", "/FontName /x"},
		"scope":            {"/Scope /Row", "/Scope /Rod"},
		"alternative":      {"/Alt <", "/Alu <"},
		"tabs":             {"/Tabs /S", "/Tabs /R"},
		"printed link":     {"/F 4", "/F 0"},
		"digest":           {"/ID [<", "/IE [<"},
		"parent":           {"/StructParents 1", "/StructParents 0"},
		"heading":          {"/S /H1", "/S /H2"},
		"marked":           {"/Marked true", "/Marked fals"},
	} {
		broken := strings.Replace(pdf, change.old, change.new, 1)
		if broken == pdf || len(pdfatest.Faults([]byte(broken))) == 0 {
			t.Errorf("%s: nothing is seen", name)
		}
	}
}

func TestDocument_WhatIsMarkedWronglyIsNotWritten(t *testing.T) {
	for name, draw := range map[string]func(d *pdfa.Document, e *pdfa.Element){
		"a piece in a piece":     func(d *pdfa.Document, e *pdfa.Element) { d.In(e, func() { d.In(e, func() {}) }) },
		"an artifact in a piece": func(d *pdfa.Document, e *pdfa.Element) { d.In(e, func() { d.Artifact(func() {}) }) },
		"over two pages":         func(d *pdfa.Document, e *pdfa.Element) { d.In(e, func() { d.AddPage() }) },
	} {
		d := sample()
		draw(d, d.Root().Add(pdfa.Paragraph))
		var b bytes.Buffer
		if err := d.Output(&b); err == nil || b.Len() > 0 {
			t.Errorf("%s: %v and %d bytes", name, err, b.Len())
		}
	}
}

// asked asks the process of the test for the digest of its document.
const asked = "DIRESCO_TEST_PRINTS_DIGEST"

func TestDocument_SameCallsSameBytes(t *testing.T) {
	sum := sha256.Sum256(written(t, sample()))
	want := hex.EncodeToString(sum[:])
	if os.Getenv(asked) != "" {
		_, _ = os.Stdout.WriteString("digest " + want + "\n")
		return
	}
	for range 9 {
		if sum := sha256.Sum256(written(t, sample())); hex.EncodeToString(sum[:]) != want {
			t.Fatal("another document")
		}
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	command.Env = append(os.Environ(), asked+"=1")
	out, err := command.Output()
	if match := regexp.MustCompile(`digest (\w+)`).FindSubmatch(out); err != nil || match == nil || string(match[1]) != want {
		t.Errorf("another process: %v, %s", err, out)
	}
}
