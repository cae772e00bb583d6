package declaration

import (
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/fund"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/protocol"
)

// Canonical is the RFC 8785 form that content is kept in.
var Canonical = canonical

// DigestOf is the digest of a submission.
var DigestOf = digestOf

// Handler checks and stores submissions.
type Handler = protocol.Handler[submission]

// Entry is what the register hands to the Handler.
type Entry = protocol.Entry[submission]

// NewHandler returns a Handler that can check.
func NewHandler(d *db.DB) Handler {
	return handler{repo: newRepository(d, nil), funds: fund.NewService(fund.Deps{Runner: &operation.Runner{DB: d}})}
}

// NewEntry makes the entry for a submission of a draft at a version. Version 0 is for what was
// never a draft.
func NewEntry(d Declaration, t *Type, by access.Actor, draftVersion int) *Entry {
	return &Entry{
		Line:    protocol.Line{Header: protocol.Header{Office: d.OfficeCode, SubjectID: d.ID, By: by}, At: d.CreatedAt},
		Content: submission{declaration: d, typ: t, current: t, draftVersion: draftVersion},
	}
}

// SetStride changes how lists over many contributors go.
func (s *Service) SetStride(stride access.Stride) { s.repo.stride = stride }

// ColumnNames are the columns of an export.
func ColumnNames() (names []string) {
	for _, c := range columns {
		names = append(names, c.name)
	}
	return names
}

// LeftBy is what a group that was checked makes of a declaration.
func LeftBy(e *Entry, id uuid.UUID) Declaration { return e.Content.group.all[id] }
