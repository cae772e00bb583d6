// Package sandbox is the world for testers: people with known PINs, contributors, readable
// messages, and a movable clock.
//
// Nothing of it is reachable anywhere else. It is the one package that knows every table: it shows
// people together with what they hold, and it empties the database.
package sandbox

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/google/uuid"
	"gocloud.dev/blob"

	"diresco/db"
	"diresco/internal/dossier/survey"
	"diresco/internal/dossier/ticket"
	"diresco/internal/filing/declaration"
	"diresco/internal/filing/fund"
	"diresco/internal/identity/person"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/masterdata/intermediary"
	"diresco/internal/masterdata/residents"
	"diresco/internal/masterdata/servicecatalog"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/due"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/taxcode"
)

// PINs makes PINs and gives them to people.
type PINs interface {
	// Generate returns a new PIN: 16 characters as issued at first, else 8.
	Generate(initial bool) (secret.Text, error)
	// Hash returns what is stored of a PIN. It takes long and belongs outside of transactions.
	Hash(ctx context.Context, pin secret.Text) (string, error)
	// HashPublic returns what is stored of a PIN that is no secret; it takes no time.
	HashPublic(pin secret.Text) (string, error)
	// Set gives the person a PIN by its hash, in the context's transaction. An initial one has to
	// be changed at the first login.
	Set(ctx context.Context, personID uuid.UUID, hash string, initial bool) error
}

// Backlog is work that is done off the requests.
type Backlog interface {
	// Due reports whether Drain would find something to do.
	Due(ctx context.Context) (bool, error)
	// Drain does all that is due; it may run inside a transaction.
	Drain(ctx context.Context) error
}

// Sessions logs people in.
type Sessions interface {
	// Start logs somebody in with tax code and PIN, from an address.
	Start(ctx context.Context, taxCode string, pin secret.Text, address string) (session.Session, error)
}

// Deps are what the sandbox works with. All are needed.
type Deps struct {
	Runner *operation.Runner
	// Clock is the clock of the whole program.
	Clock        *clock.Offset
	People       *person.Service
	Contributors *contributor.Service
	Types        *declaration.Types
	// Messages sends what is promised, by the channels of Senders, when it is told to and not by
	// itself.
	Messages *outbox.Worker
	// Background is what else is done off the requests, and here when testers look; it may promise
	// messages.
	Background []Backlog
	// Due does what falls due while the clock is moved.
	Due      *due.Scheduler
	PINs     PINs
	Sessions Sessions
	// Blobs holds the files that were made of declarations, each named after its id. Those that
	// people sent stand in folders named after what they belong to. Reset deletes them.
	Blobs  *blob.Bucket
	Random io.Reader
	// Forget drops what the sandbox keeps in memory beside its data. Reset calls it.
	Forget func()
	// Public sandboxes are shared by strangers: nobody moves the clock or resets there.
	Public bool
}

// Service is what can be done with the sandbox.
type Service struct {
	db             *db.DB
	repo           repository
	run            *operation.Runner
	clock          *clock.Offset
	persons        *person.Service
	register       *residents.Register
	contributors   *contributor.Service
	types          *declaration.Types
	funds          *fund.Service
	services       *servicecatalog.Catalogue
	surveys        *survey.Service
	topics         *ticket.Topics
	intermediaries *intermediary.Repository
	messages       *outbox.Worker
	background     []Backlog
	due            *due.Scheduler
	pins           PINs
	sessions       Sessions
	blobs          *blob.Bucket
	choose         chooser
	forget         func()
	public         bool
	// turn is held by what moves the clock.
	turn sync.Mutex
}

// NewService returns the service.
func NewService(d Deps) *Service {
	return &Service{
		db: d.Runner.DB, repo: repository{d.Runner.DB}, run: d.Runner, clock: d.Clock, persons: d.People,
		register: residents.New(d.Runner.DB, d.Clock), intermediaries: intermediary.NewRepository(d.Runner.DB),
		contributors: d.Contributors, types: d.Types, funds: fund.NewService(fund.Deps{Runner: d.Runner}),
		surveys:  survey.NewService(survey.Deps{Runner: d.Runner}),
		services: servicecatalog.New(servicecatalog.Deps{Runner: d.Runner}), topics: ticket.NewTopics(d.Runner.DB),
		messages: d.Messages, background: d.Background, due: d.Due, pins: d.PINs, sessions: d.Sessions,
		blobs: d.Blobs, choose: chooser{d.Random}, forget: d.Forget, public: d.Public,
	}
}

