package sandbox_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/sandbox"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func (w *fixture) execute(statement string, args ...any) {
	w.t.Helper()
	if err := w.db.InTx(context.Background(), func(ctx context.Context) error {
		return w.db.From(ctx).Exec(statement, args...).Error
	}); err != nil {
		w.t.Fatal(err)
	}
}

// fill leaves a row in every table, with every kind of link between them.
func (w *fixture) fill() {
	w.t.Helper()
	ctx := context.Background()
	made, err := w.CreateContributor(
		request("createSandboxContributor", "key-of-a-contributor"), sandbox.ContributorInput{Kind: contributor.Company},
	)
	if err != nil {
		w.t.Fatal(err)
	}
	p := w.who("Legal representative")
	if !w.works(p, false) {
		w.t.Error("the PIN does not work")
	}
	w.promise("pin.changed", p, struct{}{})
	w.messages(sandbox.MessageFilter{})
	now := w.clock.Now()
	id := func() uuid.UUID { return uuid.Must(uuid.NewV7()) }
	w.execute("INSERT INTO pin_rotations (person_id, id, session_id, hash, expires_at) VALUES (?, ?, ?, 'x', ?)", p.ID, id(), id(), now)
	session := id()
	w.execute(`INSERT INTO sessions (id, person_id, login_method, pin_change_required, created_at, authenticated_at, last_seen_at,
		expires_at, refresh_generation, refresh_hash)
		VALUES (?, ?, 'pin', ?, ?, ?, ?, ?, 0, 'x')`, session, p.ID, false, now, now, now, now.Add(time.Hour))
	w.execute("INSERT INTO page_sessions (secret_hash, session_id, created_at) VALUES ('x', ?, ?)", session, now)
	w.fillConsents(p.ID, made.ID)
	w.execute("INSERT INTO survey_participations (survey_id, mac) VALUES (?, 'x')", uuid.Must(uuid.NewV7()))
	w.execute(`INSERT INTO protocol_reserves (office_code, year, first_number, last_number, reason, at)
		VALUES ('7000', 2020, 1, 2, 'r', ?)`, now)
	w.execute("INSERT INTO address_failures (id, address, at) VALUES (?, '192.0.2.1', ?)", id(), now)
	w.execute("INSERT INTO access_log (id, at, operation, outcome, request_id, address) VALUES (?, ?, 'x', 'x', 'x', 'x')", id(), now)
	w.execute("INSERT INTO protocol_counters (office_code, year, last_number, last_at) VALUES ('1400', 2026, 1, ?)", now)
	var typ struct {
		Code    string
		Version int
	}
	if err := w.db.From(ctx).Table("declaration_types").Limit(1).Scan(&typ).Error; err != nil {
		w.t.Fatal(err)
	}
	var before *uuid.UUID
	for n := 1; n <= 2; n++ {
		declaration := id()
		w.execute(`INSERT INTO declarations (id, contributor_id, position_id, office_code, type, type_version, step, state, content,
			person_id, acting_as, right_id, supersedes_id,
			version, created_at, updated_at, listed_at, submitted_at, protocol_number, digest)
			VALUES (?, ?, ?, '7000', ?, ?, 'single', 'submitted', '{}', ?, 'legal_representative', ?, ?, 1, ?, ?, ?, ?, 'x', 'x')`,
			declaration, made.ID, made.Positions[0].ID, typ.Code, typ.Version, p.ID, id(), before, now, now, now, now)
		w.execute(
			"INSERT INTO protocol_entries (office_code, year, number, at, kind, subject_id, digest, jws, filed_state, filed_version) "+
				"VALUES ('1400', 2026, ?, ?, 'declaration', ?, 'x', 'x', 'submitted', 1)",
			n, now, declaration,
		)
		before = &declaration
	}
	w.execute(
		"INSERT INTO events (position, id, type, at, service, subject_kind, subject_id) VALUES (1, ?, 'x', ?, '', 'declaration', 'x')", id(), now,
	)
	w.execute("INSERT INTO log_entries (position, kind, row_id, salt, digest) VALUES (0, 'audit', ?, ?, ?)", id(), []byte("x"), []byte("x"))
	w.execute("INSERT INTO log_erasures (position, digest, record_id) VALUES (0, ?, ?)", []byte("x"), id())
	w.execute("INSERT INTO log_cosignatures (witness, size, checkpoint) VALUES ('w', 1, 'c')")
	w.execute("INSERT INTO log_tiles (level, number, hashes) VALUES (0, 0, ?)", []byte("x"))
	w.execute("INSERT INTO log_offices (office_code, year, number) VALUES ('7000', 2026, 1)")
	w.execute("INSERT INTO funds (code, title, created_at) VALUES ('x', 'x', ?)", now)
	w.execute(`INSERT INTO fund_entries (fund_code, number, at, kind, amount, budget, reserved, spent, person_id)
		VALUES ('x', 1, ?, 'budget', 1, 1, 0, 0, ?)`, now, p.ID)
	w.execute(`INSERT INTO fund_claims (fund_code, rank, subject_id, amount, filed_at, priority_date, state, hire_days, hire_working, term_days,
		term_working) VALUES ('x', 1, ?, 1, ?, '9999-12-31', 'pending', 0, 0, 1, 0)`, before, now)
	w.execute(
		"INSERT INTO one_time_codes (id, purpose, subject_id, mac_key, mac, created_at, expires_at) VALUES (?, 'x', ?, 'x', 'x', ?, ?)",
		id(), p.ID, now, now,
	)
	w.execute(`INSERT INTO pin_requests (id, tax_code, given_name, family_name, birth_date, birth_place, street, postal_code, town,
		province, contacts, state, person_id, version, created_at)
		VALUES ('x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', '[]', 'served', ?, 1, ?)`, p.ID, now)
	w.execute(
		"INSERT INTO pin_revocations (id, person_id, revoked_by, reason, revoked_at) VALUES (?, ?, ?, 'lost', ?)", id(), p.ID, p.ID, now,
	)
	w.execute(`INSERT INTO counter_pins (id, person_id, issued_by, issued_at, dispositive_at, attachments) VALUES (?, ?, ?, ?, ?, '[]')`,
		id(), p.ID, p.ID, now, now)
	w.execute(`INSERT INTO staff_looks (id, person_id, staff_id, at, operation, request_id, user_class) VALUES (?, ?, ?, ?, 'x', 'x', 'x')`,
		id(), p.ID, p.ID, now)
	upgrade := id()
	w.execute(`INSERT INTO pin_upgrades (id, person_id, office_code, protocol_number, digest, document_kind, document_number, issued_by,
		issued_on, expires_on, attachments, state,
		submitted_at, version) VALUES (?, ?, '7000', 'x', 'x', 'passport', 'x', 'x', 'x', 'x', '[]', 'submitted', ?, 1)`, upgrade, p.ID,
		now)
	w.execute(
		"INSERT INTO notification_preferences (person_id, language, muted, version, updated_at) VALUES (?, 'it', '[]', 2, ?)", p.ID, now,
	)
	w.execute(`INSERT INTO register_people (tax_code, given_name, family_name, birth_date, birth_place, street, postal_code, town,
		province, office_code, updated_at)
		VALUES ('x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', '7000', ?)`, now)
	w.execute(`INSERT INTO enrolments (id, form, person_id, contributor_id, office_code, services, protocol_number, digest, awaited,
		state, submitted_at, version)
		VALUES (?, 'SC65', ?, ?, '7000', '[]', 'x', 'x', ?, 'submitted', ?, 1)`, id(), p.ID, made.ID, false, now)
	ticket := id()
	w.execute(`INSERT INTO tickets (id, kind, contributor_id, office_code, topic, subject, text, email, person_id, right_id, acting_as,
		attachments, archive_digest, archive_size, protocol_number, digest, opened_at, state, version, updated_at)
		VALUES (?, 'request', ?, '7000', 'payments-f24', 'x', 'x', 'x', ?, ?, 'employer', '[{}]', 'x', 1, 'x', 'x', ?, 'open', 1, ?)`,
		ticket, made.ID, p.ID, id(), now, now)
	w.execute("INSERT INTO file_scans (id, kind, keys, state, held_at, due_at) VALUES (?, 'ticket', '[]', 'waiting', ?, ?)", ticket, now, now)
	w.execute(`INSERT INTO ticket_comments (id, ticket_id, author_id, by_office, visibility, text, at)
		VALUES (?, ?, ?, ?, 'visible', 'x', ?)`, id(), ticket, p.ID, false, now)
	w.execute(`INSERT INTO smart_tasks (id, contributor_id, type, content, state, person_id, right_id, session_id, request_id, address,
		submitted_at, checks, reasons, failures) VALUES (?, ?, 'x', '{}', 'submitted', ?, ?, ?, 'x', 'x', ?, '[]', '[]', 0)`,
		ticket, made.ID, p.ID, id(), id(), now)
	w.execute("INSERT INTO smart_task_access (type, open_to, version, updated_at) VALUES ('x', 'group', 1, ?)", now)
	w.execute("INSERT INTO smart_task_members (type, tax_code) VALUES ('x', 'x')")
	w.execute(`INSERT INTO rectification_contacts (id, position_id, kind, value, state, updated_at)
		VALUES (?, ?, 'email', 'x', 'bounced', ?)`, id(), made.Positions[0].ID, now)
	slot := id()
	w.execute(`INSERT INTO appointment_slots (id, office_code, desk, channel, topics, starts_at, ends_at, published_at)
		VALUES (?, '7000', 99, 'counter', '[]', ?, ?, ?)`, slot, now, now.Add(time.Hour), now)
	w.execute(`INSERT INTO appointments (id, slot_id, person_id, topic, ticket_id, phone, notes, state, booked_at, confirm_by, sequence,
		version, updated_at) VALUES (?, ?, ?, 'payments-f24', ?, 'x', 'x', 'booked', ?, ?, 0, 1, ?)`, id(), slot, p.ID, ticket, now, now, now)
	w.execute(`INSERT INTO dma_submissions (id, contributor_id, position_id, office_code, period, variations_only, form, size, totals,
		person_id, acting_as, right_id, protocol_number, digest, awaited, state, submitted_at, updated_at, version)
		VALUES (?, ?, ?, '7000', 'x', ?, 'xml', 1, '{}', ?, 'x', ?, 'x', 'x', ?, 'submitted', ?, ?, 1)`,
		id(), made.ID, made.Positions[0].ID, false, p.ID, id(), false, now, now)
	w.execute(`INSERT INTO federated_logins (id, provider_id, protocol, level, state_hash, sealed_attempt, return_url, code_challenge, begun_at,
		expires_at, person_id) VALUES (?, 'x', 'saml', 2, 'x', 'x', 'x', 'x', ?, ?, ?)`, id(), now, now, p.ID)
	w.execute("INSERT INTO federated_answers (digest, seen_at) VALUES ('x', ?)", now)
	w.execute("INSERT INTO menus (person_id, entries, version, updated_at) VALUES (?, '[]', 2, ?)", p.ID, now)
	w.fillImports(made.Positions[0].ID, p.ID)
	w.fillDelegations(p.ID)
	w.execute("INSERT INTO due_marks (source, done_until) VALUES ('test', ?)", now)
	for _, key := range []string{
		"receipts/" + before.String() + ".pdf", "pin-upgrades/" + upgrade.String() + "/1",
		"tickets/" + ticket.String() + ".zip", "receipts/" +
			id().String() + ".pdf",
	} {
		if err := w.blobs.WriteAll(ctx, key, []byte("x"), nil); err != nil {
			w.t.Fatal(err)
		}
	}
}

