// Package webhook sends what happens to endpoints of applications, signed as Standard Webhooks 1.0
// says. An endpoint is given the events that some live consent of its application may see, each at
// least once, and nobody's personal data: what an event is about is read with a consent's token.
package webhook

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/platform/egress"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/hostname"
)

// SubjectKind is how the audit trail names a webhook.
const SubjectKind = "webhook"

// Ping is the type of the event that somebody has sent to try their endpoint.
const Ping = "webhook.ping"

// State is whether events are sent to an endpoint.
type State string

// The states of a webhook.
const (
	Enabled  State = "enabled"
	Disabled State = "disabled"
)

// Why a webhook is disabled.
const (
	// DisabledByOwner is by who manages the application.
	DisabledByOwner = "owner"
	// DisabledGone is by the endpoint, which answered 410.
	DisabledGone = "gone"
	// DisabledFailing is for an endpoint that only failed for as long as one event is tried.
	DisabledFailing = "failing"
)

// The bounds of what is added.
const (
	// AtMost is how many webhooks an application has.
	AtMost = 10
	maxURL = 500
	// maxSecrets is how many secrets of a webhook are in force at once.
	maxSecrets = 5
	// SecretOverlap is how long a secret is good beside the one that follows it.
	SecretOverlap = 24 * time.Hour
)

// Webhook is an endpoint of an application.
type Webhook struct {
	ID            uuid.UUID
	ApplicationID uuid.UUID
	URL           string `gorm:"column:url"`
	// EventTypes are those that are sent; none stands for all.
	EventTypes []string `gorm:"serializer:json"`
	State      State
	// DisabledReason and DisabledAt are nil while it is enabled.
	DisabledReason *string
	DisabledAt     *time.Time
	// FailingSince is since when it has only failed; nil where the last attempt succeeded.
	FailingSince *time.Time
	// PrivateKey is the seed of the Ed25519 key, sealed; PublicKey is as it is shown.
	PrivateKey string
	PublicKey  string
	CreatedAt  time.Time
	UpdatedAt  time.Time
	Version    int
	RemovedAt  *time.Time
}

// TableName tells GORM the table.
func (Webhook) TableName() string { return "webhooks" }

// Takes reports whether events of a type are sent to the webhook.
func (w Webhook) Takes(eventType string) bool {
	return len(w.EventTypes) == 0 || eventType == Ping || slices.Contains(w.EventTypes, eventType)
}

// disabled is the webhook as it is from an instant on, for a reason.
func (w Webhook) disabled(reason string, now time.Time) Webhook {
	w.State, w.DisabledReason, w.DisabledAt, w.FailingSince = Disabled, &reason, &now, nil
	return w
}

// enabled is the webhook as it begins anew.
func (w Webhook) enabled() Webhook {
	w.State, w.DisabledReason, w.DisabledAt, w.FailingSince = Enabled, nil, nil, nil
	return w
}

// Input is what somebody adds.
type Input struct {
	URL        string
	EventTypes []string
}

// Change is what somebody changes; what is nil stays.
type Change struct {
	URL *string
	// EventTypes are all where they are empty.
	EventTypes *[]string
	State      *State
}

// checkURL returns what is wrong with an address to which events are to be sent, or "". loopback
// also lets http in at the machine's own addresses, written as numbers.
func checkURL(raw string, loopback bool) string {
	switch {
	case raw == "":
		return fault.FieldTooShort
	case len(raw) > maxURL:
		return fault.FieldTooLong
	case strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"<>\\^`{|}", r) }):
		return fault.FieldCharacter
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return fault.FieldFormat
	case u.User != nil || strings.Contains(u.Host, "@"):
		return fault.FieldURIUserinfo
	case strings.Contains(raw, "#"):
		return fault.FieldURIFragment
	case localhost(u.Hostname()):
		return fault.FieldURILocalhost
	case !goodPort(u):
		return fault.FieldFormat
	}
	address, err := netip.ParseAddr(u.Hostname())
	numeric := err == nil
	switch {
	case u.Scheme == "http" && loopback && numeric && (address == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || address == netip.IPv6Loopback()):
		return ""
	case u.Scheme != "https":
		return fault.FieldURIInsecure
	case numeric && !egress.Public(address):
		return fault.FieldURIPrivate
	case numeric:
		return ""
	}
	// What is written as a number, in whatever way, and is no address is no name either.
	if _, ok := hostname.ASCII(u.Hostname()); !ok || endsInNumber(u.Hostname()) {
		return fault.FieldFormat
	}
	return ""
}

// endsInNumber reports whether some programs read a host as an IPv4 address, such as 127.1 or 0x7f.1.
func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(strings.TrimSuffix(host, "."), '.')+1:]
	_, err := strconv.ParseUint(strings.TrimSuffix(last, "."), 0, 64)
	return err == nil || strings.Trim(last, "0123456789.") == ""
}

func localhost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func goodPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && n > 0
}

// checkTypes returns what is wrong with the types of events that somebody wants.
func checkTypes(types, known []string) []fault.Field {
	var wrong []fault.Field
	for i, one := range types {
		switch at := "/event_types/" + strconv.Itoa(i); {
		case !slices.Contains(known, one):
			wrong = append(wrong, fault.Field{Pointer: at, Code: fault.FieldEnum})
		case slices.Contains(types[:i], one):
			wrong = append(wrong, fault.Field{Pointer: at, Code: fault.FieldDuplicate})
		}
	}
	return wrong
}
