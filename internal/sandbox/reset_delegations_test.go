package sandbox_test

import (
	"context"

	"github.com/google/uuid"
)

// fillDelegations leaves a row in every table of delegations that a new sandbox has none in.
func (w *fixture) fillDelegations(personID uuid.UUID) {
	w.t.Helper()
	now := w.clock.Now()
	id := func() uuid.UUID { return uuid.Must(uuid.NewV7()) }
	var client struct{ ID, DelegateID, ContributorID uuid.UUID }
	if err := w.db.From(context.Background()).Raw("SELECT id, delegate_id, contributor_id FROM " +
		"delegations LIMIT 1").Scan(&client).Error; err != nil {
		w.t.Fatal(err)
	}
	w.execute(
		"INSERT INTO delegation_lookups (id, contributor_id, delegate_id, person_id, at) VALUES (?, ?, ?, ?, ?)", id(),
		client.ContributorID, client.DelegateID, personID, now,
	)
	w.execute(`INSERT INTO delegation_otps (id, delegation_id, contributor_id, mac_key, mac, tries, channel, recipient, sent_by, sent_at,
		expires_at)
		VALUES (?, ?, ?, 'x', 'x', 0, 'pec', 'x', ?, ?, ?)`, id(), client.ID, client.ContributorID, personID, now, now)
	worker := id()
	w.execute("INSERT INTO sub_delegations (id, delegate_id, person_id, every, services, granted_by, granted_at, version) VALUES (?, ?, "+
		"?, ?, '[]', ?, ?, 1)",
		worker, client.DelegateID, personID, false, personID, now)
	w.execute("INSERT INTO sub_delegation_items (sub_delegation_id, delegation_id) VALUES (?, ?)", worker, client.ID)
	batch := id()
	w.execute(`INSERT INTO delegation_batches (id, delegate_id, person_id, state, items_total, items_done, session_id, request_id,
		address, created_at)
		VALUES (?, ?, ?, 'done', 1, 1, ?, 'x', 'x', ?)`, batch, client.DelegateID, personID, id(), now)
	w.execute(`INSERT INTO delegation_batch_items (batch_id, line, position_number, scope, services, exclusive, state, delegation_id,
		failures)
		VALUES (?, 1, 'x', 'total', '[]', ?, 'filed', ?, 0)`, batch, false, client.ID)
	w.fillDeclarationBatches(personID, client.ContributorID)
}

// fillDeclarationBatches leaves a row in every table of batches of declarations.
func (w *fixture) fillDeclarationBatches(personID, contributorID uuid.UUID) {
	w.t.Helper()
	now, batch := w.clock.Now(), uuid.Must(uuid.NewV7())
	var filed struct{ ID uuid.UUID }
	if err := w.db.From(context.Background()).Raw("SELECT id FROM declarations LIMIT 1").Scan(&filed).Error; err != nil {
		w.t.Fatal(err)
	}
	w.execute(`INSERT INTO declaration_batches (id, contributor_id, person_id, right_id, state, all_or_nothing, items_total, session_id,
		request_id, address, created_at, finished_at)
		VALUES (?, ?, ?, ?, 'done', ?, 1, ?, 'x', 'x', ?, ?)`, batch, contributorID, personID, personID, false, personID, now, now)
	w.execute(`INSERT INTO declaration_batch_items (batch_id, line, reference, type, position_id, step, content, state, declaration_id,
		failures)
		VALUES (?, 1, 'x', 'x', ?, '', '', 'filed', ?, 0)`, batch, batch, filed.ID)
	w.execute("INSERT INTO declaration_references (person_id, contributor_id, reference, declaration_id) VALUES (?, ?, 'x', ?)",
		personID, contributorID, filed.ID)
}
