package spid_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/spid"
)

const (
	responsePath     = "."
	issuerPath       = "./Issuer"
	statusPath       = "./Status/StatusCode"
	assertionPath    = "./Assertion"
	namePath         = "./Assertion/Subject/NameID"
	confirmationPath = "./Assertion/Subject/SubjectConfirmation"
	dataPath         = confirmationPath + "/SubjectConfirmationData"
	conditionsPath   = "./Assertion/Conditions"
	statementPath    = "./Assertion/AuthnStatement"
	classPath        = statementPath + "/AuthnContext/AuthnContextClassRef"
	attributesPath   = "./Assertion/AttributeStatement"
)

// change makes a right answer wrong, before it is signed.
type change func(root *etree.Element)

func set(path, name, value string) change {
	return func(root *etree.Element) { root.FindElement(path).CreateAttr(name, value) }
}

func unset(path, name string) change {
	return func(root *etree.Element) { root.FindElement(path).RemoveAttr(name) }
}

func text(path, value string) change {
	return func(root *etree.Element) { root.FindElement(path).SetText(value) }
}

func remove(path string) change {
	return func(root *etree.Element) {
		e := root.FindElement(path)
		e.Parent().RemoveChild(e)
	}
}

// twice puts a copy beside an element.
func twice(path string) change {
	return func(root *etree.Element) {
		e := root.FindElement(path)
		e.Parent().AddChild(e.Copy())
	}
}

func shift(path, name string, at time.Time) change { return set(path, name, at.Format(time.RFC3339)) }

// attribute changes one of the attributes of the person.
func attribute(name string, do func(e *etree.Element)) change {
	return func(root *etree.Element) {
		for _, e := range root.FindElements(attributesPath + "/Attribute") {
			if e.SelectAttrValue("Name", "") == name {
				do(e)
				return
			}
		}
		panic("no attribute " + name)
	}
}

func value(v string) func(e *etree.Element) {
	return func(e *etree.Element) { e.ChildElements()[0].SetText(v) }
}

func without(e *etree.Element) { e.Parent().RemoveChild(e) }

