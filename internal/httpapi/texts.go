package httpapi

import (
	"cmp"

	"diresco/internal/platform/fault"
)

// words are what one kind of problem says.
type words struct {
	title  string
	detail string // in the answer, if no reason says it more exactly
	help   string // on the problem's page: what it means and what to do
}

// dictionary holds all texts of one language.
type dictionary struct {
	problems map[fault.Code]words
	// reasons replace the detail where a fault says why.
	reasons map[string]string
	// fields say what is wrong with one field.
	fields map[string]string
	// notices say what happens now, where the answer is the same in every case.
	notices map[string]string
}

// field says what is wrong with a field by its code.
func (d dictionary) field(code string) string {
	return cmp.Or(d.fields[code], d.fields[fault.FieldOther])
}

var dictionaries = [...]dictionary{italian: inItalian, english: inEnglish}

// Notices of answers that never tell whether somebody is registered.
const (
	noticeRecovery   = "pin-recovery"
	noticeRevocation = "pin-revocation"
)

// Reasons that the edge itself gives.
const (
	reasonNoToken        = "token-missing"
	reasonBadToken       = "token-malformed"
	reasonSignature      = "signature-invalid"
	reasonNoBody         = "body-missing"
	reasonUnexpectedBody = "body-not-expected"
	reasonCutBody        = "body-cut"
	reasonQuery          = "query"
	reasonJSON           = "json"
	reasonForm           = "form"
	reasonNoKey          = "idempotency-key-missing"
)
