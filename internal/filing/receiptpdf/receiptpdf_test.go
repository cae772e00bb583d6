package receiptpdf

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"diresco/internal/platform/institution"
	"diresco/internal/platform/pdfa/pdfatest"
	"diresco/internal/platform/pdftext/pdftexttest"
)

type entry = struct{ Label, Value string }

func facts() Facts {
	return Facts{
		ProtocolNumber:     "INPS.7000.15/07/2026.0000042",
		SubmittedAt:        time.Date(2026, 7, 14, 22, 32, 5, 123456000, time.UTC),
		Digest:             "sha-256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		TypeCode:           "RIOC",
		TypeTitle:          "Esonero contributivo per le assunzioni con contratto di rioccupazione",
		TypeVersion:        1,
		DeclarationID:      "01981f2e-7b1c-7d3e-9a55-0f6c2f4b8e21",
		ContributorName:    "Officine Niccolò D'Alò & Figli (già Caffè Città) S.r.l.",
		ContributorTaxCode: "00743110157",
		PositionNumber:     "0012345678",
		OfficeCode:         "7000",
		OfficeName:         "Direzione provinciale di Roma",
		By: institution.Institution{
			Name: "Istituto Esempio", Address: "Via Roma 1, 00100 Roma", Telephone: "06 123456", Page: "https://istituto.example",
		},
		FiledBy:   "José Ğüneş Žižek",
		ActingAs:  "legal_representative",
		VerifyURL: "https://portale.diresco.example/verify#" + strings.Repeat("eyJhbGciOiJFZERTQSJ9.", 50),
		ScanURL:   "https://portale.diresco.example/verify#" + strings.Repeat("eyJhbGciOiJFUzI1NiJ9.", 20) + "x",
		Content: []entry{
			{"Codice fiscale del lavoratore", "RSSMRA80A01H501U"},
			{"Retribuzione mensile media", "1.850,00"},
			{"Annotazioni", "Perché così è più chiaro: àèéìòù ÀÈÉÌÒÙ € «»"},
		},
	}
}

func render(t testing.TB, f Facts) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Render(&b, f); err != nil {
		t.Fatal(err)
	}
	pdfatest.Check(t, b.Bytes())
	return b.Bytes()
}

func read(t testing.TB, pdf []byte) (lines []string, pages int) {
	t.Helper()
	return pdftexttest.Read(pdf)
}

func TestReceipt_Render(t *testing.T) {
	pdf := render(t, facts())
	lines, pages := read(t, pdf)
	if pages != 1 {
		t.Errorf("%d pages", pages)
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{
		"Ricevuta di presentazione",
		"INPS.7000.15/07/2026.0000042",
		"15/07/2026, 00:32:05", // the date in Rome, as in the protocol number
		"14/07/2026, 22:32:05.123456",
		"RIOC – Esonero contributivo",
		"versione 1",
		"01981f2e-7b1c-7d3e-9a55-0f6c2f4b8e21",
		"Officine Niccolò D'Alò & Figli (già Caffè Città) S.r.l.",
		"00743110157",
		"0012345678",
		"Direzione provinciale di Roma (codice 7000)",
		"Istituto Esempio – Via Roma 1, 00100 Roma",
		"Tel. 06 123456 – https://istituto.example",
		"José Ğüneş Žižek, in qualità di legale rappresentante",
		"https://portale.diresco.example/verify",
		"9f86d081884c7d659a2feaa0c55ad015",
		"a3bf4f1b2b0b822cd15d6c15b0f00a08",
		"RSSMRA80A01H501U",
		"Perché così è più chiaro: àèéìòù ÀÈÉÌÒÙ € «»",
		"Pagina 1 di 1",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not on the receipt:\n%s", want, text)
		}
	}
	if strings.Contains(text, "eyJ") {
		t.Error("the fragment is printed")
	}
	if !bytes.Contains(pdf, []byte("/Lang (it-IT)")) || !bytes.Contains(pdf, []byte("D:20260714223205")) {
		t.Error("language or date of the document are missing")
	}
}

