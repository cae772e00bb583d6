package notification

import (
	"html/template"
	"strings"
	"sync"

	"diresco/internal/messaging/channel"
	"diresco/internal/platform/institution"
)

// layout reads the one page that every message is shown in.
var layout = sync.OnceValues(func() (*template.Template, error) {
	return template.ParseFS(files, "texts/layout.html")
})

// htmlOf makes a page of a text: its paragraphs and lines, and nothing of them as markup. A code
// stands large, in groups that are copied as one word. Below stands who writes.
func htmlOf(text Text, locale Locale, by institution.Institution) (string, error) {
	page, err := layout()
	if err != nil {
		return "", err
	}
	if locale != English {
		locale = Italian
	}
	type paragraph struct{ Lines, Code []string }
	var paragraphs []paragraph
	for part := range strings.SplitSeq(text.Body, "\n\n") {
		if part = strings.TrimSpace(part); part != "" {
			paragraphs = append(paragraphs, paragraph{strings.Split(part, "\n"), channel.CodeGroups(part)})
		}
	}
	var b strings.Builder
	err = page.Execute(&b, struct {
		Locale     Locale
		Subject    string
		Paragraphs []paragraph
		By         institution.Institution
		Footer     []string
	}{locale, text.Subject, paragraphs, by, by.Lines(locale == English)})
	return b.String(), err
}
