package pdfa

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
)

// Output writes the document, all of it or, on an error of its own, nothing.
func (d *Document) Output(w io.Writer) error {
	var drawn bytes.Buffer
	if err := d.Fpdf.Output(&drawn); err != nil {
		return err
	}
	objects, err := split(drawn.Bytes())
	if err != nil {
		return err
	}
	_, err = w.Write(d.assemble(objects))
	return err
}

var errUnknownForm = errors.New("the library writes PDF in another form")

// firstPage is the number of the object of the first page; the next page is two further.
const firstPage = 3

func pageObject(page int) int { return firstPage + 2*(page-1) }

// split returns the bodies of the library's objects by their numbers less one. Its own table of
// references has them so.
func split(pdf []byte) ([][]byte, error) {
	const mark, entry = "startxref\n", 20
	at := bytes.LastIndex(pdf, []byte(mark))
	if at < 0 {
		return nil, errUnknownForm
	}
	digits, _, _ := bytes.Cut(pdf[at+len(mark):], []byte("\n"))
	table, err := strconv.Atoi(string(digits))
	if err != nil || table <= 0 || table >= at {
		return nil, errUnknownForm
	}
	var count int
	if _, err := fmt.Sscanf(string(pdf[table:at]), "xref\n0 %d\n", &count); err != nil {
		return nil, errUnknownForm
	}
	entries := pdf[table+len("xref\n0 \n")+len(strconv.Itoa(count))+entry:]
	type start struct{ number, offset int }
	var starts []start
	for number := 1; number < count && len(entries) >= entry; number++ {
		offset, err := strconv.Atoi(string(entries[:10]))
		if err != nil || offset >= table {
			return nil, errUnknownForm
		}
		starts, entries = append(starts, start{number, offset}), entries[entry:]
	}
	slices.SortFunc(starts, func(a, b start) int { return cmp.Compare(a.offset, b.offset) })
	bodies := make([][]byte, len(starts))
	for i, s := range starts {
		end := table
		if i+1 < len(starts) {
			end = starts[i+1].offset
		}
		body, begins := bytes.CutPrefix(pdf[s.offset:end], []byte(strconv.Itoa(s.number)+" 0 obj\n"))
		body, ends := bytes.CutSuffix(body, []byte("endobj\n"))
		if !begins || !ends {
			return nil, errUnknownForm
		}
		bodies[s.number-1] = body
	}
	if len(bodies) < firstPage || !bytes.Contains(bodies[len(bodies)-1], []byte("/Type /Catalog")) {
		return nil, errUnknownForm
	}
	return bodies, nil
}

// writer gives numbers to objects and writes them in their order.
type writer struct{ bodies [][]byte }

func (w *writer) reserve() int {
	w.bodies = append(w.bodies, nil)
	return len(w.bodies)
}

func (w *writer) set(number int, format string, args ...any) {
	w.bodies[number-1] = fmt.Appendf(nil, format+"\n", args...)
}

func (w *writer) add(format string, args ...any) int {
	number := w.reserve()
	w.set(number, format, args...)
	return number
}

// assemble puts the document together. Of the library's objects the last two, information and
// catalogue, are written anew.
func (d *Document) assemble(drawn [][]byte) []byte {
	w := &writer{bodies: slices.Clone(drawn)}
	info, catalogue := len(drawn)-1, len(drawn)
	nameFonts(w.bodies[:info-1])
	d.completePages(w)
	structure := d.writeStructure(w)
	metadata := d.metadata()
	meta := w.add("<</Type /Metadata /Subtype /XML /Length %d>>\nstream\n%s\nendstream", len(metadata), metadata)
	profile := w.add("<</N 3 /Alternate /DeviceRGB /Filter /FlateDecode /Length %d>>\nstream\n%s\nendstream", len(sRGB()), sRGB())
	stamp := d.at.Format("D:20060102150405Z")
	w.set(info, "<</Title %s /Producer %s /CreationDate (%s) /ModDate (%s)>>", text(d.title), text(producer), stamp, stamp)
	w.set(catalogue, "<</Type /Catalog /Pages 1 0 R /Lang (%s) /Metadata %d 0 R /MarkInfo <</Marked true>> /StructTreeRoot %d 0 R\n"+
		"/ViewerPreferences <</DisplayDocTitle true>>\n"+
		"/OutputIntents [<</Type /OutputIntent /S /GTS_PDFA1 /OutputConditionIdentifier (sRGB) /Info (sRGB IEC61966-2.1)\n"+
		"/DestOutputProfile %d 0 R>>]>>", d.lang, meta, structure, profile)
	return w.file(info, catalogue)
}

