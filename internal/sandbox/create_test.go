package sandbox_test

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/taxcode"
	"diresco/internal/sandbox"
	"diresco/internal/test/dbtest"
)

func TestSandbox_CreatePersonChoosesWhatIsNotGiven(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		seen := map[string]bool{}
		for range 20 {
			p, err := w.CreatePerson(context.Background(), sandbox.PersonInput{})
			if err != nil {
				t.Fatal(err)
			}
			if p.UserClass != access.Citizen || p.CredentialLevel != access.Dispositive || len(p.PIN.Reveal()) != 8 || p.GivenName == "" ||
				p.FamilyName == "" || len(p.Roles) != 0 {
				t.Errorf("%+v", p)
			}
			if !p.TaxCode.IsPerson() || seen[p.TaxCode.Clear()] {
				t.Error("the tax code is not one of the person's own")
			}
			seen[p.TaxCode.Clear()] = true
			if len(p.Contacts) != 2 || p.Contacts[0].Kind != person.Email || p.Contacts[1].Kind != person.Mobile ||
				seen[p.Contacts[0].Value] {
				t.Errorf("contacts %+v", p.Contacts)
			}
			seen[p.Contacts[0].Value] = true
			if !w.works(p, false) {
				t.Error("the PIN does not work")
			}
		}
	})
}

func TestSandbox_CreatePersonAsAsked(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		company := w.who("Legal representative").Roles[0].ContributorID
		in := sandbox.PersonInput{
			TaxCode: taxcode.MustParse("VRDGPP68M15L219V"), GivenName: "Giuseppe", FamilyName: "Verdi",
			UserClass:       access.InstitutionalIntermediary,
			CredentialLevel: access.Ordinary, PIN: sandbox.Fresh,
			Contacts: []person.NewContact{{Kind: person.PEC, Value: "verdi@pec.example"}}, Register: "labour_consultant",
			Roles: []sandbox.Role{
				{ContributorID: company, Role: access.EmployeeDelegate, Services: []access.Service{access.Declarations}},
				{ContributorID: company, Role: access.UserAdministrator},
				{
					ContributorID: w.who("another company").Roles[0].ContributorID, Role: access.EmployeeDelegate,
					Services: []access.Service{},
				},
			},
		}
		p, err := w.CreatePerson(request("createSandboxPerson", ""), in)
		if err != nil {
			t.Fatal(err)
		}
		if p.GivenName != "Giuseppe" || p.FamilyName != "Verdi" || p.TaxCode != in.TaxCode || p.UserClass != in.UserClass ||
			p.CredentialLevel != access.Ordinary || !slices.Equal(p.Contacts, in.Contacts) {
			t.Errorf("%+v", p)
		}
		if len(p.PIN.Reveal()) != 16 || !w.works(p, true) {
			t.Error("a fresh PIN has 16 characters and has to be changed")
		}
		if !strings.Contains(p.Description, "iscritto: consulenti del lavoro") {
			t.Errorf("description %q", p.Description)
		}
		want := slices.Clone(in.Roles)
		want[1].Services = []access.Service{access.AllServices}
		if diff := cmp.Diff(want, p.Roles); diff != "" {
			t.Error(diff)
		}
		if len(p.ContributorIDs()) != 2 {
			t.Errorf("contributors %v", p.ContributorIDs())
		}
		var record audit.Record
		if err := d.From(context.Background()).Take(&record).Error; err != nil || record.Operation != "createSandboxPerson" ||
			*record.SubjectID != p.ID.String() || w.count("audit_records") != 1 {
			t.Errorf("audit record %+v, error %v", record, err)
		}
		last := w.people()
		if diff := cmp.Diff(p.ID, last[len(last)-1].ID); diff != "" {
			t.Error("the new person is not listed last")
		}
	})
}

func TestSandbox_CreateOperatorsAndIntermediaries(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	w := seeded(t, d)
	for name, tt := range map[string]struct {
		in     sandbox.PersonInput
		class  access.UserClass
		office string
	}{
		"operator without office":  {sandbox.PersonInput{UserClass: access.Operator}, access.Operator, "7000"},
		"operator elsewhere":       {sandbox.PersonInput{UserClass: access.Operator, OfficeCode: "8100"}, access.Operator, "8100"},
		"an office alone":          {sandbox.PersonInput{OfficeCode: "3000"}, access.Operator, "3000"},
		"a register alone":         {sandbox.PersonInput{Register: "caf"}, access.InstitutionalIntermediary, ""},
		"no contacts wanted":       {sandbox.PersonInput{Contacts: []person.NewContact{}}, access.Citizen, ""},
		"a name in another script": {sandbox.PersonInput{GivenName: "Ελένη", FamilyName: "Παππά"}, access.Citizen, ""},
		"an accent":                {sandbox.PersonInput{GivenName: "Niccolò", FamilyName: "D'Aléssio"}, access.Citizen, ""},
	} {
		p, err := w.CreatePerson(context.Background(), tt.in)
		if err != nil || p.UserClass != tt.class || p.Office() != tt.office {
			t.Errorf("%s: %s at %q, error %v", name, p.UserClass, p.Office(), err)
		}
		if tt.in.Contacts != nil && len(p.Contacts) != 0 {
			t.Errorf("%s: contacts %+v", name, p.Contacts)
		}
		if tt.in.GivenName != "" && p.GivenName != tt.in.GivenName {
			t.Errorf("%s: %q", name, p.GivenName)
		}
	}
}

