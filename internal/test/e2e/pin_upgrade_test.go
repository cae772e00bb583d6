package e2e

import (
	"bytes"
	"context"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/api/client"
)

// The beginnings of files.
const (
	pngHead  = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"
	jpegHead = "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01"
)

// upgradeType is the media type of what upgradeForm writes.
var upgradeType = header{"Content-Type", "multipart/form-data; boundary=confine"}

// sent is a file as it is sent.
type sent struct{ name, content string }

// upgradeForm is the body of a request for a dispositive PIN. The given fields are added to it, or
// replace what it has. Without files it has two.
func upgradeForm(fields map[string]string, files ...sent) string {
	if files == nil {
		files = []sent{{"fronte.png", pngHead + strings.Repeat("x", 100_000)}, {"retro.jpg", jpegHead}}
	}
	all := map[string]string{
		"document_kind": "identity_card", "document_number": "CA12345AB", "issued_by": "Comune di Napoli", "issued_on": "2021-05-10",
		"expires_on": "2031-05-10",
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
		in, _ := w.CreateFormFile("files", f.name)
		_, _ = io.WriteString(in, f.content)
	}
	_ = w.Close()
	return b.String()
}

// ordinary is the person with an ordinary PIN, logged in.
func (w *fixture) ordinary() filer {
	w.t.Helper()
	return w.filerAs(w.person(hasRole(client.ActingAsLegalRepresentative, client.CredentialLevelOrdinary)))
}

func (w *fixture) upgrade(token string, body string, headers ...header) answer {
	w.t.Helper()
	return w.do(http.MethodPost, "/v1/me/pin/upgrades", token, body, slices.Concat([]header{key(), upgradeType}, headers)...)
}

