package edge

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"

	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
)

const (
	formType = "multipart/form-data"
	// maxForm is how long a form may be, in bytes, whose files need no more.
	maxForm = 10 << 20
	// besideFiles is how much of a longer one is not files.
	besideFiles = 1 << 20
	// maxParts is how many parts of a form are looked at. That is more than any contract asks for,
	// and few enough to name what is wrong.
	maxParts = 100
	// maxText is how long one field of a form may be, in bytes.
	maxText = 64 << 10
	// maxBoundary is how long the boundary between parts may be (RFC 2046).
	maxBoundary = 70
	// formTime is how long a form may take to arrive, such as 10 MiB over a slow line. answerTime
	// is left for the answer.
	formTime   = 2 * time.Minute
	answerTime = time.Minute
)

// isForm reports whether the request brings a form and its operation takes one.
func (r *request) isForm() bool {
	if r.op.form == nil {
		return false
	}
	base, _, err := mime.ParseMediaType(r.c.Request().Header.Get(contentType))
	return err == nil && base == formType
}

// readForm reads a form part by part: fields into memory, files aside. What is wrong with single
// fields is noted for checkBody, so that one answer names all of it.
func (e *edge) readForm(r *request) error {
	sent := r.c.Request()
	if !hasBody(sent) {
		return fault.Because(fault.Malformed, problem.ReasonNoBody)
	}
	if sent.ContentLength > r.op.form.size {
		return fault.New(fault.TooLarge)
	}
	_, parameters, err := mime.ParseMediaType(sent.Header.Get(contentType))
	if boundary := parameters["boundary"]; err != nil || boundary == "" || len(boundary) > maxBoundary {
		return fault.Because(fault.Malformed, problem.ReasonForm)
	}
	e.allowTime(r, formTime*time.Duration(r.op.form.size/maxForm))

	end := &finalLine{text: []byte("--" + parameters["boundary"] + "--")}
	body := io.TeeReader(http.MaxBytesReader(r.c.Response().Writer, sent.Body, r.op.form.size), end)
	r.form = &reqctx.Form{Texts: map[string]string{}, Uploads: map[string][]*attachment.Upload{}}
	in := formReader{rule: r.op.form, form: r.form, directory: e.config.SpoolDir, seen: map[string]uint64{}}
	r.formSeen = in.seen
	if err := in.readAll(multipart.NewReader(body, parameters["boundary"])); err != nil {
		return err
	}
	// What follows the last part means nothing, and counts.
	if _, err := io.Copy(io.Discard, body); err != nil {
		return formFault(err)
	}
	if !end.seen {
		// The reader takes a body that breaks off between the lines of a header for one that is
		// over.
		return fault.Because(fault.Malformed, problem.ReasonForm)
	}
	r.formFields = in.wrong
	sent.Body = http.NoBody
	r.c.SetRequest(sent.WithContext(reqctx.WithForm(sent.Context(), r.form)))
	return nil
}

// checkForm holds the fields of a form against the contract, and counts its files.
func (e *edge) checkForm(r *request) error {
	fields := r.formFields
	rule := r.op.form
	if err := rule.texts.VisitJSON(rule.typed(r.form.Texts), bodyOptions...); err != nil {
		for _, f := range schemaFields(err) {
			// A field that was refused as it came is there, and wrong.
			if f.Code != fault.FieldRequired || !named(fields, f.Pointer) {
				fields = append(fields, f)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rule.files)) {
		file, at := rule.files[name], "/"+escapePointer(name)
		switch n := r.formSeen[name]; {
		case n >= file.least, named(fields, at):
		case n == 0:
			fields = append(fields, fault.Field{Pointer: at, Code: fault.FieldRequired, Right: file.count()})
		default:
			fields = append(fields, fault.Field{Pointer: at, Code: fault.FieldTooFew, Right: file.count()})
		}
	}
	if len(fields) > 0 {
		return fault.InvalidFields(fields...)
	}
	return nil
}

// named reports whether one of the fields is at the pointer, or a part of what is.
func named(fields []fault.Field, pointer string) bool {
	for _, f := range fields {
		if f.Pointer == pointer || strings.HasPrefix(f.Pointer, pointer+"/") {
			return true
		}
	}
	return false
}

// formReader takes in the parts of a form.
type formReader struct {
	rule      *formRule
	form      *reqctx.Form
	directory string
	// seen counts the parts of each known name.
	seen  map[string]uint64
	wrong []fault.Field
}

func (in *formReader) readAll(parts *multipart.Reader) error {
	for n := 0; ; n++ {
		// Raw: what is encoded once more for its transport has no place in a form (RFC 7578).
		part, err := parts.NextRawPart()
		if err == io.EOF { // as it is: wrapped in another error it stands for a body that breaks off
			return nil
		}
		if err != nil {
			return formFault(err)
		}
		if n == maxParts {
			return fault.InvalidFields(append(in.wrong, fault.Field{Code: fault.FieldTooMany})...)
		}
		if err := in.read(part); err != nil {
			return err
		}
	}
}

// formFault is what a form that cannot be read on is answered with.
func formFault(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return fault.New(fault.TooLarge)
	}
	return &fault.Fault{Code: fault.Malformed, Reason: problem.ReasonForm, Err: err}
}

