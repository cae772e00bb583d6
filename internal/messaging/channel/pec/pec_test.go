package pec_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"golang.org/x/text/encoding"

	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/channel/pec"
	"diresco/internal/platform/fault"
)

// reporter notes what it is told.
type reporter struct {
	reports []outbox.Report
	fail    map[uuid.UUID]error
}

// Report implements channel.Reporter.
func (r *reporter) Report(_ context.Context, report outbox.Report) error {
	if err := r.fail[report.DeliveryID]; err != nil {
		return err
	}
	r.reports = append(r.reports, report)
	return nil
}

var first, second = uuid.MustParse("018f3b33-4d5e-7f60-9172-8a9b0c1d2e3f"), uuid.MustParse("018f3b33-4d5e-7f60-9172-8a9b0c1d2e40")

const recipient = "m@pec.example"

// made is a receipt as a provider writes it.
type made struct {
	kind  string
	id    uuid.UUID
	cause string
	// The rest has defaults. data is daticert.xml, encoding its transfer encoding, text what is
	// said to people, extended what the other server said, to whom it was delivered, and where that
	// is.
	data, text, extended, to, mailbox, own string
	encoding                               func([]byte) string
	from, header, msgid, written           string
	charset                                encoding.Encoding
}

func (m made) certificate() string {
	if m.data != "" {
		return m.data
	}
	set := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	set(&m.written, m.kind)
	set(&m.to, recipient)
	set(&m.mailbox, "certificato")
	set(&m.own, "opec1.1@provider.example")
	set(&m.msgid, m.id.String()+"@pec.example")
	consegna := "<consegna>" + m.to + "</consegna>"
	if m.kind == "accettazione" || m.kind == "presa-in-carico" || m.kind == "non-accettazione" || m.to == "-" {
		consegna = ""
	}
	return `<?xml version="1.0" encoding="UTF-8"?><postacert tipo="` + m.written + `" errore="` + m.cause + `"><intestazione>` +
		`<mittente>diresco@pec.example</mittente><destinatari tipo="` + m.mailbox + `">` + recipient + `</destinatari></intestazione><dati>` +
		`<gestore-emittente>Poste è Certificata S.p.A.</gestore-emittente><identificativo>` + m.own + `</identificativo>` +
		`<msgid>&lt;` + m.msgid + `&gt;</msgid>` + consegna + `<errore-esteso>` + m.extended + `</errore-esteso></dati></postacert>`
}

func base64Of(b []byte) string { return "base64\r\n\r\n" + base64.StdEncoding.EncodeToString(b) }

// content is what the provider signs.
func (m made) content() string {
	if m.encoding == nil {
		m.encoding = base64Of
	}
	if m.text == "" {
		m.text = "Il messaggio"
	}
	data := []byte(m.certificate())
	if m.charset != nil {
		data, _ = m.charset.NewEncoder().Bytes(data) // what cannot be written shows in the test
	}
	return "Content-Type: multipart/mixed; boundary=\"m\"\r\n\r\n--m\r\nContent-Type: multipart/alternative; " +
		"boundary=\"a\"\r\n\r\n--a\r\nContent-Type: text/plain\r\n\r\n" + m.text + "\r\n--a--\r\n" +
		"--m\r\nContent-Type: application/xml; name=\"daticert.xml\"\r\nContent-Disposition: inline; filename=\"daticert.xml\"\r\n" +
		"Content-Transfer-Encoding: " + m.encoding(data) + "\r\n--m--\r\n"
}

func (m made) headers() string {
	if m.from == "" {
		m.from = "posta-certificata@provider.example"
	}
	return "Return-Path: <posta-certificata@provider.example>\r\nX-Ricevuta: " + m.kind + "\r\n" + m.header +
		"From: " + m.from + "\r\nTo: diresco@pec.example\r\n" +
		"X-Riferimento-Message-ID: <" + m.id.String() + "@pec.example>\r\nSubject: AVVISO\r\nMIME-Version: 1.0\r\n"
}

// String is the whole file, with a signature that is none.
func (m made) String() string { return m.signedBy("x") }

func (m made) signedBy(signature string) string {
	return m.headers() + "Content-Type: multipart/signed; boundary=\"s\"\r\n\r\n--s\r\n" + m.content() + "\r\n--s\r\nContent-Type: " +
		"application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\n" + signature + "\r\n--s--\r\n"
}

// opaque is the whole file with what was signed inside the signature.
func (m made) opaque(signature string) string {
	return m.headers() + "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\r\n" +
		"Content-Transfer-Encoding: base64\r\n\r\n" + signature + "\r\n"
}

