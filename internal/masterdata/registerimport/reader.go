package registerimport

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"diresco/internal/platform/csvfile"
	"diresco/internal/platform/fault"
)

// maxLine is how long a line of JSON may be, in bytes.
const maxLine = csvfile.MaxRow

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

// alone reports whether what is wrong with the file explains whatever else is wrong in it.
func (f fileError) alone() bool {
	return slices.ContainsFunc(f, func(e LineError) bool {
		return e.Code == fault.FieldEncoding || e.Code == fault.FieldGarbled
	})
}

// Error implements error.
func (fileError) Error() string { return "a file that cannot be read" }

func newLines(r io.Reader, i Import, columns []column) lines {
	if i.Format == CSV {
		return newCSVLines(r, i.Charset, columns)
	}
	return &jsonLines{source: bufio.NewReaderSize(r, maxLine), columns: columns}
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
	if name == "" {
		return ""
	}
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
			for at, value := range r.values {
				if csvfile.Garbled(value) && !strings.ContainsRune(value, utf8.RuneError) {
					return record{}, nil, fileError{{j.line, "/" + j.columns[at].name, fault.FieldGarbled}}
				}
			}
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
			if !j.columns[at].isTruth {
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
	columns []column
	table   *csvfile.Reader
}

func newCSVLines(r io.Reader, charset string, columns []column) *csvLines {
	named := make([]csvfile.Column, len(columns))
	for i, c := range columns {
		named[i] = csvfile.Column{Name: c.name, Optional: c.optional}
	}
	return &csvLines{columns, csvfile.NewReader(r, charset, named)}
}

func (c *csvLines) next() (record, []LineError, error) {
	row, err := c.table.Next()
	var broken csvfile.RowError
	var refused csvfile.Refusal
	switch {
	case errors.As(err, &broken):
		return record{line: broken.Line}, []LineError{{broken.Line, "", fault.FieldFormat}}, nil
	case errors.As(err, &refused):
		var whole fileError
		for _, p := range refused {
			whole = append(whole, LineError{p.Line, pointerTo(p.Column), p.Code})
		}
		return record{}, nil, whole
	case err != nil:
		return record{}, nil, err
	}
	r := record{row.Line, row.Values}
	if row.Short || row.Long {
		return r, []LineError{{row.Line, "", fault.FieldColumns}}, nil
	}
	return r, inspect(r, c.columns), nil
}