func TestSandbox_CreatePersonRefusals(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		ctx := context.Background()
		p := w.who("Legal representative")
		company := p.Roles[0].ContributorID
		people := len(w.people())
		_, err := w.CreatePerson(ctx, sandbox.PersonInput{TaxCode: p.TaxCode})
		wantExists(t, err)
		for _, tt := range []struct {
			in            sandbox.PersonInput
			pointer, code string
		}{
			{sandbox.PersonInput{UserClass: access.Operator, OfficeCode: "9999"}, "/office_code", "unknown-office"},
			{sandbox.PersonInput{UserClass: access.Citizen, OfficeCode: "7000"}, "/office_code", "only-operators"},
			{sandbox.PersonInput{TaxCode: taxcode.MustParse("00743110157")}, "/tax_code", "format"},
			{sandbox.PersonInput{Register: "astrologer"}, "/register", "enum"},
			{sandbox.PersonInput{Contacts: []person.NewContact{{Kind: person.Email, Value: "nowhere"}}}, "/contacts/0/value", "format"},
			{
				sandbox.PersonInput{Roles: []sandbox.Role{
					{ContributorID: company, Role: access.Employer}, {ContributorID: uuid.New(), Role: access.Employer},
				}},
				"/roles/1/contributor_id", "unknown-contributor",
			},
			{sandbox.PersonInput{Roles: []sandbox.Role{{ContributorID: company, Role: access.OfficeOperator}}}, "/roles/0/role", "enum"},
			{
				sandbox.PersonInput{Roles: []sandbox.Role{
					{ContributorID: company, Role: access.Employer}, {ContributorID: company, Role: access.Employer},
				}},
				"/roles/1", "duplicate",
			},
		} {
			_, err := w.CreatePerson(ctx, tt.in)
			wantField(t, err, tt.pointer, tt.code)
		}
		if n := len(w.people()); n != people || w.count("people") != int64(people) || w.count("audit_records") != 0 {
			t.Errorf("%d people, want %d", n, people)
		}
	})
}

func TestSandbox_CreatePersonAtAnIntermediary(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		ctx := context.Background()
		caf := w.who("CAF worker").IntermediaryRoles[0].DelegateID
		in := sandbox.PersonInput{IntermediaryRoles: []sandbox.IntermediaryRole{
			{DelegateID: caf, Role: access.EmployeeDelegate, Services: []access.Service{access.Delegations}},
			{DelegateID: caf, Role: access.UserAdministrator},
		}}
		p, err := w.CreatePerson(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		want := in.IntermediaryRoles
		want[1].Services = []access.Service{access.AllServices}
		if !reflect.DeepEqual(p.IntermediaryRoles, want) || len(p.Roles) != 0 {
			t.Errorf("became %+v and %+v", p.IntermediaryRoles, p.Roles)
		}
		var professional uuid.UUID
		if err := d.From(ctx).Raw("SELECT id FROM delegates WHERE kind = 'professional'").Row().Scan(&professional); err != nil {
			t.Fatal(err)
		}
		people := len(w.people())
		for _, tt := range []struct {
			roles         []sandbox.IntermediaryRole
			pointer, code string
		}{
			{
				[]sandbox.IntermediaryRole{
					{DelegateID: caf, Role: access.EmployeeDelegate}, {DelegateID: uuid.New(), Role: access.EmployeeDelegate},
				},
				"/intermediary_roles/1/delegate_id", "unknown-delegate",
			},
			{
				[]sandbox.IntermediaryRole{{DelegateID: professional, Role: access.EmployeeDelegate}},
				"/intermediary_roles/0/delegate_id",
				"unknown-delegate",
			},
			{[]sandbox.IntermediaryRole{{DelegateID: caf, Role: access.Employer}}, "/intermediary_roles/0/role", "enum"},
			{
				[]sandbox.IntermediaryRole{
					{DelegateID: caf, Role: access.EmployeeDelegate}, {DelegateID: caf, Role: access.EmployeeDelegate},
				},
				"/intermediary_roles/1", "duplicate",
			},
		} {
			_, err := w.CreatePerson(ctx, sandbox.PersonInput{IntermediaryRoles: tt.roles})
			wantField(t, err, tt.pointer, tt.code)
		}
		if n := len(w.people()); n != people {
			t.Errorf("%d people, want %d", n, people)
		}
	})
}

