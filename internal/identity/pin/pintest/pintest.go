// Package pintest puts together, for tests, what a login takes. That is people, PINs, limits,
// sessions and keys, on a given database, with a clock that stands still and hashes that cost
// little.
package pintest

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/otp"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/session"
	"diresco/internal/identity/throttle"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/recheck"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/taxcode"
)

// Start is where the clock of a new World stands: a Monday morning in March.
var Start = time.Date(2026, 3, 16, 8, 15, 0, 0, time.UTC)

// PublicURL is the issuer of the World's access tokens.
const PublicURL = "https://diresco.test"

// Tax codes of people that a test may create, and of one that it should not.
var (
	Mario    = taxcode.MustParse("RSSMRA80A01H501U")
	Giulia   = taxcode.MustParse("MKJRLA80A01L407X")
	Stranger = taxcode.MustParse("RSSMRA80A01H50MM")
)

// Cheap are hashing options under which a hash costs next to nothing and everybody's turn comes.
var Cheap = pin.HasherOptions{Memory: 8, Time: 1, Slots: 4, Queue: 1000, Wait: time.Minute}

// World is one process with the services that a login takes.
type World struct {
	DB        *db.DB
	Clock     *clock.Manual
	Runner    *operation.Runner
	Ring      *keyring.Keyring
	DataKeys  *keyring.DataKeys
	People    *person.Service
	Hasher    *pin.Hasher
	Limiter   *throttle.Limiter
	Addresses *throttle.AddressLimit
	Verifier  *pin.Verifier
	Sessions  *session.Service
	Codes     *otp.Codes
	PINs      *pin.Service
	// OnChange and OnFirstAccess are what PINs tells; a test may set them, nil stands for nobody.
	OnChange      func(ctx context.Context, personID uuid.UUID, pin secret.Text) error
	OnFirstAccess func(ctx context.Context, personID uuid.UUID, given time.Time) error
}

const defaultKey = "test"

// New puts a World together on a migrated database; its writers end with the test.
func New(t testing.TB, d *db.DB, o pin.HasherOptions) *World {
	t.Helper()
	set, err := keyring.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return assemble(t, d, clock.NewManual(Start), set, o, defaultKey)
}

// Twin is another process on the same database. It shares the clock with w and has signing keys of
// its own. Its data keys are those named; without names it has the one that w has, "test".
func (w *World) Twin(t testing.TB, dataKeys ...string) *World {
	t.Helper()
	set, err := keyring.Generate()
	if err != nil {
		t.Fatal(err)
	}
	if len(dataKeys) == 0 {
		dataKeys = []string{defaultKey}
	}
	return assemble(t, w.DB, w.Clock, set, Cheap, dataKeys...)
}

