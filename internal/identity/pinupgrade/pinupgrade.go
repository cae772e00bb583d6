// Package pinupgrade makes an ordinary PIN (PIN ordinario) a dispositive one (PIN dispositivo). Its
// holder sends a signed request with a copy of an identity document. The request is protocolled
// like anything else that is filed, and an operator of the office decides (INPS PIN rules).
package pinupgrade

import (
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/kernel/review"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/plaintext"
	"diresco/internal/platform/taxcode"
)

// Kind is the protocol register's word for a request for a dispositive PIN.
const Kind = "pin_upgrade"

// Kinds of the messages to the holder of the PIN.
var (
	// Received tells that a request was protocolled: {protocol_number, submitted_at}.
	Received = outbox.Declare(outbox.Kind{Name: "pin.upgrade_received"})
	// Decided tells the outcome: {protocol_number, outcome, reason}.
	Decided = outbox.Declare(outbox.Kind{Name: "pin.upgrade_decided"})
	// FilesRefused tells that something malicious was found in the files: {protocol_number}.
	FilesRefused = outbox.Declare(outbox.Kind{Name: "pin.upgrade_files_refused"})
	// BecameDispositive tells that a PIN is dispositive: {at}.
	BecameDispositive = outbox.Declare(outbox.Kind{Name: "pin.became_dispositive", Audience: outbox.EveryContact})
)

// State is where a request stands.
type State string

// The states of a request.
const (
	Submitted   State = "submitted"
	Accepted    State = "accepted"
	NotAccepted State = "not_accepted"
)

// DocumentKind is the kind of an identity document.
type DocumentKind string

// The kinds of identity document that are taken.
const (
	IdentityCard   DocumentKind = "identity_card"
	Passport       DocumentKind = "passport"
	DrivingLicence DocumentKind = "driving_licence"
)

// MaxFiles is how many files come with a request.
const MaxFiles = 4

// Upgrade is a request for a dispositive PIN.
type Upgrade struct {
	ID             uuid.UUID
	PersonID       uuid.UUID
	OfficeCode     string
	ProtocolNumber string
	Digest         string
	DocumentKind   DocumentKind
	DocumentNumber string
	IssuedBy       string
	// IssuedOn and ExpiresOn are dates, YYYY-MM-DD.
	IssuedOn  string
	ExpiresOn string
	// Attachments are the files that came with it; their content is in the store.
	Attachments []attachment.File `gorm:"serializer:json"`
	State       State
	SubmittedAt time.Time
	review.Verdict
	Version int
}

// TableName tells GORM the table.
func (Upgrade) TableName() string { return "pin_upgrades" }

// Details is a request together with the holder of the PIN, for the office.
type Details struct {
	Upgrade
	TaxCode    taxcode.Code
	GivenName  string
	FamilyName string
	// PINIssuedBy is who issued the holder's PIN at a counter, while nobody has confirmed that.
	PINIssuedBy *uuid.UUID `gorm:"column:pin_issued_by"`
}

// Parts implements review.Case: who issued a PIN that waits for its confirmation does not raise it
// either.
func (h Details) Parts() []uuid.UUID {
	parts := []uuid.UUID{h.PersonID}
	if h.PINIssuedBy != nil {
		parts = append(parts, *h.PINIssuedBy)
	}
	return parts
}

// Input is what the holder of an ordinary PIN sends.
type Input struct {
	DocumentKind   DocumentKind
	DocumentNumber string
	IssuedBy       string
	IssuedOn       string
	ExpiresOn      string
	// OfficeCode is the office that is asked; empty for the competent one.
	OfficeCode string
	Files      []*attachment.Upload
}

const (
	maxDocumentNumber = 32
	maxIssuer         = 120
)

// check returns fault.Invalid naming each field that is wrong; today is the date in Rome.
func (in Input) check(today calendar.Date) error {
	var wrong []fault.Field
	refuse := func(refused bool, pointer, code string) bool {
		if refused {
			wrong = append(wrong, fault.Field{Pointer: pointer, Code: code})
		}
		return refused
	}
	refuse(
		in.DocumentKind != IdentityCard && in.DocumentKind != Passport && in.DocumentKind != DrivingLicence, "/document_kind",
		fault.FieldEnum,
	)
	refuse(!plaintext.IsLine(in.DocumentNumber, maxDocumentNumber), "/document_number", fault.FieldPattern)
	refuse(!plaintext.IsLine(in.IssuedBy, maxIssuer), "/issued_by", fault.FieldPattern)
	issued, bad := date(in.IssuedOn)
	if !refuse(bad != nil, "/issued_on", fault.FieldFormat) {
		refuse(today.Before(issued), "/issued_on", fault.FieldInFuture)
	}
	expires, worse := date(in.ExpiresOn)
	if !refuse(
		worse != nil, "/expires_on", fault.FieldFormat,
	) && !refuse(expires.Before(today), "/expires_on", fault.FieldDocumentExpired) {
		refuse(bad == nil && expires.Before(issued), "/expires_on", fault.FieldBeforeIssue)
	}
	refuse(len(in.Files) == 0, "/files", fault.FieldRequired)
	refuse(len(in.Files) > MaxFiles, "/files", fault.FieldTooMany)
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

func date(s string) (calendar.Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return calendar.Date{}, err
	}
	return calendar.Date{Year: t.Year(), Month: t.Month(), Day: t.Day()}, nil
}

// decide is the request as the operator decided it. It returns fault.Conflict for one that is
// decided already.
func (u Upgrade) decide(d review.Decision, operator uuid.UUID, now time.Time) (Upgrade, error) {
	if u.State != Submitted {
		return u, fault.Because(fault.Conflict, "upgrade-decided")
	}
	u.State, u.Verdict, u.Version = State(d.Outcome), d.Verdict(operator, now), u.Version+1
	return u, nil
}

// digest is what the register keeps of a request. It is the SHA-256 of the RFC 8785 form of the
// document's data and the digests of the files.
func (u Upgrade) digest() (string, error) {
	files := make([]string, len(u.Attachments))
	for i, f := range u.Attachments {
		files[i] = f.Digest
	}
	return protocol.DigestOf(map[string]any{
		"person_id": u.PersonID, "document_kind": u.DocumentKind, "document_number": u.DocumentNumber, "issued_by": u.IssuedBy,
		"issued_on": u.IssuedOn, "expires_on": u.ExpiresOn, "files": files,
	})
}

// folder is where the files of a request lie.
func folder(id uuid.UUID) string { return "pin-upgrades/" + id.String() }
