package notification

import (
	"html/template"
	"strings"
	"sync"
)

// layout reads the one page that every message is shown in.
var layout = sync.OnceValues(func() (*template.Template, error) {
	return template.ParseFS(files, "texts/layout.html")
})

// htmlOf makes a page of a text: its paragraphs and lines, and nothing of them as markup.
func htmlOf(text Text, locale Locale) (string, error) {
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
	}{locale, text.Subject, paragraphs})
	return b.String(), err
}