// fillWebhooks leaves a webhook of an application, and something that was sent to it.
func (w *fixture) fillWebhooks(application uuid.UUID) {
	w.t.Helper()
	hook, delivery, now := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), w.clock.Now()
	w.execute(`INSERT INTO webhooks (id, application_id, url, event_types, state, private_key, public_key, created_at, updated_at)
		VALUES (?, ?, 'x', '[]', 'enabled', 'x', 'x', ?, ?)`, hook, application, now, now)
	w.execute("INSERT INTO webhook_secrets (id, webhook_id, sealed, created_at) VALUES (?, ?, 'x', ?)", uuid.Must(uuid.NewV7()), hook, now)
	w.execute(`INSERT INTO webhook_deliveries (id, webhook_id, event_id, type, at, service, subject_kind, subject_id, state, tries, next_at,
		created_at, updated_at) VALUES (?, ?, ?, 'x', ?, '', 'x', 'x', 'delivered', 1, ?, ?, ?)`,
		delivery, hook, uuid.Must(uuid.NewV7()), now, now, now, now)
	w.execute("INSERT INTO webhook_attempts (id, delivery_id, at, outcome, status, duration_ms) VALUES (?, ?, ?, 'delivered', 200, 1)",
		uuid.Must(uuid.NewV7()), delivery, now)
	w.execute("INSERT INTO webhook_replays (id, webhook_id, count, created_at) VALUES (?, ?, 1, ?)", uuid.Must(uuid.NewV7()), hook, now)
}

