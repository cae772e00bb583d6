package spid

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/crewjam/saml"

	"diresco/internal/identity/federation"
	"diresco/internal/platform/egress"
)

const (
	// freshFor is how long metadata are used before they are asked for again.
	freshFor = 6 * time.Hour
	// retryAfter is how long those are left alone that could not be had, while older ones serve.
	retryAfter = 10 * time.Minute
	// RefreshEvery is how often Refresh is to be called: how soon is asked again while nobody is known.
	RefreshEvery = time.Minute
	// maxMetadata is how large metadata may be; those of all providers of SPID have 200 KiB.
	maxMetadata = 4 << 20
	// fetchTimeout bounds one request for metadata.
	fetchTimeout = 20 * time.Second
)

// Origin is where the metadata of providers come from.
type Origin struct {
	// Kind is what the providers speak for.
	Kind federation.Kind
	// Location is the path of a file, or an https URL.
	Location string
	// Signers are the certificates under which the metadata must be signed; without any, the
	// location alone is trusted.
	Signers []*x509.Certificate
	// Cache is the path at which the last good copy of a URL is kept, or "".
	Cache string
	// Network has the private networks in which the URL may lie; the rest of it is for tests.
	Network egress.Options
}

// Registry keeps the providers of one origin.
type Registry struct {
	origin    Origin
	providers atomic.Pointer[[]*provider]
	// readAt is when the metadata were last had from their origin, and triedAt when that was tried.
	// Refresh and Open alone use them.
	readAt, triedAt time.Time
}

// NewRegistry makes a registry that knows nobody until Refresh or Set.
func NewRegistry(o Origin) *Registry { return &Registry{origin: o} }

// Set makes a registry know the providers of metadata that a program has at hand.
func (s *Service) Set(r *Registry, metadata []byte) error {
	fresh, err := s.read(r.origin, metadata)
	if err != nil {
		return err
	}
	r.providers.Store(&fresh)
	return nil
}

// errOver is that of metadata none of whose providers can be used any more.
var errOver = errors.New("what they say is valid no more")

// Open reads what is at hand at the start: files, which must be good or have been, and of a URL the
// last good copy. It waits for no network; Refresh asks it.
func (s *Service) Open(ctx context.Context) error {
	for _, r := range s.registries {
		if !r.remote() {
			err := s.refresh(ctx, r)
			switch {
			case errors.Is(err, errOver):
				// Time alone has brought it about, so the other ways of logging in go on.
				s.Log.Error("nobody can log in by these providers until there are newer metadata", "kind", r.origin.Kind, "error", err)
			case err != nil:
				return fmt.Errorf("DIRESCO_%s_METADATA, the metadata of providers: %w", strings.ToUpper(string(r.origin.Kind)), err)
			}
			continue
		}
		copied, err := os.ReadFile(r.origin.Cache)
		if err == nil {
			err = s.Set(r, copied)
		}
		if err != nil {
			s.Log.Info("nobody can log in by these providers until their metadata have been fetched", "kind", r.origin.Kind)
		}
	}
	return nil
}

// Refresh has the metadata again where they are old. What cannot be had, or is not good, changes
// nothing.
func (s *Service) Refresh(ctx context.Context) {
	for _, r := range s.registries {
		now, known := s.Clock.Now(), r.providers.Load() != nil
		if now.Sub(r.readAt) < freshFor || known && now.Sub(r.triedAt) < retryAfter {
			continue
		}
		r.triedAt = now
		switch err := s.refresh(ctx, r); {
		case ctx.Err() != nil:
			return
		case err != nil && known:
			s.Log.Warn("the metadata of providers were not renewed: the old ones stay in force", "kind", r.origin.Kind, "error", err)
		case err != nil:
			s.Log.Error("nobody can log in by these providers until their metadata can be had", "kind", r.origin.Kind, "error", err)
		case !known && r.remote():
			s.Log.Info("the metadata of providers have been fetched: people can log in by them", "kind", r.origin.Kind)
		}
	}
}

// Known counts the providers that people can log in by, for each kind that is configured.
func (s *Service) Known() map[federation.Kind]int {
	counted := map[federation.Kind]int{}
	for _, r := range s.registries {
		counted[r.origin.Kind] += 0 // so a kind without any is there
		for _, p := range r.known() {
			if !p.isOver() {
				counted[r.origin.Kind]++
			}
		}
	}
	return counted
}

// known are the providers of a registry, none until there are metadata.
func (r *Registry) known() []*provider {
	if known := r.providers.Load(); known != nil {
		return *known
	}
	return nil
}

