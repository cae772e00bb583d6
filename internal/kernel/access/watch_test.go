package access_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// watched are a declaration for each position of the company, and what else happened.
type watched struct {
	inRome, inMilan, delegation, draft, consent access.About
}

func (w fixture) events(delegateID, giverID uuid.UUID) watched {
	declared := func(position uuid.UUID) access.About {
		return access.About{
			ContributorID: w.company.ID, PositionID: position, Service: access.Declarations, Kind: access.WatchedDeclaration,
		}
	}
	given := access.About{
		ContributorID: w.company.ID, DelegateID: delegateID, Service: access.Delegations, Kind: access.WatchedDelegation,
	}
	draft := given
	draft.ContributorID = uuid.Nil
	return watched{
		declared(w.company.Positions[0].ID), declared(w.company.Positions[1].ID), given, draft,
		access.About{PersonID: giverID, Kind: access.WatchedConsent},
	}
}

// Who would see the subject sees the event, and nobody else: for everybody the same question.
func TestWatching_ShowsWhatTheSubjectWouldBeShownTo(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		pro, delegate := w.Professional(t)
		giver := w.Person(t, nil)
		e := w.events(delegate, giver.ID)
		all := []access.About{e.inRome, e.inMilan, e.delegation, e.draft, e.consent}
		inRome, inMilan := w.company.Positions[0].ID, w.company.Positions[1].ID
		now := w.Clock.Now()
		session := func(personID uuid.UUID) uuid.UUID { return w.Session(t, personID, nil) }
		colleague := func(role access.ActingAs, services ...access.Service) uuid.UUID {
			p := w.Person(t, nil)
			w.Role(t, p.ID, w.company.ID, role, services...)
			return p.ID
		}
		delegated := func(change func(*world.Delegation), positions ...uuid.UUID) uuid.UUID {
			p, id := w.Professional(t)
			w.Delegation(t, id, w.company, change, positions...)
			return p.ID
		}
		partial := func(services ...access.Service) func(*world.Delegation) {
			return func(d *world.Delegation) { d.Scope, d.Services = "partial", world.Services(services...) }
		}
		worker := func(delegationOf uuid.UUID, change func(*world.SubDelegation)) uuid.UUID {
			p := w.Person(t, nil)
			w.SubDelegation(t, delegationOf, p.ID, change)
			return p.ID
		}
		association := w.Association(t)
		w.Delegation(t, association, w.company, nil, inRome)
		ofAssociation := access.About{
			ContributorID: w.company.ID, DelegateID: association, Service: access.Delegations, Kind: access.WatchedDelegation,
		}
		all = append(all, ofAssociation)
		hired := func(role access.ActingAs, services ...access.Service) uuid.UUID {
			p := w.Person(t, nil)
			w.DelegateRole(t, p.ID, association, role, services...)
			return p.ID
		}
		_, struckOff := w.Professional(t)
		offWorker := worker(struckOff, nil)
		w.Delegation(t, struckOff, w.company, nil)
		w.StrikeOff(t, struckOff)
		scopes := func(list string) func(*world.Consent) {
			return func(c *world.Consent) { c.Scopes = list }
		}
		const everything = `["declarations.read","delegations.read","events"]`
		software := func(personID uuid.UUID, change func(*world.Consent)) uuid.UUID {
			return w.Software(t, personID, func(c *world.Consent) {
				c.Scopes = everything
				if change != nil {
					change(c)
				}
			}).Caller.SessionID
		}
		elsewhere, stranger := w.Employer(t)
		rep := w.rep.PersonID
		ended := software(rep, nil)
		w.Exec(t, "UPDATE consents SET ended_at = ?, end_reason = 'withdrawn' WHERE id = (SELECT consent_id FROM sessions WHERE id = ?)", now, ended)
		suspended := software(rep, nil)
		w.Exec(t, `UPDATE applications SET state = 'suspended' WHERE id = (SELECT k.application_id FROM consents k JOIN sessions s ON s.consent_id = k.id
			WHERE s.id = ?)`, suspended)
		ids := map[string]uuid.UUID{}
		wants := map[string][]int{}
		for _, c := range []struct {
			name    string
			session uuid.UUID
			want    []int // indexes of all: Rome, Milan, delegation, draft of one, consent, delegation to the association
		}{
			{"the representative", w.rep.SessionID, []int{0, 1, 2, 5}},
			{"an employee delegate for declarations", session(colleague(access.EmployeeDelegate, access.Declarations)), []int{0, 1}},
			{"an employee delegate for another service", session(colleague(access.EmployeeDelegate, other)), nil},
			{"an intermediary of all positions", session(delegated(nil)), []int{0, 1}},
			{"an intermediary of Rome", session(delegated(nil, inRome)), []int{0}},
			{"an intermediary of Milan for another service", session(delegated(partial(other), inMilan)), nil},
			{"an intermediary not yet active", session(delegated(func(d *world.Delegation) { d.State, d.ActivatedAt = "pending", nil })), nil},
			{"an intermediary no more", session(delegated(func(d *world.Delegation) { d.State, d.EndedAt = "revoked", &now })), nil},
			{"an intermediary until now", session(delegated(func(d *world.Delegation) { d.ValidUntil = &now })), nil},
			{"the intermediary of the delegations", session(pro.ID), []int{2, 3}},
			{"a sub-delegate of one off its register", session(offWorker), nil},
			{"a worker of the association for Rome", session(hired(access.EmployeeDelegate, access.AllServices)), []int{0, 5}},
			{"a worker of the association for declarations", session(hired(access.EmployeeDelegate, access.Declarations)), []int{0}},
			{"who manages the association's users", session(hired(access.UserAdministrator, access.AllServices)), nil},
			{"a sub-delegate of the association", session(worker(association, nil)), []int{0}},
			{"a sub-delegate no more", session(worker(association, func(s *world.SubDelegation) { s.RevokedAt = &now })), nil},
			{"the giver of the consent", session(giver.ID), []int{4}},
			{"a stranger", stranger.SessionID, nil},
			{"an operator of the office", session(w.Operator(t, world.Rome).ID), nil},
			{"a session that ended", w.Session(t, rep, func(s *world.Session) { s.EndedAt = &now }), nil},
			{"a session that idled", w.Session(t, rep, func(s *world.Session) { s.LastSeenAt = now.Add(-access.IdleAfter - 10*time.Second) }), nil},
			{"a session of which another process may know more", w.Session(t, rep, func(s *world.Session) {
				s.LastSeenAt = now.Add(-access.IdleAfter)
			}), []int{0, 1, 2, 5}},
			{"a session that is too old", w.Session(t, rep, func(s *world.Session) { s.ExpiresAt = now }), nil},
			{"a session that must change its PIN", w.Session(t, rep, func(s *world.Session) { s.PinChangeRequired = true }), nil},
			{"software", software(rep, nil), []int{0, 1, 2, 5}},
			{"software without the scope of events", software(rep, scopes(`["declarations.read","delegations.read"]`)), nil},
			{"software for declarations", software(rep, scopes(`["declarations","events"]`)), []int{0, 1}},
			{"software for delegations", software(rep, scopes(`["delegations.read","events"]`)), []int{2, 5}},
			{"software for another service", software(rep, func(c *world.Consent) { c.Services = world.Services(other) }), nil},
			{"software for declarations alone", software(rep, func(c *world.Consent) { c.Services = world.Services(access.Declarations) }), []int{0, 1}},
			{"software for another contributor", software(rep, func(c *world.Consent) {
				c.EveryContributor, c.Contributors = false, []uuid.UUID{elsewhere.ID}
			}), nil},
			{"software that the company threw out", software(rep, func(c *world.Consent) { c.Excluded = []uuid.UUID{w.company.ID} }), nil},
			{"software of who has no right", software(stranger.PersonID, nil), nil},
			{"software of the intermediary", software(pro.ID, nil), []int{2}},
			{"software of the giver", software(giver.ID, nil), nil},
			{"software whose consent ended", ended, nil},
			{"software that is suspended", suspended, nil},
			{"software whose consent expired", w.Software(t, rep, func(c *world.Consent) {
				c.Scopes, c.GivenAt, c.ExpiresAt = everything, now.Add(-time.Hour), now
			}).Caller.SessionID, nil},
		} {
			ids[c.name], wants[c.name] = c.session, c.want
		}
		sessions := make([]uuid.UUID, 0, len(ids))
		for _, id := range ids {
			sessions = append(sessions, id)
		}
		got, err := w.Rights.Watching(context.Background(), sessions, all)
		if err != nil {
			t.Fatal(err)
		}
		for name, id := range ids {
			if !slices.Equal(got[id], wants[name]) {
				t.Errorf("%s sees %v, want %v", name, got[id], wants[name])
			}
			alone, err := w.Rights.Watching(context.Background(), []uuid.UUID{id}, all)
			if err != nil || !slices.Equal(alone[id], wants[name]) {
				t.Errorf("%s alone sees %v, want %v (%v)", name, alone[id], wants[name], err)
			}
		}
		live, err := w.Rights.Live(context.Background(), sessions)
		if err != nil {
			t.Fatal(err)
		}
		for name, id := range ids {
			over := slices.Contains([]string{
				"an operator of the office", "a session that ended", "a session that idled", "a session that is too old",
				"a session of which another process may know more",
				"a session that must change its PIN", "software whose consent ended", "software that is suspended",
				"software whose consent expired",
			}, name)
			still, err := w.Rights.StillLive(context.Background(), id)
			if live[id] == over || still == over || err != nil {
				t.Errorf("%s: live %v, still %v (%v)", name, live[id], still, err)
			}
		}
	})
}

