package edge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// The extensions that an operation may have, beside x-access. What they mean is said in the
// description of the contract.
const (
	answerExtension      = "x-answer"
	idempotencyExtension = "x-idempotency"
	bodyExtension        = "x-max-body"
	// sampleExtension is for the documentation.
	sampleExtension = "x-sample"
	// sinceExtension and sunsetExtension are the days on which an operation became deprecated, and
	// from which it may be gone.
	sinceExtension  = "x-deprecated-since"
	sunsetExtension = "x-sunset"

	answerSecret    = "secret"
	answerRendered  = "rendered"
	idempotencyNone = "none"
)

var knownExtensions = []string{
	accessExtension, answerExtension, idempotencyExtension, bodyExtension, sampleExtension, sinceExtension, sunsetExtension,
}

// readExtensions reads how answers and bodies of the operation are handled. It refuses an extension
// that nobody reads, and one that would change nothing. Call it after the other parts of the
// operation have been read.
func (op *operation) readExtensions(method string, search bool, o *openapi3.Operation) error {
	for name := range o.Extensions {
		if !slices.Contains(knownExtensions, name) {
			return fmt.Errorf("unknown extension %s", name)
		}
	}
	var answer, idempotency string
	var shown bool
	if err := errors.Join(
		extension(o, answerExtension, &answer), extension(o, idempotencyExtension, &idempotency), extension(o, bodyExtension, &op.maxBody),
		extension(o, sampleExtension, &shown),
	); err != nil {
		return err
	}
	keyed := method == http.MethodPost && op.header(keyHeader) && !search
	switch {
	case !slices.Contains([]string{"", answerSecret, answerRendered}, answer):
		return fmt.Errorf("%s: unknown %q", answerExtension, answer)
	case !slices.Contains([]string{"", idempotencyNone}, idempotency):
		return fmt.Errorf("%s: unknown %q", idempotencyExtension, idempotency)
	case answer != "" && idempotency != "":
		return fmt.Errorf("%s and %s: one says all", answerExtension, idempotencyExtension)
	case !keyed && (answer != "" || idempotency != ""):
		return fmt.Errorf("%s and %s: for operations that remember their %s", answerExtension, idempotencyExtension, keyHeader)
	case op.maxBody != 0 && (op.body == nil || op.maxBody <= maxBody):
		return fmt.Errorf("%s: for JSON bodies of more than %d bytes", bodyExtension, maxBody)
	}
	op.remembered = keyed && answer != answerSecret && idempotency != idempotencyNone
	op.rendered = answer == answerRendered
	if op.maxBody == 0 {
		op.maxBody = maxBody
	}
	return nil
}

// extension reads one extension of the operation, if it is there. It refuses members that it does
// not know.
func extension(o *openapi3.Operation, name string, into any) error {
	written, ok := o.Extensions[name]
	if !ok {
		return nil
	}
	encoded, err := json.Marshal(written)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