// TestPINUpgrade_TheOrdinaryPINBecomesDispositive is the whole way from filing with an ordinary
// PIN. The person waits, asks, is looked at, and has what waited completed under the number that it
// always had.
func TestPINUpgrade_TheOrdinaryPINBecomesDispositive(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		ctx := context.Background()
		f := w.ordinary()
		filed := w.do(http.MethodPost, f.path, f.token, f.draft(map[string]any{"submit": true}), key()).want(t, http.StatusCreated, "")
		if filed.field("state") != "awaiting_credentials" {
			t.Fatalf("filed as %s", filed.body)
		}
		declaration := filed.header.Get("Location")
		receipt := func(form string) []byte {
			return w.do(http.MethodGet, declaration+"/receipt", f.token, nil, header{"Accept", form}).want(t, http.StatusOK, "").body
		}
		forms := []string{"application/json", "application/jose", "application/pdf"}
		var before [][]byte
		for _, form := range forms {
			before = append(before, receipt(form))
		}

		once := key()
		asked := w.upgrade(f.token, upgradeForm(nil), once).want(t, http.StatusAccepted, "")
		number, _ := asked.field("protocol_number").(string)
		if asked.field("state") != "submitted" || !protocolNumber.MatchString(number) || asked.field("office_code") != "5100" ||
			asked.field("reason") != nil {
			t.Fatalf("asked as %s", asked.body)
		}
		path := asked.header.Get("Location")
		if path != "/v1/me/pin/upgrades/"+asked.field("upgrade_id").(string) {
			t.Errorf("location is %q", path)
		}
		// The same again, in another wrapping, is the same request.
		again := strings.ReplaceAll(upgradeForm(nil), "confine", "limite")
		if repeated := w.upgrade(f.token, again, once, header{
			"Content-Type", "multipart/form-data; boundary=limite",
		}).want(t, http.StatusAccepted, ""); !bytes.Equal(repeated.body, asked.body) {
			t.Errorf("a repeat answered %s", repeated.body)
		}
		w.upgrade(f.token, upgradeForm(map[string]string{"issued_by": "Altro"}), once).want(
			t, http.StatusUnprocessableEntity, "idempotency-key-reused",
		)
		w.upgrade(f.token, upgradeForm(nil)).want(t, http.StatusConflict, "conflict")
		shown := w.do(http.MethodGet, path, f.token, nil).want(t, http.StatusOK, "")
		if !bytes.Equal(shown.body, asked.body) || shown.header.Get("ETag") == "" {
			t.Errorf("shown as %s", shown.body)
		}
		w.do(http.MethodGet, path, f.token, nil, header{"If-None-Match", shown.header.Get("ETag")}).want(t, http.StatusNotModified, "")

		// The office looks at it.
		c := w.as(w.loginAs(w.person(operatorOf("5100"))).AccessToken)
		state := client.PinUpgradeStateSubmitted
		listed, err := c.ListPinUpgradesWithResponse(ctx, &client.ListPinUpgradesParams{State: &state})
		if err != nil || listed.JSON200 == nil || len(listed.JSON200.Items) != 1 ||
			listed.JSON200.Items[0].Person.TaxCode != f.person.TaxCode {
			t.Fatalf("the office lists %s, %v", listed.Body, err)
		}
		id := listed.JSON200.Items[0].UpgradeId
		for n, want := range map[client.AttachmentNumber]struct{ kind, name, content string }{
			1: {"image/png", "fronte.png", pngHead + strings.Repeat("x", 100_000)}, 2: {"image/jpeg", "retro.jpg", jpegHead},
		} {
			got, err := c.DownloadPinUpgradeAttachmentWithResponse(ctx, id, n, nil)
			if err != nil || got.StatusCode() != http.StatusOK || string(got.Body) != want.content {
				t.Fatalf("file %d: %d, %d bytes, %v", n, got.StatusCode(), len(got.Body), err)
			}
			h := got.HTTPResponse.Header
			disposition, parameters, err := mime.ParseMediaType(h.Get("Content-Disposition"))
			if err != nil || h.Get("Content-Type") != want.kind || disposition != "attachment" || parameters["filename"] != want.name ||
				h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" {
				t.Errorf("file %d came as %v", n, h)
			}
		}
		reason := "Documento leggibile e valido"
		decided, err := c.DecidePinUpgradeWithResponse(ctx, id, &client.DecidePinUpgradeParams{
			IdempotencyKey: uuid.NewString(),
		}, client.PinUpgradeDecision{
			Outcome: client.PinUpgradeDecisionOutcomeAccepted, Reason: reason,
		})
		if err != nil || decided.JSON200 == nil || decided.JSON200.State != client.PinUpgradeStateAccepted ||
			decided.JSON200.DecidedAt == nil {
			t.Fatalf("decided: %s, %v", decided.Body, err)
		}

		// The session that was open all the while sees it.
		if me := w.do(http.MethodGet, "/v1/me", f.token, nil); me.field("credential_level") != "dispositive" {
			t.Errorf("the PIN is %v", me.field("credential_level"))
		}
		if got := w.do(http.MethodGet, path, f.token, nil); got.field("state") != "accepted" || got.field("reason") != reason {
			t.Errorf("its holder sees %s", got.body)
		}
		completed := w.do(http.MethodGet, declaration, f.token, nil).want(t, http.StatusOK, "")
		if completed.field("state") != "submitted" || completed.field("protocol_number") != filed.field("protocol_number") ||
			completed.field("submitted_at") != filed.field("submitted_at") {
			t.Errorf("what waited is %s", completed.body)
		}
		for i, form := range forms {
			if !bytes.Equal(before[i], receipt(form)) {
				t.Errorf("the receipt as %s changed", form)
			}
		}
		w.upgrade(f.token, upgradeForm(nil)).want(t, http.StatusConflict, "conflict")
		if late := w.upgrade(f.token, upgradeForm(nil), once).want(t, http.StatusAccepted, ""); !bytes.Equal(late.body, asked.body) {
			t.Errorf("after the decision the repeat answered %s", late.body)
		}
		next := w.do(http.MethodPost, f.path, f.token, f.draft(map[string]any{"submit": true}), key()).want(t, http.StatusCreated, "")
		if next.field("state") != "submitted" {
			t.Errorf("the next declaration is %v", next.field("state"))
		}
		messages, err := w.as("").ListSandboxMessagesWithResponse(ctx, nil)
		if err != nil || messages.JSON200 == nil {
			t.Fatal(err)
		}
		var subjects []string
		for _, m := range messages.JSON200.Items {
			subjects = append(subjects, m.Subject)
		}
		for _, want := range []string{
			"Richiesta di PIN dispositivo ricevuta, protocollo " + number, "Richiesta di PIN dispositivo accolta, protocollo " + number,
			"Il Suo PIN è dispositivo", "Dichiarazione completata, protocollo " + filed.field("protocol_number").(string),
		} {
			if !slices.Contains(subjects, want) {
				t.Errorf("no message %q among %q", want, subjects)
			}
		}
	})
}

