package httpapi

import "diresco/internal/fault"

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
}

var dictionaries = [...]dictionary{italian: inItalian, english: inEnglish}

// Reasons that the edge itself gives.
const (
	reasonNoToken        = "token-missing"
	reasonBadToken       = "token-malformed"
	reasonNoBody         = "body-missing"
	reasonUnexpectedBody = "body-not-expected"
	reasonCutBody        = "body-cut"
	reasonQuery          = "query"
	reasonJSON           = "json"
	reasonNoKey          = "idempotency-key-missing"
)
