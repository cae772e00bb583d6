// Package spid lets people log in by SPID in SAML 2.0, and by the entry of CIE that speaks the same.
// It is a service provider as the national technical rules say.
//
// A library verifies signatures and the common rules of SAML; what the national rules ask for
// beside that stands here, each rule with a name. What an answer says is taken from the element
// whose signature was verified, and from nothing else.
package spid

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/crewjam/saml"

	"diresco/internal/identity/federation"
	"diresco/internal/platform/clock"
)

// The paths at which browsers and providers come.
const (
	AnswerPath   = "/federation/spid/acs"
	LogoutPath   = "/federation/spid/logout"
	MetadataPath = "/federation/spid/metadata"
)

const (
	// skew is how far clocks may differ.
	skew = 10 * time.Second
	// issueDelay is how old an answer may be. Its own end counts too and is mostly earlier.
	issueDelay = 5 * time.Minute
)

// Config is what this service is at the providers.
type Config struct {
	// EntityID is the name under which the providers know this service.
	EntityID string
	// PublicURL is the origin by which browsers come.
	PublicURL string
	// Keys are all that are published; the first signs.
	Keys []KeyPair
	// Organisation is whose service it is.
	Organisation Organisation
	// Comparison is how the level is asked for: minimum or exact.
	Comparison string
	// Attributes are the names of what SPID is asked for. CIE has a set of its own.
	Attributes []string
	// Post sends requests by a form even where a provider takes a redirect.
	Post bool
	// Plain lets browsers be sent to addresses without TLS: in a sandbox alone.
	Plain bool
}

// Deps are what the service works with.
type Deps struct {
	Clock  clock.Clock
	Random io.Reader
	Log    *slog.Logger
}

// Service makes providers of what their metadata say. It is a federation.Source.
type Service struct {
	Config
	Deps
	answerURL, logoutURL url.URL
	metadata             map[federation.Kind][]byte
	registries           []*Registry
}

// tolerances sets what the library has once for a whole process.
var tolerances = sync.OnceFunc(func() { saml.MaxClockSkew, saml.MaxIssueDelay = skew, issueDelay })

// New makes a service. Its error has one line for an administrator.
func New(c Config, d Deps, registries ...*Registry) (*Service, error) {
	tolerances()
	if len(c.Keys) == 0 {
		return nil, errors.New("SPID needs a certificate with its key")
	}
	base, err := url.Parse(c.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("the public URL: %w", err)
	}
	s := &Service{Config: c, Deps: d, answerURL: *base.JoinPath(AnswerPath), logoutURL: *base.JoinPath(LogoutPath), registries: registries}
	s.metadata = map[federation.Kind][]byte{}
	for _, kind := range []federation.Kind{federation.SPID, federation.CIE} {
		if s.metadata[kind], err = s.describe(kind); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Metadata returns the signed description of this service that SPID or CIE is given.
func (s *Service) Metadata(kind federation.Kind) []byte { return slices.Clone(s.metadata[kind]) }

// Providers implements federation.Source. One whose metadata have ended is none.
func (s *Service) Providers() []federation.Provider {
	var all []federation.Provider
	for _, p := range s.known() {
		if !p.isOver() {
			all = append(all, p)
		}
	}
	return all
}

// known are the providers of all registries.
func (s *Service) known() []*provider {
	var all []*provider
	for _, r := range s.registries {
		all = append(all, r.known()...)
	}
	return all
}
