package delegation_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/mandate/delegation"
	"diresco/internal/masterdata/servicecatalog"
	"diresco/internal/messaging/notification"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// read puts a message into words.
func (w *fixture) read(m outbox.Message, locale notification.Locale) string {
	w.t.Helper()
	secrets, err := m.Open(w.keys)
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := notification.Render(m.Kind, m.Data, secrets, locale)
	if err != nil {
		w.t.Fatal(err)
	}
	return text.Body
}

// Who gets a code reads what it gives, and both sides read what was given.
func TestDelegation_MessagesSayWhatIsGiven(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		if err := d.InTx(ctx, servicecatalog.New(servicecatalog.Deps{Runner: w.Runner}).Install); err != nil {
			t.Fatal(err)
		}
		end := time.Date(2027, 3, 31, 22, 0, 0, 0, time.UTC)
		partial := w.active(w.professional, func(in *delegation.Input) {
			in.Scope, in.Services, in.Exclusive, in.ValidUntil = delegation.Partial, []access.Service{
				access.Declarations, access.ViewPayments,
			}, true, &end
		})
		total := w.draft(w.professional, func(in *delegation.Input) { in.PositionIDs = in.PositionIDs[:1] })
		w.send(w.professional, total.ID)
		codes := w.messages("delegation.otp")
		activated := w.messages("delegation.activated")[0]
		for _, m := range []outbox.Message{codes[0], activated} {
			for locale, wants := range map[notification.Locale][]string{
				notification.Italian: {
					"Servizi: Dichiarazioni di responsabilità del contribuente; Visualizzazione pagamenti\n", "Esclusiva: sì",
					"fino al 01/04/2027 alle ore 00:00:00",
				},
				notification.English: {
					"Services: Declarations of responsibility of the contributor; View payments\n", "Exclusive: yes",
					"until 1 April 2027 at 00:00:00",
				},
			} {
				text := w.read(m, locale)
				for _, want := range append(
					wants, partial.DelegateName, partial.ContributorName, partial.ReferenceCode,
					partial.Positions[0].Number+", "+partial.Positions[1].Number+"\n",
				) {
					if !strings.Contains(text, want) {
						t.Errorf("%s in %s does not say %q:\n%s", m.Kind, locale, want, text)
					}
				}
			}
		}
		for locale, wants := range map[notification.Locale][]string{
			notification.Italian: {"Servizi: tutti", "Esclusiva: no", "fino alla revoca"},
			notification.English: {"Services: all", "Exclusive: no", "until it is revoked"},
		} {
			text := w.read(codes[1], locale)
			for _, want := range append(wants, total.ReferenceCode, total.Positions[0].Number+"\n", w.otp().Reveal()) {
				if !strings.Contains(text, want) {
					t.Errorf("in %s it does not say %q:\n%s", locale, want, text)
				}
			}
		}
	})
}

// Of many positions ten are named.
func TestDelegation_MessagesNameTenPositions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for more, wants := range map[int]map[notification.Locale]string{
			0: {notification.Italian: "\nServizi", notification.English: "\nServices"},
			1: {notification.Italian: " e un'altra\n", notification.English: " and 1 more\n"},
			7: {notification.Italian: " e altre 7\n", notification.English: " and 7 more\n"},
		} {
			w.company = w.Company(t, offices(10+more)...)
			w.signatory, _ = w.representativeOf(w.company)
			draft := w.draft(w.professional, nil)
			w.send(w.professional, draft.ID)
			m := w.messages("delegation.otp")
			for locale, want := range wants {
				text := w.read(m[len(m)-1], locale)
				if !strings.Contains(
					text, draft.Positions[9].Number+want,
				) || more > 0 && strings.Contains(text, draft.Positions[10].Number) {
					t.Errorf("%d more in %s:\n%s", more, locale, text)
				}
			}
		}
	})
}

func offices(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = world.Rome
	}
	return all
}

