package declaration_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/pdftext/pdftexttest"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// saltedCode is a tax code as a receipt holds it.
type saltedCode struct {
	Salt   string `json:"salt"`
	SHA256 string `json:"sha256"`
}

// of reports whether it is that of the tax code.
func (s saltedCode) of(t *testing.T, code string) bool {
	t.Helper()
	salt, err := base64.RawURLEncoding.DecodeString(s.Salt)
	if err != nil || len(salt) < 16 {
		t.Fatalf("salt %q: %v", s.Salt, err)
	}
	sum := sha256.Sum256(append(salt, code...))
	return s.SHA256 == base64.RawURLEncoding.EncodeToString(sum[:])
}

type receipt struct {
	Issuer         string     `json:"iss"`
	ProtocolNumber string     `json:"protocol_number"`
	SubmittedAt    time.Time  `json:"submitted_at"`
	Digest         string     `json:"digest"`
	DeclarationID  uuid.UUID  `json:"declaration_id"`
	Type           string     `json:"type"`
	TypeVersion    int        `json:"type_version"`
	ContributorID  uuid.UUID  `json:"contributor_id"`
	PositionID     uuid.UUID  `json:"position_id"`
	ActingAs       string     `json:"acting_as"`
	RightID        uuid.UUID  `json:"right_id"`
	FiledBy        uuid.UUID  `json:"filed_by"`
	LoginMethod    string     `json:"login_method"`
	LoginLevel     int        `json:"login_level"`
	LoginProvider  string     `json:"login_provider"`
	Filer          saltedCode `json:"filer_tax_code"`
	Contributor    saltedCode `json:"contributor_tax_code"`
}

// opened verifies a receipt with the public key alone and reads it, strictly.
func opened(t *testing.T, a *world.App, jws string) (receipt, string) {
	t.Helper()
	signed, err := jose.ParseSignedCompact(jws, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := signed.Verify(&a.Signer.Key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	var r receipt
	strict := json.NewDecoder(bytes.NewReader(payload))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r, string(payload)
}

func TestReceipt_SaysWhatWasFiled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		var salts []string
		for _, filed := range []declaration.View{a.Submit(t, by, c), submit(t, a, by, a.Draft(t, by, c, c.Input(false)).ID)} {
			got, text := opened(t, a, filed.JWS)
			want := receipt{
				Issuer: world.PublicURL, ProtocolNumber: *filed.ProtocolNumber, SubmittedAt: *filed.SubmittedAt, Digest: *filed.Digest,
				DeclarationID: filed.ID, Type: world.Type, TypeVersion: 1,
				ContributorID: c.ID, PositionID: c.Positions[0].ID, ActingAs: string(access.LegalRepresentative), RightID: by.Rights[0].ID,
				FiledBy: by.PersonID, LoginMethod: "pin",
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(receipt{}, "Filer", "Contributor")); diff != "" {
				t.Error(diff)
			}
			if !got.Filer.of(t, by.TaxCode.Clear()) || !got.Contributor.of(t, c.TaxCode.Clear()) {
				t.Error("who knows a tax code cannot find it in the receipt")
			}
			salts = append(salts, got.Filer.Salt, got.Contributor.Salt)
			// Nobody else learns it, nor anything else about a person.
			for _, personal := range []string{by.TaxCode.Clear(), c.TaxCode.Clear(), world.Worker, by.FamilyName, c.LegalName, "1850.00"} {
				if strings.Contains(text, personal) {
					t.Errorf("the receipt holds %s", personal)
				}
			}
		}
		for i, salt := range salts {
			for _, other := range salts[:i] {
				if salt == other {
					t.Error("a salt was used twice: the same code would look the same")
				}
			}
		}
	})
}

