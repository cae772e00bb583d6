package delegationbatch

import (
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/mandate/delegation"
	"diresco/internal/platform/csvfile"
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

// The places of the columns.
const (
	atNumber = iota
	atScope
	atServices
	atExclusive
	atValidUntil
	atSignatory
)

var columns = []csvfile.Column{
	{Name: columnNumber},
	{Name: columnScope},
	{Name: columnServices, Optional: true},
	{Name: columnExclusive, Optional: true},
	{Name: columnValidUntil, Optional: true},
	{Name: columnSignatory, Optional: true},
}

// ReadCSV reads a list with a header line in a character set, as csvfile.Charset names it. It
// returns fault.Invalid for one that cannot be read at all or has more than MaxItems lines; what is
// wrong with single lines is noted in them.
func ReadCSV(r io.Reader, charset string) ([]Entry, error) {
	table := csvfile.NewReader(r, charset, columns)
	var entries []Entry
	for {
		row, err := table.Next()
		switch {
		case errors.Is(err, io.EOF) && table.HeaderRead():
			return entries, nil
		case err != nil:
			return nil, unreadable(err)
		case slices.ContainsFunc(row.Values, func(s string) bool { return strings.ContainsRune(s, 0) }):
			return nil, fault.InvalidFields(fault.Field{Code: fault.FieldCSVSyntax})
		case len(entries) == MaxItems || row.Line > maxLine:
			return nil, fault.InvalidFields(fault.Field{Pointer: "/items", Code: fault.FieldTooMany})
		}
		entries = append(entries, readRow(row))
	}
}

// unreadable is what a list is refused with that is no CSV, or has no line at all.
func unreadable(err error) error {
	var refused csvfile.Refusal
	var broken csvfile.RowError
	code := ""
	switch {
	case errors.Is(err, io.EOF):
		code = fault.FieldCSVHeader
	case errors.As(err, &broken):
		code = fault.FieldCSVSyntax
	case !errors.As(err, &refused):
		return err
	default:
		code = refused[0].Code
		if code == fault.FieldUnknown || code == fault.FieldRepeated || code == fault.FieldRequired {
			code = fault.FieldCSVHeader
		}
	}
	return fault.InvalidFields(fault.Field{Code: code})
}

func readRow(row csvfile.Row) Entry {
	e := Entry{Line: row.Line}
	refuse := func(reason string) {
		if e.Reason == "" {
			e.Reason = reason
		}
	}
	if row.Long {
		refuse("too-many-columns")
	}
	e.PositionNumber = row.Values[atNumber]
	switch scope := delegation.Scope(row.Values[atScope]); scope {
	case delegation.Total, delegation.Partial:
		e.Terms.Scope = scope
	default:
		refuse("invalid-scope")
	}
	for code := range strings.SplitSeq(row.Values[atServices], ",") {
		if code = strings.TrimSpace(code); code != "" {
			e.Terms.Services = append(e.Terms.Services, access.Service(code))
		}
	}
	switch strings.ToLower(row.Values[atExclusive]) {
	case "", "false", "falso":
	case "true", "vero":
		e.Terms.Exclusive = true
	default:
		refuse("invalid-exclusive")
	}
	if text := row.Values[atValidUntil]; text != "" {
		until, err := time.Parse(time.RFC3339, text)
		if err != nil {
			refuse("invalid-valid-until")
		}
		e.Terms.ValidUntil = &until
	}
	if text := row.Values[atSignatory]; text != "" {
		id, err := uuid.Parse(text)
		if err != nil {
			refuse("invalid-signatory-id")
		}
		e.SignatoryID = &id
	}
	return e
}
