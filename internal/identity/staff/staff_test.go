package staff_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gocloud.dev/blob/memblob"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/staff"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/look"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/scan"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// ctx is what the edge makes of a request.
var ctx = audit.WithOrigin(context.Background(), audit.Origin{Operation: "test", RequestID: "request-1", Address: "192.0.2.1"})

const (
	rome  = "7000"
	milan = "4900"
)

// Tax codes of the people who work here.
var (
	anna  = taxcode.MustParse("RSSMRA80A01H5L1F")
	bruno = taxcode.MustParse("RSSMRAULALMHRLMD")
	clara = taxcode.MustParse("RSSMRA80A01H50MM")
)

// completed notes whose waiting declarations were completed.
type completed struct{ people []uuid.UUID }

func (c *completed) CompleteFor(_ context.Context, id uuid.UUID) error {
	c.people = append(c.people, id)
	return nil
}

// ended notes whose consents ended, and why.
type ended struct{ consents map[uuid.UUID]string }

func (e *ended) EndAllOf(_ context.Context, id uuid.UUID, reason string) error {
	e.consents[id] = reason
	return nil
}

type fixture struct {
	*pintest.World
	*completed
	*ended
	service *staff.Service
	// admin, operator and contactCentre work here.
	admin, operator, colleague, contactCentre access.Actor
	scans                                     *scan.Service
}

// finder is a scanner that finds nothing.
type finder struct{}

func (finder) Scan(_ context.Context, content io.Reader) (string, error) {
	_, err := io.Copy(io.Discard, content)
	return "", err
}

func newWorld(t *testing.T, d *db.DB) fixture {
	t.Helper()
	w := fixture{World: pintest.New(t, d, pintest.Cheap), completed: &completed{}, ended: &ended{map[uuid.UUID]string{}}}
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { _ = bucket.Close() })
	offices := contributor.NewService(contributor.Deps{DB: d})
	w.Must(t, func(ctx context.Context) error {
		return errors.Join(offices.PutOffice(ctx, contributor.Office{
			Code: rome, Title: "Roma",
		}), offices.PutOffice(ctx, contributor.Office{Code: milan, Title: "Milano"}))
	})
	w.scans = scan.NewService(scan.Deps{Runner: w.Runner, Bucket: bucket, Scanner: finder{}, Log: slog.New(slog.DiscardHandler)})
	w.service = staff.NewService(staff.Deps{
		Runner: w.Runner, People: w.People, PINs: w.PINs, Sessions: w.Sessions, Consents: w.ended, Offices: offices,
		Declarations: w.completed, Outbox: outbox.New(d), Codes: w.Codes, Keys: w.DataKeys, Files: attachment.NewStore(bucket), Scans: w.scans,
		Looks: look.NewService(look.Deps{
			DB: w.DB, Clock: w.Clock, Trail: w.Runner.Trail, Staff: w.People, Outbox: outbox.New(d),
		}),
	})
	w.admin = w.works(t, anna, access.Administrator, "")
	w.operator = w.works(t, bruno, access.Operator, rome)
	w.colleague = w.works(t, taxcode.MustParse("GLLSRA92A70A944S"), access.Operator, milan)
	w.contactCentre = w.works(t, clara, access.ContactCentre, "")
	return w
}

