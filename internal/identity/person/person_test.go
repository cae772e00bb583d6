package person_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/recheck"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func service(t *testing.T, d *db.DB) *person.Service {
	t.Helper()
	c := clock.NewManual(start)
	if err := d.InTx(context.Background(), func(ctx context.Context) error {
		return d.From(ctx).Exec("INSERT INTO offices (code, title) VALUES ('7000', 'Roma')").Error
	}); err != nil {
		t.Fatal(err)
	}
	return person.NewService(person.Deps{Runner: &operation.Runner{
		DB: d, Clock: c, Keys: idempotency.NewStore(d, c, nil), Trail: audit.NewTrail(d), Recheck: recheck.New(d, c),
	}})
}

func mario() person.New {
	return person.New{
		TaxCode: taxcode.MustParse("RSSMRA80A01H501U"), GivenName: "Mario", FamilyName: "Rossi",
		UserClass: access.Citizen, CredentialLevel: access.Dispositive,
		Contacts: []person.NewContact{{Kind: person.Mobile, Value: "+393331234567"}, {Kind: person.Email, Value: "mario.rossi@example.it"}},
	}
}

func rows(t *testing.T, d *db.DB, table string) int64 {
	t.Helper()
	var n int64
	if err := d.From(context.Background()).Table(table).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPerson_CreateAndFind(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := audit.WithOrigin(context.Background(), audit.Origin{Operation: "admin create", RequestID: "cli"})
		s := service(t, d)
		created, err := s.Create(ctx, mario(), nil)
		if err != nil {
			t.Fatal(err)
		}
		found, err := s.ByTaxCode(ctx, taxcode.MustParse("RSSMRA80A01H501U"))
		if err != nil {
			t.Fatal(err)
		}
		same := cmp.Comparer(func(a, b taxcode.Code) bool { return a == b })
		if diff := cmp.Diff(created, found, same); diff != "" {
			t.Error(diff)
		}
		if found.Office() != "" {
			t.Errorf("at the office %s", found.Office())
		}
		if _, err := s.ByTaxCode(ctx, taxcode.MustParse("RSSMRA80A01H50MM")); !fault.Is(err, fault.NotFound) {
			t.Errorf("an omocodia variant is another person: %v", err)
		}
		if _, err := s.ByID(ctx, uuid.New()); !fault.Is(err, fault.NotFound) {
			t.Errorf("unknown id: %v", err)
		}
		contacts, err := s.Contacts(ctx, created.ID)
		if err != nil || len(contacts) != 2 {
			t.Fatalf("%d contacts, error %v", len(contacts), err)
		}
		for _, c := range contacts {
			if c.VerifiedAt == nil || !c.VerifiedAt.Equal(start) {
				t.Errorf("%s is not verified", c.Kind)
			}
		}
		var record audit.Record
		if err := d.From(ctx).Take(&record).Error; err != nil || record.Operation != "admin create" || record.SubjectID == nil ||
			*record.SubjectID != created.ID.String() {
			t.Errorf("audit record %+v, error %v", record, err)
		}
		if n := rows(t, d, "audit_records"); n != 1 {
			t.Errorf("%d audit records, want 1", n)
		}
	})
}

func TestPerson_CreateIsOneTransaction(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		s := service(t, d)
		boom := errors.New("boom")
		if _, err := s.Create(ctx, mario(), func(context.Context, person.Person) error { return boom }); !errors.Is(err, boom) {
			t.Fatal(err)
		}
		for _, table := range []string{"people", "contacts", "audit_records"} {
			if n := rows(t, d, table); n != 0 {
				t.Errorf("%d rows in %s", n, table)
			}
		}
		if _, err := s.Create(ctx, mario(), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Create(ctx, mario(), nil); !fault.Is(err, fault.Conflict) {
			t.Errorf("the same tax code again: %v", err)
		}
		if n := rows(t, d, "audit_records"); n != 1 {
			t.Errorf("%d audit records, want 1", n)
		}
	})
}

