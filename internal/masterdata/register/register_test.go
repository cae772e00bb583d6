package register_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/masterdata/register"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"

	"github.com/google/go-cmp/cmp"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var elena = register.Identity{
	GivenName: "Niccolò Elena", FamilyName: "D'Angelo", BirthDate: "1985-08-01", BirthPlace: "Forlì",
	Street: "Piazza Nazionale 10", PostalCode: "00184", Town: "Sant'Agata de' Goti", Province: "BN",
}

func TestMatch(t *testing.T) {
	entry := register.Entry{Identity: elena}
	for name, tt := range map[string]struct {
		change func(*register.Identity)
		differ []register.Part
	}{
		"the same": {func(*register.Identity) {}, nil},
		"capital letters": {func(i *register.Identity) {
			i.GivenName, i.FamilyName, i.Town = "NICCOLÒ ELENA", "D'ANGELO", "SANT'AGATA DE' GOTI"
		}, nil},
		"without accents":              {func(i *register.Identity) { i.GivenName, i.BirthPlace = "Niccolo Elena", "Forli" }, nil},
		"apostrophe for accent":        {func(i *register.Identity) { i.GivenName, i.BirthPlace = "NICCOLO' ELENA", "FORLI`" }, nil},
		"accent apart":                 {func(i *register.Identity) { i.GivenName = "Niccolo\u0300 Elena" }, nil},
		"another apostrophe":           {func(i *register.Identity) { i.FamilyName = "D’Angelo" }, nil},
		"no apostrophe":                {func(i *register.Identity) { i.FamilyName = "dangelo" }, nil},
		"spaces":                       {func(i *register.Identity) { i.GivenName, i.Town = " Niccolò   Elena ", "Sant'Agata  de' Goti" }, nil},
		"hyphen":                       {func(i *register.Identity) { i.GivenName = "Niccolò-Elena" }, nil},
		"comma before the number":      {func(i *register.Identity) { i.Street = "Piazza Nazionale, 10" }, nil},
		"n.":                           {func(i *register.Identity) { i.Street = "piazza nazionale n. 10" }, nil},
		"n°":                           {func(i *register.Identity) { i.Street = "Piazza Nazionale n°10" }, nil},
		"Nº":                           {func(i *register.Identity) { i.Street = "Piazza Nazionale Nº 10" }, nil},
		"P.za":                         {func(i *register.Identity) { i.Street = "P.za Nazionale 10" }, nil},
		"p.zza":                        {func(i *register.Identity) { i.Street = "p.zza Nazionale 10" }, nil},
		"P.ZZA without a space":        {func(i *register.Identity) { i.Street = "P.ZZA.NAZIONALE 10" }, nil},
		"Pza":                          {func(i *register.Identity) { i.Street = "Pza Nazionale 10" }, nil},
		"P.":                           {func(i *register.Identity) { i.Street = "P. Nazionale 10" }, nil},
		"small province":               {func(i *register.Identity) { i.Province = "bn" }, nil},
		"wide letters":                 {func(i *register.Identity) { i.Province, i.PostalCode = "ＢＮ", "００１８４" }, nil},
		"another given name":           {func(i *register.Identity) { i.GivenName = "Elena" }, []register.Part{register.Names}},
		"names the wrong way round":    {func(i *register.Identity) { i.GivenName, i.FamilyName = i.FamilyName, i.GivenName }, []register.Part{register.Names}},
		"another day":                  {func(i *register.Identity) { i.BirthDate = "1985-08-02" }, []register.Part{register.Birth}},
		"another place":                {func(i *register.Identity) { i.BirthPlace = "Roma" }, []register.Part{register.Birth}},
		"another street":               {func(i *register.Identity) { i.Street = "Via Nazionale 10" }, []register.Part{register.Residence}},
		"another number":               {func(i *register.Identity) { i.Street = "Piazza Nazionale 1 0" }, []register.Part{register.Residence}},
		"no number":                    {func(i *register.Identity) { i.Street = "Piazza Nazionale" }, []register.Part{register.Residence}},
		"nothing but an abbreviation":  {func(i *register.Identity) { i.Street = "P." }, []register.Part{register.Residence}},
		"another postal code":          {func(i *register.Identity) { i.PostalCode = "00185" }, []register.Part{register.Residence}},
		"another town":                 {func(i *register.Identity) { i.Town = "Roma" }, []register.Part{register.Residence}},
		"another province":             {func(i *register.Identity) { i.Province = "RM" }, []register.Part{register.Residence}},
		"punctuation alone is nothing": {func(i *register.Identity) { i.FamilyName, i.Town = "...", "'" }, []register.Part{register.Names, register.Residence}},
		"all":                          {func(i *register.Identity) { *i = register.Identity{} }, []register.Part{register.Names, register.Birth, register.Residence}},
	} {
		declared := elena
		tt.change(&declared)
		if got := register.Match(entry, declared); !slices.Equal(got, tt.differ) {
			t.Errorf("%s: %v differ, want %v", name, got, tt.differ)
		}
	}
}

