package chaos

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/platform/calendar"
)

// rows reads a query into structs.
func rows[T any](t *testing.T, d *db.DB, query string, args ...any) []T {
	t.Helper()
	var all []T
	if err := d.From(t.Context()).Raw(query, args...).Scan(&all).Error; err != nil {
		t.Fatal(err)
	}
	return all
}

type storedDeclaration struct {
	ID             uuid.UUID
	OfficeCode     string
	Version        int
	SubmittedAt    time.Time
	ProtocolNumber string
	Digest         string
	JWS            string `gorm:"column:jws"`
}

type storedEntry struct {
	OfficeCode string
	Year       int
	Number     int
	At         time.Time
	Kind       string
	SubjectID  uuid.UUID
	Digest     string
}

func storedDeclarations(t *testing.T, d *db.DB) map[uuid.UUID]storedDeclaration {
	t.Helper()
	stored := map[uuid.UUID]storedDeclaration{}
	for _, s := range rows[storedDeclaration](t, d, `SELECT d.id, d.office_code, d.version, d.submitted_at, d.protocol_number, d.digest,
		r.jws FROM declarations d
		JOIN protocol_entries r ON r.subject_id = d.id WHERE d.state = 'submitted'`) {
		stored[s.ID] = s
	}
	return stored
}

// lateAfter is when an acknowledgement counts as late, what went wrong meanwhile included.
const lateAfter = 5 * time.Second

// checkRegister holds the database against what clients were told. Every acknowledged submission is
// there as it was acknowledged, none twice, and nothing else. Each has its number, audit row and
// message.
func checkRegister(t *testing.T, d *db.DB, acknowledged []filing) {
	t.Helper()
	stored := storedDeclarations(t, d)
	seen := map[uuid.UUID]bool{}
	lost, doubled, late, longest := 0, max(0, len(stored)-len(acknowledged)), 0, time.Duration(0)
	for _, f := range acknowledged {
		id, number := f.first.DeclarationId, *f.first.ProtocolNumber
		s, found := stored[id]
		switch {
		case seen[id]:
			doubled++
			t.Errorf("%s was acknowledged to two requests", number)
		case !found:
			lost++
			t.Errorf("%s was acknowledged and is lost", number)
		case s.ProtocolNumber != number || s.JWS != f.first.Receipt.Jws || s.Digest != f.first.Receipt.Digest ||
			!s.SubmittedAt.Equal(*f.first.SubmittedAt):
			t.Errorf("%s was acknowledged and is stored as %s of %v", number, s.ProtocolNumber, s.SubmittedAt)
		}
		seen[id] = true
		longest = max(longest, f.took)
		if f.took > lateAfter {
			late++
		}
	}
	t.Logf(
		"%d acknowledged, %d lost, %d done twice, %d late (after more than %v; the longest took %.1f s)", len(acknowledged), lost, doubled,
		late, lateAfter, longest.Seconds(),
	)
	if len(stored) != len(acknowledged) {
		t.Errorf("%d submissions were acknowledged and %d are stored", len(acknowledged), len(stored))
	}
	for what, query := range map[string]string{
		"drafts that were never submitted": "SELECT count(*) FROM declarations WHERE state = 'draft'",
		"declarations in some other state": "SELECT count(*) FROM declarations WHERE state NOT IN ('draft', 'submitted')",
		"receipts of no declaration": "SELECT count(*) FROM protocol_entries WHERE jws IS NOT NULL AND subject_id NOT IN (SELECT id FROM declarations " +
			"WHERE state = 'submitted')",
		"audit rows of no declaration": "SELECT count(*) FROM audit_records WHERE subject_kind = 'declaration' AND subject_id NOT IN " +
			"(SELECT CAST(id AS text) FROM declarations)",
		"keys that name no declaration": "SELECT count(*) FROM idempotency_keys WHERE operation LIKE '%Declaration' AND resource_id " +
			"NOT IN (SELECT CAST(id AS text) FROM declarations)",
	} {
		if n := rows[int64](t, d, query)[0]; n != 0 {
			t.Errorf("there are %d %s", n, what)
		}
	}
	checkNumbers(t, d, stored)
	checkTrail(t, d, stored)
	checkOrder(t, acknowledged)
}

