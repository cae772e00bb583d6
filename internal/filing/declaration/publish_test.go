package declaration_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// noFunds knows the funds that are named.
type noFunds []string

func (f noFunds) Missing(_ context.Context, codes []string) ([]string, error) {
	return slices.DeleteFunc(slices.Clone(codes), func(code string) bool { return slices.Contains(f, code) }), nil
}

func publisher(a *world.App, funds ...string) *declaration.Publisher {
	return declaration.NewPublisher(a.Runner, a.Types, noFunds(funds))
}

func publish(t *testing.T, a *world.App, document catalogue.Type) *declaration.Type {
	t.Helper()
	published, err := publisher(a).Publish(ctx, access.Actor{}, document)
	if err != nil {
		var f *fault.Fault
		if errors.As(err, &f) {
			t.Fatalf("%v: %+v", err, f.Fields)
		}
		t.Fatal(err)
	}
	return published
}

// shipped returns a version of a type that comes with the program.
func shipped(t *testing.T, code string, version int) catalogue.Type {
	t.Helper()
	types, err := catalogue.All()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(types, func(dt catalogue.Type) bool { return dt.Code == code && dt.Version == version })
	if i < 0 {
		t.Fatalf("no %s version %d", code, version)
	}
	return types[i]
}

// next returns the document of a type's next version, in which a member of the content is called
// otherwise.
func next(t *testing.T, code string, version int, from, to string) catalogue.Type {
	t.Helper()
	document := shipped(t, code, 1)
	document.Version = version
	for _, part := range []*json.RawMessage{&document.ContentSchema, &document.ContentExample} {
		*part = json.RawMessage(strings.ReplaceAll(string(*part), `"`+from+`"`, `"`+to+`"`))
	}
	return document
}

func TestDeclarationType_EveryProcessUsesANewVersionFromTheNextRequestOn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		other := declaration.NewTypes(d, a.Clock)
		for _, types := range []*declaration.Types{a.Types, other} {
			if typ, err := types.Get(ctx, world.Type); err != nil || typ.Version != 1 {
				t.Fatalf("%v, %v", typ, err)
			}
		}
		document := next(t, world.Type, 2, "average_monthly_pay", "monthly_pay")
		document.Title = catalogue.Title{IT: "RIOC, nuova", EN: "RIOC, new"}
		publish(t, a, document)
		for name, types := range map[string]*declaration.Types{"the same process": a.Types, "another process": other} {
			typ, err := types.Get(ctx, world.Type)
			if err != nil || typ.Version != 2 || typ.Title.In(true) != "RIOC, new" || typ.Title.In(false) != "RIOC, nuova" {
				t.Errorf("%s: %+v, %v", name, typ.Title, err)
			}
		}
	})
}

// Who reads the catalogue anew needs a connection, and those who hold them all need the catalogue.
func TestDeclarationType_TransactionsDoNotWaitForWhoReadsTheCatalogueAnew(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		get := func(ctx context.Context) error {
			_, err := a.Types.Get(ctx, world.Type)
			return err
		}
		for range 3 {
			a.Types.Forget()
			world.Parallel(200, func(i int) {
				read := get
				if i%2 == 0 {
					read = func(ctx context.Context) error { return d.InTx(ctx, get) }
				}
				if err := read(ctx); err != nil {
					t.Errorf("%d: %v", i, err)
				}
			})
		}
	})
}

func TestDeclarationType_ADraftKeepsItsVersionUntilItIsChanged(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		kept, moved := a.Draft(t, by, c, c.Input(false)), a.Draft(t, by, c, c.Input(false))
		publish(t, a, next(t, world.Type, 2, "average_monthly_pay", "monthly_pay"))

		filed := submit(t, a, by, kept.ID)
		if filed.TypeVersion != 1 || *filed.Digest != declaration.DigestOf(world.Type, 1, c.ID, c.Positions[0].ID, filed.Content) {
			t.Errorf("a draft that was not touched is filed under version %d", filed.TypeVersion)
		}
		_, err := a.Declarations.Change(ctx, by, moved.ID, 1, declaration.Change{Content: json.RawMessage(`{"notes":"x"}`)})
		refused(t, "what the new version does not know", err, fault.Invalid, "/content/average_monthly_pay", "unknown-field")
		_, err = a.Declarations.Change(
			ctx, by, moved.ID, 1, declaration.Change{Content: json.RawMessage(`{"average_monthly_pay":null,"monthly_pay":"1.00"}`)},
		)
		if err != nil {
			t.Fatal(err)
		}
		if filed := submit(t, a, by, moved.ID); filed.TypeVersion != 2 {
			t.Errorf("a draft that was changed is filed under version %d", filed.TypeVersion)
		}
		// What was filed under the old version prints with its words.
		if pdf, err := a.Declarations.ReceiptPDF(ctx, by, kept.ID); err != nil || len(pdf) == 0 {
			t.Error(err)
		}
		_, err = a.Declarations.Draft(ctx, by, c.ID, c.Input(true))
		refused(
			t, "the old content, filed at once", err, fault.Invalid, "/content/average_monthly_pay", "unknown-field",
			"/content/monthly_pay", "required",
		)
	})
}