// An SMS stays short, however much is given.
func TestDelegation_AnSMSWithACodeIsShort(t *testing.T) {
	data := map[string]any{
		"reference": "7K3M-Q9XA-R8DN", "delegate": "Giulia Marchetti", "contributor": strings.Repeat("Officine ", 10), "positions": "10",
		"position_numbers": strings.Repeat("0123456789, ", 9) + "0123456789",
		"services_it":      strings.Repeat("Servizio; ", 9), "services_en": strings.Repeat("Service; ", 9), "exclusive": true,
		"valid_until": "2027-03-31T22:00:00Z",
	}
	encoded, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, locale := range notification.Locales() {
		text, err := notification.Render("delegation.otp", string(encoded), map[string]secret.Text{"otp": "40718265"}, locale)
		if err != nil || len(text.Short) > 160 || !strings.Contains(text.Short, "40718265") ||
			!strings.Contains(text.Short, "7K3M-Q9XA-R8DN") || !strings.Contains(text.Short, "Giulia Marchetti") {
			t.Errorf("%d characters: %s, %v", len(text.Short), text.Short, err)
		}
	}
}

// Who ended a delegation is told where it is known.
func TestDelegation_WhoEndedIt(t *testing.T) {
	const known = `{"reference": "7K3M-Q9XA-R8DN", "delegate": "Giulia Marchetti", "contributor": "Officine Verdi S.r.l.", "positions": "2"%s}`
	for side, want := range map[string][2]string{
		`, "end_cause": "contributor"`:  {"è stata revocata dal contribuente", "was revoked by the contributor"},
		`, "end_cause": "intermediary"`: {"è stata revocata dall'intermediario", "was revoked by the intermediary"},
		`, "end_cause": "replacement"`:  {"una più recente", "a newer one"}, "": {"è terminata", "has ended"},
	} {
		for i, locale := range []notification.Locale{notification.Italian, notification.English} {
			text, err := notification.Render("delegation.revoked", fmt.Sprintf(known, side), nil, locale)
			if err != nil || !strings.Contains(text.Body, want[i]) {
				t.Errorf("%q: %v\n%s", side, err, text.Body)
			}
		}
	}
}

// Whoever had a household's delegation hears that a newer one took its place. The trail names the
// one that ended.
func TestDelegation_ANewerDelegationOfAHousehold(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.household()
		earlier := w.active(w.professional, nil)
		other, _ := w.consulente()
		newer := w.draft(other, nil)
		otp := w.send(other, newer.ID)
		if _, err := w.service.Activate(requested("activateDelegation", "key-0001"), w.at(other, newer.ID), newer.ID, delegation.Activation{
			OTP: otp, SignatureDeclared: true,
		}); err != nil {
			t.Fatal(err)
		}
		told := w.messages("delegation.revoked")
		if len(told) != 2 {
			t.Fatalf("%d were told", len(told))
		}
		for _, m := range told {
			if text := w.read(m, notification.Italian); !strings.Contains(text, earlier.ReferenceCode) ||
				!strings.Contains(text, "una più recente") || strings.Contains(text, newer.ReferenceCode) {
				t.Errorf("told\n%s", text)
			}
		}
		if n := w.Count(
			t,
			"audit_records WHERE operation = 'activateDelegation' AND subject_kind = 'delegation' AND subject_id = ? AND contributor_id "+
				"= ? AND outcome = 'replaced'",
			earlier.ID.String(), w.company.ID,
		); n != 1 {
			t.Errorf("%d records of the one that ended", n)
		}
		if n := w.Count(
			t, "audit_records WHERE operation = 'activateDelegation' AND subject_id = ? AND outcome = 'done'", newer.ID.String(),
		); n != 1 {
			t.Errorf("%d records of the newer one", n)
		}
		if n := w.Count(t, "audit_records WHERE outcome = 'replaced' AND (acting_as IS NULL OR right_id IS NULL)"); n != 0 {
			t.Error("the record names no right")
		}
	})
}