// A session lives while its user does something, also where this is not written yet; and until the
// end of its time.
func TestWatching_ASessionLivesAsLongAsItIsLetIn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p := w.Person(t, nil)
		w.Role(t, p.ID, w.company.ID, access.LegalRepresentative)
		id := w.Session(t, p.ID, func(s *world.Session) { s.LastSeenAt = w.Clock.Now().Add(-time.Hour) })
		seen := w.Clock.Now().Add(-access.IdleAfter)
		w.Rights.SeenBy(func(uuid.UUID, time.Time) time.Time { return seen })
		still := func() bool {
			t.Helper()
			live, err := w.Rights.StillLive(context.Background(), id)
			if err != nil {
				t.Fatal(err)
			}
			got, err := w.Rights.Watching(context.Background(), []uuid.UUID{id}, []access.About{w.events(uuid.Nil, uuid.Nil).inRome})
			if err != nil || live && len(got[id]) != 1 {
				t.Errorf("live %v, sees %v (%v)", live, got[id], err)
			}
			return live
		}
		if still() {
			t.Error("lives after half an hour")
		}
		seen = seen.Add(time.Millisecond)
		if !still() {
			t.Error("is over a moment before half an hour has gone")
		}
		w.Exec(t, "UPDATE sessions SET ended_at = ?, end_reason = 'ended-by-holder' WHERE id = ?", w.Clock.Now(), id)
		if still() {
			t.Error("lives after its end")
		}
	})
}

// What is given is seen from then on, and what is taken away no more, by the same session.
func TestWatching_GoesByTheRightsOfTheMoment(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p, delegate := w.Professional(t)
		session := w.Session(t, p.ID, nil)
		e := w.events(delegate, p.ID)
		sees := func() bool {
			t.Helper()
			got, err := w.Rights.Watching(context.Background(), []uuid.UUID{session}, []access.About{e.inRome})
			if err != nil {
				t.Fatal(err)
			}
			return len(got[session]) == 1
		}
		if sees() {
			t.Error("seen without a right")
		}
		id := w.Delegation(t, delegate, w.company, nil)
		if !sees() {
			t.Error("not seen with the delegation")
		}
		w.Exec(t, "UPDATE delegations SET state = 'revoked', ended_at = ? WHERE id = ?", w.Clock.Now(), id)
		if sees() {
			t.Error("seen after the delegation")
		}
	})
}
