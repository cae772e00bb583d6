package declaration

import (
	"diresco/internal/kernel/access"
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
func NewHandler(r *Repository) Handler { return handler{Deps{Repository: r}} }

// NewEntry makes the entry for a submission of a draft at a version; version 0 is for what was never a draft.
func NewEntry(d Declaration, t *Type, by access.Actor, draftVersion int) *Entry {
	return &Entry{
		Line:    protocol.Line{Header: protocol.Header{Office: d.OfficeCode, SubjectID: d.ID, By: by}, At: d.CreatedAt},
		Content: submission{declaration: d, typ: t, draftVersion: draftVersion},
	}
}

// SetStride changes how lists over many contributors go.
func (r *Repository) SetStride(s access.Stride) { r.stride = s }