// works adds somebody who works here.
func (w fixture) works(t *testing.T, code taxcode.Code, class access.UserClass, office string) access.Actor {
	t.Helper()
	p, err := w.People.Create(ctx, person.New{
		TaxCode: code, GivenName: "Anna", FamilyName: "Neri", UserClass: class, CredentialLevel: access.Dispositive, OfficeCode: office,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return access.Actor{
		PersonID: p.ID, SessionID: (&world.App{DB: w.DB, Clock: w.Clock}).Session(t, p.ID, nil), UserClass: class, OfficeCode: office,
	}
}

// want ends the test when the error is not a fault of that kind for that reason. "" stands for
// none.
func want(t *testing.T, err error, code fault.Code, reason string) {
	t.Helper()
	var f *fault.Fault
	switch {
	case code == "" && err == nil:
	case errors.As(err, &f) && f.Code == code && f.Reason == reason:
	default:
		t.Fatalf("got %v, want %q (%s)", err, code, reason)
	}
}

// wantField ends the test when the error does not name that one field.
func wantField(t *testing.T, err error, pointer, code string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != fault.Invalid || len(f.Fields) != 1 || f.Fields[0].Pointer != pointer ||
		f.Fields[0].Code != code {
		t.Fatalf("got %+v, want %s at %s", err, code, pointer)
	}
}

// traced fails the test unless fn left exactly that many audit records.
func (w fixture) traced(t *testing.T, records int, fn func()) {
	t.Helper()
	before := w.Count(t, "audit_records")
	fn()
	if n := w.Count(t, "audit_records") - before; n != records {
		t.Errorf("%d audit records, want %d", n, records)
	}
}

func (w fixture) told(t *testing.T, kind string, id uuid.UUID) int {
	t.Helper()
	return w.Count(t, "outbox WHERE kind = ? AND person_id = ?", kind, id)
}

func TestStaff_RegisterFindShow(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		in := staff.Registration{TaxCode: pintest.Mario, GivenName: "Mario", FamilyName: "Rossi", Contacts: []person.NewContact{
			{Kind: person.Mobile, Value: "333 1234567"}, {Kind: person.Email, Value: "mario@posta.example"},
		}}
		if found, err := w.service.Find(ctx, w.operator, pintest.Mario); err != nil || len(found) != 0 {
			t.Fatalf("before: %v, %v", found, err)
		}
		var r staff.Record
		w.traced(t, 1, func() {
			var err error
			r, err = w.service.Register(ctx, w.operator, in)
			want(t, err, "", "")
		})
		if r.UserClass != access.Citizen || r.CredentialLevel != access.Ordinary || r.PINState != pin.StateNone || len(r.Contacts) != 2 ||
			r.Contacts[0].State() != person.Unverified || r.SuspendedAt != nil {
			t.Errorf("registered %+v", r)
		}
		w.traced(t, 0, func() {
			_, err := w.service.Register(ctx, w.operator, in)
			want(t, err, fault.Conflict, "tax-code-registered")
			_, err = w.service.Register(ctx, w.operator, staff.Registration{
				TaxCode: pintest.Giulia, GivenName: "<Giulia>", FamilyName: "Bianchi",
			})
			wantField(t, err, "/given_name", "forbidden-character")
			_, err = w.service.Register(ctx, w.operator, staff.Registration{
				TaxCode: taxcode.MustParse("00743110157"), GivenName: "G", FamilyName: "B",
			})
			wantField(t, err, "/tax_code", "format")
			for pointer, contacts := range map[string][]person.NewContact{
				"/contacts/1/kind":  {{Kind: person.Email, Value: "a@posta.example"}, {Kind: person.Email, Value: "b@posta.example"}},
				"/contacts/1/value": {{Kind: person.Email, Value: "a@posta.example"}, {Kind: person.PEC, Value: "A@posta.example"}},
			} {
				_, err = w.service.Register(ctx, w.operator, staff.Registration{
					TaxCode: pintest.Giulia, GivenName: "G", FamilyName: "B", Contacts: contacts,
				})
				wantField(t, err, pointer, "duplicate")
			}
			_, err = w.service.Register(ctx, w.operator, staff.Registration{
				TaxCode: pintest.Giulia, GivenName: "G", FamilyName: "B", Contacts: []person.NewContact{{Kind: person.Mobile, Value: "06"}},
			})
			wantField(t, err, "/contacts/0/value", "format")
		})
		if n := w.Count(t, "people WHERE tax_code = ?", pintest.Giulia.Clear()); n != 0 {
			t.Error("registered in spite of a wrong contact")
		}
		found, err := w.service.Find(ctx, w.operator, pintest.Mario)
		if err != nil || len(found) != 1 || found[0].ID != r.ID {
			t.Errorf("found %v, %v", found, err)
		}
		if shown, err := w.service.Show(ctx, r.ID); err != nil || shown.TaxCode != pintest.Mario {
			t.Errorf("shown %v, %v", shown, err)
		}
		_, err = w.service.Show(ctx, uuid.New())
		want(t, err, fault.NotFound, "")
	})
}

