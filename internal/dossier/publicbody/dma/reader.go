package dma

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"

	"diresco/internal/platform/fault"
)

// The bounds of what is read.
const (
	mostDepth      = 32
	mostAttributes = 16
	mostText       = 1000
	// mostInside is how many places of one kind a worker may have, such as periods.
	mostInside = 1000
	// mostWorker is how long all that is declared of one worker may be, in bytes.
	mostWorker = 1 << 20
)

// frame is an element that is open.
type frame struct {
	*element
	// name is that of an element that is skipped or carried.
	name string
	line int
	// number counts it among its own kind, from nought.
	number int
	seen   uint64
	counts [40]int32
}

// mark is where a text stood, and whose it is.
type mark struct {
	place
	line int
}

// reader walks through a file once. Of the file it keeps the worker that it is at.
type reader struct {
	src     *source
	decoder *xml.Decoder
	check   *checker
	each    func(*Worker)
	list    Header

	stack []frame
	depth int
	text  []byte
	often map[string]string
	line  int
	done  bool

	worker    *Worker
	period    *Period
	variation *Variation
	workers   int
	// from is where the present worker begins, in bytes.
	from int64
	// begun says that the header was checked.
	begun bool
	// of has the lines of the list's own texts, marks those of the present worker's.
	of, marks []mark
}

// skipped is what stands where nothing of its name may stand. It was refused.
var skipped = &element{name: "", carried: true}

// ReadXML reads a list from a file, checks it, and gives each worker to take as it is read; each
// may be nil. It returns fault.Invalid with the paths and lines that are wrong, and the errors of
// the file's reader.
func ReadXML(file io.Reader, rules Rules, each func(*Worker)) (Header, Summary, error) {
	r := &reader{each: each, stack: make([]frame, mostDepth+1), often: map[string]string{}}
	r.check = newChecker(rules, r.lineOf)
	src, err := open(file)
	if errors.Is(err, errEncoding) {
		return Header{}, Summary{}, fault.InvalidFields(fault.Field{
			Pointer: "/", Line: 1, Code: fault.FieldXMLEncoding, Right: &fault.Right{Allowed: []string{
				"UTF-8", "ISO-8859-1",
				"windows-1252",
			}},
		})
	}
	if err != nil {
		return Header{}, Summary{}, err
	}
	r.src, r.decoder = src, xml.NewDecoder(src)
	// The source has made UTF-8 of it already.
	r.decoder.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	if err := r.walk(); err != nil {
		return Header{}, Summary{}, err
	}
	sum, err := r.check.result()
	return r.list, sum, err
}

