// Package csvfile reads tables as spreadsheets and other programs write them as text. What can be
// read in one way only is read: any separator that the header decides, UTF-16, blank rows and
// columns. What cannot is refused as a whole, with one cause.
package csvfile

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"diresco/internal/platform/fault"
)

// MaxRow is how long a row may be, in bytes: a file without line ends must not fill the memory.
const MaxRow = 64 << 10

// Column is a column of a table.
type Column struct {
	Name     string
	Optional bool
}

// Row is a row of a table.
type Row struct {
	// Line counts from 1, the lines before the header and the header among them.
	Line int
	// Values are in the order of the columns that were asked for; what is missing is "". They have
	// no blanks around them.
	Values []string
	// Short rows end before a column that must be there.
	Short bool
	// Long rows have text where the header names no column.
	Long bool
}

// Problem is what is wrong with a file as a whole.
type Problem struct {
	Line int
	// Column is the name as the file has it, or "".
	Column string
	Code   string
}

// Refusal is a file of which nothing counts and no more can be read.
type Refusal []Problem

// Error implements error.
func (r Refusal) Error() string { return "a table that cannot be read: " + r[0].Code }

// RowError is a row that is no CSV. The next one can be read.
type RowError struct{ Line int }

// Error implements error.
func (RowError) Error() string { return "a row that cannot be read" }

// Reader reads a table row by row.
type Reader struct {
	source  io.Reader
	charset string
	columns []Column
	rows    *csv.Reader
	quota   *quota
	// places are the columns in the order of the file; -1 is one without a name.
	places []int
	// before is how many lines stand before the header.
	before int
	last   int
}

// NewReader returns a reader of a file with these columns in any order. The character set is as
// Charset names it.
func NewReader(file io.Reader, charset string, columns []Column) *Reader {
	return &Reader{source: file, charset: charset, columns: columns}
}

// quota ends the reading of one row that does not end.
type quota struct {
	r    io.Reader
	left int
}

var errTooLong = errors.New("the row is too long")

// Read implements io.Reader.
func (q *quota) Read(p []byte) (int, error) {
	if q.left <= 0 {
		return 0, errTooLong
	}
	n, err := q.r.Read(p[:min(len(p), q.left)])
	q.left -= n
	return n, err
}

// Next returns the next row that is not blank. The error is io.EOF at the end, a RowError for a row
// that is passed over, a Refusal, or what the file's own reader says.
func (r *Reader) Next() (Row, error) {
	if r.rows == nil {
		if err := r.open(); err != nil {
			return Row{}, err
		}
	}
	for {
		r.quota.left = MaxRow
		fields, err := r.rows.Read()
		var parse *csv.ParseError
		switch {
		case errors.Is(err, errTooLong):
			return Row{}, refusal(r.last+1, fault.FieldTooLong)
		case errors.As(err, &parse):
			r.last = r.before + parse.StartLine
			return Row{}, RowError{r.last}
		case err != nil:
			return Row{}, err
		}
		at, _ := r.rows.FieldPos(0)
		r.last = r.before + at
		if row, blank := r.row(fields); !blank {
			return row, r.readable(fields)
		}
	}
}

// HeaderRead reports whether there was a header.
func (r *Reader) HeaderRead() bool { return r.rows != nil }

// row puts the fields of a row into the order of the columns.
func (r *Reader) row(fields []string) (row Row, blank bool) {
	row = Row{Line: r.last, Values: make([]string, len(r.columns))}
	blank = true
	for i, field := range fields {
		value := trim(field)
		blank = blank && value == ""
		if i < len(r.places) && r.places[i] >= 0 {
			row.Values[r.places[i]] = strings.Clone(value)
		} else if value != "" {
			row.Long = true
		}
	}
	for _, place := range r.places[min(len(fields), len(r.places)):] {
		row.Short = row.Short || place >= 0 && !r.columns[place].Optional
	}
	return row, blank
}

// readable refuses a file whose characters are not what they were.
func (r *Reader) readable(fields []string) error {
	for i, field := range fields {
		column := ""
		if i < len(r.places) && r.places[i] >= 0 {
			column = r.columns[r.places[i]].Name
		}
		code := ""
		switch {
		case !utf8.ValidString(field):
			code = fault.FieldEncoding
		case Garbled(field):
			code = fault.FieldGarbled
		default:
			continue
		}
		return Refusal{{r.last, column, code}}
	}
	return nil
}

// textOf are formulas by which programs keep zeros: ="00184".
var textOf = regexp.MustCompile(`^="([^"]*)"$`)

