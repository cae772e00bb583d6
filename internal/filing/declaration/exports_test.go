package declaration_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// written is all that an export writes.
func written(t *testing.T, e *declaration.Export, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var all []byte
	for {
		chunk, err := e.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if chunk == nil {
			return all
		}
		all = append(all, chunk...)
	}
}

// objects are the lines of an export in JSON.
func objects(t *testing.T, text []byte) (rows []map[string]any) {
	t.Helper()
	for line := range bytes.Lines(text) {
		var row map[string]any
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		rows = append(rows, row)
	}
	return rows
}

// table is an export as CSV, without its headings, each row by the headings.
func table(t *testing.T, text []byte, separator rune) (headings []string, rows [][]string) {
	t.Helper()
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma = separator
	all, err := r.ReadAll()
	if err != nil || len(all) == 0 {
		t.Fatalf("%v: %s", err, text)
	}
	return all[0], all[1:]
}

// expected is what an export says of a declaration, in other words.
func expected(d declaration.View, taxCode, legalName, number string) map[string]any {
	row := map[string]any{
		"declaration_id": d.ID.String(), "type": d.Type, "type_version": float64(d.TypeVersion), "step": d.Step, "state": string(d.State),
		"contributor_id": d.ContributorID.String(), "contributor_tax_code": taxCode, "contributor_legal_name": legalName,
		"position_number": number, "filed_by": d.Names(), "acting_as": string(d.ActingAs),
	}
	for name, text := range map[string]*string{
		"protocol_number": d.ProtocolNumber, "worker_tax_code": d.WorkerTaxCode, "digest": d.Digest,
	} {
		if text != nil {
			row[name] = *text
		}
	}
	for name, at := range map[string]*time.Time{
		"submitted_at": d.SubmittedAt, "decided_at": d.DecidedAt, "hire_by": d.HireBy, "confirm_by": d.ConfirmBy, "lapses_at": d.EndsAt,
	} {
		if at != nil {
			row[name] = at.Format(time.RFC3339Nano)
		}
	}
	if d.Amount != nil {
		row["amount"], row["currency"] = d.Amount.String(), "EUR"
	}
	if because := d.Because(); because != nil {
		codes := []any{}
		for _, r := range because {
			codes = append(codes, string(r.Code))
		}
		row["reasons"] = codes
	}
	if d.SupersedesID != nil {
		row["supersedes_id"] = d.SupersedesID.String()
	}
	return row
}

