package reqctx

import (
	"context"

	"diresco/internal/platform/attachment"
)

// Form is a body of fields and files (multipart/form-data) that was read and checked. Its files are
// gone when the request is over.
type Form struct {
	Texts   map[string]string
	Uploads map[string][]*attachment.Upload
}

type formKey struct{}

// WithForm returns a context that carries the form that the request brought.
func WithForm(ctx context.Context, f *Form) context.Context {
	return context.WithValue(ctx, formKey{}, f)
}

// FormOf returns the form that the request brought; it is empty where there is none.
func FormOf(ctx context.Context) *Form {
	if f, ok := ctx.Value(formKey{}).(*Form); ok {
		return f
	}
	return &Form{}
}

// Text returns the value of a field, or "" where it was not sent.
func (f *Form) Text(name string) string { return f.Texts[name] }

// Optional returns the value of a field, or nil where it was not sent.
func (f *Form) Optional(name string) *string {
	if text, sent := f.Texts[name]; sent {
		return &text
	}
	return nil
}

// Files returns the files of a field, in the order in which they were sent.
func (f *Form) Files(name string) []*attachment.Upload { return f.Uploads[name] }

// Raw is a body that is one file, as the bytes that were sent. Such a file is a list as CSV or JSON
// Lines. Its content is gone when the request is over.
type Raw struct {
	// MediaType is without parameters.
	MediaType string
	// Charset is what its sender says of a CSV, as csvfile.Charset names it.
	Charset string
	*attachment.Upload
}

type rawKey struct{}

// WithRaw returns a context that carries the file that the request's body is.
func WithRaw(ctx context.Context, r *Raw) context.Context {
	return context.WithValue(ctx, rawKey{}, r)
}

// RawOf returns the file that the request's body is, or nil for a body of another kind.
func RawOf(ctx context.Context) *Raw {
	r, _ := ctx.Value(rawKey{}).(*Raw)
	return r
}
