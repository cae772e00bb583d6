package edge

import (
	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"

	"golang.org/x/text/language"
)

var (
	languageValues = [...][]string{problem.Italian: {problem.Italian.String()}, problem.English: {problem.English.String()}}
	matcher        = language.NewMatcher([]language.Tag{problem.Italian: language.Italian, problem.English: language.English})
)

// maxAcceptLanguage bounds what is parsed: the parser's work grows with it.
const maxAcceptLanguage = 255

// chooseLanguage picks the language of the texts.
func (e *edge) chooseLanguage(x *exchange) error {
	x.lang = preferredLanguage(x.c.Request().Header.Get("Accept-Language"))
	x.c.Response().Header()[contentLanguage] = languageValues[x.lang]
	if x.lang != problem.Italian {
		request := x.c.Request()
		x.c.SetRequest(request.WithContext(reqctx.WithLanguage(request.Context(), x.lang)))
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
