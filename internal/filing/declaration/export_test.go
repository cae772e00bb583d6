package declaration

import (
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/protocol"
)

// Canonical is the RFC 8785 form that content is kept in.
var Canonical = canonical

// DigestOf is the digest of a submission.
var DigestOf = digestOf

// NewEntry makes what the register hands to the Book for a submission of a draft at a version; version 0 is for what was never a draft.
func NewEntry(d Declaration, t *Type, by access.Actor, draftVersion int) *protocol.Entry {
	return &protocol.Entry{At: d.CreatedAt, Filing: protocol.Filing{Kind: Kind, Office: d.OfficeCode, SubjectID: d.ID, By: by, Content: &submission{declaration: d, typ: t, by: by, draftVersion: draftVersion}}}
}

// SetStride changes how lists over many contributors go.
func (r *Repository) SetStride(s access.Stride) { r.stride = s }