// What is exported is what the list has, in both forms, whoever asks.
func TestExport_HasWhatTheListHas(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := newArchive(t, d)
		at := a.Clock.Now()
		a.Exec(t, "UPDATE declarations SET amount = 300005, decided_at = ?, reasons = ?, ends_at = ?, hire_by = ? WHERE state = 'accepted'",
			at, `[{"code":"operator","text":"\"sì\""},{"code":"other"}]`, at.Add(time.Hour), at.Add(time.Minute))
		facts := map[string][3]string{}
		var rows []struct{ ID, TaxCode, LegalName, Number string }
		if err := d.From(ctx).Raw("SELECT x.id, c.tax_code, c.legal_name, x.number FROM positions x JOIN contributors c " +
			"ON c.id = x.contributor_id").Scan(&rows).Error; err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			facts[r.ID] = [3]string{r.TaxCode, r.LegalName, r.Number}
		}
		// A list does not show all that is exported.
		stored := map[uuid.UUID]declaration.Declaration{}
		var all []declaration.Declaration
		if err := d.From(ctx).Find(&all).Error; err != nil {
			t.Fatal(err)
		}
		for _, one := range all {
			stored[one.ID] = one
		}
		type exporting func(declaration.Filter, declaration.Layout) (*declaration.Export, error)
		contributor := func(by access.Actor) exporting {
			return func(f declaration.Filter, l declaration.Layout) (*declaration.Export, error) {
				return a.Declarations.ExportOfContributor(by, f, l)
			}
		}
		mine := func(by access.Actor) exporting {
			return func(f declaration.Filter, l declaration.Layout) (*declaration.Export, error) {
				return a.Declarations.ExportMine(by, f, l)
			}
		}
		exports := map[string]exporting{
			"the contributor's, by the representative": contributor(a.rep), "the contributor's, by a colleague": contributor(a.colleague),
			"the contributor's, by the operator": contributor(a.operator), "all of the representative's": mine(a.rep),
			"all of a colleague's": mine(a.colleague), "all of who only manages users at the second one": mine(a.clerk),
			"all of an operator without a role": mine(a.operator),
			"the office's": func(f declaration.Filter, l declaration.Layout) (*declaration.Export, error) {
				return a.Declarations.ExportOfOffice(ctx, a.operator, f, l)
			},
		}
		from := a.everything(t)[20].CreatedAt
		for _, v := range a.views() {
			for _, f := range []declaration.Filter{
				{}, {Type: "76-2013"}, {State: declaration.Accepted}, {SubmittedFrom: &from}, {WorkerTaxCode: workers[0]},
			} {
				var want []map[string]any
				request := page.Request{Limit: page.MaxLimit}
				for {
					found, err := v.list(f, request)
					if err != nil {
						t.Fatal(err)
					}
					for _, d := range found.Items {
						of := facts[d.PositionID.String()]
						d.Declaration = stored[d.ID]
						want = append(want, expected(d, of[0], of[1], of[2]))
					}
					if request.Cursor = found.Next; found.Next == "" {
						break
					}
				}
				if strings.HasPrefix(v.name, "all of") && f.WorkerTaxCode == "" {
					slices.SortStableFunc(want, func(a, b map[string]any) int {
						return strings.Compare(a["contributor_id"].(string), b["contributor_id"].(string))
					})
				}
				e, err := exports[v.name](f, declaration.Layout{JSON: true})
				got := objects(t, written(t, e, err))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s, %+v:\n%s", v.name, f, diff)
				}
				e, err = exports[v.name](f, declaration.Layout{English: true})
				headings, lines := table(t, written(t, e, err), ',')
				if len(headings) != 24 || headings[0] != "Declaration" || headings[23] != "Digest" || len(lines) != len(want) {
					t.Fatalf("%s: headings %v, %d lines for %d", v.name, headings, len(lines), len(want))
				}
				for i, line := range lines {
					// The cells are those of the object, in the order of the columns.
					var cells []string
					for _, name := range declaration.ColumnNames() {
						switch value := want[i][name].(type) {
						case nil:
							cells = append(cells, "")
						case float64:
							cells = append(cells, strconv.Itoa(int(value)))
						case []any:
							cells = append(cells, strings.Trim(fmt.Sprint(value), "[]"))
						default:
							cells = append(cells, value.(string))
						}
					}
					if diff := cmp.Diff(cells, line); diff != "" {
						t.Errorf("%s, line %d:\n%s", v.name, i, diff)
					}
				}
			}
		}
	})
}

// A spreadsheet opens it as it is asked for, and runs nothing that somebody called their firm.
func TestExport_IsSafeInASpreadsheet(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		a.Submit(t, by, c)
		for name, want := range map[string]string{
			`=HYPERLINK("http://x";"y")`: `'=HYPERLINK("http://x";"y")`, "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1",
			"\r=1": "'\r=1", `Rossi, "Figli"; S.r.l.`: `Rossi, "Figli"; S.r.l.`, "È\u2028così": "È\u2028così", "due\nrighe": "due\nrighe", "": "",
		} {
			a.Exec(t, "UPDATE contributors SET legal_name = ? WHERE id = ?", name, c.ID)
			for _, l := range []declaration.Layout{{}, {Semicolon: true}, {Semicolon: true, BOM: true}} {
				e, err := a.Declarations.ExportOfContributor(by, declaration.Filter{}, l)
				text := written(t, e, err)
				if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) != l.BOM {
					t.Errorf("%+v begins with %q", l, text[:3])
				}
				separator := ','
				if l.Semicolon {
					separator = ';'
				}
				headings, lines := table(t, bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), separator)
				// The reader makes one line feed of a carriage return and a line feed.
				if len(lines) != 1 || lines[0][9] != want || headings[9] != "Denominazione" || !bytes.HasSuffix(text, []byte("\r\n")) {
					t.Errorf("%q with %+v: %q", name, l, lines)
				}
			}
			e, err := a.Declarations.ExportOfContributor(by, declaration.Filter{}, declaration.Layout{JSON: true})
			if got := objects(t, written(t, e, err)); got[0]["contributor_legal_name"] != name {
				t.Errorf("%q in JSON: %q", name, got[0]["contributor_legal_name"])
			}
		}
	})
}

