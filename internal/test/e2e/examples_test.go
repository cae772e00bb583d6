package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"diresco/api/client"
)

// exampleOf is the contract's example of a body.
func exampleOf(t *testing.T, operationID, mediaType string) any {
	t.Helper()
	contract, err := readContract()
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range contract.Paths.Map() {
		for _, o := range item.Operations() {
			if o.OperationID == operationID {
				return exampleIn(t, o, mediaType)
			}
		}
	}
	t.Fatalf("no operation %s", operationID)
	return nil
}

func exampleIn(t *testing.T, o *openapi3.Operation, mediaType string) any {
	t.Helper()
	content := o.RequestBody.Value.Content[mediaType]
	if content == nil || content.Example == nil {
		t.Fatalf("%s has no example of %s", o.OperationID, mediaType)
	}
	return content.Example
}

func (w *fixture) named(familyName string) client.SandboxPerson {
	w.t.Helper()
	return w.person(func(p client.SandboxPerson) bool { return p.FamilyName == familyName })
}

// TestExamples_WorkInAFreshSandbox: whoever copies an example into a call, as the person whom it is
// for, gets what it says. Of ids, which are new in every sandbox, those stand in the path or in
// with.
func TestExamples_WorkInAFreshSandbox(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		tokens := map[string]string{"": ""}
		token := func(familyName string) string {
			if _, known := tokens[familyName]; !known {
				tokens[familyName] = w.loginAs(w.named(familyName)).AccessToken
			}
			return tokens[familyName]
		}
		marco, ambrosiana := w.named("Bianchi"), w.named("Colombo").ContributorIds[0].String()
		tiberine := "/v1/contributors/" + marco.ContributorIds[0].String()
		caf := "/v1/intermediaries/" + w.named("Caruso").IntermediaryRoles[0].DelegateId.String()
		positions := func(path, family string) []any {
			found, _ := w.do(http.MethodGet, path+"/positions", token(family), nil).want(t, http.StatusOK, "").field("items").([]any)
			return found
		}
		ofTiberine, _ := positions(tiberine, "Bianchi")[0].(map[string]any)
		ofAmbrosiana, _ := positions("/v1/contributors/"+ambrosiana, "Colombo")[0].(map[string]any)

		const jsonType = "application/json"
		var batches, imports []string
		var declarationBatch string
		for _, c := range []struct {
			operation, by, method, path, mediaType string
			with                                   map[string]any
			status                                 int
			// finds says how many items there are; -1 that there is no list.
			finds int
		}{
			{"startSession", "", http.MethodPost, "/v1/sessions", jsonType, nil, http.StatusCreated, -1},
			{"startFederatedLogin", "", http.MethodPost, "/v1/federated-logins", jsonType, nil, http.StatusCreated, -1},
			{"reauthenticate", "Bianchi", http.MethodPost, "/v1/sessions/current/authentications", jsonType, nil, http.StatusOK, -1},
			{"startPinRecovery", "", http.MethodPost, "/v1/pin-recoveries", jsonType, nil, http.StatusAccepted, -1},
			{"startPinRevocation", "", http.MethodPost, "/v1/pin-revocations", jsonType, nil, http.StatusAccepted, -1},
			{"requestPin", "", http.MethodPost, "/v1/pin-requests", jsonType, nil, http.StatusAccepted, -1},
			{
				"replaceNotificationPreferences", "Bianchi", http.MethodPut, "/v1/me/notification-preferences", jsonType, nil,
				http.StatusOK, -1,
			},
			{"replaceMyMenu", "Bianchi", http.MethodPut, "/v1/me/menu", jsonType, nil, http.StatusOK, -1},
			{"addContact", "Bianchi", http.MethodPost, "/v1/me/contacts", jsonType, nil, http.StatusCreated, -1},
			{"searchContributors", "Colombo", http.MethodPost, "/v1/contributor-searches", jsonType, nil, http.StatusOK, 1},
			{"searchPeopleForRole", "Bianchi", http.MethodPost, tiberine + "/people-searches", jsonType, nil, http.StatusOK, 1},
			{"grantContributorRole", "Bianchi", http.MethodPost, tiberine + "/users", jsonType, nil, http.StatusCreated, -1},
			{"searchPeopleForIntermediaryRole", "Caruso", http.MethodPost, caf + "/people-searches", jsonType, nil, http.StatusOK, 1},
			{"grantIntermediaryRole", "Caruso", http.MethodPost, caf + "/users", jsonType, nil, http.StatusCreated, -1},
			{"fileEnrolment", "Colombo", http.MethodPost, "/v1/enrolments", jsonType, nil, http.StatusAccepted, -1},
			{"searchDelegationCandidates", "Ricci", http.MethodPost, "/v1/delegation-candidate-searches", jsonType, nil, http.StatusOK, 1},
			{"searchDelegations", "Conti", http.MethodPost, "/v1/delegation-searches", jsonType, nil, http.StatusOK, 1},
			{"draftDelegation", "Ricci", http.MethodPost, "/v1/delegations", jsonType, map[string]any{
				"position_ids": []any{ofAmbrosiana["position_id"]}, "signatory_id": w.named("Colombo").PersonId,
			}, http.StatusCreated, -1},
			{"draftDelegationBatch", "Ricci", http.MethodPost, "/v1/delegation-batches", jsonType, nil, http.StatusAccepted, -1},
			{"draftDelegationBatch", "Ricci", http.MethodPost, "/v1/delegation-batches", "text/csv", nil, http.StatusAccepted, -1},
			{
				"draftDeclaration", "Bianchi", http.MethodPost, tiberine + "/declarations", jsonType,
				map[string]any{"position_id": ofTiberine["position_id"]},
				http.StatusCreated, -1,
			},
			{
				"fileDeclarationBatch", "Bianchi", http.MethodPost, tiberine + "/declaration-batches", jsonType,
				map[string]any{"items": batchExample(t, ofTiberine["position_id"])},
				http.StatusAccepted, -1,
			},
			{"searchDeclarations", "Bianchi", http.MethodPost, tiberine + "/declaration-searches", jsonType, nil, http.StatusOK, 1},
			{"searchMyDeclarations", "Bianchi", http.MethodPost, "/v1/declaration-searches", jsonType, nil, http.StatusOK, 1},
			{"registerApplication", "Ricci", http.MethodPost, "/v1/applications", jsonType, nil, http.StatusCreated, -1},
			{"verifyReceipt", "", http.MethodPost, "/v1/receipt-verifications", jsonType, nil, http.StatusOK, -1},
			{"searchPeople", "Greco", http.MethodPost, "/v1/backoffice/people-searches", jsonType, nil, http.StatusOK, 1},
			{"registerPerson", "Greco", http.MethodPost, "/v1/backoffice/people", jsonType, nil, http.StatusCreated, -1},
			{"createSandboxPerson", "", http.MethodPost, "/v1/sandbox/people", jsonType, nil, http.StatusCreated, -1},
			{"createSandboxContributor", "", http.MethodPost, "/v1/sandbox/contributors", jsonType, nil, http.StatusCreated, -1},
			{
				"publishDeclarationType", "Fontana", http.MethodPost, "/v1/backoffice/declaration-types", jsonType, nil,
				http.StatusCreated, -1,
			},
			{"searchAuditRecords", "Fontana", http.MethodPost, "/v1/backoffice/audit-searches", jsonType, nil, http.StatusOK, -1},
			{"addOperator", "Fontana", http.MethodPost, "/v1/backoffice/operators", jsonType, nil, http.StatusCreated, -1},
			{
				"importRegister", "Fontana", http.MethodPost, "/v1/backoffice/register-imports?register=albi", "text/csv", nil,
				http.StatusAccepted, -1,
			},
			{
				"importRegister", "Fontana", http.MethodPost, "/v1/backoffice/register-imports?register=albi", "application/jsonl", nil,
				http.StatusAccepted, -1,
			},
		} {
			body := exampleOf(t, c.operation, c.mediaType)
			if object, ok := body.(map[string]any); ok && c.with != nil {
				changed := maps.Clone(object)
				maps.Copy(changed, c.with)
				body = changed
			}
			got := w.do(c.method, c.path, token(c.by), body, key(), header{"Content-Type", c.mediaType}, header{"If-Match", "*"})
			if got.status != c.status {
				t.Errorf("%s: %d %s", c.operation, got.status, got.body)
				continue
			}
			if found, _ := got.field("items").([]any); c.finds >= 0 && len(found) != c.finds {
				t.Errorf("%s finds %s", c.operation, got.body)
			}
			if id, is := got.field("batch_id").(string); is && c.operation == "fileDeclarationBatch" {
				declarationBatch = id
			} else if is {
				batches = append(batches, id)
			}
			if id, is := got.field("import_id").(string); is {
				imports = append(imports, id)
			}
		}
		w.do(http.MethodGet, "/v1/sandbox/messages", "", nil).want(t, http.StatusOK, "")
		for _, id := range batches {
			var batch struct {
				State string `json:"state"`
				Items []struct {
					State string `json:"state"`
				} `json:"items"`
			}
			got := w.do(http.MethodGet, "/v1/delegation-batches/"+id, token("Ricci"), nil).want(t, http.StatusOK, "")
			if err := json.Unmarshal(got.body, &batch); err != nil {
				t.Fatal(err)
			}
			for _, item := range batch.Items {
				if item.State != "filed" {
					t.Errorf("the batch became %s", got.body)
					break
				}
			}
			if batch.State != "done" || len(batch.Items) != 2 {
				t.Errorf("the batch became %s", got.body)
			}
		}
		batch := w.do(http.MethodGet, "/v1/declaration-batches/"+declarationBatch, token("Bianchi"), nil).want(t, http.StatusOK, "")
		if counts, _ := batch.field("counts").(map[string]any); batch.field("state") != "done" || counts["filed"] != 1.0 {
			t.Errorf("the batch of declarations became %s", batch.body)
		}
		for _, id := range imports {
			if got := w.imported(token("Fontana"), "/v1/backoffice/register-imports/"+id); got.State != client.ImportStateDone {
				t.Errorf("the import became %+v", got)
			}
		}
		w.do(http.MethodPost, "/v1/sandbox/clock", "", exampleOf(t, "moveSandboxClock", jsonType)).want(t, http.StatusOK, "")
	})
}

// batchExample is the contract's items of a batch of declarations, for a position that there is.
func batchExample(t *testing.T, positionID any) []any {
	t.Helper()
	object, _ := exampleOf(t, "fileDeclarationBatch", "application/json").(map[string]any)
	listed, _ := object["items"].([]any)
	for _, item := range listed {
		if item, ok := item.(map[string]any); ok {
			item["position_id"] = positionID
		}
	}
	return listed
}
