package pec_test

import (
	"crypto/x509"
	"encoding/base64"
	"log/slog"
	"mime/quotedprintable"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/smallstep/pkcs7"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/channel/channeltest"
	"diresco/internal/messaging/channel/pec"
)

// Anybody can write two headers.
func TestPEC_OnlyAProviderIsBelieved(t *testing.T) {
	good := made{kind: "avvenuta-consegna", id: first, cause: "nessuno"}
	with := func(change func(*made)) string {
		m := good
		change(&m)
		return m.String()
	}
	plain := strings.Replace(good.headers(), "MIME-Version", "X-Ignored", 1) + "\r\nIl messaggio è stato consegnato.\r\n"
	brought := good.headers() + "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" +
		strings.ReplaceAll(good.String(), "--s", "--t") + "\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n\r\nx\r\n--b--\r\n"
	for why, text := range map[string]string{
		"not-signed": plain,
		"no-daticert (a message that it brings along)": brought,
		"not-signed (cut off)":                         good.String()[:600],
		"no-daticert (noise)":                          with(func(m *made) { m.data = "\x00\xff<" }),
		"no-daticert (another document)":               with(func(m *made) { m.data = "<html/>" }),
		"sender":                                       with(func(m *made) { m.from = "someone@provider.example" }),
		"sender (name)":                                with(func(m *made) { m.from = `"posta-certificata@provider.example" <x@example.org>` }),
		"transport-envelope":                           with(func(m *made) { m.header = "X-Trasporto: posta-certificata\r\n" }),
		"kind":                                         with(func(m *made) { m.written = "accettazione" }),
		"reference":                                    with(func(m *made) { m.msgid = second.String() + "@pec.example" }),
		"recipient":                                    with(func(m *made) { m.to = "-" }),
	} {
		f := newFixture(t)
		f.put(t, "1.eml", text)
		f.read(t)
		word, _, _ := strings.Cut(why, " ")
		want := []outbox.Report{{Channel: outbox.PEC, DeliveryID: first, Doubt: "receipt-not-genuine: " + word}}
		if diff := cmp.Diff(want, f.reporter.reports); diff != "" {
			t.Errorf("%s: %s", why, diff)
		}
		if diff := cmp.Diff([]string{"unknown/1.eml"}, f.files(t)); diff != "" {
			t.Errorf("%s: %s", why, diff)
		}
		if !strings.Contains(f.log.String(), "why="+word) {
			t.Errorf("%s: the log says %s", why, f.log)
		}
	}
}

