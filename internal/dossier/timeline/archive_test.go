package timeline_test

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"diresco/db"
	"diresco/internal/dossier/timeline"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// withFiles is a service whose exports have a file of each filing.
func withFiles(a *world.App) *timeline.Service {
	return timeline.NewService(timeline.Deps{Runner: a.Runner, CatchUp: a.Funds.CatchUp, Files: map[timeline.Happening]timeline.Source{
		timeline.DeclarationSubmitted: func(_ context.Context, _ access.Actor, e timeline.Entry) ([]timeline.File, error) {
			open := func(context.Context, access.Actor) (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader("of " + e.ProtocolNumber)), nil
			}
			return []timeline.File{{Name: "-../è\u202e.txt", Open: open}}, nil
		},
	}})
}

// unpacked reads an archive from the front by its format, as programs do that do not keep it, and
// from its directory at the end.
func unpacked(t *testing.T, archive []byte) (names []string, files map[string]string) {
	t.Helper()
	const header, descriptor, directory = 0x04034b50, 0x08074b50, 0x02014b50
	files = map[string]string{}
	r := bufio.NewReader(bytes.NewReader(archive))
	read := func(v any) {
		t.Helper()
		if err := binary.Read(r, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	for {
		var signature uint32
		if read(&signature); signature == directory {
			break
		}
		var h struct {
			Version, Flags, Method, Time, Date uint16
			CRC, Packed, Size                  uint32
			Name, Extra                        uint16
		}
		if read(&h); signature != header || h.Method != zip.Deflate {
			t.Fatalf("a file begins with %x, packed by %d", signature, h.Method)
		}
		name, extra := make([]byte, h.Name), make([]byte, h.Extra)
		read(name)
		read(extra)
		content, err := io.ReadAll(flate.NewReader(r))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var d struct{ Signature, CRC, Packed, Size uint32 }
		if read(&d); d.Signature != descriptor || d.CRC != crc32.ChecksumIEEE(content) || int(d.Size) != len(content) {
			t.Errorf("behind %s stands %+v", name, d)
		}
		if _, twice := files[string(name)]; twice {
			t.Errorf("%s is there twice", name)
		}
		names, files[string(name)] = append(names, string(name)), string(content)
	}
	listed, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil || len(listed.File) != len(names) {
		t.Fatalf("the directory has %d files of %d, %v", len(listed.File), len(names), err)
	}
	return names, files
}

func exported(t *testing.T, s *timeline.Service, by access.Actor, from, to time.Time) []byte {
	t.Helper()
	x, err := s.Export(by, from, to)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	var archive bytes.Buffer
	if err := x.Write(ctx, &archive); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

func TestTimelineExport_HasPageTableAndFiles(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		s := withFiles(a)
		c, by := a.Employer(t)
		a.Exec(t, "UPDATE contributors SET legal_name = 'Rossi & <b>Figli</b>' WHERE id = ?", c.ID)
		a.Exec(t, "UPDATE people SET given_name = '=1+1' WHERE id = ?", by.PersonID)
		began := a.Clock.Now()
		old := a.Submit(t, by, c)
		a.Clock.Advance(time.Hour)
		first := a.Submit(t, by, c)
		a.Clock.Advance(time.Hour)
		if _, err := a.Declarations.Withdraw(asked("withdrawDeclaration"), by, first.ID); err != nil {
			t.Fatal(err)
		}
		a.Clock.Advance(time.Minute)
		names, files := unpacked(t, exported(t, s, by, began.Add(time.Minute), began.Add(24*time.Hour)))
		number := strings.ReplaceAll(*first.ProtocolNumber, "/", "-")
		path := "declaration/" + number + "-..---.txt"
		if strings.Join(names, " ") != "index.html entries.csv "+path || files[path] != "of "+*first.ProtocolNumber {
			t.Fatalf("files %q", names)
		}
		table, err := csv.NewReader(strings.NewReader(strings.ReplaceAll(strings.TrimPrefix(files["entries.csv"], "\ufeff"), ";", ","))).ReadAll()
		if err != nil || len(table) != 3 || table[0][0] != "Data e ora" || table[1][1] != "Dichiarazione ritirata (ritirata)" ||
			table[2][1] != "Dichiarazione presentata (presentata)" || table[2][3] != *first.ProtocolNumber ||
			table[2][4] != c.Positions[0].Number || table[2][5] != "'=1+1 Rossi" || table[2][7] != first.ID.String() {
			t.Errorf("%v: %q", err, table)
		}
		index := files["index.html"]
		for _, part := range []string{
			`<html lang="it">`, "Fascicolo elettronico di Rossi &amp; &lt;b&gt;Figli&lt;/b&gt;", `<th scope="col">Protocollo</th>`, `<caption>Dal `,
			`<a href="` + path + `">`, "Eventi: 2", "@media print",
		} {
			if !strings.Contains(index, part) {
				t.Errorf("no %s in %s", part, index)
			}
		}
		if strings.Contains(index, *old.ProtocolNumber) || strings.Contains(index, "http") || strings.Contains(index, "<script") {
			t.Errorf("the page has too much: %s", index)
		}
		if _, err := html.Parse(strings.NewReader(index)); err != nil {
			t.Error(err)
		}
	})
}

func TestTimelineExport_CoversAYear(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		s := withFiles(a)
		_, by := a.Employer(t)
		now := a.Clock.Now()
		for what, c := range map[string]struct {
			from, to time.Time
			want     string
		}{
			"backwards": {now, now.Add(-time.Hour), fault.FieldNotAfter}, "nothing": {now, now, fault.FieldNotAfter},
			"over a year": {now, now.AddDate(1, 0, 1), fault.FieldTooFar},
		} {
			_, err := s.Export(by, c.from, c.to)
			var f *fault.Fault
			if !errors.As(err, &f) || f.Code != fault.Malformed || f.Fields[0].Pointer != "to" || f.Fields[0].Code != c.want {
				t.Errorf("%s: %v", what, err)
			}
		}
		x, err := s.Export(by, now.AddDate(-1, 0, 0), now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Export(by, now.Add(-time.Hour), now); !fault.Is(err, fault.Busy) {
			t.Errorf("two at a time: %v", err)
		}
		x.Close()
		x.Close()
		if names, _ := unpacked(t, exported(t, s, by, now.Add(-time.Hour), now)); len(names) != 2 {
			t.Errorf("of an empty period: %q", names)
		}
	})
}

