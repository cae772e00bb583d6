// Package recheck asks inside a transaction whether who was let in before it may still do what they
// do. Package access lets in; here the session, its person and the right are read again under a
// lock, so that what ends them comes before the whole transaction, and is seen, or after it.
//
// Lock order: names of applications, people and sessions, consents, intermediaries, roles at contributors, delegations,
// roles at intermediaries, sub-delegations.
package recheck

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/db/direct"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
)

// Claim is what a request was let in with.
type Claim struct {
	// SessionID is zero for what is done later than it was asked for: the session may have ended.
	SessionID uuid.UUID
	// PersonID is whose right it is. It is asked for where there is no session.
	PersonID uuid.UUID
	// ConsentID is by which an application acts; zero for the person.
	ConsentID uuid.UUID
	// ContributorID is whom the consent must be about; zero where it is about nobody in particular.
	ContributorID uuid.UUID
	// Right is zero for what one does for oneself, which takes no right.
	Right access.Right
}

// ClaimOf is what an actor was let in with, for what they do by a right.
func ClaimOf(by access.Actor, right access.Right) Claim {
	return Claim{
		SessionID: by.SessionID, PersonID: by.PersonID, ConsentID: by.ConsentID(), ContributorID: right.ContributorID, Right: right,
	}
}

// delayed reports whether it is for what is done later than it was asked for.
func (c Claim) delayed() bool { return c.SessionID == uuid.Nil && c.PersonID != uuid.Nil }

// Checker reads sessions, people and rights again.
type Checker struct {
	db    *db.DB
	clock clock.Clock
}

// New returns the checker of a database; what has expired by the clock is no right.
func New(d *db.DB, c clock.Clock) *Checker { return &Checker{d, c} }

// All checks claims in the context's transaction, and keeps what they rest on until it ends. They
// rest on sessions, people with their credentials, and rights. It returns one outcome for each
// claim: nil, fault.SessionEnded or fault.NotFound, which is also for who was suspended.
func (c *Checker) All(ctx context.Context, claims []Claim) ([]error, error) {
	outcomes, err := c.AllUntil(ctx, claims)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(outcomes))
	for i, o := range outcomes {
		errs[i] = o.Err
	}
	return errs, nil
}

// Outcome says of a claim whether it holds.
type Outcome struct {
	// Err is nil, fault.SessionEnded or fault.NotFound.
	Err error
	// Until is when the right ends by itself: nobody ends it before the transaction does, but the
	// clock may. Nil stands for never.
	Until *time.Time
}

// AllUntil is All for who reads the clock later. What is dated at Until or after it is done by a
// right that has ended.
func (c *Checker) AllUntil(ctx context.Context, claims []Claim) ([]Outcome, error) {
	return c.check(ctx, claims, "p, s")
}

// InTx checks a right at the end of an operation's transaction, and keeps it until that ends. Call
// it last: taking these locks after all others rules out a deadlock with the transaction that ends
// the right. The person is not locked, since others lock people first, and a suspension ends all
// sessions. It returns these faults:
//   - fault.SessionEnded: the session has ended;
//   - fault.NotFound: the right has ended;
//   - fault.Forbidden: the actor has lost, or changed, their post here.
func (c *Checker) InTx(ctx context.Context, by access.Actor, right access.Right) error {
	outcomes, err := c.check(ctx, []Claim{ClaimOf(by, right)}, "s")
	if err != nil {
		return err
	}
	if outcomes[0].Err != nil {
		return outcomes[0].Err
	}
	return c.requirePost(ctx, by)
}

// Ongoing checks what InTx does outside a transaction, for a read that goes on for long: what it
// shows next is shown by rights that held a moment ago. Its faults are those of InTx.
func (c *Checker) Ongoing(ctx context.Context, by access.Actor, rights ...access.Right) error {
	claims := []Claim{ClaimOf(by, access.Right{})}
	for _, right := range rights {
		claims = append(claims, ClaimOf(by, right))
	}
	outcomes, err := c.check(ctx, claims, "s")
	if err != nil {
		return err
	}
	for _, o := range outcomes {
		if o.Err != nil {
			return o.Err
		}
	}
	return c.requirePost(ctx, by)
}

