package app

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/dossier/timeline"
	"diresco/internal/kernel/access"
	"diresco/internal/mandate/delegation"
	"diresco/internal/masterdata/servicecatalog"
	"diresco/internal/platform/institution"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// An export has the form of a delegation for whom showDelegationForm shows it to.
func TestDossierFiles_FormsAreForThoseWhoManageTheDelegation(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		a := world.New(t, d)
		delegations := delegation.NewService(delegation.Deps{
			Runner: a.Runner, Rights: a.Rights, Contributors: a.Contributors, Outbox: a.Outbox,
			Catalogue:   servicecatalog.New(servicecatalog.Deps{Runner: a.Runner}),
			Institution: institution.Institution{Name: "Istituto di prova", Address: "Via Roma 1", Telephone: "06 123456"},
		})
		files := delegationForms(delegations, a.Rights)
		c, rep := a.Employer(t)
		pro, office := a.Professional(t)
		id := a.Delegation(t, office, c, nil)
		other, otherOffice := a.Professional(t)
		a.Delegation(t, otherOffice, c, nil)
		employee := a.Person(t, nil)
		a.Role(t, employee.ID, c.ID, access.EmployeeDelegate, access.Dossier)
		enter := func(person uuid.UUID) access.Actor {
			t.Helper()
			rule := access.Rule{To: access.ToContributor}
			by, err := a.Guard.Enter(ctx, a.Session(t, person, nil), rule, access.Target{ContributorID: c.ID})
			if err != nil {
				t.Fatal(err)
			}
			return by
		}
		software := rep
		software.Grant = &access.Grant{}
		for name, test := range map[string]struct {
			by   access.Actor
			want int
		}{
			"the representative": {rep, 1}, "the intermediary": {enter(pro.ID), 1}, "another intermediary": {enter(other.ID), 0},
			"an employee for another service": {enter(employee.ID), 0}, "an application": {software, 0},
		} {
			found, err := files(ctx, test.by, timeline.Entry{SubjectID: id})
			if err != nil || len(found) != test.want {
				t.Errorf("%s: %d files, %v", name, len(found), err)
				continue
			}
			for _, f := range found {
				r, err := f.Open(ctx, test.by)
				if err != nil {
					t.Fatal(err)
				}
				content, err := io.ReadAll(r)
				if err != nil || !strings.HasPrefix(string(content), "%PDF-") || f.Name != ".pdf" {
					t.Errorf("%s: %q, %v", name, f.Name, err)
				}
			}
		}
	})
}
