package declarationbatch_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"diresco/internal/filing/declaration"
	"diresco/internal/filing/declarationbatch"
	"diresco/internal/platform/fault"
)

func TestDeclarationBatchReceipts_AreAnArchiveOfPDFs(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		in := w.list(3)
		in.Entries[0].Reference, in.Entries[2].Reference = "../a b", "./a:b"
		in.Entries[1].Declaration.Type = "RIOX"
		id := w.taken(in)
		_, err := w.service.Receipts(ctx, w.by, id)
		refused(t, "before it is done", err, fault.Conflict)
		w.drain()
		receipts, err := w.service.Receipts(ctx, w.by, id)
		if err != nil {
			t.Fatal(err)
		}
		var written bytes.Buffer
		if err := receipts.WriteZIP(ctx, &written); err != nil {
			t.Fatal(err)
		}
		archive, err := zip.NewReader(bytes.NewReader(written.Bytes()), int64(written.Len()))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range archive.File {
			names = append(names, f.Name)
			opened, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			pdf, err := io.ReadAll(opened)
			if err != nil || !bytes.HasPrefix(pdf, []byte("%PDF-")) {
				t.Errorf("%s: %v", f.Name, err)
			}
		}
		if got := strings.Join(names, " "); got != "0001-.._a_b.pdf 0003-._a_b.pdf" {
			t.Errorf("files %s", got)
		}
	})
}

func TestDeclarationBatchReceipts_AsLinesAreVerified(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		id := w.taken(w.list(60))
		w.drain()
		receipts, err := w.service.Receipts(ctx, w.by, id)
		if err != nil {
			t.Fatal(err)
		}
		var written bytes.Buffer
		if err := receipts.WriteJSONL(ctx, &written); err != nil {
			t.Fatal(err)
		}
		items := w.items(id)
		lines := strings.Split(strings.TrimSuffix(written.String(), "\n"), "\n")
		if len(lines) != len(items) {
			t.Fatalf("%d lines", len(lines))
		}
		for i, text := range lines {
			var line struct {
				Reference      string `json:"reference"`
				DeclarationID  string `json:"declaration_id"`
				ProtocolNumber string `json:"protocol_number"`
				Digest         string `json:"digest"`
				JWS            string `json:"jws"`
			}
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatal(err)
			}
			verdict, err := w.Declarations.Verify(ctx, line.JWS)
			if err != nil || verdict.Finding != declaration.Genuine || verdict.ProtocolNumber != line.ProtocolNumber {
				t.Errorf("line %d is %+v, %v", i+1, verdict, err)
			}
			if line.Reference != items[i].Reference || line.DeclarationID != items[i].DeclarationID.String() || line.Digest != *items[i].Digest {
				t.Errorf("line %d is %s", i+1, text)
			}
		}
	})
}

// writer calls what it is at the first piece.
type writer func()

func (w *writer) Write(piece []byte) (int, error) {
	if *w != nil {
		(*w)()
		*w = nil
	}
	return len(piece), nil
}

// Whoever may not see a batch any more does not get the rest of its receipts.
func TestDeclarationBatchReceipts_EndWithSessionAndRight(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		id := w.taken(w.list(60))
		w.drain()
		for _, c := range []struct {
			what string
			end  writer
			code fault.Code
		}{
			{"a session", func() { w.Exec(t, "UPDATE sessions SET ended_at = ? WHERE id = ?", w.Clock.Now(), w.by.SessionID) }, fault.SessionEnded},
			{"a right", func() {
				w.Exec(t, "UPDATE sessions SET ended_at = NULL WHERE id = ?", w.by.SessionID)
				w.WithdrawRole(t, w.by.Rights[0].ID)
			}, fault.NotFound},
		} {
			receipts, err := w.service.Receipts(ctx, w.by, id)
			if err != nil {
				t.Fatal(err)
			}
			if err := receipts.WriteJSONL(ctx, &c.end); !fault.Is(err, c.code) {
				t.Errorf("%s ended: %v", c.what, err)
			}
		}
	})
}

func TestDeclarationBatchReceipts_HaveNamesThatEverySystemTakes(t *testing.T) {
	for reference, want := range map[string]string{
		"a/b\\c:d": "0007-a_b_c_d.pdf", "CON": "0007-CON.pdf", "..": "0007-...pdf", "è\u202egpj": "0007-__gpj.pdf",
		strings.Repeat("x", 64): "0007-" + strings.Repeat("x", 64) + ".pdf",
	} {
		if got := (declarationbatch.Item{Line: 7, Reference: reference}).FileName(); got != want {
			t.Errorf("%q is called %q", reference, got)
		}
	}
}
