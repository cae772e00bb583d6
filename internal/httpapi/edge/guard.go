package edge

import (
	"net/url"

	"github.com/google/uuid"

	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/fault"
)

// guardEntry asks whether the caller may use the operation on what the path names. It does so
// before anything else of the request is looked at: a stranger learns nothing from how a body is
// refused. A path that cannot name anything is not found.
func (e *edge) guardEntry(r *request) error {
	sent := r.c.Request()
	ctx := audit.WithOrigin(sent.Context(), audit.Origin{Operation: r.op.id, RequestID: r.requestID, Address: r.address})
	if !r.op.public() {
		if r.authError != nil {
			return r.authError
		}
		proof := e.useProof(ctx, r)
		r.target = r.pathTarget()
		actor, err := e.deps.Guard.EnterAs(ctx, r.caller, r.op.rule, r.target)
		if used := proof(); used != nil {
			return used
		}
		if r.actor = actor; err != nil {
			r.turnedAway = true
			return r.op.whoMay(r.actor, err)
		}
		ctx = reqctx.WithActor(ctx, r.actor)
		if r.op.staff() && r.op.readsOthers {
			ctx = reqctx.WithFound(ctx, func(id uuid.UUID) { r.found = id })
		}
	}
	if !e.fitPath(r) {
		return fault.New(fault.NotFound)
	}
	r.c.SetRequest(sent.WithContext(ctx))
	return nil
}

// pathTarget reads what the path names. An id that is none stays zero, which nobody may see.
func (r *request) pathTarget() access.Target {
	var t access.Target
	switch r.op.rule.To {
	case access.ToContributor:
		t.ContributorID = pathID(r.c.Param("contributor_id"))
	case access.ToDeclaration:
		t.DeclarationID = pathID(r.c.Param("declaration_id"))
	case access.ToDelegate:
		t.DelegateID = pathID(r.c.Param("delegate_id"))
	case access.ToDelegation:
		t.DelegationID = pathID(r.c.Param("delegation_id"))
	case access.ToPosition, access.ToTicket, access.ToSmartTask, access.ToDMA:
		t.AffairID = pathID(r.c.Param(access.Affairs()[r.op.rule.To]))
	case access.ToAnyone, access.ToSession, access.ToOffice:
	}
	return t
}

func pathID(s string) uuid.UUID {
	const written = 36 // the parser also takes forms that the contract does not
	if len(s) != written {
		return uuid.Nil
	}
	id, err := uuid.Parse(s)
	if err != nil {
		return uuid.Nil
	}
	return id
}

// fitPath reports whether every parameter of the path is what the contract says.
func (e *edge) fitPath(r *request) bool {
	for _, p := range r.op.path {
		value := r.c.Param(p.name)
		if r.c.Request().URL.RawPath != "" {
			var err error
			if value, err = url.PathUnescape(value); err != nil {
				return false
			}
		}
		if p.check(value) != nil {
			return false
		}
	}
	return true
}
