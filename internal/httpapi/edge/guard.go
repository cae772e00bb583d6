package edge

import (
	"net/url"

	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/fault"

	"github.com/google/uuid"
)

// guardEntry asks whether the caller may use the operation on what the path names, before anything else of the request is looked
// at: a stranger learns nothing from how a body is refused. A path that cannot name anything is not found.
func (e *edge) guardEntry(x *exchange) error {
	request := x.c.Request()
	ctx := audit.WithOrigin(request.Context(), audit.Origin{Operation: x.op.id, RequestID: x.requestID, Address: x.address})
	if !x.op.public() {
		if x.authError != nil {
			return x.authError
		}
		var err error
		x.target = x.pathTarget()
		if x.actor, err = e.deps.Guard.Enter(ctx, x.sessionID, x.op.rule, x.target); err != nil {
			x.turnedAway = true
			return err
		}
		ctx = reqctx.WithActor(ctx, x.actor)
		if x.op.staff() && x.op.readsOthers {
			ctx = reqctx.WithFound(ctx, func(id uuid.UUID) { x.found = id })
		}
	}
	if !e.fitPath(x) {
		return fault.New(fault.NotFound)
	}
	x.c.SetRequest(request.WithContext(ctx))
	return nil
}

// pathTarget reads what the path names. An id that is none stays zero, which nobody may see.
func (x *exchange) pathTarget() access.Target {
	var t access.Target
	switch x.op.rule.To {
	case access.ToContributor:
		t.ContributorID = pathID(x.c.Param("contributor_id"))
	case access.ToDeclaration:
		t.DeclarationID = pathID(x.c.Param("declaration_id"))
	case access.ToDelegate:
		t.DelegateID = pathID(x.c.Param("delegate_id"))
	case access.ToDelegation:
		t.DelegationID = pathID(x.c.Param("delegation_id"))
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
func (e *edge) fitPath(x *exchange) bool {
	for _, p := range x.op.path {
		value := x.c.Param(p.name)
		if x.c.Request().URL.RawPath != "" {
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