// sign signs as a provider does. It returns the signature in base64, and who is to be trusted.
func sign(t *testing.T, content string, detached bool) (string, *x509.CertPool) {
	t.Helper()
	certificate, roots := channeltest.Certificate(t, "provider.example")
	parsed, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	data, err := pkcs7.NewSignedData([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	data.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	if err := data.AddSigner(parsed, certificate.PrivateKey, pkcs7.SignerInfoConfig{}); err != nil {
		t.Fatal(err)
	}
	if detached {
		data.Detach()
	}
	der, err := data.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der), roots
}

func TestPEC_SignaturesAreVerified(t *testing.T) {
	good := made{kind: "avvenuta-consegna", id: first, cause: "nessuno"}
	detached, roots := sign(t, good.content(), true)
	embedded, inside := sign(t, good.content(), false)
	forged := good
	forged.id = second
	_, others := sign(t, "", true)
	for name, tt := range map[string]struct {
		text  string
		roots *x509.CertPool
		want  string
	}{
		"signed":                      {good.signedBy(detached), roots, ""},
		"signed, line ends of a file": {strings.ReplaceAll(good.signedBy(detached), "\r\n", "\n"), roots, ""},
		"opaque":                      {good.opaque(embedded), inside, ""},
		"opaque, nobody to ask":       {good.opaque(embedded), nil, ""},
		"another's authority":         {good.signedBy(detached), others, "signature"},
		"opaque, another's":           {good.opaque(embedded), others, "signature"},
		"another's signature":         {forged.signedBy(detached), roots, "signature"},
		"changed":                     {strings.Replace(good.signedBy(detached), "Il messaggio", "Un messaggio", 1), roots, "signature"},
		"none":                        {good.String(), roots, "signature"},
		"opaque noise":                {good.opaque("AAAA"), nil, "signature"},
	} {
		f := newFixture(t)
		f.spool = pec.NewSpool(f.dir, f.reporter, tt.roots, slog.New(slog.DiscardHandler))
		f.put(t, "1.eml", tt.text)
		f.read(t)
		if len(f.reporter.reports) != 1 {
			t.Errorf("%s: %+v", name, f.reporter.reports)
			continue
		}
		got := f.reporter.reports[0]
		if doubt := strings.TrimPrefix(got.Doubt, "receipt-not-genuine: "); doubt != tt.want || got.Delivered != (tt.want == "") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestPEC_DataComesInManyEncodings(t *testing.T) {
	bit8 := func(b []byte) string { return "8bit\r\n\r\n" + string(b) }
	quoted := func(b []byte) string {
		var text strings.Builder
		w := quotedprintable.NewWriter(&text)
		if _, err := w.Write(b); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		return "quoted-printable\r\n\r\n" + text.String()
	}
	utf16 := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	for name, charset := range map[string]encoding.Encoding{
		"UTF-8": nil, "ISO-8859-1": charmap.ISO8859_1, "UTF-16": utf16, "windows-1252": charmap.Windows1252,
		"UTF-16BE": unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM),
	} {
		for transfer, write := range map[string]func([]byte) string{"base64": base64Of, "8bit": bit8, "quoted-printable": quoted} {
			if transfer == "8bit" && strings.HasPrefix(name, "UTF-16") {
				continue // it has bytes that are line ends
			}
			m := made{kind: "errore-consegna", id: first, cause: "no-dest", extended: "5.1.1 - non è più qui: m@pec.example 12345678"}
			m.data = strings.Replace(m.certificate(), "UTF-8", name, 1)
			m.encoding, m.charset = write, charset
			f := newFixture(t)
			f.put(t, "1.eml", m.String())
			f.read(t)
			want := []outbox.Report{{
				Channel: outbox.PEC, DeliveryID: first, Recipient: recipient, Permanent: true,
				Reason: "unknown-address: 5.1.1 - non è più qui: … …",
			}}
			if diff := cmp.Diff(want, f.reporter.reports); diff != "" {
				t.Errorf("%s, %s: %s", name, transfer, diff)
			}
		}
	}
}

// Both notices have one header: "may fail" after 12 hours and "has failed" after 24.
func TestPEC_TheSecondNoticeOfADelayIsKnownByItsText(t *testing.T) {
	for text, last := range map[string]bool{
		"non è stato consegnato nelle prime dodici ore dal suo invio.":                                                      false,
		"il messaggio non è stato consegnato nelle ventiquattro\r\nore successive al suo invio; si ritiene non consegnato.": true,
		"non consegnato entro 24 ore": true,
	} {
		f := newFixture(t)
		f.put(t, "1.eml", made{kind: "preavviso-errore-consegna", id: first, cause: "altro", text: text}.String())
		f.read(t)
		if len(f.reporter.reports) != 1 || f.reporter.reports[0].LastNotice != last || f.reporter.reports[0].DelayNotice == "" {
			t.Errorf("%q: %+v", text, f.reporter.reports)
		}
	}
}

// An external mailbox takes the mail, and no receipt of delivery will ever come.
func TestPEC_AMailboxThatIsNone(t *testing.T) {
	f := newFixture(t)
	f.put(t, "1.eml", made{kind: "accettazione", id: first, cause: "nessuno", mailbox: "esterno"}.String())
	f.read(t)
	want := []outbox.Report{{Channel: outbox.PEC, DeliveryID: first, Reason: "no-certified-mailbox", Uncertified: true}}
	if diff := cmp.Diff(want, f.reporter.reports); diff != "" {
		t.Error(diff)
	}
}
