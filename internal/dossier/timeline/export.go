package timeline

import (
	"archive/zip"
	"context"
	"encoding/csv"
	"errors"
	"html"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

const (
	// exportRows is how many entries are read, and held in memory, at a time.
	exportRows = 200
	// longestMonths is how many months an export covers at most.
	longestMonths = 12
	// recheckedBytes is how much of a file is written between two looks at the rights. Who takes it
	// slowly does so for hours.
	recheckedBytes = 256 << 10
)

// File is one file that belongs to an entry.
type File struct {
	// Name is what it is called behind the entry's name; it begins with a point or a hyphen.
	Name string
	// Open returns its content, to be closed. The actor is who exports.
	Open func(ctx context.Context, by access.Actor) (io.ReadCloser, error)
}

// missing is behind the name of a file of which there is no content.
const missing = ".mancante.txt"

// Source says which files belong to an entry. It returns the error of what the actor may not see.
type Source func(ctx context.Context, by access.Actor, e Entry) ([]File, error)

// Export is what happened in a period, as an archive. It is written while it is read, so memory stays
// flat. Close it.
type Export struct {
	service  *Service
	by       access.Actor
	from, to time.Time
	slot     *slot
	Close    func()
}

// Export begins an export of a period; what has not happened yet is no part of it. It returns
//   - fault.Malformed for a period that ends before it begins, or is longer than 12 months,
//   - fault.Invalid for one that is still to come,
//   - fault.Busy where too many are under way.
func (s *Service) Export(by access.Actor, from, to time.Time) (*Export, error) {
	code := ""
	switch {
	case !to.After(from):
		code = fault.FieldNotAfter
	case to.After(calendar.AddMonths(from, longestMonths)):
		code = fault.FieldTooFar
	}
	if code != "" {
		return nil, &fault.Fault{Code: fault.Malformed, Fields: []fault.Field{{In: fault.InParameter, Pointer: "to", Code: code}}}
	}
	now := s.run.Clock.Now()
	// What happens at this moment is a part of it; the register may be ahead of this clock.
	soon := now.Add(time.Minute)
	if !from.Before(soon) {
		return nil, fault.InvalidFields(fault.Field{In: fault.InParameter, Pointer: "from", Code: fault.FieldInFuture})
	}
	if to.After(soon) {
		to = soon
	}
	own := s.exports.enter(by.PersonID, now)
	if own == nil {
		return nil, fault.New(fault.Busy)
	}
	return &Export{s, by, from, to, own, sync.OnceFunc(func() { s.exports.leave(by.PersonID, own) })}, nil
}

// Write writes the archive: a page to read and print, a table, and the files. Before each read, each
// file and each piece of one it looks whether the rights by which it is shown still hold. It returns
// fault.NotFound or fault.SessionEnded where not, and fault.Busy to a reader who was so slow that it
// gave way to another.
func (x *Export) Write(ctx context.Context, w io.Writer) error {
	archive := zip.NewWriter(paced{w, x.slot, x.service.run.Clock.Now})
	for _, part := range []struct {
		name  string
		write func(ctx context.Context, w io.Writer) error
	}{{"index.html", x.writePage}, {"entries.csv", x.writeTable}} {
		file, err := x.create(archive, part.name, x.to)
		if err == nil {
			err = part.write(ctx, file)
		}
		if err != nil {
			return err
		}
	}
	err := x.each(ctx, func(e Entry) error {
		files, err := x.files(ctx, e)
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := x.add(ctx, archive, e, f); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return archive.Close()
}

// create begins a file. All are packed: an archive that is written as it goes says only behind a file
// how long it is, and readers that go through it from the front find the end of packed ones alone.
func (x *Export) create(archive *zip.Writer, name string, at time.Time) (io.Writer, error) {
	return archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: at.UTC()})
}

// add adds a file of an entry.
func (x *Export) add(ctx context.Context, archive *zip.Writer, e Entry, f File) error {
	if err := x.ongoing(ctx); err != nil {
		return err
	}
	content, err := f.Open(ctx, x.by)
	if fault.Is(err, fault.NotFound) {
		// One that was lost is no reason to refuse the others; the archive says which it was.
		f.Name, content, err = f.Name+missing, io.NopCloser(strings.NewReader("Documento non disponibile.\r\n")), nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	file, err := x.create(archive, e.path(f), e.At)
	if err != nil {
		return err
	}
	for {
		_, err := io.CopyN(file, content, recheckedBytes)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = x.ongoing(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// ongoing returns the fault of rights that hold no more, and fault.Busy once it gave way.
func (x *Export) ongoing(ctx context.Context) error {
	if x.slot.isOver() {
		return fault.New(fault.Busy)
	}
	return x.service.run.Recheck.Ongoing(ctx, x.by, x.by.Rights...)
}

// files are those that belong to an entry.
func (x *Export) files(ctx context.Context, e Entry) ([]File, error) {
	if source := x.service.sources[e.Happened]; source != nil {
		return source(ctx, x.by, e)
	}
	return nil, nil
}

// path is where a file of an entry lies: a name that every system takes and that no other has.
func (e Entry) path(f File) string {
	name := e.ProtocolNumber
	if name == "" {
		name = e.SubjectID.String()
	}
	return safe(string(e.Kind)) + "/" + safe(name) + safe(f.Name)
}

func safe(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '-'
	}, name)
}

// each calls do with every entry of the period, the newest first.
func (x *Export) each(ctx context.Context, do func(e Entry) error) error {
	var after *page.Key
	for {
		if err := x.ongoing(ctx); err != nil {
			return err
		}
		entries, err := x.service.entries(ctx, x.by, Filter{From: &x.from, To: &x.to}, after, exportRows)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := do(e); err != nil {
				return err
			}
		}
		if len(entries) < exportRows {
			return nil
		}
		after = new(entries[len(entries)-1].key())
	}
}

// minute writes an instant as it is written in Italy.
func minute(at time.Time) string { return at.In(calendar.Rome).Format("02/01/2006 15:04") }

// headings are those of the table.
var headings = []string{"Data e ora", "Evento", "Codice", "Protocollo", "Posizione", "A cura di", "Applicazione", "Identificativo"}

func (e Entry) cells() []string {
	return []string{minute(e.At), e.told(), e.Code, e.ProtocolNumber, e.PositionNumber, e.By.told(), e.By.ClientID, e.SubjectID.String()}
}

// writeTable writes the entries as CSV, as Italian spreadsheets take it. Cells that one would take
// for a formula begin with an apostrophe.
func (x *Export) writeTable(ctx context.Context, w io.Writer) error {
	const byteOrderMark = "\ufeff"
	if _, err := io.WriteString(w, byteOrderMark); err != nil {
		return err
	}
	table := csv.NewWriter(w)
	table.Comma, table.UseCRLF = ';', true
	if err := table.Write(headings); err != nil {
		return err
	}
	err := x.each(ctx, func(e Entry) error {
		cells := e.cells()
		for i, c := range cells {
			if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
				cells[i] = "'" + c
			}
		}
		return table.Write(cells)
	})
	if err != nil {
		return err
	}
	table.Flush()
	return table.Error()
}

const pageStyle = `body{font:16px/1.5 sans-serif;color:#17324d;margin:2rem}table{border-collapse:collapse;width:100%}` +
	`caption{text-align:left;padding-bottom:.5rem}th,td{border:1px solid #5b6f82;padding:.35rem .5rem;text-align:left;vertical-align:top}` +
	`thead{display:table-header-group}tr{break-inside:avoid}@media print{body{margin:0;font-size:10pt}a{color:inherit}}`

// writePage writes the entries as a page that needs nothing else, with links to the files.
func (x *Export) writePage(ctx context.Context, w io.Writer) error {
	owner, err := x.service.repo.owner(ctx, x.by.ContributorID)
	if err != nil {
		return err
	}
	title := "Fascicolo elettronico di " + owner.LegalName
	period := "Dal " + minute(x.from) + " al " + minute(x.to)
	head := `<!DOCTYPE html>` + "\n" + `<html lang="it"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">` +
		`<title>` + html.EscapeString(title) + `</title><style>` + pageStyle + `</style></head><body><main><h1>` + html.EscapeString(title) +
		`</h1><p>Codice fiscale ` + html.EscapeString(owner.TaxCode) + `</p><table><caption>` + period +
		`, dal più recente</caption><thead><tr>`
	for _, heading := range append(headings[:len(headings)-1:len(headings)-1], "Documenti") {
		head += `<th scope="col">` + heading + `</th>`
	}
	if _, err := io.WriteString(w, head+"</tr></thead><tbody>\n"); err != nil {
		return err
	}
	n := 0
	err = x.each(ctx, func(e Entry) error {
		n++
		line := "<tr>"
		cells := e.cells()
		for _, c := range cells[:len(cells)-1] {
			line += "<td>" + html.EscapeString(c) + "</td>"
		}
		files, err := x.files(ctx, e)
		if err != nil {
			return err
		}
		line += "<td>"
		for i, f := range files {
			if i > 0 {
				line += ", "
			}
			path := html.EscapeString(e.path(f))
			line += `<a href="` + path + `">` + path + `</a>`
		}
		_, err = io.WriteString(w, line+"</td></tr>\n")
		return err
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, "</tbody></table><p>Eventi: "+strconv.Itoa(n)+"</p></main></body></html>\n")
	return err
}
