package edge

import (
	"github.com/google/uuid"
)

const (
	requestIDHeader = "Request-Id"
	requestIDMin    = 8
	requestIDMax    = 64
)

// identify names the request: by the caller's id if that is fit for a log, else by a new one. It
// also finds out who is at the other end of the line.
func (e *edge) identify(r *request) error {
	sent := r.c.Request()
	r.requestID = sent.Header.Get(requestIDHeader)
	if !fitRequestID(r.requestID) {
		r.requestID = uuid.Must(uuid.NewV7()).String()
	}
	r.address = e.addresses.of(sent)
	r.c.Response().Header()[requestIDHeader] = []string{r.requestID}
	return nil
}

func fitRequestID(id string) bool {
	if len(id) < requestIDMin || len(id) > requestIDMax {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
