package e2e

import (
	"bytes"
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"diresco/api/client"
)

// operation is one operation of the contract with its access rule.
type operation struct {
	id, method, path, to, service      string
	forced, strong, fresh, dispositive bool
	classes, scopes                    []any
	// sandbox operations are about test data, signed ones are for programs that sign what they send.
	sandbox, signed bool
	// body is what it takes; nil where that is nothing.
	body *openapi3.RequestBody
}

func operations(t *testing.T) map[string]operation {
	t.Helper()
	contract, err := readContract()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]operation{}
	for path, item := range contract.Paths.Map() {
		for method, o := range item.Operations() {
			rule := accessRule(t, o)
			to, _ := rule["to"].(string)
			service, _ := rule["service"].(string)
			is := func(name string) bool { is, _ := rule[name].(bool); return is }
			classes, _ := rule["classes"].([]any)
			scopes, _ := rule["scopes"].([]any)
			one := operation{
				id: o.OperationID, method: method, path: path, to: to, service: service, forced: is("forced"), strong: is("strong"),
				fresh: is("fresh"), dispositive: is("dispositive"), classes: classes, scopes: scopes, sandbox: slices.Contains(o.Tags, "Sandbox"),
			}
			one.signed = o.Parameters.GetByInAndName("header", "Webhook-Signature") != nil
			if o.RequestBody != nil {
				one.body = o.RequestBody.Value
			}
			found[o.OperationID] = one
		}
	}
	return found
}

// isAffair reports whether it is about something of a contributor's dossier.
func (o operation) isAffair() bool {
	return slices.Contains([]string{"position", "ticket", "smart_task", "dma"}, o.to)
}

func accessRule(t *testing.T, o *openapi3.Operation) map[string]any {
	t.Helper()
	rule, ok := o.Extensions["x-access"].(map[string]any)
	if !ok {
		t.Fatalf("%s has no access rule", o.OperationID)
	}
	return rule
}

// row says how to call an operation in the access table. It is called on what it stands open on,
// with a body that would be right.
type row struct {
	body    func(f filer) any
	headers []header
	// query is what the path is followed by.
	query string
	// anybodys operations are for some user classes, about anybody: only the other classes are
	// tried.
	anybodys bool
	// represents marks what at a contributor is for who represents it, or manages its users.
	represents bool
	// delayed is what is taken at once, and checked when its turn comes.
	delayed bool
}

