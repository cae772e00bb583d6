package csvfile_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"

	"diresco/internal/platform/csvfile"
)

var columns = []csvfile.Column{{Name: "tax_code"}, {Name: "family_name"}, {Name: "note", Optional: true}}

// read returns the rows of a file as "line:value|value|value", and the error that ended it.
func read(r io.Reader, charset string) (string, error) {
	table := csvfile.NewReader(r, charset, columns)
	var rows []string
	for {
		row, err := table.Next()
		var broken csvfile.RowError
		switch {
		case errors.Is(err, io.EOF):
			return strings.Join(rows, " "), nil
		case errors.As(err, &broken):
			rows = append(rows, fmt.Sprintf("%d:broken", broken.Line))
			continue
		case err != nil:
			return strings.Join(rows, " "), err
		}
		text := fmt.Sprintf("%d:%s", row.Line, strings.Join(row.Values, "|"))
		if row.Short {
			text += "<"
		}
		if row.Long {
			text += ">"
		}
		rows = append(rows, text)
	}
}

func encoded(t *testing.T, text, charset string) string {
	t.Helper()
	var err error
	switch charset {
	case "windows-1252":
		text, err = charmap.Windows1252.NewEncoder().String(text)
	case "macintosh":
		text, err = charmap.Macintosh.NewEncoder().String(text)
	case "ibm850":
		text, err = charmap.CodePage850.NewEncoder().String(text)
	case "utf-16le":
		text, err = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder().String(text)
	case "utf-16be":
		text, err = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewEncoder().String(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestCSVFile_ReadsWhatIsUnambiguous: the same rows, however a program writes them.
func TestCSVFile_ReadsWhatIsUnambiguous(t *testing.T) {
	const table = "tax_code;family_name;note\nA1;NICCOLÒ;\nB2;D’ORSO;x y\n"
	const rows = "2:A1|NICCOLÒ| 3:B2|D’ORSO|x y"
	for name, c := range map[string]struct{ file, charset, rows string }{
		"UTF-8":                     {table, "", rows},
		"with a mark":               {"\ufeff" + table, "", rows},
		"with a mark and a charset": {"\ufeff" + table, "windows-1252", rows},
		"Windows-1252":              {encoded(t, table, "windows-1252"), "windows-1252", rows},
		"of a Mac":                  {encoded(t, table, "macintosh"), "macintosh", rows},
		"UTF-16":                    {"\xff\xfe" + encoded(t, table, "utf-16le"), "", rows},
		"UTF-16, the other way":     {"\xfe\xff" + encoded(t, table, "utf-16be"), "", rows},
		"UTF-16 without a mark":     {encoded(t, table, "utf-16le"), "", rows},
		"UTF-16 by its charset":     {encoded(t, table, "utf-16be"), "utf-16", rows},
		"lines of Windows":          {strings.ReplaceAll(table, "\n", "\r\n"), "", rows},
		"lines of an old Mac":       {strings.ReplaceAll(table, "\n", "\r"), "", rows},
		"no last line end":          {strings.TrimSuffix(table, "\n"), "", rows},
		"commas":                    {strings.ReplaceAll(table, ";", ","), "", rows},
		"tabs":                      {strings.ReplaceAll(table, ";", "\t"), "", rows},
		"bars":                      {strings.ReplaceAll(table, ";", "|"), "", rows},
		"a line for the separator":  {"sep=;\r\n" + table, "", "3:A1|NICCOLÒ| 4:B2|D’ORSO|x y"},
		"a separator of its own":    {"\"SEP=^\"\n" + strings.ReplaceAll(table, ";", "^"), "", "3:A1|NICCOLÒ| 4:B2|D’ORSO|x y"},
		"capitals":                  {"TAX_CODE;Family_Name;NOTE\nA1;X;y", "", "2:A1|X|y"},
		"blanks in the header":      {" Tax Code ;family-name\u00a0;\"note\"\nA1;X;y", "", "2:A1|X|y"},
		"another order":             {"note;tax_code;family_name\ny;A1;X", "", "2:A1|X|y"},
		"blank columns":             {"tax_code;;family_name;;\nA1;;X;;\nB2; ;Y\n", "", "2:A1|X| 3:B2|Y|"},
		"blank rows":                {"\n;;;\ntax_code;family_name\n;\n \n\nA1;X\n;;;;;;\n\" \";\n", "", "7:A1|X|"},
		"blanks around":             {"tax_code;family_name\n A1\t;\u00a0X \n", "", "2:A1|X|"},
		"formulas that keep zeros":  {"tax_code;family_name\n\"=\"\"007\"\"\";'008\n", "", "2:007|008|"},
		"an apostrophe of a name":   {"tax_code;family_name\nA1;'Ndrangu\n", "", "2:A1|'Ndrangu|"},
		"text in quotes":            {"tax_code;family_name;note\nA1;\"a;\"\"b\"\"\";\"1\n2\"\nB2;Y;", "", "2:A1|a;\"b\"|1\n2 4:B2|Y|"},
		"ends that are left out":    {"tax_code;family_name;note\nA1;X\n", "", "2:A1|X|"},
		"short, long, broken rows":  {"tax_code;family_name\nA1\nB2;Y;z\nC\"3;Z\nD4;W\n", "", "2:A1||< 3:B2|Y|> 4:broken 5:D4|W|"},
		"only a header":             {"tax_code;family_name\n", "", ""},
		"nothing":                   {"", "", ""},
		"nothing but blanks":        {" \n;;\n", "", ""},
		"names that only look so": {
			"tax_code;family_name;note\nA1;IRMÃ;«CAFFÈ» SÃO Ò’ ÜBER ÄÖ ÇÃO\n", "", "2:A1|IRMÃ|«CAFFÈ» SÃO Ò’ ÜBER ÄÖ ÇÃO",
		},
	} {
		for _, r := range []io.Reader{strings.NewReader(c.file), iotest.OneByteReader(strings.NewReader(c.file))} {
			if got, err := read(r, c.charset); err != nil || got != c.rows {
				t.Errorf("%s: %q, %v, want %q", name, got, err, c.rows)
			}
		}
	}
}

// TestCSVFile_RefusesTheRestWithOneCause names the cause and the place.
func TestCSVFile_RefusesTheRestWithOneCause(t *testing.T) {
	const header = "tax_code;family_name;note\n"
	accents := "NICCOLÒ à Forlì “x”"
	wrongly, err := charmap.Windows1252.NewDecoder().String(accents)
	if err != nil {
		t.Fatal(err)
	}
	latin, err := charmap.ISO8859_1.NewDecoder().String(accents)
	if err != nil {
		t.Fatal(err)
	}
	dos, err := charmap.CodePage850.NewDecoder().String(accents)
	if err != nil {
		t.Fatal(err)
	}
	mac, err := charmap.Macintosh.NewDecoder().String(accents)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ file, charset, want string }{
		"undeclared":                  {header + "A1;X;\nB2;NICCOL\xd2;", "", "3 family_name encoding"},
		"undeclared, of MS-DOS":       {header + "A1;NICCOL\xe3;", "", "2 family_name encoding"},
		"read as Windows-1252 before": {header + "A1;X;" + wrongly, "", "2 note garbled"},
		"read as Latin-1 before":      {header + "A1;X;" + latin, "", "2 note garbled"},
		"read as MS-DOS before":       {header + "A1;X;" + dos, "", "2 note garbled"},
		"read as a Mac's before":      {header + "A1;X;" + mac, "", "2 note garbled"},
		"garbled, a half lost":        {header + "A1;NICCOLÃ?;", "", "2 family_name garbled"},
		"garbled, a half blank":       {header + "A1;Cittã;\nB2;CittÃ ;", "", "3 family_name garbled"},
		"lost":                        {header + "A1;NICCOL\ufffd;", "", "2 family_name garbled"},
		"UTF-8 with a wrong charset":  {header + "A1;NICCOLÒ;", "windows-1252", "2 family_name garbled"},
		"XLSX":                        {"PK\x03\x04\x14\x00\x06\x00", "", "1  no-text"},
		"XLS":                         {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "", "1  no-text"},
		"PDF":                         {"%PDF-1.7\n", "", "1  no-text"},
		"compressed":                  {"\x1f\x8b\x08\x00", "", "1  no-text"},
		"a page":                      {"\n <html><table>", "", "1  no-text"},
		"a title":                     {"Elenco al 16/03/2026\n\n" + header + "A1;X;\n", "", "1  title-rows"},
		"titles with separators":      {";;\nRegistro;;\nPagina;1;\n" + header + "A1;X;\n", "", "2  title-rows"},
		"no header":                   {"A1;X;\nB2;Y;\n", "", "1  csv-header"},
		"another separator":           {"tax_code/family_name/note\n", "", "1  csv-header"},
		"one that was not said":       {"sep=,\n" + header, "", "2  csv-header"},
		"a column that is missing":    {"tax_code;name\nA1;X", "", "1 name unknown-field; 1 family_name required"},
		"a column twice":              {"tax_code;family_name;Tax Code\nA1;X;", "", "1 tax_code repeated"},
		"an endless header":           {"tax_code;family_name;" + strings.Repeat("x", 100_000), "", "1  too-long"},
		"an endless row":              {header + "A1;\"" + strings.Repeat("x\n", 100_000), "", "2  too-long"},
	} {
		_, err := read(strings.NewReader(c.file), c.charset)
		var refused csvfile.Refusal
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var all []string
		for _, p := range refused {
			all = append(all, fmt.Sprintf("%d %s %s", p.Line, p.Column, p.Code))
		}
		if got := strings.Join(all, "; "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	broken := errors.New("broken")
	for _, before := range []string{"", header, header + strings.Repeat("A1;X;\n", 50_000)} {
		if _, err := read(io.MultiReader(strings.NewReader(before), iotest.ErrReader(broken)), ""); !errors.Is(err, broken) {
			t.Errorf("a file that breaks off after %d: %v", len(before), err)
		}
	}
}

func TestCSVFile_Charsets(t *testing.T) {
	for label, want := range map[string]string{
		"UTF-8": "", "utf8": "", "Windows-1252": "windows-1252", "cp1252": "windows-1252", "ISO-8859-1": "windows-1252",
		"iso-8859-15": "iso-8859-15", "UTF-16": "utf-16", "cp850": "ibm850", "macintosh": "macintosh",
	} {
		if got, known := csvfile.Charset(label); !known || got != want {
			t.Errorf("%s is %q, %v", label, got, known)
		}
	}
	if got, known := csvfile.Charset(" latin1 "); !known || got != "windows-1252" {
		t.Error("blanks count")
	}
	if _, known := csvfile.Charset("koi8-r"); known {
		t.Error("koi8-r is read")
	}
}

// TestCSVFile_NamesAreNotTakenForGarbled, whatever letters of names stand side by side.
func TestCSVFile_NamesAreNotTakenForGarbled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[A-Za-zÀ-ÖØ-öø-ÿĀ-ſ' -]{1,20}`).Draw(t, "name")
		name = strings.ReplaceAll(name, "Ã ", "Ãn")
		if strings.HasSuffix(name, "Ã") {
			name += "n"
		}
		for _, symbol := range "ŠšŽžŒœŸƒ" {
			// These letters stand among the symbols of Windows-1252.
			name = strings.ReplaceAll(name, string(symbol), "s")
		}
		if csvfile.Garbled(name) {
			t.Errorf("%q", name)
		}
		if garbled, err := charmap.Windows1252.NewDecoder().String("x" + "è" + name); err == nil && !csvfile.Garbled(garbled) {
			t.Errorf("%q is not found", garbled)
		}
	})
}

func FuzzReader(f *testing.F) {
	f.Add("tax_code;family_name;note\nA1;\"x\n\";y\n", "")
	f.Add("sep=,\nTAX CODE,family_name,,\n,,,\nA1,X,,", "windows-1252")
	f.Fuzz(func(t *testing.T, file, charset string) {
		charset, known := csvfile.Charset(charset)
		if !known {
			return
		}
		table := csvfile.NewReader(strings.NewReader(file), charset, columns)
		last := 0
		for {
			row, err := table.Next()
			var broken csvfile.RowError
			if errors.As(err, &broken) {
				continue
			}
			if err != nil {
				return
			}
			if row.Line <= last || len(row.Values) != len(columns) {
				t.Fatalf("line %d after %d, %d values", row.Line, last, len(row.Values))
			}
			last = row.Line
		}
	})
}