// fillConsents leaves a consent for an application, which acts by it.
func (w *fixture) fillConsents(personID, contributorID uuid.UUID) {
	w.t.Helper()
	application, consent, now := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), w.clock.Now()
	w.execute(`INSERT INTO applications (id, client_id, display_name, kind, token_endpoint_auth_method, redirect_uris, scopes, contact_email,
		jwks_uri, logo_uri, state, person_id, created_at, updated_at, submitted_at)
		VALUES (?, 'x', 'x', 'public', 'none', '[]', '[]', 'x', '', '', 'approved', ?, ?, ?, ?)`, application, personID, now, now, now)
	w.execute(`INSERT INTO consents (id, person_id, application_id, scopes, services, every_contributor, given_at, expires_at)
		VALUES (?, ?, ?, '[]', '[]', ?, ?, ?)`, consent, personID, application, false, now, now.Add(time.Hour))
	w.execute("INSERT INTO consent_contributors (consent_id, contributor_id) VALUES (?, ?)", consent, contributorID)
	w.execute("INSERT INTO consent_exclusions (consent_id, contributor_id, excluded_at) VALUES (?, ?, ?)", consent, contributorID, now)
	w.execute(`INSERT INTO sessions (id, person_id, login_method, pin_change_required, created_at, authenticated_at, last_seen_at,
		expires_at, refresh_generation, refresh_hash, consent_id)
		VALUES (?, ?, 'pin', ?, ?, ?, ?, ?, 0, 'x', ?)`, uuid.Must(uuid.NewV7()), personID, false, now, now, now, now.Add(time.Hour), consent)
	w.execute(`INSERT INTO oauth_flows (id, application_id, kind, state, redirect_uri, code_challenge, scopes, details, language, person_id, consent_id,
		created_at, expires_at)
		VALUES (?, ?, 'browser', 'approved', 'x', 'x', '[]', '[]', '', ?, ?, ?, ?)`, uuid.Must(uuid.NewV7()), application, personID, consent, now, now)
	w.execute("INSERT INTO oauth_assertions (application_id, id_hash, expires_at) VALUES (?, 'x', ?)", application, now)
	w.execute("INSERT INTO dpop_proofs (proof_hash, expires_at) VALUES ('x', ?)", now)
	w.fillWebhooks(application)
}