func TestSandbox_CreateIsDoneOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		people, contributors := w.count("people"), w.count("contributors")
		first, err := w.CreatePerson(request("createSandboxPerson", "key-1"), sandbox.PersonInput{})
		if err != nil {
			t.Fatal(err)
		}
		second, err := w.CreatePerson(request("createSandboxPerson", "key-1"), sandbox.PersonInput{})
		if err != nil || second.ID != first.ID || second.PIN != first.PIN {
			t.Errorf("the repeat gives another person; error %v", err)
		}
		in := sandbox.ContributorInput{LegalRepresentative: taxcode.MustParse("RSSMRA80A01H501U")}
		made, err := w.CreateContributor(request("createSandboxContributor", "key-2"), in)
		if err != nil {
			t.Fatal(err)
		}
		again, err := w.CreateContributor(request("createSandboxContributor", "key-2"), in)
		if err != nil || again.ID != made.ID || len(again.Positions) != 1 || again.Positions[0].ID != made.Positions[0].ID {
			t.Errorf("the repeat gives another contributor: %+v, %v", again, err)
		}
		if w.count("people") != people+2 || w.count("contributors") != contributors+1 || w.count("audit_records") != 2 {
			t.Error("a repeat had an effect")
		}
	})
}

func TestSandbox_CreateContributor(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		ctx := context.Background()
		c, err := w.CreateContributor(ctx, sandbox.ContributorInput{})
		if err != nil {
			t.Fatal(err)
		}
		if c.Kind != contributor.Company || c.LegalName == "" || c.TaxCode.IsPerson() || len(c.Positions) != 1 {
			t.Errorf("%+v", c)
		}
		if p := c.Positions[0]; len(p.Number) != 10 || p.OfficeCode != "7000" || p.Scheme != "private_employers" ||
			p.State != contributor.PositionActive {
			t.Errorf("%+v", p)
		}
		for kind, person := range map[contributor.Kind]bool{
			contributor.PublicBody: false, contributor.SelfEmployed: true, contributor.Household: true,
		} {
			if c, err := w.CreateContributor(ctx, sandbox.ContributorInput{Kind: kind}); err != nil || c.Kind != kind ||
				c.TaxCode.IsPerson() != person || c.LegalName == "" {
				t.Errorf("%s: %+v, %v", kind, c, err)
			}
		}
		// The example of the contract: somebody who does not exist yet becomes the representative.
		in := sandbox.ContributorInput{
			TaxCode: taxcode.MustParse("00743110157"), LegalName: "Officine Meccaniche Orobiche S.r.l.", Kind: contributor.Company,
			Positions:           []sandbox.PositionInput{{Scheme: "private_employers", OfficeCode: "1400"}, {Scheme: "agriculture"}},
			LegalRepresentative: taxcode.MustParse("RSSMRA80A01H501U"),
		}
		c, err = w.CreateContributor(request("createSandboxContributor", ""), in)
		if err != nil {
			t.Fatal(err)
		}
		if c.TaxCode != in.TaxCode || c.LegalName != in.LegalName || len(c.Positions) != 2 ||
			c.Positions[0].Number == c.Positions[1].Number {
			t.Errorf("%+v", c)
		}
		offices := []string{c.Positions[0].OfficeCode, c.Positions[1].OfficeCode}
		if slices.Sort(offices); !slices.Equal(offices, []string{"1400", "7000"}) {
			t.Errorf("offices %v", offices)
		}
		last := w.people()[len(w.people())-1]
		if last.TaxCode != in.LegalRepresentative || len(last.Contacts) != 2 || len(last.PIN.Reveal()) != 8 {
			t.Errorf("representative %+v", last)
		}
		want := []sandbox.Role{{ContributorID: c.ID, Role: access.LegalRepresentative, Services: []access.Service{access.AllServices}}}
		if diff := cmp.Diff(want, last.Roles); diff != "" {
			t.Error(diff)
		}
		// Somebody who exists gets one more role.
		seedling := w.who("Legal representative")
		if _, err := w.CreateContributor(ctx, sandbox.ContributorInput{LegalRepresentative: seedling.TaxCode}); err != nil {
			t.Fatal(err)
		}
		if now := w.who("Legal representative"); len(now.Roles) != 2 || len(now.ContributorIDs()) != 2 || now.PIN != seedling.PIN {
			t.Errorf("%+v", now.Roles)
		}
	})
}

func TestSandbox_CreateContributorRefusals(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		ctx := context.Background()
		made, err := w.CreateContributor(ctx, sandbox.ContributorInput{})
		if err != nil {
			t.Fatal(err)
		}
		people, contributors := w.count("people"), w.count("contributors")
		_, err = w.CreateContributor(ctx, sandbox.ContributorInput{
			TaxCode: made.TaxCode, LegalRepresentative: taxcode.MustParse("RSSMRA80A01H501U"),
		})
		wantExists(t, err)
		_, err = w.CreateContributor(ctx, sandbox.ContributorInput{Positions: []sandbox.PositionInput{{}, {OfficeCode: "9999"}}})
		wantField(t, err, "/positions/1/office_code", "unknown-office")
		_, err = w.CreateContributor(ctx, sandbox.ContributorInput{LegalRepresentative: made.TaxCode})
		wantField(t, err, "/legal_representative_tax_code", "format")
		_, err = w.CreateContributor(ctx, sandbox.ContributorInput{Kind: "club"})
		wantField(t, err, "/kind", "enum")
		if w.count("people") != people || w.count("contributors") != contributors {
			t.Error("a refused request had an effect")
		}
	})
}
