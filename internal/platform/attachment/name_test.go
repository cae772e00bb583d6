package attachment_test

import (
	"mime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"diresco/internal/platform/attachment"
)

// naughtyNames are what senders call files, and what they are shown as.
var naughtyNames = []struct {
	sent string
	is   attachment.MediaType
	want string
}{
	{"carta-identita.pdf", attachment.PDF, "carta-identita.pdf"},
	{"Carta d'identità (fronte).JPG", attachment.JPEG, "Carta d'identità (fronte).JPG"},
	{"scan.tiff", attachment.TIFF, "scan.tiff"},
	{"証明書.png", attachment.PNG, "証明書.png"},
	{"", attachment.PDF, "file.pdf"},
	{".", attachment.PDF, "file.pdf"},
	{"..", attachment.PDF, "file.pdf"},
	{" . . ", attachment.PDF, "file.pdf"},
	{".pdf", attachment.PDF, "pdf.pdf"},
	{".htaccess", attachment.PNG, "htaccess.png"},
	{"../../etc/passwd", attachment.PNG, "passwd.png"},
	{"../../../app/blobs/receipt.pdf", attachment.PDF, "receipt.pdf"},
	{`..\..\windows\system32\cmd.exe`, attachment.PDF, "cmd.exe.pdf"},
	{`C:\Users\Anna\foto.png`, attachment.PNG, "foto.png"},
	{"/", attachment.PDF, "file.pdf"},
	{"a/", attachment.PDF, "file.pdf"},
	{"a\x00b.pdf", attachment.PDF, "ab.pdf"},
	{"evil.exe\x00.pdf", attachment.PDF, "evil.exe.pdf"},
	{"a.pdf\r\nSet-Cookie: x=1", attachment.PDF, "a.pdf Set-Cookie_ x=1.pdf"},
	{"a\r\n\r\n<script>.pdf", attachment.PDF, "a _script_.pdf"},
	{"fattura\u202Efdp.exe", attachment.PDF, "fatturafdp.exe.pdf"},
	{"\u202E\u2066gnp.exe\u2069", attachment.PNG, "gnp.exe.png"},
	{"zero\u200Bwidth\uFEFF.png", attachment.PNG, "zerowidth.png"},
	{"line\u2028break\u0085.png", attachment.PNG, "line break.png"},
	{"tab\tname  two.png", attachment.PNG, "tab name two.png"},
	{`quote".pdf`, attachment.PDF, "quote_.pdf"},
	{"quote%22%0D%0A.pdf", attachment.PDF, "quote%22%0D%0A.pdf"},
	{"a;b=c.pdf", attachment.PDF, "a;b=c.pdf"},
	{"CON", attachment.PDF, "_CON.pdf"},
	{"nul.png", attachment.PNG, "_nul.png"},
	{"aux.tar.png", attachment.PNG, "_aux.tar.png"},
	{"picture.html", attachment.PNG, "picture.html.png"},
	{"double.pdf.exe", attachment.PDF, "double.pdf.exe.pdf"},
	{"not\xff\xfeUTF-8.pdf", attachment.PDF, "not_UTF-8.pdf"},
	{"e\u0301.pdf", attachment.PDF, "é.pdf"},
	{"trailing.pdf.", attachment.PDF, "trailing.pdf"},
	{"trailing.pdf ", attachment.PDF, "trailing.pdf"},
	{"$(reboot)`id`.pdf", attachment.PDF, "$(reboot)`id`.pdf"},
	{"-rf.pdf", attachment.PDF, "-rf.pdf"},
	{strings.Repeat("é", 300) + ".pdf", attachment.PDF, strings.Repeat("é", 96) + ".pdf"},
	{strings.Repeat("a", 95) + " .b.pdf", attachment.PDF, strings.Repeat("a", 95) + ".pdf"},
	{strings.Repeat("../", 10_000) + "x.pdf", attachment.PDF, "x.pdf"},
}

func TestAttachment_NaughtyNames(t *testing.T) {
	for _, c := range naughtyNames {
		if got := attachment.SafeName(c.sent, c.is); got != c.want {
			t.Errorf("%q became %q, want %q", c.sent, got, c.want)
		}
		safe(t, c.sent, c.is)
	}
}

// safe checks what holds for the name of every file.
func safe(t interface {
	Helper()
	Errorf(string, ...any)
}, sent string, is attachment.MediaType,
) {
	t.Helper()
	name := attachment.SafeName(sent, is)
	switch {
	case !utf8.ValidString(name), utf8.RuneCountInString(name) > 100, len(name) < len("x.pdf"):
		t.Errorf("%q became %q", sent, name)
	case strings.ContainsAny(name, "/\\\"<>|:*?"), strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) }):
		t.Errorf("%q became %q, which has characters that do harm", sent, name)
	case strings.Trim(name, ". ") != name, strings.HasPrefix(name, ".."):
		t.Errorf("%q became %q, which has dots or spaces around it", sent, name)
	case attachment.SafeName(name, is) != name:
		t.Errorf("%q became %q, and that %q", sent, name, attachment.SafeName(name, is))
	}
	header := attachment.Disposition(name)
	if len(header) > 255 || strings.ContainsFunc(header, func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Errorf("%q has the header %q", name, header)
	}
	disposition, parameters, err := mime.ParseMediaType(header)
	if err != nil || disposition != "attachment" || len(parameters) != 1 {
		t.Errorf("%q has the header %q: %v", name, header, err)
		return
	}
	if shown := parameters["filename"]; shown != name &&
		(len([]rune(name)) < 20 || !strings.HasPrefix(name, strings.TrimSuffix(shown, shown[strings.LastIndexByte(shown, '.'):]))) {
		t.Errorf("%q is saved as %q", name, shown)
	}
}

func TestAttachment_EveryNameBecomesSafe(t *testing.T) {
	types := rapid.SampledFrom(attachment.Documents())
	rapid.Check(t, func(t *rapid.T) {
		safe(t, rapid.String().Draw(t, "sent"), types.Draw(t, "type"))
		safe(t, string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")), types.Draw(t, "type"))
	})
}

func FuzzSafeName(f *testing.F) {
	for _, c := range naughtyNames {
		f.Add(c.sent, string(c.is))
	}
	f.Fuzz(func(t *testing.T, sent, is string) {
		for _, known := range attachment.Documents() {
			safe(t, sent, known)
		}
		_ = attachment.SafeName(sent, attachment.MediaType(is))
	})
}
