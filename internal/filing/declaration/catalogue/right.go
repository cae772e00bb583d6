package catalogue

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
)

// formExamples are values of the formats that contents use.
var formExamples = map[string]string{
	"date": "2026-03-16", "date-time": "2026-03-16T08:15:04Z", "uuid": "018f3b20-2d4e-7f60-9b72-8d9e0f1a2b3c",
	"email": "mario.rossi@posta.example",
}

// rightOf says what the schema would have taken instead, as far as its keyword tells. It never
// holds anything of the content.
func rightOf(k jsonschema.ErrorKind) *fault.Right {
	switch k := k.(type) {
	case *kind.Type:
		return &fault.Right{Expected: strings.Join(k.Want, ", ")}
	case *kind.Enum:
		return &fault.Right{Allowed: texts(k.Want...)}
	case *kind.Const:
		return &fault.Right{Allowed: texts(k.Want)}
	case *kind.Format:
		return &fault.Right{Expected: k.Want, Example: formExamples[k.Want], CheckCharacter: taxcode.CheckCharacter(k.Err)}
	case *kind.Pattern:
		return &fault.Right{Expected: k.Want}
	case *kind.MinLength:
		return &fault.Right{MinLength: count(k.Want)}
	case *kind.MaxLength:
		return &fault.Right{MaxLength: count(k.Want)}
	case *kind.Minimum:
		return &fault.Right{Minimum: number(k.Want)}
	case *kind.Maximum:
		return &fault.Right{Maximum: number(k.Want)}
	case *kind.MultipleOf:
		return &fault.Right{MultipleOf: number(k.Want)}
	case *kind.MinItems:
		return &fault.Right{MinItems: count(k.Want)}
	case *kind.MinProperties:
		return &fault.Right{MinItems: count(k.Want)}
	case *kind.MaxItems:
		return &fault.Right{MaxItems: count(k.Want)}
	case *kind.MaxProperties:
		return &fault.Right{MaxItems: count(k.Want)}
	default:
		return nil
	}
}

// texts writes the values of a schema that are no objects or lists.
func texts(values ...any) []string {
	var all []string
	for _, v := range values {
		switch v.(type) {
		case map[string]any, []any, nil:
		default:
			all = append(all, fmt.Sprint(v))
		}
	}
	return all
}

func count(n int) *int64 { return new(int64(n)) }

func number(r *big.Rat) *float64 {
	n, _ := r.Float64()
	return &n
}