// accessTable has a row for every operation that needs a login. An operation without one fails the
// test.
var accessTable = map[string]row{
	"listSessions": {}, "showSession": {}, "endSession": {}, "showMe": {},
	"reauthenticate":     {body: func(f filer) any { return map[string]any{"pin": f.person.Pin} }},
	"rotatePin":          {},
	"revokePin":          {},
	"confirmPinRotation": {body: func(filer) any { return map[string]any{"pin": "ABCD2345"} }},
	"listContributors":   {}, "showContributor": {}, "listPositions": {},
	"searchContributors": {body: func(filer) any { return map[string]any{"legal_name": "a"} }},
	"draftDeclaration":   {body: func(f filer) any { return f.draft(map[string]any{"submit": true}) }},
	"listDossierEntries": {}, "exportDossier": {query: "?from=2026-01-01T00:00:00Z&to=2026-12-01T00:00:00Z"},
	"listDeclarations":   {},
	"exportDeclarations": {}, "exportMyDeclarations": {}, "exportOfficeDeclarations": {},
	"exportDeclarationSearch":       {body: func(filer) any { return map[string]any{"type": "RIOC"} }},
	"exportMyDeclarationSearch":     {body: func(filer) any { return map[string]any{"type": "RIOC"} }},
	"exportOfficeDeclarationSearch": {body: func(filer) any { return map[string]any{"type": "RIOC"} }},
	"searchDeclarations":            {body: func(filer) any { return map[string]any{"type": "RIOC"} }},
	"listMyDeclarations":            {},
	"searchMyDeclarations":          {body: func(filer) any { return map[string]any{"type": "RIOC"} }},
	"showDeclaration":               {},
	"changeDeclaration": {body: func(filer) any {
		return map[string]any{"content": map[string]any{"notes": "x"}}
	}, headers: []header{{"If-Match", `"1"`}, {"Content-Type", "application/merge-patch+json"}}},
	"discardDeclaration":  {},
	"submitDeclaration":   {},
	"withdrawDeclaration": {},
	"showReceipt":         {}, "showDeclarationHistory": {},
	"downloadReceiptPdf": {}, "showReceiptProof": {},
	"listOfficeDeclarations":   {},
	"searchOfficeDeclarations": {body: func(filer) any { return map[string]any{"type": "RIOC"} }},
	"takeDeclarationInCharge":  {}, "releaseDeclaration": {},
	"decideDeclaration":   {body: func(filer) any { return map[string]any{"outcome": "accepted", "reason": "prova"} }},
	"listOfficeTickets":   {},
	"searchOfficeTickets": {body: func(filer) any { return map[string]any{"state": "open"} }},
	"showOfficeTicket":    {}, "downloadOfficeTicketAttachments": {}, "takeTicketInCharge": {}, "releaseTicket": {},
	"commentTicket":      {body: func(filer) any { return map[string]any{"text": "prova", "visibility": "visible"} }},
	"routeTicket":        {body: func(filer) any { return map[string]any{"office_code": "7000"} }},
	"closeTicket":        {body: func(filer) any { return map[string]any{"outcome": "informed", "text": "prova"} }},
	"reopenTicket":       {body: func(filer) any { return map[string]any{"reason": "prova"} }},
	"listReplyTemplates": {}, "showReplyTemplate": {}, "removeReplyTemplate": {},
	"replaceReplyTemplate": {body: func(filer) any {
		return map[string]any{"title": "prova", "text": "prova"}
	}, headers: []header{{"If-Match", `"1"`}}},
	"showOfficeTicketTopic": {anybodys: true},
	"replaceTicketTopic": {body: func(filer) any {
		return map[string]any{"parent_code": "payments", "title_it": "prova", "title_en": "prova", "appointments": true, "retired": true}
	}, headers: []header{{"If-Match", `"1"`}}, anybodys: true},
	"searchPeople": {body: func(f filer) any { return map[string]any{"tax_code": f.person.TaxCode} }, anybodys: true},
	"fileDeclarationBatch": {body: func(f filer) any {
		item := f.draft(map[string]any{"reference": "1"})
		return map[string]any{"items": []any{item}}
	}, delayed: true},
	"listDeclarationBatches": {}, "showDeclarationBatch": {}, "listDeclarationBatchItems": {}, "cancelDeclarationBatch": {},
	"downloadDeclarationBatchReceipts": {},
	"registerPerson": {body: func(filer) any {
		return map[string]any{"tax_code": "BNCLNE85M41H501P", "given_name": "Elena", "family_name": "Bianchi"}
	}, anybodys: true},
	"showPerson": {anybodys: true},
	"issuePin": {body: func(filer) any {
		return map[string]any{"document_kind": "passport", "document_number": "YA1234567"}
	}, anybodys: true},
	"confirmIssuedPin":    {body: func(filer) any { return map[string]any{"code": "40718263"} }, anybodys: true},
	"keepPinDocument":     {body: func(filer) any { return documentForm() }, headers: []header{upgradeType}, anybodys: true},
	"downloadPinDocument": {anybodys: true},
	"revokePersonPin":     {anybodys: true},
	"suspendPerson":       {body: func(filer) any { return map[string]any{"reason": "prova"} }, anybodys: true},
	"readmitPerson":       {anybodys: true},
	"searchAuditRecords":  {body: func(filer) any { return map[string]any{"operation": "startSession"} }, anybodys: true},
	"listOperators":       {anybodys: true}, "listIdentityMismatches": {anybodys: true},
	"addOperator": {body: func(f filer) any {
		return map[string]any{"tax_code": f.person.TaxCode, "user_class": "administrator"}
	}, anybodys: true},
	"showOperator": {anybodys: true},
	"changeOperator": {body: func(filer) any {
		return map[string]any{"user_class": "administrator"}
	}, headers: []header{{"If-Match", `"1"`}, {"Content-Type", "application/merge-patch+json"}}, anybodys: true},
	"removeOperator": {anybodys: true}, "confirmOperator": {anybodys: true},
	"listFunds": {anybodys: true}, "showFund": {anybodys: true}, "listFundEntries": {anybodys: true}, "listFundQueue": {anybodys: true},
	"replaceFund": {body: func(filer) any {
		return map[string]any{"budget": "100.00", "currency": "EUR"}
	}, headers: []header{{"If-Match", `"1"`}}, anybodys: true},
	"listPinRequests": {anybodys: true}, "showOfficePinRequest": {anybodys: true},
	"filePinRequest":   {body: func(filer) any { return elena() }, anybodys: true},
	"decidePinRequest": {body: func(filer) any { return map[string]any{"outcome": "served", "reason": "prova"} }, anybodys: true},
	"listDeliveries":   {}, "retryDelivery": {}, "listNotifications": {},
	"listContacts": {}, "showContact": {}, "removeContact": {}, "resendContactCode": {}, "listMyActivity": {},
	"showNotificationPreferences": {},
	"addContact":                  {body: func(filer) any { return map[string]any{"kind": "email", "value": "qualcuno@posta.example"} }},
	"verifyContact":               {body: func(filer) any { return map[string]any{"code": "H4TW9PC6"} }},
	"requestPinUpgrade":           {body: func(filer) any { return upgradeForm(nil) }, headers: []header{upgradeType}},
	"listMyPinUpgrades":           {}, "showPinUpgrade": {}, "listPinUpgrades": {}, "showOfficePinUpgrade": {},
	"downloadPinUpgradeAttachment": {},
	"decidePinUpgrade":             {body: func(filer) any { return map[string]any{"outcome": "accepted", "reason": "prova"} }},
	"confirmIdentity":              {body: func(filer) any { return map[string]any{"confirmed": true} }},
	"listContributorUsers":         {represents: true}, "withdrawContributorRole": {represents: true}, "showIntermediary": {},
	"listIntermediaryUsers": {}, "withdrawIntermediaryRole": {},
	"grantContributorRole": {body: func(f filer) any {
		return map[string]any{"tax_code": f.person.TaxCode, "role": "employer"}
	}, represents: true},
	"grantIntermediaryRole": {body: func(f filer) any {
		return map[string]any{"tax_code": f.person.TaxCode, "role": "employee_delegate"}
	}},
	"searchPeopleForRole":             {body: nameOfFiler, represents: true},
	"searchPeopleForIntermediaryRole": {body: nameOfFiler},
	"importRegister":                  {body: func(filer) any { return albo("") }, headers: []header{csvType}, anybodys: true},
	"listRegisterImports":             {anybodys: true}, "showRegisterImport": {anybodys: true},
	"publishDeclarationType":     {body: func(filer) any { return trialType("PROVA", 1) }, anybodys: true},
	"searchDelegationCandidates": {body: func(filer) any { return map[string]any{"tax_code": "00743110157"} }},
	"listDelegationLookups":      {represents: true}, "listContributorDelegations": {represents: true}, "listDelegations": {},
	"showDelegation": {}, "showDelegationForm": {}, "sendDelegationOtp": {}, "revokeDelegation": {},
	"searchDelegations": {body: func(filer) any { return map[string]any{"legal_name": "a"} }},
	"draftDelegation":   {body: draftOfStranger},
	"changeDelegation": {body: func(filer) any {
		return map[string]any{"exclusive": true}
	}, headers: []header{{"If-Match", `"1"`}, {"Content-Type", "application/merge-patch+json"}}},
	"activateDelegation": {body: func(filer) any { return map[string]any{"otp": "12345678", "signature_declared": true} }},
	"fileEnrolment":      {body: func(filer) any { return map[string]any{"form": "SC65", "contributor_tax_code": tiberineTaxCode} }},
	"listEnrolments":     {}, "showEnrolment": {}, "listOfficeEnrolments": {}, "showOfficeEnrolment": {},
	"decideEnrolment": {body: func(filer) any { return map[string]any{"outcome": "accepted", "reason": "prova"} }},
	"grantSubDelegation": {body: func(f filer) any {
		return map[string]any{"tax_code": f.person.TaxCode, "delegation_ids": []string{filersDelegation}}
	}},
	"listSubDelegations": {}, "showSubDelegation": {}, "revokeSubDelegation": {}, "showDelegationBatch": {}, "showDelegationBatchForms": {},
	"draftDelegationBatch": {body: func(filer) any {
		return map[string]any{"items": []any{map[string]any{"position_number": "9999999999"}}, "scope": "total"}
	}},
	"listApplications": {}, "showApplication": {}, "removeApplication": {},
	"registerApplication": {body: func(f filer) any { return payrollOf(map[string]any{"contributor_id": f.contributor}) }},
	"changeApplication": {body: func(filer) any {
		return map[string]any{"redirect_uris": []string{"https://evil.example/"}}
	}, headers: []header{{"If-Match", `"1"`}, {"Content-Type", "application/merge-patch+json"}}},
	"listWebhooks": {}, "showWebhook": {}, "removeWebhook": {}, "rotateWebhookSecret": {}, "pingWebhook": {}, "listWebhookDeliveries": {},
	"addWebhook": {body: func(filer) any { return map[string]any{"url": "https://evil.example/"} }},
	"changeWebhook": {body: func(filer) any {
		return map[string]any{"url": "https://evil.example/"}
	}, headers: []header{{"If-Match", `"1"`}, {"Content-Type", "application/merge-patch+json"}}},
	"replayWebhookDeliveries": {body: func(filer) any { return map[string]any{"from": "2026-03-16T08:00:00Z"} }},
	"listOfficeApplications":  {anybodys: true}, "showOfficeApplication": {anybodys: true}, "readmitApplication": {anybodys: true},
	"decideApplication":  {body: func(filer) any { return map[string]any{"outcome": "approved", "reason": "prova"} }, anybodys: true},
	"suspendApplication": {body: func(filer) any { return map[string]any{"reason": "prova"} }, anybodys: true},
	"listEvents":         {}, "streamEvents": {},
	"showSurvey": {anybodys: true}, "answerSurvey": {body: func(filer) any { return oneAnswer(4) }, anybodys: true},
	"listSurveys": {anybodys: true}, "showOfficeSurvey": {anybodys: true}, "showSurveyResults": {anybodys: true}, "showSurveyChart": {anybodys: true},
	"publishSurvey": {body: func(filer) any { return trialSurvey() }, anybodys: true}, "closeSurvey": {anybodys: true},
	"openTicket": {body: func(f filer) any {
		return map[string]any{
			"topic": "payments-refunds", "position_id": f.position, "subject": "prova", "text": "prova", "email": "studio@example.com",
		}
	}},
	"listTickets": {}, "listMyTickets": {}, "showTicket": {}, "listTicketComments": {}, "remindTicket": {},
	"downloadTicketAttachments": {},
	"addTicketComment":          {body: func(filer) any { return map[string]any{"text": "prova"} }},
	"listPayments":              {}, "listDebitNotes": {}, "listAmortisationPlans": {}, "showPositionSummary": {},
	"fileDmaSubmission":  {body: func(filer) any { return dmaList("2026-02") }},
	"listDmaSubmissions": {}, "showDmaSubmission": {}, "downloadDmaSubmission": {},
	"listMyConsents": {}, "showMyConsent": {}, "withdrawMyConsent": {},
	"listContributorConsents": {represents: true}, "withdrawContributorConsent": {represents: true},
	"listSmartTaskTypes": {}, "showSmartTaskType": {}, "listSmartTasks": {}, "showSmartTask": {}, "listRectificationContacts": {},
	"requestSmartTask": {body: deletionOfFilers}, "showSmartTaskAccess": {anybodys: true},
	"replaceSmartTaskAccess": {body: func(filer) any {
		return map[string]any{"open_to": "everybody"}
	}, headers: []header{{"If-Match", `"0"`}}, anybodys: true},
	"bookAppointment": {body: bookable}, "listAppointments": {}, "showAppointment": {}, "confirmAppointment": {}, "cancelAppointment": {},
	"showAppointmentCalendar": {}, "rescheduleAppointment": {body: func(filer) any { return map[string]any{"slot_id": freeSlot} }},
	"replaceOffice": {body: detailed, headers: []header{{"If-Match", `"1"`}}, anybodys: true},
	"publishSlots":  {body: publishable}, "listOfficeSlots": {}, "listOfficeAppointments": {}, "showOfficeAppointment": {},
	"withdrawSlot":    {body: func(filer) any { return map[string]any{"reason": "prova"} }},
	"markAppointment": {body: func(filer) any { return map[string]any{"attended": true} }},
	"listMyServices":  {}, "showMyMenu": {},
	"replaceMyMenu": {body: func(filer) any {
		return map[string]any{"entries": []any{}}
	}, headers: []header{{"If-Match", `"1"`}}},
	"replaceNotificationPreferences": {body: func(filer) any {
		return map[string]any{"language": "it", "muted": []string{}}
	}, headers: []header{{"If-Match", `"1"`}}},
}