func receipt(kind string, id uuid.UUID, cause string) string {
	return made{kind: kind, id: id, cause: cause}.String()
}

type fixture struct {
	dir      string
	reporter *reporter
	spool    *pec.Spool
	log      *bytes.Buffer
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{dir: t.TempDir(), reporter: &reporter{fail: map[uuid.UUID]error{}}, log: &bytes.Buffer{}}
	f.spool = pec.NewSpool(f.dir, f.reporter, nil, slog.New(slog.NewTextHandler(f.log, nil)))
	return f
}

func (f *fixture) put(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) read(t *testing.T) {
	t.Helper()
	if err := f.spool.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// files lists the plain files of the spool.
func (f *fixture) files(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(f.dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			name, relErr := filepath.Rel(f.dir, path)
			files, err = append(files, name), relErr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestPEC_WhatReceiptsMean(t *testing.T) {
	for _, tt := range []struct {
		kind, cause string
		want        []outbox.Report
	}{
		{"accettazione", "nessuno", nil},
		{"presa-in-carico", "nessuno", nil},
		{"preavviso-errore-consegna", "altro", []outbox.Report{{DelayNotice: "opec1.1@provider.example", Reason: "delivery-delayed"}}},
		{"avvenuta-consegna", "nessuno", []outbox.Report{{Delivered: true}}},
		{"Avvenuta-Consegna", "nessuno", []outbox.Report{{Delivered: true}}},
		{"non-accettazione", "altro", []outbox.Report{{Reason: "not-accepted"}}},
		{"errore-consegna", "altro", []outbox.Report{{Reason: "not-delivered"}}},
		{"errore-consegna", "no-dest", []outbox.Report{{Reason: "unknown-address", Permanent: true}}},
		{"errore-consegna", "no-dominio", []outbox.Report{{Reason: "unknown-domain", Permanent: true}}},
		{"errore-consegna", "virus", []outbox.Report{{Reason: "virus-found"}}},
		{"rilevazione-virus", "virus", []outbox.Report{{Reason: "virus-found"}}},
	} {
		f := newFixture(t)
		f.put(t, "1.eml", receipt(tt.kind, first, tt.cause))
		f.read(t)
		for i := range tt.want {
			tt.want[i].Channel, tt.want[i].DeliveryID = outbox.PEC, first
			if tt.kind != "non-accettazione" {
				tt.want[i].Recipient = recipient
			}
		}
		if diff := cmp.Diff(tt.want, f.reporter.reports); diff != "" {
			t.Errorf("%s, %s: %s", tt.kind, tt.cause, diff)
		}
		if diff := cmp.Diff([]string{"done/1.eml"}, f.files(t)); diff != "" {
			t.Errorf("%s: %s", tt.kind, diff)
		}
		f.read(t)
		if len(f.reporter.reports) != len(tt.want) {
			t.Errorf("%s: reported again", tt.kind)
		}
	}
}

func TestPEC_WhatIsNoReceiptStopsNoOther(t *testing.T) {
	f := newFixture(t)
	good := receipt("avvenuta-consegna", second, "nessuno")
	unknown := map[string]string{
		"a-empty.eml":    "",
		"b-noise.eml":    "\x00\xff\xfe\r\n\r\r\n",
		"c-headless.eml": "no header at all",
		"d-long.eml":     "X-Ricevuta: " + strings.Repeat("x", 3<<20) + "\n\n",
		"e-endless.eml":  strings.Repeat("X-Line: x\n", 300_000),
		"f-ordinary.eml": "From: someone@example.org\nSubject: Ciao\n\nX-Ricevuta: avvenuta-consegna\nX-Riferimento-Message-ID: <" +
			first.String() + "@pec.example>\n",
		"g-reference.eml": "X-Ricevuta: avvenuta-consegna\n\n",
		"h-another.eml":   "X-Ricevuta: avvenuta-consegna\nX-Riferimento-Message-ID: <opec123.20260316@provider.example>\n\n",
		"i-urn.eml":       "X-Ricevuta: avvenuta-consegna\nX-Riferimento-Message-ID: <urn:uuid:" + first.String() + "@pec.example>\n\n",
		"j-kind.eml":      "X-Ricevuta: consegnata\nX-Riferimento-Message-ID: <" + first.String() + "@pec.example>\n\n",
		"k-twice.eml": "X-Ricevuta: accettazione\nX-Ricevuta: avvenuta-consegna\nX-Riferimento-Message-ID: <" + first.String() +
			"@pec.example>\n\n",
		"l-twice.eml": "X-Ricevuta: avvenuta-consegna\nX-Riferimento-Message-ID: <" + first.String() +
			"@pec.example>\nX-Riferimento-Message-ID: <" + second.String() + "@pec.example>\n\n",
		"m-not-stored.eml": receipt("avvenuta-consegna", first, "nessuno"),
	}
	f.reporter.fail[first] = fault.New(fault.NotFound)
	for name, text := range unknown {
		f.put(t, name, text)
	}
	f.put(t, "z-good.eml", good)
	f.put(t, "z-huge.eml", good+strings.Repeat("x", 8<<20))
	f.read(t)
	if diff := cmp.Diff([]outbox.Report{
		{Channel: outbox.PEC, DeliveryID: second, Delivered: true, Recipient: recipient},
		{Channel: outbox.PEC, DeliveryID: second, Delivered: true, Recipient: recipient},
	}, f.reporter.reports); diff != "" {
		t.Error(diff)
	}
	want := []string{"done/z-good.eml", "done/z-huge.eml"}
	for _, name := range []string{
		"a-empty", "b-noise", "c-headless", "d-long", "e-endless", "f-ordinary", "g-reference", "h-another", "i-urn", "j-kind", "k-twice",
		"l-twice", "m-not-stored",
	} {
		want = append(want, "unknown/"+name+".eml")
	}
	if diff := cmp.Diff(want, f.files(t)); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(f.log.String(), "someone@example.org") || strings.Contains(f.log.String(), "Ciao") {
		t.Errorf("the log says too much: %s", f.log)
	}
}

func TestPEC_AMaildir(t *testing.T) {
	f := newFixture(t)
	text := receipt("avvenuta-consegna", first, "nessuno")
	f.put(t, "new/1773648904.M1P2.host", text)
	f.put(t, "cur/1773648904.M1P2.host", text)
	f.put(t, "1773648904.M1P2.host.eml", text)
	f.put(t, "tmp/1773648904.M1P3.host", text)
	f.put(t, "notes.txt", text)
	f.put(t, ".hidden.eml", text)
	f.put(t, "new/.hidden", text)
	f.read(t)
	want := []string{
		".hidden.eml", "done/1773648904.M1P2.host", "done/1773648904.M1P2.host.eml", "done/2-1773648904.M1P2.host", "new/.hidden",
		"notes.txt", "tmp/1773648904.M1P3.host",
	}
	if diff := cmp.Diff(want, f.files(t)); diff != "" {
		t.Error(diff)
	}
}

func TestPEC_LinksPipesAndFoldersAreLeftAlone(t *testing.T) {
	f := newFixture(t)
	secret := filepath.Join(t.TempDir(), "secret.eml")
	if err := os.WriteFile(secret, []byte(receipt("avvenuta-consegna", first, "nessuno")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.Symlink(secret, filepath.Join(f.dir, "link.eml")), os.Mkdir(filepath.Join(f.dir, "folder.eml"), 0o700),
		syscall.Mkfifo(filepath.Join(f.dir, "pipe.eml"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	f.read(t)
	if len(f.reporter.reports) != 0 {
		t.Errorf("%+v", f.reporter.reports)
	}
	if _, err := os.Stat(secret); err != nil {
		t.Error(err)
	}
}

func TestPEC_AReceiptThatCannotBeNotedNowStays(t *testing.T) {
	f := newFixture(t)
	outage := errors.New("the database is away")
	f.reporter.fail[first] = outage
	f.put(t, "1.eml", receipt("avvenuta-consegna", first, "nessuno"))
	f.put(t, "2.eml", receipt("avvenuta-consegna", second, "nessuno"))
	if err := f.spool.Read(t.Context()); !errors.Is(err, outage) {
		t.Errorf("%v", err)
	}
	if diff := cmp.Diff([]string{"1.eml", "done/2.eml"}, f.files(t)); diff != "" {
		t.Error(diff)
	}
	delete(f.reporter.fail, first)
	f.read(t)
	if diff := cmp.Diff([]outbox.Report{
		{Channel: outbox.PEC, DeliveryID: second, Delivered: true, Recipient: recipient},
		{Channel: outbox.PEC, DeliveryID: first, Delivered: true, Recipient: recipient},
	}, f.reporter.reports); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"done/1.eml", "done/2.eml"}, f.files(t)); diff != "" {
		t.Error(diff)
	}
}

func TestPEC_AMissingSpool(t *testing.T) {
	if err := pec.NewSpool(
		filepath.Join(t.TempDir(), "none"), &reporter{}, nil, slog.New(slog.DiscardHandler),
	).Read(t.Context()); err == nil {
		t.Error("nothing was said")
	}
}
