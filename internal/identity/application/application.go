// Package application keeps the register of applications: software of others that people may let
// act for them (OAuth 2.0 clients). It keeps who registered one, what it may ask for, and whether
// it may ask at all. What people then give to an application is kept elsewhere.
package application

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/outbox"
)

// SubjectKind is how the audit trail names an application.
const SubjectKind = "application"

// Kind tells whether an application can keep a key of its own.
type Kind string

// The kinds of application.
const (
	// Public applications run with their user: in a browser, on a telephone or a desktop.
	Public Kind = "public"
	// Confidential applications run on a server and prove who they are by a key.
	Confidential Kind = "confidential"
)

// AuthMethod is how an application proves at the token endpoint which one it is.
type AuthMethod string

// The methods, as RFC 7591 and OpenID Connect name them.
const (
	NoAuth        AuthMethod = "none"
	PrivateKeyJWT AuthMethod = "private_key_jwt"
)

// State is where an application stands.
type State string

// The states of an application.
const (
	Submitted State = "submitted"
	Approved  State = "approved"
	Refused   State = "refused"
	Suspended State = "suspended"
)

// The scopes that an application may ask for.
const (
	ScopeDeclarations     = "declarations"
	ScopeDeclarationsRead = "declarations.read"
	ScopeDossier          = "dossier"
	ScopeDossierRead      = "dossier.read"
	ScopeDelegationsRead  = "delegations.read"
	ScopeEvents           = "events"
	ScopeOfflineAccess    = "offline_access"
)

// Scopes lists every scope that there is.
func Scopes() []string {
	return []string{
		ScopeDeclarations, ScopeDeclarationsRead, ScopeDossier, ScopeDossierRead, ScopeDelegationsRead, ScopeEvents, ScopeOfflineAccess,
	}
}

// Kinds of the messages to who registered an application.
var (
	// Decided tells the outcome of a decision: {display_name, subject, outcome, reason}. The subject
	// is "application" or "change".
	Decided = outbox.Declare(outbox.Kind{Name: "application.decided"})
	// SuspendedKind tells that an application was suspended: {display_name, reason, at}.
	SuspendedKind = outbox.Declare(outbox.Kind{Name: "application.suspended"})
)

// Application is software that may ask people to let it act for them.
type Application struct {
	ID           uuid.UUID
	ClientID     string
	DisplayName  string
	Kind         Kind
	AuthMethod   AuthMethod `gorm:"column:token_endpoint_auth_method"`
	RedirectURIs []string   `gorm:"column:redirect_uris;serializer:json"`
	// JWKS is the key set of a confidential application; nil where JWKSURI names one.
	JWKS json.RawMessage `gorm:"column:jwks;serializer:json"`
	// JWKSURI is where the key set is fetched; "" where there is JWKS.
	JWKSURI      string   `gorm:"column:jwks_uri"`
	Scopes       []string `gorm:"serializer:json"`
	ContactEmail string
	// LogoURI is "" where there is no logo.
	LogoURI string `gorm:"column:logo_uri"`
	State   State
	// Pending is what is to replace the above once it is approved; nil where nothing waits.
	Pending *Profile `gorm:"serializer:json"`
	// PersonID is who registered it.
	PersonID uuid.UUID
	// ContributorID or DelegateID is the organisation that it belongs to. Without either it is the
	// person's own.
	ContributorID *uuid.UUID
	DelegateID    *uuid.UUID
	CreatedAt     time.Time
	UpdatedAt     time.Time
	// SubmittedAt is since when it, or what is Pending, waits for a decision.
	SubmittedAt time.Time
	Version     int
	// DecidedBy, DecidedAt and DecisionReason are of the last decision or suspension.
	DecidedBy      *uuid.UUID
	DecidedAt      *time.Time
	DecisionReason *string
	RemovedAt      *time.Time
}

// TableName tells GORM the table.
func (Application) TableName() string { return "applications" }

// Profile is what people see of an application and what it may do: what is reviewed.
type Profile struct {
	DisplayName  string          `json:"display_name"`
	RedirectURIs []string        `json:"redirect_uris"`
	JWKS         json.RawMessage `json:"jwks,omitempty"`
	JWKSURI      string          `json:"jwks_uri,omitempty"`
	Scopes       []string        `json:"scopes"`
	LogoURI      string          `json:"logo_uri,omitempty"`
}

// Live reports whether people may let the application act for them.
func (a Application) Live() bool { return a.State == Approved && a.RemovedAt == nil }

// AllowsRedirect reports whether the application may be answered at an address. It must be one that
// was registered, to the letter; of a loopback address the port is free (RFC 8252).
func (a Application) AllowsRedirect(uri string) bool {
	if slices.Contains(a.RedirectURIs, uri) {
		return true
	}
	host, rest, ok := loopback(uri)
	return ok && slices.ContainsFunc(a.RedirectURIs, func(registered string) bool {
		registeredHost, registeredRest, ok := loopback(registered)
		return ok && registeredHost == host && registeredRest == rest
	})
}