// call sends the operation at the filer's things as somebody else.
func (w *fixture) call(o operation, r row, f filer, declaration, token string) answer {
	path := strings.NewReplacer("/declaration-batches/{batch_id}", "/declaration-batches/"+filersDeclarationBatch, "{contributor_id}", f.contributor.String(), "{declaration_id}", declaration, "{session_id}", "current",
		"{delegate_id}", filersCAF, "{delegation_id}", filersDelegation, "{sub_delegation_id}", filersSubDelegation, "{batch_id}",
		filersBatch, "{grant_id}", "019d0000-0000-7000-8000-000000000003",
		"{person_id}", f.person.PersonId.String(), "{operator_id}", f.person.PersonId.String(), "{request_id}", "q7Vn2xWc9KfT4bLm8RzY1A",
		"{rotation_id}", "019d0000-0000-7000-8000-000000000000", "{upgrade_id}", "019d0000-0000-7000-8000-000000000002", "{number}", "1",
		"{template_code}", "payment-matched", "{topic_code}", "payments-f24",
		"{enrolment_id}", "019d0000-0000-7000-8000-000000000005", "{import_id}", "019d0000-0000-7000-8000-000000000004", "{delivery_id}",
		"019d0000-0000-7000-8000-000000000001", "{code}", "RIOC", "{fund_code}", "GAGI-2026", "{application_id}", filersApplication, "{webhook_id}", filersWebhook, "{consent_id}",
		filersConsent, "{ticket_id}", filersTicket, "{position_id}", f.position.String(), "{smart_task_id}", filersSmartTask, "{type}",
		"delete-rectification-contacts", "{appointment_id}", filersAppointment, "{slot_id}", filersSlot, "{office_code}", "7000",
		"{survey_id}", sandboxSurvey, "{dma_id}", cmp.Or(w.dma, "019d0000-0000-7000-8000-000000000006")).Replace(o.path)
	var body any
	if r.body != nil {
		body = r.body(f)
	}
	headers := append([]header{key()}, r.headers...)
	if o.method == http.MethodGet || o.method == http.MethodDelete || o.method == http.MethodPatch {
		headers = headers[1:]
	}
	return w.do(o.method, "/v1"+path+r.query, token, body, headers...)
}

