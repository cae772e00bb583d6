package declaration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/gowebpki/jcs"

	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/fault"
)

// Content is what a declaration says, as the current version of its type has checked it.
type Content struct {
	typ *Type
	// text is the RFC 8785 form.
	text string
	// worker is the worker's tax code in the content, at the type's pointer; nil where there is
	// none.
	worker *string
}

// ParseContent checks a content and brings it into canonical form. A draft need not be complete,
// but is never wrong. It returns fault.Invalid with the fields that break the type's schema, or for
// what has no canonical form.
func ParseContent(t *Type, raw json.RawMessage, complete bool) (Content, error) {
	c, err := checkContent(t, raw, complete)
	if err != nil {
		return c, err
	}
	c.text, err = canonical(raw)
	return c, err
}

// completeContent is ParseContent for what a draft has kept, in canonical form, and that is to be
// filed.
func completeContent(t *Type, text string) (Content, error) {
	c, err := checkContent(t, []byte(text), true)
	c.text = text
	return c, err
}

// checkContent decodes a content and checks it by the type's schema. The text is for the caller to
// add.
func checkContent(t *Type, raw []byte, complete bool) (Content, error) {
	value, found := t.schema.Validate(raw)
	var fields []fault.Field
	for _, f := range found {
		if !complete && f.Code == fault.FieldRequired {
			continue
		}
		fields = append(fields, fault.Field{Pointer: "/content" + f.Pointer, Code: f.Code, Right: f.Right})
	}
	if len(fields) > 0 {
		return Content{}, fault.InvalidFields(fields...)
	}
	return Content{typ: t, worker: workerOf(t, value)}, nil
}

// with returns the declaration with a content, under the version of the type that checked it.
func (d Declaration) with(c Content) Declaration {
	d.Content, d.WorkerTaxCode, d.TypeVersion = c.text, c.worker, c.typ.Version
	return d
}

// canonical returns the RFC 8785 form of a JSON object.
func canonical(content json.RawMessage) (string, error) {
	b, err := jcs.Transform(content)
	if err != nil {
		return "", &fault.Fault{Code: fault.Invalid, Fields: []fault.Field{{Pointer: "/content", Code: fault.FieldNotCanonical}}, Err: err}
	}
	return string(b), nil
}

// digestOf returns `sha-256:` and the hexadecimal digest of the RFC 8785 form of {type, version,
// contributor_id, position_id, content}. The content is canonical already, and the other members
// are written in the order of their names.
func digestOf(typeCode string, version int, contributorID, positionID uuid.UUID, content string) string {
	var b bytes.Buffer
	fmt.Fprintf(
		&b, `{"content":%s,"contributor_id":"%s","position_id":"%s","type":%s,"version":%d}`, content, contributorID, positionID,
		strconv.Quote(typeCode), version,
	)
	return protocol.DigestOfCanonical(b.Bytes())
}

// workerOf returns the worker's tax code in a decoded content, at the type's pointer.
func workerOf(t *Type, value any) *string {
	worker := strings.ToUpper(catalogue.TextAt(value, t.WorkerField))
	if worker == "" {
		return nil
	}
	return &worker
}
