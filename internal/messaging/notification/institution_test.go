package notification_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"diresco/internal/messaging/notification"
	"diresco/internal/platform/institution"
)

// A pensioner has no use for the names of an interface.
func TestText_NamesNoOperation(t *testing.T) {
	contract, err := os.ReadFile("../../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var operations []string
	for _, found := range regexp.MustCompile(`(?m)^ +operationId: (\w+)$`).FindAllSubmatch(contract, -1) {
		operations = append(operations, string(found[1]))
	}
	if len(operations) < 50 {
		t.Fatalf("%d operations were found", len(operations))
	}
	named := regexp.MustCompile(`\b(` + strings.Join(operations, "|") + `)\b`)
	for kind, sample := range realistic(t) {
		for _, locale := range notification.Locales() {
			text, err := notification.Render(kind, sample, nil, locale)
			if err != nil {
				t.Fatal(err)
			}
			if found := named.FindString(text.Subject + text.Body + text.HTML + text.Short); found != "" {
				t.Errorf("%s in %s names %s", kind, locale, found)
			}
		}
	}
}

func TestText_SaysWhoWritesAndWhereToTurn(t *testing.T) {
	by := institution.Institution{
		Name: "Istituto <Esempio>", Address: "Via Roma 1, 00100 Roma", Telephone: "06 1234", Page: "https://istituto.example/servizi",
		PrivacyPage: "https://istituto.example/privacy", Logo: "https://istituto.example/logo.png",
	}
	for locale, footer := range map[notification.Locale]string{
		notification.Italian: "\n\nIstituto <Esempio>\nVia Roma 1, 00100 Roma\nTel. 06 1234 – https://istituto.example/servizi\n" +
			"Informativa sulla privacy: https://istituto.example/privacy",
		notification.English: "\n\nIstituto <Esempio>\nVia Roma 1, 00100 Roma\nTelephone 06 1234 – https://istituto.example/servizi\n" +
			"Privacy notice: https://istituto.example/privacy",
	} {
		text, err := notification.RenderFor(by, "pin.changed", `{}`, nil, locale)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(text.Body, footer) {
			t.Errorf("%s", text.Body)
		}
		for _, want := range []string{"Istituto &lt;Esempio&gt;<br>", `src="https://istituto.example/logo.png"`, "06 1234"} {
			if !strings.Contains(text.HTML, want) {
				t.Errorf("%q is missing in %s", want, text.HTML)
			}
		}
		if strings.Contains(text.Short, "Istituto") {
			t.Errorf("an SMS has no room for %s", text.Short)
		}
	}
	if text, err := notification.Render("pin.changed", `{}`, nil, notification.Italian); err != nil || strings.Contains(text.HTML, "<img") ||
		!strings.HasSuffix(text.Body, "non rispondere.") {
		t.Errorf("%v\n%s", err, text.Body)
	}
}