// TestPINUpgrade_NobodyElsesUpgrade: what one person asked is for that person and the office.
func TestPINUpgrade_NobodyElsesUpgrade(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.ordinary()
		asked := w.upgrade(f.token, upgradeForm(map[string]string{"document_number": "SEGRETO77"}, sent{
			"segreto.png", pngHead + "SEGRETO77",
		})).want(t, http.StatusAccepted, "")
		id, _ := asked.field("upgrade_id").(string)
		office := "/v1/backoffice/pin-upgrades"
		for _, p := range w.people() {
			if p.PersonId == f.person.PersonId || len(p.Pin) != 8 || p.OfficeCode != nil && *p.OfficeCode == "5100" {
				continue
			}
			token := w.loginAs(p).AccessToken
			decision := map[string]any{"outcome": "accepted", "reason": "prova"}
			problem, status := "forbidden", http.StatusForbidden
			if p.UserClass == client.UserClassOperator {
				problem, status = "not-found", http.StatusNotFound
			}
			for _, a := range []answer{
				w.do(http.MethodGet, "/v1/me/pin/upgrades/"+id, token, nil).want(t, http.StatusNotFound, "not-found"),
				w.do(http.MethodGet, "/v1/me/pin/upgrades", token, nil).want(t, http.StatusOK, ""),
				w.do(http.MethodGet, office+"/"+id, token, nil).want(t, status, problem),
				w.do(http.MethodGet, office+"/"+id+"/attachments/1", token, nil).want(t, status, problem),
				w.do(http.MethodPost, office+"/"+id+"/decision", token, decision, key()).want(t, status, problem),
				w.do(http.MethodPost, office+"/"+id+"/decision", token, "{}", key()),
				w.do(http.MethodGet, office, token, nil),
			} {
				if bytes.Contains(a.body, []byte("SEGRETO77")) || bytes.Contains(a.body, []byte(id)) {
					t.Errorf("%s sees %s", p.Description, a.body)
				}
			}
		}
		desk := w.loginAs(w.person(operatorOf("5100"))).AccessToken
		read := w.do(http.MethodGet, office+"/"+id+"/attachments/1", desk, nil, header{
			"Request-Id", "trace-download",
		}).want(t, http.StatusOK, "")
		if string(read.body) != pngHead+"SEGRETO77" {
			t.Errorf("the office reads %q", read.body)
		}
		w.do(http.MethodGet, office+"/"+id+"/attachments/1", desk, nil, header{"Accept", "application/pdf"}).want(
			t, http.StatusNotAcceptable, "not-acceptable",
		)
		w.do(http.MethodGet, office+"/"+id+"/attachments/1", desk, nil, header{"Accept", "image/*"}).want(t, http.StatusOK, "")
		for _, number := range []string{"2", "0", "5", "x", "1.0"} {
			w.do(http.MethodGet, office+"/"+id+"/attachments/"+number, desk, nil).want(t, http.StatusNotFound, "not-found")
		}
		w.app.AccessLog.Flush(context.Background())
		var rows int64
		err := w.app.DB.From(context.Background()).Table("access_log").Where(
			"request_id = ? AND operation = ? AND outcome = 'read' AND subject_id = ?", "trace-download", "downloadPinUpgradeAttachment",
			id,
		).Count(&rows).Error
		if err != nil || rows != 1 {
			t.Errorf("%d rows in the access log, %v", rows, err)
		}
		if log := w.log.String(); strings.Contains(log, "SEGRETO77") || strings.Contains(log, "segreto.png") {
			t.Error("the log holds what was sent")
		}
	})
}