// Whoever loses session or right does not get the rest.
func TestTimelineExport_EndsWithSessionAndRight(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		s := withFiles(a)
		c, by := a.Employer(t)
		fill(t, a, c, by)
		from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		export := func() error {
			x, err := s.Export(by, from, from.AddDate(0, 6, 0))
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			return x.Write(ctx, io.Discard)
		}
		a.Exec(t, "UPDATE sessions SET ended_at = ? WHERE id = ?", a.Clock.Now(), by.SessionID)
		if err := export(); !fault.Is(err, fault.SessionEnded) {
			t.Errorf("a session ended: %v", err)
		}
		a.Exec(t, "UPDATE sessions SET ended_at = NULL WHERE id = ?", by.SessionID)
		a.WithdrawRole(t, by.Rights[0].ID)
		if err := export(); !fault.Is(err, fault.NotFound) {
			t.Errorf("a right ended: %v", err)
		}
	})
}

// A right that ends while files are read ends a short export too.
func TestTimelineExport_EndsBetweenFiles(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		opened := 0
		c, by := a.Employer(t)
		s := timeline.NewService(timeline.Deps{Runner: a.Runner, CatchUp: a.Funds.CatchUp, Files: map[timeline.Happening]timeline.Source{
			timeline.DeclarationSubmitted: func(context.Context, access.Actor, timeline.Entry) ([]timeline.File, error) {
				return []timeline.File{{Name: ".txt", Open: func(context.Context, access.Actor) (io.ReadCloser, error) {
					if opened++; opened == 1 {
						a.WithdrawRole(t, by.Rights[0].ID)
					}
					return io.NopCloser(strings.NewReader("x")), nil
				}}}, nil
			},
		}})
		began := a.Clock.Now()
		a.Submit(t, by, c)
		a.Submit(t, by, c)
		a.Clock.Advance(time.Minute)
		x, err := s.Export(by, began.Add(-time.Hour), a.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		if err := x.Write(ctx, io.Discard); !fault.Is(err, fault.NotFound) || opened != 1 {
			t.Errorf("%d files were opened: %v", opened, err)
		}
	})
}

func TestTimeline_HasWordsForWhatHappens(t *testing.T) {
	for _, h := range timeline.Happenings() {
		if timeline.Words(h) == "" {
			t.Errorf("%s has no words", h)
		}
	}
	if len(timeline.Happenings()) < 20 {
		t.Error("too few")
	}
}

// A file that was lost keeps nobody from the others; the archive says which it was.
func TestTimelineExport_SaysWhichFileIsMissing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		lost := func(context.Context, access.Actor) (io.ReadCloser, error) { return nil, fault.New(fault.NotFound) }
		there := func(context.Context, access.Actor) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader("here")), nil
		}
		s := timeline.NewService(timeline.Deps{Runner: a.Runner, CatchUp: a.Funds.CatchUp, Files: map[timeline.Happening]timeline.Source{
			timeline.DeclarationSubmitted: func(context.Context, access.Actor, timeline.Entry) ([]timeline.File, error) {
				return []timeline.File{{Name: ".pdf", Open: lost}, {Name: ".jws", Open: there}}, nil
			},
		}})
		c, by := a.Employer(t)
		began := a.Clock.Now()
		a.Submit(t, by, c)
		a.Clock.Advance(time.Hour)
		names, files := unpacked(t, exported(t, s, by, began, a.Clock.Now()))
		var missing, kept string
		for _, name := range names {
			switch {
			case strings.HasSuffix(name, ".pdf.mancante.txt"):
				missing = files[name]
			case strings.HasSuffix(name, ".jws"):
				kept = files[name]
			}
		}
		if !strings.Contains(missing, "non disponibile") || kept != "here" {
			t.Errorf("of %v: %q and %q", names, missing, kept)
		}
	})
}
