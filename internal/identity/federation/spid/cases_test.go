package spid_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"

	"diresco/internal/identity/federation"
	"diresco/internal/platform/clock"
)

// nationalCase is one of the cases with which providers of services are tested before they may use
// SPID.
type nationalCase struct {
	Description string
	Path        string
	Response    map[string]any
	Sign        bool            `json:"sign_response"`
	SignInner   bool            `json:"sign_assertion"`
	Foreign     json.RawMessage `json:"sign_credentials"`
	Format      json.RawMessage `json:"attributesNameFormat"`
}

// TestCases_National runs the national cases where SPID_CASES names the folder that has them. What
// they check is checked everywhere by the cases of answer_test.go.
func TestCases_National(t *testing.T) {
	folder := os.Getenv("SPID_CASES")
	if folder == "" {
		t.Log("SPID_CASES names no folder: our own cases alone were run")
		return
	}
	content, err := os.ReadFile(filepath.Join(folder, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var suites map[string]struct{ Cases map[string]nationalCase }
	if err := json.Unmarshal(content, &suites); err != nil {
		t.Fatal(err)
	}
	run := 0
	for _, suite := range suites {
		for number, c := range suite.Cases {
			run++
			for _, level := range []federation.Level{1, 2, 3} {
				t.Run(fmt.Sprintf("%s at level %d", number, level), func(t *testing.T) { c.run(t, folder, number, level) })
			}
		}
	}
	if run != 106 {
		t.Errorf("%d cases were found, not 106", run)
	}
}

func (c nationalCase) run(t *testing.T, folder, number string, level federation.Level) {
	w := plain(t)
	a, request, _ := w.begin(level)
	got, err := w.provider.Finish(t.Context(), a, form(t, c.answer(t, folder, request.SelectAttrValue("ID", ""), w.clock, level)))
	expected := c.expected(number, level)
	if (err == nil) != expected {
		t.Fatalf("expected success: %v, got %v", expected, err)
	}
	var refusal *federation.Refusal
	switch {
	case expected && (got.Level < level || got.TaxCode == ""):
		t.Errorf("claims: level %d", got.Level)
	case !expected && !errors.As(err, &refusal):
		t.Errorf("no refusal: %v", err)
	}
	text := fmt.Sprint(c.Response["StatusMessage"])
	number, found := strings.CutPrefix(text, "ErrorCode nr")
	if found && (refusal.Outcome != federation.Denied || fmt.Sprint(refusal.Number) != number) {
		t.Errorf("%s: %v", text, refusal)
	}
}

// expected tells whether somebody must be let in.
func (c nationalCase) expected(number string, level federation.Level) bool {
	switch number {
	case "94":
		return level <= 1
	case "95":
		return level <= 2
	case "96":
		return true
	case "103":
		return false // the cases name no result; what was asked for is not there
	}
	return regexp.MustCompile(`(?i)atteso: ok`).MatchString(c.Description)
}

// answer fills the template and signs it.
func (c nationalCase) answer(t *testing.T, folder, requestID string, now *clock.Manual, level federation.Level) *etree.Element {
	path := filepath.Join(folder, "cases", filepath.Base(c.Path))
	if c.Path == "test/base.xml" && level > 1 && c.Response["AuthnContextClassRef"] == "" && strings.HasSuffix(c.Description, ": Ok") {
		path = filepath.Join(folder, "cases", "base-nosession.xml")
	}
	template, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := now.Now().Truncate(time.Second)
	values := map[string]string{
		"AssertionConsumerURL": answerPlace, "ResponseID": "_r1", "AuthnRequestID": requestID, "IssueInstant": at.Format(time.RFC3339),
		"Issuer": idpID, "AssertionID": "_a1", "NameIDNameQualifier": idpID, "NameID": "_n1",
		"NotOnOrAfter":       at.Add(5 * time.Minute).Format(time.RFC3339),
		"IssueInstantMillis": at.Format("2006-01-02T15:04:05.000Z07:00"), "NotBefore": at.Format(time.RFC3339),
		"AuthnIstant": at.Format(time.RFC3339), "SessionIndex": "_s1", "Audience": entityID,
		"AuthnContextClassRef": fmt.Sprintf("https://www.spid.gov.it/SpidL%d", level), "Attributes": c.attributes(),
	}
	for name, value := range c.Response {
		if text, is := value.(string); is && text != "" {
			values[name] = text
		}
	}
	text := regexp.MustCompile(`\{\{(\w+)\}\}`).ReplaceAllStringFunc(string(template), func(found string) string {
		value, there := values[strings.Trim(found, "{}")]
		if !there {
			t.Fatalf("a template has %s", found)
		}
		return value
	})
	document := etree.NewDocument()
	if err := document.ReadFromString(strings.TrimSpace(text)); err != nil {
		t.Fatal(err)
	}
	by := key("idp")
	if c.Foreign != nil {
		by = key("stranger")
	}
	if inner := document.Root().FindElement("Assertion"); c.SignInner && inner != nil {
		sign(t, inner, by)
	}
	if c.Sign {
		sign(t, document.Root(), by)
	}
	return document.Root()
}

// attributes writes those that were asked for.
func (c nationalCase) attributes() string {
	all, _ := c.Response["Attributes"].(map[string]any)
	var out strings.Builder
	out.WriteString(`<saml:AttributeStatement>`)
	format := ` NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:basic"`
	if c.Format != nil {
		format = ""
	}
	for _, asked := range config().Attributes {
		if value, there := all[asked]; there {
			fmt.Fprintf(&out, `<saml:Attribute Name="%s"%s><saml:AttributeValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" `+
				`xmlns:xs="http://www.w3.org/2001/XMLSchema" xsi:type="xs:string">%s</saml:AttributeValue></saml:Attribute>`, asked, format, value)
		}
	}
	out.WriteString(`</saml:AttributeStatement>`)
	return out.String()
}
