package staff_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"diresco/db"
	"diresco/internal/identity/consent"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/staff"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestStaff_AppointReassignDismiss(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p, text := w.Person(t, pintest.Mario, access.Citizen, false)
		s := w.Login(t, pintest.Mario, text)
		expires := func() time.Time {
			t.Helper()
			at, err := w.PINs.ExpiresAt(ctx, p.ID)
			want(t, err, "", "")
			return *at
		}
		months := func(n int) time.Time { return pintest.Start.AddDate(0, n, 0).Add(-time.Hour) } // Rome's summer time
		if !expires().Equal(months(6)) {
			t.Fatalf("a citizen's PIN expires at %v", expires())
		}
		_, err := w.service.Operator(ctx, p.ID)
		want(t, err, fault.NotFound, "")

		var made person.Person
		w.traced(t, 1, func() {
			made, err = w.service.Appoint(ctx, w.admin, pintest.Mario, person.Post{Class: access.Operator, OfficeCode: rome})
			want(t, err, "", "")
		})
		if made.UserClass != access.Operator || made.Office() != rome || made.Version != 2 {
			t.Errorf("made %+v", made)
		}
		by, err := w.Actor(t, s)
		if err != nil || by.UserClass != access.Operator || by.OfficeCode != rome {
			t.Errorf("the open session is %s of office %s, %v", by.UserClass, by.OfficeCode, err)
		}
		if w.consents[p.ID] != consent.EndedPostGiven {
			t.Errorf("what applications may do for who works here: %q", w.consents[p.ID])
		}
		if !expires().Equal(months(3)) {
			t.Errorf("an operator's PIN expires at %v", expires())
		}

		office := milan
		w.traced(t, 1, func() {
			made, err = w.service.Reassign(ctx, w.admin, p.ID, made.Version, person.PostChange{OfficeCode: &office})
			want(t, err, "", "")
		})
		if made.Office() != milan || made.Version != 3 {
			t.Errorf("moved %+v", made)
		}
		class := access.ContactCentre
		made, err = w.service.Reassign(ctx, w.admin, p.ID, made.Version, person.PostChange{Class: &class})
		want(t, err, "", "")
		if made.UserClass != access.ContactCentre || made.Office() != "" || made.Version != 4 {
			t.Errorf("who is no operator any more has no office: %+v", made)
		}
		same, err := w.service.Reassign(ctx, w.admin, p.ID, made.Version, person.PostChange{Class: &class})
		if err != nil || same.Version != made.Version {
			t.Errorf("what changes nothing is no change: %+v, %v", same, err)
		}
		if by := w.MustActor(t, s); by.UserClass != access.ContactCentre || by.OfficeCode != "" {
			t.Errorf("the open session is %s of office %s", by.UserClass, by.OfficeCode)
		}

		second := w.works(t, taxcode.MustParse("BNCLNE85M41H501P"), access.Administrator, "")
		w.traced(t, 1, func() { want(t, w.service.Dismiss(ctx, w.admin, p.ID), "", "") })
		if w.told(t, staff.PostEnded.Name, p.ID) != 1 || w.told(t, staff.ColleagueEnded.Name, second.PersonID) != 1 ||
			w.told(t, staff.ColleagueEnded.Name, w.admin.PersonID) != 0 {
			t.Error("they and the other administrators are not told of the end")
		}
		_, err = w.Actor(t, s)
		want(t, err, fault.SessionEnded, "")
		if again := w.MustActor(t, w.Login(t, pintest.Mario, text)); again.UserClass != access.Citizen {
			t.Errorf("is %s", again.UserClass)
		}
		if !expires().Equal(months(6)) {
			t.Errorf("a citizen's PIN expires at %v again", expires())
		}
		want(t, w.service.Dismiss(ctx, w.admin, p.ID), fault.NotFound, "")
	})
}

// TestStaff_OnlyWhoWasIdentifiedGetsAPost: with an ordinary PIN nobody works here, else they would
// issue dispositive ones to others.
func TestStaff_OnlyWhoWasIdentifiedGetsAPost(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p, _ := w.Person(t, pintest.Mario, access.Citizen, false)
		w.Exec(t, "UPDATE people SET credential_level = 'ordinary' WHERE id = ?", p.ID)
		w.traced(t, 0, func() {
			for _, post := range []person.Post{
				{Class: access.Operator, OfficeCode: rome}, {Class: access.ContactCentre}, {Class: access.Administrator},
			} {
				_, err := w.service.Appoint(ctx, w.admin, pintest.Mario, post)
				want(t, err, fault.Conflict, "ordinary-credentials")
			}
		})
		w.Exec(t, "UPDATE people SET credential_level = 'dispositive' WHERE id = ?", p.ID)
		_, err := w.service.Appoint(ctx, w.admin, pintest.Mario, person.Post{Class: access.ContactCentre})
		want(t, err, "", "")
	})
}

