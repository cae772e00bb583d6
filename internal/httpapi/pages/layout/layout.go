// Package layout has what the pages for people share: head, header and footer. A page's own files say
// what differs, by defining a part again.
package layout

import (
	_ "embed"
	"html/template"

	"diresco/internal/platform/institution"
)

//go:embed layout.html
var text string

// New returns templates with the layout, in which the functions can be used. One of them is t, which
// returns a text by its name.
func New(in institution.Institution, functions template.FuncMap) (*template.Template, error) {
	return template.New("").Funcs(template.FuncMap{
		"institution": func() institution.Institution { return in },
	}).Funcs(functions).Parse(text)
}
