package taxcode_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
)

func TestTaxCode_Parse(t *testing.T) {
	tests := []struct {
		name string
		in   string
		want string
		err  error
	}{
		{name: "person", in: "RSSMRA80A01H501U", want: "RSSMRA80A01H501U"},
		{name: "lower case", in: "rssmra80a01h501u", want: "RSSMRA80A01H501U"},
		{name: "omocodia, last digit", in: "RSSMRA80A01H50MM", want: "RSSMRA80A01H50MM"},
		{name: "omocodia, another digit", in: "RSSMRA80A01H5L1F", want: "RSSMRA80A01H5L1F"},
		{name: "omocodia, every digit", in: "RSSMRAULALMHRLMD", want: "RSSMRAULALMHRLMD"},
		{name: "second person", in: "MKJRLA80A01L407X", want: "MKJRLA80A01L407X"},
		{name: "woman", in: "RSSMRA80A41H501Y", want: "RSSMRA80A41H501Y"},
		{name: "organisation", in: "00743110157", want: "00743110157"},
		{name: "letter O for a digit, right check letter", in: "BLIPTR93MO4A674Q", err: taxcode.ErrPattern},
		{name: "wrong check letter", in: "RSSMRA80A01H501A", err: taxcode.ErrCheck},
		{name: "wrong check digit", in: "00743110158", err: taxcode.ErrCheck},
		{name: "check letter of the plain code on a variant", in: "RSSMRA80A01H50MU", err: taxcode.ErrCheck},
		{name: "no such month letter", in: "RSSMRA80F01H501U", err: taxcode.ErrPattern},
		{name: "day 0", in: "RSSMRA80A00H501U", err: taxcode.ErrPattern},
		{name: "day 32", in: "RSSMRA80A32H501U", err: taxcode.ErrPattern},
		{name: "day 40", in: "RSSMRA80A40H501U", err: taxcode.ErrPattern},
		{name: "day 72", in: "RSSMRA80A72H501U", err: taxcode.ErrPattern},
		{name: "30 February", in: "RSSMRA80B30H501U", err: taxcode.ErrPattern},
		{name: "29 February of a common year", in: "RSSMRA81B29H501U", err: taxcode.ErrPattern},
		{name: "eleven zeros", in: "00000000000", err: taxcode.ErrPattern},
		{name: "letters among eleven", in: "0074311015A", err: taxcode.ErrPattern},
		{name: "space before", in: " RSSMRA80A01H501U", want: "RSSMRA80A01H501U"},
		{name: "space after", in: "00743110157 ", want: "00743110157"},
		{name: "line break after", in: "RSSMRA80A01H501U\n", want: "RSSMRA80A01H501U"},
		{name: "spaces within", in: "RSS MRA 80A01\u00a0H501U", want: "RSSMRA80A01H501U"},
		{name: "what is not seen", in: "RSSMRA80\u200bA01H501U\ufeff", want: "RSSMRA80A01H501U"},
		{name: "nothing but spaces", in: "                ", err: taxcode.ErrPattern},
		{name: "long s, upper-cased to S elsewhere", in: "RSſMRA80A01H501U", err: taxcode.ErrPattern},
		{name: "long s in 16 bytes", in: "RſMRA80A01H501UU", err: taxcode.ErrPattern},
		{name: "full-width digits", in: "００７４３１１０１５７", err: taxcode.ErrPattern},
		{name: "empty", in: "", err: taxcode.ErrPattern},
		{name: "12 digits", in: "007431101570", err: taxcode.ErrPattern},
		{name: "15 characters", in: "RSSMRA80A01H501", err: taxcode.ErrPattern},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := taxcode.Parse(tt.in)
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if got.Clear() != tt.want {
				t.Errorf("got %q, want %q", got.Clear(), tt.want)
			}
			if err != nil && len(tt.in) > 10 && strings.Contains(err.Error(), tt.in) {
				t.Error("the error tells the code")
			}
		})
	}
}

func TestTaxCode_IsPerson(t *testing.T) {
	for in, want := range map[string]bool{"RSSMRA80A01H501U": true, "00743110157": false} {
		if got := taxcode.MustParse(in).IsPerson(); got != want {
			t.Errorf("%s: %v", in, got)
		}
	}
	if (taxcode.Code{}).IsPerson() {
		t.Error("no code is a person's")
	}
}

func TestTaxCode_MustParsePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	taxcode.MustParse("RSSMRA80A01H501A")
}

func TestTaxCode_VariantIsAnotherCode(t *testing.T) {
	if taxcode.MustParse("RSSMRA80A01H501U") == taxcode.MustParse("RSSMRA80A01H50MM") {
		t.Error("a variant equals the plain code")
	}
	if taxcode.MustParse("RSSMRA80A01H501U") != taxcode.MustParse("rssmra80a01h501u") {
		t.Error("case makes another code")
	}
}

func TestTaxCode_ParseVAT(t *testing.T) {
	tests := []struct {
		in  string
		err error
	}{
		{in: "00743110157"},
		{in: "00743110158", err: taxcode.ErrCheck},
		{in: "00000000000", err: taxcode.ErrPattern},
		{in: "IT00743110157", err: taxcode.ErrPattern},
		{in: "0074311015", err: taxcode.ErrPattern},
		{in: "0074311015x", err: taxcode.ErrPattern},
		{in: "RSSMRA80A01H501U", err: taxcode.ErrPattern},
		{in: "", err: taxcode.ErrPattern},
	}
	for _, tt := range tests {
		v, err := taxcode.ParseVAT(tt.in)
		if !errors.Is(err, tt.err) {
			t.Errorf("%q: %v, want %v", tt.in, err, tt.err)
		}
		if err == nil && v.Clear() != tt.in {
			t.Errorf("%q became %q", tt.in, v.Clear())
		}
	}
}

