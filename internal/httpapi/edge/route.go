package edge

import (
	"strings"

	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/platform/fault"
)

const sandboxPath = reqctx.BasePath + "/sandbox/"

// findOperation finds what the request asks for. It also leaves the pattern in the request, as
// http.ServeMux does, so that whoever wraps this handler can tell operations apart.
func (e *edge) findOperation(r *request) error {
	sent := r.c.Request()
	r.op = e.operations[routeKey{sent.Method, r.c.Path()}]
	sent.Pattern = r.route()
	if !e.config.Sandbox && strings.HasPrefix(sent.URL.Path, sandboxPath) {
		r.op, r.closed = nil, true
	}
	if r.op == nil {
		return nil
	}
	if r.op.cacheable != nil {
		r.c.Response().Header()[cacheControl] = r.op.cacheable
	}
	if r.op.leaving != nil {
		r.op.leaving.announce(r.c.Response().Header(), e.config.PublicURL)
	}
	if len(r.op.produces) > 1 {
		r.c.Response().Header()["Vary"] = variesMore
	}
	return nil
}

// route is the pattern that the request matched. It holds nothing of the URL that was sent.
func (r *request) route() string {
	switch {
	case r.op != nil:
		return r.op.pattern
	case r.c.Path() != "":
		return method(r.c.Request().Method) + " " + r.c.Path()
	default:
		return "unmatched"
	}
}

// keepClosed answers as if the sandbox's paths did not exist, whatever the method, where there is
// no sandbox.
func (e *edge) keepClosed(r *request) error {
	if r.closed {
		return fault.Because(fault.NotFound, problem.ReasonNoPath)
	}
	return nil
}
