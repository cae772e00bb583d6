package access_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// fixture is a company with a position in Rome and one in Milan. It has what was declared for the
// company in Rome.
type fixture struct {
	*world.App
	company world.Company
	// rep is the legal representative, who made filed and draft.
	rep          access.Actor
	filed, draft uuid.UUID
}

func newWorld(t *testing.T, d *db.DB) fixture {
	t.Helper()
	a := world.New(t, d)
	w := fixture{App: a}
	w.company, w.rep = a.Employer(t, world.Rome, world.Milan)
	w.filed, w.draft = a.Submit(t, w.rep, w.company).ID, a.Draft(t, w.rep, w.company, w.company.Input(false)).ID
	return w
}

// withRole logs somebody in who has a role at the company.
func (w fixture) withRole(t *testing.T, role access.ActingAs, services ...access.Service) uuid.UUID {
	t.Helper()
	p := w.Person(t, nil)
	w.Role(t, p.ID, w.company.ID, role, services...)
	return w.Session(t, p.ID, nil)
}

// repSession logs the legal representative in once more.
func (w fixture) repSession(t *testing.T, change func(*world.Session)) uuid.UUID {
	t.Helper()
	return w.Session(t, w.rep.PersonID, change)
}

func (w fixture) somebody(t *testing.T, class access.UserClass) uuid.UUID {
	t.Helper()
	return w.Session(t, w.Person(t, func(p *world.Person) { p.UserClass = class }).ID, nil)
}

// The rules that the contract has for declarations: who reads, and who writes.
var (
	toAnyone      = access.Rule{To: access.ToAnyone}
	toSession     = access.Rule{To: access.ToSession}
	toForced      = access.Rule{To: access.ToSession, Forced: true}
	toContributor = access.Rule{To: access.ToContributor, Service: access.Declarations}
	toDeclaration = access.Rule{To: access.ToDeclaration, Service: access.Declarations}
	toOffice      = access.Rule{To: access.ToOffice, Classes: []access.UserClass{access.Operator}}
	toDeclare     = access.Rule{
		To: access.ToContributor, Service: access.Declarations,
		Classes: []access.UserClass{access.Citizen, access.InstitutionalIntermediary},
	}
	toChange = access.Rule{
		To: access.ToDeclaration, Service: access.Declarations,
		Classes: []access.UserClass{access.Citizen, access.InstitutionalIntermediary},
	}
	toKnown = access.Rule{To: access.ToContributor}
)

type wants struct {
	session, forced, contributor, known, declare, declaration, change, office fault.Code
}

func (w wants) each() map[string]struct {
	rule access.Rule
	want fault.Code
} {
	type pair = struct {
		rule access.Rule
		want fault.Code
	}
	return map[string]pair{
		"anyone": {toAnyone, w.session}, "session": {toSession, w.session}, "forced": {toForced, w.forced},
		"contributor":              {toContributor, w.contributor},
		"contributor, any service": {toKnown, w.known}, "contributor, to declare": {toDeclare, w.declare},
		"declaration":            {toDeclaration, w.declaration},
		"declaration, to change": {toChange, w.change}, "office": {toOffice, w.office},
	}
}

func all(code fault.Code) wants {
	return wants{code, code, code, code, code, code, code, code}
}

const granted fault.Code = ""

// The outcomes of the usual people at an operation that is open to them, a user of no office.
var (
	stranger = wants{
		contributor: fault.NotFound, known: fault.NotFound, declare: fault.NotFound, declaration: fault.NotFound, change: fault.NotFound,
		office: fault.Forbidden,
	}
	entitled = wants{office: fault.Forbidden}
	// undelegated is who has a right that does not cover declarations.
	undelegated = wants{
		contributor: fault.ServiceNotDelegated, declare: fault.ServiceNotDelegated, declaration: fault.ServiceNotDelegated,
		change: fault.ServiceNotDelegated, office: fault.Forbidden,
	}
	// elsewhere is who sees the contributor but not this declaration.
	elsewhere = wants{declaration: fault.NotFound, change: fault.NotFound, office: fault.Forbidden}
	forced    = wants{
		session: fault.PINChangeRequired, contributor: fault.PINChangeRequired, known: fault.PINChangeRequired,
		declare:     fault.PINChangeRequired,
		declaration: fault.PINChangeRequired, change: fault.PINChangeRequired, office: fault.PINChangeRequired,
	}
)

