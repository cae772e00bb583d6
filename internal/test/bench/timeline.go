package main

import (
	"context"
	"fmt"
	"net/http"
)

// timeline lists what happened for a contributor with so many entries.
func (b *bench) timeline(f *filer, of int) work {
	w := b.http(fmt.Sprintf("timeline, 50 of %d entries", of), listClients, http.StatusOK, func(int) []*call {
		path := "/v1/contributors/" + f.contributor + "/dossier-entries?limit=50"
		return []*call{newCall(http.MethodGet, path, b.server.address, f.token, nil, false)}
	})
	w.rows = 50
	return w
}

// record leaves a record of one in two declarations of a contributor, as if an office had taken them
// in charge. The feed of events passes such records over.
func (d *database) record(ctx context.Context, contributorID string) error {
	_, err := d.conn.Exec(ctx, `INSERT INTO audit_records (id, at, operation, contributor_id, subject_kind, subject_id, outcome, detail, request_id,
			address, xact_id)
		SELECT gen_random_uuid(), d.listed_at + interval '1 second', 'takeDeclarationInCharge', d.contributor_id, 'declaration', d.id::text,
			'done',
			'{"state":"in_charge"}', '', '', '0'
		FROM (SELECT d.id, d.listed_at, d.contributor_id, row_number() OVER (ORDER BY d.listed_at) AS n FROM declarations d
			WHERE d.contributor_id = $1) d WHERE d.n % 2 = 0`, contributorID)
	return err
}
