package notification

import (
	"html/template"
	"strings"
	"sync"

	"diresco/internal/platform/institution"
)

// layout reads the one page that every message is shown in.
var layout = sync.OnceValues(func() (*template.Template, error) {
	return template.ParseFS(files, "texts/layout.html")
})

// htmlOf makes a page of a text: its paragraphs and lines, and nothing of them as markup. Below
// stands who writes.
func htmlOf(text Text, locale Locale, by institution.Institution) (string, error) {
	page, err := layout()
	if err != nil {
		return "", err
	}
	if locale != English {
		locale = Italian
	}
	var paragraphs [][]string
	for paragraph := range strings.SplitSeq(text.Body, "\n\n") {
		if paragraph = strings.TrimSpace(paragraph); paragraph != "" {
			paragraphs = append(paragraphs, strings.Split(paragraph, "\n"))
		}
	}
	var b strings.Builder
	err = page.Execute(&b, struct {
		Locale     Locale
		Subject    string
		Paragraphs [][]string
		By         institution.Institution
		Footer     []string
	}{locale, text.Subject, paragraphs, by, by.Lines(locale == English)})
	return b.String(), err
}