// ofClass makes the outcomes those of a user class. Operations that only declare or only work at an
// office are forbidden by class before anything else is looked at.
func ofClass(w wants, declares, office bool) wants {
	if !declares {
		w.declare, w.change = fault.Forbidden, fault.Forbidden
	}
	if office {
		w.office = granted
	}
	return w
}

func TestGuard_WhoMayEnter(t *testing.T) {
	cases := []struct {
		name    string
		session func(t *testing.T, w fixture) uuid.UUID
		// declaration is what the path names; the one that was filed in Rome where it is nil.
		declaration func(t *testing.T, w fixture) uuid.UUID
		want        wants
	}{
		{"no session", func(*testing.T, fixture) uuid.UUID { return uuid.Must(uuid.NewV7()) }, nil, all(fault.SessionEnded)},
		{"a session id that is none", func(*testing.T, fixture) uuid.UUID { return uuid.Nil }, nil, all(fault.SessionEnded)},
		{"an ended session", func(t *testing.T, w fixture) uuid.UUID {
			return w.repSession(t, func(s *world.Session) { s.EndedAt = &s.CreatedAt })
		}, nil, all(fault.SessionEnded)},
		{"a session idle for 30 minutes", func(t *testing.T, w fixture) uuid.UUID {
			return w.repSession(t, func(s *world.Session) { s.LastSeenAt = s.LastSeenAt.Add(-world.IdleAfter) })
		}, nil, all(fault.SessionEnded)},
		{"a session idle for a microsecond less", func(t *testing.T, w fixture) uuid.UUID {
			return w.repSession(t, func(s *world.Session) { s.LastSeenAt = s.LastSeenAt.Add(time.Microsecond - world.IdleAfter) })
		}, nil, entitled},
		{"a session that grew too old", func(t *testing.T, w fixture) uuid.UUID {
			return w.repSession(t, func(s *world.Session) { s.ExpiresAt = s.CreatedAt })
		}, nil, all(fault.SessionEnded)},
		{"a suspended person", func(t *testing.T, w fixture) uuid.UUID {
			now := w.Clock.Now()
			p := w.Person(t, func(p *world.Person) { p.SuspendedAt = &now })
			w.Role(t, p.ID, w.company.ID, access.LegalRepresentative)
			return w.Session(t, p.ID, nil)
		}, nil, all(fault.SessionEnded)},
		{"the legal representative, who must change the PIN", func(t *testing.T, w fixture) uuid.UUID {
			return w.repSession(t, func(s *world.Session) { s.PinChangeRequired = true })
		}, nil, forced},
		{"a stranger, who must change the PIN", func(t *testing.T, w fixture) uuid.UUID {
			return w.Session(t, w.Person(t, nil).ID, func(s *world.Session) { s.PinChangeRequired = true })
		}, nil, forced},

		{"a stranger", func(t *testing.T, w fixture) uuid.UUID { return w.somebody(t, access.Citizen) }, nil, stranger},
		{"a strange intermediary", func(t *testing.T, w fixture) uuid.UUID {
			return w.somebody(t, access.InstitutionalIntermediary)
		}, nil, stranger},
		{"the representative of another company", func(t *testing.T, w fixture) uuid.UUID {
			_, other := w.Employer(t)
			return other.SessionID
		}, nil, stranger},
		{"the contact centre", func(t *testing.T, w fixture) uuid.UUID {
			return w.somebody(t, access.ContactCentre)
		}, nil, ofClass(stranger, false, false)},
		{"an administrator", func(t *testing.T, w fixture) uuid.UUID {
			return w.somebody(t, access.Administrator)
		}, nil, ofClass(stranger, false, false)},

		{"the legal representative", func(_ *testing.T, w fixture) uuid.UUID { return w.rep.SessionID }, nil, entitled},
		{"an employer", func(t *testing.T, w fixture) uuid.UUID { return w.withRole(t, access.Employer) }, nil, entitled},
		{"a delegate for declarations", func(t *testing.T, w fixture) uuid.UUID {
			return w.withRole(t, access.EmployeeDelegate, "other", access.Declarations)
		}, nil, entitled},
		{"a delegate without the service", func(t *testing.T, w fixture) uuid.UUID {
			return w.withRole(t, access.EmployeeDelegate, "other")
		}, nil, undelegated},
		{"a delegate for nothing", func(t *testing.T, w fixture) uuid.UUID {
			return w.withRole(t, access.EmployeeDelegate, []access.Service{}...)
		}, nil, undelegated},
		{"a user administrator", func(t *testing.T, w fixture) uuid.UUID {
			return w.withRole(t, access.UserAdministrator, access.Declarations)
		}, nil, entitled},
		{"a withdrawn representative", func(t *testing.T, w fixture) uuid.UUID {
			p := w.Person(t, nil)
			w.WithdrawRole(t, w.Role(t, p.ID, w.company.ID, access.LegalRepresentative))
			return w.Session(t, p.ID, nil)
		}, nil, stranger},
		{"a representative who was withdrawn and is a delegate for something else", func(t *testing.T, w fixture) uuid.UUID {
			p := w.Person(t, nil)
			w.WithdrawRole(t, w.Role(t, p.ID, w.company.ID, access.LegalRepresentative))
			w.Role(t, p.ID, w.company.ID, access.EmployeeDelegate, "other")
			return w.Session(t, p.ID, nil)
		}, nil, undelegated},

		{"an operator of the office", func(t *testing.T, w fixture) uuid.UUID {
			return w.Session(t, w.Operator(t, world.Rome).ID, nil)
		}, nil, ofClass(entitled, false, true)},
		{"an operator of another office of the contributor", func(t *testing.T, w fixture) uuid.UUID {
			return w.Session(t, w.Operator(t, world.Milan).ID, nil)
		}, nil, ofClass(elsewhere, false, true)},
		{"an operator of an office that the contributor has nothing to do with", func(t *testing.T, w fixture) uuid.UUID {
			w.Exec(t, "INSERT INTO offices (code, title) VALUES ('5100', 'Napoli') ON CONFLICT (code) DO NOTHING")
			return w.Session(t, w.Operator(t, "5100").ID, nil)
		}, nil, ofClass(stranger, false, true)},

		{"the maker of a draft", func(_ *testing.T, w fixture) uuid.UUID { return w.rep.SessionID }, draft, entitled},
		{"a colleague of the maker of a draft", func(t *testing.T, w fixture) uuid.UUID {
			return w.withRole(t, access.Employer)
		}, draft, elsewhere},
		{"somebody under the right of the maker of a draft", func(t *testing.T, w fixture) uuid.UUID {
			session := w.withRole(t, access.Employer)
			w.Exec(t, "UPDATE declarations SET right_id = ? WHERE id = ?", w.Enter(t, session, w.company.ID).Rights[0].ID, w.draft)
			return session
		}, draft, entitled},
		{"the maker of a draft under a role that is withdrawn", func(t *testing.T, w fixture) uuid.UUID {
			w.WithdrawRole(t, w.rep.Rights[0].ID)
			return w.rep.SessionID
		}, draft, stranger},
		{"the maker of a draft under another role by now", func(t *testing.T, w fixture) uuid.UUID {
			w.WithdrawRole(t, w.rep.Rights[0].ID)
			w.Role(t, w.rep.PersonID, w.company.ID, access.Employer)
			return w.rep.SessionID
		}, draft, entitled},
		{"an operator of the office of a draft", func(t *testing.T, w fixture) uuid.UUID {
			return w.Session(t, w.Operator(t, world.Rome).ID, nil)
		}, draft, ofClass(elsewhere, false, true)},
		{"a colleague, at a declaration that is none", func(t *testing.T, w fixture) uuid.UUID {
			return w.withRole(t, access.Employer)
		}, none, elsewhere},
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				w := newWorld(t, d)
				session := c.session(t, w)
				declaration := w.filed
				if c.declaration != nil {
					declaration = c.declaration(t, w)
				}
				asked := world.Statements(t, d)
				for name, e := range c.want.each() {
					before := asked()
					actor, err := w.Guard.Enter(context.Background(), session, e.rule, access.Target{
						ContributorID: w.company.ID, DeclarationID: declaration,
					})
					var f *fault.Fault
					switch {
					case e.want == granted && err != nil, e.want != granted && (!errors.As(err, &f) || f.Code != e.want):
						t.Errorf("%s: %v, want %q", name, err, e.want)
					case err == nil && actor.SessionID != session:
						t.Errorf("%s: entered as %+v", name, actor)
					}
					if n := asked() - before; n != 1 {
						t.Errorf("%s: %d statements", name, n)
					}
				}
			})
		}
	})
}

