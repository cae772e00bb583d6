package declaration

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/platform/fault"

	"github.com/google/uuid"
	"github.com/gowebpki/jcs"
)

// checkContent refuses content that breaks the type's schema. A draft may be incomplete, never wrong.
func checkContent(t *Type, content json.RawMessage, complete bool) error {
	var fields []fault.Field
	for _, f := range t.schema.Validate(content) {
		if !complete && f.Code == catalogue.CodeRequired {
			continue
		}
		fields = append(fields, fault.Field{Pointer: "/content" + f.Pointer, Code: f.Code})
	}
	if len(fields) > 0 {
		return fault.InvalidFields(fields...)
	}
	return nil
}

// canonical returns the RFC 8785 form of a JSON object.
func canonical(content json.RawMessage) (string, error) {
	b, err := jcs.Transform(content)
	if err != nil {
		return "", &fault.Fault{Code: fault.Invalid, Fields: []fault.Field{{Pointer: "/content", Code: "not-canonical"}}, Err: err}
	}
	return string(b), nil
}

// digestOf returns `sha-256:` and the hexadecimal digest of the RFC 8785 form of {type, version, contributor_id, position_id,
// content}. The content is canonical already, and the other members are written in the order of their names.
func digestOf(typeCode string, version int, contributorID, positionID uuid.UUID, content string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"content":%s,"contributor_id":"%s","position_id":"%s","type":%s,"version":%d}`, content, contributorID, positionID, strconv.Quote(typeCode), version)
	sum := sha256.Sum256(b.Bytes())
	return "sha-256:" + hex.EncodeToString(sum[:])
}

// workerOf returns the worker's tax code in the content, at the type's pointer.
func workerOf(t *Type, content string) *string {
	if t.WorkerField == "" {
		return nil
	}
	var value any
	if json.Unmarshal([]byte(content), &value) != nil {
		return nil
	}
	for token := range strings.SplitSeq(strings.TrimPrefix(t.WorkerField, "/"), "/") {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]
	}
	worker, ok := value.(string)
	if !ok {
		return nil
	}
	worker = strings.ToUpper(worker)
	return &worker
}
