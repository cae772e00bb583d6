package delegationbatch

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/mandate/delegation"
	"diresco/internal/platform/fault"
)

// The columns of a list as CSV.
const (
	columnNumber     = "position_number"
	columnScope      = "scope"
	columnServices   = "services"
	columnExclusive  = "exclusive"
	columnValidUntil = "valid_until"
	columnSignatory  = "signatory_id"
)

// maxLine is how long a file with nothing in most of its lines may be.
const maxLine = 100_000

var columns = []string{columnNumber, columnScope, columnServices, columnExclusive, columnValidUntil, columnSignatory}

// ReadCSV reads a list with a header line and `;` between columns. It returns fault.Invalid for one
// that cannot be read at all or has more than MaxItems lines; what is wrong with single lines is
// noted in them.
func ReadCSV(r io.Reader) ([]Entry, error) {
	in := bufio.NewReader(r)
	// Spreadsheets begin their files with a mark that says UTF-8.
	if mark, err := in.Peek(3); err == nil && bytes.Equal(mark, []byte("\ufeff")) {
		_, _ = in.Discard(len(mark))
	}
	lines := csv.NewReader(in)
	lines.Comma, lines.FieldsPerRecord = ';', -1
	header, err := lines.Read()
	if err != nil {
		return nil, unreadable(err)
	}
	for i := range header {
		header[i] = strings.TrimSpace(header[i])
		if !slices.Contains(columns, header[i]) || slices.Contains(header[:i], header[i]) {
			return nil, fault.InvalidFields(fault.Field{Code: fault.FieldCSVHeader})
		}
	}
	if !slices.Contains(header, columnNumber) || !slices.Contains(header, columnScope) {
		return nil, fault.InvalidFields(fault.Field{Code: fault.FieldCSVHeader})
	}
	var entries []Entry
	for {
		record, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return nil, unreadable(err)
		}
		if slices.ContainsFunc(record, func(s string) bool { return !utf8.ValidString(s) || strings.ContainsRune(s, 0) }) {
			return nil, fault.InvalidFields(fault.Field{Code: fault.FieldCSVSyntax})
		}
		line, _ := lines.FieldPos(0)
		if len(entries) == MaxItems || line > maxLine {
			return nil, fault.InvalidFields(fault.Field{Pointer: "/items", Code: fault.FieldTooMany})
		}
		entries = append(entries, readRecord(line, header, record))
	}
}

// unreadable is what a list is refused with that is no CSV, or has no line at all.
func unreadable(err error) error {
	var syntax *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return fault.InvalidFields(fault.Field{Code: fault.FieldCSVHeader})
	case errors.As(err, &syntax):
		return fault.InvalidFields(fault.Field{Code: fault.FieldCSVSyntax})
	}
	return err
}

func readRecord(line int, header, record []string) Entry {
	e := Entry{Line: line}
	cell := func(column string) string {
		if i := slices.Index(header, column); i >= 0 && i < len(record) {
			return strings.TrimSpace(record[i])
		}
		return ""
	}
	refuse := func(reason string) {
		if e.Reason == "" {
			e.Reason = reason
		}
	}
	if len(record) > len(header) {
		refuse("too-many-columns")
	}
	e.PositionNumber = cell(columnNumber)
	switch scope := delegation.Scope(cell(columnScope)); scope {
	case delegation.Total, delegation.Partial:
		e.Terms.Scope = scope
	default:
		refuse("invalid-scope")
	}
	for code := range strings.SplitSeq(cell(columnServices), ",") {
		if code = strings.TrimSpace(code); code != "" {
			e.Terms.Services = append(e.Terms.Services, access.Service(code))
		}
	}
	switch strings.ToLower(cell(columnExclusive)) {
	case "", "false":
	case "true":
		e.Terms.Exclusive = true
	default:
		refuse("invalid-exclusive")
	}
	if text := cell(columnValidUntil); text != "" {
		until, err := time.Parse(time.RFC3339, text)
		if err != nil {
			refuse("invalid-valid-until")
		}
		e.Terms.ValidUntil = &until
	}
	if text := cell(columnSignatory); text != "" {
		id, err := uuid.Parse(text)
		if err != nil {
			refuse("invalid-signatory-id")
		}
		e.SignatoryID = &id
	}
	return e
}
