//go:build long

package chaos

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"diresco/api/client"
	"diresco/internal/messaging/channel/channeltest"
)

// alboOf is a file of a professional register. With each round there is one more intermediary, and
// every number is another; a last one is on it in every second round.
func alboOf(round int, others []string, last string) csv {
	lines := []string{"tax_code;given_name;family_name;register_code;registration_number"}
	for n, code := range others[:round+1] {
		lines = append(lines, fmt.Sprintf("%s;Ugo;Verdi;labour_consultants_rm;%d", code, 1000*round+n+1))
	}
	if round%2 == 0 {
		lines = append(lines, fmt.Sprintf("%s;Maria;Bianchi;labour_consultants_rm;%d", last, 1000*round))
	}
	return csv(strings.Join(lines, "\n") + "\n")
}

// bring sends a file of a register as an administrator and returns where its import is shown.
func (l *load) bring(admin *filer, at site, file csv) (location string) {
	last, _, ok := l.insist(admin, at, request{
		method: http.MethodPost, path: "/v1/backoffice/register-imports?register=albi", key: uuid.NewString(), body: file,
	})
	if !ok {
		return ""
	}
	return last.answer.header.Get("Location")
}

// TestSteps_AnImportKilledInEachOfThem: what takes a file of a register, stages it, brings it into
// effect and tells of it is killed with the row of each step about to be written. Whoever comes
// after goes on, and does nothing twice.
func TestSteps_AnImportKilledInEachOfThem(t *testing.T) {
	_, url := postgres(t)
	h := newHouse(t, url)
	s := h.server()
	s.start()
	f := h.seed.filers(1)[0]
	l := newLoad(t, []*filer{f}, s.site)
	admin := &filer{}
	admin.hold(client.Session{AccessToken: h.administrator(s.site, s.site)})
	steps := []step{
		{"register_imports", "INSERT", "a file is taken"},
		{"register_imports", "UPDATE", "a worker takes it up"},
		{"staged_delegates", "INSERT", "its lines are staged"},
		{"delegates", "INSERT", "who is new is listed"},
		{"delegates", "UPDATE", "who is listed is changed"},
		{"delegate_registrations", "INSERT", "who is new is registered"},
		{"delegate_registrations", "UPDATE", "a registration is changed"},
		{"register_notices", "INSERT", "it is noted of whom others must learn"},
		{"outbox", "INSERT", "messages are promised"},
		{"register_notices", "UPDATE", "it is noted who was told"},
		{"staged_delegates", "DELETE", "what was staged is dropped"},
		{"register_notices", "DELETE", "what was noted is dropped"},
	}
	others := make([]string, len(steps)+1)
	for i := range others {
		_, others[i] = h.seed.person()
	}
	_, taxCode := h.seed.person()
	ended := func(location string) func() bool {
		return func() bool {
			shown := decode[client.RegisterImport](t, s.site.get(t, location, admin.token()).want(t, http.StatusOK, ""))
			left := rows[int](t, h.seed.db, "SELECT count(*) FROM register_imports WHERE step <> 'none'")[0]
			return shown.State == client.ImportStateDone && left == 0
		}
	}
	eventually(t, patience, "the first file is worked off", ended(l.bring(admin, s.site, alboOf(0, others, taxCode))))
	h.seed.do(func(ctx context.Context) error {
		if err := h.seed.db.From(ctx).Exec(`INSERT INTO delegations (id, delegate_id, contributor_id, reference_code, scope, services, exclusive,
			signatory_id, state, drafted_by, drafted_at, activated_at, version, updated_at)
			SELECT gen_random_uuid(), h.id, ?, 'DEL-TEST', 'total', '["*"]', false, p.id, 'active', p.id, now(), now(), 1, now()
			FROM delegates h JOIN people p ON p.tax_code = h.tax_code WHERE h.tax_code = ?`, f.contributor, taxCode).Error; err != nil {
			return err
		}
		return h.seed.db.From(ctx).Exec(`INSERT INTO delegation_positions (delegation_id, contributor_id, position_id)
			SELECT d.id, p.contributor_id, p.id FROM delegations d JOIN positions p ON p.contributor_id = d.contributor_id`).Error
	})
	for n, at := range steps {
		taken := make(chan string, 1)
		h.killAt(s, at, func() {
			go func() { taken <- l.bring(admin, s.site, alboOf(n+1, others, taxCode)) }()
		})
		location := <-taken
		if location == "" {
			t.FailNow()
		}
		eventually(t, patience, "the file is worked off", ended(location))
	}
	s.terminate()
	files := len(steps) + 1
	// Both sides of the delegation are told each time: the contributor's and the intermediary.
	for what, want := range map[string]int{
		"register_imports": files, "register_imports WHERE state = 'done' AND lines_done = lines_total": files,
		"audit_records WHERE operation = 'importRegister'": files,
		"staged_delegates": 0, "register_notices": 0,
		"delegates": files + 1, "delegate_registrations": files + 1,
		"delegates WHERE struck_off_at IS NULL":                                                   files + (files % 2),
		"outbox WHERE kind = 'delegation.suspended'":                                              2 * (files / 2),
		"outbox WHERE kind = 'delegation.resumed'":                                                2 * ((files - 1) / 2),
		fmt.Sprintf("delegates WHERE CAST(registration_number AS integer) >= %d", 1000*(files-1)): files + (files % 2),
	} {
		if n := rows[int](t, h.seed.db, "SELECT count(*) FROM "+what)[0]; n != want {
			t.Errorf("there are %d of %s, want %d", n, what, want)
		}
	}
}

