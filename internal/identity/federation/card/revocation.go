package card

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/singleflight"

	"diresco/internal/platform/clock"
)

// ErrRevoked means that an authority has revoked a certificate.
var ErrRevoked = errors.New("the certificate is revoked")

// ErrUnchecked means that no authority could be asked about a certificate.
var ErrUnchecked = errors.New("whether the certificate is revoked could not be found out")

const (
	// freshFor is how long an answer is used without asking again, if its authority lets that be.
	freshFor = 30 * time.Minute
	// retryAfter is how long what failed is left alone.
	retryAfter = 20 * time.Second
	// skew is by how much an authority's clock may be ahead.
	skew = 2 * time.Minute
	// mostAsked is how many addresses of each kind are tried for one certificate.
	mostAsked = 3

	mostAnswers  = 20_000
	mostFailures = 1_000
	// mostListBytes is how much of revocation lists is kept, by the length of what was fetched.
	mostListBytes = 128 << 20
)

// Online asks the authorities themselves, by OCSP (RFC 6960) and revocation lists (RFC 5280). The
// addresses are those that a certificate names, and are asked once its authority is known.
type Online struct {
	clock    clock.Clock
	log      *slog.Logger
	get      getter
	answers  *cache[bool]
	lists    *cache[*revoked]
	failures *cache[struct{}]
	flight   singleflight.Group
}

// OnlineDeps are what Online works with.
type OnlineDeps struct {
	Clock clock.Clock
	Log   *slog.Logger
	// Loopback lets certificates name addresses of this machine too: for the sandbox.
	Loopback bool
}

// NewOnline makes what asks authorities.
func NewOnline(d OnlineDeps) *Online {
	return &Online{
		clock: d.Clock, log: d.Log, get: getter{loopback: d.Loopback},
		answers: newCache[bool](mostAnswers), lists: newCache[*revoked](mostListBytes), failures: newCache[struct{}](mostFailures),
	}
}

// Check implements Revocation. The first authority that knows decides: OCSP before lists, what they
// say now before what they said. Where nobody answers, what was kept is good until its end.
func (o *Online) Check(ctx context.Context, certificate, issuer *x509.Certificate) error {
	ways := []func(context.Context, *x509.Certificate, *x509.Certificate) (bool, error){o.askOCSP, o.askList, o.recall}
	for _, ask := range ways {
		switch isRevoked, err := ask(ctx, certificate, issuer); {
		case err != nil:
		case isRevoked:
			return ErrRevoked
		default:
			return nil
		}
	}
	if err := ctx.Err(); err != nil {
		return errors.Join(ErrUnchecked, err)
	}
	return ErrUnchecked
}

// askOCSP asks the responders that the certificate names. A responder that does answer, and not as it
// should, takes back what was kept of it.
func (o *Online) askOCSP(ctx context.Context, certificate, issuer *x509.Certificate) (bool, error) {
	key := keyOf(certificate, issuer)
	if isRevoked, _, fresh := o.answers.get(key, o.clock.Now()); fresh {
		return isRevoked, nil
	}
	for _, address := range o.addresses(certificate.OCSPServer) {
		found, err := o.once(ctx, "ocsp "+key+" "+address, address, func(ctx context.Context) (any, error) {
			return o.fetchOCSP(ctx, address, key, certificate, issuer)
		})
		if err == nil {
			return found.(bool), nil //nolint:forcetypeassert // made above
		}
	}
	return false, ErrUnchecked
}

// askList looks into the lists that the certificate names.
func (o *Online) askList(ctx context.Context, certificate, issuer *x509.Certificate) (bool, error) {
	for _, address := range o.addresses(certificate.CRLDistributionPoints) {
		key := listKey(address, issuer)
		list, _, fresh := o.lists.get(key, o.clock.Now())
		if !fresh {
			found, err := o.once(ctx, "list "+key, address, func(ctx context.Context) (any, error) {
				return o.fetchList(ctx, address, key, issuer)
			})
			if err != nil {
				continue
			}
			list = found.(*revoked) //nolint:forcetypeassert // made above
		}
		if list.about(certificate) {
			return list.has(certificate.SerialNumber), nil
		}
	}
	return false, ErrUnchecked
}

// recall returns what was kept and is good still: it is revoked if anybody said so.
func (o *Online) recall(_ context.Context, certificate, issuer *x509.Certificate) (bool, error) {
	now := o.clock.Now()
	isRevoked, known, _ := o.answers.get(keyOf(certificate, issuer), now)
	for _, address := range o.addresses(certificate.CRLDistributionPoints) {
		if list, good, _ := o.lists.get(listKey(address, issuer), now); good && list.about(certificate) {
			isRevoked, known = isRevoked || list.has(certificate.SerialNumber), true
		}
	}
	if !known {
		return false, ErrUnchecked
	}
	return isRevoked, nil
}

func listKey(address string, issuer *x509.Certificate) string {
	return address + " " + fingerprint(issuer.Raw)
}

// addresses are those that can be asked, of those that a certificate names.
func (o *Online) addresses(named []string) []string {
	var found []string
	for _, address := range named {
		if len(found) < mostAsked && o.get.may(address) {
			found = append(found, address)
		}
	}
	return found
}

// once lets one fetch serve all who wait for it. It goes on when the one who asked goes away. What
// failed just now is not asked again: the question, or the whole address where nobody answers.
func (o *Online) once(ctx context.Context, key, address string, fetch func(ctx context.Context) (any, error)) (any, error) {
	for _, failed := range []string{key, address} {
		if _, recently, _ := o.failures.get(failed, o.clock.Now()); recently {
			return nil, ErrUnchecked
		}
	}
	waiting := o.flight.DoChan(key, func() (any, error) {
		found, err := fetch(context.WithoutCancel(ctx))
		if err != nil {
			failed, now := key, o.clock.Now()
			if errors.Is(err, errAway) {
				failed = address
			}
			o.failures.put(failed, entry[struct{}]{cost: 1, fresh: now.Add(retryAfter), until: now.Add(retryAfter)}, now)
			o.log.LogAttrs(ctx, slog.LevelWarn, "an authority was asked in vain whether a certificate is revoked",
				slog.String("address", address), slog.String("error", err.Error()))
		}
		return found, err
	})
	select {
	case result := <-waiting:
		return result.Val, result.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// keyOf names a certificate of an issuer.
func keyOf(certificate, issuer *x509.Certificate) string {
	return fingerprint(issuer.RawSubject, issuer.RawSubjectPublicKeyInfo, certificate.SerialNumber.Bytes())
}

func fingerprint(parts ...[]byte) string {
	digest := sha256.New()
	for _, part := range parts {
		sum := sha256.Sum256(part)
		digest.Write(sum[:])
	}
	return hex.EncodeToString(digest.Sum(nil))
}
