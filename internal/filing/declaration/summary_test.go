package declaration_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/platform/pdfa/pdfatest"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// scanned is the text of a printed receipt's QR code, as a scan of 150 dots an inch has it.
func scanned(t *testing.T, printed []byte) string {
	t.Helper()
	page, err := pdfatest.Raster(printed, 1, 150)
	if err != nil {
		t.Fatal(err)
	}
	address, err := pdfatest.ReadQR(page)
	if err != nil {
		t.Fatal(err)
	}
	jws, found := strings.CutPrefix(address, world.PublicURL+"/verify#")
	if !found {
		t.Fatalf("the QR code leads to %s", address)
	}
	return jws
}

// Whoever has the sheet of paper alone can verify it.
func TestReceipt_WhatIsScannedVerifies(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		filed := a.Submit(t, by, c)
		printed, err := a.Declarations.ReceiptPDF(ctx, by, filed.ID)
		if err != nil {
			t.Fatal(err)
		}
		jws := scanned(t, printed)
		if len(jws) > 450 || jws == filed.JWS {
			t.Errorf("%d bytes are too many for a small code", len(jws))
		}
		genuine := declaration.Verdict{
			Finding: declaration.Genuine, ProtocolNumber: *filed.ProtocolNumber, SubmittedAt: *filed.SubmittedAt,
		}
		if got, err := a.Declarations.Verify(ctx, jws); err != nil || got != genuine {
			t.Errorf("what was scanned is %+v, %v", got, err)
		}
		// Without asking anybody, too: it says what is printed, and is signed.
		signed, err := jose.ParseSignedCompact(jws, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatal(err)
		}
		payload, err := signed.Verify(&a.Signer.Key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(map[string]any{
			"n": *filed.ProtocolNumber, "t": filed.SubmittedAt.UTC(), "d": *filed.Digest, "id": filed.ID,
		})
		if err != nil {
			t.Fatal(err)
		}
		if !sameMembers(t, payload, want) {
			t.Errorf("the QR code says %s, not %s", payload, want)
		}
		// The file has the whole receipt as well, behind the link.
		if !bytes.Contains(printed, []byte("/URI ("+world.PublicURL+"/verify#"+filed.JWS+")")) {
			t.Error("the link does not lead to the whole receipt")
		}
	})
}

func sameMembers(t *testing.T, a, b []byte) bool {
	t.Helper()
	var left, right map[string]string
	if json.Unmarshal(a, &left) != nil || json.Unmarshal(b, &right) != nil {
		return false
	}
	return maps.Equal(left, right)
}

// A key can be copied. What it signed is genuine only as far as the register says the same.
func TestReceipt_AQRCodeThatSaysAnythingElseIsNotInTheRegister(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		filed := a.Submit(t, by, c)
		other := a.Submit(t, by, c)
		draft := a.Draft(t, by, c, c.Input(false))
		for name, change := range map[string]func(map[string]any){
			"another number":      func(m map[string]any) { m["n"] = *other.ProtocolNumber },
			"no number":           func(m map[string]any) { delete(m, "n") },
			"a microsecond later": func(m map[string]any) { m["t"] = filed.SubmittedAt.Add(time.Microsecond) },
			"no time":             func(m map[string]any) { delete(m, "t") },
			"a time that is none": func(m map[string]any) { m["t"] = "yesterday" },
			"another content":     func(m map[string]any) { m["d"] = "sha-256:" + strings.Repeat("0", 64) },
			"no content":          func(m map[string]any) { m["d"] = "" },
			"another declaration": func(m map[string]any) { m["id"] = other.ID },
			"an unknown one":      func(m map[string]any) { m["id"] = uuid.New() },
			"none":                func(m map[string]any) { delete(m, "id") },
			"a draft":             func(m map[string]any) { m["id"] = draft.ID },
			"a whole one's id":    func(m map[string]any) { m["declaration_id"] = filed.ID },
		} {
			facts := map[string]any{"n": *filed.ProtocolNumber, "t": *filed.SubmittedAt, "d": *filed.Digest, "id": filed.ID}
			change(facts)
			payload, err := json.Marshal(facts)
			if err != nil {
				t.Fatal(err)
			}
			forged, err := a.Signer.SignReceipt(payload)
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

// What was printed by an earlier release is not printed again.
func TestReceipt_WhatWasPrintedStays(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		filed := a.Submit(t, by, c)
		older := []byte("%PDF-1.3 of an earlier release")
		if err := a.Blobs.WriteAll(ctx, "receipts/"+filed.ID.String()+".pdf", older, nil); err != nil {
			t.Fatal(err)
		}
		if got, err := a.Declarations.ReceiptPDF(ctx, by, filed.ID); err != nil || !bytes.Equal(got, older) {
			t.Errorf("%.20q is printed, %v", got, err)
		}
	})
}