func draft(_ *testing.T, w fixture) uuid.UUID { return w.draft }

func none(*testing.T, fixture) uuid.UUID { return uuid.Must(uuid.NewV7()) }

func TestGuard_AContributorThatIsNone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for _, session := range []uuid.UUID{w.rep.SessionID, w.Session(t, w.Operator(t, world.Rome).ID, nil)} {
			for _, id := range []uuid.UUID{{}, uuid.Must(uuid.NewV7()), w.filed} {
				if _, err := w.Guard.Enter(
					context.Background(), session, toContributor, access.Target{ContributorID: id},
				); !fault.Is(err, fault.NotFound) {
					t.Errorf("contributor %s: %v", id, err)
				}
			}
		}
	})
}

func TestGuard_WhoEntersIsKnown(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		office := world.Rome
		p := w.Person(t, func(p *world.Person) {
			p.GivenName, p.FamilyName = "Niccolò", "D'Amico"
			p.UserClass, p.CredentialLevel, p.OfficeCode = access.Operator, access.Dispositive, &office
		})
		// An operator may be a citizen with a company of their own.
		role := w.Role(t, p.ID, w.company.ID, access.EmployeeDelegate, "other", access.Declarations)
		session := w.Session(t, p.ID, nil)
		want := access.Actor{
			SessionID: session, PersonID: p.ID, TaxCode: p.TaxCode, GivenName: "Niccolò", FamilyName: "D'Amico", UserClass: access.Operator,
			CredentialLevel: access.Dispositive, OfficeCode: office,
			ByPIN: true, Login: access.Login{Method: "pin"}, AuthenticatedAt: world.Start, ContributorID: w.company.ID,
			Rights: []access.Right{
				{
					ID: role, ContributorID: w.company.ID, ActingAs: access.EmployeeDelegate,
					Services: []access.Service{"other", access.Declarations},
				},
				{ID: p.ID, ContributorID: w.company.ID, ActingAs: access.OfficeOperator, Services: []access.Service{access.AllServices}},
			},
		}
		for name, enter := range map[string]func() (access.Actor, error){
			"contributor": func() (access.Actor, error) {
				return w.Guard.Enter(context.Background(), session, toContributor, access.Target{ContributorID: w.company.ID})
			},
			"declaration": func() (access.Actor, error) {
				return w.Guard.Enter(context.Background(), session, toDeclaration, access.Target{DeclarationID: w.filed})
			},
		} {
			got, err := enter()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b access.Actor) bool {
				return cmp.Equal(a, b, cmpopts.EquateComparable(p.TaxCode), cmpopts.IgnoreFields(access.Right{}, "Links"))
			})); diff != "" {
				t.Errorf("%s:\n%s", name, diff)
			}
			if got.Consults() {
				t.Errorf("%s: who has a role does more than consult", name)
			}
		}
		if desk := w.Desk(t, world.Rome, w.company.ID); !desk.Consults() {
			t.Error("an operator without a role only consults")
		}
	})
}

