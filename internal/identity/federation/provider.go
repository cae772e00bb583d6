// Package federation lets people log in with the national identities: SPID, CIE, or an OpenID
// Connect provider of the body's own. All ways have one shape: a login is begun, the browser goes to
// the provider, the provider's answer is verified, and a one-time code opens the session.
package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/session"
	"diresco/internal/platform/secret"
)

// Kind is what a provider speaks for.
type Kind string

// The kinds of providers.
const (
	SPID Kind = "spid"
	CIE  Kind = "cie"
	OIDC Kind = "oidc"
	// CNS is the national service card.
	CNS Kind = "cns"
)

// Protocol is how a provider's answer arrives.
type Protocol string

// The protocols.
const (
	SAML          Protocol = "saml"
	OpenIDConnect Protocol = "openid-connect"
	// Certificate is that of a card, shown at the cards' own address.
	Certificate Protocol = "certificate"
)

// Level is how sure a provider is of somebody: 1, 2 or 3 (SPID levels; eIDAS low, substantial, high).
// A level above the one asked for is as good.
type Level int

// The levels that let somebody in (INPS rules of access: SPID of level 2 at least).
const (
	Lowest  Level = 2
	highest Level = 3
)

// About describes a provider.
type About struct {
	// ID is stable and opaque to clients, at most 64 characters of a-z, 0-9 and hyphens.
	ID       string
	Kind     Kind
	Protocol Protocol
	// Method is what the session and its receipts say of a login here.
	Method      session.LoginMethod
	DisplayName string
	// LogoURI is "" where the provider has none.
	LogoURI string
	// Levels are those that can be asked for, lowest first.
	Levels []Level
}

// Attempt is one login as it was begun.
type Attempt struct {
	ID uuid.UUID
	// Level is what was asked for; an answer below it is refused.
	Level Level
	// State goes to the provider and comes back: 48 letters and digits.
	State secret.Text
	// Nonce binds an ID token to this attempt: 48 letters and digits.
	Nonce secret.Text
	// Verifier is the PKCE verifier (RFC 7636) towards the provider: 64 letters and digits.
	Verifier secret.Text
	// BegunAt is in whole seconds.
	BegunAt time.Time
	// Kept is what the provider asked to be remembered when the attempt was begun. It is stored
	// encrypted.
	Kept json.RawMessage
}

// Field is one of a form.
type Field struct{ Name, Value string }

// Departure is where the browser goes.
type Departure struct {
	URL string
	// Form is posted to the URL; nil for a plain redirect.
	Form []Field
	// Kept comes back in the Attempt; see there.
	Kept json.RawMessage
}

// Claims are what a provider says of somebody, verified.
type Claims struct {
	// TaxCode is upper case, of a natural person, with its check letter right, without a prefix.
	TaxCode    string
	GivenName  string
	FamilyName string
	// BirthDate is YYYY-MM-DD, BirthPlace the cadastral code; each "" when not told.
	BirthDate  string
	BirthPlace string
	// Email and Mobile are what the provider says, not verified by us; each "" when not told.
	Email  string
	Mobile string
	// Level is what was reached.
	Level Level
	// Once are identifiers of the answer that may be seen one time only, over all processes.
	Once []string
}

// Provider is one way in. Its methods may be called from many goroutines.
type Provider interface {
	About() About
	// Begin makes the request for an attempt. A provider that cannot be reached is a Refusal with
	// Unavailable.
	Begin(ctx context.Context, a Attempt) (Departure, error)
	// Finish verifies an answer. What it does not accept is a *Refusal.
	Finish(ctx context.Context, a Attempt, answer url.Values) (Claims, error)
}

// Source is where providers come from. What it returns may change while the program runs.
type Source interface {
	Providers() []Provider
}

// Outcome is why a login did not succeed, as applications read it at their return URL.
type Outcome string

// The outcomes.
const (
	// Denied is that the person or the provider ended the login; the number says why.
	Denied Outcome = "access_denied"
	// Unavailable is that the provider could not be reached.
	Unavailable Outcome = "temporarily_unavailable"
	// Invalid is that the answer was not what the rules ask for.
	Invalid Outcome = "invalid_answer"
)

// Refusal is a login that did not succeed.
type Refusal struct {
	Outcome Outcome
	// Number is the national one, 19 to 25 or 30 (SPID, table of error codes); 0 when there is none.
	Number int
	// Reason says why in the words of texts where there is no number, such as that a card was revoked;
	// it may be "".
	Reason string
	// Rule names the rule that was broken, for logs: fixed words, never a value of the answer.
	Rule string
	// Cause is more for the operator, of what was asked; nil where there is no more. Nothing of a person
	// is in it.
	Cause error
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("login refused: %s %d %s", r.Outcome, r.Number, r.Rule)
}
