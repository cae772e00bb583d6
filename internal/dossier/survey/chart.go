package survey

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
)

// The measures of a chart, in pixels.
const (
	chartWidth  = 800
	chartMargin = 20
	chartLine   = 20
	chartBar    = 14
	// chartLabels is where bars begin, chartBars how long the longest is.
	chartLabels = 320
	chartBars   = 400
	// lineLetters and labelLetters are how many letters fit in a line, and before a bar.
	lineLetters, labelLetters = 95, 40
)

// Chart draws counts as bars (SVG). It has a title and a description in words, so that it can be
// heard as well as seen.
func (s Survey) Chart(counts Counts, english bool) []byte {
	var body bytes.Buffer
	y := chartMargin + chartLine
	line := func(x, y int, class, text string) {
		fmt.Fprintf(&body, `<text x="%d" y="%d" class="%s">%s</text>`, x, y, class, escaped(text))
	}
	line(chartMargin, y, "title", s.Title.In(english))
	said := []string{people(counts.people(), english)}
	y += chartLine
	line(chartMargin, y, "note", said[0])
	for i, q := range s.Questions {
		y += chartLine
		for _, part := range wrapped(q.Text.In(english), lineLetters) {
			y += chartLine
			line(chartMargin, y, "question", part)
		}
		most := 1
		for _, n := range counts[i] {
			most = max(most, n)
		}
		var told []string
		for j, n := range counts[i] {
			label := q.label(j, english)
			for k, part := range wrapped(label, labelLetters) {
				y += chartLine
				line(chartMargin, y, "label", part)
				if k == 0 {
					width := n * chartBars / most
					fmt.Fprintf(&body, `<rect x="%d" y="%d" width="%d" height="%d"/>`, chartLabels, y-chartBar+2, width, chartBar)
					line(chartLabels+width+6, y, "label", strconv.Itoa(n))
				}
			}
			told = append(told, label+": "+strconv.Itoa(n))
		}
		said = append(said, q.Text.In(english)+" "+strings.Join(told, ", "))
	}
	y += chartMargin
	language := "it"
	if english {
		language = "en"
	}
	var all bytes.Buffer
	fmt.Fprintf(&all, `<svg xmlns="http://www.w3.org/2000/svg" xml:lang="%s" lang="%[1]s" role="img" aria-labelledby="title desc" `+
		`viewBox="0 0 %d %d" width="%[2]d" height="%[3]d"><title id="title">%s</title><desc id="desc">%s</desc>`+
		`<style>text{font:14px sans-serif;fill:#17324d}.title{font-size:18px;font-weight:bold}.question{font-weight:bold}rect{fill:#0066cc}</style>`+
		`<rect x="0" y="0" width="100%%" height="100%%" style="fill:#fff"/>`,
		language, chartWidth, y, escaped(s.Title.In(english)), escaped(strings.Join(said, ". ")))
	all.Write(body.Bytes())
	all.WriteString("</svg>\n")
	return all.Bytes()
}

// label is what an answer is called: its words, or its value.
func (q Question) label(place int, english bool) string {
	if len(q.Options) > 0 {
		return q.Options[place].Text.In(english)
	}
	return strconv.Itoa(place + 1)
}

func people(n int, english bool) string {
	if english {
		return strconv.Itoa(n) + " people answered"
	}
	return "Hanno risposto " + strconv.Itoa(n) + " persone"
}

// wrapped breaks a text into lines of so many letters, between words where it can.
func wrapped(text string, letters int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		for len([]rune(word)) > letters {
			if line != "" {
				lines, line = append(lines, line), ""
			}
			runes := []rune(word)
			lines, word = append(lines, string(runes[:letters])), string(runes[letters:])
		}
		if line != "" && len([]rune(line))+1+len([]rune(word)) > letters {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

func escaped(text string) string {
	var b bytes.Buffer
	// A buffer takes everything.
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}