// TestAccess_NobodyElsesData: every operation that needs a login × everybody who has nothing to do
// with the thing.
func TestAccess_NobodyElsesData(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		marker := "marker-7f3a9c"
		content := f.draft(map[string]any{"submit": true})
		content["content"] = withNotes(t, f.example, marker)
		submitted := w.do(http.MethodPost, f.path, f.token, content, key()).want(t, http.StatusCreated, "")
		delete(content, "submit")
		draft := w.do(http.MethodPost, f.path, f.token, content, key()).want(t, http.StatusCreated, "")
		number, _ := submitted.field("protocol_number").(string)
		mine := w.do(http.MethodGet, "/v1/contributors/"+f.contributor.String(), f.token, nil)
		legalName, _ := mine.field("legal_name").(string)
		w.caf(f.person.PersonId)
		w.delegationToCAF(f)
		w.workOfCAF(f)
		w.consentOf(f, filersConsent)
		w.applicationOf(f)
		w.dmaOf(f)
		people := w.people()
		positions := w.positions(f)
		former, intermediaries, parts := w.formerSubDelegates(f), w.formerIntermediaries(f), w.parts(f, positions[1].PositionId)
		before := w.snapshot(f, submitted, draft)

		competent := positions[0].OfficeCode
		actors, classes := map[string]string{"anonymous": ""}, map[string]any{}
		for _, p := range people {
			switch {
			case p.PersonId == f.person.PersonId, p.UserClass == client.UserClassOperator && *p.OfficeCode == competent:
			case len(p.Pin) == 16:
				actors["must change the PIN"] = w.loginAs(p).AccessToken
			default:
				actors[p.Description], classes[p.Description] = w.loginAs(p).AccessToken, string(p.UserClass)
			}
		}
		for name, token := range former {
			actors[name], classes[name] = token, string(client.UserClassCitizen)
		}
		for name, token := range intermediaries {
			actors[name], classes[name] = token, string(client.UserClassInstitutionalIntermediary)
		}
		for name, p := range parts {
			actors[name], classes[name] = p.token, string(p.class)
		}
		suspended := w.createPerson(map[string]any{})
		actors["suspended"] = w.loginAs(suspended).AccessToken
		w.suspend(suspended)
		if len(actors) < 10 {
			t.Fatalf("only %d actors", len(actors))
		}

		for id, o := range operations(t) {
			r, known := accessTable[id]
			if o.to == "anyone" {
				continue
			}
			if !known {
				t.Errorf("%s has no row in the access table", id)
				continue
			}
			for name, token := range actors {
				of := []answer{submitted}
				if strings.Contains(o.path, "{declaration_id}") {
					of = append(of, draft)
				}
				for i, declaration := range of {
					declarationID, _ := declaration.field("declaration_id").(string)
					if o.to == "session" && (id == "endSession" || id == "reauthenticate" || id == "revokePin") && name != "anonymous" {
						continue // these end or renew the actor's own session, and touch nobody else's
					}
					mayUse := len(o.classes) == 0 || slices.Contains(o.classes, classes[name])
					if r.anybodys && mayUse {
						continue
					}
					a := w.call(o, r, f, declarationID, token)
					some, hasPart := parts[name]
					refused := a.status == http.StatusUnauthorized || a.status == http.StatusForbidden || a.status == http.StatusNotFound
					switch {
					case name == "anonymous" || name == "suspended":
						if a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == "" {
							t.Errorf("%s as %s answered %d", id, name, a.status)
						}
					case name == "must change the PIN" && !o.forced:
						if a.problem() != "pin-change-required" {
							t.Errorf("%s as %s answered %d %s", id, name, a.status, a.problem())
						}
					case !mayUse && classes[name] != nil:
						if a.problem() != "forbidden" {
							t.Errorf("%s as %s answered %d %s", id, name, a.status, a.body)
						}
					case hasPart:
						checkPart(t, name, some, o, r, i == 1, positions[0].Number, a)
					case o.to == "contributor" || o.to == "declaration" || o.to == "delegate" || o.to == "delegation" || o.isAffair() ||
						o.to == "session" && namesAnothers(o.path):
						if !refused {
							t.Errorf("%s as %s answered %d %s", id, name, a.status, a.body)
						}
					}
					for _, foreign := range []string{marker, number, legalName, nameOfCAF} {
						// Who has a part knows whose it is.
						if foreign == legalName && hasPart {
							continue
						}
						// What an intermediary once drafted stays in its own list, with the name of
						// the contributor.
						if foreign == legalName && intermediaries[name] != "" && (id == "listDelegations" || id == "searchDelegations") {
							continue
						}
						if bytes.Contains(a.body, []byte(foreign)) {
							t.Errorf("%s as %s shows %q", id, name, foreign)
						}
					}
				}
			}
		}
		if after := w.snapshot(f, submitted, draft); after != before {
			t.Errorf("something changed:\n%s\n%s", before, after)
		}
		for name, p := range parts {
			if p.delegation != nil {
				own := w.do(http.MethodGet, "/v1/delegations/"+p.delegation.String(), p.token, nil)
				if own.status != http.StatusOK || own.field("state") != "active" {
					t.Errorf("%s sees its own delegation as %d %s", name, own.status, own.body)
				}
			}
		}
	})
}

