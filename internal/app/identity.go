package app

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/application"
	"diresco/internal/identity/consent"
	"diresco/internal/identity/dpop"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/card"
	"diresco/internal/identity/oauth"
	"diresco/internal/identity/otp"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/pinrecovery"
	"diresco/internal/identity/pinrequest"
	"diresco/internal/identity/pinupgrade"
	"diresco/internal/identity/session"
	"diresco/internal/identity/staff"
	"diresco/internal/identity/throttle"
	"diresco/internal/kernel/look"
	"diresco/internal/platform/attachment"
	"diresco/internal/sandbox"
)

// codesKept is how long a code that has expired is remembered.
const codesKept = 24 * time.Hour

// identity is who somebody is and how they prove it.
type identity struct {
	addresses    *throttle.AddressLimit
	limiter      *throttle.Limiter
	sessions     *session.Service
	consents     *consent.Service
	codes        *otp.Codes
	people       *person.Service
	contacts     *person.AddressBook
	pins         *pin.Service
	looks        *look.Service
	recovery     *pinrecovery.Service
	requests     *pinrequest.Service
	applications *application.Service
	oauth        *oauth.Service
	proofs       *dpop.Service
	federation   *federation.Service
}

// credentials is what makes credentials dispositive, or gives them at the counter. It completes
// what waits for that in filing and mandate, so it is made after these.
type credentials struct {
	upgrades *pinupgrade.Service
	staff    *staff.Service
}

func newIdentity(p platform, k kernel, m masterdata) (identity, error) {
	addresses := throttle.NewAddressLimit(p.db, p.clock, !p.sandbox)
	limiter := throttle.NewLimiter(p.db, p.clock, p.dataKeys, k.outbox)
	hasher, err := pin.NewHasher(p.pinCost)
	if err != nil {
		return identity{}, err
	}
	verifier := pin.NewVerifier(p.db, p.clock, hasher, limiter, addresses)
	sessions := session.NewService(session.Deps{
		Runner: k.runner, PINs: verifier, Keyring: p.keys, Keys: p.dataKeys, Outbox: k.outbox, PublicURL: p.config.PublicURL, Log: p.log,
	})
	k.rights.SeenBy(sessions.LastSeen)
	consents := consent.NewService(consent.Deps{
		Runner: k.runner, Rights: k.rights, Contributors: m.contributors, Sessions: sessions, Outbox: k.outbox,
	})
	sessions.OnReuse(consents.EndReused)
	codes := otp.New(p.db, p.clock, p.dataKeys, limiter, addresses, p.random)
	people := person.NewService(person.Deps{Runner: k.runner})
	contacts := person.NewAddressBook(person.Deps{Runner: k.runner, Codes: codes, Outbox: k.outbox, Keys: p.dataKeys})
	pinDeps := pin.Deps{
		Runner: k.runner, Verifier: verifier, Sessions: consent.Personal{Service: sessions, Consents: consents}, Outbox: k.outbox,
		Keys: p.dataKeys, Codes: codes, Random: p.random,
		// Contacts that took the halves of a PIN to its holder count from the first access with it
		// on.
		OnFirstAccess: func(ctx context.Context, personID uuid.UUID, given time.Time) error {
			return contacts.FirstAccess(ctx, personID, pin.HalfKind, given)
		},
	}
	if p.sandbox {
		pinDeps.OnChange = sandbox.PINChanged(p.db, p.clock)
	}
	pins := pin.NewService(pinDeps)
	looks := look.NewService(look.Deps{DB: p.db, Clock: p.clock, Trail: k.runner.Trail, Staff: people, Outbox: k.outbox})
	applications := application.NewService(application.Deps{
		Runner: k.runner, Rights: k.rights, Outbox: k.outbox, Instant: p.sandbox, Ended: consents.EndOfApplication,
	})
	authorities, err := clientAuthorities(p.config)
	if err != nil {
		return identity{}, err
	}
	proofs := dpop.NewService(p.db, p.clock, p.config.PublicURL, p.config.MTLSURL)
	return identity{
		addresses: addresses, limiter: limiter, sessions: sessions, consents: consents, codes: codes, people: people, contacts: contacts,
		pins: pins, looks: looks,
		recovery: pinrecovery.NewService(pinrecovery.Deps{
			Runner: k.runner, People: people, PINs: pins, Codes: codes, Outbox: k.outbox, Keys: p.dataKeys,
		}),
		requests: pinrequest.NewService(pinrequest.Deps{
			Runner: k.runner, People: people, Register: m.residents, PINs: pins, Outbox: k.outbox, Looks: looks,
			Random: p.random,
		}),
		applications: applications, proofs: proofs,
		federation: newFederation(p, k, m, sessions, people, contacts, applications),
		oauth: oauth.NewService(oauth.Deps{
			Runner: k.runner, Keys: p.dataKeys, Limiter: limiter, Addresses: addresses, Applications: applications, Consents: consents,
			Sessions: sessions, Proofs: proofs, Random: p.random, PublicURL: p.config.PublicURL, MutualURL: p.config.MTLSURL,
			Loopback: p.sandbox, Log: p.log, Authorities: authorities,
			Revocation: card.NewOnline(card.OnlineDeps{Clock: p.clock, Log: p.log, Loopback: p.sandbox}),
			Count: func(ctx context.Context, id uuid.UUID) error {
				return reqctx.Count(ctx, reqctx.Sender{ID: id, Program: true})
			},
		}),
	}, nil
}

func newCredentials(p platform, g groups) credentials {
	k, m, id := g.kernel, g.masterdata, g.identity
	waiting := completers{g.filing.declarations, g.mandate.enrolments, g.dossier.publicBodies}
	id.federation.OnLogin(waiting.CompleteFor)
	return credentials{
		upgrades: pinupgrade.NewService(pinupgrade.Deps{
			Runner: k.runner, Register: g.filing.register, Outbox: k.outbox, Files: attachment.NewStore(p.bucket),
			Offices: m.contributors, Residents: m.residents, People: id.people, Declarations: waiting, Looks: id.looks,
			Scans: k.scans, Log: p.log,
		}),
		staff: staff.NewService(staff.Deps{
			Runner: k.runner, People: id.people, PINs: id.pins, Sessions: consent.Personal{Service: id.sessions, Consents: id.consents},
			Consents: id.consents, Offices: m.contributors, Declarations: waiting, Outbox: k.outbox,
			Codes: id.codes, Keys: p.dataKeys, Files: attachment.NewStore(p.bucket), Looks: id.looks,
			Scans: k.scans,
		}),
	}
}

// completer completes what waits for dispositive credentials.
type completer interface {
	CompleteFor(ctx context.Context, personID uuid.UUID) error
}

// completers are all kinds of what may wait.
type completers []completer

// CompleteFor completes what a person filed with ordinary credentials, in the context's
// transaction.
func (all completers) CompleteFor(ctx context.Context, personID uuid.UUID) error {
	for _, one := range all {
		if err := one.CompleteFor(ctx, personID); err != nil {
			return err
		}
	}
	return nil
}

// forgetCodes drops codes that have had their time.
func (id identity) forgetCodes(ctx context.Context) error { return id.codes.Forget(ctx, codesKept) }
