package keyring

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrKeyMissing means that a database was written with a key that the process has not got.
var ErrKeyMissing = errors.New("a key of this database is missing")

// checkPurpose is what a check value is made for. It goes into a key, so it never changes.
const checkPurpose = "data key check"

// checkValue tells keys with one id apart and says nothing of them.
func (d *DataKeys) checkValue(key dataKey) string {
	return base64.RawURLEncoding.EncodeToString(d.sum(key, checkPurpose, [][]byte{[]byte(key.id)}))
}

// missing wraps ErrKeyMissing in one line that says what to do.
func missing(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrKeyMissing, fmt.Sprintf(format, args...))
}

// admitSigning refuses a process none of whose keys for a purpose is known, where others are. Its
// tokens and receipts would be those of a stranger.
func admitSigning(own []keyPair, known []publishedKey) error {
	for _, purpose := range []Purpose{ForSessions, ForReceipts} {
		var names []string
		found := false
		for _, row := range known {
			if row.Purpose != string(purpose) {
				continue
			}
			names = append(names, row.Kid)
			found = found || slices.ContainsFunc(own, func(k keyPair) bool { return k.kid == row.Kid })
		}
		if len(names) > 0 && !found {
			return missing(
				"it knows the signing keys %s, and none of this process's is among them; give it DIRESCO_SIGNING_KEYS of the others, "+
					"or let the database know its keys by `diresco keys accept`", atMost(names),
			)
		}
	}
	return nil
}

// atMost names the newest of many keys.
func atMost(ids []string) string {
	const most = 4
	return strings.Join(ids[max(0, len(ids)-most):], ", ")
}

// admitData refuses a process without a data key that something was written with.
func admitData(own *DataKeys, known []dataKeyRow) error {
	keys := own.all()
	for _, row := range known {
		i := slices.IndexFunc(keys, func(k dataKey) bool { return k.id == row.ID })
		switch {
		case i >= 0 && own.checkValue(keys[i]) != row.CheckValue:
			return missing("this process's data key %s is another than the one that the database knows by this id", row.ID)
		case i < 0 && row.inUse():
			return missing(
				"it was written with the data key %s, which this process has not got; give it DIRESCO_DATA_KEYS, or the file data-keys, "+
					"of the other processes", row.ID,
			)
		}
	}
	return nil
}

// Sample is something that was sealed with a data key before the ids of keys were recorded.
type Sample struct {
	Purpose, Sealed string
	Parts           [][]byte
}

// adopt returns what is recorded of the data keys of a database that kept no list of them yet. What
// it was written with must be among them, and open what was sealed.
func adopt(own *DataKeys, writtenWith []string, samples []Sample, now time.Time) ([]dataKeyRow, error) {
	for _, id := range writtenWith {
		if !own.holds(id) {
			return nil, missing(
				"it was written with the data key %s, which this process has not got; give it DIRESCO_DATA_KEYS, or the file data-keys, "+
					"that the installation had until now", id,
			)
		}
	}
	for _, s := range samples {
		if _, err := own.Open(s.Purpose, s.Sealed, s.Parts...); err != nil {
			id, _, _ := strings.Cut(s.Sealed, ":")
			return nil, missing("this process's data key %s does not open what was sealed with the one of this id", id)
		}
	}
	var rows []dataKeyRow
	for i, key := range own.all() {
		row := own.row(key, now)
		// The first one made what is looked for by its digest, so it stays the one that does.
		if used := now.Add(time.Duration(i) * time.Microsecond); i == 0 || slices.Contains(writtenWith, key.id) {
			row.UsedAt = &used
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (d *DataKeys) row(key dataKey, now time.Time) dataKeyRow {
	return dataKeyRow{ID: key.id, CheckValue: d.checkValue(key), CreatedAt: now}
}

// unrecorded returns the rows of the keys that a database does not know yet.
func (d *DataKeys) unrecorded(known []dataKeyRow, now time.Time) []dataKeyRow {
	var rows []dataKeyRow
	for _, key := range d.all() {
		if !slices.ContainsFunc(known, func(r dataKeyRow) bool { return r.ID == key.id }) {
			rows = append(rows, d.row(key, now))
		}
	}
	return rows
}
