package e2e

import (
	"bytes"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"diresco/api/client"
)

// conspiracy is somebody who works here and one accomplice outside. They want to be somebody else,
// or to act for that person's contributor.
type conspiracy struct {
	*fixture
	inside, outside, victim client.SandboxPerson
	contributor             string
	// contributorCode is the contributor's tax code.
	contributorCode string
	// home is the victim's residence, whom the register has there until an import says otherwise.
	home map[string]any
	// mobile and email are the accomplice's.
	mobile, email string
	// seen is whatever either of them was shown or sent.
	seen bytes.Buffer
}

// theirHome is where the accomplice has a letter box.
const theirHome = "Via del Complice 1"

// do sends a request as one of them, with a login of this minute, and keeps what they are shown.
func (c *conspiracy) do(as client.SandboxPerson, method, path string, body any, headers ...header) answer {
	c.t.Helper()
	token := ""
	if as.TaxCode != "" {
		token = c.loginAs(as).AccessToken
	}
	if method == http.MethodPost {
		headers = append(headers, key())
	}
	a := c.fixture.do(method, "/v1"+path, token, body, headers...)
	c.seen.WriteByte('\n')
	c.seen.Write(a.body)
	return a
}

// items are what a list shows to the one inside.
func (c *conspiracy) items(path, id string) (ids []string) {
	list, _ := c.do(c.inside, http.MethodGet, path, nil).field("items").([]any)
	for _, item := range list {
		if members, ok := item.(map[string]any); ok {
			if text, ok := members[id].(string); ok {
				ids = append(ids, text)
			}
		}
	}
	return ids
}

// request is what they ask for in the victim's name. A half goes to the accomplice's mobile, a
// letter to where the victim lives, or to the accomplice.
func (c *conspiracy) request(residence map[string]any) map[string]any {
	born := regexp.MustCompile(`born (\S+) in ([^,]+),`).FindStringSubmatch(c.victim.Description)
	if born == nil {
		c.t.Fatalf("description %q", c.victim.Description)
	}
	return map[string]any{
		"tax_code": c.victim.TaxCode, "given_name": c.victim.GivenName, "family_name": c.victim.FamilyName, "birth_date": born[1],
		"birth_place": born[2], "residence": residence, "contacts": []map[string]any{{"kind": "mobile", "value": c.mobile}},
	}
}

// theirs is the victim's residence as the accomplice would have it.
func (c *conspiracy) theirs() map[string]any {
	other := maps.Clone(c.home)
	other["street"] = theirHome
	return other
}

// behind is the victim's residence, and behind the town the accomplice's.
func (c *conspiracy) behind() map[string]any {
	other := maps.Clone(c.home)
	other["town"] = other["town"].(string) + ", " + theirHome
	return other
}