// wrongAnswers break one rule each. All are rightly signed.
var wrongAnswers = []struct {
	name, rule string
	change     change
}{
	{"another root", "response", func(root *etree.Element) { root.Tag = "Answer" }},
	{"response without ID", "response-id", set(responsePath, "ID", "")},
	{"response of version 1.1", "response-version", set(responsePath, "Version", "1.1")},
	{"response without version", "response-version", unset(responsePath, "Version")},
	{"response without issue instant", "response-issue-instant-form", unset(responsePath, "IssueInstant")},
	{"issue instant without zone", "response-issue-instant-form", set(responsePath, "IssueInstant", "2026-03-16T08:00:00")},
	{"issue instant with offset", "response-issue-instant-form", set(responsePath, "IssueInstant", "2026-03-16T09:00:00+01:00")},
	{"response to nothing", "response-in-response-to", unset(responsePath, "InResponseTo")},
	{"response to another request", "response-in-response-to", set(responsePath, "InResponseTo", "_another")},
	{"response without destination", "response-destination", unset(responsePath, "Destination")},
	{"response to another place", "response-destination", set(responsePath, "Destination", "https://other.example.org/acs")},
	{"response of nobody", "response-issuer", remove(issuerPath)},
	{"response of another", "response-issuer", text(issuerPath, "https://other.example.it")},
	{"response with an issuer of another format", "response-issuer-format", set(issuerPath, "Format", "urn:example")},
	{"response with an issuer of an empty format", "response-issuer-format", set(issuerPath, "Format", "")},
	{"no status", "status-code", remove("./Status")},
	{"no status code", "status-code", remove(statusPath)},
	{"empty status code", "status-code", set(statusPath, "Value", "")},
	{"something encrypted", "no-encryption", func(root *etree.Element) { root.FindElement(assertionPath).CreateElement("saml:EncryptedID") }},
	{"one ID twice", "ids-once", func(root *etree.Element) {
		root.FindElement(assertionPath).CreateAttr("ID", root.SelectAttrValue("ID", ""))
	}},
	{"a signature elsewhere", "signature-place", func(root *etree.Element) {
		e := root.FindElement("./Status").CreateElement("ds:Signature")
		e.CreateAttr("xmlns:ds", "http://www.w3.org/2000/09/xmldsig#")
	}},
	{"no assertion", "one-assertion", remove(assertionPath)},
	{"two assertions", "one-assertion", func(root *etree.Element) {
		second := root.FindElement(assertionPath).Copy()
		second.CreateAttr("ID", "_second")
		root.AddChild(second)
	}},
	{"an assertion though nobody came in", "one-assertion", set(statusPath, "Value", "urn:oasis:names:tc:SAML:2.0:status:Responder")},
	{"assertion of version 1.1", "assertion-version", set(assertionPath, "Version", "1.1")},
	{"assertion without issue instant", "assertion-issue-instant-form", unset(assertionPath, "IssueInstant")},
	{"assertion of nobody", "assertion-issuer", remove(assertionPath + "/Issuer")},
	{"assertion of another", "assertion-issuer", text(assertionPath+"/Issuer", "https://other.example.it")},
	{"issuer between line breaks", "assertion-issuer", text(assertionPath+"/Issuer", "\n"+idpID+"\n")},
	{"assertion with an issuer without format", "assertion-issuer-format", unset(assertionPath+"/Issuer", "Format")},
	{"assertion with an issuer of another format", "assertion-issuer-format", set(assertionPath+"/Issuer", "Format", "urn:example")},
	{"no subject", "subject", remove("./Assertion/Subject")},
	{"two subjects", "subject", twice("./Assertion/Subject")},
	{"no name", "name-id", remove(namePath)},
	{"a blank name", "name-id", text(namePath, " \n ")},
	{"a name without format", "name-id-format", unset(namePath, "Format")},
	{"a lasting name", "name-id-format", set(namePath, "Format", "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent")},
	{"a name of nobody's", "name-id-qualifier", unset(namePath, "NameQualifier")},
	{"a name of an empty qualifier", "name-id-qualifier", set(namePath, "NameQualifier", "")},
	{"no confirmation", "confirmation", remove(confirmationPath)},
	{"two confirmations", "confirmation", twice(confirmationPath)},
	{"confirmation by another method", "confirmation-method", set(confirmationPath, "Method", "urn:oasis:names:tc:SAML:2.0:cm:other")},
	{"confirmation without data", "confirmation-data", remove(dataPath)},
	{"confirmation for nobody", "confirmation-recipient", unset(dataPath, "Recipient")},
	{"confirmation for another", "confirmation-recipient", set(dataPath, "Recipient", "https://other.example.org/acs")},
	{"confirmation of nothing", "confirmation-in-response-to", unset(dataPath, "InResponseTo")},
	{"confirmation of another request", "confirmation-in-response-to", set(dataPath, "InResponseTo", "_another")},
	{"confirmation without end", "confirmation-end-form", unset(dataPath, "NotOnOrAfter")},
	{"confirmation that has ended", "not-on-or-after", shift(dataPath, "NotOnOrAfter", start.Add(-11*time.Second))},
	{"no conditions", "conditions", remove(conditionsPath)},
	{"conditions without begin", "conditions-begin-form", unset(conditionsPath, "NotBefore")},
	{"conditions with an empty begin", "conditions-begin-form", set(conditionsPath, "NotBefore", "")},
	{"conditions without end", "conditions-end-form", unset(conditionsPath, "NotOnOrAfter")},
	{"conditions that begin later", "not-before", shift(conditionsPath, "NotBefore", start.Add(30*time.Second))},
	{"conditions that have ended", "not-on-or-after", shift(conditionsPath, "NotOnOrAfter", start.Add(-11*time.Second))},
	{"conditions that end before they begin", "conditions-times", func(root *etree.Element) {
		shift(conditionsPath, "NotBefore", start.Add(5*time.Second))(root)
		shift(conditionsPath, "NotOnOrAfter", start.Add(4*time.Second))(root)
	}},
	{"for everybody", "audience-restriction", remove(conditionsPath + "/AudienceRestriction")},
	{"for nobody", "audience-restriction", text(conditionsPath+"/AudienceRestriction/Audience", "")},
	{"for another", "audience", text(conditionsPath+"/AudienceRestriction/Audience", "https://other.example.org")},
	{"no login", "authn-statement", remove(statementPath)},
	{"two logins", "authn-statement", twice(statementPath)},
	{"login without time", "authn-instant-form", unset(statementPath, "AuthnInstant")},
	{"login before the request", "authn-instant", shift(statementPath, "AuthnInstant", start.Add(-30*time.Second))},
	{"login in the future", "authn-instant", shift(statementPath, "AuthnInstant", start.Add(30*time.Second))},
	{"no class", "authn-context-class", remove(classPath)},
	{"two classes", "authn-context-class", twice(classPath)},
	{"an unknown class", "level-known", text(classPath, "urn:oasis:names:tc:SAML:2.0:ac:classes:SpidL2")},
	{"a lower level", "level", text(classPath, "https://www.spid.gov.it/SpidL1")},
	{"no attributes at all", "attribute-statement", remove(attributesPath)},
	{"two statements of attributes", "attribute-statement", twice(attributesPath)},
	{"a statement without attributes", "attributes", func(root *etree.Element) {
		for _, a := range root.FindElements(attributesPath + "/Attribute") {
			without(a)
		}
	}},
	{"an attribute is missing", "attribute-set", attribute("email", without)},
	{"an attribute twice", "attribute-once", func(root *etree.Element) { twice(attributesPath + "/Attribute")(root) }},
	{"an attribute without value", "attribute-one-value", attribute("email", func(e *etree.Element) { e.RemoveChildAt(0) })},
	{"an attribute with two values", "attribute-one-value", attribute("email", func(e *etree.Element) {
		e.AddChild(e.ChildElements()[0].Copy())
	})},
	{"an empty value", "attribute-value", attribute("email", value("  "))},
	{"a value of two lines", "attribute-form", attribute("name", value("Mario\nRossi"))},
	{"a value that is too long", "attribute-form", attribute("name", value(strings.Repeat("a", 257)))},
	{"a tax code without prefix", "fiscal-number", attribute("fiscalNumber", value(taxCode))},
	{"a tax code with a wrong check letter", "fiscal-number", attribute("fiscalNumber", value("TINIT-RSSMRA80A01H501A"))},
	{"a tax code in lower case", "fiscal-number", attribute("fiscalNumber", value("TINIT-rssmra80a01h501u"))},
	{"a tax code of an organisation", "fiscal-number", attribute("fiscalNumber", value("TINIT-80078750587"))},
	{"a tax code of another country", "fiscal-number", attribute("fiscalNumber", value("TINDE-RSSMRA80A01H501U"))},
	{"a date as people write it", "date-of-birth", attribute("dateOfBirth", value("01/01/1980"))},
	{"response from before the request", "response-issue-instant", shift(responsePath, "IssueInstant", start.Add(-30*time.Second))},
	{"assertion from before the request", "assertion-issue-instant", shift(assertionPath, "IssueInstant", start.Add(-30*time.Second))},
	{"response from the future", "not-before", shift(responsePath, "IssueInstant", start.Add(60*time.Second))},
	{"assertion from the future", "not-before", shift(assertionPath, "IssueInstant", start.Add(60*time.Second))},
}

