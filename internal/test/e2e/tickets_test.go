package e2e

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/api/client"
)

// filersTicket is one that the filer opened, about the filer's position.
const filersTicket = "019d0000-0000-7000-8000-0000000000e5"

// ticketOf has the filer's ticket opened by the filer, whoever's it was before.
func (w *fixture) ticketOf(f filer) {
	w.t.Helper()
	now := w.clock.Now()
	w.execute("DELETE FROM ticket_comments WHERE ticket_id = ?", filersTicket)
	w.execute("DELETE FROM tickets WHERE id = ?", filersTicket)
	w.execute(`INSERT INTO tickets (id, kind, contributor_id, position_id, office_code, topic, subject, text, email, person_id, right_id,
		acting_as, attachments, protocol_number, digest, opened_at, state, version, updated_at)
		SELECT ?, 'request', x.contributor_id, x.id, x.office_code, 'payments-f24', 'marker-7f3a9c', 'marker-7f3a9c', 'x@example.com', ?, ?,
			'legal_representative', '[]', 'INPS.7000.16/03/2026.0000001', ?, ?, 'open', 1, ? FROM positions x WHERE x.id = ?`,
		filersTicket, f.person.PersonId, uuid.New(), "sha-256:"+strings.Repeat("0", 64), now, now, f.position)
}

// ticketType is the media type of what ticketForm writes.
var ticketType = header{"Content-Type", "multipart/form-data; boundary=confine"}

