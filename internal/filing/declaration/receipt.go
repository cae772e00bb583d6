package declaration

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/filing/receiptpdf"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/taxcode"
)

// Signer signs receipts and checks signed ones, also those whose key has been replaced since.
type Signer interface {
	SignReceipt(payload []byte) (jws string, err error)
	// VerifyReceipt returns the payload of a receipt that one of our keys signed, and
	// keyring.ErrNotAReceipt for any other text.
	VerifyReceipt(ctx context.Context, jws string) (payload []byte, err error)
}

// claims are what a receipt says. Tax codes stand in it as salted digests: who knows a code can
// check it, nobody else learns it.
type claims struct {
	Issuer         string          `json:"iss"`
	ProtocolNumber string          `json:"protocol_number"`
	SubmittedAt    time.Time       `json:"submitted_at"`
	Digest         string          `json:"digest"`
	DeclarationID  uuid.UUID       `json:"declaration_id"`
	Type           string          `json:"type"`
	TypeVersion    int             `json:"type_version"`
	ContributorID  uuid.UUID       `json:"contributor_id"`
	PositionID     uuid.UUID       `json:"position_id"`
	ActingAs       access.ActingAs `json:"acting_as"`
	RightID        uuid.UUID       `json:"right_id"`
	FiledBy        uuid.UUID       `json:"filed_by"`
	// ClientID is left out where the person filed it themselves.
	ClientID string `json:"client_id,omitempty"`
	// Login is how who filed it had logged in; receipts of before it was kept do not say.
	access.Login
	Filer       saltedTaxCode `json:"filer_tax_code"`
	Contributor saltedTaxCode `json:"contributor_tax_code"`
	// Step is left out for a type of one step.
	Step          string     `json:"step,omitempty"`
	ReservationID *uuid.UUID `json:"reservation_id,omitempty"`
}

// saltedTaxCode is SHA-256 over salt ‖ tax code.
type saltedTaxCode struct {
	Salt   string `json:"salt"`
	Digest string `json:"sha256"`
}

func salted(code taxcode.Code, random io.Reader) (saltedTaxCode, error) {
	salt := make([]byte, 16)
	if _, err := io.ReadFull(random, salt); err != nil {
		return saltedTaxCode{}, err
	}
	sum := sha256.Sum256(append(slices.Clone(salt), code.Clear()...))
	return saltedTaxCode{Salt: base64.RawURLEncoding.EncodeToString(salt), Digest: base64.RawURLEncoding.EncodeToString(sum[:])}, nil
}

func newClaims(issuer string, d Declaration, by access.Actor, owner taxcode.Code, random io.Reader) ([]byte, error) {
	filerCode, err := salted(by.TaxCode, random)
	if err != nil {
		return nil, err
	}
	ownerCode, err := salted(owner, random)
	if err != nil {
		return nil, err
	}
	step := d.Step
	if step == catalogue.Single {
		step = ""
	}
	return json.Marshal(claims{
		Step: step, ReservationID: d.ReservationID,
		Issuer: issuer, ProtocolNumber: *d.ProtocolNumber, SubmittedAt: *d.SubmittedAt, Digest: *d.Digest, DeclarationID: d.ID,
		Type: d.Type, TypeVersion: d.TypeVersion,
		ContributorID: d.ContributorID, PositionID: d.PositionID, ActingAs: d.ActingAs, RightID: d.RightID, FiledBy: d.PersonID,
		ClientID: by.ClientID(), Login: by.Login,
		Filer: filerCode, Contributor: ownerCode,
	})
}

// summary is the signed text in the QR code of a printed receipt. It has what is printed there, and
// no more, so that a scanner reads the code. Nobody keeps it: the register has all that it says.
type summary struct {
	ProtocolNumber string    `json:"n"`
	SubmittedAt    time.Time `json:"t"`
	Digest         string    `json:"d"`
	DeclarationID  uuid.UUID `json:"id"`
}

func (s *Service) signSummary(d Declaration) (string, error) {
	payload, err := json.Marshal(summary{*d.ProtocolNumber, d.SubmittedAt.UTC(), *d.Digest, d.ID})
	if err != nil {
		return "", err
	}
	return s.signer.SignReceipt(payload)
}

// Finding is what verification finds out about a receipt.
type Finding string

// The findings.
const (
	// Genuine is a receipt that we signed and the register has.
	Genuine Finding = "genuine"
	// NotRegistered is one that was signed by us, and that the register has not got. Its key was
	// copied, or the filing was lost with a database.
	NotRegistered Finding = "not_registered"
	// NotOurs is any other text.
	NotOurs Finding = "not_ours"
)

// Verdict is what anybody may learn from a receipt: no personal data. Number and time are those of
// a genuine one.
type Verdict struct {
	Finding        Finding
	ProtocolNumber string
	SubmittedAt    time.Time
}