func TestReceipt_VerifyingAReceipt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		filed := a.Submit(t, by, c)
		got, err := a.Declarations.Verify(ctx, filed.JWS)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(declaration.Verdict{
			Finding: declaration.Genuine, ProtocolNumber: *filed.ProtocolNumber, SubmittedAt: *filed.SubmittedAt,
		}, got); diff != "" {
			t.Error(diff)
		}
		header, rest, _ := strings.Cut(filed.JWS, ".")
		payload, signature, _ := strings.Cut(rest, ".")
		strange, err := world.NewSigner(t).SignReceipt([]byte(`{"protocol_number":"INPS.7000.16/03/2026.0000001"}`))
		if err != nil {
			t.Fatal(err)
		}
		for name, jws := range map[string]string{
			"nothing": "", "no receipt": "x.y.z", "another's key": strange, "cut": filed.JWS[:len(filed.JWS)-4],
			"without signature": header + "." + payload + ".",
			"another payload":   header + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"protocol_number":"x"}`)) + "." + signature,
			"no algorithm":      base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + payload + ".",
		} {
			if got, err := a.Declarations.Verify(ctx, jws); err != nil || got != (declaration.Verdict{Finding: declaration.NotOurs}) {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
		if _, err := withoutKeys(t, a).Verify(ctx, filed.JWS); !errors.Is(err, errKeys) {
			t.Errorf("without keys: %v", err)
		}
	})
}

// What our key signed is no receipt unless the register has it. A key can be copied, and a database
// restored from before a filing.
func TestReceipt_SignedByUsButNotInTheRegister(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		filed := a.Submit(t, by, c)
		_, text := opened(t, a, filed.JWS)
		for name, payload := range map[string]string{
			"another number":           strings.Replace(text, *filed.ProtocolNumber, "INPS.7000.16/03/2026.0000009", 1),
			"another declaration":      strings.Replace(text, filed.ID.String(), uuid.NewString(), 1),
			"another contributor":      strings.Replace(text, c.ID.String(), uuid.NewString(), 1),
			"the same, signed again":   text,
			"a payload that is no one": `{}`,
		} {
			forged, err := a.Signer.SignReceipt([]byte(payload))
			if err != nil {
				t.Fatal(err)
			}
			got, err := a.Declarations.Verify(ctx, forged)
			if err != nil || got != (declaration.Verdict{Finding: declaration.NotRegistered}) {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
	})
}

var errKeys = errors.New("the keys cannot be read")

type brokenSigner struct{}

func (brokenSigner) SignReceipt([]byte) (string, error)                    { return "", errKeys }
func (brokenSigner) VerifyReceipt(context.Context, string) ([]byte, error) { return nil, errKeys }

// withoutKeys is a service on the App's database whose keys cannot be read.
func withoutKeys(t *testing.T, a *world.App) *declaration.Service {
	t.Helper()
	return declaration.NewService(declaration.Deps{
		Runner: a.Runner, Types: a.Types, Contributors: a.Contributors, Register: a.NewRegister(t), Rights: a.Rights, Outbox: a.Outbox, Funds: a.Funds,
		Signer: brokenSigner{}, Blobs: a.Blobs, Random: rand.Reader, PublicURL: world.PublicURL,
	})
}

func TestReceipt_CanBeHadAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		filed := a.Submit(t, by, c)
		colleague := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
		printed, err := a.Declarations.ReceiptPDF(ctx, by, filed.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(printed, []byte("%PDF-")) {
			t.Errorf("the printed receipt begins with %q", printed[:8])
		}
		// Names change, and so does the declaration's state: what was filed, and its receipt, do
		// not.
		a.Exec(t, "UPDATE contributors SET legal_name = 'Nuova Ragione S.p.A.' WHERE id = ?", c.ID)
		a.Exec(t, "UPDATE people SET family_name = 'Bianchi' WHERE id = ?", by.PersonID)
		if _, err := a.Declarations.Withdraw(ctx, by, filed.ID); err != nil {
			t.Fatal(err)
		}
		a.Clock.Advance(365 * 24 * time.Hour)
		for name, who := range map[string]access.Actor{
			"who filed": by, "a colleague": colleague, "an operator": a.Desk(t, world.Rome, c.ID),
		} {
			again, err := a.Declarations.ReceiptPDF(ctx, who, filed.ID)
			if err != nil || !bytes.Equal(printed, again) {
				t.Errorf("%s gets another printed receipt (%v)", name, err)
			}
			got, err := a.Declarations.Receipt(ctx, who, filed.ID)
			if err != nil || got.JWS != filed.JWS || *got.ProtocolNumber != *filed.ProtocolNumber || *got.Digest != *filed.Digest ||
				!got.SubmittedAt.Equal(*filed.SubmittedAt) {
				t.Errorf("%s gets another receipt (%v)", name, err)
			}
		}
	})
}

func TestReceipt_IsPrintedOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		filed := a.Submit(t, by, c)
		printed := make([][]byte, 8)
		world.Parallel(len(printed), func(i int) {
			if i%2 == 1 {
				// In the middle of the first prints the name changes.
				a.Exec(t, "UPDATE contributors SET legal_name = ? WHERE id = ?", string(rune('A'+i)), c.ID)
			}
			var err error
			if printed[i], err = a.Declarations.ReceiptPDF(ctx, by, filed.ID); err != nil {
				t.Error(err)
			}
		})
		for i := range printed {
			if len(printed[i]) == 0 || !bytes.Equal(printed[0], printed[i]) {
				t.Errorf("print %d differs from print 0", i)
			}
		}
	})
}

func TestReceipt_WithoutASignatureNothingIsFiled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		a.Submit(t, by, c)
		a.Register.Close()
		if _, err := withoutKeys(t, a).Draft(ctx, by, c.ID, c.Input(true)); !errors.Is(err, errKeys) || fault.Is(err, fault.Invalid) {
			t.Errorf("without keys: %v", err)
		}
		if a.Count(t, "declarations") != 1 || a.Count(t, "protocol_entries") != 1 || a.Count(t, "audit_records") != 1 {
			t.Error("something of it was kept")
		}
	})
}

// A confirmation has a printed code of its own, where its type says so.
func TestReceipt_PrintsTheCodeOfTheStep(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		typ, err := a.Types.Get(ctx, "GAGI")
		if err != nil {
			t.Fatal(err)
		}
		var content any
		if err := json.Unmarshal(typ.ContentExample, &content); err != nil {
			t.Fatal(err)
		}
		a.Budget(t, by, typ.FundFor(content), 100_000)
		in := declaration.Input{Type: "GAGI", PositionID: c.Positions[0].ID, Content: typ.ContentExample, Submit: true}
		reservation := a.Draft(t, by, c, in)
		in.Step, in.ReservationID = "confirmation", &reservation.ID
		confirmation := a.Draft(t, by, c, in)
		for id, want := range map[uuid.UUID]string{reservation.ID: "GAGI – ", confirmation.ID: "GAGI-CONFERMA – "} {
			pdf, err := a.Declarations.ReceiptPDF(ctx, by, id)
			if err != nil {
				t.Fatal(err)
			}
			lines, _ := pdftexttest.Read(pdf)
			if text := strings.Join(lines, "\n"); !strings.Contains(text, "\n"+want) {
				t.Errorf("%q is not on the receipt:\n%s", want, text)
			}
		}
	})
}