// walk reads token by token, until the end or until too much is wrong.
func (r *reader) walk() error {
	for first := true; !r.check.full(); first = false {
		r.src.next()
		token, err := r.decoder.RawToken()
		r.line, _ = r.decoder.InputPos()
		if errors.Is(err, io.EOF) {
			if !r.done {
				r.refuse(r.path(), fault.FieldSyntax, nil)
			}
			return nil
		}
		if err != nil {
			return r.broken(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if !r.begin(t) {
				return nil
			}
		case xml.EndElement:
			if !r.end(t) {
				return nil
			}
		case xml.CharData:
			r.characters(t)
		case xml.Directive:
			r.refuse(r.path(), fault.FieldDocumentType, nil)
			return nil
		case xml.ProcInst:
			if !first || t.Target != "xml" {
				r.refuse(r.path(), fault.FieldInstruction, nil)
				return nil
			}
		case xml.Comment:
		}
	}
	return nil
}

// broken says what is wrong with a file that cannot be read on. It returns the error of one whose
// reader failed.
func (r *reader) broken(err error) error {
	var syntax *xml.SyntaxError
	switch {
	case errors.Is(r.src.failed(), errTooLong) && r.src.isDoctype():
		r.refuse(r.path(), fault.FieldDocumentType, nil)
	case errors.Is(r.src.failed(), errTooLong):
		most := int64(mostToken)
		r.refuse(r.path(), fault.FieldTooLong, &fault.Right{MaxLength: &most})
	case r.src.failed() != nil:
		return r.src.failed()
	case errors.As(err, &syntax) && strings.Contains(syntax.Msg, "UTF-8"):
		r.refuse(r.path(), fault.FieldXMLEncoding, nil)
	default:
		r.refuse(r.path(), fault.FieldSyntax, nil)
	}
	return nil
}

func (r *reader) refuse(path, code string, right *fault.Right) {
	if !r.check.full() {
		r.check.wrong = append(r.check.wrong, fault.Field{Pointer: path, Code: code, Line: r.line, Right: right})
	}
}

// path is where the reader is.
func (r *reader) path() string {
	if r.depth == 0 {
		return "/"
	}
	var path strings.Builder
	for _, f := range r.stack[:r.depth] {
		path.WriteByte('/')
		path.WriteString(f.name)
		if f.element.repeats && f.element.name != "PosPA" {
			path.WriteString("[" + strconv.Itoa(f.number+1) + "]")
		}
	}
	return path.String()
}

func (r *reader) below(name string) string { return strings.TrimSuffix(r.path(), "/") + "/" + name }

// begin opens an element, and reports whether to read on.
func (r *reader) begin(t xml.StartElement) bool {
	name := t.Name.Local
	if t.Name.Space != "" {
		name = t.Name.Space + ":" + name
	}
	if r.done || r.depth == mostDepth {
		code := fault.FieldTrailing
		if !r.done {
			code = fault.FieldTooDeep
		}
		r.refuse(r.below(name), code, nil)
		return false
	}
	if r.worker != nil && r.decoder.InputOffset()-r.from > mostWorker {
		most := int64(mostWorker)
		r.refuse(place{part: ofWorker, worker: r.workers, field: fAll}.path(), fault.FieldTooLong, &fault.Right{MaxLength: &most})
		return false
	}
	e, number := r.find(name)
	if e == nil {
		return false
	}
	f := &r.stack[r.depth]
	f.element, f.name, f.line, f.number, f.seen = e, name, r.line, number, 0
	clear(f.counts[:len(e.kids)])
	r.depth++
	r.text = r.text[:0]
	if e.begin != nil {
		e.begin(r)
	}
	return len(t.Attr) == 0 && e.attributes == nil || r.attributes(f, t.Attr)
}

// find returns the element that may stand here by that name, with its number among its kind. For
// what may not stand here that is one whose content is skipped; nil ends the reading.
func (r *reader) find(name string) (*element, int) {
	if r.depth == 0 {
		if name != rootName {
			r.refuse("/"+name, fault.FieldUnknown, &fault.Right{Expected: rootName})
			return nil, 0
		}
		return root, 0
	}
	f := &r.stack[r.depth-1]
	if f.carried {
		return skipped, 0
	}
	i, known := f.index[name]
	if !known {
		var right *fault.Right
		if meant := fault.Nearest(name, f.names()); meant != "" {
			right = &fault.Right{Meant: meant}
		}
		r.refuse(r.below(name), fault.FieldUnknown, right)
		return skipped, 0
	}
	kid := f.kids[i]
	number := int(f.counts[i])
	f.counts[i]++
	f.seen |= 1 << i
	switch {
	case number == 0:
	case kid.name == "PosPA":
		r.refuse(r.below(name), fault.FieldOneList, nil)
		return skipped, 0
	case !kid.repeats:
		r.refuse(r.below(name), fault.FieldRepeated, nil)
		return skipped, 0
	case number >= mostInside && kid.name != workerName:
		r.refuse(r.below(name), fault.FieldTooMany, nil)
		return nil, 0
	}
	return kid, number
}

const workerName = "D0_DenunciaIndividuale"

func (e *element) names() []string {
	names := make([]string, len(e.kids))
	for i, kid := range e.kids {
		names[i] = kid.name
	}
	return names
}

// attributes looks at those of an element, and reports whether to read on.
func (r *reader) attributes(f *frame, all []xml.Attr) bool {
	if len(all) > mostAttributes {
		r.refuse(r.path(), fault.FieldTooMany, nil)
		return false
	}
	missing := f.must
	for i, a := range all {
		name := a.Name.Local
		if a.Name.Space != "" {
			name = a.Name.Space + ":" + name
		}
		for _, before := range all[:i] {
			if before.Name == a.Name {
				r.refuse(r.path()+"/@"+name, fault.FieldRepeated, nil)
				return false
			}
		}
		switch take := f.attributes[name]; {
		case f.carried:
		case take != nil:
			take(r, strings.TrimSpace(a.Value))
			if name == missing {
				missing = ""
			}
		case f.element == root && (a.Name.Space == "xmlns" || a.Name.Space == "xsi"):
			// Programs say where they think the schema is. Nothing is fetched.
		default:
			r.refuse(r.path()+"/@"+name, fault.FieldUnknown, nil)
		}
	}
	if missing != "" {
		r.refuse(r.path()+"/@"+missing, fault.FieldRequired, nil)
	}
	return true
}

// only refuses the value of an attribute that has one value alone.
func (r *reader) only(f *field, value, allowed string) {
	if value != allowed {
		r.refuse(place{field: f}.path(), fault.FieldEnum, &fault.Right{Allowed: []string{allowed}})
	}
}

// end closes an element, and reports whether to read on.
func (r *reader) end(t xml.EndElement) bool {
	name := t.Name.Local
	if t.Name.Space != "" {
		name = t.Name.Space + ":" + name
	}
	if r.depth == 0 || r.stack[r.depth-1].name != name {
		r.refuse(r.path(), fault.FieldSyntax, nil)
		return false
	}
	f := &r.stack[r.depth-1]
	switch {
	case f.set != nil:
		r.leaf(f)
	case !f.carried:
		r.complete(f)
	}
	if f.end != nil {
		f.end(r)
	}
	r.depth--
	r.done = r.depth == 0
	r.text = r.text[:0]
	return true
}

// leaf takes the text of an element.
func (r *reader) leaf(f *frame) {
	p := place{field: f.field}
	switch {
	case r.variation != nil:
		p.part, p.worker, p.period = ofVariation, r.workers, len(r.worker.Variations)
	case r.period != nil:
		p.part, p.worker, p.period = ofPeriod, r.workers, len(r.worker.Periods)
	case r.worker != nil:
		p.part, p.worker = ofWorker, r.workers
	}
	if parent := &r.stack[r.depth-2]; r.period != nil && parent.repeats {
		p.index = parent.number
		if parent.name == periodName || parent.name == priorName {
			p.index = 0
		}
	}
	if r.worker == nil {
		r.of = append(r.of, mark{p, f.line})
	} else {
		r.marks = append(r.marks, mark{p, f.line})
	}
	f.set(r, r.taken())
}

// taken is the text that was read. Short ones come again and again and are kept once.
func (r *reader) taken() string {
	const short, most = 12, 1024
	text := bytes.TrimSpace(r.text)
	if len(text) > short {
		return string(text)
	}
	kept, known := r.often[string(text)]
	if !known {
		if kept = string(text); len(r.often) < most {
			r.often[kept] = kept
		}
	}
	return kept
}

// complete refuses an element in which one is missing.
func (r *reader) complete(f *frame) {
	missing := f.needed &^ f.seen
	for i := 0; missing != 0; i++ {
		if missing&1 != 0 && !(f.kids[i].set != nil && r.begun) {
			// The check finds a text that is missing from a worker.
			r.refuse(r.below(f.kids[i].name), fault.FieldRequired, nil)
		}
		missing >>= 1
	}
}

// characters takes a text. Between elements there is nothing but blanks.
func (r *reader) characters(t xml.CharData) {
	if r.depth > 0 {
		f := &r.stack[r.depth-1]
		if f.carried {
			return
		}
		if f.set != nil {
			if len(r.text)+len(t) > mostText {
				most := int64(mostText)
				r.refuse(r.path(), fault.FieldTooLong, &fault.Right{MaxLength: &most})
				t = nil
			}
			r.text = append(r.text, t...)
			return
		}
	}
	for _, b := range t {
		if b != ' ' && b != '\n' && b != '\t' && b != '\r' {
			r.refuse(r.path(), fault.FieldStrayText, nil)
			return
		}
	}
}

// beginWorkers checks the header, which comes first.
func (r *reader) beginWorkers() {
	if !r.begun {
		r.check.header(&r.list)
		r.begun = true
	}
}

func (r *reader) beginWorker() {
	r.worker, r.from = &Worker{}, r.decoder.InputOffset()
	r.marks = append(r.marks[:0], mark{place{part: ofWorker, worker: r.workers, field: fAll}, r.line})
}

func (r *reader) endWorker() {
	r.check.worker(r.workers, r.worker)
	if r.each != nil {
		r.each(r.worker)
	}
	r.worker = nil
	r.workers++
}

func (r *reader) beginPeriod() {
	r.period = &Period{}
	r.marks = append(r.marks, mark{place{part: ofPeriod, worker: r.workers, period: len(r.worker.Periods), field: fAll}, r.line})
}

func (r *reader) endPeriod() {
	r.worker.Periods = append(r.worker.Periods, *r.period)
	r.period = nil
}

func (r *reader) beginVariation() {
	r.variation = &Variation{}
	r.period = &r.variation.Period
	r.marks = append(r.marks, mark{
		place{part: ofVariation, worker: r.workers, period: len(r.worker.Variations), field: fAll}, r.line,
	})
}

func (r *reader) endVariation() {
	r.worker.Variations = append(r.worker.Variations, *r.variation)
	r.period, r.variation = nil, nil
}

// lineOf finds the line of a place: that of its text, else of the period or worker that it is in.
func (r *reader) lineOf(p place) int {
	marks := r.marks
	if p.part == ofList {
		marks = r.of
	}
	whole, line := place{part: p.part, worker: p.worker, period: p.period, field: fAll}, r.line
	for _, m := range marks {
		if m.place == p {
			return m.line
		}
		if m.place == whole {
			line = m.line
		}
	}
	return line
}
