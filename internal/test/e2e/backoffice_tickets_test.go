package e2e

import (
	"archive/zip"
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// askOffice opens a ticket about the filer's first position, at the office of Rome.
func (w *fixture) askOffice(f filer, email string) (id, number string) {
	w.t.Helper()
	opened := w.do(http.MethodPost, "/v1/contributors/"+f.contributor.String()+"/tickets", f.token, map[string]any{
		"topic": "payments-allocation", "position_id": f.position, "subject": "Versamento di febbraio",
		"text": "Il modello F24 di febbraio non risulta.", "email": email,
	}, key()).want(w.t, http.StatusCreated, "")
	id, _ = opened.field("ticket_id").(string)
	number, _ = opened.field("protocol_number").(string)
	return id, number
}

// columnOf is a member of each item of a list.
func columnOf(a answer, name string) []string {
	var all []string
	items, _ := a.field("items").([]any)
	for _, item := range items {
		if members, ok := item.(map[string]any); ok {
			text, _ := members[name].(string)
			all = append(all, text)
		}
	}
	return all
}

// TestTicketDesk_AnOfficeAnswers: a ticket from both sides, from the opening to the answer and to
// the second answer, through another office.
func TestTicketDesk_AnOfficeAnswers(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		const email = "paghe@officine.example"
		id, number := w.askOffice(f, email)
		rome, milan := w.loginAs(w.person(operatorOf("7000"))).AccessToken, w.loginAs(w.person(operatorOf("4900"))).AccessToken
		at := "/v1/backoffice/tickets/" + id

		waiting := w.do(http.MethodGet, "/v1/backoffice/tickets?assigned_to=nobody&topic=payments", rome, nil).want(t, http.StatusOK, "")
		if !slices.Contains(columnOf(waiting, "ticket_id"), id) || strings.Contains(string(waiting.body), "non risulta") {
			t.Fatalf("in the queue %s", waiting.body)
		}
		found := w.do(http.MethodPost, "/v1/backoffice/ticket-searches", rome, map[string]any{"protocol_number": number}).want(t, http.StatusOK, "")
		if got := columnOf(found, "protocol_number"); !slices.Equal(got, []string{number}) {
			t.Errorf("found %v", got)
		}
		shown := w.do(http.MethodGet, at, rome, nil).want(t, http.StatusOK, "")
		if !strings.Contains(string(shown.body), f.person.TaxCode) || shown.field("overdue") != "none" {
			t.Errorf("shown as %s", shown.body)
		}
		w.do(http.MethodGet, at, rome, nil, header{"If-None-Match", shown.header.Get("ETag")}).want(t, http.StatusNotModified, "")
		if looked := w.do(http.MethodGet, "/v1/me/activity", f.token, nil).want(t, http.StatusOK, ""); !bytes.Contains(
			looked.body, []byte("showOfficeTicket"),
		) {
			t.Errorf("the look is not shown: %s", looked.body)
		}
		w.do(http.MethodGet, at, milan, nil).want(t, http.StatusNotFound, "not-found")
		w.do(http.MethodPost, at+"/assignment", milan, nil, key()).want(t, http.StatusNotFound, "not-found")
		w.do(http.MethodGet, at, f.token, nil).want(t, http.StatusForbidden, "forbidden")

		// Taken, commented, routed: Milan has it, Rome has not.
		once := key()
		first := w.do(http.MethodPost, at+"/assignment", rome, nil, once).want(t, http.StatusOK, "")
		again := w.do(http.MethodPost, at+"/assignment", rome, nil, once).want(t, http.StatusOK, "")
		if !bytes.Equal(first.body, again.body) {
			t.Errorf("the repeat differs:\n%s\n%s", first.body, again.body)
		}
		for text, visibility := range map[string]string{"Serve la quietanza.": "visible", "Chiesto alla tesoreria.": "internal"} {
			w.do(http.MethodPost, at+"/comments", rome, map[string]any{"text": text, "visibility": visibility}, key()).want(t, http.StatusOK, "")
		}
		comments := w.do(http.MethodGet, "/v1/tickets/"+id+"/comments", f.token, nil).want(t, http.StatusOK, "")
		if !strings.Contains(string(comments.body), "Serve la quietanza.") || strings.Contains(string(comments.body), "tesoreria") {
			t.Errorf("the filer reads %s", comments.body)
		}
		w.do(http.MethodPost, at+"/routing", rome, map[string]any{}, key()).want(t, http.StatusUnprocessableEntity, "validation-failed")
		routed := w.do(http.MethodPost, at+"/routing", rome, map[string]any{
			"office_code": "4900", "topic": "uniemens-corrections", "reason": "La denuncia è di Milano.",
		}, key()).want(t, http.StatusOK, "")
		if routed.field("state") != "open" || routed.field("office_code") != "4900" || routed.field("protocol_number") != number {
			t.Errorf("routed as %s", routed.body)
		}
		w.do(http.MethodGet, at, rome, nil).want(t, http.StatusNotFound, "not-found")
		if !w.told(email, number, "Milano") {
			t.Error("nobody is told where it went")
		}

		// The answer, and the one after it.
		w.do(http.MethodPost, at+"/closure", milan, map[string]any{"outcome": "informed", "text": "Risposta"}, key()).want(
			t, http.StatusConflict, "conflict",
		)
		w.do(http.MethodPost, at+"/assignment", milan, nil, key()).want(t, http.StatusOK, "")
		answered := w.do(http.MethodPost, at+"/closure", milan, map[string]any{
			"outcome": "informed", "text": "Il versamento è stato abbinato.",
		}, key()).want(t, http.StatusOK, "")
		if answered.field("state") != "closed" {
			t.Errorf("closed as %s", answered.body)
		}
		seen := w.do(http.MethodGet, "/v1/tickets/"+id, f.token, nil).want(t, http.StatusOK, "")
		if seen.field("closing_text") != "Il versamento è stato abbinato." || seen.field("outcome") != "informed" {
			t.Errorf("the filer sees %s", seen.body)
		}
		reopened := w.do(http.MethodPost, at+"/reopening", milan, map[string]any{"reason": "C'è un secondo versamento."}, key()).want(
			t, http.StatusOK, "",
		)
		if reopened.field("state") != "open" || reopened.field("protocol_number") != number || reopened.field("closing_text") != nil {
			t.Errorf("reopened as %s", reopened.body)
		}
		comments = w.do(http.MethodGet, "/v1/tickets/"+id+"/comments", f.token, nil).want(t, http.StatusOK, "")
		for _, text := range []string{"Il versamento è stato abbinato.", "secondo versamento"} {
			if !strings.Contains(string(comments.body), text) {
				t.Errorf("the filer does not read %q: %s", text, comments.body)
			}
		}
		if strings.Contains(string(comments.body), "La denuncia è di Milano") {
			t.Error("the filer reads why it was routed")
		}
		w.do(http.MethodPost, at+"/assignment", milan, nil, key()).want(t, http.StatusOK, "")
		w.do(http.MethodDelete, at+"/assignment", milan, nil).want(t, http.StatusNoContent, "")
		w.do(http.MethodDelete, at+"/assignment", milan, nil).want(t, http.StatusConflict, "conflict")

		// What software hears of it, in order.
		events := w.do(http.MethodGet, "/v1/events?types=ticket.opened,ticket.in_charge,ticket.routed,ticket.commented,ticket.closed,ticket.reopened",
			f.token, nil).want(t, http.StatusOK, "")
		want := []string{
			"ticket.opened", "ticket.in_charge", "ticket.commented", "ticket.routed", "ticket.in_charge", "ticket.closed", "ticket.reopened",
			"ticket.in_charge",
		}
		// What is taken twice with one key is one event, and an internal comment is none.
		if got := columnOf(events, "type"); !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		for operation, n := range map[string]int64{
			"takeTicketInCharge": 3, "commentTicket": 2, "routeTicket": 1, "closeTicket": 1, "reopenTicket": 1, "releaseTicket": 1,
		} {
			if got := w.rows("audit_records", "operation = ? AND outcome = 'done' AND subject_id = ?", operation, id); got != n {
				t.Errorf("%s left %d records", operation, got)
			}
		}
	})
}