// Verify tells whether we signed the receipt and the register has it, whichever key it was. The
// text in the QR code of a printed receipt is as good as the receipt.
func (s *Service) Verify(ctx context.Context, jws string) (Verdict, error) {
	payload, err := s.signer.VerifyReceipt(ctx, jws)
	if errors.Is(err, keyring.ErrNotAReceipt) {
		return Verdict{Finding: NotOurs}, nil
	}
	if err != nil {
		return Verdict{}, err
	}
	found, genuine, err := s.lookUp(ctx, payload, jws)
	if err != nil {
		return Verdict{}, err
	}
	if !genuine {
		return Verdict{Finding: NotRegistered}, nil
	}
	return Verdict{Finding: Genuine, ProtocolNumber: found.ProtocolNumber, SubmittedAt: found.SubmittedAt}, nil
}

// lookUp reports whether the register says what a signed text says, and returns that.
func (s *Service) lookUp(ctx context.Context, payload []byte, jws string) (summary, bool, error) {
	var whole claims
	if json.Unmarshal(payload, &whole) != nil {
		return summary{}, false, nil //nolint:nilerr // what was signed is no receipt of a declaration
	}
	if whole.DeclarationID != uuid.Nil {
		registered, err := s.repo.registered(ctx, whole.DeclarationID, whole.Digest, jws)
		return summary{ProtocolNumber: whole.ProtocolNumber, SubmittedAt: whole.SubmittedAt}, registered, err
	}
	var short summary
	if json.Unmarshal(payload, &short) != nil {
		return summary{}, false, nil //nolint:nilerr // as above
	}
	stands, found, err := s.repo.summary(ctx, short.DeclarationID)
	if err != nil || !found || !short.SubmittedAt.Equal(stands.SubmittedAt) {
		return summary{}, false, err
	}
	short.SubmittedAt = stands.SubmittedAt
	return stands, short == stands, nil
}

// Receipt returns a submitted declaration with its signed receipt, and fault.NotFound for a draft,
// which has none.
func (s *Service) Receipt(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	d, err := s.Show(ctx, by, id)
	if err != nil {
		return View{}, err
	}
	if d.State == Draft {
		return View{}, fault.New(fault.NotFound)
	}
	return d, nil
}

// ReceiptPDF returns the printed receipt. It is rendered once, kept, and the same to the byte ever
// after.
func (s *Service) ReceiptPDF(ctx context.Context, by access.Actor, id uuid.UUID) ([]byte, error) {
	d, err := s.Receipt(ctx, by, id)
	if err != nil {
		return nil, err
	}
	key := "receipts/" + id.String() + ".pdf"
	kept, err := s.blobs.ReadAll(ctx, key)
	if err == nil || gcerrors.Code(err) != gcerrors.NotFound {
		return kept, err
	}
	document, err := s.print(ctx, d)
	if err != nil {
		return nil, err
	}
	err = s.blobs.WriteAll(ctx, key, document, &blob.WriterOptions{ContentType: "application/pdf", IfNotExist: true})
	if gcerrors.Code(err) == gcerrors.FailedPrecondition {
		// Somebody else printed it first: theirs is the receipt.
		return s.blobs.ReadAll(ctx, key)
	}
	return document, err
}

// printed is what the printed receipt tells beside the declaration itself.
type printed struct {
	LegalName      string
	TaxCode        taxcode.Code
	PositionNumber string
	OfficeName     string
	// Application is its display name, if there was one.
	Application string
}

func (s *Service) print(ctx context.Context, d View) ([]byte, error) {
	p, err := s.repo.facts(ctx, d.Declaration)
	if err != nil {
		return nil, err
	}
	t, err := s.types.Version(ctx, d.Type, d.TypeVersion)
	if err != nil {
		return nil, err
	}
	content, err := labelled(d.Content, string(t.ContentSchema))
	if err != nil {
		return nil, err
	}
	short, err := s.signSummary(d.Declaration)
	if err != nil {
		return nil, err
	}
	var document bytes.Buffer
	page := s.publicURL + "/verify#"
	err = receiptpdf.Render(&document, receiptpdf.Facts{
		ProtocolNumber: *d.ProtocolNumber, SubmittedAt: *d.SubmittedAt, Digest: *d.Digest, TypeCode: t.PrintedCode(d.Step),
		TypeTitle:     t.Title.IT,
		TypeVersion:   d.TypeVersion,
		DeclarationID: d.ID.String(), ContributorName: p.LegalName, ContributorTaxCode: p.TaxCode.Clear(), PositionNumber: p.PositionNumber,
		OfficeCode: d.OfficeCode, OfficeName: p.OfficeName, By: s.institution,
		FiledBy: d.Names(), Application: p.Application, ClientID: d.ClientID, ActingAs: string(d.ActingAs),
		VerifyURL: page + d.JWS, ScanURL: page + short, Content: content,
	})
	return document.Bytes(), err
}
