package pdfatest

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// Check reports every rule that a document breaks.
func Check(t testing.TB, pdf []byte) {
	t.Helper()
	for _, err := range Faults(pdf) {
		t.Error(err)
	}
}

// Faults returns the rules that a document breaks, in words.
func Faults(pdf []byte) []error {
	f, err := Open(pdf)
	if err != nil {
		return []error{err}
	}
	c := &checker{File: f}
	c.file()
	c.metadata()
	shown := map[string]map[int]bool{}
	c.structure(shown)
	c.fonts(shown)
	return c.faults
}

// header is that of PDF 1.7; the four bytes say that the file is no text.
const header = "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"

type checker struct {
	*File
	faults []error
}

func (c *checker) must(right bool, format string, args ...any) {
	if !right {
		c.faults = append(c.faults, fmt.Errorf(format, args...))
	}
}

func (c *checker) file() {
	c.must(strings.HasPrefix(string(c.raw), header), "the header is %q", c.raw[:16])
	c.must(strings.HasSuffix(string(c.raw), "\n%%EOF\n"), "the end is missing")
	id := c.array(c.trailer["ID"])
	c.must(len(id) == 2 && len(id[0].(bytez)) == 16 && id[0] == id[1], "/ID is %v", id)
	c.must(c.trailer["Size"] == float64(len(c.objects)+1), "/Size is %v", c.trailer["Size"])
	_, encrypted := c.trailer["Encrypt"]
	c.must(!encrypted, "the document is encrypted")

	root := c.catalogue()
	c.must(root["Type"] == name("Catalog"), "the catalogue is %v", root)
	c.must(regexp.MustCompile(`^[a-z]{2}-[A-Z]{2}$`).MatchString(said(root["Lang"])), "/Lang is %q", said(root["Lang"]))
	c.must(c.dict(root, "MarkInfo")["Marked"] == true, "the document is not marked")
	c.must(c.dict(root, "ViewerPreferences")["DisplayDocTitle"] == true, "the title is not shown")
	for _, key := range []string{"Names", "OpenAction", "AA", "AcroForm"} {
		_, found := root[key]
		c.must(!found, "the catalogue has %s", key)
	}
	intents := c.array(root["OutputIntents"])
	c.must(len(intents) == 1, "%d output intents", len(intents))
	for _, intent := range intents {
		d := c.dict(intent)
		r, _ := d["DestOutputProfile"].(ref)
		c.must(d["S"] == name("GTS_PDFA1") && said(d["OutputConditionIdentifier"]) != "" && c.dict(r)["N"] == 3.0 &&
			len(c.streams[int(r)]) > 128 && string(c.streams[int(r)][16:20]) == "RGB ", "the output intent is %v", d)
	}
	for n, o := range c.objects {
		d, _ := o.(dict)
		c.must(d["Filter"] == nil || d["Filter"] == name("FlateDecode"), "object %d has the filter %v", n, d["Filter"])
		for _, key := range []string{"SMask", "Group", "JS", "F2", "AA"} {
			c.must(d[key] == nil, "object %d has %s", n, key)
		}
	}
}

// metadata holds the description of the document to its information.
func (c *checker) metadata() {
	r, _ := c.catalogue()["Metadata"].(ref)
	d := c.dict(r)
	c.must(d["Type"] == name("Metadata") && d["Subtype"] == name("XML") && d["Filter"] == nil, "the metadata are %v", d)
	stands := map[string][]string{}
	decoder := xml.NewDecoder(strings.NewReader(string(c.streams[int(r)])))
	var path []string
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			c.must(false, "the metadata are no XML: %v", err)
			return
		}
		switch token := token.(type) {
		case xml.StartElement:
			path = append(path, token.Name.Space+token.Name.Local)
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			if text := string(token); strings.TrimSpace(text) != "" {
				for _, p := range path {
					stands[p] = append(stands[p], text)
				}
			}
		}
	}
	info := c.dict(c.trailer["Info"])
	stamp := func(key string) string {
		at, err := time.Parse("D:20060102150405Z", said(info[key]))
		c.must(err == nil, "/%s is %q", key, said(info[key]))
		return at.Format(time.RFC3339)
	}
	c.must(said(info["Title"]) != "", "no title")
	for property, want := range map[string]string{
		"http://purl.org/dc/elements/1.1/title":           said(info["Title"]),
		"http://purl.org/dc/elements/1.1/language":        said(c.catalogue()["Lang"]),
		"http://ns.adobe.com/pdf/1.3/Producer":            said(info["Producer"]),
		"http://ns.adobe.com/xap/1.0/CreateDate":          stamp("CreationDate"),
		"http://ns.adobe.com/xap/1.0/ModifyDate":          stamp("ModDate"),
		"http://www.aiim.org/pdfa/ns/id/part":             "2",
		"http://www.aiim.org/pdfa/ns/id/conformance":      "U",
		"http://www.aiim.org/pdfua/ns/id/part":            "1",
		"http://www.aiim.org/pdfa/ns/schema#prefix":       "pdfuaid",
		"http://www.aiim.org/pdfa/ns/property#name":       "part",
		"http://www.aiim.org/pdfa/ns/schema#schema":       "PDF/UA identification schema",
		"http://purl.org/dc/elements/1.1/format":          "application/pdf",
		"http://www.aiim.org/pdfa/ns/schema#namespaceURI": "http://www.aiim.org/pdfua/ns/id/",
	} {
		c.must(slices.Equal(stands[property], []string{want}), "metadata: %s is %q, not %q", property, stands[property], want)
	}
}

