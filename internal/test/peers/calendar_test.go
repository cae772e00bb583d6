//go:build peers

package peers

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"diresco/internal/test/dbtest"
)

// seen is what a calendar of others sees in a file.
type seen struct {
	Method, UID, Status, Summary, Location string
	Sequence                               int
	Starts, Ends                           time.Time
}

// TestCalendar_IsReadByALibraryOfOthers: the one that Thunderbird uses sees the appointment, its move
// and its end as one event.
func TestCalendar_IsReadByALibraryOfOthers(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "calendar"))); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v: %s", err, out)
	}
	at := start(t, dbtest.SQLite(t)).site()
	person := at.do(request{method: "POST", path: "/v1/sandbox/people", body: map[string]any{}}, 201)
	key, _ := person.field(t, "key").(string)
	session := at.do(request{method: "POST", path: "/v1/sandbox/people/" + key + "/sessions"}, 201)
	token, _ := session.field(t, "access_token").(string)
	var slots struct {
		Items []struct {
			ID       string    `json:"slot_id"`
			StartsAt time.Time `json:"starts_at"`
			EndsAt   time.Time `json:"ends_at"`
		} `json:"items"`
	}
	listed := at.do(request{method: "GET", path: "/v1/offices/7000/slots?channel=counter&free=true"}, 200)
	if err := json.Unmarshal(listed.body, &slots); err != nil || len(slots.Items) < 2 {
		t.Fatalf("%v: %s", err, listed.body)
	}
	booked := at.do(request{method: "POST", path: "/v1/appointments", token: token, body: map[string]any{
		"slot_id": slots.Items[0].ID, "topic": "payments-refunds", "phone": "+393331234567", "notes": "prova",
	}}, 201)
	id, _ := booked.field(t, "appointment_id").(string)
	path := "/v1/appointments/" + id
	look := func() (s seen) {
		t.Helper()
		file := at.do(request{method: "GET", path: path + "/calendar", token: token}, 200)
		reader := exec.CommandContext(t.Context(), "node", "read.mjs")
		reader.Dir, reader.Stdin, reader.Stderr = dir, bytes.NewReader(file.body), os.Stderr
		out, err := reader.Output()
		if err == nil {
			err = json.Unmarshal(out, &s)
		}
		if err != nil || s.UID != id {
			t.Fatalf("%v: %s\n%s", err, out, file.body)
		}
		return s
	}
	first := look()
	if first.Method != "PUBLISH" || first.Status != "TENTATIVE" || !first.Starts.Equal(slots.Items[0].StartsAt) ||
		!first.Ends.Equal(slots.Items[0].EndsAt) ||
		first.Location != "Direzione di coordinamento metropolitano di Roma, Via dell'Amba Aradam 5, 00184 Roma (RM)" {
		t.Errorf("booked, it is seen as %+v", first)
	}
	at.do(request{method: "POST", path: path + "/confirmation", token: token}, 200)
	at.do(request{method: "POST", path: path + "/rescheduling", token: token, body: map[string]any{"slot_id": slots.Items[1].ID}}, 200)
	if moved := look(); moved.Status != "CONFIRMED" || moved.Sequence != first.Sequence+2 || !moved.Starts.Equal(slots.Items[1].StartsAt) {
		t.Errorf("moved, it is seen as %+v", moved)
	}
	at.do(request{method: "POST", path: path + "/cancellation", token: token}, 200)
	if over := look(); over.Method != "CANCEL" || over.Status != "CANCELLED" || over.Sequence != first.Sequence+3 {
		t.Errorf("cancelled, it is seen as %+v", over)
	}
}
