package access

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
)

// To says what an operation gives access to. The contract names it for every operation.
type To string

// What operations give access to.
const (
	ToAnyone      To = "anyone"
	ToSession     To = "session"
	ToContributor To = "contributor"
	ToDeclaration To = "declaration"
	ToDelegate    To = "delegate"
	ToDelegation  To = "delegation"
	ToOffice      To = "office"
	// What follows belongs to a contributor's dossier; see affairs.
	ToPosition  To = "position"
	ToTicket    To = "ticket"
	ToSmartTask To = "smart_task"
	ToDMA       To = "dma"
)

// Rule is what the contract says about one operation.
type Rule struct {
	To To
	// Classes are the user classes that may use the operation; empty stands for all.
	Classes []UserClass
	// Forced operations may be used by a session that must change its PIN.
	Forced bool
	// Fresh operations need a PIN entered within the last five minutes.
	Fresh bool
	// Strong operations manage delegations, which the service may let in with SPID, CIE or CNS
	// alone; see NewGuard.
	Strong bool
	// Dispositive operations need dispositive credentials: all that is done by a post here.
	Dispositive bool
	// Service is what a right must cover; empty when any right will do.
	Service Service
	// Scopes are those of which any lets an application in; empty keeps all applications out.
	Scopes []string
	// Passive operations are no activity of the session.
	Passive bool
	// Shows is that the operation only reads, so that its target may be read with the rights.
	Shows bool
}

// Target is what the request's path names.
type Target struct {
	ContributorID uuid.UUID
	DeclarationID uuid.UUID
	DelegateID    uuid.UUID
	DelegationID  uuid.UUID
	// AffairID is that of what the operation gives access to, where that belongs to a dossier.
	AffairID uuid.UUID
}

// FreshFor is how long a PIN entry is good for changing PIN, contacts or consents.
const FreshFor = 5 * time.Minute

// Sessions knows when a session is over and is told of activity.
type Sessions interface {
	// RequireLive returns fault.SessionEnded for a session that ended, idled or grew too old.
	RequireLive(id uuid.UUID, lastSeen, expires time.Time, ended *time.Time, now time.Time) error
	// Touch notes activity.
	Touch(id uuid.UUID, now time.Time)
}

// Guard decides who may enter an operation.
type Guard struct {
	repository *Repository
	sessions   Sessions
	clock      clock.Clock
	// strong keeps sessions begun with a PIN from strong operations.
	strong bool
}

// NewGuard returns the guard. Where strongDelegations is set, strong operations are closed to
// sessions begun with a PIN.
func NewGuard(r *Repository, s Sessions, c clock.Clock, strongDelegations bool) *Guard {
	return &Guard{repository: r, sessions: s, clock: c, strong: strongDelegations}
}

// Enter decides whether a person's own session may use an operation on its target; see EnterAs.
func (g *Guard) Enter(ctx context.Context, sessionID uuid.UUID, rule Rule, target Target) (Actor, error) {
	return g.EnterAs(ctx, Caller{SessionID: sessionID}, rule, target)
}

// EnterAs decides whether who holds a token may use an operation on its target. It makes one query,
// and a second one where the target is about an intermediary. It returns these faults:
//   - fault.SessionEnded: the session is dead, or the consent or application of one;
//   - fault.Unauthenticated: the token is not this session's;
//   - fault.PINChangeRequired, fault.Reauthenticate, fault.StrongLogin, fault.DispositiveRequired or
//     fault.Forbidden: the session may not do this at all;
//   - fault.NotFound: the person has nothing to do with the target;
//   - fault.ServiceNotDelegated: the person's rights over the target do not cover the service.
func (g *Guard) EnterAs(ctx context.Context, caller Caller, rule Rule, target Target) (Actor, error) {
	f, err := g.repository.load(ctx, caller.SessionID, rule, target)
	if err != nil {
		return Actor{}, err
	}
	if f == nil || f.suspendedAt != nil {
		return Actor{}, fault.New(fault.SessionEnded)
	}
	// Who is refused is given nothing of it.
	shown := f.actor.Shown
	f.actor.Shown = nil
	now := g.clock.Now()
	if err := g.requireLive(f, caller.SessionID, now); err != nil {
		return Actor{}, err
	}
	if !f.is(caller) {
		return Actor{}, fault.Because(fault.Unauthenticated, "token-invalid")
	}
	if !rule.Passive {
		g.sessions.Touch(caller.SessionID, now)
	}
	if f.actor.Grant != nil {
		// Another request with the session may have been told the same findings.
		grant := *f.actor.Grant
		grant.Scopes = common(grant.Scopes, caller.Scopes)
		f.actor.Grant = &grant
		if err := f.actor.letProgram(rule); err != nil {
			return f.actor, err
		}
	}
	rule.Strong = rule.Strong && g.strong
	if err := f.decide(rule, now); err != nil {
		return f.actor, err
	}
	if rule.To == ToDelegate || rule.To == ToDelegation {
		err = g.repository.admit(ctx, &f.actor, rule, target)
	}
	if err == nil {
		f.actor.Shown = shown
	}
	return f.actor, err
}