// TestTicketDesk_FilesComeAsOneArchive: byte for byte, or a part of it.
func TestTicketDesk_FilesComeAsOneArchive(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		var form bytes.Buffer
		const boundary = "boundary-of-the-form"
		for name, value := range map[string]string{
			"topic": "payments-allocation", "position_id": f.position.String(), "subject": "Con allegato", "text": "In allegato", "email": "a@officine.example",
		} {
			form.WriteString("--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n")
		}
		form.WriteString("--" + boundary + "\r\nContent-Disposition: form-data; name=\"attachments\"; filename=\"note.txt\"\r\n" +
			"Content-Type: text/plain\r\n\r\nPerché è stato versato due volte\r\n--" + boundary + "--\r\n")
		opened := w.do(http.MethodPost, "/v1/contributors/"+f.contributor.String()+"/tickets", f.token, form.String(), key(),
			header{"Content-Type", "multipart/form-data; boundary=" + boundary}).want(t, http.StatusCreated, "")
		id, _ := opened.field("ticket_id").(string)
		rome := w.loginAs(w.person(operatorOf("7000"))).AccessToken
		path := "/v1/backoffice/tickets/" + id + "/attachments"
		whole := w.do(http.MethodGet, path, rome, nil).want(t, http.StatusOK, "")
		archive, err := zip.NewReader(bytes.NewReader(whole.body), int64(len(whole.body)))
		if err != nil || len(archive.File) != 1 || archive.File[0].Name != "note.txt" ||
			!strings.Contains(whole.header.Get("Content-Disposition"), "quesito-") {
			t.Fatalf("the archive: %v, %v", err, whole.header)
		}
		part := w.do(http.MethodGet, path, rome, nil, header{"Range", "bytes=10-"}).want(t, http.StatusPartialContent, "")
		if !bytes.Equal(part.body, whole.body[10:]) {
			t.Errorf("a part of %d bytes", len(part.body))
		}
		w.do(http.MethodGet, path, w.loginAs(w.person(operatorOf("4900"))).AccessToken, nil).want(t, http.StatusNotFound, "not-found")
		without, _ := w.askOffice(f, "a@officine.example")
		w.do(http.MethodGet, "/v1/backoffice/tickets/"+without+"/attachments", rome, nil).want(t, http.StatusNotFound, "not-found")
	})
}