func assemble(t testing.TB, d *db.DB, c *clock.Manual, set *keyring.Private, o pin.HasherOptions, dataKeys ...string) *World {
	t.Helper()
	w := &World{DB: d, Clock: c}
	w.Runner = &operation.Runner{
		DB: d, Clock: c, Keys: idempotency.NewStore(d, c, nil), Trail: audit.NewTrail(d), Recheck: recheck.New(d, c),
	}
	var err error
	texts := make([]string, len(dataKeys))
	for i, id := range dataKeys {
		sum := sha256.Sum256([]byte(id))
		texts[i] = id + ":" + base64.StdEncoding.EncodeToString(sum[:])
	}
	if w.DataKeys, err = keyring.ParseDataKeys(secret.Text(strings.Join(texts, ","))); err != nil {
		t.Fatal(err)
	}
	if w.Ring, err = keyring.Open(context.Background(), d, c, set); err != nil {
		t.Fatal(err)
	}
	if w.Hasher, err = pin.NewHasher(o); err != nil {
		t.Fatal(err)
	}
	messages := outbox.New(d)
	w.People = person.NewService(person.Deps{Runner: w.Runner})
	w.Limiter = throttle.NewLimiter(d, c, w.DataKeys, messages)
	w.Addresses = throttle.NewAddressLimit(d, c, true)
	w.Verifier = pin.NewVerifier(d, c, w.Hasher, w.Limiter, w.Addresses)
	w.Sessions = session.NewService(session.Deps{
		Runner: w.Runner, PINs: w.Verifier, Keyring: w.Ring, Keys: w.DataKeys, Outbox: messages, PublicURL: PublicURL,
		Log: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(w.Sessions.Close)
	w.Codes = otp.New(d, c, w.DataKeys, w.Limiter, w.Addresses, rand.Reader)
	w.PINs = pin.NewService(pin.Deps{
		Runner: w.Runner, Verifier: w.Verifier, Sessions: w.Sessions, Outbox: messages, Keys: w.DataKeys, Codes: w.Codes,
		Random: rand.Reader,
		OnChange: func(ctx context.Context, personID uuid.UUID, pin secret.Text) error {
			if w.OnChange == nil {
				return nil
			}
			return w.OnChange(ctx, personID, pin)
		},
		OnFirstAccess: func(ctx context.Context, personID uuid.UUID, given time.Time) error {
			if w.OnFirstAccess == nil {
				return nil
			}
			return w.OnFirstAccess(ctx, personID, given)
		},
	})
	return w
}

// Person adds a person with a PIN: 16 characters as issued, or 8 that just work.
func (w *World) Person(t testing.TB, code taxcode.Code, class access.UserClass, initial bool) (person.Person, secret.Text) {
	t.Helper()
	ctx := context.Background()
	p, err := w.People.Create(ctx, person.New{
		TaxCode: code, GivenName: "Mario", FamilyName: "Rossi", UserClass: class, CredentialLevel: access.Dispositive,
		Contacts: []person.NewContact{{Kind: person.Email, Value: "mario.rossi@posta.example"}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if initial {
		text, err := w.PINs.Issue(ctx, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		return p, text
	}
	text, err := w.PINs.Generate(false)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := w.PINs.Hash(ctx, text)
	if err != nil {
		t.Fatal(err)
	}
	w.Must(t, func(ctx context.Context) error { return w.PINs.Set(ctx, p.ID, hash, false) })
	return p, text
}

// Login starts a session and ends the test when it cannot.
func (w *World) Login(t testing.TB, code taxcode.Code, text secret.Text) session.Session {
	t.Helper()
	s, err := w.Sessions.Start(context.Background(), code.Clear(), text, "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Actor is the holder of a session as the guard would let them in now.
func (w *World) Actor(t testing.TB, s session.Session) (access.Actor, error) {
	t.Helper()
	guard := access.NewGuard(access.NewRepository(w.DB, w.Clock), w.Sessions, w.Clock, false)
	claims, err := w.Sessions.Parse(context.Background(), s.AccessToken)
	if err != nil {
		return access.Actor{}, err
	}
	return guard.Enter(context.Background(), claims.SessionID, access.Rule{To: access.ToSession, Forced: true}, access.Target{})
}

// MustActor is Actor for a session that lives.
func (w *World) MustActor(t testing.TB, s session.Session) access.Actor {
	t.Helper()
	by, err := w.Actor(t, s)
	if err != nil {
		t.Fatal(err)
	}
	return by
}

// Must runs fn in a transaction and ends the test when it fails.
func (w *World) Must(t testing.TB, fn func(ctx context.Context) error) {
	t.Helper()
	if err := w.DB.InTx(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

// Exec runs one statement in a transaction of its own and ends the test when it fails.
func (w *World) Exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	w.Must(t, func(ctx context.Context) error { return w.DB.From(ctx).Exec(statement, args...).Error })
}

// Count returns how many rows a query selects: table and condition, as in "outbox WHERE kind = ?".
func (w *World) Count(t testing.TB, from string, args ...any) int {
	t.Helper()
	var n int
	if err := w.DB.From(context.Background()).Raw("SELECT COUNT(*) FROM "+from, args...).Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

// Message returns the newest promised message that fits the condition and ends the test when there
// is none.
func (w *World) Message(t testing.TB, condition string, args ...any) outbox.Message {
	t.Helper()
	var m outbox.Message
	if err := w.DB.From(context.Background()).Where(condition, args...).Order("created_at DESC, id DESC").Take(&m).Error; err != nil {
		t.Fatalf("message %s: %v", condition, err)
	}
	return m
}

// Signing returns the key that signs for a purpose, and its id.
func Signing(t testing.TB, ring *keyring.Keyring, p keyring.Purpose) (string, *ecdsa.PrivateKey) {
	t.Helper()
	kid, key, err := ring.Signing(p)
	if err != nil {
		t.Fatal(err)
	}
	return kid, key
}