// TestStaff_ASecondAdministratorConfirmsAnAdministrator, whether they were a citizen or worked here
// before; until then they administer nothing.
func TestStaff_ASecondAdministratorConfirmsAnAdministrator(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		second := w.works(t, taxcode.MustParse("BNCLNE85M41H501P"), access.Administrator, "")
		w.Person(t, pintest.Mario, access.Citizen, false)
		made, err := w.service.Appoint(ctx, w.admin, pintest.Mario, person.Post{Class: access.Administrator})
		want(t, err, "", "")
		class := access.Administrator
		moved, err := w.service.Reassign(ctx, w.admin, w.operator.PersonID, 1, person.PostChange{Class: &class})
		want(t, err, "", "")
		for _, p := range []person.Person{made, moved} {
			if p.PostGivenBy == nil || *p.PostGivenBy != w.admin.PersonID {
				t.Fatalf("given %+v", p)
			}
			w.traced(t, 0, func() {
				_, err := w.service.ConfirmOperator(ctx, w.admin, p.ID)
				want(t, err, fault.Forbidden, "second-person")
				_, err = w.service.ConfirmOperator(ctx, access.Actor{PersonID: p.ID}, p.ID)
				want(t, err, fault.Forbidden, "second-person")
			})
			// They are none who could take over.
			ids, err := w.People.Administrators(ctx)
			if err != nil || slices.Contains(ids, p.ID) {
				t.Errorf("administer: %v, %v", ids, err)
			}
			w.traced(t, 1, func() {
				confirmed, err := w.service.ConfirmOperator(ctx, second, p.ID)
				if err != nil || confirmed.PostGivenBy != nil || confirmed.Version != p.Version+1 {
					t.Errorf("confirmed %+v, %v", confirmed, err)
				}
			})
			_, err = w.service.ConfirmOperator(ctx, second, p.ID)
			want(t, err, fault.Conflict, "post-confirmed")
		}
		_, err = w.service.ConfirmOperator(ctx, second, w.colleague.PersonID)
		want(t, err, fault.Conflict, "post-confirmed")
		_, err = w.service.ConfirmOperator(ctx, second, uuid.New())
		want(t, err, fault.NotFound, "")
	})
}

// TestStaff_AnUnconfirmedAdministratorIsNotTheLast: the confirmed one stays.
func TestStaff_AnUnconfirmedAdministratorIsNotTheLast(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.Person(t, pintest.Mario, access.Citizen, false)
		made, err := w.service.Appoint(ctx, w.admin, pintest.Mario, person.Post{Class: access.Administrator})
		want(t, err, "", "")
		want(t, w.service.Dismiss(ctx, w.admin, w.admin.PersonID), fault.Conflict, "last-administrator")
		want(t, w.service.Dismiss(ctx, w.admin, made.ID), "", "")
		if p, err := w.People.ByID(ctx, made.ID); err != nil || p.PostGivenBy != nil || p.UserClass != access.Citizen {
			t.Errorf("is %+v, %v", p, err)
		}
	})
}

// TestStaff_OfAPostAllAreTold who must know: its holder and the other administrators.
func TestStaff_OfAPostAllAreTold(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		second := w.works(t, taxcode.MustParse("BNCLNE85M41H501P"), access.Administrator, "")
		mario, _ := w.Person(t, pintest.Mario, access.Citizen, false)
		told := func(holder, others int) {
			t.Helper()
			if w.told(t, staff.PostGiven.Name, mario.ID) != holder || w.told(t, staff.ColleagueGiven.Name, second.PersonID) != others ||
				w.told(t, staff.ColleagueGiven.Name, w.operator.PersonID) != 0 || w.told(t, staff.ColleagueGiven.Name, mario.ID) != 0 {
				t.Errorf(
					"%d and %d messages", w.told(t, staff.PostGiven.Name, mario.ID), w.told(t, staff.ColleagueGiven.Name, second.PersonID),
				)
			}
		}
		made, err := w.service.Appoint(ctx, w.admin, pintest.Mario, person.Post{Class: access.Operator, OfficeCode: rome})
		want(t, err, "", "")
		told(1, 1)
		class, office := access.Administrator, rome
		_, err = w.service.Reassign(ctx, w.admin, made.ID, made.Version, person.PostChange{OfficeCode: &office})
		want(t, err, "", "")
		told(1, 1) // what changes nothing is nothing to tell
		_, err = w.service.Reassign(ctx, w.admin, made.ID, made.Version, person.PostChange{Class: &class})
		want(t, err, "", "")
		told(2, 2)
		_, err = w.service.ConfirmOperator(ctx, second, made.ID)
		want(t, err, "", "")
		told(3, 2) // who confirms knows it
		if n := w.told(t, staff.ColleagueGiven.Name, w.admin.PersonID); n != 1 {
			t.Errorf("who gave the post is told %d times that it was confirmed", n)
		}
	})
}