// positions are those of the filer's contributor, the filer's first.
func (w *fixture) positions(f filer) []client.Position {
	w.t.Helper()
	r, err := w.as(f.token).ListPositionsWithResponse(context.Background(), f.contributor, nil)
	if err != nil || r.JSON200 == nil || len(r.JSON200.Items) < 2 {
		w.t.Fatalf("positions: %v %s", err, r.Body)
	}
	return r.JSON200.Items
}

// namesAnothers reports whether the table's path names something that is not the actor's own.
func namesAnothers(path string) bool {
	return strings.Contains(path, "{") && !strings.Contains(path, "{session_id}") && !strings.Contains(path, "{type}")
}

// snapshot is everything of the filer's that another could have changed.
func (w *fixture) snapshot(f filer, declarations ...answer) string {
	w.t.Helper()
	var b strings.Builder
	b.WriteString(w.worked(f, declarations...))
	for _, path := range []string{
		"/v1/me/consents/" + filersConsent, "/v1/contributors/" + f.contributor.String() + "/consents", "/v1/applications/" + filersApplication,
		"/v1/applications/" + filersApplication + "/webhooks",
	} {
		b.Write(w.do(http.MethodGet, path, f.token, nil).want(w.t, http.StatusOK, "").body)
	}
	return b.String()
}

