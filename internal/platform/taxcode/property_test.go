package taxcode_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"diresco/internal/platform/taxcode"
)

func TestTaxCode_Compose(t *testing.T) {
	day := func(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	tests := []struct {
		name string
		in   taxcode.Birth
		want string
	}{
		{
			"man",
			taxcode.Birth{FamilyName: "Rossi", GivenName: "Mario", Date: day(1980, 1, 1), Sex: taxcode.Male, Place: "H501"},
			"RSSMRA80A01H501U",
		},
		{
			"woman: day + 40",
			taxcode.Birth{FamilyName: "Rossi", GivenName: "Maria", Date: day(1980, 1, 1), Sex: taxcode.Female, Place: "H501"},
			"RSSMRA80A41H501",
		},
		{
			"four consonants in the given name: the second is left out",
			taxcode.Birth{FamilyName: "Bianchi", GivenName: "Francesco", Date: day(2001, 12, 31), Sex: taxcode.Male, Place: "F205"},
			"BNCFNC01T31F205",
		},
		{
			"three consonants in the given name",
			taxcode.Birth{FamilyName: "Bianchi", GivenName: "Marta", Date: day(2001, 6, 9), Sex: taxcode.Female, Place: "F205"},
			"BNCMRT01H49F205",
		},
		{
			"short names are filled with X",
			taxcode.Birth{FamilyName: "Fo", GivenName: "Io", Date: day(1926, 3, 24), Sex: taxcode.Male, Place: "I602"},
			"FOXIOX26C24I602",
		},
		{
			"accents, apostrophes, spaces and hyphens",
			taxcode.Birth{FamilyName: "D’Alò De-Niccolò", GivenName: "Zoë José", Date: day(1999, 7, 5), Sex: taxcode.Female, Place: "L219"},
			"DLDZJS99L45L219",
		},
		{
			"letters without a mark to take off",
			taxcode.Birth{FamilyName: "Ørsted", GivenName: "Groß", Date: day(2000, 2, 29), Sex: taxcode.Male, Place: "Z107"},
			"RSTGSS00B29Z107",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := taxcode.Compose(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(got.Clear(), tt.want) {
				t.Errorf("got %s, want %s", got.Clear(), tt.want)
			}
		})
	}
}

func TestTaxCode_ComposeRefuses(t *testing.T) {
	good := taxcode.Birth{
		FamilyName: "Rossi", GivenName: "Mario", Date: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), Sex: taxcode.Male, Place: "H501",
	}
	if _, err := taxcode.Compose(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*taxcode.Birth){
		"no family name":  func(b *taxcode.Birth) { b.FamilyName = " '" },
		"no given name":   func(b *taxcode.Birth) { b.GivenName = "" },
		"Cyrillic":        func(b *taxcode.Birth) { b.GivenName = "Марио" },
		"year 1899":       func(b *taxcode.Birth) { b.Date = b.Date.AddDate(-81, 0, 0) },
		"year 2100":       func(b *taxcode.Birth) { b.Date = b.Date.AddDate(120, 0, 0) },
		"unknown sex":     func(b *taxcode.Birth) { b.Sex = 0 },
		"short place":     func(b *taxcode.Birth) { b.Place = "H50" },
		"lower place":     func(b *taxcode.Birth) { b.Place = "h501" },
		"place of digits": func(b *taxcode.Birth) { b.Place = "1501" },
	} {
		b := good
		spoil(&b)
		if c, err := taxcode.Compose(b); err == nil || !c.IsZero() {
			t.Errorf("%s: composed %s", name, c.Clear())
		}
	}
	for _, digits := range []string{"", "074311015", "00743110157", "007431101x", "0000000000"} {
		if c, err := taxcode.ComposeOrganisation(digits); err == nil {
			t.Errorf("%q: composed %s", digits, c.Clear())
		}
	}
	if c, err := taxcode.ComposeOrganisation("0074311015"); err != nil || c.Clear() != "00743110157" {
		t.Errorf("%s, %v", c.Clear(), err)
	}
}