func TestDeclarationType_ADraftOfAStepThatIsGoneMovesToTheFirst(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		first := shipped(t, "151-2015", 1)
		first.Code = "PROVA"
		publish(t, a, first)
		draft := a.Draft(t, by, c, declaration.Input{Type: "PROVA", PositionID: c.Positions[0].ID, Content: json.RawMessage(`{}`)})
		second := shipped(t, "151-2015", 2)
		second.Code = "PROVA"
		if _, err := publisher(a, "151-2015").Publish(ctx, access.Actor{}, second); err != nil {
			t.Fatal(err)
		}
		changed, err := a.Declarations.Change(ctx, by, draft.ID, 1, declaration.Change{Content: json.RawMessage(`{"event":"hire"}`)})
		if err != nil || changed.Step != "reservation" || changed.TypeVersion != 2 {
			t.Errorf("step %s of version %d, %v", changed.Step, changed.TypeVersion, err)
		}
	})
}

// A draft keeps its version, and the window is that of the current one.
func TestDeclarationType_ANewVersionClosesTheWindowForDraftsToo(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		draft := a.Draft(t, by, c, c.Input(false))
		document := next(t, world.Type, 2, "average_monthly_pay", "monthly_pay")
		document.OpensAt = world.Start.Add(time.Hour)
		publish(t, a, document)
		_, err := a.Declarations.Submit(ctx, by, draft.ID)
		conflict(t, "before the new version opens", err, "type-not-open")
		a.Clock.Advance(time.Hour)
		if filed := submit(t, a, by, draft.ID); filed.TypeVersion != 1 {
			t.Errorf("version %d", filed.TypeVersion)
		}
	})
}

func TestDeclarationType_OnlyItsSubmittersMaySubmit(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		draft := a.Draft(t, by, c, c.Input(false))
		document := shipped(t, world.Type, 1)
		document.Version, document.Submitters = 2, []access.ActingAs{access.Intermediary}
		publish(t, a, document)
		forbidden := func(what string, err error) {
			t.Helper()
			var f *fault.Fault
			if !errors.As(err, &f) || f.Code != fault.Forbidden || f.Reason != "type-not-for-right" {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, err := a.Declarations.Draft(ctx, by, c.ID, c.Input(false))
		forbidden("a draft", err)
		_, err = a.Declarations.Draft(ctx, by, c.ID, c.Input(true))
		forbidden("filed at once", err)
		_, err = a.Declarations.Change(ctx, by, draft.ID, 1, declaration.Change{Content: json.RawMessage(`{"notes":"x"}`)})
		forbidden("a change that moves a draft to this version", err)
		submit(t, a, by, draft.ID)
	})
}

func TestDeclarationType_OldVersionsStayReadable(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		for version := 2; version <= 4; version++ {
			document := shipped(t, world.Type, 1)
			document.Version = version
			publish(t, a, document)
			a.Clock.Advance(time.Minute)
		}
		var versions []int
		request := page.Request{Limit: 3}
		for {
			found, err := a.Types.Versions(ctx, world.Type, request)
			if err != nil {
				t.Fatal(err)
			}
			for _, typ := range found.Items {
				versions = append(versions, typ.Version)
			}
			if request.Cursor = found.Next; found.Next == "" {
				break
			}
		}
		if !slices.Equal(versions, []int{4, 3, 2, 1}) {
			t.Errorf("versions %v", versions)
		}
		for version, want := range map[int]bool{0: false, 1: true, 4: true, 5: false} {
			typ, err := declaration.NewTypes(d, a.Clock).Version(ctx, world.Type, version)
			if found := err == nil && typ.Version == version; found != want || !want && !fault.Is(err, fault.NotFound) {
				t.Errorf("version %d: %v", version, err)
			}
		}
		if _, err := a.Types.Versions(ctx, "NONE", page.Request{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("the versions of no type: %v", err)
		}
	})
}