// TestStaff_WhoIsFoundOrShownIsLookedAt, and whom an operation leaves in its answer is not.
func TestStaff_WhoIsFoundOrShownIsLookedAt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p, _ := w.Person(t, pintest.Mario, access.Citizen, false)
		looks := func(want int) {
			t.Helper()
			if n := w.Count(t, "staff_looks WHERE person_id = ? AND staff_id = ?", p.ID, w.contactCentre.PersonID); n != want {
				t.Errorf("%d looks, want %d", n, want)
			}
		}
		_, err := w.service.Find(ctx, w.contactCentre, pintest.Giulia)
		want(t, err, "", "")
		looks(0)
		_, err = w.service.Find(ctx, w.contactCentre, pintest.Mario)
		want(t, err, "", "")
		looks(1)
		_, err = w.service.Open(ctx, w.contactCentre, p.ID)
		want(t, err, "", "")
		looks(2)
		_, err = w.service.Open(ctx, w.contactCentre, uuid.New())
		want(t, err, fault.NotFound, "")
		_, err = w.service.Suspend(ctx, w.admin, p.ID, "prova")
		want(t, err, "", "")
		if n := w.Count(t, "staff_looks"); n != 2 {
			t.Errorf("%d looks, want 2", n)
		}
	})
}

func TestStaff_IssueAtTheCounter(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p, old := w.Person(t, pintest.Mario, access.Citizen, false)
		w.Exec(t, "UPDATE people SET credential_level = 'ordinary' WHERE id = ?", p.ID)
		before := w.Login(t, pintest.Mario, old)
		shown := map[uuid.UUID]secret.Text{}
		w.OnChange = func(_ context.Context, id uuid.UUID, text secret.Text) error {
			shown[id] = text
			return nil
		}
		var handed staff.Issued
		w.traced(t, 1, func() {
			var err error
			handed, err = w.service.IssuePIN(ctx, w.operator, p.ID)
			want(t, err, "", "")
		})
		if len(handed.PIN) != 16 || !handed.ExpiresAt.Equal(w.Clock.Now().AddDate(0, 0, 60)) {
			t.Errorf("%d characters until %v", len(handed.PIN), handed.ExpiresAt)
		}
		if n := w.Count(
			t, "audit_records WHERE subject_kind = 'pin-document-shown' AND subject_id = ? AND person_id = ?", p.ID.String(),
			w.operator.PersonID,
		); n != 1 {
			t.Errorf("%d audit records name who issued it to whom", n)
		}
		if shown[p.ID] != handed.PIN || len(w.people) != 0 || w.told(t, staff.PINIssued.Name, p.ID) != 1 {
			t.Errorf("hook %v, completed %v, %d messages", shown, w.people, w.told(t, staff.PINIssued.Name, p.ID))
		}
		_, err := w.Actor(t, before)
		want(t, err, fault.SessionEnded, "")
		_, err = w.Sessions.Renew(ctx, before.RefreshToken, "")
		want(t, err, fault.SessionEnded, "")
		_, err = w.Sessions.Start(ctx, pintest.Mario.Clear(), old, "")
		want(t, err, fault.InvalidCredentials, "")
		opened := w.Login(t, pintest.Mario, handed.PIN)
		if !opened.PINChangeRequired || opened.CredentialLevel != access.Ordinary {
			t.Errorf("session %+v", opened)
		}
		if r, err := w.service.Show(ctx, p.ID); err != nil || r.PINState != pin.StateInitial || r.CredentialLevel != access.Ordinary {
			t.Errorf("record %+v, %v", r, err)
		}
		// Another one replaces the first.
		second, err := w.service.IssuePIN(ctx, w.operator, p.ID)
		want(t, err, "", "")
		if len(w.people) != 0 || second.PIN == handed.PIN {
			t.Errorf("completed %v; the same PIN %v", w.people, second.PIN == handed.PIN)
		}
		_, err = w.Sessions.Start(ctx, pintest.Mario.Clear(), handed.PIN, "")
		want(t, err, fault.InvalidCredentials, "")
		w.Clock.Advance(60 * 24 * 3600e9)
		_, err = w.Sessions.Start(ctx, pintest.Mario.Clear(), second.PIN, "")
		want(t, err, fault.PINExpired, "")
		if r, err := w.service.Show(ctx, p.ID); err != nil || r.PINState != pin.StateExpired {
			t.Errorf("record %+v, %v", r, err)
		}
	})
}

