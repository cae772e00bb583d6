package declaration

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/money"
	"diresco/internal/platform/page"
)

// Layout is how an export is written.
type Layout struct {
	// JSON is for a JSON object a line; otherwise it is CSV (RFC 4180).
	JSON bool
	// Semicolon stands between cells instead of the comma, as spreadsheets in Italy expect it.
	Semicolon bool
	// BOM begins a CSV, so that spreadsheets see that it is UTF-8.
	BOM bool
	// English is for headings in English; otherwise they are Italian.
	English bool
}

// form is how a value is stored and written.
type form int

const (
	textForm form = iota
	// codeForm is text that nobody chose, which needs no escaping.
	codeForm
	idForm
	instantForm
	integerForm
	centsForm
	// currencyForm is that of the amount which it is read from.
	currencyForm
	reasonsForm
)

// column is one of an export.
type column struct {
	name, it, en string
	sql          string
	form         form
}

// columns are those of every export. They are published: one may be added behind the others, none
// may change.
var columns = []column{
	{"declaration_id", "Dichiarazione", "Declaration", "d.id", idForm},
	{"protocol_number", "Numero di protocollo", "Protocol number", "d.protocol_number", codeForm},
	{"submitted_at", "Presentata il", "Submitted at", "d.submitted_at", instantForm},
	{"type", "Tipo", "Type", "d.type", textForm},
	{"type_version", "Versione", "Version", "d.type_version", integerForm},
	{"step", "Fase", "Step", "d.step", codeForm},
	{"state", "Stato", "State", "d.state", codeForm},
	{"contributor_id", "Contribuente", "Contributor", "d.contributor_id", idForm},
	{"contributor_tax_code", "Codice fiscale del contribuente", "Contributor's tax code", "c.tax_code", textForm},
	{"contributor_legal_name", "Denominazione", "Legal name", "c.legal_name", textForm},
	{"position_number", "Posizione", "Position", "x.number", textForm},
	{"worker_tax_code", "Codice fiscale del lavoratore", "Worker's tax code", "d.worker_tax_code", textForm},
	{"amount", "Importo", "Amount", "d.amount", centsForm},
	{"currency", "Valuta", "Currency", "d.amount", currencyForm},
	{"decided_at", "Decisa il", "Decided at", "d.decided_at", instantForm},
	{"reasons", "Motivi", "Reasons", "d.reasons", reasonsForm},
	{"hire_by", "Assunzione prima del", "Hire before", "d.hire_by", instantForm},
	{"confirm_by", "Conferma prima del", "Confirm before", "d.confirm_by", instantForm},
	{"lapses_at", "Termine dello stato", "State ends at", "d.ends_at", instantForm},
	{"filed_by", "Presentata da", "Filed by", "p.given_name || ' ' || p.family_name", textForm},
	{"acting_as", "In qualità di", "Acting as", "d.acting_as", codeForm},
	{"reservation_id", "Prenotazione", "Reservation", "d.reservation_id", idForm},
	{"supersedes_id", "Sostituisce", "Supersedes", "d.supersedes_id", idForm},
	{"digest", "Impronta", "Digest", "d.digest", codeForm},
}

// exportColumns select the columns, and behind them the row's place in the list.
var exportColumns = func() string {
	text := ""
	for _, c := range columns {
		text += c.sql + ", "
	}
	return text + "d.listed_at"
}()

// writer writes rows as the database gives them. Nothing is allocated for a row.
type writer struct {
	layout Layout
	// binary says that values are in PostgreSQL's form.
	binary bool
	line   []byte
	cell   []byte
	keys   [][]byte
}

func newWriter(l Layout, dialect db.Dialect) *writer {
	w := &writer{layout: l, binary: dialect == db.Postgres}
	for _, c := range columns {
		w.keys = append(w.keys, []byte(`"`+c.name+`":`))
	}
	return w
}

// heading is what stands before the rows.
func (w *writer) heading() []byte {
	if w.layout.JSON {
		return nil
	}
	var line []byte
	if w.layout.BOM {
		line = append(line, "\xef\xbb\xbf"...)
	}
	for i, c := range columns {
		title := c.it
		if w.layout.English {
			title = c.en
		}
		line = w.separate(line, i)
		line = w.appendCell(line, []byte(title))
	}
	return append(line, "\r\n"...)
}

func (w *writer) separate(line []byte, i int) []byte {
	switch {
	case i == 0:
		return line
	case w.layout.Semicolon:
		return append(line, ';')
	default:
		return append(line, ',')
	}
}

// appendRow adds a row to the chunk.
func (w *writer) appendRow(chunk []byte, values [][]byte) ([]byte, error) {
	if w.layout.JSON {
		return w.appendObject(chunk, values)
	}
	var err error
	for i, c := range columns {
		chunk = w.separate(chunk, i)
		if values[i] == nil {
			continue
		}
		switch c.form {
		case textForm:
			chunk = w.appendCell(chunk, values[i])
		case reasonsForm:
			w.cell = w.cell[:0]
			for n, code := range codesOf(values[i]) {
				if n > 0 {
					w.cell = append(w.cell, ' ')
				}
				w.cell = append(w.cell, code...)
			}
			chunk = w.appendCell(chunk, w.cell)
		default:
			if chunk, err = w.appendPlain(chunk, c.form, values[i]); err != nil {
				return chunk, err
			}
		}
	}
	return append(chunk, "\r\n"...), nil
}