// messageID is the header by which a mail says of which delivery it is.
var messageID = regexp.MustCompile(`(?mi)^Message-ID: <([0-9a-f-]{36})@`)

// TestSteps_DeliveriesKilledInEachOfThem: what promises messages, finds out where they go, and sends
// them is killed with the row of each step about to be written, and while the mail server has one.
// Each message is sent, noted as sent once, and has the same id in every copy.
func TestSteps_DeliveriesKilledInEachOfThem(t *testing.T) {
	post := channeltest.NewSMTP(t, channeltest.SMTPOptions{Plain: true})
	_, url := postgres(t)
	h := newHouse(t, url)
	h.common["SMTP_URL"] = "smtp://" + post.Address() + "?from=diresco@example.org"
	s := h.server()
	s.start()
	l := newLoad(t, h.seed.filers(2), s.site)
	h.seed.do(func(ctx context.Context) error {
		return h.seed.db.From(ctx).Exec("INSERT INTO contacts (id, person_id, kind, value, verified_at, created_at) " +
			"SELECT gen_random_uuid(), id, 'email', id || '@posta.example', now(), now() FROM people").Error
	})
	rounds := 0
	kill := func(how func(begin func())) {
		t.Helper()
		f, filed := l.filers[rounds%len(l.filers)], make(chan bool, 1)
		n := rounds
		how(func() {
			go func() {
				ok := l.file(f, s.site, n)
				if ok {
					_, _, ok = l.insist(f, s.site, batchOf(l, f, n))
				}
				filed <- ok
			}()
		})
		if !<-filed {
			t.FailNow()
		}
		rounds++
		l.renew(s.site)
		eventually(t, patience, "all is sent", func() bool {
			return rows[int](t, h.seed.db, "SELECT count(*) FROM deliveries WHERE state = 'sent' AND kind = 'declaration.received'")[0] == rounds &&
				rows[int](t, h.seed.db, "SELECT count(*) FROM deliveries WHERE state = 'sent' AND kind = 'declaration.batch_done'")[0] == rounds
		})
	}
	post.Answer(".", "-")
	kill(func(begin func()) {
		h.killWhen(s, "the mail server has a message and has not said so", func() bool { post.Reached(t, "."); return true },
			func() { post.Answer(".", "") }, begin)
	})
	for _, at := range []step{
		{"deliveries", "INSERT", "a message to one recipient is promised"},
		{"outbox", "INSERT", "a message is promised"},
		{"outbox", "UPDATE", "it is given to its recipients"},
		{"deliveries", "UPDATE", "a worker takes it up"},
		{"delivery_attempts", "INSERT", "it was sent, and that is noted"},
	} {
		kill(func(begin func()) { h.killAt(s, at, begin) })
	}
	s.terminate()
	sent, copies := map[string]bool{}, 0
	for _, m := range post.Mails() {
		id := messageID.FindStringSubmatch(m.Data)
		if id == nil {
			t.Fatalf("a mail says of no delivery that it is its: %s", m.Data)
		}
		if sent[id[1]] {
			copies++
		}
		sent[id[1]] = true
	}
	promised := rows[string](t, h.seed.db, "SELECT CAST(id AS text) FROM deliveries")
	for _, id := range promised {
		if !sent[id] {
			t.Errorf("%s is noted as sent and was not", id)
		}
	}
	if len(promised) != len(sent) {
		t.Errorf("%d messages were sent of %d", len(sent), len(promised))
	}
	for what, want := range map[string]int{
		"count(*) FROM delivery_attempts WHERE outcome = 'sent'": len(promised),
		"count(DISTINCT delivery_id) FROM delivery_attempts":     len(promised),
		"count(*) FROM outbox WHERE state = 'queued'":            0,
	} {
		if n := rows[int](t, h.seed.db, "SELECT "+what)[0]; n != want {
			t.Errorf("%s is %d, want %d", what, n, want)
		}
	}
	t.Logf("%d kills, %d messages, %d sent a second time under the same id", rounds, len(sent), copies)
}
