package attachment

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// detect returns which of the allowed types a file shows, or "". What a library takes for something
// else is looked for first: the beginnings of signed files, of pictures from telephones and of PDF.
func detect(u *Upload, head []byte, allowed []MediaType) MediaType {
	if found := special(u, head); found != "" {
		if !slices.Contains(allowed, found) {
			return ""
		}
		return found
	}
	// From the most exact type to what it is a kind of: an animated PNG is a PNG.
	exact := mimetype.Detect(head)
	for m := exact; m != nil; m = m.Parent() {
		for _, t := range allowed {
			if !slices.Contains(looked, t) && m.Is(string(t)) {
				return t
			}
		}
	}
	return plain(u, head, exact, allowed)
}

// looked are types that a library is not asked about.
var looked = []MediaType{PDF, XML, Text, ZIP}

// special returns what a file shows that is looked for before a library is asked, or "".
func special(u *Upload, head []byte) MediaType {
	switch {
	case isSigned(head):
		return P7M
	case isArchive(head):
		return container(u)
	case isHEIC(head):
		return HEIC
	case bytes.HasPrefix(head, []byte("II+\x00\x08\x00\x00\x00")), bytes.HasPrefix(head, []byte("MM\x00+\x00\x08\x00\x00")):
		// BigTIFF
		return TIFF
	case hasPDFHeader(head):
		return PDF
	}
	return ""
}

// signedData is the object identifier of CMS signed data (RFC 5652), with its tag and length.
var signedData = []byte{0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02}

var armour = regexp.MustCompile(`^-----BEGIN (?:CMS|PKCS7)-----`)

// isSigned reports whether a file is a signature around a document (P7M), as DER, BER, base64 or
// PEM. An encrypted one is none. The document stands near the beginning in clear, so a library
// takes a signed PDF for a PDF.
func isSigned(head []byte) bool {
	if isSignedData(head) {
		return true
	}
	const enough = 64
	text := bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))
	text = text[len(armour.Find(text)):]
	letters := make([]byte, 0, enough)
	for _, b := range text {
		if len(letters) == enough {
			break
		}
		if b != ' ' && b != '\t' && b != '\r' && b != '\n' {
			letters = append(letters, b)
		}
	}
	letters = letters[:len(letters)/4*4]
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(letters)))
	n, err := base64.StdEncoding.Decode(decoded, letters)
	return err == nil && isSignedData(decoded[:n])
}

func isSignedData(b []byte) bool {
	const within = 20
	return len(b) > 0 && b[0] == 0x30 && bytes.Contains(b[:min(len(b), within)], signedData)
}

// stillPictures are the brands of HEIF that hold a picture as HEIC, which telephones take.
var stillPictures = []string{"heic", "heix", "heim", "heis"}

// isHEIC reports whether a file is a picture in HEIC. It says so by its own brand, or is a general
// HEIF that is compatible with it.
func isHEIC(head []byte) bool {
	const kind, brand, compatible = 4, 8, 16
	if len(head) < compatible || string(head[kind:brand]) != "ftyp" {
		return false
	}
	major := string(head[brand : brand+4])
	if slices.Contains(stillPictures, major) {
		return true
	}
	if major != "mif1" && major != "msf1" {
		return false
	}
	length := int(head[2])<<8 | int(head[3])
	for at := compatible; head[0] == 0 && head[1] == 0 && at+4 <= min(length, len(head)); at += 4 {
		if slices.Contains(stillPictures, string(head[at:at+4])) {
			return true
		}
	}
	return false
}

// hasPDFHeader reports whether a PDF begins in the first 1,024 bytes. Readers look for it there
// (PDF Reference 1.7, appendix H, notes 13 and 14). A page that only names it in a comment has a
// sign of markup before.
func hasPDFHeader(head []byte) bool {
	const within = 1024
	at := bytes.Index(head, []byte("%PDF-"))
	return at >= 0 && at < within && bytes.IndexByte(head[:at], '<') < 0
}

var (
	// signatureEntry are the signatures in a container (ETSI EN 319 162-1).
	signatureEntry = regexp.MustCompile(`(?i)^META-INF/[^/]*(?:signature[^/]*\.(?:xml|p7s)|\.p7s|timestamp[^/]*\.tst)$`)
	manifestEntry  = regexp.MustCompile(`(?i)^META-INF/ASiC[^/]*Manifest[^/]*\.xml$`)
)

// container tells a container of signed files (ASiC) from other archives, whatever comes first in
// it. With its META-INF first a library takes it for a program.
func container(u *Upload) MediaType {
	archive, err := zip.NewReader(u.at(), u.Size())
	if err != nil {
		return ""
	}
	signed, manifest, documents := false, false, 0
	for _, f := range archive.File {
		switch {
		case f.Name == "mimetype":
			if t := MediaType(strings.TrimSpace(contentOf(f))); t == ASiCE || t == ASiCS {
				return t
			}
			return ""
		case signatureEntry.MatchString(f.Name):
			signed = true
		case manifestEntry.MatchString(f.Name):
			manifest = true
		case !strings.HasPrefix(f.Name, "META-INF/") && !strings.HasSuffix(f.Name, "/"):
			documents++
		}
	}
	switch {
	case !signed:
		return ""
	case documents == 1 && !manifest:
		return ASiCS
	default:
		return ASiCE
	}
}

// contentOf returns the beginning of a file in an archive, "" for one that cannot be read.
func contentOf(f *zip.File) string {
	const most = 128
	r, err := f.Open()
	if err != nil {
		return ""
	}
	defer func() { _ = r.Close() }()
	content, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		return ""
	}
	return string(content)
}