func TestStreets(t *testing.T) {
	same := [][]string{
		{"Via Roma 10", "via roma 10", "V. Roma 10", "V.Roma, 10", "VIA ROMA N.10", "Via Roma civ. 10", "Via  Roma,10"},
		{"Viale Europa 3/A", "V.le Europa 3 A", "vle europa 3a", "V.LE EUROPA, 3/a"},
		{"Corso Vittorio Emanuele II 7", "C.so Vittorio Emanuele II, 7", "cso vittorio emanuele ii 7"},
		{"Largo dell'Olgiata 15", "L.go dell’Olgiata 15", "LGO DELL'OLGIATA 15"},
		{"Via XX Settembre 1", "v. xx settembre 1"},
		{"Località Sant'Andrea 5", "Loc. Sant'Andrea 5"},
		{"Via Numero Uno", "V. Numero Uno"},
	}
	for i, spellings := range same {
		for _, a := range spellings {
			for j, others := range same {
				for _, b := range others {
					entry := register.Entry{Identity: register.Identity{Street: a}}
					if got := register.Match(entry, register.Identity{Street: b}) == nil; got != (i == j) {
						t.Errorf("%q and %q: the same is %v", a, b, got)
					}
				}
			}
		}
	}
}

func TestPutAndFind(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		now := clock.NewManual(time.Date(2026, 3, 16, 8, 15, 0, 0, time.UTC))
		r := register.New(d, now)
		code, variant := taxcode.MustParse("RSSMRA80A01H501U"), taxcode.MustParse("RSSMRA80A01H50MM")
		office := "7000"
		put := func(entries ...register.Entry) error {
			return d.InTx(ctx, func(ctx context.Context) error { return r.Put(ctx, entries...) })
		}
		if err := d.InTx(ctx, func(ctx context.Context) error {
			return d.From(ctx).Exec("INSERT INTO offices (code, title) VALUES ('7000', 'Roma')").Error
		}); err != nil {
			t.Fatal(err)
		}
		if err := put(); err != nil {
			t.Error(err)
		}
		many := []register.Entry{{TaxCode: code, Identity: elena, OfficeCode: &office}}
		for i := range 600 {
			other, err := taxcode.Compose(taxcode.Birth{FamilyName: "Verdi", GivenName: "Ugo", Sex: taxcode.Male, Date: time.Date(1950, 1, 1+i, 0, 0, 0, 0, time.UTC), Place: "H501"})
			if err != nil {
				t.Fatal(err)
			}
			many = append(many, register.Entry{TaxCode: other, Identity: register.Identity{GivenName: "Ugo", FamilyName: "Verdi"}})
		}
		if err := put(many...); err != nil {
			t.Fatal(err)
		}
		want := register.Entry{TaxCode: code, Identity: elena, OfficeCode: &office, UpdatedAt: now.Now()}
		same := cmp.Comparer(func(a, b taxcode.Code) bool { return a == b })
		found, known, err := r.Find(ctx, code)
		if err != nil || !known {
			t.Fatalf("%v, %v", known, err)
		}
		if diff := cmp.Diff(want, found, same); diff != "" {
			t.Error(diff)
		}
		if _, known, err := r.Find(ctx, variant); known || err != nil {
			t.Errorf("an omocodia variant is another person: %v, %v", known, err)
		}
		// A newer import replaces what is there.
		now.Advance(time.Hour)
		want.Street, want.OfficeCode, want.UpdatedAt = "Via Roma 1", nil, now.Now()
		moved := want
		moved.UpdatedAt = time.Time{}
		if err := put(moved, register.Entry{TaxCode: variant, Identity: elena}); err != nil {
			t.Fatal(err)
		}
		if found, _, err = r.Find(ctx, code); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, found, same); diff != "" {
			t.Error(diff)
		}
		if _, known, err := r.Find(ctx, variant); !known || err != nil {
			t.Errorf("the other entry: %v, %v", known, err)
		}
	})
}