func TestGuard_ActivityIsNoted(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		live, dead := w.somebody(t, access.Citizen), w.repSession(t, func(s *world.Session) { s.EndedAt = &s.CreatedAt })
		for _, session := range []uuid.UUID{live, dead} {
			if _, err := w.Guard.Enter(
				context.Background(), session, toContributor, access.Target{ContributorID: w.company.ID},
			); err == nil {
				t.Error("entered")
			}
		}
		if !w.Sessions.Touched(live) || w.Sessions.Touched(dead) {
			t.Errorf(
				"a refused request of a live session is activity (%v), one of a dead session is none (%v)", w.Sessions.Touched(live),
				w.Sessions.Touched(dead),
			)
		}
	})
}

func TestGuard_AFreshPINIsFiveMinutesOld(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		fresh := access.Rule{To: access.ToSession, Forced: true, Fresh: true}
		session, mustChange := w.somebody(t, access.Citizen), w.repSession(t, func(s *world.Session) { s.PinChangeRequired = true })
		w.Clock.Advance(access.FreshFor)
		if _, err := w.Guard.Enter(context.Background(), session, fresh, access.Target{}); err != nil {
			t.Errorf("after five minutes: %v", err)
		}
		w.Clock.Advance(time.Microsecond)
		if _, err := w.Guard.Enter(context.Background(), session, fresh, access.Target{}); !fault.Is(err, fault.Reauthenticate) {
			t.Errorf("after more than five minutes: %v", err)
		}
		if _, err := w.Guard.Enter(context.Background(), mustChange, fresh, access.Target{}); err != nil {
			t.Errorf("who must change the PIN need not enter it again: %v", err)
		}
	})
}