// inward are what somebody of the staff can do, in the order of a plan. Each operation of the back
// office has a row.
var inward = []struct {
	id string
	do func(c *conspiracy)
}{
	{"searchPeople", func(c *conspiracy) {
		c.do(c.inside, http.MethodPost, "/backoffice/people-searches", map[string]any{"tax_code": c.victim.TaxCode})
	}},
	{"showPerson", func(c *conspiracy) { c.do(c.inside, http.MethodGet, c.person(c.victim), nil) }},
	{"registerPerson", func(c *conspiracy) {
		c.do(c.inside, http.MethodPost, "/backoffice/people", map[string]any{
			"tax_code": c.victim.TaxCode, "given_name": c.victim.GivenName, "family_name": c.victim.FamilyName,
			"contacts": []map[string]any{{"kind": "mobile", "value": c.mobile}},
		})
	}},
	{"importRegister", func(c *conspiracy) {
		r := c.request(c.theirs())
		line := []string{c.victim.TaxCode, c.victim.GivenName, c.victim.FamilyName, r["birth_date"].(string), r["birth_place"].(string)}
		for _, name := range []string{"street", "postal_code", "town", "province"} {
			line = append(line, c.theirs()[name].(string))
		}
		for register, file := range map[string]string{
			"people": "tax_code;given_name;family_name;birth_date;birth_place;street;postal_code;town;province\n" + strings.Join(line, ";"),
			"contributors": "tax_code;legal_name;kind;legal_representative_tax_code\n" + c.contributorCode + ";Ditta;company;" +
				c.outside.TaxCode,
		} {
			taken := c.do(c.inside, http.MethodPost, "/backoffice/register-imports?register="+register, file+"\n", csvType)
			if taken.status != http.StatusAccepted {
				continue
			}
			if i := c.imported(c.loginAs(c.inside).AccessToken, taken.header.Get("Location")); i.State != client.ImportStateDone {
				c.t.Errorf("imported as %+v", i)
			}
		}
	}},
	{"listIdentityMismatches", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/identity-mismatches", "person_id") {
			c.do(c.inside, http.MethodGet, "/backoffice/people/"+id, nil)
		}
	}},
	{"searchAuditRecords", func(c *conspiracy) {
		for _, search := range []map[string]any{{"person_id": c.victim.PersonId}, {"contributor_id": c.contributor}} {
			c.do(c.inside, http.MethodPost, "/backoffice/audit-searches", search)
		}
	}},
	{"listRegisterImports", func(c *conspiracy) { c.items("/backoffice/register-imports", "import_id") }},
	{"showRegisterImport", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/register-imports", "import_id") {
			c.do(c.inside, http.MethodGet, "/backoffice/register-imports/"+id, nil)
		}
	}},
	{"addOperator", func(c *conspiracy) {
		for _, p := range []client.SandboxPerson{c.outside, c.inside} {
			c.do(c.inside, http.MethodPost, "/backoffice/operators", map[string]any{"tax_code": p.TaxCode, "user_class": "administrator"})
		}
	}},
	{"publishDeclarationType", func(c *conspiracy) {
		c.do(c.inside, http.MethodPost, "/backoffice/declaration-types", trialType("PROVA", 1))
	}},
	{"listOperators", func(c *conspiracy) { c.items("/backoffice/operators", "operator_id") }},
	{"showOperator", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/operators", "operator_id") {
			c.do(c.inside, http.MethodGet, "/backoffice/operators/"+id, nil)
		}
	}},
	{"changeOperator", func(c *conspiracy) {
		for _, p := range []client.SandboxPerson{c.inside, c.outside} {
			path := "/backoffice/operators/" + p.PersonId.String()
			tag := c.do(c.inside, http.MethodGet, path, nil).header.Get("ETag")
			c.do(c.inside, http.MethodPatch, path, map[string]any{"user_class": "administrator"},
				header{"If-Match", tag}, header{"Content-Type", "application/merge-patch+json"})
		}
	}},
	{"confirmOperator", func(c *conspiracy) {
		for _, by := range []client.SandboxPerson{c.inside, c.outside} {
			for _, p := range []client.SandboxPerson{c.inside, c.outside} {
				c.do(by, http.MethodPost, "/backoffice/operators/"+p.PersonId.String()+"/confirmation", nil)
			}
		}
		c.do(c.outside, http.MethodGet, "/backoffice/operators", nil).want(c.t, http.StatusForbidden, "forbidden")
	}},
	{"revokePersonPin", func(c *conspiracy) { c.do(c.inside, http.MethodDelete, c.person(c.victim)+"/pin?reason=lost", nil) }},
	{"filePinRequest", func(c *conspiracy) {
		for _, residence := range []map[string]any{c.behind(), c.home, c.theirs()} {
			c.do(c.inside, http.MethodPost, "/backoffice/pin-requests", c.request(residence))
		}
	}},
	{"listPinRequests", func(c *conspiracy) { c.items("/backoffice/pin-requests", "request_id") }},
	{"showOfficePinRequest", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/pin-requests", "request_id") {
			c.do(c.inside, http.MethodGet, "/backoffice/pin-requests/"+id, nil)
		}
	}},
	{"decidePinRequest", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/pin-requests", "request_id") {
			c.do(c.inside, http.MethodPost, "/backoffice/pin-requests/"+id+"/decision", map[string]any{
				"outcome": "served", "reason": "Dati confermati",
			})
		}
	}},
	{"issuePin", func(c *conspiracy) {
		c.do(c.inside, http.MethodPost, c.person(c.victim)+"/pins", map[string]any{
			"document_kind": "passport", "document_number": "YA1234567",
		})
	}},
	{"keepPinDocument", func(c *conspiracy) {
		c.do(c.inside, http.MethodPost, c.person(c.victim)+"/pins/document", documentForm(), upgradeType)
	}},
	{"downloadPinDocument", func(c *conspiracy) { c.do(c.inside, http.MethodGet, c.person(c.victim)+"/pins/document/1", nil) }},
	{"confirmIssuedPin", func(c *conspiracy) {
		c.do(c.inside, http.MethodPost, c.person(c.victim)+"/pins/confirmation", map[string]any{})
		for _, code := range regexp.MustCompile(`\b\d{8}\b`).FindAllString(c.seen.String(), 5) {
			c.do(c.inside, http.MethodPost, c.person(c.victim)+"/pins/confirmation", map[string]any{"code": code})
		}
	}},
	{"suspendPerson", func(c *conspiracy) {
		c.do(c.inside, http.MethodPost, c.person(c.victim)+"/suspension", map[string]any{"reason": "prova"})
	}},
	{"readmitPerson", func(c *conspiracy) { c.do(c.inside, http.MethodDelete, c.person(c.victim)+"/suspension", nil) }},
	{"listPinUpgrades", func(c *conspiracy) { c.items("/backoffice/pin-upgrades", "upgrade_id") }},
	{"showOfficePinUpgrade", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/pin-upgrades", "upgrade_id") {
			c.do(c.inside, http.MethodGet, "/backoffice/pin-upgrades/"+id, nil)
		}
	}},
	{"downloadPinUpgradeAttachment", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/pin-upgrades", "upgrade_id") {
			c.do(c.inside, http.MethodGet, "/backoffice/pin-upgrades/"+id+"/attachments/1", nil)
		}
	}},
	{"decidePinUpgrade", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/pin-upgrades", "upgrade_id") {
			c.do(c.inside, http.MethodPost, "/backoffice/pin-upgrades/"+id+"/decision", map[string]any{"outcome": "accepted", "reason": "sì"})
		}
	}},
	{"listOfficeEnrolments", func(c *conspiracy) { c.items("/backoffice/enrolments", "enrolment_id") }},
	{"showOfficeEnrolment", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/enrolments", "enrolment_id") {
			c.do(c.inside, http.MethodGet, "/backoffice/enrolments/"+id, nil)
		}
	}},
	{"decideEnrolment", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/enrolments", "enrolment_id") {
			c.do(c.inside, http.MethodPost, "/backoffice/enrolments/"+id+"/decision", map[string]any{"outcome": "accepted", "reason": "sì"})
		}
	}},
	// Who keeps an appointment comes in person: nothing of it lets anybody in.
	{"replaceOffice", func(c *conspiracy) {
		c.do(c.inside, http.MethodPut, "/backoffice/offices/7000", detailed(filer{}), header{"If-Match", "*"})
	}},
	{"publishSlots", func(c *conspiracy) {
		c.do(c.inside, http.MethodPost, "/backoffice/offices/7000/slots", publishable(filer{}))
	}},
	{"listOfficeSlots", func(c *conspiracy) { c.items("/backoffice/offices/7000/slots", "slot_id") }},
	{"listOfficeAppointments", func(c *conspiracy) { c.items("/backoffice/appointments", "appointment_id") }},
	{"showOfficeAppointment", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/appointments", "appointment_id") {
			c.do(c.inside, http.MethodGet, "/backoffice/appointments/"+id, nil)
		}
	}},
	{"markAppointment", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/appointments", "appointment_id") {
			c.do(c.inside, http.MethodPost, "/backoffice/appointments/"+id+"/attendance", map[string]any{"attended": true})
		}
	}},
	{"withdrawSlot", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/offices/7000/slots", "slot_id") {
			c.do(c.inside, http.MethodPost, "/backoffice/slots/"+id+"/withdrawal", map[string]any{"reason": "prova"})
		}
	}},
	{"publishSurvey", func(c *conspiracy) { c.do(c.inside, http.MethodPost, "/backoffice/surveys", trialSurvey()) }},
	{"listSurveys", func(c *conspiracy) { c.items("/backoffice/surveys", "survey_id") }},
	{"showOfficeSurvey", func(c *conspiracy) { c.do(c.inside, http.MethodGet, "/backoffice/surveys/"+sandboxSurvey, nil) }},
	{"showSurveyResults", func(c *conspiracy) {
		c.do(c.inside, http.MethodGet, "/backoffice/surveys/"+sandboxSurvey+"/results", nil)
	}},
	{"showSurveyChart", func(c *conspiracy) {
		c.do(c.inside, http.MethodGet, "/backoffice/surveys/"+sandboxSurvey+"/results/chart", nil)
	}},
	{"closeSurvey", func(c *conspiracy) {
		c.do(c.inside, http.MethodPost, "/backoffice/surveys/"+sandboxSurvey+"/closure", nil)
	}},
	{"listOfficeDeclarations", func(c *conspiracy) { c.items("/backoffice/declarations", "declaration_id") }},
	// What software may do, a person has to let it do: that nobody inside can.
	{"listOfficeApplications", func(c *conspiracy) {
		c.do(c.outside, http.MethodPost, "/applications", payrollOf(map[string]any{"display_name": "Istituto"}))
		c.items("/backoffice/applications", "application_id")
	}},
	{"showOfficeApplication", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/applications", "application_id") {
			c.do(c.inside, http.MethodGet, "/backoffice/applications/"+id, nil)
		}
	}},
	{"suspendApplication", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/applications", "application_id") {
			c.do(c.inside, http.MethodPost, "/backoffice/applications/"+id+"/suspension", map[string]any{"reason": "prova"})
		}
	}},
	{"readmitApplication", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/applications", "application_id") {
			c.do(c.inside, http.MethodDelete, "/backoffice/applications/"+id+"/suspension", nil)
		}
	}},
	{"decideApplication", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/applications", "application_id") {
			c.do(c.inside, http.MethodPost, "/backoffice/applications/"+id+"/decision", map[string]any{"outcome": "approved", "reason": "sì"})
		}
	}},
	{"listFunds", func(c *conspiracy) { c.items("/backoffice/funds", "fund_code") }},
	{"showFund", func(c *conspiracy) { c.do(c.inside, http.MethodGet, "/backoffice/funds/TAKEN", nil) }},
	// A budget gives nobody inside anything: what it pays goes by rank to what employers filed. So
	// no second person is asked; the entry names who set it, for ever.
	{"replaceFund", func(c *conspiracy) {
		c.do(
			c.inside, http.MethodPut, "/backoffice/funds/TAKEN", map[string]any{"budget": "100.00", "currency": "EUR"},
			header{"If-None-Match", "*"},
		)
	}},
	{"showSmartTaskAccess", func(c *conspiracy) {
		c.do(c.inside, http.MethodGet, "/backoffice/smart-task-types/revoke-employee-delegation/access", nil)
	}},
	// Whoever is in a group may ask for what their own rights allow, and for nothing more.
	{"replaceSmartTaskAccess", func(c *conspiracy) {
		c.do(c.inside, http.MethodPut, "/backoffice/smart-task-types/revoke-employee-delegation/access", map[string]any{
			"open_to": "group", "tax_codes": []string{c.outside.TaxCode},
		}, header{"If-Match", `"0"`})
	}},
	{"listFundEntries", func(c *conspiracy) { c.items("/backoffice/funds/TAKEN/entries", "number") }},
	{"listFundQueue", func(c *conspiracy) { c.items("/backoffice/funds/TAKEN/queue", "declaration_id") }},
	{"searchOfficeDeclarations", func(c *conspiracy) {
		c.do(c.inside, http.MethodPost, "/backoffice/declaration-searches", map[string]any{"contributor_tax_code": c.contributorCode})
	}},
	{"exportOfficeDeclarations", func(c *conspiracy) { c.do(c.inside, http.MethodGet, "/backoffice/declaration-exports", nil) }},
	{"exportOfficeDeclarationSearch", func(c *conspiracy) {
		c.do(c.inside, http.MethodPost, "/backoffice/declaration-export-searches", map[string]any{"contributor_tax_code": c.contributorCode})
	}},
	{"takeDeclarationInCharge", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/declarations", "declaration_id") {
			c.do(c.inside, http.MethodPost, "/backoffice/declarations/"+id+"/assignment", nil)
		}
	}},
	{"decideDeclaration", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/declarations", "declaration_id") {
			c.do(c.inside, http.MethodPost, "/backoffice/declarations/"+id+"/decision", map[string]any{
				"outcome": "accepted", "amount": "1000.00", "reason": "sì",
			})
		}
	}},
	{"releaseDeclaration", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/declarations", "declaration_id") {
			c.do(c.inside, http.MethodDelete, "/backoffice/declarations/"+id+"/assignment", nil)
		}
	}},
	{"listOfficeTickets", func(c *conspiracy) { c.items("/backoffice/tickets", "ticket_id") }},
	{"searchOfficeTickets", func(c *conspiracy) {
		c.do(c.inside, http.MethodPost, "/backoffice/ticket-searches", map[string]any{"contributor_tax_code": c.contributorCode})
	}},
	{"showOfficeTicket", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/tickets", "ticket_id") {
			c.do(c.inside, http.MethodGet, "/backoffice/tickets/"+id, nil)
		}
	}},
	{"downloadOfficeTicketAttachments", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/tickets", "ticket_id") {
			c.do(c.inside, http.MethodGet, "/backoffice/tickets/"+id+"/attachments", nil)
		}
	}},
	{"takeTicketInCharge", func(c *conspiracy) { c.onTickets("/assignment", nil) }},
	{"commentTicket", func(c *conspiracy) {
		c.onTickets("/comments", map[string]any{"text": "Inviare il PIN a " + c.email, "visibility": "visible"})
	}},
	{"closeTicket", func(c *conspiracy) { c.onTickets("/closure", map[string]any{"outcome": "informed", "text": "Chiuso"}) }},
	{"reopenTicket", func(c *conspiracy) { c.onTickets("/reopening", map[string]any{"reason": "Errore"}) }},
	{"releaseTicket", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/tickets", "ticket_id") {
			c.do(c.inside, http.MethodDelete, "/backoffice/tickets/"+id+"/assignment", nil)
		}
	}},
	{"routeTicket", func(c *conspiracy) { c.onTickets("/routing", map[string]any{"topic": "payments-refunds"}) }},
	{"replaceReplyTemplate", func(c *conspiracy) {
		c.do(c.inside, http.MethodPut, "/backoffice/reply-templates/taken", map[string]any{"title": "Prova", "text": "Prova"},
			header{"If-None-Match", "*"})
	}},
	{"listReplyTemplates", func(c *conspiracy) { c.items("/backoffice/reply-templates", "template_code") }},
	{"showReplyTemplate", func(c *conspiracy) { c.do(c.inside, http.MethodGet, "/backoffice/reply-templates/taken", nil) }},
	{"removeReplyTemplate", func(c *conspiracy) { c.do(c.inside, http.MethodDelete, "/backoffice/reply-templates/taken", nil) }},
	{"showOfficeTicketTopic", func(c *conspiracy) { c.do(c.inside, http.MethodGet, "/backoffice/ticket-topics/payments-f24", nil) }},
	{"replaceTicketTopic", func(c *conspiracy) {
		c.do(c.inside, http.MethodPut, "/backoffice/ticket-topics/taken", map[string]any{
			"parent_code": "payments", "title_it": "Prova", "title_en": "Trial", "appointments": false, "retired": false,
		}, header{"If-None-Match", "*"})
	}},
	{"listDeliveries", func(c *conspiracy) { c.items("/backoffice/deliveries", "delivery_id") }},
	{"retryDelivery", func(c *conspiracy) {
		for _, id := range c.items("/backoffice/deliveries", "delivery_id") {
			c.do(c.inside, http.MethodPost, "/backoffice/deliveries/"+id+"/retries", nil)
		}
	}},
	{"removeOperator", func(c *conspiracy) {
		c.do(c.inside, http.MethodDelete, "/backoffice/operators/"+c.outside.PersonId.String(), nil)
	}},
}

