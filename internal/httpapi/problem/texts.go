package problem

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
	// hints say what would have been right.
	hints hints
	// notices say what happens now, where the answer is the same in every case.
	notices map[string]string
}

// field says what is wrong with a field by its code.
func (d dictionary) field(code string) string {
	// Of what a request was not let in by, such as a card, the code is the reason.
	return cmp.Or(d.fields[code], d.reasons[code], d.fields[fault.FieldOther])
}

var dictionaries = [...]dictionary{Italian: inItalian, English: inEnglish}

// FieldText says what is wrong with a field by its code.
func FieldText(lang Language, code string) string { return dictionaries[lang].field(code) }

// Notice returns the text that an answer gives in every case.
func Notice(lang Language, name string) string { return dictionaries[lang].notices[name] }

// ReasonText says why something was refused, by the reason; it is "" for one without a text.
func ReasonText(lang Language, reason string) string { return dictionaries[lang].reasons[reason] }

// Words are what a kind of problem says on its page.
func Words(lang Language, code fault.Code) (title, detail, help string) {
	w := dictionaries[lang].problems[code]
	return w.title, w.detail, w.help
}

// Notices of answers that never tell whether somebody is registered.
const (
	NoticeRecovery   = "pin-recovery"
	NoticeRevocation = "pin-revocation"
)

// Reasons that the edge itself gives.
const (
	ReasonNoToken      = "token-missing"
	ReasonBadToken     = "token-malformed"
	ReasonTokenExpired = "token-expired"
	ReasonTokenInvalid = "token-invalid"
	ReasonTokenBound   = "token-bound"
	ReasonTokenUnbound = "token-unbound"
	// ReasonTokenCertificate is that a token came without the certificate that it is bound to.
	ReasonTokenCertificate = "token-certificate"
	ReasonNoPath           = "no-such-path"
	ReasonMethod           = "method"
	ReasonClass            = "user-class"
	ReasonOffice           = "office-only"
	ReasonSignature        = "signature-invalid"
	ReasonNoBody           = "body-missing"
	ReasonCompressedBody   = "body-compressed"
	ReasonUnexpectedBody   = "body-not-expected"
	ReasonCutBody          = "body-cut"
	ReasonQuery            = "query"
	ReasonJSON             = "json"
	ReasonForm             = "form"
	ReasonNoKey            = "idempotency-key-missing"
)