// multiply makes many declarations out of a filed one, each a second older than the one before.
func multiply(t *testing.T, a *world.App, filed declaration.View, n int) {
	t.Helper()
	id, at := sqliteID, "strftime('%Y-%m-%d %H:%M:%S', '2025-01-01', '+' || i || ' seconds') || '+00:00'"
	if a.DB.Dialect() == db.Postgres {
		id, at = postgresID, "timestamptz '2025-01-01 00:00:00+00' + i * interval '1 second'"
	}
	a.Exec(t, fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO declarations (id, contributor_id, position_id, office_code, type, type_version, step, state, content, worker_tax_code,
		person_id, acting_as, right_id, version, created_at, updated_at, listed_at, submitted_at, protocol_number, digest)
		SELECT %s, d.contributor_id, d.position_id, d.office_code, d.type, d.type_version, d.step, d.state, d.content, d.worker_tax_code,
			d.person_id, d.acting_as, d.right_id, d.version, %[3]s, %[3]s, %[3]s, %[3]s, d.protocol_number || '-' || i, d.digest
		FROM n JOIN declarations d ON d.id = ?`, n-1, id, at), filed.ID)
	if a.DB.Dialect() == db.Postgres {
		a.Exec(t, "ANALYZE")
	}
}

// However much is exported, no more than a chunk of it is in memory.
func TestExport_KeepsMemoryFlat(t *testing.T) {
	dbtest.EachAlone(t, func(t *testing.T, d *db.DB) {
		const total, most = 100_000, 16 << 20
		a := world.New(t, d)
		c, by := a.Employer(t)
		multiply(t, a, a.Submit(t, by, c), total)
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		for _, l := range []declaration.Layout{{}, {JSON: true}} {
			before := heap()
			e, err := a.Declarations.ExportOfContributor(by, declaration.Filter{}, l)
			if err != nil {
				t.Fatal(err)
			}
			lines, chunks := 0, 0
			for {
				chunk, err := e.Next(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if chunk == nil {
					break
				}
				lines += bytes.Count(chunk, []byte("\n"))
				if chunks++; chunks%10 == 0 {
					if now := heap(); now > before+most {
						t.Errorf("after %d lines %d MB more are in use", lines, (now-before)>>20)
					}
				}
			}
			e.Close()
			if want := total + map[bool]int{false: 1}[l.JSON]; lines != want || chunks < 20 {
				t.Errorf("%d lines in %d chunks, want %d", lines, chunks, want)
			}
		}
	})
}

// A right that ends ends what is shown by it, and what was shown so far is not taken for the whole.
func TestExport_EndsWithSessionAndRight(t *testing.T) {
	type exporting func(a *world.App, by, desk access.Actor) (*declaration.Export, error)
	contributor := func(a *world.App, by, _ access.Actor) (*declaration.Export, error) {
		return a.Declarations.ExportOfContributor(by, declaration.Filter{}, declaration.Layout{})
	}
	mine := func(a *world.App, by, _ access.Actor) (*declaration.Export, error) {
		return a.Declarations.ExportMine(by, declaration.Filter{}, declaration.Layout{})
	}
	office := func(a *world.App, _, desk access.Actor) (*declaration.Export, error) {
		return a.Declarations.ExportOfOffice(ctx, desk, declaration.Filter{}, declaration.Layout{})
	}
	type ending func(t *testing.T, a *world.App, by, desk access.Actor)
	role := func(t *testing.T, a *world.App, by, _ access.Actor) { a.WithdrawRole(t, by.Rights[0].ID) }
	session := func(t *testing.T, a *world.App, by, desk access.Actor) {
		a.Exec(t, "UPDATE sessions SET ended_at = ? WHERE id IN (?, ?)", a.Clock.Now(), by.SessionID, desk.SessionID)
	}
	post := func(t *testing.T, a *world.App, _, desk access.Actor) {
		a.Exec(t, "UPDATE people SET office_code = ? WHERE id = ?", world.Milan, desk.PersonID)
	}
	for name, c := range map[string]struct {
		export exporting
		end    ending
		code   fault.Code
	}{
		"a contributor's, role":    {contributor, role, fault.NotFound},
		"a contributor's, session": {contributor, session, fault.SessionEnded},
		"one's own, role":          {mine, role, fault.NotFound},
		"one's own, session":       {mine, session, fault.SessionEnded},
		"an office's, post":        {office, post, fault.Forbidden},
		"an office's, session":     {office, session, fault.SessionEnded},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				a := world.New(t, d)
				company, by := a.Employer(t)
				desk := a.Desk(t, world.Rome, company.ID)
				multiply(t, a, a.Submit(t, by, company), 6_000)
				e, err := c.export(a, by, desk)
				if err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				if chunk, err := e.Next(ctx); err != nil || len(chunk) == 0 {
					t.Fatalf("%d bytes, %v", len(chunk), err)
				}
				c.end(t, a, by, desk)
				if chunk, err := e.Next(ctx); !fault.Is(err, c.code) {
					t.Errorf("%d bytes more, %v", len(chunk), err)
				}
			})
		})
	}
}

// Who goes away ends the read.
func TestExport_EndsWithItsReader(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		multiply(t, a, a.Submit(t, by, c), 5_000)
		gone, leave := context.WithCancel(ctx)
		e, err := a.Declarations.ExportOfContributor(by, declaration.Filter{}, declaration.Layout{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Next(gone); err != nil {
			t.Fatal(err)
		}
		leave()
		if _, err := e.Next(gone); err == nil {
			t.Error("it goes on reading")
		}
		e.Close()
		// Its place is free again; nobody has more than two.
		var open []*declaration.Export
		for range 2 {
			e, err := a.Declarations.ExportOfContributor(by, declaration.Filter{}, declaration.Layout{})
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, e)
		}
		_, err = a.Declarations.ExportMine(by, declaration.Filter{}, declaration.Layout{})
		if !fault.Is(err, fault.Busy) {
			t.Errorf("a third at a time: %v", err)
		}
		for _, e := range open {
			e.Close()
			e.Close()
		}
		e, err = a.Declarations.ExportMine(by, declaration.Filter{}, declaration.Layout{})
		if got := bytes.Count(written(t, e, err), []byte("\n")); got != 5_001 {
			t.Errorf("%d lines", got)
		}
	})
}

// What fell due by now is exported as it is now, whether or not somebody looked since.
func TestExport_HasWhatFellDue(t *testing.T) {
	type exporting func(a *world.App, by, desk access.Actor) (*declaration.Export, error)
	for name, export := range map[string]exporting{
		"a contributor's": func(a *world.App, by, _ access.Actor) (*declaration.Export, error) {
			return a.Declarations.ExportOfContributor(by, declaration.Filter{}, declaration.Layout{JSON: true})
		},
		"one's own": func(a *world.App, by, _ access.Actor) (*declaration.Export, error) {
			return a.Declarations.ExportMine(by, declaration.Filter{}, declaration.Layout{JSON: true})
		},
		"an office's": func(a *world.App, _, desk access.Actor) (*declaration.Export, error) {
			return a.Declarations.ExportOfOffice(ctx, desk, declaration.Filter{}, declaration.Layout{JSON: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				a := world.New(t, d)
				company, by := a.Employer(t)
				desk := a.Desk(t, world.Rome, company.ID)
				a.Budget(t, by, world.CappedFund, 1_000_000)
				reserved := a.Draft(t, by, company, company.Reservation(nil))
				if reserved.State != declaration.Accepted {
					t.Fatalf("%+v", reserved)
				}
				a.Clock.Advance(reserved.ConfirmBy.Sub(a.Clock.Now()))
				e, err := export(a, by, desk)
				if got := objects(t, written(t, e, err)); len(got) != 1 || got[0]["state"] != string(declaration.Lapsed) {
					t.Errorf("after its term: %v", got)
				}
			})
		})
	}
}
