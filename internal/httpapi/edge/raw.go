package edge

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
)

// slowestLine is how many bytes of a long body must arrive each second. So a large file gets the
// time that it takes.
const slowestLine = 256 << 10

// closeRaw forgets the content of a file.
func closeRaw(r *reqctx.Raw) error {
	if r == nil {
		return nil
	}
	return r.Upload.Close()
}

// rawIdentity is what makes two files the same request.
func rawIdentity(r *reqctx.Raw) []byte {
	mediaType := r.MediaType
	if r.Charset != "" {
		mediaType += "; charset=" + r.Charset
	}
	return []byte(mediaType + " " + r.Digest())
}

// newRawRule reads how long a body of one file may be, in bytes. It refuses a schema with something
// that the edge would leave unchecked.
func newRawRule(s *openapi3.Schema) (int64, error) {
	if !isFile(s) || s.MaxLength == nil || *s.MaxLength == 0 || s.Pattern != "" || s.MinLength != 0 ||
		len(s.AllOf)+len(s.AnyOf)+len(s.OneOf) > 0 {
		return 0, fmt.Errorf("only JSON, %s, and files with a maxLength are checked", formType)
	}
	return int64(*s.MaxLength), nil //nolint:gosec // a contract of this house
}

// rawType returns the media type of a request whose body is one file, and its longest size. The
// type is "" for any other request.
func (r *request) rawType() (mediaType string, limit int64) {
	if len(r.op.raw) == 0 {
		return "", 0
	}
	base, _, err := mime.ParseMediaType(r.c.Request().Header.Get(contentType))
	if err != nil || r.op.raw[base] == 0 {
		return "", 0
	}
	return base, r.op.raw[base]
}

// readRaw keeps the body aside as it arrives. Handlers find it with reqctx.RawOf, and as the
// request's body.
func (e *edge) readRaw(r *request, mediaType string, limit int64) error {
	sent := r.c.Request()
	if !hasBody(sent) {
		return fault.Because(fault.Malformed, problem.ReasonNoBody)
	}
	if sent.ContentLength > limit {
		return fault.New(fault.TooLarge)
	}
	e.allowTime(r, formTime+time.Duration(limit/slowestLine)*time.Second)
	body := &source{r: http.MaxBytesReader(r.c.Response().Writer, sent.Body, limit)}
	upload, err := attachment.Spool(body, "", e.config.SpoolDir, limit)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), errors.Is(err, attachment.ErrTooLarge):
		return fault.New(fault.TooLarge)
	case body.err != nil:
		return &fault.Fault{Code: fault.Malformed, Reason: problem.ReasonCutBody, Err: err}
	case err != nil:
		// The disk, not the request.
		return fault.Wrap(fault.Unavailable, err)
	}
	r.raw = &reqctx.Raw{MediaType: mediaType, Charset: r.charset, Upload: upload}
	if upload.Size() == 0 {
		return fault.Because(fault.Malformed, problem.ReasonNoBody)
	}
	sent.Body = io.NopCloser(upload.Open())
	sent.ContentLength = upload.Size()
	r.c.SetRequest(sent.WithContext(reqctx.WithRaw(sent.Context(), r.raw)))
	return nil
}

// allowTime lets the body take so long to arrive. Where the connection cannot tell the time, the
// server's own limits stay.
func (e *edge) allowTime(r *request, arrival time.Duration) {
	connection := http.NewResponseController(r.c.Response())
	_ = connection.SetReadDeadline(e.now().Add(arrival))
	_ = connection.SetWriteDeadline(e.now().Add(arrival + answerTime))
}

// pieceTime is how long a client may take for a piece of an answer that comes in pieces.
const pieceTime = time.Minute

// extend lets the answer take so long for its next piece.
func (e *edge) extend(r *request) {
	_ = http.NewResponseController(r.c.Response()).SetWriteDeadline(e.now().Add(pieceTime))
}