// checkNumbers: the numbers of an office and year run from 1 without a gap. Times rise with them,
// and each is a declaration's, but for what the sandbox begins with.
func checkNumbers(t *testing.T, d *db.DB, stored map[uuid.UUID]storedDeclaration) {
	t.Helper()
	entries := rows[storedEntry](
		t, d, "SELECT office_code, year, number, at, kind, subject_id, digest FROM protocol_entries ORDER BY office_code, year, number",
	)
	type sequence struct {
		office string
		year   int
	}
	last := map[sequence]storedEntry{}
	given := 0
	for _, e := range entries {
		in := sequence{e.OfficeCode, e.Year}
		before := last[in]
		if e.Number != before.Number+1 {
			t.Errorf("at office %s number %d follows %d", e.OfficeCode, e.Number, before.Number)
		}
		if !e.At.After(before.At) {
			t.Errorf("at office %s number %d is of %v and the one before of %v", e.OfficeCode, e.Number, e.At, before.At)
		}
		last[in] = e
		if e.Kind != declaration.Kind {
			continue
		}
		given++
		written := fmt.Sprintf("INPS.%s.%s.%07d", e.OfficeCode, e.At.In(calendar.Rome).Format("02/01/2006"), e.Number)
		if s := stored[e.SubjectID]; s.ProtocolNumber != written || s.OfficeCode != e.OfficeCode || s.Digest != e.Digest ||
			!s.SubmittedAt.Equal(e.At) {
			t.Errorf("the register's %s is the declaration's %s", written, s.ProtocolNumber)
		}
	}
	if given != len(stored) {
		t.Errorf("%d numbers were given to %d submissions", given, len(stored))
	}
	for _, c := range rows[struct {
		OfficeCode string
		Year       int
		LastNumber int
		LastAt     time.Time
	}](t, d, "SELECT * FROM protocol_counters WHERE last_number > 0") {
		if e := last[sequence{c.OfficeCode, c.Year}]; e.Number != c.LastNumber || !e.At.Equal(c.LastAt) {
			t.Errorf("the counter of office %s stands at %d and its last number is %d", c.OfficeCode, c.LastNumber, e.Number)
		}
	}
}

// checkTrail: each submission has one audit row and one message, and the draft before it another
// audit row.
func checkTrail(t *testing.T, d *db.DB, stored map[uuid.UUID]storedDeclaration) {
	t.Helper()
	type act struct{ subject, operation string }
	trail := map[act]int{}
	for _, r := range rows[struct{ SubjectID, Operation string }](
		t, d, "SELECT subject_id, operation FROM audit_records WHERE subject_kind = 'declaration'",
	) {
		trail[act{r.SubjectID, r.Operation}]++
	}
	total := 0
	for id, s := range stored {
		// A draft has version 1, its submission 2; what is filed at once is one operation.
		if n := trail[act{id.String(), "draftDeclaration"}]; n != 1 {
			t.Errorf("%s has %d audit rows of draftDeclaration", s.ProtocolNumber, n)
		}
		if n := trail[act{id.String(), "submitDeclaration"}]; n != s.Version-1 {
			t.Errorf("%s at version %d has %d audit rows of submitDeclaration", s.ProtocolNumber, s.Version, n)
		}
		total += s.Version
	}
	if n := rows[int](t, d, "SELECT count(*) FROM audit_records WHERE subject_kind = 'declaration'")[0]; n != total {
		t.Errorf("there are %d audit rows of declarations, want %d", n, total)
	}
	promised := map[string]int{}
	for _, data := range rows[string](t, d, "SELECT data FROM outbox WHERE kind = 'declaration.received' UNION ALL "+
		"SELECT data FROM deliveries WHERE kind = 'declaration.received' AND message_id IS NULL") {
		var message struct {
			ProtocolNumber string `json:"protocol_number"`
		}
		if err := json.Unmarshal([]byte(data), &message); err != nil {
			t.Fatal(err)
		}
		promised[message.ProtocolNumber]++
	}
	for _, s := range stored {
		if n := promised[s.ProtocolNumber]; n != 1 {
			t.Errorf("%s has %d messages in the outbox", s.ProtocolNumber, n)
		}
	}
	if len(promised) != len(stored) {
		t.Errorf("there are messages of %d submissions, want %d", len(promised), len(stored))
	}
}

// place is a protocol number taken apart.
type place struct {
	office       string
	year, serial int
}

func placeOf(t *testing.T, number string) place {
	t.Helper()
	parts := strings.Split(number, ".")
	if len(parts) != 4 || len(parts[2]) != len("02/01/2006") {
		t.Fatalf("%q is no protocol number", number)
	}
	year, err := strconv.Atoi(parts[2][len("02/01/"):])
	if err != nil {
		t.Fatal(err)
	}
	serial, err := strconv.Atoi(parts[3])
	if err != nil {
		t.Fatal(err)
	}
	return place{parts[1], year, serial}
}

func (p place) before(q place) bool {
	return p.year < q.year || p.year == q.year && p.serial < q.serial
}

// checkOrder: what was acknowledged before another submission was sent, at whichever server, has a
// lower number.
func checkOrder(t *testing.T, acknowledged []filing) {
	t.Helper()
	bySending := slices.Clone(acknowledged)
	slices.SortFunc(bySending, func(a, b filing) int { return int(a.sent - b.sent) })
	byAnswer := slices.Clone(acknowledged)
	slices.SortFunc(byAnswer, func(a, b filing) int { return int(a.acknowledged - b.acknowledged) })
	highest := map[string]place{}
	for _, f := range bySending {
		for len(byAnswer) > 0 && byAnswer[0].acknowledged < f.sent {
			p := placeOf(t, *byAnswer[0].first.ProtocolNumber)
			if highest[p.office].before(p) {
				highest[p.office] = p
			}
			byAnswer = byAnswer[1:]
		}
		if p := placeOf(t, *f.first.ProtocolNumber); !highest[p.office].before(p) {
			t.Errorf("%s was sent when number %d had been acknowledged", *f.first.ProtocolNumber, highest[p.office].serial)
		}
	}
}