var (
	subset     = regexp.MustCompile(`^[A-Z]{6}\+\S+$`)
	rangeLines = regexp.MustCompile(`(?s)(\d+) beginbfrange\n(.*?)endbfrange`)
)

// fonts looks at every font, and at every code that was shown in it.
func (c *checker) fonts(shown map[string]map[int]bool) {
	names := map[any]bool{}
	for _, page := range c.pages() {
		for key, r := range c.dict(page, "Resources", "Font") {
			if names[r] {
				continue
			}
			names[r] = true
			c.font(c.dict(r), shown[key])
		}
	}
	for key := range shown {
		found := false
		for _, page := range c.pages() {
			found = found || c.dict(page, "Resources", "Font")[key] != nil
		}
		c.must(found, "the font %s is not there", key)
	}
}

func (c *checker) font(f dict, shown map[int]bool) {
	base := fmt.Sprint(f["BaseFont"])
	cid := c.dict(c.array(f["DescendantFonts"])[0])
	d := c.dict(cid, "FontDescriptor")
	c.must(f["Subtype"] == name("Type0") && f["Encoding"] == name("Identity-H"), "font %s is %v", base, f)
	c.must(subset.MatchString(base) && cid["BaseFont"] == f["BaseFont"] && d["FontName"] == f["BaseFont"],
		"font %s, %v, %v", base, cid["BaseFont"], d["FontName"])
	program, _ := d["FontFile2"].(ref)
	parsed, err := sfnt.Parse(c.streams[int(program)])
	if err != nil {
		c.must(false, "font %s is not embedded: %v", base, err)
		return
	}
	toGlyph, _ := cid["CIDToGIDMap"].(ref)
	glyphs := codes(string(c.streams[int(toGlyph)]))
	unicode, _ := f["ToUnicode"].(ref)
	means := c.meanings(base, string(c.streams[int(unicode)]))
	widths := c.widths(cid)
	var buf sfnt.Buffer
	for code := range shown {
		glyph := glyphs[code]
		c.must(0 < glyph && glyph < parsed.NumGlyphs(), "font %s has no glyph for %U", base, code)
		c.must(means[code] == code, "font %s says %U for %U", base, means[code], code)
		wide, err := parsed.GlyphAdvance(&buf, sfnt.GlyphIndex(glyph), fixed.I(1000), 0) //nolint:gosec // below NumGlyphs
		c.must(err == nil && math.Abs(float64(wide)/64-widths[code]) <= 1.5, "font %s: %U is %v wide, not %v (%v)", base, code,
			float64(wide)/64, widths[code], err)
	}
}

// meanings reads which character each code stands for.
func (c *checker) meanings(font, cmap string) map[int]int {
	all := map[int]int{}
	blocks := rangeLines.FindAllStringSubmatch(cmap, -1)
	c.must(len(blocks) > 0, "font %s says nothing of its codes", font)
	for _, block := range blocks {
		lines := strings.Split(strings.TrimSpace(block[2]), "\n")
		c.must(block[1] == fmt.Sprint(len(lines)) && len(lines) <= 100, "font %s: %s ranges are %d", font, block[1], len(lines))
		for _, line := range lines {
			var first, last, to int
			if _, err := fmt.Sscanf(line, "<%04X> <%04X> <%04X>", &first, &last, &to); err != nil {
				c.must(false, "font %s: %q", font, line)
				continue
			}
			c.must(first>>8 == last>>8 && to>>8 == (to+last-first)>>8, "font %s: a range of more than one first byte: %q", font, line)
			for code := first; code <= last; code++ {
				means := to + code - first
				c.must(means != 0 && means != 0xfeff && means != 0xfffe && means>>11 != 0xd800>>11, "font %s: %U is said", font, means)
				all[code] = means
			}
		}
	}
	return all
}

func (c *checker) widths(cid dict) map[int]float64 {
	all := map[int]float64{}
	byDefault, _ := cid["DW"].(float64)
	for code := range 1 << 16 {
		all[code] = byDefault
	}
	w := c.array(cid["W"])
	for i := 0; i+1 < len(w); {
		first := int(w[i].(float64))
		if list, ok := w[i+1].(array); ok {
			for j, width := range list {
				all[first+j] = width.(float64)
			}
			i += 2
			continue
		}
		for code := first; code <= int(w[i+1].(float64)); code++ {
			all[code] = w[i+2].(float64)
		}
		i += 3
	}
	return all
}