// outward is what the accomplice does meanwhile, without a login and with their own.
func (c *conspiracy) outward() {
	nobody := client.SandboxPerson{}
	for _, residence := range []map[string]any{c.behind(), c.home, c.theirs()} {
		made := c.do(nobody, http.MethodPost, "/pin-requests", c.request(residence))
		if id, _ := made.field("request_id").(string); id != "" {
			c.do(nobody, http.MethodGet, "/pin-requests/"+id, nil)
		}
	}
	c.do(nobody, http.MethodPost, "/pin-recoveries", recoveryOf(c.victim.TaxCode, c.mobile, c.email))
	users := "/contributors/" + c.contributor + "/users"
	c.do(c.outside, http.MethodPost, users, map[string]any{"tax_code": c.outside.TaxCode, "role": "employer"})
	c.do(c.outside, http.MethodGet, "/contributors/"+c.contributor+"/declarations", nil)
}

// onTickets asks for something about each ticket in the queue of the one inside.
func (c *conspiracy) onTickets(what string, body any) {
	for _, id := range c.items("/backoffice/tickets", "ticket_id") {
		c.do(c.inside, http.MethodPost, "/backoffice/tickets/"+id+what, body)
	}
}

func (c *conspiracy) person(p client.SandboxPerson) string {
	return "/backoffice/people/" + p.PersonId.String()
}

