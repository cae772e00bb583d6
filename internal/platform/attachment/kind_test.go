package attachment_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
)

// cms is a CMS content with a PDF near its beginning. It is signed data, or the kind with another
// last byte in its identifier. Length is how its outer length is written.
func cms(length string, kind byte) string {
	oid := "\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07" + string(kind)
	return "\x30" + length + oid + "\xA0\x80\x30\x80\x02\x01\x01\x31\x0F\x30\x0D\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x30\x80" +
		"\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07\x01\xA0\x80\x24\x80\x04\x82\x03\xE8" + map[byte]string{2: pdf}[kind] + strings.Repeat("x", 900)
}

// archive is a ZIP of files in this order, each as its name and its content.
func archive(t *testing.T, files ...[2]string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		entry, err := w.CreateHeader(&zip.FileHeader{Name: f[0], Method: zip.Store})
		if err == nil {
			_, err = entry.Write([]byte(f[1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func heif(brands ...string) string {
	text := "ftyp" + brands[0] + "\x00\x00\x00\x00" + strings.Join(brands[1:], "")
	return fmt.Sprintf("\x00\x00\x00%c%s\x00\x00\x00\x08meta", 4+len(text), text)
}

// TestAttachment_WhatFilesOfOfficesAre: of everything that somebody sends, its type by its content.
func TestAttachment_WhatFilesOfOfficesAre(t *testing.T) {
	const signed, enveloped = 2, 3
	der := cms("\x82\x05\x10", signed)
	text := base64.StdEncoding.EncodeToString([]byte(der))
	armoured := func(label, content string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: []byte(content)}))
	}
	named := func(mimetype string) [2]string { return [2]string{"mimetype", mimetype} }
	document, signature := [2]string{"modulo.pdf", pdf}, [2]string{"META-INF/signatures001.xml", "<x/>"}
	everything := append(attachment.Documents(), attachment.Signed()...)
	for name, c := range map[string]struct {
		content string
		want    attachment.MediaType
	}{
		"P7M":                            {der, attachment.P7M},
		"P7M, short":                     {cms("\x7f", signed), attachment.P7M},
		"P7M, long":                      {cms("\x84\x00\x00\x05\x10", signed), attachment.P7M},
		"P7M of indefinite length":       {cms("\x80", signed), attachment.P7M},
		"P7M as base64":                  {text, attachment.P7M},
		"P7M as base64 in lines":         {"\xef\xbb\xbf\r\n" + text[:20] + "\r\n" + text[20:76] + "\r\n" + text[76:], attachment.P7M},
		"P7M as PEM":                     {armoured("CMS", der), attachment.P7M},
		"P7M as PEM of old":              {"\n" + armoured("PKCS7", der), attachment.P7M},
		"an encrypted message":           {cms("\x82\x05\x10", enveloped), ""},
		"an encrypted message as PEM":    {armoured("CMS", cms("\x80", enveloped)), ""},
		"a certificate":                  {armoured("CERTIFICATE", der), ""},
		"another text in base64":         {base64.StdEncoding.EncodeToString([]byte(strings.Repeat("abc", 30))), ""},
		"ASiC-E":                         {archive(t, named(string(attachment.ASiCE)), document, signature), attachment.ASiCE},
		"ASiC-S":                         {archive(t, named(string(attachment.ASiCS)), document, signature), attachment.ASiCS},
		"ASiC with META-INF first":       {archive(t, signature, document, named(string(attachment.ASiCE))), attachment.ASiCE},
		"ASiC that does not say so":      {archive(t, [2]string{"META-INF/", ""}, signature, document), attachment.ASiCS},
		"ASiC of several, that does not": {archive(t, signature, document, [2]string{"b.pdf", pdf}), attachment.ASiCE},
		"ASiC with a manifest":           {archive(t, [2]string{"META-INF/ASiCManifest.xml", ""}, [2]string{"META-INF/signature.p7s", ""}, document), attachment.ASiCE},
		"a program":                      {archive(t, [2]string{"META-INF/MANIFEST.MF", ""}, [2]string{"META-INF/A.RSA", ""}, [2]string{"A.class", ""}), ""},
		"a signed text document":         {archive(t, named("application/vnd.oasis.opendocument.text"), [2]string{"META-INF/documentsignatures.xml", ""}), ""},
		"a plain archive":                {archive(t, document), ""},
		"a broken archive":               {archive(t, signature, document)[:80], ""},
		"PDF after other bytes":          {"%!PS-Adobe-3.0\r\n\x1b%-12345X@PJL\r\n" + pdf, attachment.PDF},
		"PDF at the last place for it":   {strings.Repeat("\n", 1023) + pdf, attachment.PDF},
		"PDF further behind":             {strings.Repeat("\n", 1024) + pdf, ""},
		"a page that names PDF":          {"\n<p>%PDF-1.7", ""},
		"HEIC":                           {heif("heic", "mif1", "heic"), attachment.HEIC},
		"HEIC of ten bits":               {heif("heix", "mif1"), attachment.HEIC},
		"HEIC by its compatible brands":  {heif("mif1", "miaf", "heic"), attachment.HEIC},
		"AVIF":                           {heif("avif", "mif1", "miaf"), ""},
		"AVIF by its compatible brands":  {heif("mif1", "avif"), ""},
		"a film":                         {heif("isom", "iso2", "mp41"), ""},
		"BigTIFF":                        {"II+\x00\x08\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00", attachment.TIFF},
		"BigTIFF, the other way round":   {"MM\x00+\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10", attachment.TIFF},
		"JPEG":                           {jpeg, attachment.JPEG}, "PNG": {png, attachment.PNG}, "TIFF": {tiff, attachment.TIFF}, "PDF": {pdf, attachment.PDF},
	} {
		files, err := attachment.Check([]*attachment.Upload{spool(t, "a", c.content)}, "/files", everything...)
		if c.want == "" {
			if !refused(err, fault.FieldFileType) {
				t.Errorf("%s: %+v, %v", name, files, err)
			}
			continue
		}
		if err != nil || files[0].MediaType != c.want {
			t.Errorf("%s: %+v, %v", name, files, err)
		}
		// Where documents alone are accepted, a signature is none, whatever is in it.
		_, err = attachment.Check([]*attachment.Upload{spool(t, "a", c.content)}, "/files", attachment.Documents()...)
		if isSigned := c.want != attachment.PDF && strings.HasPrefix(string(c.want), "application/"); isSigned != refused(err, fault.FieldFileType) {
			t.Errorf("%s among documents: %v", name, err)
		}
	}
}

func refused(err error, code string) bool {
	var f *fault.Fault
	return errors.As(err, &f) && cmp.Equal(f.Fields, []fault.Field{{Pointer: "/files/0", Code: code}}, withoutHints)
}

// TestAttachment_PDFThatAsksForAPassword: the operator could not read it. One that everybody may
// open, and only not change, is accepted. Each dictionary is of qpdf 11.3.
func TestAttachment_PDFThatAsksForAPassword(t *testing.T) {
	const (
		aes = "/CF << /StdCF << /AuthEvent /DocOpen /CFM /AESV3 /Length 32 >> >> /StmF /StdCF /StrF /StdCF /Length 256 /P -4 /V 5 /Filter /Standard "
		rc4 = "/Filter /Standard /P -4 "
	)
	for name, c := range map[string]struct {
		dictionary string
		asks       bool
	}{
		"40 bits": {rc4 + "/Length 40 /V 1 /R 2 /O <c92422687facee686e373f10b5c7d04738053152f7e2ee30e11c69ec442576ab>" +
			"/U <485cf772688d5551b59cf1ee471de9215a179c3c61bf8e32d5b1d4768fba08f6>", false},
		"40 bits, shut": {rc4 + "/Length 40 /V 1 /R 2 /O <86fe045358b44c9644693f33c07cb54f587dce1e2682fe9ecea6107a1ef630dd>" +
			"/U <fbcc1aa73f79909425b4efec7a69877bd94842953862fdc3b6e638cd8db8767b>", true},
		"128 bits": {rc4 + "/Length 128 /V 2 /R 3 /O <566fa873ee33c797cd3b904fdadf814afa34df9a38f6ed41b984e2c6da2aa6f5>" +
			"/U <18f664e265d0c6edd54f0bf4968e484c0122456a91bae5134273a6db134c87c4>", false},
		"128 bits, shut": {rc4 + "/Length 128 /V 2 /R 3 /O <19b58e48c92b6569e765906caf64e4429a4c20d6e996fdef963e9b5080f9e083>" +
			"/U <c364e48e50fe21ae1846c40e0287f7120122456a91bae5134273a6db134c87c4>", true},
		"AES of 128 bits": {rc4 + "/CF << /StdCF << /CFM /AESV2 /Length 16 >> >> /V 4 /R 4" +
			"/O <566fa873ee33c797cd3b904fdadf814afa34df9a38f6ed41b984e2c6da2aa6f5>" +
			"/U <18f664e265d0c6edd54f0bf4968e484c0122456a91bae5134273a6db134c87c4>", false},
		"AES of 128 bits, shut": {rc4 + "/CF << /StdCF << /CFM /AESV2 /Length 16 >> >> /V 4 /R 4" +
			"/O <06f85963fe08385ce85fde5773da7a43dc34f12c5e4ebbff16a74791401d9ce6>" +
			"/U <3de1fc669f28978a23187e872b03ba9f0122456a91bae5134273a6db134c87c4>", true},
		"metadata in clear": {rc4 + "/EncryptMetadata false /V 4 /R 4 /O <566fa873ee33c797cd3b904fdadf814afa34df9a38f6ed41b984e2c6da2aa6f5>" +
			"/U <62bfd4c8d3d66665bd5c0ed3c267f1b00122456a91bae5134273a6db134c87c4>", false},
		"revision 5": {aes + "/R 5 /O <2af27c48e72c5671600a25ba01b62e5e0f18349b7bdb688ea59ad7bb7e593e59926b0c6d6c022fc208b4c4835d542baa>" +
			"/U <6413ebb156cbc66014f41af9eed1fc88d2b2306958d77f0098eff7e8fc305955779db5911eaa0b7c13b8845e950266db>", false},
		"revision 5, shut": {aes + "/R 5 /O <d2b6b6486f5b7dab9fce428d531bc56cdafcc6c2a5ea6688ebbdf78b7958c914d6231f2883eeb1412a03b064538afbec>" +
			"/U <22739eaeab69c7b1e290264cdd7d4ace52b113c326b4384eae5c4319ac00a714bd54bd40261bf548b1124135321c825d>", true},
		"revision 6": {aes + "/R 6 /O <49dd010687aa345079b6602df64773048dff26043097c000d81ff7105bb7d1ff46b6e802d38d2e10e91e6e8acf4464a1>" +
			"/U <38ef09a4c22c265986bda249338398958175011ec5d95f521a8a400db21a95a3be88de09906677e48553462c7fd6cc41>", false},
		"revision 6, shut": {aes + "/R 6 /O <cb82a020fe614be59429ac26ad846190a7d734c2e6b7eca9f544bd30f69ff9c93d8ad25efd6bfe283a05edc6418aa0c9>" +
			"/U <2b5e6cc13ccbcb4cc8b239a2f373af5aa2c2b04ae0aece4800a6b3316d00a9baace579bc138537bdd7d13c9a1b60fb3c>", true},
		"for a certificate": {"/Filter /Adobe.PubSec /V 4 /SubFilter /adbe.pkcs7.s5 /Recipients [(x\\)y) <00>]", true},
		"not readable":      {"/V 9", false},
		"cut off":           {rc4 + "/R 3 /V 2 /O (\\101\\n\\\\(x", false},
	} {
		const id = "/ID [<524d4fefba8c314c2bebc8966c2da850><5a27acfcee16804e2c9085cc9d3b4c0b>]"
		for how, file := range map[string]string{
			"apart":  pdf + "endobj\n3 0 obj\n<< " + c.dictionary + " >>\nendobj\ntrailer << " + id + " /Encrypt 3 0 R >>\n",
			"inside": pdf + "endobj\ntrailer << /Root 1 0 R /Encrypt << " + c.dictionary + " >> " + id + " >>\n",
		} {
			_, err := attachment.Check([]*attachment.Upload{spool(t, "a.pdf", file)}, "/files", attachment.Documents()...)
			if asks := refused(err, fault.FieldFilePassword); asks != c.asks || err != nil && !asks {
				t.Errorf("%s, %s: %v", name, how, err)
			}
		}
	}
	// Texts as bytes, which some programs write.
	literal := "/U (\x18\xf6d\xe2e\xd0\\306\xed\xd5O\\013\xf4\x96\x8eHL\\001\\\"Ej\x91\xba\xe5\\023Bs\xa6\xdb\\023L\x87\xc4)" +
		"/O (Vo\xa8s\xee3\xc7\x97\xcd;\x90O\xda\xdf\x81J\xfa4\xdf\x9a8\xf6\xedA\xb9\x84\xe2\xc6\xda*\xa6\xf5)"
	for permissions, asks := range map[string]bool{"-4": false, "4294967292": false, "-8": true} {
		file := pdf + "trailer << /Encrypt << /Filter/Standard/V 2/R 3/Length 128/P " + permissions + literal +
			" >> /ID [<524d4fefba8c314c2bebc8966c2da850><00>] >>"
		if _, err := attachment.Check([]*attachment.Upload{spool(t, "a.pdf", file)}, "/files", attachment.PDF); refused(
			err, fault.FieldFilePassword,
		) != asks {
			t.Errorf("%s: %v", permissions, err)
		}
	}
}

// TestAttachment_APDFWhoseIdentifiersDoNotEnd is read a few times at most, however many it has.
func TestAttachment_APDFWhoseIdentifiersDoNotEnd(t *testing.T) {
	for _, open := range []string{"/ID[(", "/ID[<"} {
		const end = "/Encrypt<</Filter/Standard>>>"
		file := pdf + strings.Repeat(open, (attachment.MaxSize-len(pdf)-len(end))/len(open)) + end
		if _, err := attachment.Check([]*attachment.Upload{spool(t, "a.pdf", file)}, "/files", attachment.PDF); err != nil {
			t.Errorf("%s: %v", open, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(pdf + "trailer << /Encrypt << /Filter/Standard/V 2/R 3/Length 128/P -4 /U (x\\)) /O <00> >> /ID [<00><00>] >>")
	f.Add(cms("\x80", 2))
	f.Add("PK\x03\x04\x14\x00")
	f.Add(heif("mif1", "heic"))
	f.Fuzz(func(t *testing.T, content string) {
		u, err := attachment.Spool(strings.NewReader(content), "a", t.TempDir(), attachment.MaxSize)
		if err != nil {
			return
		}
		defer func() { _ = u.Close() }()
		var refused *fault.Fault
		if _, err := attachment.Check([]*attachment.Upload{u}, "/files", append(
			attachment.Documents(), attachment.Signed()...,
		)...); err != nil && !errors.As(err, &refused) {
			t.Error(err)
		}
	})
}