func TestDeclarationType_AVersionFollowsTheLast(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		document := shipped(t, world.Type, 1)
		for _, version := range []int{1, 3} {
			document.Version = version
			_, err := publisher(a).Publish(ctx, access.Actor{}, document)
			refused(t, "a version that does not follow", err, fault.Invalid, "/version", "version-not-next")
			var f *fault.Fault
			if errors.As(err, &f) && *f.Fields[0].Right.Minimum != 2 {
				t.Errorf("expected %v", *f.Fields[0].Right.Minimum)
			}
		}
		document.Code, document.Version = "NEW", 2
		_, err := publisher(a).Publish(ctx, access.Actor{}, document)
		refused(t, "a new code begins at 1", err, fault.Invalid, "/version", "version-not-next")
		document.Code, document.Version = "rioc", 1
		_, err = publisher(a).Publish(ctx, access.Actor{}, document)
		refused(t, "a code in other letters", err, fault.Invalid, "/code", "duplicate")
		// Of twenty who publish the same version at once, one does.
		document.Code, document.Version = world.Type, 2
		results := make(chan error, 20)
		world.Parallel(20, func(int) {
			_, err := publisher(a).Publish(ctx, access.Actor{}, document)
			results <- err
		})
		done := 0
		for range 20 {
			if err := <-results; err == nil {
				done++
			} else {
				refused(t, "one more", err, fault.Invalid, "/version", "version-not-next")
			}
		}
		if done != 1 || a.Count(t, "declaration_types WHERE code = 'RIOC'") != 2 {
			t.Errorf("%d published it", done)
		}
		if n := a.Count(t, "audit_records WHERE subject_kind = 'declaration_type' AND subject_id = 'RIOC/2'"); n != 1 {
			t.Errorf("%d lines in the trail", n)
		}
	})
}

func TestDeclarationType_ItsFundsExist(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		document := shipped(t, "GAGI", 1)
		document.Code = "PROVA"
		_, err := publisher(a, "GAGI-01", "GAGI-03").Publish(ctx, access.Actor{}, document)
		refused(t, "regions without a fund", err, fault.Invalid, "/fund/fund_code", "unknown-fund")
		var f *fault.Fault
		if errors.As(err, &f) && !strings.HasPrefix(f.Fields[0].Right.Expected, "GAGI-02, GAGI-04, ") {
			t.Errorf("missing %s", f.Fields[0].Right.Expected)
		}
		if n := a.Count(t, "declaration_types WHERE code = 'PROVA'"); n != 0 {
			t.Errorf("%d stored", n)
		}
	})
}

// What comes with the program has its funds.
func TestDeclarationType_ShippedOnesHaveTheirFunds(t *testing.T) {
	funds, err := declaration.ShippedFunds()
	if err != nil {
		t.Fatal(err)
	}
	titles := map[string]string{}
	for _, f := range funds {
		titles[f.Code] = f.Title
	}
	if len(titles) != 62 || len(funds) != 62 || !strings.HasSuffix(titles["GAGI-12"], ", Lazio") || titles["151-2015"] == "" {
		t.Errorf("%d funds: %v", len(funds), titles)
	}
}

// Whether something may be taken back is said as its type says it, before anybody tries.
func TestDeclaration_SaysWhetherItMayBeWithdrawn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		before := a.Submit(t, by, c)
		document := shipped(t, world.Type, 1)
		document.Version, document.Withdrawal = 2, catalogue.NoWithdrawal
		publish(t, a, document)
		after := a.Submit(t, by, c)
		for _, one := range []struct {
			filed declaration.View
			want  bool
		}{{before, true}, {after, false}} {
			if shown := show(t, a, by, one.filed.ID); shown.MayBeWithdrawn() != one.want || one.filed.MayBeWithdrawn() != one.want {
				t.Errorf("version %d: filed it says %v, shown %v", one.filed.TypeVersion, one.filed.MayBeWithdrawn(), shown.MayBeWithdrawn())
			}
			if _, err := a.Declarations.Withdraw(ctx, by, one.filed.ID); (err == nil) != one.want {
				t.Errorf("version %d: %v", one.filed.TypeVersion, err)
			}
		}
	})
}
