package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"diresco/examples/internal/trial"
)

// screen is what the program writes, and tells of the code that a person has to type.
type screen struct {
	mu    sync.Mutex
	text  bytes.Buffer
	codes chan string
}

var shownCode = regexp.MustCompile(`Type   (\S+)\n`)

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if code := shownCode.FindSubmatch(p); code != nil {
		s.codes <- string(code[1])
	}
	return s.text.Write(p)
}

// desk is a machine on which the program is run.
type desk struct {
	t       *testing.T
	service string
	dir     string
	person  *trial.Person
}

func newDesk(t *testing.T) desk {
	t.Helper()
	service := trial.Sandbox(t)
	return desk{t, service, t.TempDir(), trial.NewPerson(t, service, "rep-rome")}
}

func (d desk) tokens() string { return filepath.Join(d.dir, "own", "tokens.json") }

// run runs the program. When it shows a code, the person lets it in.
func (d desk) run(csv string) (code int, printed string) {
	d.t.Helper()
	out := &screen{codes: make(chan string, 2)}
	ended := make(chan int, 1)
	go func() {
		ended <- run(d.t.Context(), []string{
			"-api", d.service, "-csv", csv, "-out", filepath.Join(d.dir, "receipts"), "-token", d.tokens(),
		}, out, out)
	}()
	for {
		select {
		case shown := <-out.codes:
			d.person.LetInDevice(shown)
		case code := <-ended:
			return code, out.text.String()
		}
	}
}

// month writes a file.
func (d desk) month(lines ...string) string {
	d.t.Helper()
	path := filepath.Join(d.dir, "month.csv")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path
}

// TestPayroll_FilesItsMonth: the sample in the folder is filed, and never twice, whatever happens to
// the consent.
func TestPayroll_FilesItsMonth(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	code, printed := d.run("month.csv")
	if code != allFiled || !strings.Contains(printed, "4 of 4 filed") || !strings.Contains(printed, "INPS.7000.") {
		t.Fatalf("ended with %d: %s", code, printed)
	}
	pages, err := filepath.Glob(filepath.Join(d.dir, "receipts", "*"))
	if err != nil || len(pages) != 4 {
		t.Fatalf("saved %v, %v", pages, err)
	}
	for _, path := range pages {
		if page, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(page, []byte("%PDF-")) {
			t.Errorf("%s: %v", path, err)
		}
	}
	info, err := os.Stat(d.tokens())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the tokens: %v, %v", info, err)
	}
	if tokens, err := os.ReadFile(d.tokens()); err != nil || strings.Contains(printed, string(tokens)) {
		t.Error("the program prints its tokens")
	}

	// The next day: nobody is asked, nothing is filed twice, and a receipt that was lost comes back.
	if err := os.Remove(pages[0]); err != nil {
		t.Fatal(err)
	}
	code, printed = d.run("month.csv")
	if code != allFiled || strings.Contains(printed, "Type ") || strings.Count(printed, "was filed before") != 4 {
		t.Fatalf("ended with %d: %s", code, printed)
	}
	if _, err := os.Stat(pages[0]); err != nil {
		t.Error(err)
	}

	// Whoever let it in takes that back; then it asks again.
	d.person.Withdraw()
	code, printed = d.run("month.csv")
	if code != allFiled || strings.Count(printed, "Type ") != 1 {
		t.Fatalf("ended with %d: %s", code, printed)
	}
}

// TestPayroll_SaysWhatIsWrongWithALine: by line, reference and column, and the others are filed.
func TestPayroll_SaysWhatIsWrongWithALine(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const header = "\ufeffReference; position;type;worker_tax_code;mandatory_communication_code;average_monthly_pay;employer_contribution_rate"
	code, printed := d.run(d.month(header,
		"A/1;7001248305;RIOC;RSSMRA80A01H501U;1700021200123456;1850.00;23,81",
		"A/2;7001248305;RIOC;RSSMRA80A01H501X;1700021200123456;1.850,00;23,81",
		"A/3;4906310275;RIOC;RSSMRA80A01H501U;1700021200123456;1850.00;23,81",
		"A/4;7001248412;RIOK;RSSMRA80A01H501U;1700021200123456;1850.00;23,81",
	))
	if code != someFailed {
		t.Fatalf("ended with %d: %s", code, printed)
	}
	for _, want := range []string{
		"month.csv, line 3, A/2: not filed\n", `worker_tax_code "RSSMRA80A01H501X": `, `average_monthly_pay "1.850,00": `,
		"month.csv, line 4, A/3: not filed\n    position \"4906310275\" is none for which you may act\n",
		"month.csv, line 5, A/4: not filed\n    there is no declaration type \"RIOK\"\n", "1 of 4 filed", "payroll: 3 not filed.",
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("it does not say %q: %s", want, printed)
		}
	}
}

func TestPayroll_RefusesWhatIsNoMonth(t *testing.T) {
	t.Parallel()
	d := desk{t: t, dir: t.TempDir()}
	for _, c := range []struct{ text, want string }{
		{"", "is empty"},
		{"reference,type\nA,RIOC", "has no column position"},
		{"reference,position,type\n", "has no declarations"},
		{"reference,position,type\n,1,RIOC", "line 2: no reference"},
		{"reference,position,type\na/1,1,RIOC\nA_1,1,RIOC", "line 3: reference A_1, or one like it, stands on line 2 already"},
		{"reference,position,type\nA,1", "wrong number of fields"},
	} {
		var out bytes.Buffer
		code := run(t.Context(), []string{"-csv", d.month(c.text)}, io.Discard, &out)
		if code != notRun || !strings.Contains(out.String(), c.want) {
			t.Errorf("%q: %d %s", c.text, code, out.String())
		}
	}
}

func TestMonth_KeepsNumbersAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	var of form
	if err := json.Unmarshal([]byte(`{"properties": {"rate": {"type": "number"}, "months": {"type": "integer"}, "open": {"type": "boolean"}}}`), &of); err != nil {
		t.Fatal(err)
	}
	r := row{content: map[string]string{"rate": "23,810", "months": "six", "open": "true", "code": "007"}}
	got, err := r.declared(of)
	if want := `{"code":"007","months":"six","open":true,"rate":23.810}`; err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	r.content["rate"] = "Inf"
	if got, err := r.declared(of); err != nil || !strings.Contains(string(got), `"rate":"Inf"`) {
		t.Errorf("%s, %v", got, err)
	}
}
