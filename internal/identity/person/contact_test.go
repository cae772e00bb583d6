package person_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"diresco/internal/identity/person"
)

func TestContact_AreKeptInOneForm(t *testing.T) {
	long := strings.Repeat("x", 60)
	for _, tt := range []struct {
		kind  person.ContactKind
		typed string
		// want is empty for what is refused.
		want string
	}{
		{person.Mobile, "+393331234567", "+393331234567"},
		{person.Mobile, "333 123 4567", "+393331234567"},
		{person.Mobile, " 333-1234567 ", "+393331234567"},
		{person.Mobile, "0039 333 1234567", "+393331234567"},
		{person.Mobile, "+44 7911 123456", "+447911123456"},
		{person.Mobile, "+39 0333 1112233", "+393331112233"},
		{person.Mobile, "0039 0333 1112233", "+393331112233"},
		{person.Mobile, "0333 1112233", "+393331112233"},
		{person.Mobile, "+39 06 12345678", ""},
		{person.Mobile, "+39 0332 123456", ""},
		{person.Mobile, "06 12345678", ""},
		{person.Mobile, "800 123 456", ""},
		{person.Mobile, "12", ""},
		{person.Mobile, "333 1234567 ext. 3", ""},
		{person.Mobile, "333 1234567\r\n333 7654321", ""},
		{person.Mobile, "mario@example.it", ""},
		{person.Mobile, "", ""},
		{person.Email, "Mario.Rossi@Example.IT", "Mario.Rossi@example.it"},
		{person.Email, " mario@example.it ", "mario@example.it"},
		{person.Email, "m+inps@posta.example", "m+inps@posta.example"},
		{person.Email, "bruna@bücher.example", "bruna@xn--bcher-kva.example"},
		{person.Email, "Bruna@BÜCHER.Example", "Bruna@xn--bcher-kva.example"},
		{person.Email, "bruna@xn--bcher-kva.example", "bruna@xn--bcher-kva.example"},
		{person.PEC, "rossi@città.example", "rossi@xn--citt-3na.example"},
		{person.Email, "bruna@faß.example", "bruna@xn--fa-hia.example"},
		{person.Email, "bruna@-bücher.example", ""},
		{person.Email, "bruna@büc her.example", ""},
		{person.Email, "bruna@\u202eb\u00fccher.example", ""},
		{person.Email, "brüna@bucher.example", ""},
		{person.Email, "Mario <mario@example.it>", ""},
		{person.Email, "mario@example.it, luca@example.it", ""},
		{person.Email, "mario@example.it\r\nBcc: luca@example.it", ""},
		{person.Email, `"mario rossi"@example.it`, ""},
		{person.Email, ".mario@example.it", ""},
		{person.Email, "mario@[127.0.0.1]", ""},
		{person.Email, "mario@localhost", ""},
		{person.Email, "mario", ""},
		{person.Email, strings.Repeat("m", 65) + "@example.it", ""},
		{person.PEC, "rossi@PEC.example", "rossi@pec.example"},
		{person.PEC, "", ""},
		{person.Postal, "Via Roma 1, 00100 Roma", "Via Roma 1, 00100 Roma"},
		{person.Postal, "Mario Rossi\r\n  Via Roma 1 \n\n00100 Roma RM\n", "Mario Rossi\nVia Roma 1\n00100 Roma RM"},
		{person.Postal, strings.Repeat(long+"\n", 5), strings.TrimSpace(strings.Repeat(long+"\n", 5))},
		{person.Postal, strings.Repeat("a\n", 6), ""},
		{person.Postal, long + "x", ""},
		{person.Postal, "Via\tRoma 1", ""},
		{person.Postal, "Via Roma\x00 1", ""},
		{person.Postal, " \n ", ""},
		{"fax", "06123456", ""},
	} {
		got, ok := person.NewContact{Kind: tt.kind, Value: tt.typed}.Normalise()
		if ok != (tt.want != "") || ok && got != (person.NewContact{Kind: tt.kind, Value: tt.want}) {
			t.Errorf("%s %q: %q, %v", tt.kind, tt.typed, got.Value, ok)
		}
	}
}

func TestContact_WhatIsNormalStaysSo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := person.NewContact{
			Kind: rapid.SampledFrom([]person.ContactKind{person.Mobile, person.Email, person.PEC, person.Postal}).Draw(t, "kind"),
			Value: rapid.OneOf(
				rapid.String(), rapid.StringMatching(`[ +0-9()/-]{5,20}`),
				rapid.StringMatching(`[A-Za-z0-9.+]{1,10}@[A-Za-z0-9-]{1,5}(\.[A-Za-z]{1,4}){1,3}`),
			).
				Draw(t, "value"),
		}
		normal, ok := c.Normalise()
		if !ok {
			return
		}
		if again, ok := normal.Normalise(); !ok || again != normal {
			t.Errorf("%q became %q and then %q", c.Value, normal.Value, again.Value)
		}
		if strings.ContainsAny(normal.Value, "\r\x00") || strings.Contains(normal.Value, "\n") && c.Kind != person.Postal {
			t.Errorf("%q has control characters", normal.Value)
		}
	})
}
