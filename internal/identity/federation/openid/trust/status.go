package trust

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// statusType is that of a signed answer about a trust mark.
const statusType = "trust-mark-status-response+jwt"

// statusFor is how long it counts that an issuer called a trust mark active.
const statusFor = time.Hour

// active is the one status with which a trust mark counts.
const active = "active"

// Ask posts a form to an address and returns the answer. What the other side refuses, such as a trust
// mark that it does not know, is ErrMark.
type Ask func(ctx context.Context, address string, form url.Values) ([]byte, error)

// issuer is who issues trust marks.
type issuer struct {
	name string
	keys Keys
	// until is when what is known of it ends.
	until time.Time
	// status is where it tells whether a mark is still active; "" where it does not.
	status string
}

// statusEndpoint is where an entity tells of its trust marks, by its metadata.
func statusEndpoint(metadata map[string]any) string {
	address, _ := metadata["federation_trust_mark_status_endpoint"].(string)
	return address
}

// checkStatus asks an issuer whether a trust mark that it signed is still active (OpenID Federation
// 1.0, 8.4). It returns ErrMark for one that is not, and ErrUnreachable.
func (s *search) checkStatus(ctx context.Context, by issuer, mark string) error {
	if s.left--; s.left < 0 {
		return ErrNoPath
	}
	answer, err := s.resolver.ask(ctx, by.status, url.Values{"trust_mark": {mark}})
	switch {
	case errors.Is(err, ErrMark):
		return ErrMark
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	answer = bytes.TrimSpace(answer)
	if bytes.HasPrefix(answer, []byte("{")) {
		// So drafts have it, and the national profile after them: the connection alone says from whom.
		var plain struct {
			Active bool `json:"active"`
		}
		if json.Unmarshal(answer, &plain) != nil || !plain.Active {
			return ErrMark
		}
		return nil
	}
	payload, err := Signed(string(answer), statusType, by.keys)
	if err != nil {
		return ErrMark
	}
	var signed struct {
		Issuer   string `json:"iss"`
		IssuedAt int64  `json:"iat"`
		Mark     string `json:"trust_mark"`
		Status   string `json:"status"`
	}
	if json.Unmarshal(payload, &signed) != nil || signed.Issuer != by.name || signed.Mark != mark || signed.Status != active ||
		within(signed.IssuedAt, s.now.Add(statusFor).Unix(), s.now) != nil || s.now.Sub(time.Unix(signed.IssuedAt, 0)) > statusFor {
		return ErrMark
	}
	return nil
}