func (in *formReader) refuse(pointer, code string) { in.refuseFor(pointer, code, nil) }

// refuseFor refuses a place and says what would have been right.
func (in *formReader) refuseFor(pointer, code string, right *fault.Right) {
	if f := (fault.Field{Pointer: pointer, Code: code, Right: right}); len(in.wrong) < problem.MaxFields {
		in.wrong = append(in.wrong, f)
	}
}

func (in *formReader) read(part *multipart.Part) error {
	dispositions := part.Header.Values("Content-Disposition")
	if len(dispositions) != 1 || !plainTransfer(part.Header.Values("Content-Transfer-Encoding")) {
		return fault.Because(fault.Malformed, problem.ReasonForm)
	}
	disposition, parameters, err := mime.ParseMediaType(dispositions[0])
	name, hasName := parameters["name"]
	if err != nil || disposition != "form-data" || !hasName {
		return fault.Because(fault.Malformed, problem.ReasonForm)
	}
	filename, isFile := parameters["filename"]
	at := "/" + escapePointer(name)
	if rule, ok := in.rule.files[name]; ok {
		if !isFile {
			in.refuse(at, fault.FieldNoFile)
			return nil
		}
		return in.readFile(part, name, filename, rule)
	}
	property := in.rule.texts.Properties[name]
	switch {
	case property == nil:
		in.refuse(at, fault.FieldUnknown)
		return nil
	case isFile:
		in.refuse(at, fault.FieldType)
		return nil
	}
	return in.readText(part, name, property.Value)
}

func plainTransfer(encodings []string) bool {
	for _, e := range encodings {
		switch strings.ToLower(e) {
		case "7bit", "8bit", "binary":
		default:
			return false
		}
	}
	return true
}

func (in *formReader) readText(part io.Reader, name string, s *openapi3.Schema) error {
	at := "/" + escapePointer(name)
	if in.seen[name]++; in.seen[name] > 1 {
		if in.seen[name] == 2 {
			in.refuse(at, fault.FieldRepeated)
		}
		return nil
	}
	limit := int64(maxText)
	if s.MaxLength != nil && *s.MaxLength*utf8.UTFMax < maxText {
		limit = int64(*s.MaxLength * utf8.UTFMax) //nolint:gosec // less than 64 KiB
	}
	content, err := io.ReadAll(io.LimitReader(part, limit+1))
	if err != nil {
		return formFault(err)
	}
	switch text := string(content); {
	case int64(len(content)) > limit:
		in.refuse(at, fault.FieldTooLong)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unprintable):
		in.refuse(at, fault.FieldCharacter)
	default:
		in.form.Texts[name] = text
	}
	return nil
}

// unprintable characters are never part of a text; whether lines and tabs are is for the contract
// to say.
func unprintable(r rune) bool {
	return unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r'
}

func (in *formReader) readFile(part io.Reader, name, filename string, rule fileRule) error {
	source := &source{r: part}
	if filename == "" {
		// What browsers send for a file field in which nothing was chosen.
		first := make([]byte, 1)
		n, err := io.ReadFull(source, first)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return formFault(err)
		}
		source.r = io.MultiReader(strings.NewReader(string(first[:n])), part)
	}
	at := "/" + escapePointer(name)
	index := in.seen[name]
	in.seen[name]++
	if index >= rule.most {
		if index == rule.most {
			in.refuse(at, fault.FieldTooMany)
		}
		return nil
	}
	if len(in.wrong) > 0 {
		// Nothing of this form is kept any more; whether the file is too long is still told.
		n, err := io.Copy(io.Discard, io.LimitReader(source, rule.size+1))
		if err != nil {
			return formFault(err)
		}
		if n > rule.size {
			in.refuseFor(attachment.Pointer(at, int(index)), fault.FieldFileTooLarge, rule.length()) //nolint:gosec // less than maxParts
		}
		return nil
	}
	upload, err := attachment.Spool(source, filename, in.directory, rule.size)
	switch {
	case errors.Is(err, attachment.ErrTooLarge):
		in.refuseFor(attachment.Pointer(at, int(index)), fault.FieldFileTooLarge, rule.length()) //nolint:gosec // less than maxParts
		return nil
	case source.err != nil:
		return formFault(source.err)
	case err != nil:
		// The disk, not the request.
		return fault.Wrap(fault.Unavailable, err)
	}
	in.form.Uploads[name] = append(in.form.Uploads[name], upload)
	return nil
}

// finalLine looks for the line that ends a form in what is written to it.
type finalLine struct {
	text []byte
	tail []byte
	seen bool
}

// Write implements io.Writer.
func (f *finalLine) Write(p []byte) (int, error) {
	if f.seen {
		return len(p), nil
	}
	overlap := min(len(p), len(f.text)-1)
	f.tail = append(f.tail, p[:overlap]...)
	f.seen = bytes.Contains(f.tail, f.text) || bytes.Contains(p, f.text)
	f.tail = append(f.tail, p[overlap:]...)
	f.tail = append(f.tail[:0], f.tail[max(0, len(f.tail)-len(f.text)+1):]...)
	return len(p), nil
}

// source remembers why it could not be read, so that a broken body can be told from a full disk.
type source struct {
	r   io.Reader
	err error
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
