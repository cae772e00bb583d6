// Package oauth lets applications in by OAuth 2.0: authorization code with PKCE, device code and
// refresh.
//
// An application begins a flow; somebody who has logged in approves it, which gives a consent, or
// denies it; the application then redeems a code for the tokens of the consent's grant session. It
// is a narrow server on purpose (RFC 9700): no implicit grant, no passwords, no client secrets.
package oauth

import (
	"crypto/x509"
	"net/url"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/application"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/secret"
)

// Where the endpoints are, below the public address.
const (
	AuthorizePath     = "/oauth2/authorize"
	PushPath          = "/oauth2/par"
	TokenPath         = "/oauth2/token"
	DevicePath        = "/oauth2/device-authorization"
	DevicePagePath    = "/oauth2/device"
	IntrospectionPath = "/oauth2/introspection"
	RevocationPath    = "/oauth2/revocation"
	MetadataPath      = "/.well-known/oauth-authorization-server"
)

const (
	// RequestLife is how long a pushed request waits for the browser (RFC 9126).
	RequestLife = 60 * time.Second
	// FlowLife is how long login and consent may take once a flow has begun.
	FlowLife = 15 * time.Minute
	// CodeLife is how long an authorization code may be redeemed.
	CodeLife = 60 * time.Second
	// DeviceLife is how long a device's codes live.
	DeviceLife = 10 * time.Minute
	// PollInterval is how long a device waits between two questions; each that comes too early adds
	// as much.
	PollInterval = 5 * time.Second
	// flowsKept is how long a flow is remembered after its end, so that a code that is used again
	// is known for what it is.
	flowsKept = 24 * time.Hour
)

// DetailType is the type of the authorization details that there are (RFC 9396).
const DetailType = "diresco_access"

// Post is a form that an application sends, and what came along with it.
type Post struct {
	Form url.Values
	// Proofs are the values of the header DPoP.
	Proofs []string
	// Certificate is that of the connection by which the form came; nil without one.
	Certificate *x509.Certificate
	// Between are the certificates that came along with it, towards its authority.
	Between []*x509.Certificate
	// IdempotencyKey counts where a token is refreshed.
	IdempotencyKey string
}

// Detail narrows what an application asks for down to contributors and services.
type Detail struct {
	// Contributors are those that it names; nil for all.
	Contributors []uuid.UUID
	// Services are those that it names; nil for all.
	Services access.ServiceSet
}

// Flow is an application's request to be let in, as somebody is shown it.
type Flow struct {
	ID          uuid.UUID
	Application application.Application
	Scopes      []string
	// Details has one member at most; without one the application names neither contributors nor
	// services.
	Details []Detail
	// Language is the first of the languages that the application asked for: "it", "en" or "".
	Language  string
	ExpiresAt time.Time
	// Device says that the application runs elsewhere and showed a code. Who is asked to type one
	// may be deceived about what they let in: the page warns.
	Device bool
}

// Choice is what somebody gives to an application.
type Choice struct {
	Services access.ServiceSet
	// Contributors are those that it is about; nil for all.
	Contributors []uuid.UUID
	ExpiresAt    time.Time
}

// Tokens are what an application is given.
type Tokens struct {
	AccessToken secret.Text
	// RefreshToken is empty where the grant is not for offline use.
	RefreshToken secret.Text
	ExpiresIn    time.Duration
	Scopes       []string
	// Binding is what the access token is bound to.
	Binding access.Binding
	// Granted is what the person gave; nil after a refresh.
	Granted *Detail
}

// Pushed is the answer to a request that was pushed.
type Pushed struct {
	RequestURI secret.Text
	ExpiresIn  time.Duration
}

// Device is the answer to a device that wants to be let in.
type Device struct {
	DeviceCode secret.Text
	// UserCode is as it is shown, in two groups.
	UserCode        secret.Text
	VerificationURI string
	ExpiresIn       time.Duration
	Interval        time.Duration
}
