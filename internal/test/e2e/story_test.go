package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"diresco/api/client"
)

var protocolNumber = regexp.MustCompile(`^INPS\.[0-9A-Z]{4}\.\d{2}/\d{2}/\d{4}\.\d{7}$`)

// TestDeclaration_DeclareAndHaveTheReceipt is the main job, through the generated client: log in,
// declare, have the receipt, verify it.
func TestDeclaration_DeclareAndHaveTheReceipt(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		ctx := context.Background()
		me := w.person(hasRole(client.ActingAsLegalRepresentative, client.CredentialLevelDispositive))
		session := w.loginAs(me)
		c := w.as(session.AccessToken)

		contributors, err := c.ListContributorsWithResponse(ctx, nil)
		if err != nil || contributors.JSON200 == nil || len(contributors.JSON200.Items) == 0 {
			t.Fatalf("contributors: %v %s", err, contributors.Body)
		}
		contributor := contributors.JSON200.Items[0]
		if contributor.Rights[0].ActingAs != client.ActingAsLegalRepresentative {
			t.Errorf("right is %v", contributor.Rights)
		}
		positions, err := c.ListPositionsWithResponse(ctx, contributor.ContributorId, nil)
		if err != nil || positions.JSON200 == nil || len(positions.JSON200.Items) == 0 {
			t.Fatalf("positions: %v %s", err, positions.Body)
		}
		position := positions.JSON200.Items[0]

		types, err := c.ListDeclarationTypesWithResponse(ctx, nil)
		if err != nil || types.JSON200 == nil || len(types.JSON200.Items) < 5 {
			t.Fatalf("types: %v %s", err, types.Body)
		}
		submit := true
		var last client.Declaration
		// The sandbox begins with what was filed before.
		earlier, number := int(w.rows("protocol_entries", "office_code = '7000'")), 0
		for _, declarationType := range types.JSON200.Items {
			if declarationType.Code == "PROVA-APRE" { // this one opens later
				continue
			}
			number++
			filed, err := c.DraftDeclarationWithResponse(ctx, contributor.ContributorId, &client.DraftDeclarationParams{
				IdempotencyKey: uuid.NewString(),
			},
				client.DeclarationDraft{
					Type: declarationType.Code, PositionId: position.PositionId, Content: declarationType.ContentExample, Submit: &submit,
				})
			if err != nil || filed.JSON201 == nil {
				t.Fatalf("filing %s: %v %s", declarationType.Code, err, filed.Body)
			}
			last = *filed.JSON201
			// What asks a fund is decided at once, by the money that is there.
			decided := last.State == client.DeclarationStateAccepted || last.State == client.DeclarationStateProvisionallyNotAccepted
			if capped := declarationType.Fund != nil; decided != capped || !capped && last.State != client.DeclarationStateSubmitted ||
				last.Receipt == nil || !protocolNumber.MatchString(*last.ProtocolNumber) {
				t.Fatalf("filed %s", filed.Body)
			}
			if filed.HTTPResponse.Header.Get("Location") != "/v1/declarations/"+last.DeclarationId.String() {
				t.Errorf("location is %q", filed.HTTPResponse.Header.Get("Location"))
			}
		}
		if !strings.HasSuffix(*last.ProtocolNumber, fmt.Sprintf("%07d", earlier+number)) {
			t.Errorf("filing %d has number %s", number, *last.ProtocolNumber)
		}

		verified, err := w.as("").VerifyReceiptWithResponse(ctx, nil, client.ReceiptToVerify{Jws: last.Receipt.Jws})
		if err != nil || verified.JSON200 == nil || !verified.JSON200.Valid || *verified.JSON200.ProtocolNumber != *last.ProtocolNumber {
			t.Errorf("verification: %v %s", err, verified.Body)
		}
		// As a file or a copied text has it.
		for _, around := range []string{last.Receipt.Jws + "\n", "\t " + last.Receipt.Jws + "\r\n \n"} {
			again := w.do(http.MethodPost, "/v1/receipt-verifications", "", map[string]any{"jws": around}).want(t, http.StatusOK, "")
			if again.field("valid") != true {
				t.Errorf("with white space around it is %s", again.body)
			}
		}
		if verified.JSON200.Finding != client.ReceiptVerificationFindingGenuine {
			t.Errorf("verification found %s", verified.JSON200.Finding)
		}
		forged, err := w.as("").VerifyReceiptWithResponse(
			ctx, nil, client.ReceiptToVerify{Jws: last.Receipt.Jws[:len(last.Receipt.Jws)-4] + "AAAA"},
		)
		if err != nil || forged.JSON200 == nil || forged.JSON200.Valid ||
			forged.JSON200.Finding != client.ReceiptVerificationFindingNotOurs {
			t.Errorf("a forged receipt: %v %s", err, forged.Body)
		}

		path := "/v1/declarations/" + last.DeclarationId.String() + "/receipt"
		asJSON := w.do(http.MethodGet, path, session.AccessToken, nil).want(t, http.StatusOK, "")
		if asJSON.field("jws") != last.Receipt.Jws {
			t.Error("the receipt differs from the one in the answer to the filing")
		}
		asJWS := w.do(http.MethodGet, path, session.AccessToken, nil, header{"Accept", "application/jose"}).want(t, http.StatusOK, "")
		if string(asJWS.body) != last.Receipt.Jws {
			t.Errorf("as JWS it is %s", asJWS.body)
		}
		pdf := w.do(http.MethodGet, path, session.AccessToken, nil, header{"Accept", "application/pdf"}).want(t, http.StatusOK, "")
		again := w.do(http.MethodGet, path, session.AccessToken, nil, header{"Accept", "application/pdf"}).want(t, http.StatusOK, "")
		atItsPath := w.do(http.MethodGet, path+"/pdf", session.AccessToken, nil, header{"Accept", "*/*"}).want(t, http.StatusOK, "")
		if !bytes.HasPrefix(pdf.body, []byte("%PDF-")) || !bytes.Equal(pdf.body, again.body) || !bytes.Equal(pdf.body, atItsPath.body) {
			t.Error("the PDF is not the same twice")
		}
		if a, b := pdf.header.Get("Content-Disposition"), atItsPath.header.Get("Content-Disposition"); a != b || a == "" {
			t.Errorf("it is saved as %q and %q", a, b)
		}
		w.do(http.MethodGet, path+"/pdf", session.AccessToken, nil, header{"Accept", "application/json"}).
			want(t, http.StatusNotAcceptable, "not-acceptable")
		w.do(http.MethodGet, path, session.AccessToken, nil, header{"Accept", "image/png"}).want(
			t, http.StatusNotAcceptable, "not-acceptable",
		)

		listed, err := c.ListDeclarationsWithResponse(ctx, contributor.ContributorId, nil)
		if err != nil || listed.JSON200 == nil || len(listed.JSON200.Items) != number ||
			listed.JSON200.Items[0].DeclarationId != last.DeclarationId {
			t.Errorf("list: %v %s", err, listed.Body)
		}
		operator := w.loginAs(w.person(operatorOf(position.OfficeCode)))
		seen := w.do(http.MethodGet, "/v1/declarations/"+last.DeclarationId.String(), operator.AccessToken, nil).want(t, http.StatusOK, "")
		if seen.field("protocol_number") != *last.ProtocolNumber {
			t.Errorf("the operator sees %s", seen.body)
		}
		w.do(http.MethodGet, "/v1/backoffice/declarations", operator.AccessToken, nil).want(t, http.StatusOK, "")
		for _, other := range w.people() {
			if other.PersonId == me.PersonId || other.UserClass == client.UserClassOperator && *other.OfficeCode == position.OfficeCode ||
				len(other.Pin) != 8 {
				continue
			}
			stranger := w.loginAs(other)
			w.do(http.MethodGet, "/v1/declarations/"+last.DeclarationId.String(), stranger.AccessToken, nil).want(
				t, http.StatusNotFound, "not-found",
			)
		}
		messages, err := w.as("").ListSandboxMessagesWithResponse(ctx, nil)
		if err != nil || messages.JSON200 == nil || len(messages.JSON200.Items) != number ||
			!strings.Contains(messages.JSON200.Items[0].Text, *last.ProtocolNumber) {
			t.Errorf("messages: %v %s", err, messages.Body)
		}
	})
}

