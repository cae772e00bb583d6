package pec

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"strings"

	"golang.org/x/text/encoding/unicode"

	"diresco/internal/messaging/channel"
	"diresco/internal/platform/charset"
)

// certificate is daticert.xml: what the provider certifies.
type certificate struct {
	XMLName xml.Name `xml:"postacert"`
	Kind    string   `xml:"tipo,attr"`
	// Cause is the provider's word for an error: nessuno, no-dest, no-dominio, virus or altro.
	Cause      string `xml:"errore,attr"`
	Recipients []struct {
		Kind string `xml:"tipo,attr"`
	} `xml:"intestazione>destinatari"`
	Data struct {
		ID        string `xml:"identificativo"`
		MessageID string `xml:"msgid"`
		// Delivered is the recipient of whom a receipt of delivery speaks.
		Delivered string `xml:"consegna"`
		// Extended is what the recipient's server said.
		Extended string `xml:"errore-esteso"`
	} `xml:"dati"`

	// last tells that this is the second of the two notices of a delay.
	last bool
}

// contradicts returns in what the certificate differs from the headers around it. It may also lack
// what a receipt of its kind must have.
func (c certificate) contradicts(kind, reference string) string {
	switch {
	case !strings.EqualFold(strings.TrimSpace(c.Kind), kind):
		return "kind"
	case bare(c.Data.MessageID) != bare(reference):
		return "reference"
	case strings.TrimSpace(c.Data.Delivered) == "" && (kind == delivered || kind == undelivered || kind == notYet):
		return "recipient"
	}
	return ""
}

// external reports whether the mailbox that the message went to is no PEC. Each message has one.
func (c certificate) external() bool {
	for _, r := range c.Recipients {
		if strings.EqualFold(strings.TrimSpace(r.Kind), "esterno") {
			return true
		}
	}
	return false
}

// said is a word for operators with what a server said, without addresses and numbers.
func said(word, extended string) string {
	if extended = channel.Impersonal(extended); extended == "" {
		return word
	}
	return word + ": " + extended
}

// part is a MIME entity.
type part struct {
	header textproto.MIMEHeader
	body   []byte
}

func entity(raw []byte) (part, error) {
	reader := bufio.NewReader(bytes.NewReader(raw))
	header, err := textproto.NewReader(reader).ReadMIMEHeader()
	if err != nil {
		return part{}, err
	}
	body, err := io.ReadAll(reader)
	return part{header, body}, err
}

// errNoCertificate means that there is no daticert.xml, or one that cannot be read.
var errNoCertificate = errors.New("no daticert.xml")

// certificateIn reads daticert.xml out of what was signed.
func certificateIn(content []byte) (certificate, error) {
	var c certificate
	whole, err := entity(content)
	if err != nil {
		return c, errNoCertificate
	}
	text, found := find(whole, 0, func(p part) bool { return strings.EqualFold(nameOf(p.header), "daticert.xml") })
	if !found {
		return c, errNoCertificate
	}
	decoder := xml.NewDecoder(bytes.NewReader(inUTF8(text)))
	decoder.CharsetReader = func(label string, input io.Reader) (io.Reader, error) {
		if strings.HasPrefix(strings.ToLower(label), "utf-16") {
			return input, nil // it was decoded before
		}
		return charset.Reader(label, input)
	}
	if decoder.Decode(&c) != nil {
		return c, errNoCertificate
	}
	return c, nil
}

// textOf is what a receipt says to people.
func textOf(content []byte) string {
	whole, err := entity(content)
	if err != nil {
		return ""
	}
	text, _ := find(whole, 0, func(p part) bool {
		kind, _, err := mime.ParseMediaType(p.header.Get("Content-Type"))
		return err == nil && kind == "text/plain" && p.header.Get("Content-Disposition") == ""
	})
	return string(text)
}

// find returns the first part for which is holds, decoded. It never looks into a message that the
// receipt brings along: that is somebody else's text.
func find(p part, depth int, is func(part) bool) ([]byte, bool) {
	if is(p) {
		text, err := decoded(p.header, p.body)
		return text, err == nil
	}
	kind, params, err := mime.ParseMediaType(p.header.Get("Content-Type"))
	if err != nil || depth == maxDepth || !strings.HasPrefix(kind, "multipart/") || params["boundary"] == "" {
		return nil, false
	}
	parts := multipart.NewReader(bytes.NewReader(p.body), params["boundary"])
	for range maxParts {
		raw, err := parts.NextRawPart()
		if err != nil {
			return nil, false
		}
		body, err := io.ReadAll(raw)
		if err != nil {
			return nil, false
		}
		if text, found := find(part{raw.Header, body}, depth+1, is); found {
			return text, true
		}
	}
	return nil, false
}

// nameOf is the name of a part's file.
func nameOf(header textproto.MIMEHeader) string {
	for field, parameter := range map[string]string{"Content-Disposition": "filename", "Content-Type": "name"} {
		if _, params, err := mime.ParseMediaType(header.Get(field)); err == nil && params[parameter] != "" {
			return params[parameter]
		}
	}
	return ""
}

// inUTF8 decodes a text in UTF-16, which the XML reader cannot begin with.
func inUTF8(text []byte) []byte {
	order := unicode.BigEndian
	switch {
	case bytes.HasPrefix(text, []byte{0xFF, 0xFE}), bytes.HasPrefix(text, []byte{'<', 0}):
		order = unicode.LittleEndian
	case bytes.HasPrefix(text, []byte{0xFE, 0xFF}), bytes.HasPrefix(text, []byte{0, '<'}):
	default:
		return bytes.TrimPrefix(text, []byte{0xEF, 0xBB, 0xBF})
	}
	plain, err := unicode.UTF16(order, unicode.UseBOM).NewDecoder().Bytes(text)
	if err != nil {
		return text
	}
	return plain
}