// Who filed by an application has it on the receipt, by its name and as it is registered; who filed
// themselves has no such line.
func TestReceipt_NamesTheApplication(t *testing.T) {
	printed := func(f Facts) string {
		lines, _ := read(t, render(t, f))
		return strings.Join(lines, "\n")
	}
	f := facts()
	if text := printed(f); strings.Contains(text, "Tramite") {
		t.Errorf("the person's own names an application:\n%s", text)
	}
	f.Application, f.ClientID = "Paghe Città & Figli", "018f3b203e5f7a718c839e0f1a2b3c4d"
	text := printed(f)
	for _, want := range []string{
		"Tramite l'applicazione", "Paghe Città & Figli (018f3b203e5f7a718c839e0f1a2b3c4d)", "José Ğüneş Žižek, in qualità di legale rappresentante",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not on the receipt:\n%s", want, text)
		}
	}
}

func TestReceipt_SameFactsSameBytes(t *testing.T) {
	want := render(t, facts())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 2 {
				var b bytes.Buffer
				if err := Render(&b, facts()); err != nil || !bytes.Equal(b.Bytes(), want) {
					t.Errorf("another receipt: %v", err)
				}
			}
		})
	}
	wg.Wait()

	elsewhere := facts()
	elsewhere.SubmittedAt = elsewhere.SubmittedAt.In(time.FixedZone("", -5*3600))
	if !bytes.Equal(render(t, elsewhere), want) {
		t.Error("the same instant in another zone gives another receipt")
	}
}

func TestReceipt_DifferentFactsDiffer(t *testing.T) {
	want := render(t, facts())
	for name, change := range map[string]func(*Facts){
		"protocol number": func(f *Facts) { f.ProtocolNumber = "INPS.7000.15/07/2026.0000043" },
		"a microsecond":   func(f *Facts) { f.SubmittedAt = f.SubmittedAt.Add(time.Microsecond) },
		"digest":          func(f *Facts) { f.Digest = strings.Replace(f.Digest, "9f", "9e", 1) },
		"type":            func(f *Facts) { f.TypeCode = "SRDC" },
		"title":           func(f *Facts) { f.TypeTitle += "." },
		"version":         func(f *Facts) { f.TypeVersion = 2 },
		"declaration":     func(f *Facts) { f.DeclarationID = "01981f2e-7b1c-7d3e-9a55-0f6c2f4b8e22" },
		"contributor":     func(f *Facts) { f.ContributorName = "Officine Niccolo" },
		"tax code":        func(f *Facts) { f.ContributorTaxCode = "12345678903" },
		"position":        func(f *Facts) { f.PositionNumber = "12345678" },
		"office":          func(f *Facts) { f.OfficeCode = "7001" },
		"office's name":   func(f *Facts) { f.OfficeName = "Sede di Roma" },
		"institution":     func(f *Facts) { f.By.Telephone = "06 123457" },
		"filed by":        func(f *Facts) { f.FiledBy = "Jose" },
		"acting as":       func(f *Facts) { f.ActingAs = "intermediary" },
		"QR code":         func(f *Facts) { f.ScanURL += "x" },
		"link":            func(f *Facts) { f.VerifyURL += "x" },
		"content":         func(f *Facts) { f.Content[1].Value = "1.850,01" },
		"label":           func(f *Facts) { f.Content[1].Label = "Retribuzione" },
	} {
		f := facts()
		change(&f)
		if bytes.Equal(render(t, f), want) {
			t.Errorf("%s makes no difference", name)
		}
	}
}