func (w *writer) appendObject(chunk []byte, values [][]byte) ([]byte, error) {
	chunk = append(chunk, '{')
	first := true
	var err error
	for i, c := range columns {
		if values[i] == nil {
			continue
		}
		if !first {
			chunk = append(chunk, ',')
		}
		first = false
		chunk = append(chunk, w.keys[i]...)
		switch c.form {
		case textForm:
			chunk = appendJSON(chunk, values[i])
		case reasonsForm:
			chunk = append(chunk, '[')
			for n, code := range codesOf(values[i]) {
				if n > 0 {
					chunk = append(chunk, ',')
				}
				chunk = appendJSON(chunk, []byte(code))
			}
			chunk = append(chunk, ']')
		case integerForm:
			if chunk, err = w.appendPlain(chunk, c.form, values[i]); err != nil {
				return chunk, err
			}
		default:
			chunk = append(chunk, '"')
			if chunk, err = w.appendPlain(chunk, c.form, values[i]); err != nil {
				return chunk, err
			}
			chunk = append(chunk, '"')
		}
	}
	return append(chunk, "}\n"...), nil
}

var errValue = errors.New("a value is not in the form that it is stored in")

// postgresEpoch is where PostgreSQL counts microseconds from.
const postgresEpoch = 946_684_800_000_000

// appendPlain adds a value that has neither a separator nor a quote in it.
func (w *writer) appendPlain(chunk []byte, f form, value []byte) ([]byte, error) {
	if !w.binary {
		return appendStored(chunk, f, value)
	}
	switch f {
	case idForm:
		if len(value) != len(uuid.UUID{}) {
			return chunk, errValue
		}
		for i, part := range [...][]byte{value[:4], value[4:6], value[6:8], value[8:10], value[10:]} {
			if i > 0 {
				chunk = append(chunk, '-')
			}
			chunk = hex.AppendEncode(chunk, part)
		}
		return chunk, nil
	case instantForm:
		at, err := postgresInstant(value)
		return at.AppendFormat(chunk, time.RFC3339Nano), err
	case integerForm, centsForm, currencyForm:
		switch len(value) {
		case 4:
			return appendNumber(chunk, f, int64(int32(binary.BigEndian.Uint32(value)))), nil //nolint:gosec // the sign is in the bits
		case 8:
			return appendNumber(chunk, f, int64(binary.BigEndian.Uint64(value))), nil //nolint:gosec // the sign is in the bits
		}
		return chunk, errValue
	default:
		return append(chunk, value...), nil
	}
}

func postgresInstant(value []byte) (time.Time, error) {
	if len(value) != 8 {
		return time.Time{}, errValue
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(value)) + postgresEpoch).UTC(), nil //nolint:gosec // the sign is in the bits
}

// appendStored is appendPlain for what SQLite gives.
func appendStored(chunk []byte, f form, value []byte) ([]byte, error) {
	if f != centsForm && f != currencyForm {
		return append(chunk, value...), nil
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	return appendNumber(chunk, f, n), err
}

func appendNumber(chunk []byte, f form, n int64) []byte {
	switch f {
	case currencyForm:
		return append(chunk, money.Currency...)
	case centsForm:
		const cents = 100
		chunk = strconv.AppendInt(chunk, n/cents, 10)
		return append(chunk, '.', byte('0'+n%cents/10), byte('0'+n%10)) //nolint:gosec // an amount is not below zero
	default:
		return strconv.AppendInt(chunk, n, 10)
	}
}

// place is where a row stands in the list.
func (w *writer) place(values [][]byte) (page.Key, error) {
	var k page.Key
	var err error
	id, at := values[0], values[len(columns)]
	if w.binary {
		if k.ID, err = uuid.FromBytes(id); err == nil {
			k.At, err = postgresInstant(at)
		}
		return k, err
	}
	if k.ID, err = uuid.ParseBytes(id); err == nil {
		k.At, err = time.Parse(time.RFC3339Nano, string(at))
	}
	return k, err
}

// codesOf are the codes of stored reasons.
func codesOf(stored []byte) []ReasonCode {
	var reasons []Reason
	if json.Unmarshal(stored, &reasons) != nil {
		return nil
	}
	codes := make([]ReasonCode, len(reasons))
	for i, r := range reasons {
		codes[i] = r.Code
	}
	return codes
}

// appendCell adds a cell of a CSV. One that a spreadsheet would take for a formula begins with an
// apostrophe.
func (w *writer) appendCell(line, text []byte) []byte {
	separator := byte(',')
	if w.layout.Semicolon {
		separator = ';'
	}
	formula := len(text) > 0 && (text[0] == '=' || text[0] == '+' || text[0] == '-' || text[0] == '@' || text[0] == '\t' || text[0] == '\r')
	quoted := formula
	for _, b := range text {
		if b == separator || b == '"' || b == '\r' || b == '\n' {
			quoted = true
			break
		}
	}
	if !quoted {
		return append(line, text...)
	}
	line = append(line, '"')
	if formula {
		line = append(line, '\'')
	}
	for _, b := range text {
		if b == '"' {
			line = append(line, '"')
		}
		line = append(line, b)
	}
	return append(line, '"')
}

const hexDigits = "0123456789abcdef"

// appendJSON adds a JSON string.
func appendJSON(line, text []byte) []byte {
	line = append(line, '"')
	plain := utf8.Valid(text)
	for _, b := range text {
		switch {
		case b == '"' || b == '\\':
			line = append(line, '\\', b)
		case b < ' ' || b >= utf8.RuneSelf && !plain:
			line = append(line, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&0xf])
		default:
			line = append(line, b)
		}
	}
	return append(line, '"')
}
