package recheck

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
)

// consents are those by which applications act, and how they stand.
type consents map[uuid.UUID]consented

// consented is a consent with the contributors for whom something is done by it.
type consented struct {
	standing
	asked, covered []uuid.UUID
}

// add adds what a claim rests on, to be asked for.
func (all consents) add(claim Claim) {
	if claim.ConsentID == uuid.Nil {
		return
	}
	one := all[claim.ConsentID]
	if claim.ContributorID != uuid.Nil && !slices.Contains(one.asked, claim.ContributorID) {
		one.asked = append(one.asked, claim.ContributorID)
	}
	all[claim.ConsentID] = one
}

// allow reports whether the consent of a claim lives and is about its contributor. A claim without
// a consent passes: it is the person's own.
func (all consents) allow(claim Claim) bool {
	if claim.ConsentID == uuid.Nil {
		return true
	}
	one := all[claim.ConsentID]
	return one.good && (claim.ContributorID == uuid.Nil || slices.Contains(one.covered, claim.ContributorID))
}

// HoldApplication waits for what an application does now, and keeps it from doing more until the
// context's transaction ends. Whoever suspends, removes or changes it calls this first: by consents
// that end later something may be under way.
func (c *Checker) HoldApplication(ctx context.Context, id uuid.UUID) error {
	return c.db.LockName(ctx, applicationName+id.String())
}

// applicationName begins the name by which an application is locked. It is no lock on its row: one of
// many who share that keep out whoever would change it for as long as they come.
const applicationName = "application "

// shareApplications keeps the applications by whose consents something is done as they are.
func (c *Checker) shareApplications(all consents) question {
	if len(all) == 0 || c.db.Dialect() != db.Postgres {
		return question{}
	}
	return question{
		lock: db.SharingNames("SELECT DISTINCT $1::text || k.application_id FROM consents k " +
			"WHERE k.id = ANY ((SELECT $2::uuid[])::uuid[]) ORDER BY 1"),
		lockArgs: []any{applicationName, db.UUIDs(slices.Collect(maps.Keys(all)))},
	}
}

// ids are those of the consents, to be asked for.
func (all consents) ids() found {
	ids := make(found, len(all))
	for id := range all {
		ids[id] = standing{}
	}
	return ids
}

// readCovered notes which consents live, and reads what those are about. Who takes a contributor out
// of one locks it too, so that is read once they are locked.
func (c *Checker) readCovered(ctx context.Context, all consents, ids found) error {
	var consents, contributors db.UUIDs
	for id, one := range all {
		one.standing = ids[id]
		all[id] = one
		for _, contributor := range one.asked {
			if one.good {
				consents, contributors = append(consents, id), append(contributors, contributor)
			}
		}
	}
	if len(consents) == 0 {
		return nil
	}
	var covered []struct{ ConsentID, ContributorID uuid.UUID }
	query, args := c.selectCovered(consents, contributors)
	if err := c.db.From(ctx).Raw(query, args...).Scan(&covered).Error; err != nil {
		return err
	}
	for _, row := range covered {
		one := all[row.ConsentID]
		one.covered = append(one.covered, row.ContributorID)
		all[row.ConsentID] = one
	}
	return nil
}

// What an application was let do is void with it, before each consent has its end.
var selectConsents = "SELECT k.id, k.expires_at AS valid_until FROM consents k JOIN applications y ON y.id = k.application_id AND " +
	access.LiveApplication("y") + " WHERE k.id IN ? AND k.ended_at IS NULL AND k.expires_at > ? ORDER BY k.id"

var consentCovers = "SELECT v.consent_id, v.contributor_id FROM v WHERE " +
	strings.Replace(access.Consented("v.contributor_id"), "?", "v.consent_id", 1)

// selectCovered selects those of the pairs in which the consent is about the contributor.
func (c *Checker) selectCovered(consents, contributors db.UUIDs) (query string, args []any) {
	if c.db.Dialect() == db.Postgres {
		return "WITH v AS (SELECT * FROM unnest((SELECT ?::uuid[]), (SELECT ?::uuid[])) " +
				"AS u (consent_id, contributor_id)) " + consentCovers,
			[]any{consents, contributors}
	}
	for i := range consents {
		args = append(args, consents[i], contributors[i])
	}
	values := strings.Repeat("( ?, ?), ", len(consents)-1) + "( ?, ?)"
	return "WITH v (consent_id, contributor_id) AS (VALUES " + values + ") " + consentCovers, args
}

// earlier returns the earlier of two ends, of which nil never comes.
func earlier(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.Before(*a) {
		return b
	}
	return a
}