// rows counts the rows of every table of the schema.
func (w *fixture) rows() map[string]int64 {
	w.t.Helper()
	query := "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
	if w.db.Dialect() == db.Postgres {
		// What programs of the release before leave in receipts_ahead is of no use once it was taken into the register.
		query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND " +
			"table_name <> 'receipts_ahead'"
	}
	var names []string
	if err := w.db.From(context.Background()).Raw(query).Scan(&names).Error; err != nil {
		w.t.Fatal(err)
	}
	rows := map[string]int64{}
	for _, name := range names {
		rows[name] = w.count(name)
	}
	return rows
}

func (w *fixture) files() (n int) {
	list := w.blobs.List(nil)
	for {
		if _, err := list.Next(context.Background()); err != nil {
			return n
		}
		n++
	}
}

func TestReset_BeginsAnew(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		ctx := context.Background()
		w.execute("INSERT INTO signing_keys (kid, purpose, jwk, created_at) VALUES ('receipt-1', 'receipt', '{}', ?)", start)
		w.execute("INSERT INTO signing_key_revocations (kid, revoked_at, reason, created_at) VALUES ('receipt-1', ?, 'r', ?)", start, start)
		w.execute("INSERT INTO data_keys (id, check_value, created_at) VALUES ('k1', 'c', ?)", start)
		w.execute(`INSERT INTO processes (id, name, data_keys, signing_keys, started_at, seen_at)
			VALUES (?, 'p', 'k1', '', ?, ?)`, uuid.New(), start, start)
		w.execute("INSERT INTO sandbox_keys (id, signing_keys, data_keys) VALUES (1, '{}', 'k1')")
		before, people := w.rows(), w.people()
		w.fill()
		// Without a row in every table the test would not see one that is forgotten.
		for table, n := range w.rows() {
			if n == 0 {
				t.Errorf("the test leaves no row in %s", table)
			}
		}
		if _, err := w.Move(ctx, sandbox.Move{Advance: "P2Y"}); err != nil {
			t.Fatal(err)
		}
		w.machine.Advance(time.Hour)
		if err := w.Reset(request("resetSandbox", "")); err != nil {
			t.Fatal(err)
		}
		before["audit_records"] = 1
		for table, n := range w.rows() {
			if n != before[table] {
				t.Errorf("%d rows in %s, want %d", n, table, before[table])
			}
		}
		if got := w.Clock(); got.Offset != 0 || !got.Now.Equal(start.Add(time.Hour)) || open(t, d).Clock().Offset != 0 {
			t.Errorf("the clock stands at %+v", got)
		}
		after := w.people()
		for i, p := range after {
			if p.TaxCode != people[i].TaxCode || p.PIN != people[i].PIN || p.ID == people[i].ID ||
				!p.CreatedAt.Equal(start.Add(time.Hour)) {
				t.Errorf("%s is not made anew", p.Description)
			}
			if !w.works(p, len(p.PIN.Reveal()) == 16) {
				t.Errorf("the PIN of %s does not work", p.Description)
			}
		}
		if n, seeded := w.files(), w.rows()["dma_submissions"]; int64(n) != 1+seeded {
			t.Errorf("%d files are left, want those of the %d lists and the one that is of nothing here", n, seeded)
		}
	})
}

