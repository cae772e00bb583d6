package translog

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"diresco/db"
)

// kind is what a leaf is made of. It is stored and part of what is hashed, so it never changes.
type kind string

const (
	// ofTrail is an audit record.
	ofTrail kind = "audit"
	// ofRegister is an entry of the protocol register, with its receipt if it has one.
	ofRegister kind = "register"
)

// form is how the value of a column stands in the text of a row.
type form int

const (
	text form = iota
	id
	number
	instant
	// digested is a text of which the row has the digest alone.
	digested
)

type column struct {
	// name is the member's name; value is the column, where that is not named so.
	name, value string
	form        form
}

// trailColumns and registerColumns are what a row's text is made of, in the order of their names.
// What is empty is left out, so a column that is added later changes no text of before.
var (
	trailColumns = []column{
		{"acting_as", "", text},
		{"address", "", text},
		{"application_id", "", id},
		{"at", "", instant},
		{"contributor_id", "", id},
		{"detail", "", text},
		{"id", "", id},
		{"login_level", "", number},
		{"login_method", "", text},
		{"login_provider", "", text},
		{"operation", "", text},
		{"outcome", "", text},
		{"person_id", "", id},
		{"request_id", "", text},
		{"right_id", "", id},
		{"session_id", "", id},
		{"subject_id", "", text},
		{"subject_kind", "", text},
	}
	registerColumns = []column{
		{"at", "", instant},
		{"digest", "", text},
		{"filed_state", "", text},
		{"filed_version", "", number},
		{"kind", "", text},
		{"number", "", number},
		{"office_code", "", text},
		{"receipt", "e.jws", digested},
		{"subject_id", "", id},
		{"year", "", number},
	}
)

// selected lists columns of a table by its alias.
func selected(alias string, columns []column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		if names[i] = c.value; c.value == "" {
			names[i] = alias + "." + c.name
		}
	}
	return strings.Join(names, ", ")
}

// appendRow appends a row's text, the JSON of RFC 8785, from values as db.EachRow hands them.
func appendRow(text []byte, dialect db.Dialect, columns []column, values [][]byte) ([]byte, error) {
	text = append(text, '{')
	first := true
	for i := range columns {
		if values[i] == nil {
			continue
		}
		if !first {
			text = append(text, ',')
		}
		first = false
		text = append(append(append(text, '"'), columns[i].name...), '"', ':')
		var err error
		if text, err = appendValue(text, dialect, columns[i].form, values[i]); err != nil {
			return nil, fmt.Errorf("column %s: %w", columns[i].name, err)
		}
	}
	return append(text, '}'), nil
}

func appendValue(to []byte, dialect db.Dialect, f form, value []byte) ([]byte, error) {
	switch {
	case f == text:
		return jsontext.AppendQuote(to, value)
	case f == digested:
		return append(appendDigest(append(to, '"'), sha256.Sum256(value)), '"'), nil
	case dialect == db.SQLite && f == number:
		return append(to, value...), nil
	case dialect == db.SQLite:
		return jsontext.AppendQuote(to, value)
	case f == number:
		n, err := integer(value)
		return strconv.AppendInt(to, n, 10), err
	case f == instant:
		n, err := integer(value)
		return append(since2000(n).AppendFormat(append(to, '"'), time.RFC3339Nano), '"'), err
	default:
		if len(value) != len(uuid.UUID{}) {
			return nil, fmt.Errorf("an id of %d bytes", len(value))
		}
		to = hex.AppendEncode(append(to, '"'), value[:4])
		for at := 4; at < 10; at += 2 {
			to = hex.AppendEncode(append(to, '-'), value[at:at+2])
		}
		return append(hex.AppendEncode(append(to, '-'), value[10:]), '"'), nil
	}
}

func appendDigest(to []byte, digest [sha256.Size]byte) []byte {
	return hex.AppendEncode(append(to, "sha-256:"...), digest[:])
}

// integer reads PostgreSQL's binary form of a whole number.
func integer(value []byte) (int64, error) {
	switch len(value) {
	case 2:
		return int64(int16(binary.BigEndian.Uint16(value))), nil //nolint:gosec // two's complement
	case 4:
		return int64(int32(binary.BigEndian.Uint32(value))), nil //nolint:gosec // two's complement
	case 8:
		return int64(binary.BigEndian.Uint64(value)), nil //nolint:gosec // two's complement
	}
	return 0, fmt.Errorf("a number of %d bytes", len(value))
}

// since2000 is an instant that PostgreSQL counts in microseconds from the year 2000 on.
func since2000(microseconds int64) time.Time {
	const year2000 = 946_684_800
	return time.Unix(year2000, 0).Add(time.Duration(microseconds) * time.Microsecond).UTC()
}

// DigestOf returns the digest of a text as it stands in rows and leaves.
func DigestOf(text []byte) string { return string(appendDigest(nil, sha256.Sum256(text))) }

// appendLeaf appends what is hashed into the tree of a row: its kind and its digest, and not the
// row.
func appendLeaf(to []byte, k kind, digest [sha256.Size]byte) []byte {
	to = append(appendDigest(append(to, `{"digest":"`...), digest), `","kind":"`...)
	return append(append(to, k...), "\"}\n"...)
}

// digestOf is a digest as it is stored; what is no digest is one of nothing.
func digestOf(stored []byte) (digest [sha256.Size]byte) {
	if len(stored) == sha256.Size {
		copy(digest[:], stored)
	}
	return digest
}

// hasher makes the hashes of leaves. It is for one goroutine.
type hasher struct{ text []byte }

// seal returns the digest over salt and row.
func (h *hasher) seal(salt, row []byte) [sha256.Size]byte {
	h.text = append(append(h.text[:0], salt...), row...)
	return sha256.Sum256(h.text)
}

// leaf returns the hash of a leaf (RFC 9162, section 2.1.1).
func (h *hasher) leaf(k kind, digest [sha256.Size]byte) tlog.Hash {
	h.text = appendLeaf(h.text[:0], k, digest)
	return tlog.RecordHash(h.text)
}