func TestStaff_PostsThatCannotBe(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.Person(t, pintest.Mario, access.Citizen, false)
		w.Person(t, pintest.Giulia, access.InstitutionalIntermediary, false)
		for _, tt := range []struct {
			post          person.Post
			pointer, code string
		}{
			{person.Post{Class: access.Operator}, "/office_code", "required"},
			{person.Post{Class: access.Operator, OfficeCode: "9999"}, "/office_code", "unknown-office"},
			{person.Post{Class: access.ContactCentre, OfficeCode: rome}, "/office_code", "only-operators"},
			{person.Post{Class: access.Administrator, OfficeCode: rome}, "/office_code", "only-operators"},
			{person.Post{Class: access.Citizen}, "/user_class", "enum"},
			{person.Post{Class: access.InstitutionalIntermediary}, "/user_class", "enum"},
		} {
			_, err := w.service.Appoint(ctx, w.admin, pintest.Mario, tt.post)
			wantField(t, err, tt.pointer, tt.code)
		}
		post := person.Post{Class: access.Operator, OfficeCode: rome}
		_, err := w.service.Appoint(ctx, w.admin, taxcode.MustParse("BNCLNE85M41H501P"), post)
		wantField(t, err, "/tax_code", "not-registered")
		_, err = w.service.Appoint(ctx, w.admin, pintest.Giulia, post)
		want(t, err, fault.Conflict, "not-a-citizen")
		_, err = w.service.Appoint(ctx, w.admin, bruno, post)
		want(t, err, fault.Conflict, "already-operator")

		text := func(s string) *string { return &s }
		class := func(c access.UserClass) *access.UserClass { return &c }
		for _, tt := range []struct {
			id            uuid.UUID
			change        person.PostChange
			pointer, code string
		}{
			{w.operator.PersonID, person.PostChange{OfficeCode: text("9999")}, "/office_code", "unknown-office"},
			{w.operator.PersonID, person.PostChange{OfficeCode: text("")}, "/office_code", "required"},
			{
				w.operator.PersonID,
				person.PostChange{Class: class(access.Administrator), OfficeCode: text(milan)},
				"/office_code",
				"only-operators",
			},
			{w.operator.PersonID, person.PostChange{Class: class(access.Citizen)}, "/user_class", "enum"},
			{w.contactCentre.PersonID, person.PostChange{Class: class(access.Operator)}, "/office_code", "required"},
			{w.contactCentre.PersonID, person.PostChange{OfficeCode: text(milan)}, "/office_code", "only-operators"},
		} {
			_, err := w.service.Reassign(ctx, w.admin, tt.id, 1, tt.change)
			wantField(t, err, tt.pointer, tt.code)
		}
		_, err = w.service.Reassign(ctx, w.admin, w.operator.PersonID, 2, person.PostChange{OfficeCode: text(milan)})
		want(t, err, fault.PreconditionFailed, "")
		_, err = w.service.Reassign(ctx, w.admin, uuid.New(), 1, person.PostChange{OfficeCode: text(milan)})
		want(t, err, fault.NotFound, "")
	})
}