// collect adds what came to the accomplice's addresses.
func (c *conspiracy) collect() {
	for _, m := range slices.Concat(c.sent(c.mobile), c.sent(c.email)) {
		c.seen.WriteString("\n" + m.Text)
	}
	for _, m := range c.letters() {
		if strings.Contains(m.To, theirHome) {
			c.seen.WriteString("\n" + m.Text)
		}
	}
}

// knows reports whether they have seen the PIN, whole or in two halves.
func (c *conspiracy) knows(pin string) bool {
	seen := strings.NewReplacer(" ", "", "\u00a0", "").Replace(c.seen.String())
	return strings.Contains(seen, pin) || len(pin) == 16 && strings.Contains(seen, pin[:8]) && strings.Contains(seen, pin[8:])
}

// TestStaff_NobodyInsideTakesOverAlone: whoever works here tries every operation of the back office
// against somebody, twice, with an accomplice outside. They get no login but by a PIN from the
// counter, which is ordinary and of which the victim hears at once; no role but by a register, of
// which the victim hears too; and no second administrator. Each look is shown to who was looked at.
func TestStaff_NobodyInsideTakesOverAlone(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		all := operations(t)
		for id, o := range all {
			played := slices.ContainsFunc(inward, func(step struct {
				id string
				do func(c *conspiracy)
			},
			) bool {
				return step.id == id
			})
			if strings.HasPrefix(o.path, "/backoffice/") && !played {
				t.Errorf("%s is not tried", id)
			}
		}
		f := w.filer()
		for _, class := range []client.UserClass{client.UserClassContactCentre, client.UserClassOperator, client.UserClassAdministrator} {
			c := &conspiracy{fixture: w, inside: w.person(ofClass(class)), contributor: f.contributor.String()}
			c.contributorCode, _ = w.do(
				http.MethodGet, "/v1/contributors/"+c.contributor, f.token, nil,
			).want(t, http.StatusOK, "").field("tax_code").(string)
			c.outside, c.mobile, c.email = w.reachable(map[string]any{"credential_level": "dispositive"})
			var mobile, email string
			c.victim, mobile, email = w.reachable(map[string]any{
				"credential_level": "dispositive", "roles": []map[string]any{{"contributor_id": f.contributor, "role": "legal_representative"}},
			})
			home := regexp.MustCompile(`lives in (.+), (\d{5}) (.+) ([A-Z]{2})$`).FindStringSubmatch(c.victim.Description)
			if home == nil {
				t.Fatalf("description %q", c.victim.Description)
			}
			c.home = map[string]any{"street": home[1], "postal_code": home[2], "town": home[3], "province": home[4]}

			for range 2 {
				for _, step := range inward {
					step.do(c)
					c.collect()
				}
				c.outward()
				c.collect()
			}

			now := w.person(func(p client.SandboxPerson) bool { return p.PersonId == c.victim.PersonId })
			if c.knows(now.Pin) {
				if class != client.UserClassOperator || now.CredentialLevel != client.CredentialLevelOrdinary ||
					!w.told(mobile, "allo sportello") || !w.told(email, "allo sportello") {
					t.Errorf("with a %s they know the PIN of the victim, whose credentials are %s", class, now.CredentialLevel)
				}
			}
			for _, p := range []client.SandboxPerson{c.inside, c.outside} {
				// A register's word gives the role of a representative, and whoever represents the
				// contributor hears of it.
				if n := w.rows("contributor_roles", "person_id = ? AND withdrawn_at IS NULL", p.PersonId); n != 0 &&
					(class != client.UserClassAdministrator || !w.told(mobile, "un altro rappresentante legale") ||
						!w.told(email, "rappresentante legale", p.FamilyName)) {
					t.Errorf("with a %s they have %d roles", class, n)
				}
			}
			if n := w.rows("staff_looks", "person_id = ? AND staff_id = ?", c.victim.PersonId, c.inside.PersonId); n == 0 {
				t.Errorf("the looks of a %s are not kept", class)
			}
		}
	})
}
