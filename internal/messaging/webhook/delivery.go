package webhook

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"diresco/internal/kernel/event"
)

// DeliveryState is how far an event has come on its way to an endpoint.
type DeliveryState string

// The states of a delivery.
const (
	// Waiting is for its first or next attempt.
	Waiting   DeliveryState = "waiting"
	Delivered DeliveryState = "delivered"
	// Failed was not taken in as long as it is tried.
	Failed DeliveryState = "failed"
	// Cancelled is what may not be sent any more.
	Cancelled DeliveryState = "cancelled"
)

// Outcome is what one attempt came to.
type Outcome string

// The outcomes of an attempt.
const (
	Took Outcome = "delivered"
	// Refused is any answer but 2xx.
	Refused        Outcome = "refused"
	TimedOut       Outcome = "timeout"
	Unreachable    Outcome = "unreachable"
	Insecure       Outcome = "tls"
	AddressRefused Outcome = "address_refused"
)

// Delivery is the way of one event to one endpoint.
type Delivery struct {
	ID        uuid.UUID
	WebhookID uuid.UUID
	// EventID is what the receiver knows it by, the same at each attempt.
	EventID uuid.UUID
	Type    string
	// At is when it happened.
	At            time.Time
	ContributorID *uuid.UUID
	PositionID    *uuid.UUID
	DelegateID    *uuid.UUID
	PersonID      *uuid.UUID
	Service       string
	SubjectKind   string
	SubjectID     string
	State         DeliveryState
	// Tries are the attempts since it began, or began anew.
	Tries int
	// NextAt is when it may be tried. Of what a process has in its hands, it is when that loses it.
	NextAt time.Time
	// DeadlineAt is when it is tried last; nil before the first attempt.
	DeadlineAt *time.Time
	// LeaseOwner is the process that has it in its hands, or had it last.
	LeaseOwner *string
	// ReplayID is the replay that had it sent again last.
	ReplayID  *uuid.UUID
	CreatedAt time.Time
	UpdatedAt time.Time
}

// TableName tells GORM the table.
func (Delivery) TableName() string { return "webhook_deliveries" }

// anew is the delivery as it begins again.
func (d Delivery) anew(replayID uuid.UUID, now time.Time) Delivery {
	d.State, d.Tries, d.NextAt, d.DeadlineAt, d.LeaseOwner = Waiting, 0, now, nil, nil
	d.ReplayID, d.UpdatedAt = &replayID, now
	return d
}

// Attempt is one attempt to deliver an event.
type Attempt struct {
	ID         uuid.UUID
	DeliveryID uuid.UUID
	At         time.Time
	Outcome    Outcome
	// Status is that of the answer; 0 where there was none.
	Status     int
	DurationMS int `gorm:"column:duration_ms"`
	// Answer is how the answer begins.
	Answer *string
}

// TableName tells GORM the table.
func (Attempt) TableName() string { return "webhook_attempts" }

// View is a delivery with its last attempts, the newest first.
type View struct {
	Delivery
	Attempts []Attempt
}

const (
	// Patience is how long an event is tried, and how long an endpoint may only fail.
	Patience = 3 * 24 * time.Hour
	// longestRetryAfter is how long an endpoint may ask to be left alone.
	longestRetryAfter = 24 * time.Hour
	// LogKept is how long deliveries are kept, and how far a replay reaches back.
	LogKept = 30 * 24 * time.Hour
)

// waits are those between attempts. After the last, attempts follow at its distance until the
// deadline, at which there is one more.
var waits = []time.Duration{
	5 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour,
}

// retry returns when a delivery is tried again that failed at an instant, after so many tries. It
// reports false where its deadline was then. Each wait is up to a quarter longer, so that what
// failed together does not come back together.
func retry(tries int, after time.Duration, now, deadline time.Time, random io.Reader) (time.Time, bool) {
	if !now.Before(deadline) {
		return time.Time{}, false
	}
	wait := waits[min(max(tries-1, 0), len(waits)-1)]
	// Without randomness the retries come together, which is no reason to lose them.
	if spread, err := rand.Int(random, big.NewInt(int64(wait/4))); err == nil {
		wait += time.Duration(spread.Int64())
	}
	next := now.Add(max(wait, min(after, longestRetryAfter)))
	if next.After(deadline) {
		next = deadline
	}
	return next, true
}

// retryAfter reads how long an endpoint asks to be left alone (RFC 9110 section 10.2.3): seconds or
// a date. It is zero where it does not ask.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// maxAnswer is how many bytes of an answer are kept.
const maxAnswer = 512

// printable returns how an answer begins, of what can be printed; nil where that is nothing.
func printable(answer []byte) *string {
	text := strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case r == unicode.ReplacementChar || !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(answer), ""))
	if text = strings.TrimSpace(text); text == "" {
		return nil
	}
	if len(text) > maxAnswer {
		text = strings.ToValidUTF8(text[:maxAnswer], "")
	}
	return &text
}

// message is what is sent, as Standard Webhooks has it.
type message struct {
	Type      string      `json:"type"`
	Timestamp time.Time   `json:"timestamp"`
	Data      messageData `json:"data"`
}

type messageData struct {
	EventID       uuid.UUID      `json:"event_id"`
	ContributorID *uuid.UUID     `json:"contributor_id,omitempty"`
	Subject       messageSubject `json:"subject"`
	URL           string         `json:"url,omitempty"`
}

type messageSubject struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// body is what is sent of a delivery, the same at each attempt.
func (d Delivery) body(baseURL string) ([]byte, error) {
	kind, path := d.Subject()
	if path != "" {
		path = baseURL + path
	}
	return json.Marshal(message{d.Type, d.At.UTC(), messageData{d.EventID, d.ContributorID, messageSubject{kind, d.SubjectID}, path}})
}

// Subject is how the API names the kind of what the event is about, and where an application reads
// it; "" where it cannot, as the person's own consents.
func (d Delivery) Subject() (kind, path string) {
	if d.SubjectKind == SubjectKind {
		return d.SubjectKind, ""
	}
	kind, path = event.Event{SubjectKind: d.SubjectKind, SubjectID: d.SubjectID}.Subject()
	if aboutConsent(d.Type) {
		path = ""
	}
	return kind, path
}

// aboutConsent reports whether the event is about a consent that somebody gave to the application.
func aboutConsent(eventType string) bool { return slices.Contains(consentTypes, eventType) }