// finish sends an answer to a login that was begun at a level.
func (w *world) finish(
	level federation.Level, change change, send func(t testing.TB, root *etree.Element) url.Values,
) (federation.Claims, error) {
	w.Helper()
	a, request, _ := w.begin(level)
	root := answer(request.SelectAttrValue("ID", ""), fmt.Sprintf("https://www.spid.gov.it/SpidL%d", level), w.clock.Now())
	if change != nil {
		change(root)
	}
	return w.provider.Finish(w.Context(), a, send(w, root))
}

// refusal returns why an answer was refused.
func refusal(t testing.TB, err error) federation.Refusal {
	t.Helper()
	var r *federation.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("no refusal: %v", err)
	}
	return *r
}

func TestAnswer_EachRuleIsAskedFor(t *testing.T) {
	w := plain(t)
	for _, c := range wrongAnswers {
		_, err := w.finish(2, c.change, signed)
		if r := refusal(t, err); r.Outcome != federation.Invalid || r.Rule != c.rule {
			t.Errorf("%s: refused for %q, not for %q", c.name, r.Rule, c.rule)
		}
	}
}

// What a provider may never reach, because a rule before it is stricter, and stays to be sure.
var neverReached = []string{"assertion-signature", "name-id-verified", "authn-statement-verified"}

