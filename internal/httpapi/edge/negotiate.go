package edge

import (
	"cmp"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/platform/csvfile"
	"diresco/internal/platform/fault"
)

// streamType is that of an answer that has no end.
const streamType = "text/event-stream"

// negotiate makes sure that the caller can take the answer and that the edge can read the body.
// Problems are JSON for everybody, so who accepts nothing but problems is served too.
func (e *edge) negotiate(r *request) error {
	sent := r.c.Request()
	if len(r.op.produces) > 0 {
		chosen := chooseType(sent.Header.Values("Accept"), r.op.produces)
		if chosen == "" {
			return &fault.Fault{Code: fault.NotAcceptable, Allowed: r.op.produces}
		}
		if len(r.op.produces) > 1 || chosen == streamType {
			// The handler finds the one type that it should give. Where what it has is of one type,
			// it asks reqctx.MayAnswer.
			accept := sent.Header.Values("Accept")
			sent = sent.WithContext(reqctx.WithAccepted(sent.Context(), func(mediaType string) bool {
				return len(accept) == 0 || chooseType(accept, []string{mediaType}) != ""
			}))
			sent = sent.WithContext(reqctx.WithAnswer(sent.Context(), reqctx.Answer{
				MediaType: chosen, HeadersOnly: sent.Method == http.MethodHead, Extend: func() { e.extend(r) },
			}))
			sent.Header = sent.Header.Clone()
			sent.Header.Set("Accept", chosen)
			r.c.SetRequest(sent)
		}
	}
	if len(r.op.consumes) > 0 && hasBody(sent) && compressed(sent.Header) {
		// RFC 9110 section 15.5.16
		r.c.Response().Header().Set("Accept-Encoding", "identity")
		return fault.Because(fault.UnsupportedMediaType, problem.ReasonCompressedBody)
	}
	if len(r.op.consumes) > 0 && hasBody(sent) && !readable(sent.Header, r.op.consumes) {
		return &fault.Fault{Code: fault.UnsupportedMediaType, Allowed: r.op.consumes}
	}
	if len(r.op.raw) > 0 {
		// The generated code tells types apart by how they are written.
		if base, parameters, err := mime.ParseMediaType(sent.Header.Get(contentType)); err == nil {
			r.charset, _ = csvfile.Charset(cmp.Or(parameters["charset"], "utf-8"))
			sent.Header.Set(contentType, base)
		}
	}
	if r.op.form != nil && r.op.body != nil {
		// So it does here; a form keeps what separates its parts.
		if base, _, err := mime.ParseMediaType(sent.Header.Get(contentType)); err == nil && base == jsonType {
			sent.Header.Set(contentType, base)
		}
	}
	return nil
}

func hasBody(r *http.Request) bool {
	return r.ContentLength != 0 && r.Body != nil && r.Body != http.NoBody
}

// chooseType picks, of those that can be had, the media type that the caller likes best (RFC 9110
// section 12.5.1). In case of doubt that is the first; it returns "" if there is none.
func chooseType(accept, produces []string) string {
	if len(accept) == 0 || len(accept) == 1 && (accept[0] == "" || accept[0] == "*/*" || accept[0] == produces[0]) {
		return produces[0]
	}
	ranges := readAccept(accept)
	chosen, best := "", 0.0
	for _, have := range produces {
		if q := quality(ranges, have); q > best {
			chosen, best = have, q
		}
	}
	if chosen == "" && quality(ranges, problemType) > 0 {
		return produces[0]
	}
	return chosen
}

type mediaRange struct {
	kind, subtype string
	q             float64
}

// maxRanges bounds how many alternatives of one Accept header are looked at.
const maxRanges = 32

func readAccept(accept []string) []mediaRange {
	var ranges []mediaRange
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		if len(ranges) == maxRanges {
			break
		}
		base, parameters, err := mime.ParseMediaType(part)
		kind, subtype, ok := strings.Cut(base, "/")
		if err != nil || !ok {
			continue
		}
		r := mediaRange{kind, subtype, 1}
		if q, ok := parameters["q"]; ok {
			if r.q, err = strconv.ParseFloat(q, 64); err != nil || !(r.q >= 0 && r.q <= 1) {
				r.q = 0
			}
		}
		ranges = append(ranges, r)
	}
	return ranges
}

// quality is that of the most exact range that the type falls under.
func quality(ranges []mediaRange, mediaType string) float64 {
	kind, subtype, _ := strings.Cut(mediaType, "/")
	exact, q := -1, 0.0
	for _, r := range ranges {
		match := -1
		switch {
		case r.kind == kind && r.subtype == subtype:
			match = 2
		case r.kind == kind && r.subtype == "*":
			match = 1
		case r.kind == "*" && r.subtype == "*":
			match = 0
		}
		if match > exact {
			exact, q = match, r.q
		}
	}
	return q
}

func compressed(h http.Header) bool {
	encoding := h.Get("Content-Encoding")
	return encoding != "" && !strings.EqualFold(encoding, "identity")
}

// csvType is the one media type that may be in another character set than UTF-8: it is what
// spreadsheets write.
const csvType = "text/csv"

// readable reports whether the body is in one of the types, in UTF-8 or what else is read of it.
func readable(h http.Header, consumes []string) bool {
	values := h.Values(contentType)
	if len(values) != 1 {
		return false
	}
	for _, c := range consumes {
		if values[0] == c {
			return true
		}
	}
	base, parameters, err := mime.ParseMediaType(values[0])
	if err != nil {
		return false
	}
	if charset, ok := parameters["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		if _, known := csvfile.Charset(charset); !known || base != csvType {
			return false
		}
	}
	for _, c := range consumes {
		if base == c {
			return true
		}
	}
	return false
}
