package edge

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/platform/fault"
)

// maxBody is how long a JSON body may be, in bytes, where x-max-body says nothing else.
const maxBody = 1 << 20

// readBody reads the body, once, and decodes it strictly. Handlers get the same bytes.
func (e *edge) readBody(r *request) error {
	sent := r.c.Request()
	if sent.Method == http.MethodGet || sent.Method == http.MethodHead || sent.Method == http.MethodDelete {
		return nil // a body means nothing there (RFC 9110)
	}
	if r.isForm() {
		return e.readForm(r)
	}
	if mediaType, limit := r.rawType(); mediaType != "" {
		return e.readRaw(r, mediaType, limit)
	}
	data, err := readAll(r.c.Response().Writer, sent, r.op.maxBody)
	if err != nil {
		return err
	}
	if r.op.body == nil && r.op.form == nil && r.op.raw == nil {
		// Many clients send an empty object where there is nothing to say.
		if text := strings.Join(strings.Fields(string(data)), ""); text != "" && text != "{}" {
			return fault.Because(fault.Malformed, problem.ReasonUnexpectedBody)
		}
		return nil
	}
	if len(data) == 0 {
		if r.op.bodyRequired {
			return fault.Because(fault.Malformed, problem.ReasonNoBody)
		}
		return nil
	}
	r.body = data
	sent.Body = &requestBody{Reader: bytes.NewReader(data), data: data}
	sent.ContentLength = int64(len(data))
	if r.op.signed {
		r.c.SetRequest(sent.WithContext(reqctx.WithSignedBody(sent.Context(), data)))
	}
	r.value, err = parseJSON(data)
	return err
}

func readAll(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if !hasBody(r) {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, fault.New(fault.TooLarge)
	}
	limited := http.MaxBytesReader(w, r.Body, limit)
	var data []byte
	var err error
	if r.ContentLength > 0 {
		data = make([]byte, r.ContentLength)
		_, err = io.ReadFull(limited, data)
	} else {
		data, err = io.ReadAll(limited)
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, fault.New(fault.TooLarge)
	case err != nil:
		return nil, &fault.Fault{Code: fault.Malformed, Reason: problem.ReasonCutBody, Err: err}
	}
	return data, nil
}

// checkBody holds the body against the contract.
func (e *edge) checkBody(r *request) error {
	if r.form != nil {
		return e.checkForm(r)
	}
	if r.body == nil {
		return nil
	}
	if err := r.op.body.VisitJSON(r.value, bodyOptions...); err != nil {
		return fault.InvalidFields(schemaFields(err)...)
	}
	return nil
}

// requestBody is a body that was read already.
type requestBody struct {
	*bytes.Reader
	data []byte
}

// Close implements io.Closer.
func (*requestBody) Close() error { return nil }

// binder gives handlers the body that was checked, byte for byte what was sent.
type binder struct{}

// Bind implements echo.Binder. An empty body is io.EOF, which the generated code takes for none.
func (binder) Bind(into any, c echo.Context) error {
	body, ok := c.Request().Body.(*requestBody)
	if !ok {
		return io.EOF
	}
	err := json.Unmarshal(body.data, into)
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		// The contract calls 1.0 an integer; Go does not.
		return fault.InvalidFields(fault.Field{Pointer: "/" + strings.ReplaceAll(wrongType.Field, ".", "/"), Code: fault.FieldType})
	}
	if err != nil {
		return &fault.Fault{Code: fault.Invalid, Fields: []fault.Field{{Code: fault.FieldOther}}, Err: err}
	}
	return nil
}
