package trust

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"diresco/internal/platform/clock"
)

const (
	// maxIntermediates is how many entities stand between a party and its anchor, whatever is
	// configured.
	maxIntermediates = 8
	// maxFetches bounds what one resolution may cost.
	maxFetches = 40
	// longest is how long a resolution counts, whatever the statements say.
	longest = 24 * time.Hour
)

// Anchor is where chains end. Its keys are configured, never fetched.
type Anchor struct {
	EntityID string `json:"entity_id"`
	Keys     Keys   `json:"jwks"`
}

// Demands are what a chain must satisfy.
type Demands struct {
	Anchors []Anchor
	// Marks are the types of the trust marks that the party must have, all of them.
	Marks []string
	// MaxPath is how many entities may stand between the party and its anchor.
	MaxPath int
}

// Fetch returns the text at an address.
type Fetch func(ctx context.Context, address string) ([]byte, error)

// Resolver finds chains.
type Resolver struct {
	fetch Fetch
	ask   Ask
	clock clock.Clock
}

// NewResolver makes a resolver.
func NewResolver(fetch Fetch, ask Ask, c clock.Clock) *Resolver {
	return &Resolver{fetch: fetch, ask: ask, clock: c}
}

// Resolved is a party that an anchor answers for.
type Resolved struct {
	Anchor string
	// Metadata are those of the asked type, after all policies.
	Metadata map[string]any
	// Chain are the signed statements, the party's own first and the anchor's last.
	Chain []string
	// Marks are the trust marks that were verified.
	Marks []MarkEntry
	// ExpiresAt is when the first of all that was looked at expires.
	ExpiresAt time.Time
	// AskAt is when it is time to resolve anew: before the end, where an issuer tells of its marks.
	AskAt time.Time
}

// Resolve finds a chain from an entity to one of the anchors and returns what it says. The errors
// wrap those of this package.
func (r *Resolver) Resolve(ctx context.Context, entity, typ string, d Demands) (Resolved, error) {
	search := &search{resolver: r, demands: d, now: r.clock.Now(), left: maxFetches}
	resolved, _, err := search.resolve(ctx, entity, typ)
	if err != nil {
		return Resolved{}, err
	}
	for _, mark := range d.Marks {
		entry, expires, err := search.verifyMark(ctx, resolved, mark)
		if err != nil {
			return Resolved{}, err
		}
		resolved.marks = append(resolved.marks, entry)
		resolved.expires = earlier(resolved.expires, expires)
	}
	expires := earlier(resolved.expires, search.now.Add(longest))
	again := expires
	if search.asked {
		again = earlier(expires, search.now.Add(statusFor))
	}
	return Resolved{
		Anchor: resolved.anchor().Subject, Metadata: resolved.metadata, Chain: resolved.raws(), Marks: resolved.marks,
		ExpiresAt: expires, AskAt: again,
	}, nil
}

// search is one resolution.
type search struct {
	resolver *Resolver
	demands  Demands
	now      time.Time
	left     int
	// asked is whether an issuer was asked about a mark.
	asked bool
}

// chain is a verified one.
type chain struct {
	statements []Statement
	metadata   map[string]any
	marks      []MarkEntry
	expires    time.Time
}

func (c chain) anchor() Statement { return c.statements[len(c.statements)-1] }

func (c chain) raws() []string {
	raws := make([]string, len(c.statements))
	for i, s := range c.statements {
		raws[i] = s.Raw
	}
	return raws
}

// keysOf returns the keys that the chain's last superior vouches for as those of its first entity.
func (c chain) keysOf() Keys { return c.statements[min(1, len(c.statements)-1)].Keys }

func (s *search) resolve(ctx context.Context, entity, typ string) (chain, Keys, error) {
	own, err := s.configuration(ctx, entity)
	if err != nil {
		return chain{}, nil, err
	}
	if anchor, is := s.anchor(entity); is {
		// An anchor's own configuration is a chain by itself.
		if own, err = read(own.Raw, entity, entity, anchor.Keys, s.now); err != nil {
			return chain{}, nil, err
		}
		c := chain{statements: []Statement{own}, metadata: own.Metadata[typ], expires: time.Unix(own.Expires, 0)}
		return c, own.Keys, nil
	}
	return s.climb(ctx, typ, []Statement{own}, own)
}

