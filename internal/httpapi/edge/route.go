package edge

import (
	"strings"

	"diresco/internal/httpapi/reqctx"
	"diresco/internal/platform/fault"
)

const sandboxPath = reqctx.BasePath + "/sandbox/"

// findOperation finds what the request asks for. It also leaves the pattern in the request, as http.ServeMux does, so
// that whoever wraps this handler can tell operations apart.
func (e *edge) findOperation(x *exchange) error {
	request := x.c.Request()
	x.op = e.operations[routeKey{request.Method, x.c.Path()}]
	request.Pattern = x.route()
	if !e.config.Sandbox && strings.HasPrefix(request.URL.Path, sandboxPath) {
		x.op, x.closed = nil, true
	}
	if x.op == nil {
		return nil
	}
	if x.op.cacheable {
		x.c.Response().Header()[cacheControl] = publicFor
	}
	if len(x.op.produces) > 1 {
		x.c.Response().Header()["Vary"] = variesMore
	}
	return nil
}

// route is the pattern that the request matched. It holds nothing of the URL that was sent.
func (x *exchange) route() string {
	switch {
	case x.op != nil:
		return x.op.pattern
	case x.c.Path() != "":
		return method(x.c.Request().Method) + " " + x.c.Path()
	default:
		return "unmatched"
	}
}

// keepClosed answers as if the sandbox's paths did not exist, whatever the method, where there is no sandbox.
func (e *edge) keepClosed(x *exchange) error {
	if x.closed {
		return fault.New(fault.NotFound)
	}
	return nil
}
