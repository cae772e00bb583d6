package pec

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/textproto"
	"slices"
	"strings"

	"github.com/smallstep/pkcs7"
)

// trust is what a signature is held against. It has the authorities of the providers, or nil for
// any, and the mailbox that wrote the receipt.
type trust struct {
	roots *x509.CertPool
	from  string
}

// signed returns what a receipt's provider signed, as a MIME entity. Where that is nothing it
// returns a word for operators.
func signed(header textproto.MIMEHeader, body []byte, by trust) (content []byte, why string) {
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return nil, "not-signed"
	}
	switch kind {
	case "multipart/signed":
		content, signature, found := halves(body, params["boundary"])
		if !found {
			return nil, "not-signed"
		}
		if by.roots == nil {
			return content, ""
		}
		part, err := entity(signature)
		if err != nil {
			return nil, "signature"
		}
		der, err := decoded(part.header, part.body)
		if err != nil {
			return nil, "signature"
		}
		cms, err := pkcs7.Parse(der)
		if err != nil {
			return nil, "signature"
		}
		cms.Content = content
		return content, by.verify(cms)
	case "application/pkcs7-mime", "application/x-pkcs7-mime":
		der, err := decoded(header, body)
		if err != nil {
			return nil, "signature"
		}
		cms, err := pkcs7.Parse(der)
		if err != nil || len(cms.Signers) == 0 {
			return nil, "signature"
		}
		if by.roots == nil {
			return cms.Content, ""
		}
		return cms.Content, by.verify(cms)
	default:
		return nil, "not-signed"
	}
}

// verify returns a word for operators unless the content was signed by who wrote, under a trusted
// authority.
func (t trust) verify(cms *pkcs7.PKCS7) string {
	if err := cms.VerifyWithChain(t.roots); err != nil {
		return "signature"
	}
	signer := cms.GetOnlySigner()
	if signer == nil {
		return "signature"
	}
	if len(signer.EmailAddresses) > 0 && !slices.ContainsFunc(signer.EmailAddresses, func(a string) bool {
		return strings.EqualFold(a, t.from)
	}) {
		return "signer"
	}
	return ""
}

// halves splits a signed body into what was signed, byte for byte, and the signature's part.
func halves(body []byte, boundary string) (content, signature []byte, found bool) {
	if boundary == "" {
		return nil, nil, false
	}
	var parts [][]byte
	begun := -1
	for at := 0; at < len(body); {
		line, next := body[at:], len(body)
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			line, next = line[:end], at+end+1
		}
		if rest, delimits := bytes.CutPrefix(line, []byte("--"+boundary)); delimits {
			rest = bytes.TrimRight(rest, " \t\r")
			if len(rest) == 0 || bytes.Equal(rest, []byte("--")) {
				if begun >= 0 {
					parts = append(parts, body[begun:max(begun, at)])
				}
				if begun = next; len(rest) > 0 {
					break
				}
			}
		}
		at = next
	}
	if len(parts) != 2 {
		return nil, nil, false
	}
	// The line end before a delimiter belongs to the delimiter.
	return bytes.TrimSuffix(canonical(parts[0]), []byte("\r\n")), parts[1], true
}

// decoded undoes the transfer encoding of a part.
func decoded(header textproto.MIMEHeader, body []byte) ([]byte, error) {
	switch strings.ToLower(strings.TrimSpace(header.Get("Content-Transfer-Encoding"))) {
	case "base64":
		return io.ReadAll(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(body)))
	case "quoted-printable":
		return io.ReadAll(quotedprintable.NewReader(bytes.NewReader(body)))
	default:
		return body, nil
	}
}