// trim leaves out blanks and what spreadsheets put around a text so that it stays one.
func trim(value string) string {
	value = strings.TrimFunc(value, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
	if inside := textOf.FindStringSubmatch(value); inside != nil {
		return strings.TrimSpace(inside[1])
	}
	if rest, marked := strings.CutPrefix(value, "'"); marked && rest != "" && strings.Trim(rest, "0123456789") == "" {
		return rest
	}
	return value
}

func refusal(line int, code string) Refusal { return Refusal{{Line: line, Code: code}} }

// separators are those that are tried, the usual one first.
const separators = ";,\t|"

// separatorLine is what Excel reads and writes before a table.
var separatorLine = regexp.MustCompile(`(?i)^"?sep=([^\r\n"])"?[;,\t ]*$`)

// mostBefore is how many lines are looked at for the header.
const mostBefore = 30

// open finds the header: the first row that is not blank.
func (r *Reader) open() error {
	text, isText, err := decode(bufio.NewReaderSize(r.source, MaxRow), r.charset)
	if err != nil {
		return err
	}
	if !isText {
		return refusal(1, fault.FieldNoText)
	}
	file := bufio.NewReaderSize(text, MaxRow)
	head, err := file.Peek(MaxRow)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0 {
		file = bufio.NewReaderSize(&lineEnds{file}, MaxRow)
		if head, err = file.Peek(MaxRow); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	try := separators
	skip := 0
	lines := bytes.SplitAfterN(head, []byte("\n"), mostBefore+1)
	for at, line := range lines {
		content := strings.TrimRight(string(line), "\r\n")
		if given := separatorLine.FindStringSubmatch(content); given != nil && try == separators {
			try = given[1]
		} else if strings.Trim(content, " \t\u00a0\"\ufeff"+try) != "" {
			if len(line) == MaxRow {
				return refusal(at+1, fault.FieldTooLong)
			}
			return r.header(file, skip, at, try, lines[at:])
		}
		skip += len(line)
	}
	return io.EOF
}

// header reads the names of the columns from the first of the lines. The others tell whether it
// stands further below.
func (r *Reader) header(file *bufio.Reader, skip, before int, try string, lines [][]byte) error {
	names, comma := r.namesOf(lines[0], try)
	if !r.complete(names) {
		for _, line := range lines[1:] {
			if below, _ := r.namesOf(line, try); r.complete(below) {
				return refusal(before+1, fault.FieldTitleRows)
			}
		}
	}
	if err := r.place(names, before+1); err != nil {
		return err
	}
	if _, err := file.Discard(skip); err != nil {
		return err
	}
	r.quota = &quota{r: file, left: MaxRow}
	r.before, r.last = before, before+1
	r.rows = csv.NewReader(r.quota)
	r.rows.Comma, r.rows.FieldsPerRecord, r.rows.ReuseRecord = comma, -1, true
	if _, err := r.rows.Read(); errors.Is(err, errTooLong) {
		return refusal(before+1, fault.FieldTooLong)
	} else if err != nil {
		return refusal(before+1, fault.FieldCSVHeader)
	}
	return nil
}

// place notes which column stands where.
func (r *Reader) place(names []string, line int) error {
	var wrong Refusal
	known := 0
	r.places = nil
	for _, name := range names {
		at := r.columnOf(name)
		switch {
		case trim(name) == "":
			r.places = append(r.places, -1)
			continue
		case at < 0:
			wrong = append(wrong, Problem{line, trim(name), fault.FieldUnknown})
		case slices.Contains(r.places, at):
			wrong = append(wrong, Problem{line, r.columns[at].Name, fault.FieldRepeated})
		default:
			known++
		}
		r.places = append(r.places, at)
	}
	if known == 0 {
		return refusal(line, fault.FieldCSVHeader)
	}
	for at, column := range r.columns {
		if !column.Optional && !slices.Contains(r.places, at) {
			wrong = append(wrong, Problem{line, column.Name, fault.FieldRequired})
		}
	}
	if wrong != nil {
		return wrong
	}
	return nil
}

// namesOf parts a line at the separator that gives most names of columns.
func (r *Reader) namesOf(line []byte, try string) (names []string, comma rune) {
	most := -1
	for _, separator := range try {
		row := csv.NewReader(bytes.NewReader(line))
		row.Comma = separator
		if separator == utf8.RuneError || separator == '"' || separator == '\r' || separator == '\n' {
			continue
		}
		fields, err := row.Read()
		if err != nil {
			continue
		}
		known := 0
		for _, field := range fields {
			if r.columnOf(field) >= 0 {
				known++
			}
		}
		if known > most {
			most, names, comma = known, fields, separator
		}
	}
	return names, comma
}

// complete reports whether all columns are named that must be there.
func (r *Reader) complete(names []string) bool {
	for at, column := range r.columns {
		if !column.Optional && !slices.ContainsFunc(names, func(name string) bool { return r.columnOf(name) == at }) {
			return false
		}
	}
	return true
}

// columnOf returns the place of a column, or -1. Case makes no difference, nor do blanks and
// hyphens in place of underscores.
func (r *Reader) columnOf(name string) int {
	name = strings.Map(func(c rune) rune {
		if c == '-' || unicode.IsSpace(c) {
			return '_'
		}
		return unicode.ToLower(c)
	}, trim(name))
	return slices.IndexFunc(r.columns, func(c Column) bool { return c.Name == name })
}

// lineEnds makes line ends of the single carriage returns that old programs write.
type lineEnds struct{ r io.Reader }

// Read implements io.Reader.
func (l *lineEnds) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	for i, b := range p[:n] {
		if b == '\r' {
			p[i] = '\n'
		}
	}
	return n, err
}