func (r *Registry) remote() bool { return strings.Contains(r.origin.Location, "://") }

// refresh has the metadata from their origin.
func (s *Service) refresh(ctx context.Context, r *Registry) error {
	if r.origin.Location == "" {
		return nil
	}
	metadata, err := r.fetch(ctx)
	if err != nil {
		return err
	}
	if err := s.Set(r, metadata); err != nil {
		return err
	}
	r.readAt = s.Clock.Now()
	if r.remote() && r.origin.Cache != "" {
		if err := federation.KeepCopy(r.origin.Cache, metadata); err != nil {
			s.Log.Warn("no copy of the metadata of providers was kept", "kind", r.origin.Kind, "error", err)
		}
	}
	return nil
}

// fetch has the metadata from a file or by HTTP.
func (r *Registry) fetch(ctx context.Context) ([]byte, error) {
	if !r.remote() {
		file, err := os.Open(r.origin.Location)
		if err != nil {
			return nil, errors.New("the file cannot be read")
		}
		defer func() { _ = file.Close() }()
		return readAll(file)
	}
	target, err := egress.CheckURL(r.origin.Location)
	if err != nil {
		return nil, err
	}
	network := r.origin.Network
	network.Timeout = fetchTimeout
	client := egress.Client(target, network)
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answers %d", response.StatusCode)
	}
	return readAll(response.Body)
}

func readAll(from io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(from, maxMetadata+1))
	if err == nil && len(content) > maxMetadata {
		err = errors.New("they are too large")
	}
	return content, err
}

// read makes providers of metadata. A provider that cannot be used is left out and logged; where
// none is left it is an error.
func (s *Service) read(o Origin, metadata []byte) ([]*provider, error) {
	if err := checkMetadataForm(metadata); err != nil {
		return nil, err
	}
	if len(o.Signers) > 0 {
		var err error
		if metadata, err = saml.VerifyMetadataSignature(metadata, o.Signers); err != nil {
			return nil, errors.New("their signature is not that of the configured certificate")
		}
	}
	entities, err := entitiesOf(metadata)
	if err != nil {
		return nil, err
	}
	var all []*provider
	seen, over := map[string]bool{}, false
	for i := range entities {
		entity := &entities[i]
		if len(entity.IDPSSODescriptors) == 0 {
			continue
		}
		p, err := s.newProvider(o.Kind, entity)
		switch {
		case seen[entity.EntityID]:
			err = errors.New("it stands in them twice")
		case err == nil && !entity.ValidUntil.IsZero() && !s.Clock.Now().Before(entity.ValidUntil):
			err, over = errOver, true
		}
		// One that is wrong does not keep people from the others.
		if err != nil {
			s.Log.Warn("a provider is left out", "provider", providerID(o.Kind, entity.EntityID), "error", err)
		} else {
			all = append(all, p)
		}
		seen[entity.EntityID] = true
	}
	switch {
	case len(all) > 0:
	case over:
		return nil, errOver
	default:
		return nil, errors.New("they have no provider that can be used")
	}
	return all, nil
}

// checkMetadataForm refuses what is no XML or declares entities.
func checkMetadataForm(metadata []byte) error {
	for decoder := xml.NewDecoder(bytes.NewReader(metadata)); ; {
		token, err := decoder.Token()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return errors.New("they are no XML")
		}
		if _, declares := token.(xml.Directive); declares {
			return errors.New("they declare a document type")
		}
	}
}

// entitiesOf lists the entities of metadata. Each has the earliest end of those around it.
func entitiesOf(metadata []byte) ([]saml.EntityDescriptor, error) {
	var one saml.EntityDescriptor
	if err := xml.Unmarshal(metadata, &one); err == nil {
		return []saml.EntityDescriptor{one}, nil
	}
	var many saml.EntitiesDescriptor
	if err := xml.Unmarshal(metadata, &many); err != nil {
		return nil, errors.New("they are no metadata of SAML")
	}
	return flatten(many, time.Time{}), nil
}

func flatten(many saml.EntitiesDescriptor, until time.Time) []saml.EntityDescriptor {
	if many.ValidUntil != nil {
		until = earlier(until, *many.ValidUntil)
	}
	all := many.EntityDescriptors
	for i := range all {
		all[i].ValidUntil = earlier(all[i].ValidUntil, until)
	}
	for _, below := range many.EntitiesDescriptors {
		all = append(all, flatten(below, until)...)
	}
	return all
}

// earlier returns the earlier of two times, of which the zero one is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