// TestStaff_ARepeatedAppointment gets the answer of the first, whose key it has.
func TestStaff_ARepeatedAppointment(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.Person(t, pintest.Mario, access.Citizen, false)
		claimed := func(operation string) context.Context {
			return idempotency.WithClaim(ctx, &idempotency.Claim{
				Scope: "person:" + w.admin.PersonID.String(), Key: operation, Operation: operation, RequestMAC: "mac",
			})
		}
		post := person.Post{Class: access.Operator, OfficeCode: rome}
		for range 2 {
			p, err := w.service.Appoint(claimed("addOperator"), w.admin, pintest.Mario, post)
			if err != nil || p.Office() != rome || p.Version != 2 {
				t.Errorf("%+v, %v", p, err)
			}
			r, err := w.service.Suspend(claimed("suspendPerson"), w.admin, p.ID, "prova")
			if err != nil || r.SuspendedAt == nil {
				t.Errorf("%+v, %v", r, err)
			}
			w.Exec(t, "UPDATE people SET version = 2 WHERE id = ?", p.ID)
		}
	})
}

func TestStaff_TheLastAdministratorStays(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		other := w.works(t, pintest.Giulia, access.Administrator, "")
		class := access.ContactCentre
		lose := map[string]func(by access.Actor, id uuid.UUID) error{
			"dismissed": func(by access.Actor, id uuid.UUID) error { return w.service.Dismiss(ctx, by, id) },
			"demoted": func(by access.Actor, id uuid.UUID) error {
				p, err := w.People.ByID(ctx, id)
				want(t, err, "", "")
				_, err = w.service.Reassign(ctx, by, id, p.Version, person.PostChange{Class: &class})
				return err
			},
			"suspended": func(by access.Actor, id uuid.UUID) error {
				_, err := w.service.Suspend(ctx, by, id, "prova")
				return err
			},
		}
		for name, take := range lose {
			t.Run(name, func(t *testing.T) {
				// Two at once, each by the other: one of them stays.
				var both sync.WaitGroup
				outcomes := make([]error, 2)
				both.Go(func() { outcomes[0] = take(w.admin, other.PersonID) })
				both.Go(func() { outcomes[1] = take(other, w.admin.PersonID) })
				both.Wait()
				if outcomes[0] == nil {
					outcomes[0], outcomes[1] = outcomes[1], outcomes[0]
				}
				want(t, outcomes[0], fault.Conflict, "last-administrator")
				want(t, outcomes[1], "", "")
				var left []uuid.UUID
				if err := d.From(ctx).Raw("SELECT id FROM people WHERE user_class = 'administrator' AND " +
					"suspended_at IS NULL").Scan(&left).Error; err != nil || len(left) != 1 {
					t.Fatalf("left are %v, %v", left, err)
				}
				// A suspended administrator is none who could take over.
				for what, again := range lose {
					if err := again(access.Actor{PersonID: uuid.New()}, left[0]); !fault.Is(err, fault.Conflict) {
						t.Errorf("the last one %s: %v", what, err)
					}
				}
				w.Exec(t, "UPDATE people SET user_class = 'administrator', suspended_at = NULL WHERE id IN ?", []uuid.UUID{
					w.admin.PersonID, other.PersonID,
				})
				w.Exec(t, "UPDATE sessions SET ended_at = NULL, end_reason = NULL")
			})
		}
	})
}

func TestStaff_ListOfOperators(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.Exec(t, "DELETE FROM sessions")
		w.Exec(t, "DELETE FROM people")
		// Two of each class for each name, and others who do not work here.
		classes := []access.UserClass{
			access.Citizen, access.InstitutionalIntermediary, access.Operator, access.ContactCentre, access.Administrator,
		}
		var expected []string
		for i := range 30 {
			code, err := taxcode.Compose(taxcode.Birth{
				FamilyName: "Rossi", GivenName: "Mario", Date: time.Date(1950, 1, 1+i, 0, 0, 0, 0, time.UTC), Sex: taxcode.Male,
				Place: "H501",
			})
			if err != nil {
				t.Fatal(err)
			}
			class := classes[i%len(classes)]
			name := []string{"Bianchi", "D'Amico", "Neri"}[i%3]
			in := person.New{TaxCode: code, GivenName: "Mario", FamilyName: name, UserClass: class, CredentialLevel: access.Dispositive}
			if class == access.Operator {
				in.OfficeCode = rome
			}
			if _, err := w.People.Create(ctx, in, nil); err != nil {
				t.Fatal(err)
			}
			if class != access.Citizen && class != access.InstitutionalIntermediary {
				expected = append(expected, name)
			}
		}
		slices.Sort(expected)
		for _, size := range []int{1, 4, 100} {
			var listed []string
			seen := map[uuid.UUID]bool{}
			request := page.Request{Limit: size}
			for {
				statements := world.Statements(t, d)
				found, err := w.service.Operators(ctx, request)
				if err != nil || len(found.Items) > size {
					t.Fatalf("%d items, %v", len(found.Items), err)
				}
				if n := statements(); n != 1 {
					t.Errorf("%d statements for a page", n)
				}
				for _, p := range found.Items {
					listed = append(listed, p.FamilyName)
					seen[p.ID] = true
				}
				if found.Next == "" {
					break
				}
				if cursor, err := base64.RawURLEncoding.DecodeString(found.Next); err != nil ||
					strings.Contains(string(cursor), listed[len(listed)-1]) {
					t.Errorf("cursor %s, %v", cursor, err)
				}
				request.Cursor = found.Next
			}
			if !slices.Equal(listed, expected) || len(seen) != len(expected) {
				t.Errorf("by %d: %v, want %v", size, listed, expected)
			}
		}
		if _, err := w.service.Operators(ctx, page.Request{Cursor: "eA"}); !fault.Is(err, fault.Malformed) {
			t.Errorf("a cursor that was never given: %v", err)
		}
	})
}