// elsewhere are rules about how an answer is signed and brought; see the tests below.
var elsewhere = []string{"assertion-id", "assertion-signed"}

func TestAnswer_NoRuleIsWithoutACase(t *testing.T) {
	for _, name := range spid.RuleNames() {
		tested := slices.Contains(neverReached, name) || slices.Contains(elsewhere, name)
		for _, c := range wrongAnswers {
			tested = tested || c.rule == name
		}
		if !tested {
			t.Errorf("no answer breaks %q", name)
		}
	}
}

func TestAnswer_Right(t *testing.T) {
	w := plain(t)
	want := federation.Claims{
		TaxCode: taxCode, GivenName: "Mario", FamilyName: "Rossi", BirthDate: "1980-01-01", BirthPlace: "H501",
		Email: "mario@example.it", Mobile: "+393331234567", Level: 2,
	}
	for name, c := range map[string]struct {
		change change
		send   func(t testing.TB, root *etree.Element) url.Values
	}{
		"both signed": {nil, signed},
		"the assertion alone signed": {nil, func(t testing.TB, root *etree.Element) url.Values {
			sign(t, root.FindElement(assertionPath), key("idp"))
			return form(t, root)
		}},
		"issuer of the response without format": {unset(issuerPath, "Format"), signed},
		"times with a fraction":                 {set(responsePath, "IssueInstant", "2026-03-16T08:00:00.250Z"), signed},
		"name between line breaks":              {text(namePath, "\n  _name\n"), signed},
		"audience between line breaks":          {text(conditionsPath+"/AudienceRestriction/Audience", "\n"+entityID+"\n"), signed},
		"class between line breaks":             {text(classPath, "\n https://www.spid.gov.it/SpidL2 \n"), signed},
		"a session, which the level has not":    {set(statementPath, "SessionIndex", "_s"), signed},
		"a qualifier of another kind":           {set(namePath, "NameQualifier", "https://idp.example.it"), signed},
		"more attributes than asked for": {func(root *etree.Element) {
			e := root.FindElement(attributesPath).CreateElement("saml:Attribute")
			e.CreateAttr("Name", "spidCode")
			e.CreateElement("saml:AttributeValue").SetText("TEST123")
		}, signed},
		"in lines": {nil, func(t testing.TB, root *etree.Element) url.Values {
			values := signed(t, root)
			text := values.Get("SAMLResponse")
			values.Set("SAMLResponse", text[:76]+"\r\n"+text[76:])
			return values
		}},
	} {
		got, err := w.finish(2, c.change, c.send)
		once := got.Once
		got.Once = nil
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v", name, err)
		}
		if len(once) != 2 || once[0] == once[1] || len(once[0]) > 80 {
			t.Errorf("%s: once %q", name, once)
		}
	}
}

// An answer has the same identifiers each time that it comes, and no other answer has them.
func TestAnswer_IdentifiersAreTheAnswers(t *testing.T) {
	w := plain(t)
	a, request, _ := w.begin(2)
	root := answer(request.SelectAttrValue("ID", ""), "https://www.spid.gov.it/SpidL2", w.clock.Now())
	values := signed(t, root)
	var seen [][]string
	for range 2 {
		c, err := w.provider.Finish(t.Context(), a, values)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, c.Once)
	}
	other, err := w.finish(2, nil, signed)
	if err != nil || !slices.Equal(seen[0], seen[1]) || slices.Contains(other.Once, seen[0][0]) || slices.Contains(other.Once, seen[0][1]) {
		t.Errorf("%q, %q, %q, %v", seen[0], seen[1], other.Once, err)
	}
}

func TestAnswer_PlaceOfBirthInWordsIsLeftOut(t *testing.T) {
	c, err := plain(t).finish(2, attribute("placeOfBirth", value("Roma")), signed)
	if err != nil || c.BirthPlace != "" {
		t.Errorf("%q, %v", c.BirthPlace, err)
	}
}

func TestAnswer_HigherLevelIsAsGood(t *testing.T) {
	for _, comparison := range []string{"minimum", "exact"} {
		c := config()
		c.Comparison = comparison
		got, err := newWorld(t, c, federation.SPID).finish(2, text(classPath, "https://www.spid.gov.it/SpidL3"), signed)
		if err != nil || got.Level != 3 {
			t.Errorf("%s: level %d, %v", comparison, got.Level, err)
		}
	}
}

