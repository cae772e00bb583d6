package edge

import (
	"golang.org/x/text/language"

	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
)

var (
	languageValues = [...][]string{problem.Italian: {problem.Italian.String()}, problem.English: {problem.English.String()}}
	matcher        = language.NewMatcher([]language.Tag{problem.Italian: language.Italian, problem.English: language.English})
)

// maxAcceptLanguage bounds what is parsed: the parser's work grows with it.
const maxAcceptLanguage = 255

// chooseLanguage picks the language of the texts.
func (e *edge) chooseLanguage(r *request) error {
	r.lang = preferredLanguage(r.c.Request().Header.Get("Accept-Language"))
	r.c.Response().Header()[contentLanguage] = languageValues[r.lang]
	if r.lang != problem.Italian {
		sent := r.c.Request()
		r.c.SetRequest(sent.WithContext(reqctx.WithLanguage(sent.Context(), r.lang)))
	}
	return nil
}

func preferredLanguage(accept string) problem.Language {
	if accept == "" || accept == "it" || len(accept) > maxAcceptLanguage {
		return problem.Italian
	}
	wanted, weights, err := language.ParseAcceptLanguage(accept)
	if err != nil {
		return problem.Italian
	}
	// The parser sorts by weight and keeps what the caller refuses.
	for len(weights) > 0 && weights[len(weights)-1] <= 0 {
		wanted, weights = wanted[:len(weights)-1], weights[:len(weights)-1]
	}
	_, index, confidence := matcher.Match(wanted...)
	if confidence == language.No {
		return problem.Italian
	}
	return problem.Language(index)
}