// requireLive returns fault.SessionEnded for a session that is over. That of an application has no
// limit of inactivity, and ends with its consent.
func (g *Guard) requireLive(f *findings, sessionID uuid.UUID, now time.Time) error {
	switch {
	case !f.granted:
		return g.sessions.RequireLive(sessionID, f.lastSeenAt, f.expiresAt, f.endedAt, now)
	case f.actor.Grant == nil || f.endedAt != nil || !now.Before(f.expiresAt):
		return fault.New(fault.SessionEnded)
	}
	return nil
}

// findings are what the one query says.
type findings struct {
	actor       Actor
	lastSeenAt  time.Time
	expiresAt   time.Time
	endedAt     *time.Time
	suspendedAt *time.Time
	// granted says that the session is an application's; the actor has its grant while that lives.
	granted bool
	// What is known of the declaration in the path.
	draftOf    uuid.UUID
	draftRight uuid.UUID
	// asked says that the person asked for the target themselves.
	asked bool
	// inOffice says that an operator's office looks after the target.
	inOffice bool
	// broken says why what is stored cannot be read.
	broken error
}

func (f *findings) decide(rule Rule, now time.Time) error {
	a := f.actor
	if a.PINChangeRequired && !rule.Forced {
		return fault.New(fault.PINChangeRequired)
	}
	if len(rule.Classes) > 0 && !slices.Contains(rule.Classes, a.UserClass) {
		return fault.New(fault.Forbidden)
	}
	if rule.To == ToOffice && a.OfficeCode == "" {
		return fault.New(fault.Forbidden)
	}
	if rule.Dispositive && a.Unconfirmed {
		return fault.Because(fault.Forbidden, "post-unconfirmed")
	}
	if rule.Dispositive && a.CredentialLevel != Dispositive {
		return fault.New(fault.DispositiveRequired)
	}
	if rule.Strong && a.ByPIN {
		return fault.New(fault.StrongLogin)
	}
	if rule.Fresh && !a.PINChangeRequired && now.Sub(a.AuthenticatedAt) > FreshFor {
		return fault.New(fault.Reauthenticate)
	}
	if !rule.To.byRight() || f.seesAsked(rule.To) {
		return nil
	}
	if len(a.Rights) == 0 || !f.seesDraft() {
		return fault.New(fault.NotFound)
	}
	if rule.Service != "" && !slices.ContainsFunc(a.Rights, func(r Right) bool { return r.Covers(rule.Service) }) {
		return fault.New(fault.ServiceNotDelegated)
	}
	return nil
}

// seesAsked reports whether the actor may see the target because they asked for it. An application
// needs a right all the same.
func (f *findings) seesAsked(to To) bool {
	if !f.asked {
		return false
	}
	service := affairs[to].askedBy
	if service == "" {
		return !f.granted
	}
	return slices.ContainsFunc(f.actor.Rights, func(r Right) bool { return r.Covers(service) })
}

// seesDraft reports whether a draft in the path is the actor's own or made under the actor's
// rights. What is no draft passes.
func (f *findings) seesDraft() bool {
	return f.draftOf == uuid.Nil || f.draftOf == f.actor.PersonID || slices.Contains(f.actor.RightIDs(), f.draftRight)
}
