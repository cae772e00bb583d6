package declarationbatch

import (
	"archive/zip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// receiptsAtOnce is how many receipts are read, and held in memory, at a time.
const receiptsAtOnce = 50

// Receipts are those of all that a batch filed. They are read as they are written, so that memory
// stays flat.
type Receipts struct {
	service *Service
	batch   Batch
	by      access.Actor
}

// Receipts returns the receipts of a batch. It returns fault.NotFound for who may not see it, and
// fault.Conflict until it is over.
func (s *Service) Receipts(ctx context.Context, by access.Actor, id uuid.UUID) (*Receipts, error) {
	b, by, err := s.shown(ctx, by, id)
	if err != nil {
		return nil, err
	}
	if !b.over() {
		return nil, fault.Because(fault.Conflict, "batch-not-done")
	}
	return &Receipts{s, b, by}, nil
}

// each calls do with every item that was filed, in their order. Between two reads it looks whether
// the actor may still see the batch.
func (r *Receipts) each(ctx context.Context, do func(i ItemView) error) error {
	for line := 0; ; {
		if line > 0 {
			if err := r.service.run.Recheck.Ongoing(ctx, r.by); err != nil {
				return err
			}
			if _, err := r.service.Visible(ctx, r.by, r.batch.ID); err != nil {
				return err
			}
		}
		items, err := r.service.repo.items(ctx, r.batch.ID, Filed, line, receiptsAtOnce)
		if err != nil || len(items) == 0 {
			return err
		}
		for _, i := range items {
			if err := do(i); err != nil {
				return err
			}
		}
		line = items[len(items)-1].Line
	}
}

// WriteZIP writes the printed receipts, each as a file that is called by the place of its item and
// its reference.
func (r *Receipts) WriteZIP(ctx context.Context, w io.Writer) error {
	archive := zip.NewWriter(w)
	err := r.each(ctx, func(i ItemView) error {
		document, err := r.service.declarations.ReceiptPDF(ctx, r.by, *i.DeclarationID)
		if err != nil {
			return err
		}
		// A PDF is compressed already.
		file, err := archive.CreateHeader(&zip.FileHeader{Name: i.fileName(), Method: zip.Store, Modified: *i.SubmittedAt})
		if err != nil {
			return err
		}
		_, err = file.Write(document)
		return err
	})
	if err != nil {
		return err
	}
	return archive.Close()
}

// maxName is how much of a reference a file is called by.
const maxName = 80

// fileName is a name that every system takes and that no other item of the batch has.
func (i Item) fileName() string {
	safe := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, i.Reference)
	return fmt.Sprintf("%04d-%s.pdf", i.Line, safe[:min(len(safe), maxName)])
}

// line is a receipt as a line of JSON.
type line struct {
	Reference      string    `json:"reference"`
	DeclarationID  uuid.UUID `json:"declaration_id"`
	ProtocolNumber string    `json:"protocol_number"`
	SubmittedAt    time.Time `json:"submitted_at"`
	Digest         string    `json:"digest"`
	JWS            string    `json:"jws"`
}

// WriteJSONL writes the signed receipts, one on a line.
func (r *Receipts) WriteJSONL(ctx context.Context, w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return r.each(ctx, func(i ItemView) error {
		return encoder.Encode(line{i.Reference, *i.DeclarationID, *i.ProtocolNumber, i.SubmittedAt.UTC(), *i.Digest, *i.JWS})
	})
}