// TestTicketDesk_KeepsReadyMadeAnswers and topics, as data with entity tags.
func TestTicketDesk_KeepsReadyMadeAnswers(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		rome := w.loginAs(w.person(operatorOf("7000"))).AccessToken
		const path = "/v1/backoffice/reply-templates/"
		body := map[string]any{"title": "Ricevuto", "text": "Abbiamo ricevuto la richiesta."}
		w.do(http.MethodPut, path+"received", rome, body).want(t, http.StatusPreconditionRequired, "precondition-required")
		made := w.do(http.MethodPut, path+"received", rome, body, header{"If-None-Match", "*"}).want(t, http.StatusCreated, "")
		if made.header.Get("Location") != path+"received" {
			t.Errorf("at %q", made.header.Get("Location"))
		}
		w.do(http.MethodPut, path+"received", rome, body, header{"If-None-Match", "*"}).want(t, http.StatusPreconditionFailed, "precondition-failed")
		body["topic"] = "payments"
		w.do(http.MethodPut, path+"received", rome, body, header{"If-Match", made.header.Get("ETag")}).want(
			t, http.StatusUnprocessableEntity, "validation-failed",
		)
		body["topic"] = "payments-allocation"
		w.do(http.MethodPut, path+"received", rome, body, header{"If-Match", made.header.Get("ETag")}).want(t, http.StatusOK, "")
		w.do(http.MethodPut, path+"received", rome, body, header{"If-Match", made.header.Get("ETag")}).want(
			t, http.StatusPreconditionFailed, "precondition-failed",
		)
		listed := w.do(http.MethodGet, "/v1/backoffice/reply-templates?topic=payments-allocation", rome, nil).want(t, http.StatusOK, "")
		if got := columnOf(listed, "template_code"); !slices.Equal(got, []string{"document-needed", "payment-allocated", "received"}) {
			t.Errorf("listed %v", got)
		}
		w.do(http.MethodDelete, path+"received", rome, nil).want(t, http.StatusNoContent, "")
		w.do(http.MethodGet, path+"received", rome, nil).want(t, http.StatusNotFound, "not-found")

		administrator := w.administrator().AccessToken
		topic := map[string]any{
			"parent_code": "payments", "title_it": "Bollettini", "title_en": "Payment slips", "appointments": false, "retired": false,
		}
		const slips = "/v1/backoffice/ticket-topics/payments-slips"
		w.do(http.MethodPut, slips, rome, topic, header{"If-None-Match", "*"}).want(t, http.StatusForbidden, "forbidden")
		added := w.do(http.MethodPut, slips, administrator, topic, header{"If-None-Match", "*"}).want(t, http.StatusCreated, "")
		offered := func() bool {
			return strings.Contains(string(w.do(http.MethodGet, "/v1/ticket-topics?limit=100", "", nil).want(t, http.StatusOK, "").body), "payments-slips")
		}
		if !offered() {
			t.Error("the new topic is not offered")
		}
		topic["retired"] = true
		w.do(http.MethodPut, slips, administrator, topic, header{"If-Match", added.header.Get("ETag")}).want(t, http.StatusOK, "")
		if offered() {
			t.Error("the retired topic is offered")
		}
		w.do(http.MethodGet, slips, rome, nil).want(t, http.StatusOK, "")
	})
}

// TestTicketDesk_OperatorsHearOfWhatIsOverTime, on the first working day at eight after the five.
func TestTicketDesk_OperatorsHearOfWhatIsOverTime(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		_, number := w.askOffice(f, "a@officine.example")
		operator := w.person(operatorOf("7000"))
		email := ""
		for _, c := range operator.Contacts {
			if c.Kind == "email" {
				email = c.Value
			}
		}
		w.do(http.MethodPost, "/v1/sandbox/clock", "", map[string]any{"advance": "P9D"}).want(t, http.StatusOK, "")
		if email == "" || !w.told(email, "oltre i termini", number) {
			t.Errorf("%s is not told of %s", email, number)
		}
		rome := w.loginAs(w.person(operatorOf("7000"))).AccessToken
		over := w.do(http.MethodGet, "/v1/backoffice/tickets?overdue=due", rome, nil).want(t, http.StatusOK, "")
		if !slices.Contains(columnOf(over, "protocol_number"), number) || slices.Contains(columnOf(over, "overdue"), "none") {
			t.Errorf("over time %s", over.body)
		}
		w.do(http.MethodGet, "/v1/backoffice/tickets/"+uuid.NewString(), rome, nil).want(t, http.StatusNotFound, "not-found")
	})
}
