// Package pec reads what the provider of certified e-mail (posta elettronica certificata) says of
// messages that it took.
//
// A message is handed over by SMTP (see package mail). Its provider then sends receipts to the
// sender's mailbox, which something else, such as a mail fetcher, puts into a folder, one file
// each. Their headers say what they are and of which message (rules of 2 November 2005 for
// certified e-mail, section 6).
package pec

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"strings"

	"github.com/google/uuid"

	"diresco/internal/kernel/outbox"
)

const (
	// maxRead is how much of a file is looked at, in bytes. Receipts that bring their message back
	// may be longer; what matters stands at their beginning.
	maxRead = 1 << 20
	// maxParts and maxDepth bound the search in a receipt's parts.
	maxParts = 50
	maxDepth = 4
)

// The kinds of receipt, as the header X-Ricevuta names them.
const (
	accepted    = "accettazione"
	notAccepted = "non-accettazione"
	takenOver   = "presa-in-carico"
	delivered   = "avvenuta-consegna"
	notYet      = "preavviso-errore-consegna"
	undelivered = "errore-consegna"
	virus       = "rilevazione-virus"
)

// receipt is what one file says.
type receipt struct {
	kind       string
	deliveryID uuid.UUID
	// cause is the provider's word for an error: no-dest, no-dominio, virus or altro; it may be
	// missing.
	cause string
}

// errNoReceipt means that a file is something else, or is none of ours.
var errNoReceipt = errors.New("not a receipt for a message of this service")

// read reads a receipt.
func read(file io.Reader) (receipt, error) {
	message, err := mail.ReadMessage(io.LimitReader(file, maxRead))
	if err != nil {
		return receipt{}, errNoReceipt // the cause would repeat the file
	}
	kind, known := single(message.Header, "X-Ricevuta")
	reference, referred := single(message.Header, "X-Riferimento-Message-ID")
	if !known || !referred {
		return receipt{}, errNoReceipt
	}
	r := receipt{kind: strings.ToLower(kind)}
	if r.deliveryID, err = deliveryOf(reference); err != nil {
		return receipt{}, errNoReceipt
	}
	switch r.kind {
	case accepted, takenOver, notYet, delivered:
	case notAccepted, undelivered, virus:
		r.cause = findCause(message.Header.Get("Content-Type"), message.Body, 0)
	default:
		return receipt{}, errNoReceipt
	}
	return r, nil
}

// single returns the value of a header that is there once.
func single(h mail.Header, name string) (string, bool) {
	values := textproto.MIMEHeader(h).Values(name)
	if len(values) != 1 {
		return "", false
	}
	return strings.TrimSpace(values[0]), true
}

// deliveryOf reads the delivery out of the Message-ID that package mail gave the message.
func deliveryOf(messageID string) (uuid.UUID, error) {
	const written = 36 // the parser also takes other forms
	name, _, found := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(messageID, "<"), ">"), "@")
	if !found || len(name) != written {
		return uuid.Nil, errNoReceipt
	}
	return uuid.Parse(name)
}

// report is what the outbox is told. It is nothing for a receipt that only says that the message is
// on its way.
func (r receipt) report() (outbox.Report, bool) {
	report := outbox.Report{Channel: outbox.PEC, DeliveryID: r.deliveryID}
	switch r.kind {
	case accepted, takenOver, notYet:
		return report, false
	case delivered:
		report.Delivered = true
		return report, true
	case notAccepted:
		report.Reason = "not-accepted"
	case virus:
		report.Reason = "virus-found"
	default:
		report.Reason = "not-delivered"
	}
	switch r.cause {
	case "no-dest":
		report.Reason, report.Permanent = "unknown-address", true
	case "no-dominio":
		report.Reason, report.Permanent = "unknown-domain", true
	case "virus":
		report.Reason = "virus-found"
	}
	return report, true
}

// findCause looks for daticert.xml, which tells why. It never looks into a message that the receipt
// brings along: that is somebody else's text.
func findCause(contentType string, body io.Reader, depth int) string {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || depth == maxDepth || !strings.HasPrefix(kind, "multipart/") || params["boundary"] == "" {
		return ""
	}
	parts := multipart.NewReader(body, params["boundary"])
	for range maxParts {
		part, err := parts.NextRawPart()
		if err != nil {
			return ""
		}
		if strings.EqualFold(nameOf(part), "daticert.xml") {
			return causeIn(part)
		}
		if cause := findCause(part.Header.Get("Content-Type"), part, depth+1); cause != "" {
			return cause
		}
	}
	return ""
}

func nameOf(part *multipart.Part) string {
	if name := part.FileName(); name != "" {
		return name
	}
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return params["name"]
}

func causeIn(part *multipart.Part) string {
	var text io.Reader = part
	if strings.EqualFold(strings.TrimSpace(part.Header.Get("Content-Transfer-Encoding")), "base64") {
		text = base64.NewDecoder(base64.StdEncoding, part)
	}
	decoder := xml.NewDecoder(text)
	// The attributes that matter are ASCII whatever the encoding.
	decoder.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	for {
		token, err := decoder.Token()
		if err != nil {
			return ""
		}
		if start, ok := token.(xml.StartElement); ok {
			for _, a := range start.Attr {
				if start.Name.Local == "postacert" && a.Name.Local == "errore" {
					return a.Value
				}
			}
			return ""
		}
	}
}