func TestStaff_NoPINFor(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p, text := w.Person(t, pintest.Mario, access.Citizen, false)
		_, err := w.service.Suspend(ctx, w.admin, p.ID, "prova")
		want(t, err, "", "")
		w.traced(t, 0, func() {
			_, err := w.service.IssuePIN(ctx, w.operator, w.operator.PersonID)
			want(t, err, fault.Forbidden, "own-pin")
			_, err = w.service.IssuePIN(ctx, w.operator, p.ID)
			want(t, err, fault.Conflict, "person-suspended")
			_, err = w.service.IssuePIN(ctx, w.operator, w.admin.PersonID)
			want(t, err, fault.Forbidden, "staff-pin")
			_, err = w.service.IssuePIN(ctx, w.operator, uuid.New())
			want(t, err, fault.NotFound, "")
		})
		want(t, w.service.Readmit(ctx, w.admin, p.ID), "", "")
		w.Login(t, pintest.Mario, text)
		if w.told(t, staff.PINIssued.Name, p.ID) != 0 {
			t.Error("told of a PIN that was not issued")
		}
	})
}

func TestStaff_RevokeSomebodysPIN(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p, text := w.Person(t, pintest.Mario, access.Citizen, false)
		s := w.Login(t, pintest.Mario, text)
		w.traced(t, 1, func() { want(t, w.service.RevokePIN(ctx, w.contactCentre, p.ID, staff.Lost), "", "") })
		_, err := w.Actor(t, s)
		want(t, err, fault.SessionEnded, "")
		_, err = w.Sessions.Start(ctx, pintest.Mario.Clear(), text, "")
		want(t, err, fault.InvalidCredentials, "")
		if r, err := w.service.Show(ctx, p.ID); err != nil || r.PINState != pin.StateRevoked {
			t.Errorf("record %+v, %v", r, err)
		}
		w.traced(t, 0, func() {
			want(t, w.service.RevokePIN(ctx, w.contactCentre, p.ID, staff.Lost), fault.NotFound, "")
			want(t, w.service.RevokePIN(ctx, w.admin, w.admin.PersonID, staff.Lost), fault.NotFound, "")
			want(t, w.service.RevokePIN(ctx, w.contactCentre, uuid.New(), staff.Lost), fault.NotFound, "")
		})
	})
}

// TestStaff_RevocationsAreTwentyADay and each has a reason; the administrators are told of the last
// one.
func TestStaff_RevocationsAreTwentyADay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p, _ := w.Person(t, pintest.Mario, access.Citizen, false)
		again := func() { w.Exec(t, "UPDATE pins SET revoked_at = NULL WHERE person_id = ?", p.ID) }
		for i := range 20 {
			if n := w.told(t, look.LimitReached.Name, w.admin.PersonID); n != 0 {
				t.Fatalf("told after %d", i)
			}
			again()
			want(t, w.service.RevokePIN(ctx, w.contactCentre, p.ID, staff.Stolen), "", "")
			w.Clock.Advance(time.Minute)
		}
		if w.told(t, look.LimitReached.Name, w.admin.PersonID) != 1 || w.told(t, look.LimitReached.Name, w.operator.PersonID) != 0 {
			t.Error("the administrators, and nobody else, are told once")
		}
		again()
		w.traced(t, 0, func() {
			err := w.service.RevokePIN(ctx, w.contactCentre, p.ID, staff.Stolen)
			var f *fault.Fault
			if !errors.As(err, &f) || f.Code != fault.RateLimited || f.RetryAfter != 24*time.Hour-20*time.Minute {
				t.Errorf("the twenty-first: %v", err)
			}
		})
		want(t, w.service.RevokePIN(ctx, w.operator, p.ID, staff.Lost), "", "")
		if n := w.Count(
			t, "pin_revocations WHERE person_id = ? AND reason = 'stolen' AND revoked_by = ?", p.ID, w.contactCentre.PersonID,
		); n != 20 {
			t.Errorf("%d are kept with their reason", n)
		}
		again()
		w.Clock.Advance(24 * time.Hour)
		want(t, w.service.RevokePIN(ctx, w.contactCentre, p.ID, staff.Stolen), "", "")
		again()
		wantField(t, w.service.RevokePIN(ctx, w.contactCentre, p.ID, "because"), "reason", "enum")
	})
}