// Role is what a test person is at a contributor.
type Role struct {
	ContributorID uuid.UUID
	Role          access.ActingAs
	// Services are those that the role covers; nil stands for all.
	Services access.ServiceSet
}

// IntermediaryRole is what a test person is at an intermediary.
type IntermediaryRole struct {
	DelegateID uuid.UUID
	Role       access.ActingAs
	// Services are those that the role covers; nil stands for all.
	Services access.ServiceSet
}

// Person is a test person with what a tester has to know.
type Person struct {
	person.Person
	// Key names the person to testers. That of who was there at the beginning stays the same from
	// sandbox to sandbox; another's is the id.
	Key string
	// PIN is the one that works now.
	PIN         secret.Text
	Description string
	Roles       []Role
	// IntermediaryRoles are those at organisations that are intermediaries, and at firms.
	IntermediaryRoles []IntermediaryRole
	// Contacts are the verified ones.
	Contacts []person.NewContact
}

// ContributorIDs lists the contributors at which the person has a role, each once.
func (p Person) ContributorIDs() []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(p.Roles))
	seen := make(map[uuid.UUID]bool, len(p.Roles))
	for _, r := range p.Roles {
		if !seen[r.ContributorID] {
			seen[r.ContributorID] = true
			ids = append(ids, r.ContributorID)
		}
	}
	return ids
}

// PINKind is the kind of PIN that a test person gets.
type PINKind string

// The kinds of PIN. Initial ones have 16 characters and must be changed at the first login; ready
// ones have 8 and just work.
const (
	Fresh PINKind = "fresh"
	Ready PINKind = "ready"
)

// PersonInput is what a test person shall be like. The zero value of a part leaves the choice to
// the sandbox.
type PersonInput struct {
	TaxCode         taxcode.Code
	GivenName       string
	FamilyName      string
	UserClass       access.UserClass
	CredentialLevel access.CredentialLevel
	PIN             PINKind
	// Contacts count as verified; nil stands for an e-mail and a mobile, an empty list for none.
	Contacts   []person.NewContact
	OfficeCode string
	// Register is the professional register or census that the person is on. The description tells
	// it, like what the register of persons holds.
	Register string
	Roles    []Role
	// IntermediaryRoles are at organisations: a professional is one person.
	IntermediaryRoles []IntermediaryRole
}

// PositionInput is what a position of a test contributor shall be like.
type PositionInput struct {
	Scheme     string
	OfficeCode string
}

// ContributorInput is what a test contributor shall be like. The zero value of a part leaves the
// choice to the sandbox.
type ContributorInput struct {
	TaxCode   taxcode.Code
	LegalName string
	Kind      contributor.Kind
	Positions []PositionInput
	// LegalRepresentative is the tax code of who may act for it. A person who does not exist yet is
	// made, with a ready PIN. The zero value stands for nobody.
	LegalRepresentative taxcode.Code
}

// Contributor is a contributor with its positions.
type Contributor struct {
	contributor.Contributor
	Positions []contributor.Position
}

// MessageFilter narrows the list of messages down; empty parts stand for any.
type MessageFilter struct {
	// To is the address or number, exactly.
	To      string
	Channel string
}

// Message is a message that was handed over.
type Message struct {
	ID      uuid.UUID
	Channel string
	// To is a number or an address.
	To string `gorm:"column:recipient"`
	// Subject is empty for an SMS.
	Subject string
	Text    string `gorm:"column:body"`
	SentAt  time.Time
}

// TableName tells GORM the table.
func (Message) TableName() string { return "sandbox_messages" }

// Time is the sandbox's time.
type Time struct {
	Now time.Time
	// Offset is how far it is ahead of real time.
	Offset time.Duration
}

// Move is where the clock shall go: one of the two.
type Move struct {
	// Advance is an ISO 8601 duration.
	Advance string
	// Now is an instant that is not past.
	Now *time.Time
}