// requirePost returns fault.Forbidden to one of the staff who has lost, or changed, their post.
func (c *Checker) requirePost(ctx context.Context, by access.Actor) error {
	if !by.Staff() {
		return nil
	}
	var posts []struct {
		UserClass  access.UserClass
		OfficeCode string
	}
	const selectPost = "SELECT user_class, COALESCE(office_code, '') AS office_code FROM people WHERE id = ?"
	err := c.db.From(ctx).Raw(selectPost, by.PersonID).Scan(&posts).Error
	if err == nil && (len(posts) == 0 || posts[0].UserClass != by.UserClass || posts[0].OfficeCode != by.OfficeCode) {
		err = fault.New(fault.Forbidden)
	}
	return err
}

// Standing checks what InTx does, for what somebody asked for earlier and is done later. Their
// session may have ended by then. It returns fault.NotFound for who is suspended, and where the
// right has ended.
func (c *Checker) Standing(ctx context.Context, personID uuid.UUID, right access.Right) error {
	people, l := found{personID: {}}, links{}
	l.add(right)
	var asked questions
	asked.add(c.people(people))
	c.addLinks(&asked, l)
	if err := c.confirm(ctx, asked); err != nil {
		return err
	}
	if !people[personID].good || !l.allow(right) {
		return fault.New(fault.NotFound)
	}
	return nil
}

// RequireLiveSession checks a session without a lock, for operations that end their own session and
// lock it later. It returns fault.SessionEnded.
func (c *Checker) RequireLiveSession(ctx context.Context, by access.Actor) error {
	var n int
	err := c.db.From(ctx).Raw("SELECT COUNT(*) FROM sessions WHERE id = ? AND ended_at IS NULL", by.SessionID).Scan(&n).Error
	if err == nil && n == 0 {
		err = fault.New(fault.SessionEnded)
	}
	return err
}

// check locks the tables named, of the sessions s and their people p, and what the rights hang on.
func (c *Checker) check(ctx context.Context, claims []Claim, lock string) ([]Outcome, error) {
	i := c.inquire(claims, lock)
	if err := c.ask(ctx, i.asked); err != nil {
		return nil, err
	}
	return i.outcomes(ctx)
}

// AskIn asks what AllUntil asks when the batch is sent, on PostgreSQL. It returns what tells the
// outcomes then.
func (c *Checker) AskIn(b *direct.Batch, claims []Claim) (outcomes func(ctx context.Context) ([]Outcome, error)) {
	i := c.inquire(claims, "p, s")
	c.askIn(b, i.asked)
	return i.outcomes
}

// inquiry is what is asked about claims.
type inquiry struct {
	checker          *Checker
	claims           []Claim
	people, sessions found
	links            links
	consents         consents
	consenting       found
	asked            questions
}

// inquire begins an inquiry, see check.
func (c *Checker) inquire(claims []Claim, lock string) *inquiry {
	i := &inquiry{checker: c, claims: claims, people: found{}, sessions: found{}, links: links{}, consents: consents{}}
	for _, claim := range claims {
		i.consents.add(claim)
		if claim.delayed() {
			i.people[claim.PersonID] = standing{}
		} else {
			i.sessions[claim.SessionID] = standing{}
		}
		i.links.add(claim.Right)
	}
	i.consenting = i.consents.ids()
	i.asked.add(c.shareApplications(i.consents))
	i.asked.add(c.people(i.people))
	const selectSessions = "SELECT s.id FROM sessions s JOIN people p ON p.id = s.person_id " +
		"WHERE s.id IN ? AND s.ended_at IS NULL AND p.suspended_at IS NULL ORDER BY s.id"
	i.asked.add(question{statement: selectSessions + c.db.ForShare(lock), ids: i.sessions})
	i.asked.add(question{statement: selectConsents + c.db.ForShare("k"), ids: i.consenting, timed: true})
	c.addLinks(&i.asked, i.links)
	return i
}

// outcomes tells how each claim stands, once all was asked.
func (i *inquiry) outcomes(ctx context.Context) ([]Outcome, error) {
	i.asked.mark()
	if err := i.checker.readCovered(ctx, i.consents, i.consenting); err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, len(i.claims))
	for n, claim := range i.claims {
		delayed := claim.delayed()
		switch {
		case delayed && !i.people[claim.PersonID].good:
			outcomes[n].Err = fault.New(fault.NotFound)
		case !delayed && !i.sessions[claim.SessionID].good:
			outcomes[n].Err = fault.New(fault.SessionEnded)
		case !i.links.allow(claim.Right), !i.consents.allow(claim):
			outcomes[n].Err = fault.New(fault.NotFound)
		default:
			outcomes[n].Until = earlier(i.links.until(claim.Right), i.consents[claim.ConsentID].until)
		}
	}
	return outcomes, nil
}
