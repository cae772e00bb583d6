package app_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	// Everything that declares a kind of message is part of the house.
	_ "diresco/internal/app"
	"diresco/internal/identity/application"
	"diresco/internal/identity/consent"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/notification"
)

func TestMessageKind_HasTextsAndASample(t *testing.T) {
	var declared []string
	for _, k := range outbox.Kinds() {
		declared = append(declared, k.Name)
		if _, err := notification.Sample(k.Name); err != nil {
			t.Errorf("%s has no sample: %v", k.Name, err)
		}
	}
	written, err := notification.Kinds()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(declared, written); diff != "" || len(declared) == 0 {
		t.Errorf("declared kinds and kinds with texts differ:\n%s", diff)
	}
}

// The contract's examples of messages are of kinds that are sent.
func TestMessageKind_OfEachExampleIsDeclared(t *testing.T) {
	contract, err := os.ReadFile("../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	written := regexp.MustCompile(`(?m)^ +kind: ([a-z_]+\.[a-z_]+)$`).FindAllSubmatch(contract, -1)
	for _, kind := range written {
		if !slices.ContainsFunc(outbox.Kinds(), func(k outbox.Kind) bool { return k.Name == string(kind[1]) }) {
			t.Errorf("an example has kind %s, which nobody sends", kind[1])
		}
	}
	if len(written) == 0 {
		t.Error("no example was found")
	}
}

// What concerns the safety of an account reaches every contact, or is at least never muted.
func TestMessageKind_SaysWhoIsTold(t *testing.T) {
	everyContact := []string{
		"consent.given", "contact.added", "contact.removed", "pin.became_dispositive", "pin.issued", "pin.many_wrong_tries", "pin.recovered",
		"pin.request_refused", "pin.request_served", "pin.request_with_pin", "pin.revoked", "role.registered", "staff.post_ended", "staff.post_given",
	}
	mutes := map[string]outbox.Category{
		"declaration.accepted": outbox.AboutDeclarations, "declaration.not_accepted": outbox.AboutDeclarations,
		"declaration.provisionally_not_accepted": outbox.AboutDeclarations, "declaration.confirmed": outbox.AboutDeclarations,
		"declaration.fund_lapsed":          outbox.AboutDeclarations,
		"declaration.awaiting_credentials": outbox.AboutDeclarations, "declaration.completed": outbox.AboutDeclarations,
		"declaration.batch_done": outbox.AboutDeclarations,
		"declaration.lapsed":     outbox.AboutDeclarations,
		"declaration.received":   outbox.AboutDeclarations, "declaration.withdrawn": outbox.AboutDeclarations,
		"ticket.summary":       outbox.Reminders,
		"appointment.reminder": outbox.Reminders, "consent.reminder": outbox.Reminders, "delegation.reminder": outbox.Reminders, "pin.reminder": outbox.Reminders,
	}
	for _, k := range outbox.Kinds() {
		if (k.Audience == outbox.EveryContact) != slices.Contains(everyContact, k.Name) {
			t.Errorf("%s has audience %d", k.Name, k.Audience)
		}
		if k.Mute != mutes[k.Name] {
			t.Errorf("%s is muted with %q", k.Name, k.Mute)
		}
	}
}

// Each reason for which a consent ends is told in words of its own.
func TestMessageKind_ConsentsSayWhyTheyEnded(t *testing.T) {
	reasons := []string{
		consent.EndedByHolder, consent.EndedByContributor, consent.EndedDisplaced, consent.EndedExpired, consent.EndedRightEnded,
		consent.EndedPostGiven, consent.EndedRefreshReused, consent.EndedTokenRevoked, consent.EndedNotTakenUp, application.EndedBySuspension,
		application.EndedByRemoval, session.EndedPINReplaced, session.EndedPINRevoked, session.EndedSuspended, session.EndedPostLeft,
	}
	for _, locale := range notification.Locales() {
		told := map[string]string{}
		for _, reason := range append(reasons, "another") {
			text, err := notification.Render(
				"consent.ended", `{"applications": "Paghe", "reason": "`+reason+`", "at": "2026-03-16T08:15:04Z"}`, nil, locale,
			)
			if err != nil {
				t.Fatal(err)
			}
			if other, twice := told[text.Body]; twice {
				t.Errorf("%s: %s reads as %s", locale, reason, other)
			}
			told[text.Body] = reason
		}
	}
}