func TestReceipt_LongTexts(t *testing.T) {
	f := facts()
	f.ContributorName = strings.Repeat("Società Cooperativa Agricola fra Produttori di Mele ", 6) + strings.Repeat("Consorzio", 40)
	f.FiledBy = strings.Repeat("Maria Antonietta ", 10)
	f.ActingAs = "una veste che il contratto non conosce"
	for range 60 {
		f.Content = append(f.Content, entry{
			"Un'etichetta che non sta su una riga sola", "prima riga\nseconda riga " + strings.Repeat("x", 300),
		})
	}
	f.Content = append(f.Content, entry{"Ultima", "fine del contenuto"}, entry{"Vuota", ""})

	lines, pages := read(t, render(t, f))
	text := strings.Join(lines, "\n")
	if pages < 3 || !strings.Contains(text, "Pagina 1 di "+string(rune('0'+pages))) {
		t.Errorf("%d pages", pages)
	}
	squeezed := strings.Join(strings.Fields(text), "")
	for _, want := range []string{f.ContributorName, f.FiledBy, "in qualità di " + f.ActingAs, "fine del contenuto"} {
		if !strings.Contains(squeezed, strings.Join(strings.Fields(want), "")) {
			t.Errorf("%.40s… is cut", want)
		}
	}
	if n := strings.Count(text, "Ricevuta di presentazione"); n != 1 {
		t.Errorf("%d headings", n)
	}
}

func TestReceipt_UnprintableTexts(t *testing.T) {
	f := facts()
	f.Content = []entry{
		{"Emoji e altre scritture", "a🙂b 日本 \U000100000 c"},
		{"Direzione", "abc\u202Etxt.exe"},
		{"Controlli", "a\x00b\x1bc\u0085d\te\r\nf"},
		{"Non UTF-8", "a\xffb"},
		{"Composti", "citta\u0300"},
		{"Alias", "{nb} {nb}"},
		{"Parentesi", `(\) ( \( %s`},
		{strings.Repeat("{", 5000), ""},
	}
	lines, _ := read(t, render(t, f))
	text := strings.Join(lines, "\n")
	for _, want := range []string{"a□b □□ □0 c", "abc□txt.exe", "abcd e\nf", "città", "{nb} {nb}", `(\) ( \( %s`} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not on the receipt", want)
		}
	}
}

func TestReceipt_RenderRefuses(t *testing.T) {
	for name, change := range map[string]func(*Facts){
		"no protocol number": func(f *Facts) { f.ProtocolNumber = "" },
		"no time":            func(f *Facts) { f.SubmittedAt = time.Time{} },
		"no address":         func(f *Facts) { f.VerifyURL = "" },
		"no QR code":         func(f *Facts) { f.ScanURL = "" },
		"malformed address":  func(f *Facts) { f.VerifyURL = "https://a b/verify#eyJsecret" },
		"too long for a QR":  func(f *Facts) { f.ScanURL = "https://a/verify#" + strings.Repeat("eyJsecret", 400) },
	} {
		f := facts()
		change(&f)
		var b bytes.Buffer
		if err := Render(&b, f); err == nil || b.Len() > 0 || strings.Contains(err.Error(), "eyJ") {
			t.Errorf("%s: %v and %d bytes", name, err, b.Len())
		}
	}
	full := errors.New("disk full")
	if err := Render(failing{full}, facts()); !errors.Is(err, full) {
		t.Errorf("the writer's error is lost: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// TestReceipt_Wrap: every line fits, and no character is lost.
func TestReceipt_Wrap(t *testing.T) {
	s := newSheet("x", time.Unix(0, 0), 1)
	s.pdf.AddPage()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-zA-Zàèìòù '&.€W\n-]{0,300}`).Draw(t, "text")
		room := rapid.Float64Range(5, 120).Draw(t, "room")
		s.font(rapid.SampledFrom([]string{sans, bold, mono}).Draw(t, "face"), 9.5, black)
		lines := s.wrap(text, room)
		for _, line := range lines {
			if wide := s.pdf.GetStringWidth(strings.TrimRight(line, " ")); wide > room {
				t.Fatalf("%q is %v wide, the room %v", line, wide, room)
			}
		}
		// The words are those of the text, one after the other.
		if got := strings.Join(strings.Fields(strings.Join(lines, "")), " "); got != strings.Join(strings.Fields(text), " ") {
			t.Fatalf("%q became %q", text, lines)
		}
	})
}

// What is copied, searched and read aloud comes in this order, with these roles.
func TestReceipt_ReadsAsItIsStructured(t *testing.T) {
	pdfatest.Golden(t, render(t, facts()), "receipt.txt")
}