// ticketForm is the body of a ticket with files. The given fields are added to it, or replace what
// it has.
func ticketForm(f filer, fields map[string]string, files ...sent) string {
	all := map[string]string{
		"topic": "payments-refunds", "position_id": f.position.String(), "subject": "Rimborso", "text": "Si chiede\r\nil rimborso.",
		"email": "studio@example.com", "phone": "333 1234567", "section": "payments",
	}
	for name, value := range fields {
		all[name] = value
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.SetBoundary("confine") // nothing fails in memory
	for name, value := range all {
		_ = w.WriteField(name, value)
	}
	for _, f := range files {
		in, _ := w.CreateFormFile("attachments", f.name)
		_, _ = io.WriteString(in, f.content)
	}
	_ = w.Close()
	return b.String()
}

func (w *fixture) openTicket(f filer, body string, headers ...header) answer {
	w.t.Helper()
	return w.do(
		http.MethodPost, "/v1/contributors/"+f.contributor.String()+"/tickets", f.token, body,
		slices.Concat([]header{key(), ticketType}, headers)...,
	)
}

// stored counts the files that are kept, and those that were put aside.
func (w *fixture) stored() (n int) {
	w.t.Helper()
	err := filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && (strings.Contains(path, "tickets") || strings.Contains(path, "upload-")) &&
			!strings.HasSuffix(path, ".attrs") {
			n++
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

const pdfHead = "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"

// TestTickets_AskAndBeAnswered is the story of a ticket on its opener's side.
func TestTickets_AskAndBeAnswered(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		topics := w.do(http.MethodGet, "/v1/ticket-topics?limit=100", "", nil, header{"Accept-Language", "en"}).want(t, http.StatusOK, "")
		if !bytes.Contains(topics.body, []byte(`"title":"Refunds and set-off"`)) {
			t.Errorf("topics: %s", topics.body)
		}
		photo := pngHead + strings.Repeat("x", 3<<20-len(pngHead))
		opened := w.openTicket(
			f, ticketForm(f, nil, sent{"../../F24.pdf", pdfHead}, sent{"\u202efdp.exe", photo}, sent{"nota.txt", "Perché due volte?"}),
		).want(t, http.StatusCreated, "")
		var ticket client.Ticket
		opened.decode(t, &ticket)
		if ticket.State != "open" || !protocolNumber.MatchString(ticket.ProtocolNumber) || ticket.Subject != "[Versamenti] Rimborso" ||
			ticket.Text != "Si chiede\r\nil rimborso." || *ticket.Phone != "+393331234567" || ticket.MayRemind || len(ticket.Attachments) != 3 {
			t.Fatalf("opened as %s", opened.body)
		}
		if ticket.Attachments[0].FileName != "F24.pdf" || ticket.Attachments[1].FileName != "fdp.exe.png" {
			t.Errorf("files %+v", ticket.Attachments)
		}
		path := opened.header.Get("Location")
		shown := w.do(http.MethodGet, path, f.token, nil).want(t, http.StatusOK, "")
		if !bytes.Equal(shown.body, opened.body) || shown.header.Get("ETag") != opened.header.Get("ETag") {
			t.Errorf("shown as %s", shown.body)
		}
		w.do(http.MethodGet, path, f.token, nil, header{"If-None-Match", shown.header.Get("ETag")}).want(t, http.StatusNotModified, "")

		for _, c := range []struct{ channel, to string }{{"email", "studio@example.com"}, {"sms", "%2B393331234567"}} {
			told := w.do(http.MethodGet, "/v1/sandbox/messages?channel="+c.channel+"&to="+c.to, "", nil).want(t, http.StatusOK, "")
			if !bytes.Contains(told.body, []byte(ticket.ProtocolNumber)) || bytes.Contains(told.body, []byte("Si chiede")) ||
				bytes.Contains(told.body, []byte(f.person.FamilyName)) {
				t.Errorf("%s: %s", c.channel, told.body)
			}
		}
		w.do(http.MethodPost, path+"/comments", f.token, map[string]any{"text": "Si allega\nla quietanza."}, key()).want(t, http.StatusCreated, "")
		comments := w.do(http.MethodGet, path+"/comments", f.token, nil).want(t, http.StatusOK, "")
		if !bytes.Contains(comments.body, []byte(`"text":"Si allega\nla quietanza."`)) {
			t.Errorf("comments %s", comments.body)
		}
		w.do(http.MethodPost, path+"/reminders", f.token, nil, key()).want(t, http.StatusConflict, "conflict")
		w.clock.Advance(10 * 24 * time.Hour)
		f.token = w.loginAs(f.person).AccessToken
		late := w.do(http.MethodGet, path, f.token, nil).want(t, http.StatusOK, "")
		if late.field("may_remind") != true || late.field("allows_appointment") != true || late.header.Get("ETag") == shown.header.Get("ETag") {
			t.Errorf("after ten days it is %s", late.body)
		}
		reminded := w.do(http.MethodPost, path+"/reminders", f.token, nil, key()).want(t, http.StatusOK, "")
		if reminded.field("reminded_at") == nil || reminded.field("may_remind") != false {
			t.Errorf("reminded as %s", reminded.body)
		}
		w.do(http.MethodPost, path+"/reminders", f.token, nil, key()).want(t, http.StatusConflict, "conflict")
		for _, list := range []string{"/v1/tickets?topic=payments&state=open", "/v1/contributors/" + f.contributor.String() + "/tickets?kind=request"} {
			found := w.do(http.MethodGet, list, f.token, nil).want(t, http.StatusOK, "")
			if !bytes.Contains(found.body, []byte(ticket.TicketId.String())) || bytes.Contains(found.body, []byte("Si chiede")) {
				t.Errorf("%s: %s", list, found.body)
			}
		}
		events := w.do(http.MethodGet, "/v1/events?types=ticket.opened,ticket.commented", f.token, nil).want(t, http.StatusOK, "")
		if n := bytes.Count(events.body, []byte(`"type":"ticket.`)); n != 2 {
			t.Errorf("%d events: %s", n, events.body)
		}
		w.downloads(f, path, ticket)
	})
}

// downloads checks the archive of a ticket: whole, in parts, and read by another program.
func (w *fixture) downloads(f filer, path string, ticket client.Ticket) {
	t := w.t
	t.Helper()
	whole := w.do(http.MethodGet, path+"/attachments", f.token, nil).want(t, http.StatusOK, "")
	if whole.header.Get("Content-Type") != "application/zip" || whole.header.Get("Accept-Ranges") != "bytes" ||
		whole.header.Get("Cache-Control") != "no-store" ||
		!strings.HasPrefix(whole.header.Get("Content-Disposition"), `attachment; filename="quesito-INPS.`) {
		t.Errorf("headers %v", whole.header)
	}
	archive, err := zip.NewReader(bytes.NewReader(whole.body), int64(len(whole.body)))
	if err != nil {
		t.Fatal(err)
	}
	for i, file := range archive.File {
		r, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		sum := sha256.Sum256(content)
		if err != nil || "sha-256:"+hex.EncodeToString(sum[:]) != ticket.Attachments[i].Digest || file.Name != ticket.Attachments[i].FileName {
			t.Errorf("%s came back as %d bytes, %v", file.Name, len(content), err)
		}
	}
	// Two that did not write it, from the front and from the end.
	name := filepath.Join(t.TempDir(), "quesito.zip")
	if err := os.WriteFile(name, whole.body, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, program := range [][]string{
		{"python3", "-c", "import sys, zipfile; sys.exit(zipfile.ZipFile(sys.argv[1]).testzip() is not None)", name}, {"unzip", "-tq", name},
	} {
		if _, err := exec.LookPath(program[0]); err != nil {
			continue
		}
		if said, err := exec.CommandContext(t.Context(), program[0], program[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v %s", program[0], err, said)
		}
	}
	size := len(whole.body)
	tag := whole.header.Get("ETag")
	for asked, want := range map[string][2]int{
		"bytes=0-9": {0, 10}, "bytes=1000-": {1000, size}, "bytes=-5": {size - 5, size}, "bytes=10-99999999": {10, size},
	} {
		part := w.do(http.MethodGet, path+"/attachments", f.token, nil, header{"Range", asked}, header{"If-Range", tag})
		part.want(t, http.StatusPartialContent, "")
		if !bytes.Equal(part.body, whole.body[want[0]:want[1]]) || part.header.Get("Content-Range") == "" || part.header.Get("ETag") != tag {
			t.Errorf("%s: %d bytes, %v", asked, len(part.body), part.header)
		}
	}
	for _, asked := range []string{"bytes=99999999-", "bytes=5-4", "bytes=-0", "bytes=-", "lines=1-2", "bytes=0-1,3-4"} {
		if all := w.do(http.MethodGet, path+"/attachments", f.token, nil, header{"Range", asked}).want(t, http.StatusOK, ""); len(all.body) != size {
			t.Errorf("%s: %d bytes", asked, len(all.body))
		}
	}
	w.do(http.MethodGet, path+"/attachments", f.token, nil, header{"Range", "bytes=0-9"}, header{"If-Range", `"other"`}).want(t, http.StatusOK, "")
	w.do(http.MethodGet, path+"/attachments", f.token, nil, header{"If-None-Match", tag}).want(t, http.StatusNotModified, "")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodHead, w.url+path+"/attachments", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+f.token)
	head, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = head.Body.Close() }()
	if head.StatusCode != http.StatusOK || head.ContentLength != int64(size) || head.Header.Get("ETag") != tag {
		t.Errorf("HEAD answered %d, %v", head.StatusCode, head.Header)
	}
	none := w.do(http.MethodPost, "/v1/contributors/"+f.contributor.String()+"/tickets", f.token, map[string]any{
		"topic": "payments-f24", "position_id": f.position, "subject": "prova", "text": "prova", "phone": "3331234567",
	}, key()).want(t, http.StatusCreated, "")
	w.do(http.MethodGet, none.header.Get("Location")+"/attachments", f.token, nil).want(t, http.StatusNotFound, "not-found")
}

// TestTickets_WhatIsRefusedLeavesNothing: no row, no number and no file.
func TestTickets_WhatIsRefusedLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		before, tickets := w.stored(), w.rows("tickets", "1 = 1")
		file := sent{"a.pdf", pdfHead}
		for name, c := range map[string]struct{ body, code, place string }{
			"a fourth file":      {ticketForm(f, nil, file, file, file, file), "too-many", "/attachments"},
			"a file of 0 bytes":  {ticketForm(f, nil, file, sent{"b.pdf", ""}), "file-empty", "/attachments/1"},
			"a byte over 3 MiB":  {ticketForm(f, nil, sent{"b.pdf", pdfHead + strings.Repeat("x", 3<<20+1-len(pdfHead))}), "file-too-large", "/attachments/0"},
			"wrong magic bytes":  {ticketForm(f, nil, sent{"b.pdf", "MZ\x90\x00"}), "file-type", "/attachments/0"},
			"no address":         {strings.NewReplacer("studio@example.com", "x").Replace(ticketForm(f, nil, file)), "format", "/email"},
			"a heading":          {ticketForm(f, map[string]string{"topic": "payments"}, file), "topic-heading", "/topic"},
			"another's position": {ticketForm(f, map[string]string{"position_id": uuid.NewString()}, file), "unknown-position", "/position_id"},
		} {
			a := w.openTicket(f, c.body).want(t, http.StatusUnprocessableEntity, "validation-failed")
			if !bytes.Contains(a.body, []byte(`"code":"`+c.code+`"`)) || !bytes.Contains(a.body, []byte(`"pointer":"`+c.place+`"`)) {
				t.Errorf("%s: %s", name, a.body)
			}
			if c.code == "file-type" && (!bytes.Contains(a.body, []byte("P7M")) || !bytes.Contains(a.body, []byte("3 MiB"))) ||
				c.code == "file-too-large" && !bytes.Contains(a.body, []byte("3 MiB")) {
				t.Errorf("%s does not say what is taken: %s", name, a.body)
			}
		}
		if w.stored() != before || w.rows("tickets", "1 = 1") != tickets {
			t.Errorf("%d files and %d tickets are left", w.stored()-before, w.rows("tickets", "1 = 1")-tickets)
		}
	})
}

// TestTickets_OneKeyIsOneTicket: ten sends at once with one key are one ticket with its three files.
func TestTickets_OneKeyIsOneTicket(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		before, tickets := w.stored(), w.rows("tickets", "1 = 1")
		once := key()
		file := sent{"a.pdf", pdfHead + strings.Repeat("x", 50_000)}
		body := ticketForm(f, nil, file, file, file)
		answers := make([]answer, 10)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() {
				answers[i] = w.do(
					http.MethodPost, "/v1/contributors/"+f.contributor.String()+"/tickets", f.token, body, once, ticketType,
				)
			})
		}
		all.Wait()
		for _, a := range answers {
			if a.status != http.StatusCreated || a.field("ticket_id") != answers[0].field("ticket_id") {
				t.Errorf("answered %d %s", a.status, a.body)
			}
		}
		if w.stored() != before+1 || w.rows("tickets", "1 = 1") != tickets+1 {
			t.Errorf("%d archives, %d tickets", w.stored()-before, w.rows("tickets", "1 = 1")-tickets)
		}
		w.openTicket(f, ticketForm(f, nil, file), once).want(t, http.StatusUnprocessableEntity, "idempotency-key-reused")
	})
}
