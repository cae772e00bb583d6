package edge

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// Sight returns fault.NotFound where the actor may not see what has the id, and nil where they may.
type Sight func(ctx context.Context, by access.Actor, id uuid.UUID) error

// officeParameter is that of the path of what an office does with its own.
const officeParameter = "office_code"

// resource is the part of a path up to the first thing that it names, such as
// /sub-delegations/{sub_delegation_id}. It comes with the name of that parameter; both are ""
// without one.
func (op *operation) resource() (path, parameter string) {
	_, path, _ = strings.Cut(op.pattern, " "+reqctx.BasePath)
	begin, end := strings.IndexByte(path, '{'), strings.IndexByte(path, '}')
	if begin < 0 || end < begin {
		return "", ""
	}
	return path[:end+1], path[begin+1 : end]
}

// concealed is why a request is refused. Who may not see what the path names is told that, whatever
// else is wrong with the request. The guard knows for most paths; where the service decides it,
// whatever refused the request came first, so the service is asked now.
func (e *edge) concealed(r *request, refused error) error {
	var f *fault.Fault
	if r.op == nil || r.actor.PersonID == uuid.Nil || r.turnedAway || !errors.As(refused, &f) || f.Code == fault.NotFound {
		return refused
	}
	path, parameter := r.op.resource()
	if r.op.rule.To == access.ToOffice && parameter == officeParameter && r.c.Param(parameter) != r.actor.OfficeCode {
		return fault.New(fault.NotFound)
	}
	sight := e.deps.Sights[path]
	id := pathID(r.c.Param(parameter))
	if sight == nil || id == uuid.Nil {
		return refused
	}
	if err := sight(r.c.Request().Context(), r.actor, id); fault.Is(err, fault.NotFound) {
		return err
	}
	return refused
}