// worked is what the filer's contributor and its intermediary have of declarations and delegations.
func (w *fixture) worked(f filer, declarations ...answer) string {
	w.t.Helper()
	var b strings.Builder
	for _, d := range declarations {
		b.Write(w.do(http.MethodGet, d.header.Get("Location"), f.token, nil).want(w.t, http.StatusOK, "").body)
	}
	for _, path := range []string{
		f.path, "/v1/contributors/" + f.contributor.String() + "/delegations", "/v1/sub-delegations/" +
			filersSubDelegation, "/v1/delegation-batches/" + filersBatch, "/v1/declaration-batches/" + filersDeclarationBatch,
		"/v1/tickets/" + filersTicket, "/v1/tickets/" + filersTicket + "/comments",
		"/v1/smart-tasks/" + filersSmartTask, "/v1/contributors/" + f.contributor.String() + "/smart-tasks",
		"/v1/positions/" + f.position.String() + "/rectification-contacts",
		"/v1/appointments/" + filersAppointment,
	} {
		b.Write(w.do(http.MethodGet, path, f.token, nil).want(w.t, http.StatusOK, "").body)
	}
	return b.String()
}

// suspend shuts a person out, as an administrator.
func (w *fixture) suspend(p client.SandboxPerson) {
	w.t.Helper()
	w.do(
		http.MethodPost, "/v1/backoffice/people/"+p.PersonId.String()+"/suspension", w.administrator().AccessToken,
		map[string]any{"reason": "prova"}, key(),
	).want(w.t, http.StatusOK, "")
}

// createPerson makes a test person.
func (w *fixture) createPerson(input map[string]any) client.SandboxPerson {
	w.t.Helper()
	var p client.SandboxPerson
	w.do(http.MethodPost, "/v1/sandbox/people", "", input).want(w.t, http.StatusCreated, "").decode(w.t, &p)
	return p
}