// TestDeclaration_DraftChangeSubmitWithdraw is the life of one declaration.
func TestDeclaration_DraftChangeSubmitWithdraw(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		draft := w.do(http.MethodPost, f.path, f.token, f.draft(nil), key()).want(t, http.StatusCreated, "")
		if draft.field("state") != "draft" || draft.field("receipt") != nil {
			t.Fatalf("draft is %s", draft.body)
		}
		path := draft.header.Get("Location")
		tag := draft.header.Get("ETag")
		patch := map[string]any{"content": map[string]any{"notes": "Prova: àèìòù € “virgolette”"}}
		merge := header{"Content-Type", "application/merge-patch+json"}
		w.do(http.MethodPatch, path, f.token, patch, merge).want(t, http.StatusPreconditionRequired, "precondition-required")
		w.do(http.MethodPatch, path, f.token, patch, merge, header{"If-Match", `"99"`}).want(
			t, http.StatusPreconditionFailed, "precondition-failed",
		)
		changed := w.do(http.MethodPatch, path, f.token, patch, merge, header{"If-Match", tag}).want(t, http.StatusOK, "")
		if changed.field("content", "notes") != "Prova: àèìòù € “virgolette”" || changed.header.Get("ETag") == tag {
			t.Errorf("changed to %s", changed.body)
		}
		w.do(http.MethodPatch, path, f.token, patch, merge, header{"If-Match", tag}).want(
			t, http.StatusPreconditionFailed, "precondition-failed",
		)
		w.do(http.MethodGet, path, f.token, nil, header{"If-None-Match", changed.header.Get("ETag")}).want(t, http.StatusNotModified, "")
		w.do(http.MethodGet, path+"/receipt", f.token, nil).want(t, http.StatusNotFound, "not-found")

		once := key()
		submitted := w.do(http.MethodPost, path+"/submission", f.token, nil, once).want(t, http.StatusOK, "")
		replayed := w.do(http.MethodPost, path+"/submission", f.token, nil, once).want(t, http.StatusOK, "")
		if !bytes.Equal(submitted.body, replayed.body) {
			t.Errorf("a repeat answered differently:\n%s\n%s", submitted.body, replayed.body)
		}
		w.do(http.MethodPost, path+"/submission", f.token, nil, key()).want(t, http.StatusConflict, "conflict")
		w.do(http.MethodPatch, path, f.token, patch, merge, header{"If-Match", submitted.header.Get("ETag")}).want(
			t, http.StatusConflict, "conflict",
		)
		w.do(http.MethodDelete, path, f.token, nil).want(t, http.StatusConflict, "conflict")

		withdrawn := w.do(http.MethodPost, path+"/withdrawal", f.token, nil, key()).want(t, http.StatusOK, "")
		if withdrawn.field("state") != "withdrawn" || withdrawn.field("receipt", "jws") != submitted.field("receipt", "jws") {
			t.Errorf("withdrawn as %s", withdrawn.body)
		}
		w.do(http.MethodPost, path+"/withdrawal", f.token, nil, key()).want(t, http.StatusConflict, "conflict")
		if late := w.do(
			http.MethodPost, path+"/submission", f.token, nil, once,
		).want(t, http.StatusOK, ""); !bytes.Equal(submitted.body, late.body) {
			t.Errorf("after the withdrawal the repeat of the submission answered %s", late.body)
		}

		discarded := w.do(http.MethodPost, f.path, f.token, f.draft(nil), key()).want(t, http.StatusCreated, "")
		w.do(http.MethodDelete, discarded.header.Get("Location"), f.token, nil).want(t, http.StatusNoContent, "")
		w.do(http.MethodGet, discarded.header.Get("Location"), f.token, nil).want(t, http.StatusNotFound, "not-found")
	})
}