// climb tries each superior of an entity until a chain is whole and right. The first reason for
// which a path failed that reached an anchor is what is returned.
func (s *search) climb(ctx context.Context, typ string, below []Statement, at Statement) (chain, Keys, error) {
	failed := ErrNoPath
	note := func(err error) {
		if failed == ErrNoPath { //nolint:errorlint // it is the value that stands for none yet
			failed = err
		}
	}
	for _, hint := range at.AuthorityHints {
		if slices.ContainsFunc(below, func(b Statement) bool { return b.Subject == hint || b.Issuer == hint }) {
			continue // in a circle
		}
		superior, err := s.configuration(ctx, hint)
		if err != nil {
			note(err)
			continue
		}
		statement, err := s.statement(ctx, superior, at.Subject)
		if err != nil {
			note(err)
			continue
		}
		path := append(slices.Clone(below), statement)
		if anchor, is := s.anchor(hint); is {
			c, err := verify(append(path, superior), typ, anchor, s.demands.MaxPath, s.now)
			if err == nil {
				return c, c.keysOf(), nil
			}
			failed = err
			continue
		}
		// The path has the party and this superior; those between are one less than its statements.
		if len(path)-1 > min(s.demands.MaxPath, maxIntermediates) {
			note(ErrPathLength)
			continue
		}
		c, keys, err := s.climb(ctx, typ, path, superior)
		if err == nil {
			return c, keys, nil
		}
		note(err)
	}
	return chain{}, nil, failed
}

func (s *search) anchor(entity string) (Anchor, bool) {
	i := slices.IndexFunc(s.demands.Anchors, func(a Anchor) bool { return a.EntityID == entity })
	if i < 0 {
		return Anchor{}, false
	}
	return s.demands.Anchors[i], true
}

// configuration fetches what an entity says of itself.
func (s *search) configuration(ctx context.Context, entity string) (Statement, error) {
	raw, err := s.get(ctx, strings.TrimSuffix(entity, "/")+WellKnown)
	if err != nil {
		return Statement{}, err
	}
	return Self(raw, entity, s.now)
}

// statement fetches what a superior says of a subordinate.
func (s *search) statement(ctx context.Context, superior Statement, subject string) (Statement, error) {
	endpoint, _ := superior.Metadata[federationEntity]["federation_fetch_endpoint"].(string)
	u, err := url.Parse(endpoint)
	if err != nil || endpoint == "" {
		return Statement{}, ErrForm
	}
	query := u.Query()
	query.Set("sub", subject)
	u.RawQuery = query.Encode()
	raw, err := s.get(ctx, u.String())
	if err != nil {
		return Statement{}, err
	}
	return read(raw, superior.Subject, subject, superior.Keys, s.now)
}

func (s *search) get(ctx context.Context, address string) (string, error) {
	if s.left--; s.left < 0 {
		return "", ErrNoPath
	}
	raw, err := s.resolver.fetch(ctx, address)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return string(raw), nil
}

// verify holds a path against every rule. It has the party's configuration, each superior's
// statement of the one below, and the anchor's configuration; each is verified by the keys that the
// next one up vouches for.
func verify(path []Statement, typ string, anchor Anchor, maxPath int, now time.Time) (chain, error) {
	top := len(path) - 1
	statements := make([]Statement, len(path))
	expires := now.Add(longest)
	keys := anchor.Keys
	for i := top; i >= 0; i-- {
		var err error
		if statements[i], err = read(path[i].Raw, path[i].Issuer, path[i].Subject, keys, now); err != nil {
			return chain{}, err
		}
		if i < top && statements[i+1].Subject != statements[i].Issuer {
			return chain{}, ErrForm
		}
		keys = statements[i].Keys
		expires = earlier(expires, time.Unix(statements[i].Expires, 0))
	}
	// Between the party and its anchor stands one for every statement but the anchor's.
	if top-2 > min(maxPath, maxIntermediates) {
		return chain{}, ErrPathLength
	}
	party := statements[0]
	types := slices.Collect(maps.Keys(party.Metadata))
	for i := 1; i <= top; i++ {
		below := make([]string, 0, i)
		for _, s := range statements[:min(i+1, top)] {
			if !slices.Contains(below, s.Subject) && s.Subject != statements[i].Issuer {
				below = append(below, s.Subject)
			}
		}
		if err := statements[i].Constraints.check(below, types, min(i, top-1)-1); err != nil {
			return chain{}, err
		}
	}
	metadata, err := policed(statements, typ)
	if err != nil {
		return chain{}, err
	}
	return chain{statements: statements, metadata: metadata, expires: expires}, nil
}

// policed returns the party's metadata of one type after what its superiors say.
func policed(statements []Statement, typ string) (map[string]any, error) {
	metadata := maps.Clone(statements[0].Metadata[typ])
	if metadata == nil {
		return nil, ErrEntityType
	}
	// Its immediate superior, and no other, may say some of them itself.
	maps.Copy(metadata, statements[1].Metadata[typ])
	all := policy{}
	for i := len(statements) - 2; i >= 1; i-- {
		if err := all.merge(statements[i].Policy[typ], statements[i].PolicyCritical); err != nil {
			return nil, err
		}
	}
	return metadata, all.apply(metadata)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
