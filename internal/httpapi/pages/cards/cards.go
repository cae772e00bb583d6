// Package cards serves what the sandbox's authority of test cards publishes: its certificate, and
// which cards it has revoked.
package cards

import (
	"io"
	"net/http"

	"diresco/internal/httpapi/pages"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/sandbox/cards"
)

// maxQuestion is how long a question by OCSP may be.
const maxQuestion = 8 << 10

// New makes the pages of an authority.
func New(a *cards.Authority, c clock.Clock) []pages.Page {
	return []pages.Page{
		{Pattern: cards.CertificatePath, Serve: func(w http.ResponseWriter, _ *http.Request) error {
			return write(w, "application/x-pem-file", a.CertificatePEM())
		}},
		{Pattern: cards.ListPath, Serve: func(w http.ResponseWriter, _ *http.Request) error {
			list, err := a.List(c.Now())
			if err != nil {
				return err
			}
			return write(w, "application/pkix-crl", list)
		}},
		{Pattern: cards.AnswersPath, Methods: []string{http.MethodPost}, Serve: func(w http.ResponseWriter, r *http.Request) error {
			question, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuestion))
			if err != nil {
				return err
			}
			answer, err := a.Answer(question, c.Now())
			if err != nil {
				return fault.Wrap(fault.Malformed, err)
			}
			return write(w, "application/ocsp-response", answer)
		}},
	}
}

func write(w http.ResponseWriter, contentType string, content []byte) error {
	w.Header().Set("Content-Type", contentType)
	_, err := w.Write(content)
	return err
}