// An operator must not be able to lock those out who administer the operators.
func TestStaff_AdministratorsPINsAreRevokedByAdministrators(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p, text := w.Person(t, pintest.Mario, access.Administrator, false)
		w.traced(t, 0, func() {
			want(t, w.service.RevokePIN(ctx, w.operator, p.ID, staff.Lost), fault.Forbidden, "administrator-pin")
			want(t, w.service.RevokePIN(ctx, w.contactCentre, p.ID, staff.Lost), fault.Forbidden, "administrator-pin")
		})
		w.Login(t, pintest.Mario, text)
		w.traced(t, 1, func() { want(t, w.service.RevokePIN(ctx, w.admin, p.ID, staff.Lost), "", "") })
	})
}

func TestStaff_SuspendAndReadmit(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p, text := w.Person(t, pintest.Mario, access.Citizen, false)
		s := w.Login(t, pintest.Mario, text)
		w.traced(t, 1, func() {
			r, err := w.service.Suspend(ctx, w.admin, p.ID, "Credenziali cedute a terzi")
			want(t, err, "", "")
			if r.SuspendedAt == nil || !r.SuspendedAt.Equal(w.Clock.Now()) || r.SuspensionReason == nil ||
				*r.SuspensionReason != "Credenziali cedute a terzi" {
				t.Errorf("suspended %+v", r)
			}
		})
		if w.told(t, staff.PersonSuspended.Name, p.ID) != 1 || w.Count(t, "outbox WHERE data LIKE '%cedute%'") != 0 {
			t.Error("the person is told, but not why")
		}
		dead := func() {
			t.Helper()
			_, err := w.Actor(t, s)
			want(t, err, fault.SessionEnded, "")
			_, err = w.Sessions.Renew(ctx, s.RefreshToken, "")
			want(t, err, fault.SessionEnded, "")
		}
		dead()
		_, err := w.Sessions.Start(ctx, pintest.Mario.Clear(), text, "")
		want(t, err, fault.InvalidCredentials, "")
		w.traced(t, 0, func() {
			_, err = w.service.Suspend(ctx, w.admin, p.ID, "again")
			want(t, err, fault.Conflict, "already-suspended")
			_, err = w.service.Suspend(ctx, w.admin, w.admin.PersonID, "me")
			want(t, err, fault.Conflict, "own-account")
			_, err = w.service.Suspend(ctx, w.admin, uuid.New(), "nobody")
			want(t, err, fault.NotFound, "")
			want(t, w.service.Readmit(ctx, w.admin, w.operator.PersonID), fault.Conflict, "not-suspended")
			want(t, w.service.Readmit(ctx, w.admin, uuid.New()), fault.NotFound, "")
		})
		w.traced(t, 1, func() { want(t, w.service.Readmit(ctx, w.admin, p.ID), "", "") })
		if w.told(t, staff.PersonReadmitted.Name, p.ID) != 1 || w.Count(t, "people WHERE suspension_reason IS NOT NULL") != 0 {
			t.Error("not told, or the reason stayed")
		}
		dead()
		w.Login(t, pintest.Mario, text)
	})
}