// TestPINUpgrade_FilesThatDoHarm: nothing wrong is stored, and what is only called wrongly is made
// safe.
func TestPINUpgrade_FilesThatDoHarm(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.ordinary()
		blobs := func() (n int) {
			_ = filepath.WalkDir(filepath.Join(w.dir, "blobs"), func(_ string, d os.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					n++
				}
				return nil
			})
			return n
		}
		before := blobs()
		one := sent{"a.png", pngHead}
		for name, c := range map[string]struct {
			files   []sent
			status  int
			pointer string
		}{
			"a fifth": {[]sent{one, one, one, one, one}, http.StatusUnprocessableEntity, `"/files"`},
			"nothing": {[]sent{one, {"b.png", ""}}, http.StatusUnprocessableEntity, `"/files/1"`},
			"a byte too long": {
				[]sent{{"a.png", pngHead + strings.Repeat("x", 5<<20-len(pngHead)+1)}}, http.StatusUnprocessableEntity, `"/files/0"`,
			},
			"a program": {[]sent{one, one, {"c.png", "MZ\x90\x00"}}, http.StatusUnprocessableEntity, `"/files/2"`},
			"a page":    {[]sent{{"a.pdf", "<script>alert(1)</script>%PDF-1.7"}}, http.StatusUnprocessableEntity, `"/files/0"`},
			"more than 21 MiB": {
				slices.Repeat([]sent{{"a.png", pngHead + strings.Repeat("x", 5<<20-len(pngHead))}}, 5), http.StatusRequestEntityTooLarge,
				"",
			},
			"a signed PDF": {
				[]sent{{"a.pdf.p7m", "\x30\x80\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07\x02\xA0\x80%PDF-1.7"}},
				http.StatusUnprocessableEntity,
				"PDF, JPEG, PNG, TIFF",
			},
			"a PDF for a certificate": {
				[]sent{{"a.pdf", "%PDF-1.7\ntrailer << /Encrypt << /Filter /Adobe.PubSec >> >>"}}, http.StatusUnprocessableEntity, "file-password",
			},
			"none":              {[]sent{}, http.StatusUnprocessableEntity, `"/files"`},
			"an empty file pun": {[]sent{{"", ""}}, http.StatusUnprocessableEntity, `"/files"`},
		} {
			a := w.upgrade(f.token, upgradeForm(nil, c.files...))
			if a.status != c.status || !strings.Contains(string(a.body), c.pointer) {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
		w.upgrade(f.token, upgradeForm(map[string]string{"expires_on": "2026-03-15"})).want(
			t, http.StatusUnprocessableEntity, "validation-failed",
		)
		w.do(http.MethodPost, "/v1/me/pin/upgrades", f.token, map[string]any{"document_kind": "passport"}, key()).want(
			t, http.StatusUnsupportedMediaType, "unsupported-media-type",
		)
		w.do(http.MethodPost, "/v1/me/pin/upgrades", "", upgradeForm(nil), key(), upgradeType).want(
			t, http.StatusUnauthorized, "unauthenticated",
		)
		if n := blobs() - before; n != 0 {
			t.Errorf("%d files are stored", n)
		}
		asked := w.upgrade(f.token, upgradeForm(nil, sent{
			"../../../\u202Egnp.exe", pngHead,
		}, sent{"a\tb; filename=x.jpg", jpegHead}, sent{strings.Repeat("è", 200), "%PDF-1.7\n"})).want(t, http.StatusAccepted, "")
		attachments, _ := asked.field("attachments").([]any)
		for i, want := range []string{"gnp.exe.png", "a b; filename=x.jpg", strings.Repeat("è", 96) + ".pdf"} {
			if got := attachments[i].(map[string]any)["file_name"]; got != want {
				t.Errorf("file %d is called %q", i+1, got)
			}
		}
		desk := w.loginAs(w.person(operatorOf("5100"))).AccessToken
		for _, number := range []string{"1", "2", "3"} {
			w.do(
				http.MethodGet, "/v1/backoffice/pin-upgrades/"+asked.field("upgrade_id").(string)+"/attachments/"+number, desk, nil,
			).want(t, http.StatusOK, "")
		}
		// Nothing is left of what was on its way.
		if left, err := os.ReadDir(filepath.Join(w.dir, "incoming")); err != nil || len(left) > 0 {
			t.Errorf("%d files left, %v", len(left), err)
		}
	})
}

// TestOneKeyManyTimes: ten at once with one key are one request, with its files once.
func TestPINUpgrade_OneKeyManyTimesIsOneUpgrade(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.ordinary()
		once := key()
		answers := make([]answer, 10)
		var wait sync.WaitGroup
		for i := range answers {
			wait.Go(func() { answers[i] = w.upgrade(f.token, upgradeForm(nil), once) })
		}
		wait.Wait()
		for _, a := range answers {
			if a.status != http.StatusAccepted || !bytes.Equal(a.body, answers[0].body) {
				t.Errorf("answered %d %s", a.status, a.body)
			}
		}
		if n := len(w.do(http.MethodGet, "/v1/me/pin/upgrades", f.token, nil).field("items").([]any)); n != 1 {
			t.Errorf("%d requests", n)
		}
		stored, err := os.ReadDir(filepath.Join(w.dir, "blobs", "pin-upgrades"))
		if err != nil || len(stored) == 0 {
			t.Fatal(err)
		}
		files := 0
		for _, d := range stored {
			in, err := os.ReadDir(filepath.Join(w.dir, "blobs", "pin-upgrades", d.Name()))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range in {
				if !strings.HasSuffix(f.Name(), ".attrs") {
					files++
				}
			}
		}
		if files != 2 {
			t.Errorf("%d files are stored", files)
		}
	})
}

// TestPINUpgrade_AnOldLoginAsksForThePINAgain: raising one's own rights takes a PIN that was
// entered just now.
func TestPINUpgrade_AnOldLoginAsksForThePINAgain(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.ordinary()
		w.clock.Advance(5*time.Minute + time.Microsecond)
		w.upgrade(f.token, upgradeForm(nil)).want(t, http.StatusForbidden, "reauthentication-required")
		w.do(
			http.MethodPost, "/v1/sessions/current/authentications", f.token, map[string]any{"pin": f.person.Pin},
		).want(t, http.StatusOK, "")
		w.upgrade(f.token, upgradeForm(nil)).want(t, http.StatusAccepted, "")
	})
}