// file writes header, objects, references and trailer. The file's name is the digest of all that
// stands before it.
func (w *writer) file(info, catalogue int) []byte {
	var out bytes.Buffer
	out.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	offsets := make([]int, len(w.bodies))
	for i, body := range w.bodies {
		offsets[i] = out.Len()
		fmt.Fprintf(&out, "%d 0 obj\n", i+1)
		out.Write(body)
		out.WriteString("endobj\n")
	}
	name := sha256.Sum256(out.Bytes())
	table := out.Len()
	fmt.Fprintf(&out, "xref\n0 %d\n0000000000 65535 f \n", len(w.bodies)+1)
	for _, offset := range offsets {
		fmt.Fprintf(&out, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&out, "trailer\n<</Size %d /Root %d 0 R /Info %d 0 R /ID [<%X> <%X>]>>\nstartxref\n%d\n%%%%EOF\n",
		len(w.bodies)+1, catalogue, info, name[:16], name[:16], table)
	return out.Bytes()
}

// completePages adds to pages where their structure is found, and the links on them.
func (d *Document) completePages(w *writer) {
	for page := 1; page <= d.PageCount(); page++ {
		var links strings.Builder
		for _, l := range d.links {
			if l.page == page {
				l.number = w.reserve()
				fmt.Fprintf(&links, "%d 0 R ", l.number)
			}
		}
		more := ""
		if page <= len(d.marks) && len(d.marks[page-1]) > 0 {
			more = fmt.Sprintf(" /StructParents %d", page-1)
		}
		if links.Len() > 0 {
			more += " /Annots [" + links.String() + "]"
		}
		body := &w.bodies[pageObject(page)-1]
		*body = bytes.Replace(*body, []byte("/Type /Page\n"), []byte("/Type /Page /Tabs /S"+more+"\n"), 1)
	}
}

// writeStructure writes links, elements and the tree that leads from pages back to elements. It
// returns the number of the tree's root.
func (d *Document) writeStructure(w *writer) int {
	tree := w.reserve()
	var number func(e *Element)
	number = func(e *Element) {
		e.number = w.reserve()
		for _, kid := range e.kids {
			if kid, ok := kid.(*Element); ok {
				number(kid)
			}
		}
	}
	number(d.root)
	d.root.write(w, tree)

	var parents strings.Builder
	next := len(d.marks)
	for page, elements := range d.marks {
		fmt.Fprintf(&parents, "%d [", page)
		for _, e := range elements {
			fmt.Fprintf(&parents, "%d 0 R ", e.number)
		}
		parents.WriteString("]\n")
	}
	for _, l := range d.links {
		fmt.Fprintf(&parents, "%d %d 0 R\n", next, l.element.number)
		w.set(l.number, "<</Type /Annot /Subtype /Link /Rect %s /Border [0 0 0] /F 4 /Contents %s /StructParent %d "+
			"/A <</S /URI /URI %s>>>>", l.place, text(l.say), next, literal(l.url))
		next++
	}
	w.set(tree, "<</Type /StructTreeRoot /K %d 0 R /ParentTreeNextKey %d /ParentTree <</Nums [%s]>>>>",
		d.root.number, next, parents.String())
	return tree
}

func (e *Element) write(w *writer, parent int) {
	var kids strings.Builder
	for _, kid := range e.kids {
		switch kid := kid.(type) {
		case *Element:
			kid.write(w, e.number)
			fmt.Fprintf(&kids, "%d 0 R ", kid.number)
		case mark:
			fmt.Fprintf(&kids, "<</Type /MCR /Pg %d 0 R /MCID %d>> ", pageObject(kid.page), kid.id)
		case *link:
			fmt.Fprintf(&kids, "<</Type /OBJR /Pg %d 0 R /Obj %d 0 R>> ", pageObject(kid.page), kid.number)
		}
	}
	more := ""
	if e.alt != "" {
		more += " /Alt " + text(e.alt)
	}
	if e.actual != "" {
		more += " /ActualText " + text(e.actual)
	}
	if e.role == RowHeader {
		more += " /A <</O /Table /Scope /Row>>"
	}
	if e.box != nil {
		more += fmt.Sprintf(" /A <</O /Layout /Placement /Block /BBox %s>>", *e.box)
	}
	w.set(e.number, "<</Type /StructElem /S /%s /P %d 0 R%s /K [%s]>>", e.role, parent, more, strings.TrimSpace(kids.String()))
}

func (b box) String() string {
	return fmt.Sprintf("[%.2f %.2f %.2f %.2f]", b.left, b.bottom, b.right, b.top)
}

var (
	fontName   = regexp.MustCompile(`/(BaseFont|FontName) /utf8(\w+)`)
	fontObject = regexp.MustCompile(`/Type /Font\s`)
	reference  = regexp.MustCompile(`/(ToUnicode|FontFile2) (\d+) 0 R`)
	cidFont    = regexp.MustCompile(`/DescendantFonts \[(\d+) 0 R\]`)
	descriptor = regexp.MustCompile(`/FontDescriptor (\d+) 0 R`)
)

// nameFonts gives fonts the names of subsets, which differ where what is in them does. It says
// which character each of their codes stands for. The library says it in one range over all codes,
// and a range may not go beyond codes of the same first byte.
func nameFonts(bodies [][]byte) {
	for i, body := range bodies {
		descendant := cidFont.FindSubmatch(body)
		if descendant == nil || !fontObject.Match(body) {
			continue
		}
		cid := atoi(descendant[1]) - 1
		described := atoi(descriptor.FindSubmatch(bodies[cid])[1]) - 1
		program := atoi(reference.FindSubmatch(bodies[described])[2]) - 1
		tag := subsetTag(bodies[program])
		for _, n := range []int{i, cid, described} {
			bodies[n] = fontName.ReplaceAll(bodies[n], []byte("/${1} /"+tag+"+Go-${2}"))
		}
		bodies[atoi(reference.FindSubmatch(body)[2])-1] = toUnicode()
	}
}

func atoi(digits []byte) int {
	n, err := strconv.Atoi(string(digits))
	if err != nil {
		panic("pdfa: " + err.Error()) // impossible: they are digits
	}
	return n
}

// subsetTag is six letters from the digest of a font.
func subsetTag(program []byte) string {
	digest := sha256.Sum256(program)
	var tag [6]byte
	for i := range tag {
		tag[i] = 'A' + digest[i]%26
	}
	return string(tag[:])
}

// toUnicode is the body of the object that gives every code its character. Codes are those of the
// first plane, without controls, halves of pairs and what no character is.
var toUnicode = sync.OnceValue(func() []byte {
	var ranges []string
	for high := range 256 {
		first, last := 0, 255
		switch {
		case high == 0:
			first = ' '
		case 0xd8 <= high && high <= 0xdf:
			continue
		case high == 0xfe:
			last = 0xfe // U+FEFF marks the order of bytes
		case high == 0xff:
			last = 0xfd
		}
		ranges = append(ranges, fmt.Sprintf("<%02X%02X> <%02X%02X> <%02X%02X>\n", high, first, high, last, high, first))
	}
	var m strings.Builder
	m.WriteString("/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n" +
		"/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n" +
		"/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n")
	for block := range slices.Chunk(ranges, 100) { // no more may stand in one
		fmt.Fprintf(&m, "%d beginbfrange\n%sendbfrange\n", len(block), strings.Join(block, ""))
	}
	m.WriteString("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend")
	packed := deflate([]byte(m.String()))
	return fmt.Appendf(nil, "<</Filter /FlateDecode /Length %d>>\nstream\n%s\nendstream\n", len(packed), packed)
})

func deflate(content []byte) []byte {
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	_, _ = z.Write(content) // into memory
	_ = z.Close()
	return packed.Bytes()
}

// text is a text string, in UTF-16.
func text(s string) string {
	var b strings.Builder
	b.WriteString("<FEFF")
	for _, unit := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, "%04X", unit)
	}
	return b.String() + ">"
}

// literal is a string of bytes.
func literal(s string) string {
	return "(" + strings.NewReplacer(`\`, `\\`, "(", `\(`, ")", `\)`, "\r", `\r`).Replace(s) + ")"
}