func drawPerson(t *rapid.T) taxcode.Code {
	c, err := taxcode.Compose(taxcode.Birth{
		FamilyName: rapid.StringMatching(`[A-Za-zàèéìòùç' -]{0,8}[A-Za-z]`).Draw(t, "family name"),
		GivenName:  rapid.StringMatching(`[A-Za-zàèéìòùç' -]{0,8}[A-Za-z]`).Draw(t, "given name"),
		Date:       time.Date(1900, 1, 1+rapid.IntRange(0, 73048).Draw(t, "day"), 0, 0, 0, 0, time.UTC),
		Sex:        rapid.SampledFrom([]taxcode.Sex{taxcode.Male, taxcode.Female}).Draw(t, "sex"),
		Place:      rapid.StringMatching(`[A-Z][0-9]{3}`).Draw(t, "place"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTaxCode_ComposedCodesAreValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawPerson(t)
		again, err := taxcode.Parse(strings.ToLower(c.Clear()))
		if err != nil || again != c || !c.IsPerson() {
			t.Fatalf("%s: %v", c.Clear(), err)
		}
	})
}

// TestTaxCode_AllVariants checks the check letters of the 128 omocodia variants. Each variant has
// exactly one with which it is valid, and is a code of its own.
func TestTaxCode_AllVariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain := drawPerson(t).Clear()
		seen := map[taxcode.Code]bool{}
		for mask := range 128 {
			b := []byte(plain)
			for i, at := range []int{6, 7, 9, 10, 12, 13, 14} {
				if mask>>i&1 == 1 {
					b[at] = "LMNPQRSTUV"[b[at]-'0']
				}
			}
			for letter := byte('A'); letter <= 'Z'; letter++ {
				b[15] = letter
				if c, err := taxcode.Parse(string(b)); err == nil {
					seen[c] = true
				}
			}
		}
		if len(seen) != 128 || !seen[taxcode.MustParse(plain)] {
			t.Fatalf("%s: %d variants", plain, len(seen))
		}
	})
}

// TestTaxCode_OneWrongCharacter: a single mistyped character never passes.
func TestTaxCode_OneWrongCharacter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := drawPerson(t).Clear()
		alphabet := "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
		if rapid.Bool().Draw(t, "organisation") {
			c, err := taxcode.ComposeOrganisation(rapid.StringMatching(`[1-9][0-9]{9}`).Draw(t, "digits"))
			if err != nil {
				t.Fatal(err)
			}
			code, alphabet = c.Clear(), "0123456789"
		}
		b := []byte(code)
		b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.SampledFrom([]byte(alphabet)).Draw(t, "by")
		if _, err := taxcode.Parse(string(b)); err == nil && string(b) != code {
			t.Fatalf("%s passes for %s", b, code)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"RSSMRA80A01H501U", "RSSMRA80A01H50MM", "RSSMRAULALMHRLMD", "MKJRLA80A01L407X", "00743110157",
		"BLIPTR93MO4A674Q", "00743110158", "rssmra80a01h501u", "", " RSSMRA80A01H501U", "RSSMRA80A01H501U\x00", "ſ",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := taxcode.Parse(s)
		if err != nil {
			if !c.IsZero() {
				t.Errorf("%q: an error and a code", s)
			}
			return
		}
		whole := c.Clear()
		s = strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
				return -1
			}
			return r
		}, s)
		if !strings.EqualFold(whole, s) || len(whole) != len(s) || whole != strings.ToUpper(whole) {
			t.Errorf("%q became %q", s, whole)
		}
		again, err := taxcode.Parse(whole)
		if err != nil || again != c {
			t.Errorf("%q is not stable: %v", s, err)
		}
		if strings.Contains(c.String(), whole) {
			t.Errorf("%q is printed in clear", s)
		}
		if vat, err := taxcode.ParseVAT(whole); (err == nil) == c.IsPerson() || (err == nil && vat.Clear() != whole) {
			t.Errorf("%q as a VAT number: %v", s, err)
		}
	})
}