// TestDeclaration_OrdinaryCredentialsWait: what is sent with an ordinary PIN is protocolled but
// waits.
func TestDeclaration_OrdinaryCredentialsWait(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filerAs(w.person(hasRole(client.ActingAsLegalRepresentative, client.CredentialLevelOrdinary)))
		filed := w.do(http.MethodPost, f.path, f.token, f.draft(map[string]any{"submit": true}), key()).want(t, http.StatusCreated, "")
		if filed.field("state") != "awaiting_credentials" || filed.field("protocol_number") == nil {
			t.Errorf("filed as %s", filed.body)
		}
	})
}

// filer is somebody who may declare for a contributor.
type filer struct {
	person      client.SandboxPerson
	token       string
	contributor uuid.UUID
	position    uuid.UUID
	path        string
	example     json.RawMessage
}

func (w *fixture) filer() filer {
	w.t.Helper()
	return w.filerAs(w.person(hasRole(client.ActingAsLegalRepresentative, client.CredentialLevelDispositive)))
}

func (w *fixture) filerAs(p client.SandboxPerson) filer {
	w.t.Helper()
	ctx := context.Background()
	f := filer{person: p, token: w.loginAs(p).AccessToken, contributor: p.ContributorIds[0]}
	f.path = "/v1/contributors/" + f.contributor.String() + "/declarations"
	positions, err := w.as(f.token).ListPositionsWithResponse(ctx, f.contributor, nil)
	if err != nil || positions.JSON200 == nil {
		w.t.Fatalf("positions: %v %s", err, positions.Body)
	}
	f.position = positions.JSON200.Items[0].PositionId
	declarationType, err := w.as("").ShowDeclarationTypeWithResponse(ctx, "RIOC", nil)
	if err != nil || declarationType.JSON200 == nil {
		w.t.Fatalf("type: %v", err)
	}
	f.example = declarationType.JSON200.ContentExample
	return f
}

// draft returns the body of a draft of RIOC, with further members.
func (f filer) draft(more map[string]any) map[string]any {
	body := map[string]any{"type": "RIOC", "position_id": f.position, "content": f.example}
	for name, value := range more {
		body[name] = value
	}
	return body
}