// TestGuard_WhoWorksHereNeedsDispositiveCredentials: an ordinary PIN opens neither the back office
// nor, by the post, the contributors of the office.
func TestGuard_WhoWorksHereNeedsDispositiveCredentials(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p := w.Operator(t, world.Rome)
		session := w.Session(t, p.ID, nil)
		office := access.Rule{To: access.ToOffice, Classes: []access.UserClass{access.Operator}, Dispositive: true}
		at := access.Target{ContributorID: w.company.ID}
		enter := func(rule access.Rule, target access.Target, want fault.Code) {
			t.Helper()
			if _, err := w.Guard.Enter(context.Background(), session, rule, target); codeOf(err) != want {
				t.Errorf("to %s: %v, want %q", rule.To, err, want)
			}
		}
		enter(office, access.Target{}, granted)
		enter(access.Rule{To: access.ToContributor}, at, granted)
		w.Exec(t, "UPDATE people SET credential_level = 'ordinary' WHERE id = ?", p.ID)
		enter(office, access.Target{}, fault.DispositiveRequired)
		enter(access.Rule{To: access.ToContributor}, at, fault.NotFound)
		enter(access.Rule{To: access.ToSession}, access.Target{}, granted)
	})
}

// TestGuard_AnUnconfirmedPostOpensNothing of the back office.
func TestGuard_AnUnconfirmedPostOpensNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p := w.Person(t, func(p *world.Person) { p.UserClass = access.Administrator })
		session := w.Session(t, p.ID, nil)
		rule := access.Rule{To: access.ToSession, Classes: []access.UserClass{access.Administrator}, Dispositive: true}
		for _, c := range []struct {
			givenBy any
			want    fault.Code
		}{{nil, granted}, {w.rep.PersonID, fault.Forbidden}, {nil, granted}} {
			w.Exec(t, "UPDATE people SET post_given_by = ? WHERE id = ?", c.givenBy, p.ID)
			if _, err := w.Guard.Enter(context.Background(), session, rule, access.Target{}); codeOf(err) != c.want {
				t.Errorf("given by %v: %v", c.givenBy, err)
			}
			if _, err := w.Guard.Enter(context.Background(), session, toSession, access.Target{}); err != nil {
				t.Errorf("what is their own: %v", err)
			}
		}
	})
}

// TestGuard_DelegationsMayNeedAStrongLogin: where the service asks for it, a PIN does not manage
// delegations, whosever they are.
func TestGuard_DelegationsMayNeedAStrongLogin(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		strong := access.Rule{To: access.ToSession, Strong: true}
		at := access.Rule{To: access.ToDelegate, Strong: true}
		sessions := map[string]uuid.UUID{}
		for _, method := range []string{"pin", "spid", "cie", "cns"} {
			sessions[method] = w.repSession(t, func(s *world.Session) { s.LoginMethod = method })
		}
		for _, asked := range []bool{false, true} {
			w.Guard = access.NewGuard(w.Rights, w.Sessions, w.Clock, asked)
			for method, session := range sessions {
				want := granted
				if asked && method == "pin" {
					want = fault.StrongLogin
				}
				if _, err := w.Guard.Enter(context.Background(), session, strong, access.Target{}); codeOf(err) != want {
					t.Errorf("%s, asked %v: %v", method, asked, err)
				}
				if _, err := w.Guard.Enter(context.Background(), session, toSession, access.Target{}); err != nil {
					t.Errorf("%s, asked %v: to look: %v", method, asked, err)
				}
				// Whether there is such an intermediary is not told before.
				if want == granted {
					want = fault.NotFound
				}
				if _, err := w.Guard.Enter(context.Background(), session, at, access.Target{DelegateID: uuid.New()}); codeOf(err) != want {
					t.Errorf("%s, asked %v: at an intermediary: %v", method, asked, err)
				}
			}
		}
		mustChange := w.repSession(t, func(s *world.Session) { s.PinChangeRequired = true })
		if _, err := w.Guard.Enter(context.Background(), mustChange, strong, access.Target{}); !fault.Is(err, fault.PINChangeRequired) {
			t.Errorf("who must change the PIN: %v", err)
		}
	})
}

// codeOf is the kind of fault that err is; "" for none.
func codeOf(err error) fault.Code {
	var f *fault.Fault
	if errors.As(err, &f) {
		return f.Code
	}
	return granted
}
