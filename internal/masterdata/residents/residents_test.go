package residents_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"diresco/db"
	"diresco/internal/masterdata/residents"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var elena = residents.Identity{
	GivenName: "Niccolò Elena", FamilyName: "D'Angelo", BirthDate: "1985-08-01", BirthPlace: "Forlì",
	Street: "Piazza Nazionale 10", PostalCode: "00184", Town: "Sant'Agata de' Goti", Province: "BN",
}

func TestResidents_Match(t *testing.T) {
	entry := residents.Entry{Identity: elena}
	for name, tt := range map[string]struct {
		change func(*residents.Identity)
		differ []residents.Part
	}{
		"the same": {func(*residents.Identity) {}, nil},
		"capital letters": {func(i *residents.Identity) {
			i.GivenName, i.FamilyName, i.Town = "NICCOLÒ ELENA", "D'ANGELO", "SANT'AGATA DE' GOTI"
		}, nil},
		"without accents":       {func(i *residents.Identity) { i.GivenName, i.BirthPlace = "Niccolo Elena", "Forli" }, nil},
		"apostrophe for accent": {func(i *residents.Identity) { i.GivenName, i.BirthPlace = "NICCOLO' ELENA", "FORLI`" }, nil},
		"accent apart":          {func(i *residents.Identity) { i.GivenName = "Niccolo\u0300 Elena" }, nil},
		"another apostrophe":    {func(i *residents.Identity) { i.FamilyName = "D’Angelo" }, nil},
		"no apostrophe":         {func(i *residents.Identity) { i.FamilyName = "dangelo" }, nil},
		"spaces": {func(i *residents.Identity) {
			i.GivenName, i.Town = " Niccolò   Elena ", "Sant'Agata  de' Goti"
		}, nil},
		"hyphen":                  {func(i *residents.Identity) { i.GivenName = "Niccolò-Elena" }, nil},
		"comma before the number": {func(i *residents.Identity) { i.Street = "Piazza Nazionale, 10" }, nil},
		"n.":                      {func(i *residents.Identity) { i.Street = "piazza nazionale n. 10" }, nil},
		"n°":                      {func(i *residents.Identity) { i.Street = "Piazza Nazionale n°10" }, nil},
		"Nº":                      {func(i *residents.Identity) { i.Street = "Piazza Nazionale Nº 10" }, nil},
		"P.za":                    {func(i *residents.Identity) { i.Street = "P.za Nazionale 10" }, nil},
		"p.zza":                   {func(i *residents.Identity) { i.Street = "p.zza Nazionale 10" }, nil},
		"P.ZZA without a space":   {func(i *residents.Identity) { i.Street = "P.ZZA.NAZIONALE 10" }, nil},
		"Pza":                     {func(i *residents.Identity) { i.Street = "Pza Nazionale 10" }, nil},
		"P.":                      {func(i *residents.Identity) { i.Street = "P. Nazionale 10" }, nil},
		"small province":          {func(i *residents.Identity) { i.Province = "bn" }, nil},
		"wide letters":            {func(i *residents.Identity) { i.Province, i.PostalCode = "ＢＮ", "００１８４" }, nil},
		"another given name":      {func(i *residents.Identity) { i.GivenName = "Elena" }, []residents.Part{residents.Names}},
		"names the wrong way round": {func(i *residents.Identity) {
			i.GivenName, i.FamilyName = i.FamilyName, i.GivenName
		}, []residents.Part{residents.Names}},
		"another day":   {func(i *residents.Identity) { i.BirthDate = "1985-08-02" }, []residents.Part{residents.Birth}},
		"another place": {func(i *residents.Identity) { i.BirthPlace = "Roma" }, []residents.Part{residents.Birth}},
		"another street": {func(i *residents.Identity) {
			i.Street = "Via Nazionale 10"
		}, []residents.Part{residents.Residence}},
		"another number": {func(i *residents.Identity) {
			i.Street = "Piazza Nazionale 1 0"
		}, []residents.Part{residents.Residence}},
		"no number": {func(i *residents.Identity) {
			i.Street = "Piazza Nazionale"
		}, []residents.Part{residents.Residence}},
		"nothing but an abbreviation": {func(i *residents.Identity) { i.Street = "P." }, []residents.Part{residents.Residence}},
		"another postal code":         {func(i *residents.Identity) { i.PostalCode = "00185" }, []residents.Part{residents.Residence}},
		"another town":                {func(i *residents.Identity) { i.Town = "Roma" }, []residents.Part{residents.Residence}},
		"another province":            {func(i *residents.Identity) { i.Province = "RM" }, []residents.Part{residents.Residence}},
		"punctuation alone is nothing": {func(i *residents.Identity) {
			i.FamilyName, i.Town = "...", "'"
		}, []residents.Part{residents.Names, residents.Residence}},
		"all": {func(i *residents.Identity) {
			*i = residents.Identity{}
		}, []residents.Part{residents.Names, residents.Birth, residents.Residence}},
	} {
		declared := elena
		tt.change(&declared)
		if got := residents.Match(entry, declared); !slices.Equal(got, tt.differ) {
			t.Errorf("%s: %v differ, want %v", name, got, tt.differ)
		}
	}
}

func TestResidents_Streets(t *testing.T) {
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
					entry := residents.Entry{Identity: residents.Identity{Street: a}}
					if got := residents.Match(entry, residents.Identity{Street: b}) == nil; got != (i == j) {
						t.Errorf("%q and %q: the same is %v", a, b, got)
					}
				}
			}
		}
	}
}

func TestResidents_PutAndFind(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		now := clock.NewManual(time.Date(2026, 3, 16, 8, 15, 0, 0, time.UTC))
		r := residents.New(d, now)
		code, variant := taxcode.MustParse("RSSMRA80A01H501U"), taxcode.MustParse("RSSMRA80A01H50MM")
		office := "7000"
		put := func(entries ...residents.Entry) error {
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
		many := []residents.Entry{{TaxCode: code, Identity: elena, OfficeCode: &office}}
		for i := range 600 {
			other, err := taxcode.Compose(taxcode.Birth{
				FamilyName: "Verdi", GivenName: "Ugo", Sex: taxcode.Male, Date: time.Date(1950, 1, 1+i, 0, 0, 0, 0, time.UTC),
				Place: "H501",
			})
			if err != nil {
				t.Fatal(err)
			}
			many = append(many, residents.Entry{TaxCode: other, Identity: residents.Identity{GivenName: "Ugo", FamilyName: "Verdi"}})
		}
		if err := put(many...); err != nil {
			t.Fatal(err)
		}
		want := residents.Entry{TaxCode: code, Identity: elena, OfficeCode: &office, UpdatedAt: now.Now()}
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
		if err := put(moved, residents.Entry{TaxCode: variant, Identity: elena}); err != nil {
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