func TestReset_ARepeatedResetResetsOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		if _, err := w.Move(context.Background(), sandbox.Move{Advance: "P2Y"}); err != nil {
			t.Fatal(err)
		}
		if err := w.Reset(request("resetSandbox", "key-1")); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Move(context.Background(), sandbox.Move{Advance: "PT1H"}); err != nil {
			t.Fatal(err)
		}
		kept, err := w.CreatePerson(context.Background(), sandbox.PersonInput{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Reset(request("resetSandbox", "key-1")); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(w.people(), func(p sandbox.Person) bool { return p.ID == kept.ID }) || w.Clock().Offset != time.Hour {
			t.Error("the repeat reset again")
		}
	})
}

func TestReset_AFailedResetChangesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		w.fill()
		if _, err := w.Move(context.Background(), sandbox.Move{Advance: "P2Y"}); err != nil {
			t.Fatal(err)
		}
		before := w.rows()
		w.pins.broken.Store(true)
		if err := w.Reset(request("resetSandbox", "key-1")); err == nil {
			t.Fatal("no error")
		}
		if got := w.Clock(); !got.Now.Equal(time.Date(2028, 3, 2, 9, 0, 0, 0, time.UTC)) {
			t.Errorf("the clock stands at %+v", got)
		}
		for table, n := range w.rows() {
			if n != before[table] {
				t.Errorf("%d rows in %s, want %d", n, table, before[table])
			}
		}
		// Those that fill makes, and those of the two lists that a sandbox begins with.
		if w.files() != 4+2 {
			t.Error("a file is lost")
		}
	})
}

// A reset waits for the step of an import that is under way, and the step for nothing.
func TestReset_BesideAnImport(t *testing.T) {
	// On SQLite one comes after the other anyway.
	d := dbtest.Open(t, dbtest.Postgres(t))
	w := seeded(t, d)
	w.fill()
	done := make(chan error, 1)
	err := d.InTx(context.Background(), func(ctx context.Context) error {
		// As a step does.
		if err := d.From(ctx).Exec("SELECT 1 FROM register_imports FOR UPDATE").Error; err != nil {
			return err
		}
		go func() { done <- w.Reset(request("resetSandbox", "key-of-a-reset")) }()
		world.Eventually(t, "the reset waits", func() bool {
			var waiting int
			err := d.From(context.Background()).Raw(
				"SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
			).Scan(&waiting).Error
			return err == nil && waiting > 0
		})
		return d.From(ctx).Exec("UPDATE staged_people SET line = line + 1").Error
	})
	if err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := w.rows()["register_imports"]; n != 0 {
		t.Errorf("%d imports are left", n)
	}
}