// At level 1 a provider may know the person from before.
func TestAnswer_AnOlderLoginWillDoAtLevelOne(t *testing.T) {
	if _, err := plain(t).finish(1, shift(statementPath, "AuthnInstant", start.Add(-time.Hour)), signed); err != nil {
		t.Error(err)
	}
}

// Somebody may take their time at the provider, whose answer is as old as its own end lets it be.
func TestAnswer_MayComeLate(t *testing.T) {
	w := plain(t)
	a, request, _ := w.begin(2)
	values := signed(t, answer(request.SelectAttrValue("ID", ""), "https://www.spid.gov.it/SpidL2", w.clock.Now()))
	w.clock.Advance(4*time.Minute - time.Second)
	if _, err := w.provider.Finish(t.Context(), a, values); err != nil {
		t.Error(err)
	}
	w.clock.Advance(12 * time.Second)
	_, err := w.provider.Finish(t.Context(), a, values)
	if r := refusal(t, err); r.Rule != "not-on-or-after" {
		t.Errorf("after its end: %v", err)
	}
}

func TestAnswer_CIE(t *testing.T) {
	w := newWorld(t, config(), federation.CIE)
	got, err := w.finish(3, func(root *etree.Element) {
		for _, name := range []string{"placeOfBirth", "email", "mobilePhone"} {
			attribute(name, without)(root)
		}
	}, signed)
	if err != nil || got.TaxCode != taxCode || got.Level != 3 || got.Email != "" {
		t.Errorf("%v", err)
	}
	if about := w.provider.About(); about.Kind != federation.CIE || about.Method != "cie" {
		t.Errorf("%+v", about)
	}
}

func TestAnswer_Signatures(t *testing.T) {
	w := plain(t)
	for name, c := range map[string]struct {
		rule string
		send func(t testing.TB, root *etree.Element) url.Values
	}{
		"nothing signed": {"assertion-signed", form},
		"the response alone signed": {"assertion-signed", func(t testing.TB, root *etree.Element) url.Values {
			sign(t, root, key("idp"))
			return form(t, root)
		}},
		"signed by a stranger": {"signature", func(t testing.TB, root *etree.Element) url.Values {
			sign(t, root.FindElement(assertionPath), key("stranger"))
			return form(t, root)
		}},
		"response signed by a stranger": {"signature", func(t testing.TB, root *etree.Element) url.Values {
			sign(t, root.FindElement(assertionPath), key("idp"))
			sign(t, root, key("stranger"))
			return form(t, root)
		}},
		"changed after it was signed": {"signature", func(t testing.TB, root *etree.Element) url.Values {
			sign(t, root.FindElement(assertionPath), key("idp"))
			attribute("name", value("Maria"))(root)
			return form(t, root)
		}},
		"assertion without ID": {"assertion-id", func(t testing.TB, root *etree.Element) url.Values {
			sign(t, root.FindElement(assertionPath), key("idp"))
			unset(assertionPath, "ID")(root)
			return form(t, root)
		}},
	} {
		_, err := w.finish(2, nil, c.send)
		if r := refusal(t, err); r.Rule != c.rule {
			t.Errorf("%s: refused for %q, not for %q", name, r.Rule, c.rule)
		}
	}
}

func TestAnswer_Form(t *testing.T) {
	w := plain(t)
	a, _, _ := w.begin(2)
	raw := func(text string) url.Values {
		return url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte(text))}}
	}
	const open, end = `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_x">`, `</samlp:Response>`
	for name, c := range map[string]struct {
		rule   string
		values url.Values
	}{
		"none":                {"one-answer", url.Values{}},
		"an empty one":        {"one-answer", url.Values{"SAMLResponse": {""}}},
		"two":                 {"one-answer", url.Values{"SAMLResponse": {"YQ==", "YQ=="}}},
		"no base 64":          {"base64", url.Values{"SAMLResponse": {"%%"}}},
		"too long":            {"answer-size", url.Values{"SAMLResponse": {strings.Repeat("YWFh", 100_000)}}},
		"longer than allowed": {"answer-size", raw(strings.Repeat("a", 256<<10+1))},
		"no XML":              {"xml", raw("a")},
		"broken off":          {"xml", raw(open)},
		"with a doctype":      {"xml-doctype", raw("<!DOCTYPE a>" + open + end)},
		"with an instruction": {"xml-instruction", raw("<?a b?>" + open + end)},
		"too deep":            {"xml-bounds", raw(strings.Repeat("<a>", 41) + strings.Repeat("</a>", 41))},
		"too many elements":   {"xml-bounds", raw(open + strings.Repeat("<a/>", 2001) + end)},
	} {
		_, err := w.provider.Finish(t.Context(), a, c.values)
		if r := refusal(t, err); r.Outcome != federation.Invalid || r.Rule != c.rule {
			t.Errorf("%s: refused for %q, not for %q", name, r.Rule, c.rule)
		}
	}
}

