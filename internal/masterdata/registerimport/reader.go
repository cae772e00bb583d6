package registerimport

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"diresco/internal/platform/fault"
)

// maxLine is how long a line may be, in bytes: a file without line ends must not fill the memory.
const maxLine = 64 << 10

// byteOrderMark is what some programs put before UTF-8.
var byteOrderMark = []byte("\xef\xbb\xbf")

// lines reads a file line by line.
type lines interface {
	// next returns the next row, or what is wrong with it. The error is io.EOF at the end,
	// fileError for a file of which no more can be read, and anything else if the file could not be
	// got at.
	next() (record, []LineError, error)
}

// fileError is a file of which no more can be read.
type fileError []LineError

// Error implements error.
func (fileError) Error() string { return "a file that cannot be read" }

func newLines(r io.Reader, f Format, columns []column) lines {
	b := bufio.NewReaderSize(r, maxLine)
	if f == CSV {
		return &csvLines{source: b, columns: columns}
	}
	return &jsonLines{source: b, columns: columns}
}

// skipMark leaves a byte order mark out.
func skipMark(b *bufio.Reader) error {
	first, err := b.Peek(len(byteOrderMark))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if bytes.Equal(first, byteOrderMark) {
		_, err := b.Discard(len(byteOrderMark))
		return err
	}
	return nil
}

// columnOf returns the place of a column, or -1.
func columnOf(columns []column, name string) int {
	return slices.IndexFunc(columns, func(c column) bool { return c.name == name })
}

// pointerTo names a field that the file named; what cannot be shown is not.
func pointerTo(name string) string {
	const most = 60
	if _, bad := bounded(name, most); bad != "" {
		return ""
	}
	return "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

type jsonLines struct {
	source  *bufio.Reader
	columns []column
	line    int
}

func (j *jsonLines) next() (record, []LineError, error) {
	for {
		if j.line == 0 {
			if err := skipMark(j.source); err != nil {
				return record{}, nil, err
			}
		}
		text, err := j.source.ReadSlice('\n')
		j.line++
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = j.source.ReadSlice('\n')
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return record{}, nil, err
			}
			return record{line: j.line}, []LineError{{j.line, "", fault.FieldTooLong}}, nil
		case err != nil && !errors.Is(err, io.EOF):
			return record{}, nil, err
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			r, wrong := j.parse(text)
			return r, wrong, nil
		}
		if err != nil {
			return record{}, nil, io.EOF
		}
	}
}

// parse reads one object whose members are texts or truth values, each once.
func (j *jsonLines) parse(text []byte) (record, []LineError) {
	r := record{j.line, make([]string, len(j.columns))}
	broken := func(pointer, code string) (record, []LineError) { return r, []LineError{{j.line, pointer, code}} }
	if !utf8.Valid(text) {
		return broken("", fault.FieldCharacter)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return broken("", fault.FieldFormat)
	}
	seen := make([]bool, len(j.columns))
	for d.More() {
		t, err := d.Token()
		name, isName := t.(string)
		if err != nil || !isName {
			return broken("", fault.FieldFormat)
		}
		at := columnOf(j.columns, name)
		if at < 0 {
			return broken(pointerTo(name), fault.FieldUnknown)
		}
		if seen[at] {
			return broken("/"+name, fault.FieldRepeated)
		}
		seen[at] = true
		value, err := d.Token()
		if err != nil {
			return broken("", fault.FieldFormat)
		}
		switch v := value.(type) {
		case string:
			r.values[at] = v
		case bool:
			// Only a truth value may be one: any other column takes "true" for a wrong text, or for
			// a text.
			if r.values[at] = "false"; v {
				r.values[at] = "true"
			}
			if j.columns[at].name != enabledColumn {
				return broken("/"+name, fault.FieldType)
			}
		default:
			return broken("/"+name, fault.FieldType)
		}
	}
	if _, err := d.Token(); err != nil {
		return broken("", fault.FieldFormat)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return broken("", fault.FieldFormat)
	}
	return r, inspect(r, j.columns)
}

type csvLines struct {
	source  *bufio.Reader
	columns []column
	quota   *quota
	reader  *csv.Reader
	// places are the columns in the order of the file.
	places []int
	// line is where the last row began.
	line int
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

func (c *csvLines) next() (record, []LineError, error) {
	if c.reader == nil {
		if err := c.header(); err != nil {
			return record{}, nil, err
		}
	}
	c.quota.left = maxLine
	fields, err := c.reader.Read()
	if errors.Is(err, errTooLong) {
		return record{}, nil, fileError{{c.line + 1, "", fault.FieldTooLong}}
	}
	broken := c.refuse(err)
	if err != nil && broken == "" {
		return record{}, nil, err
	}
	r := record{c.line, make([]string, len(c.columns))}
	if broken != "" {
		return r, []LineError{{c.line, "", broken}}, nil
	}
	for i, field := range fields {
		r.values[c.places[i]] = strings.Clone(field)
	}
	return r, inspect(r, c.columns), nil
}

// refuse notes where the row begins that was read, and returns what is wrong with it as a whole.
func (c *csvLines) refuse(err error) (broken string) {
	var parse *csv.ParseError
	switch {
	case err == nil, errors.Is(err, csv.ErrFieldCount):
		c.line, _ = c.reader.FieldPos(0)
		if err != nil {
			broken = fault.FieldColumns
		}
	case errors.As(err, &parse):
		c.line, broken = parse.StartLine, fault.FieldFormat
	}
	return broken
}

// header reads the names of the columns.
func (c *csvLines) header() error {
	if err := skipMark(c.source); err != nil {
		return err
	}
	c.quota = &quota{r: c.source, left: maxLine}
	c.reader = csv.NewReader(c.quota)
	c.reader.Comma = ';'
	c.reader.ReuseRecord = true
	names, err := c.reader.Read()
	var parse *csv.ParseError
	switch {
	case errors.Is(err, errTooLong):
		return fileError{{1, "", fault.FieldTooLong}}
	case errors.As(err, &parse):
		return fileError{{1, "", fault.FieldFormat}}
	case err != nil:
		return err
	}
	var wrong fileError
	for _, name := range names {
		at := columnOf(c.columns, name)
		switch {
		case at < 0:
			wrong = append(wrong, LineError{1, pointerTo(name), fault.FieldUnknown})
		case slices.Contains(c.places, at):
			wrong = append(wrong, LineError{1, "/" + name, fault.FieldRepeated})
		}
		c.places = append(c.places, at)
	}
	for at, column := range c.columns {
		if !column.optional && !slices.Contains(c.places, at) {
			wrong = append(wrong, LineError{1, "/" + column.name, fault.FieldRequired})
		}
	}
	if wrong != nil {
		return wrong
	}
	c.line = 1
	return nil
}