// TestStaff_SuspensionAgainstLogins: however the logins that run at the same time turn out, none
// leaves a session behind.
func TestStaff_SuspensionAgainstLogins(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p, text := w.Person(t, pintest.Mario, access.Citizen, false)
		for range 20 {
			var logins sync.WaitGroup
			for range 4 {
				logins.Go(func() {
					if _, err := w.Sessions.Start(ctx, pintest.Mario.Clear(), text, ""); err != nil &&
						!fault.Is(err, fault.InvalidCredentials) {
						t.Error(err)
					}
				})
			}
			_, err := w.service.Suspend(ctx, w.admin, p.ID, "prova")
			want(t, err, "", "")
			logins.Wait()
			if n := w.Count(t, "sessions WHERE person_id = ? AND ended_at IS NULL", p.ID); n != 0 {
				t.Fatalf("%d sessions outlived the suspension", n)
			}
			want(t, w.service.Readmit(ctx, w.admin, p.ID), "", "")
			// What was tried in vain is no wrong PIN of the holder's that should stay.
			w.Login(t, pintest.Mario, text)
		}
	})
}

// TestStaff_NobodyWaitsInACircle: whatever is done to one person at the same time is done in some
// order, or refused.
func TestStaff_NobodyWaitsInACircle(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p, _ := w.Person(t, pintest.Mario, access.Citizen, false)
		other := w.works(t, pintest.Giulia, access.Administrator, "")
		refused := func(err error) bool {
			var f *fault.Fault
			if err != nil && !errors.As(err, &f) {
				t.Error(err)
			}
			return err != nil
		}
		office := milan
		works := []func(){
			func() {
				handed, err := w.service.IssuePIN(ctx, w.operator, p.ID)
				if refused(err) {
					return
				}
				s, err := w.Sessions.Start(ctx, pintest.Mario.Clear(), handed.PIN, "")
				if refused(err) {
					return
				}
				by, err := w.Actor(t, s)
				if refused(err) {
					return
				}
				r, err := w.PINs.Rotate(ctx, by)
				if refused(err) {
					return
				}
				_, err = w.PINs.Confirm(ctx, by, r.ID, r.PIN)
				refused(err)
			},
			func() {
				_, err := w.service.Suspend(ctx, w.admin, p.ID, "prova")
				refused(err)
				refused(w.service.Readmit(ctx, w.admin, p.ID))
			},
			func() { refused(w.service.RevokePIN(ctx, w.contactCentre, p.ID, staff.Lost)) },
			func() {
				made, err := w.service.Appoint(ctx, other, pintest.Mario, person.Post{Class: access.Operator, OfficeCode: rome})
				if refused(err) {
					return
				}
				_, err = w.service.Reassign(ctx, w.admin, p.ID, made.Version, person.PostChange{OfficeCode: &office})
				refused(err)
				refused(w.service.Dismiss(ctx, other, p.ID))
			},
		}
		var all sync.WaitGroup
		for _, work := range works {
			for range 2 {
				all.Go(func() {
					for range 15 {
						work()
					}
				})
			}
		}
		all.Wait()
	})
}

// TestStaff_SuspensionIsDatedAfterWhatItLetIn: a filing holds person and session, any other
// operation the session alone. Both come before the instant of the suspension.
func TestStaff_SuspensionIsDatedAfterWhatItLetIn(t *testing.T) {
	d := dbtest.Open(t, dbtest.Postgres(t))
	w := newWorld(t, d)
	p, pin := w.Person(t, pintest.Mario, access.Citizen, false)
	for name, lock := range map[string]string{
		"a filing":     "SELECT 1 FROM sessions s JOIN people p ON p.id = s.person_id WHERE p.id = ? FOR SHARE OF p, s",
		"an operation": "SELECT 1 FROM sessions s WHERE s.person_id = ? FOR SHARE OF s",
	} {
		w.Login(t, pintest.Mario, pin)
		released := world.EndBeside(t, d, w.Clock, func() error {
			_, err := w.service.Suspend(context.Background(), w.admin, p.ID, "asked for by the police")
			return err
		}, lock, p.ID)
		if n := w.Count(t, "people WHERE id = ? AND suspended_at >= ?", p.ID, released); n != 1 {
			t.Errorf("%s: the suspension came before what was let in", name)
		}
		w.Exec(t, "UPDATE people SET suspended_at = NULL, suspension_reason = NULL WHERE id = ?", p.ID)
	}
}