// TestAnswer_Errors has the national numbers, in the forms in which providers write them.
func TestAnswer_Errors(t *testing.T) {
	w := plain(t)
	for message, want := range map[string]int{
		"ErrorCode nr19": 19, "ErrorCode nr20": 20, "ErrorCode nr21": 21, "ErrorCode nr22": 22, "ErrorCode nr23": 23, "ErrorCode nr25": 25,
		"ErrorCode nr30": 30, " errorcode NR022\n": 22, "ErrorCode nr24": 0, "ErrorCode nr99": 0, "ErrorCode nr11": 0, "ErrorCode": 0, "": 0,
		"ErrorCode nr19 <b>": 0,
	} {
		for name, send := range map[string]func(t testing.TB, root *etree.Element) url.Values{"signed": signed, "unsigned": form} {
			_, err := w.finish(2, func(root *etree.Element) {
				remove(assertionPath)(root)
				set(statusPath, "Value", "urn:oasis:names:tc:SAML:2.0:status:Responder")(root)
				if message != "" {
					root.FindElement("./Status").CreateElement("samlp:StatusMessage").SetText(message)
				}
			}, send)
			if r := refusal(t, err); r.Outcome != federation.Denied || r.Number != want {
				t.Errorf("%q, %s: %v", message, name, err)
			}
		}
	}
	if !strings.Contains(w.log.String(), "number=11") {
		t.Error("nobody is told that a provider refuses our requests")
	}
}

// What is logged and returned of an answer has nothing of the person's.
func TestAnswer_NothingOfThePersonIsTold(t *testing.T) {
	w := plain(t)
	for _, c := range wrongAnswers {
		_, err := w.finish(2, c.change, signed)
		for _, secret := range []string{taxCode, "Mario", "mario@example.it", "+39333", "_n"} {
			if strings.Contains(err.Error(), secret) || strings.Contains(w.log.String(), secret) {
				t.Errorf("%s: %q is told", c.name, secret)
			}
		}
	}
}

// Many people log in at once by one provider.
func TestAnswer_ManyAtOnce(t *testing.T) {
	w := plain(t)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			a := federation.Attempt{Level: 2, State: state, BegunAt: start}
			d, err := w.provider.Begin(t.Context(), a)
			if err != nil {
				t.Error(err)
				return
			}
			a.Kept = d.Kept
			id := strings.Trim(strings.TrimPrefix(string(d.Kept), `{"request_id":`), `"}`)
			if _, err := w.provider.Finish(t.Context(), a, signed(t, answer(id, "https://www.spid.gov.it/SpidL2", start))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// BenchmarkAnswer is what verifying one answer costs.
func BenchmarkAnswer(b *testing.B) {
	w := newWorld(b, config(), federation.SPID)
	a := federation.Attempt{Level: 2, State: state, BegunAt: start, Kept: []byte(`{"request_id":"_r"}`)}
	values := signed(b, answer("_r", "https://www.spid.gov.it/SpidL2", start))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.provider.Finish(b.Context(), a, values); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzAnswer looks whether anything that is brought can end the program, or let somebody in.
func FuzzAnswer(f *testing.F) {
	var w *world
	f.Add([]byte(`<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_a"/>`))
	f.Add([]byte(`<a><b c="d">e</b></a>`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if w == nil {
			w = plain(t)
		}
		a := federation.Attempt{Level: 2, State: state, BegunAt: start, Kept: []byte(`{"request_id":"_r"}`)}
		_, err := w.provider.Finish(t.Context(), a, url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString(raw)}})
		refusal(t, err)
	})
}
