// Package idp is the sandbox's own identity provider. It speaks SAML 2.0 as the providers of SPID
// do, and OpenID Connect, and asks nobody for a password: whoever tests chooses who logs in, at
// which level, and what goes wrong.
//
// It keeps what is under way in memory, and no more than a bounded number of it.
package idp

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"io"
	"net/url"
	"slices"
	"time"

	"diresco/internal/platform/clock"
	"diresco/internal/platform/secret"
)

// Where the provider is, below the public address.
const (
	Path         = "/sandbox/identity-provider"
	SAMLPath     = Path + "/saml"
	MetadataPath = SAMLPath + "/metadata"
	OpenIDPath   = Path + "/openid"
)

// Levels are those that somebody can log in at.
const (
	lowest  = 1
	highest = 3
)

// asked is the level of a request that names none.
const asked = 2

const (
	// requestFor is how long a request waits for somebody to choose.
	requestFor = 15 * time.Minute
	// codeFor is how long a code is good, and the token that it is exchanged for.
	codeFor = 5 * time.Minute
	// most is how much of each kind is kept; the oldest makes room.
	most = 1000
)

// Errors of what is asked for.
var (
	// ErrUnknown means that a request is over, or never was.
	ErrUnknown = errors.New("no such request")
	// ErrDown means that the provider was told to be out of order.
	ErrDown = errors.New("the provider is out of order")
	// ErrChoice means that somebody chose what there is not.
	ErrChoice = errors.New("no such choice")
)

// Invalid is a request that the provider does not take. The text is for whoever made it.
type Invalid struct{ Text string }

// Error implements error.
func (i *Invalid) Error() string { return i.Text }

// Outcome is what becomes of a login.
type Outcome string

// The outcomes.
const (
	Granted     Outcome = "granted"
	Refused     Outcome = "refused"
	Cancelled   Outcome = "cancelled"
	TimedOut    Outcome = "timed-out"
	LevelTooLow Outcome = "level-too-low"
	Blocked     Outcome = "blocked"
	WrongTries  Outcome = "wrong-credentials"
	Down        Outcome = "down"
)

// Outcomes lists all, in the order in which they are offered.
func Outcomes() []Outcome {
	return []Outcome{Granted, Refused, Cancelled, TimedOut, LevelTooLow, Blocked, WrongTries, Down}
}

// Number is the national one of an outcome; 0 where there is none.
func (o Outcome) Number() int {
	switch o {
	case WrongTries:
		return 19
	case LevelTooLow:
		return 20
	case TimedOut:
		return 21
	case Refused:
		return 22
	case Blocked:
		return 23
	case Cancelled:
		return 25
	default:
		return 0
	}
}

// Person is somebody who can log in.
type Person struct {
	// Key names the person.
	Key         string
	Description string
	TaxCode     string
	GivenName   string
	FamilyName  string
	// Sex is M or F.
	Sex string
	// BirthDate is YYYY-MM-DD, BirthPlace the cadastral code and Province that of the town.
	BirthDate  string
	BirthPlace string
	Province   string
	// Email and Mobile are "" where the provider knows none.
	Email  string
	Mobile string
}

// Choice is what somebody chose.
type Choice struct {
	Person  Person
	Level   int
	Outcome Outcome
}

// Request is one that waits for somebody to choose.
type Request struct {
	ID string
	// Provider is what the users' button says.
	Provider string
	// Level is the one asked for.
	Level int

	saml   *samlRequest
	openid *authorization
}

// Field is an entry of a form, or something that is told of a person.
type Field struct{ Name, Value string }

// Answer is what the browser takes back.
type Answer struct {
	URL string
	// Form is posted to the URL; nil for a redirect.
	Form []Field
	// Told is what it says of the person; empty where the login did not succeed.
	Told []Field
}

// Client is one of the service's ways to the OpenID provider.
type Client struct {
	ID     string
	Secret secret.Text
	// Name is what the users' button says.
	Name string
}

// Deps are what the provider works with. All are needed.
type Deps struct {
	// PublicURL is where the world finds the sandbox.
	PublicURL string
	Clock     clock.Clock
	Random    io.Reader
	// Key signs all that the provider says; see NewKey.
	Key *rsa.PrivateKey
	// Name is what the users' button says of SAML.
	Name string
	// ServiceMetadata returns the service provider's SAML metadata.
	ServiceMetadata func(ctx context.Context) ([]byte, error)
	// Clients are those of OpenID Connect, and RedirectURI where all of them are called back.
	Clients     []Client
	RedirectURI string
}

// Provider is the sandbox's identity provider.
type Provider struct {
	Deps
	issuer      *url.URL
	certificate *x509.Certificate
	requests    *memory[Request]
	codes       *memory[grant]
	tokens      *memory[grant]
}

// New returns a provider.
func New(d Deps) (*Provider, error) {
	root, err := url.Parse(d.PublicURL)
	if err != nil {
		return nil, err
	}
	certificate, err := Certify(d.Key, "Sandbox identity provider", d.Random)
	if err != nil {
		return nil, err
	}
	return &Provider{
		Deps: d, issuer: root, certificate: certificate,
		requests: newMemory[Request](requestFor, d), codes: newMemory[grant](codeFor, d), tokens: newMemory[grant](codeFor, d),
	}, nil
}

// Forget drops all that is under way.
func (p *Provider) Forget() {
	p.requests.clear()
	p.codes.clear()
	p.tokens.clear()
}

// Waiting returns the request that waits by that name, or ErrUnknown.
func (p *Provider) Waiting(id string) (Request, error) {
	r, found := p.requests.get(id)
	if !found {
		return Request{}, ErrUnknown
	}
	r.ID = id
	return r, nil
}

// Answer ends a request as somebody chose. Faults:
//   - ErrUnknown: the request is over
//   - ErrChoice: the level or the outcome is none
//   - ErrDown: the provider was told to be out of order, by SAML
func (p *Provider) Answer(id string, choice Choice) (Answer, error) {
	if choice.Level < lowest || choice.Level > highest || !slices.Contains(Outcomes(), choice.Outcome) {
		return Answer{}, ErrChoice
	}
	r, found := p.requests.take(id)
	switch {
	case !found:
		return Answer{}, ErrUnknown
	case r.openid != nil:
		return p.answerOpenID(*r.openid, choice)
	case choice.Outcome == Down:
		return Answer{}, ErrDown
	default:
		return p.answerSAML(r.saml, choice)
	}
}

// at returns a place below the public address.
func (p *Provider) at(path string) string { return p.issuer.JoinPath(path).String() }
