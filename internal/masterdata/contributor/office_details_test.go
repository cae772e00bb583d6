package contributor_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestOffice_DetailsAreReplacedByItsOperatorsAndAdministrators(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		ctx := context.Background()
		offices := contributor.NewOffices(a.Runner)
		in := contributor.OfficeDetails{
			Street: new("Via Ciro il Grande 21"), PostalCode: new("00144"), Town: new("Roma"), Province: new("RM"), Phone: new("+39065905"),
			Hours: []contributor.OpeningHours{
				{Weekday: "thursday", Opens: "14:30", Closes: "16:00"},
				{Weekday: "monday", Opens: "08:30", Closes: "12:30"},
				{Weekday: "thursday", Opens: "08:30", Closes: "12:30"},
			},
		}
		enter := func(p world.Person) access.Actor {
			by, err := a.Guard.Enter(ctx, a.Session(t, p.ID, nil), access.Rule{To: access.ToSession}, access.Target{})
			if err != nil {
				t.Fatal(err)
			}
			return by
		}
		operator := enter(a.Operator(t, world.Rome))
		o, err := offices.Replace(ctx, operator, world.Rome, 1, in)
		if err != nil || o.Version != 2 || o.Title != "Roma" {
			t.Fatalf("replaced: %+v %v", o, err)
		}
		shown, err := offices.Show(ctx, world.Rome)
		if diff := cmp.Diff(o, shown); diff != "" || err != nil {
			t.Error(diff, err)
		}
		if shown.Hours[0].Weekday != "monday" || shown.Hours[1].Opens != "08:30" {
			t.Errorf("the hours are not in order: %v", shown.Hours)
		}
		if _, err := offices.Replace(ctx, operator, world.Rome, 1, in); !fault.Is(err, fault.PreconditionFailed) {
			t.Errorf("over another's change: %v", err)
		}
		if _, err := offices.Replace(ctx, enter(a.Operator(t, world.Milan)), world.Rome, 2, in); !fault.Is(err, fault.NotFound) {
			t.Errorf("an operator of another office: %v", err)
		}
		// An import of the title leaves the details.
		a.Must(t, func(ctx context.Context) error {
			return a.Contributors.PutOffice(ctx, contributor.Office{Code: world.Rome, Title: "Roma Centro"})
		})
		administrator := enter(a.Person(t, func(p *world.Person) { p.UserClass = access.Administrator }))
		if o, err = offices.Replace(ctx, administrator, world.Rome, 2, contributor.OfficeDetails{}); err != nil || o.Street != nil ||
			len(o.Hours) != 0 || o.Title != "Roma Centro" {
			t.Errorf("an administrator: %+v %v", o, err)
		}
		if _, err := offices.Replace(ctx, administrator, "0000", fault.AnyVersion, in); !fault.Is(err, fault.NotFound) {
			t.Errorf("no office: %v", err)
		}
		for name, hours := range map[string][]contributor.OpeningHours{
			"backwards": {{Weekday: "monday", Opens: "12:00", Closes: "09:00"}},
			"overlap":   {{Weekday: "monday", Opens: "09:00", Closes: "12:00"}, {Weekday: "monday", Opens: "11:00", Closes: "13:00"}},
			"no day":    {{Weekday: "feast", Opens: "09:00", Closes: "12:00"}},
		} {
			if _, err := offices.Replace(ctx, operator, world.Rome, 3, contributor.OfficeDetails{Hours: hours}); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
