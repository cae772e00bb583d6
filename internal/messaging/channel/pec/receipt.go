// Package pec reads what the provider of certified e-mail (posta elettronica certificata) says of
// messages that it took.
//
// A message is handed over by SMTP (see package mail). Its provider then sends receipts to the
// sender's mailbox, which something else, such as a mail fetcher, puts into a folder, one file
// each. Their headers say what they are and of which message; what stands in daticert.xml, which
// the provider signs, has to say the same (rules of 2 November 2005 for certified e-mail, section
// 6; RFC 6109).
package pec

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io"
	"net/mail"
	"net/textproto"
	"strings"

	"github.com/google/uuid"

	"diresco/internal/kernel/outbox"
)

const (
	// maxRead is how much of a file is looked at, in bytes. Receipts that bring their message back
	// may be longer; those are not asked for.
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

// provider is the mailbox from which every provider of PEC writes.
const provider = "posta-certificata"

// receipt is what one file says.
type receipt struct {
	kind       string
	deliveryID uuid.UUID
	// id is the receipt's own.
	id string
	certificate
}

// errNoReceipt means that a file is something else, or is none of ours.
var errNoReceipt = errors.New("not a receipt for a message of this service")

// doubtful is a file that says it is a receipt for a delivery and is not to be believed. Anybody
// can write two headers.
type doubtful struct {
	deliveryID uuid.UUID
	// why is a word for operators.
	why string
}

// Error implements error.
func (d *doubtful) Error() string { return "not a provider's receipt: " + d.why }

// read reads a receipt. Its signature is held against the roots, unless they are nil. It returns
// these errors:
//   - errNoReceipt: the file is no receipt, or for no message of this service;
//   - *doubtful: it says that it is one.
func read(file io.Reader, roots *x509.CertPool) (receipt, error) {
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
	case accepted, takenOver, notYet, delivered, notAccepted, undelivered, virus:
	default:
		return receipt{}, errNoReceipt
	}
	doubt := func(why string) (receipt, error) { return receipt{}, &doubtful{r.deliveryID, why} }
	from, err := mail.ParseAddress(message.Header.Get("From"))
	if err != nil || !strings.HasPrefix(strings.ToLower(from.Address), provider+"@") {
		return doubt("sender")
	}
	if message.Header.Get("X-Trasporto") != "" {
		return doubt("transport-envelope")
	}
	body, err := io.ReadAll(message.Body)
	if err != nil {
		return doubt("unreadable")
	}
	content, why := signed(textproto.MIMEHeader(message.Header), body, trust{roots, from.Address})
	if why != "" {
		return doubt(why)
	}
	if r.certificate, err = certificateIn(content); err != nil {
		return doubt("no-daticert")
	}
	if why := r.certificate.contradicts(r.kind, reference); why != "" {
		return doubt(why)
	}
	if r.id = strings.TrimSpace(r.Data.ID); r.id == "" {
		r.id = strings.TrimSpace(message.Header.Get("Message-ID"))
	}
	// RFC 6109 section 3.1.6 gives both notices one header: the text says which it is.
	r.last = r.kind == notYet && (tells24Hours(r.Data.Extended) || tells24Hours(textOf(content)))
	return r, nil
}

func tells24Hours(text string) bool {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	return strings.Contains(text, "ventiquattro") || strings.Contains(text, "24 ore")
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
	name, _, found := strings.Cut(bare(messageID), "@")
	if !found || len(name) != written {
		return uuid.Nil, errNoReceipt
	}
	return uuid.Parse(name)
}

// bare is a Message-ID without its brackets.
func bare(messageID string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(messageID), "<"), ">")
}

// report is what the outbox is told. It is nothing for a receipt that only says that the message is
// on its way.
func (r receipt) report() (outbox.Report, bool) {
	report := outbox.Report{Channel: outbox.PEC, DeliveryID: r.deliveryID, Recipient: strings.TrimSpace(r.Data.Delivered)}
	switch r.kind {
	case accepted:
		if !r.external() {
			return report, false
		}
		// No receipt of delivery will come, and the message has no legal value.
		report.Reason, report.Uncertified = "no-certified-mailbox", true
		return report, true
	case takenOver:
		return report, false
	case notYet:
		report.DelayNotice, report.LastNotice = r.id, r.last
		report.Reason = said("delivery-delayed", r.Data.Extended)
		return report, true
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
	switch r.Cause {
	case "no-dest":
		report.Reason, report.Permanent = "unknown-address", true
	case "no-dominio":
		report.Reason, report.Permanent = "unknown-domain", true
	case "virus":
		report.Reason = "virus-found"
	}
	report.Reason = said(report.Reason, r.Data.Extended)
	return report, true
}

// canonical is text with the line ends of mail, which a file may have lost.
func canonical(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
}