// TestTaxCode_NeverPrintedInClear tries every way in which a code slips into a text.
func TestTaxCode_NeverPrintedInClear(t *testing.T) {
	const whole, masked = "RSSMRA80A01H501U", "RSS••••••••••••U"
	c := taxcode.MustParse(whole)
	v, err := taxcode.ParseVAT("00743110157")
	if err != nil {
		t.Fatal(err)
	}
	type account struct {
		code    taxcode.Code
		vat     taxcode.VAT
		Visible taxcode.Code
	}
	acc := account{c, v, c}

	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%20v", "%-20s"} {
		for _, arg := range []any{c, &c, acc, &acc, []taxcode.Code{c}, map[taxcode.Code]int{c: 1}, v, fmt.Errorf("for %v", c)} {
			got := fmt.Sprintf(verb, arg)
			if strings.Contains(got, whole) || strings.Contains(got, "00743110157") || strings.Contains(got, fmt.Sprintf("%x", whole)) {
				t.Errorf("%s of %T tells the code: %s", verb, arg, got)
			}
		}
	}
	if got := fmt.Sprint(c); got != masked {
		t.Errorf("printed %s, want %s", got, masked)
	}
	if got := fmt.Sprint(v); got != "007•••••••7" {
		t.Errorf("printed %s", got)
	}
	if got := fmt.Sprintf("[%18v|%-18v]", c, c); got != "[  "+masked+"|"+masked+"  ]" {
		t.Errorf("width is not honoured: %s", got)
	}
	if got := fmt.Sprint(taxcode.Code{}); got != "" {
		t.Errorf("no code prints %q", got)
	}

	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("seen", "code", c, slog.Group("who", "vat", v))
	slog.New(slog.NewTextHandler(&log, nil)).Info("seen", "code", c, "account", acc)
	if got := log.String(); strings.Contains(got, whole) || strings.Contains(got, "00743110157") || !strings.Contains(got, masked) {
		t.Errorf("log: %s", got)
	}
}

func TestTaxCode_JSON(t *testing.T) {
	type body struct {
		TaxCode taxcode.Code `json:"tax_code,omitzero"`
		VAT     taxcode.VAT  `json:"vat_number,omitzero"`
	}
	const both = `{"tax_code":"RSSMRA80A01H501U","vat_number":"00743110157"}`
	var b body
	if err := json.Unmarshal([]byte(both), &b); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(b)
	if err != nil || string(out) != both {
		t.Errorf("%s, %v", out, err)
	}
	if out, err = json.Marshal(body{}); err != nil || string(out) != "{}" {
		t.Errorf("%s, %v", out, err)
	}
	if _, err := json.Marshal(taxcode.Code{}); err == nil {
		t.Error("a missing code was written as if it were one")
	}
	for _, bad := range []string{`{"tax_code":""}`, `{"tax_code":"RSSMRA80A01H501A"}`, `{"vat_number":"1"}`, `{"tax_code":7}`} {
		kept := b
		if err := json.Unmarshal([]byte(bad), &kept); err == nil {
			t.Errorf("%s was read", bad)
		}
		if kept != b {
			t.Errorf("%s changed the value", bad)
		}
	}
}

func TestTaxCode_Database(t *testing.T) {
	c := taxcode.MustParse("RSSMRA80A01H50MM")
	stored, err := c.Value()
	if err != nil || stored != "RSSMRA80A01H50MM" {
		t.Fatalf("stored %v, %v", stored, err)
	}
	for _, src := range []any{stored, []byte("RSSMRA80A01H50MM")} {
		var back taxcode.Code
		if err := back.Scan(src); err != nil || back != c {
			t.Errorf("%T: %v, %v", src, back, err)
		}
	}
	if null, err := (taxcode.Code{}).Value(); null != nil || err != nil {
		t.Errorf("no code is stored as %v, %v", null, err)
	}
	back := c
	if err := back.Scan(nil); err != nil || !back.IsZero() {
		t.Errorf("NULL: %v, %v", back, err)
	}
	for _, bad := range []any{"", "RSSMRA80A01H501A", 743110157, true} {
		back := c
		if err := back.Scan(bad); err == nil || back != c {
			t.Errorf("%v: read as %v, %v", bad, back, err)
		}
	}
	var v taxcode.VAT
	if err := v.Scan("00743110157"); err != nil || v.Clear() != "00743110157" {
		t.Errorf("VAT number: %v, %v", v, err)
	}
}

// Only the check character is told, and only where the rest is a code.
func TestTaxCode_ErrorsTellTheCheckCharacter(t *testing.T) {
	for in, want := range map[string]string{
		"RSSMRA80A01H501A": "U", "rssmra80a01h501a": "U", "00743110158": "7", "RSSMRA80A01H501": "", "RSSMRA80X01H501U": "", "00000000000": "",
	} {
		_, err := taxcode.Parse(in)
		if got := taxcode.CheckCharacter(err); err == nil || got != want || strings.Contains(err.Error(), in) {
			t.Errorf("%s: got %q, %v", in, got, err)
		}
		refused := taxcode.Refused("/tax_code", err)
		field := refused.Fields[0]
		if field.Pointer != "/tax_code" || field.Code != fault.FieldFormat || (field.Right != nil) != (want != "") ||
			field.Right != nil && field.Right.CheckCharacter != want {
			t.Errorf("%s: %+v", in, field)
		}
	}
}
