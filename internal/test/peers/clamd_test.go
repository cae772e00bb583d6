//go:build peers

package peers

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"diresco/internal/platform/clamd"
	"diresco/internal/test/dbtest"
)

// testFile is the file that every scanner finds something in, by agreement (EICAR). It is put together
// here, so that none finds it in this source.
var testFile = `X5O!P%@AP[4\PZX54(P^)7CC)7}$` + "EICAR-STANDARD-" + "ANTIVIRUS-TEST-FILE!" + "$H+H*"

// startClamd runs a daemon that knows one thing: the test file. It returns its socket.
func startClamd(t *testing.T, most string) (socket string, daemon *process) {
	t.Helper()
	dir := t.TempDir()
	socket = filepath.Join(dir, "clamd.sock")
	settings := fmt.Sprintf("Foreground yes\nLocalSocket %s\nDatabaseDirectory %s\nTemporaryDirectory %s\nStreamMaxLength %s\n", socket, dir, dir, most)
	signature := "Test-File:0:0:" + hex.EncodeToString([]byte(testFile)) + "\n"
	for name, content := range map[string]string{"clamd.conf": settings, "test.ndb": signature} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	daemon = run(t, exec.CommandContext(t.Context(), peer(t, "clamd"), "--config-file="+filepath.Join(dir, "clamd.conf")))
	client, err := clamd.New("unix:"+socket, nil)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "clamd answers", func() bool { return client.Ping(t.Context()) == nil })
	return socket, daemon
}

func TestClamd_IsUnderstood(t *testing.T) {
	socket, _ := startClamd(t, "2M")
	client, err := clamd.New("unix:"+socket, nil)
	if err != nil {
		t.Fatal(err)
	}
	if finding, err := client.Scan(t.Context(), strings.NewReader("nothing in it")); err != nil || finding != "" {
		t.Errorf("%q, %v", finding, err)
	}
	if finding, err := client.Scan(t.Context(), strings.NewReader(testFile)); err != nil || !strings.Contains(finding, "Test-File") {
		t.Errorf("%q, %v", finding, err)
	}
	if finding, err := client.Scan(t.Context(), bytes.NewReader(make([]byte, 8<<20))); !errors.Is(err, clamd.ErrTooLong) {
		t.Errorf("a file that is too long: %q, %v", finding, err)
	}
}

// TestClamd_KeepsFilesClosed: the files of a ticket are handed out once the scanner has found nothing
// in them, and those with the test file never.
func TestClamd_KeepsFilesClosed(t *testing.T) {
	socket, daemon := startClamd(t, "25M")
	at := start(t, dbtest.SQLite(t), "CLAMD=unix:"+socket).site()
	session := at.do(request{method: "POST", path: "/v1/sandbox/people/rep-rome/sessions"}, 201)
	token, _ := session.field(t, "access_token").(string)
	contributors := at.do(request{method: "GET", path: "/v1/contributors?limit=1", token: token}, 200)
	_, id, _ := strings.Cut(string(contributors.body), `"contributor_id":"`)
	id = id[:36]
	open := func(content string) string {
		t.Helper()
		var form bytes.Buffer
		w := multipart.NewWriter(&form)
		for name, value := range map[string]string{"topic": "payments-refunds", "subject": "Prova", "text": "Prova", "email": "studio@example.com"} {
			if err := w.WriteField(name, value); err != nil {
				t.Fatal(err)
			}
		}
		file, err := w.CreateFormFile("attachments", "prova.txt")
		if err == nil {
			_, err = file.Write([]byte(content))
		}
		if err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at.url+"/v1/contributors/"+id+"/tickets", &form)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", w.FormDataContentType())
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Idempotency-Key", uuid.NewString())
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusCreated {
			t.Fatalf("not opened: %d", response.StatusCode)
		}
		return strings.TrimPrefix(response.Header.Get("Location"), "/v1")
	}
	state := func(path string) string {
		shown := at.do(request{method: "GET", path: "/v1" + path, token: token}, 200)
		got, _ := shown.field(t, "attachments_scan").(string)
		return got
	}
	download := func(path string) int {
		t.Helper()
		a, err := at.send(request{method: "GET", path: "/v1" + path + "/attachments", token: token})
		if err != nil {
			t.Fatal(err)
		}
		return a.status
	}
	clean, bad := open("nothing in it\n"), open(testFile)
	eventually(t, "both are scanned", func() bool { return state(clean) == "clean" && state(bad) == "refused" })
	if got := download(clean); got != http.StatusOK {
		t.Errorf("a clean file: %d", got)
	}
	if got := download(bad); got != http.StatusConflict {
		t.Errorf("the test file: %d", got)
	}
	daemon.end()
	waiting := open("nothing in it either\n")
	if got := download(waiting); got != http.StatusConflict || state(waiting) != "waiting" {
		t.Errorf("without the scanner: %d", got)
	}
}