func TestPerson_AddAndContactsInTheCallersTransaction(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		s := service(t, d)
		in := mario()
		in.UserClass, in.OfficeCode = access.Operator, "7000"
		var added person.Person
		if err := d.InTx(ctx, func(ctx context.Context) (err error) {
			if added, err = s.Add(ctx, in); err != nil {
				return err
			}
			// One that the person has already is not doubled.
			return s.AddVerified(ctx, added.ID, in.Contacts[0], person.NewContact{Kind: person.PEC, Value: "rossi@pec.example.it"})
		}); err != nil {
			t.Fatal(err)
		}
		if added.Office() != "7000" {
			t.Errorf("office %q", added.Office())
		}
		if contacts, err := s.Contacts(ctx, added.ID); err != nil || len(contacts) != 3 {
			t.Errorf("%d contacts, want 3; error %v", len(contacts), err)
		}
		if n := rows(t, d, "audit_records"); n != 0 {
			t.Errorf("%d audit records: the caller's operation writes its own", n)
		}
		if err := s.AddVerified(ctx, added.ID, person.NewContact{Kind: person.Email, Value: "no address"}); !fault.Is(err, fault.Invalid) {
			t.Errorf("wrong contact: %v", err)
		}
	})
}

func TestPerson_CreateNamesWrongFields(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	s := service(t, d)
	contact := func(kind person.ContactKind, value string) func(*person.New) {
		return func(n *person.New) { n.Contacts = []person.NewContact{{Kind: kind, Value: value}} }
	}
	tests := map[string]struct {
		change  func(*person.New)
		pointer string
	}{
		"no tax code":               {func(n *person.New) { n.TaxCode = taxcode.Code{} }, "/tax_code"},
		"organisation's tax code":   {func(n *person.New) { n.TaxCode = taxcode.MustParse("00743110157") }, "/tax_code"},
		"no given name":             {func(n *person.New) { n.GivenName = "" }, "/given_name"},
		"line break in family name": {func(n *person.New) { n.FamilyName = "Rossi\r\nBcc: x" }, "/family_name"},
		"NUL in family name":        {func(n *person.New) { n.FamilyName = "Ro\x00ssi" }, "/family_name"},
		"long name":                 {func(n *person.New) { n.FamilyName = strings.Repeat("é", 101) }, "/family_name"},
		"unknown class":             {func(n *person.New) { n.UserClass = "king" }, "/user_class"},
		"unknown level":             {func(n *person.New) { n.CredentialLevel = "high" }, "/credential_level"},
		"operator without office":   {func(n *person.New) { n.UserClass = access.Operator }, "/office_code"},
		"citizen with office":       {func(n *person.New) { n.OfficeCode = "7000" }, "/office_code"},
		"kind of contact":           {contact("fax", "06123456"), "/contacts/0/kind"},
		"number that is no mobile":  {contact(person.Mobile, "06 12345678"), "/contacts/0/value"},
		"e-mail with a name":        {contact(person.Email, "Mario <m@example.it>"), "/contacts/0/value"},
		"e-mail with a line break":  {contact(person.Email, "m@example.it\r\nBcc: x@example.it"), "/contacts/0/value"},
		"empty postal address":      {contact(person.Postal, ""), "/contacts/0/value"},
		"contact twice": {func(n *person.New) {
			n.Contacts = append(n.Contacts, n.Contacts[0])
		}, "/contacts/2"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := mario()
			tt.change(&in)
			_, err := s.Create(context.Background(), in, nil)
			var f *fault.Fault
			if !errors.As(err, &f) || f.Code != fault.Invalid || len(f.Fields) != 1 || f.Fields[0].Pointer != tt.pointer {
				t.Errorf("got %+v", err)
			}
		})
	}
	if n := rows(t, d, "people"); n != 0 {
		t.Errorf("%d people", n)
	}
}