// TestStaff_TheListIsReadFromItsIndex: a page in the middle reads nothing that is not shown. It
// sorts nothing but the pages of the three classes.
func TestStaff_TheListIsReadFromItsIndex(t *testing.T) {
	d := dbtest.Open(t, dbtest.Postgres(t))
	var filled []person.Person
	for i := range 10_000 {
		code, err := taxcode.ComposeOrganisation(fmt.Sprintf("%010d", 1+i)) // any code will do, and these are quick to make
		if err != nil {
			t.Fatal(err)
		}
		p := person.Person{
			ID: uuid.New(), TaxCode: code, GivenName: "G", FamilyName: fmt.Sprintf("F%06d", i), UserClass: access.Citizen,
			CredentialLevel: access.Ordinary, Version: 1, CreatedAt: pintest.Start,
		}
		switch i % 20 {
		case 0:
			p.UserClass = access.Administrator
		case 1:
			p.UserClass = access.ContactCentre
		}
		filled = append(filled, p)
	}
	if err := d.InTx(ctx, func(ctx context.Context) error {
		if err := d.From(ctx).CreateInBatches(filled, 500).Error; err != nil {
			return err
		}
		return d.From(ctx).Exec("ANALYZE people").Error
	}); err != nil {
		t.Fatal(err)
	}
	people := person.NewService(person.Deps{Runner: &operation.Runner{DB: d}})
	first, err := people.Operators(ctx, page.Request{})
	if err != nil {
		t.Fatal(err)
	}
	var statement string
	var args []any
	if err := d.From(ctx).Callback().Row().After("gorm:row").Register("test:listen", func(g *gorm.DB) {
		statement, args = g.Statement.SQL.String(), g.Statement.Vars
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := people.Operators(ctx, page.Request{Cursor: first.Next}); err != nil {
		t.Fatal(err)
	}
	pool, err := d.Writer()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := pool.QueryContext(ctx, "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) "+statement, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var plan strings.Builder
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(line + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if strings.Count(plan.String(), "Index Scan using people_by_class") != 3 || strings.Contains(plan.String(), "Rows Removed") ||
		strings.Contains(plan.String(), "Seq Scan") {
		t.Errorf("plan:\n%s", plan.String())
	}
}

// TestStaff_WhoLostAPostDoesNotTakeItBack: an operation that was let in before does nothing to
// oneself any more.
func TestStaff_WhoLostAPostDoesNotTakeItBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		other := w.works(t, pintest.Giulia, access.Administrator, "")
		class, back := access.ContactCentre, access.Administrator
		_, err := w.service.Reassign(ctx, w.admin, other.PersonID, fault.AnyVersion, person.PostChange{Class: &class})
		want(t, err, "", "")
		_, err = w.service.Reassign(ctx, other, other.PersonID, fault.AnyVersion, person.PostChange{Class: &back})
		want(t, err, fault.Forbidden, "")
		_, err = w.service.Suspend(ctx, other, w.operator.PersonID, "prova")
		want(t, err, fault.Forbidden, "")
		w.Exec(t, "UPDATE sessions SET ended_at = ? WHERE id = ?", w.Clock.Now(), w.admin.SessionID)
		want(t, w.service.Dismiss(ctx, w.admin, w.admin.PersonID), fault.SessionEnded, "")
		if n := w.Count(t, "people WHERE user_class = 'administrator'"); n != 1 {
			t.Errorf("%d administrators", n)
		}
	})
}
