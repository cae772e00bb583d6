package edge

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// noticeYears is how long an operation goes on after it became deprecated, at least.
const noticeYears = 1

// leaving is what callers of an operation that will go are told with each answer.
type leaving struct {
	// since is a date as structured fields have it (RFC 9745), sunset one as HTTP has it (RFC 8594).
	since, sunset []string
	// at is where the documentation shows the operation, below its address.
	at string
}

// readLeaving reads whether the operation is deprecated. Both days belong to one that is, and at
// least a year lies between them.
func (op *operation) readLeaving(o *openapi3.Operation) error {
	var since, sunset string
	if err := errors.Join(extension(o, sinceExtension, &since), extension(o, sunsetExtension, &sunset)); err != nil {
		return err
	}
	if !o.Deprecated {
		if since != "" || sunset != "" {
			return fmt.Errorf("%s and %s: for operations that are deprecated", sinceExtension, sunsetExtension)
		}
		return nil
	}
	from, err := time.Parse(time.DateOnly, since)
	if err != nil {
		return fmt.Errorf("%s: a day is needed, such as 2027-01-31", sinceExtension)
	}
	until, err := time.Parse(time.DateOnly, sunset)
	if err != nil {
		return fmt.Errorf("%s: a day is needed, such as 2028-01-31", sunsetExtension)
	}
	if until.Before(from.AddDate(noticeYears, 0, 0)) {
		return fmt.Errorf("%s: sooner than a year after %s", sunsetExtension, sinceExtension)
	}
	op.leaving = &leaving{
		since:  []string{"@" + strconv.FormatInt(from.Unix(), 10)},
		sunset: []string{until.Format(http.TimeFormat)},
		at:     "/docs#/",
	}
	if len(o.Tags) > 0 {
		op.leaving.at += url.PathEscape(o.Tags[0]) + "/" + op.id
	}
	return nil
}

// announce tells the caller, refused or not, that the operation will go, and where to read about it.
func (l *leaving) announce(h http.Header, publicURL string) {
	h["Deprecation"], h["Sunset"] = l.since, l.sunset
	h.Add("Link", "<"+publicURL+l.at+`>; rel="deprecation"; type="text/html"`)
}
