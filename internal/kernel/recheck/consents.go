package recheck

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

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
	if claim.ContributorID != uuid.Nil {
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

// confirmConsents marks the consents that live, and locks them against their end. Who takes a
// contributor out of one locks it too, so what they are about is read once that is done.
func (c *Checker) confirmConsents(ctx context.Context, all consents) error {
	if len(all) == 0 {
		return nil
	}
	ids := make(found, len(all))
	for id := range all {
		ids[id] = standing{}
	}
	const selectLive = "SELECT k.id, k.expires_at AS valid_until FROM consents k WHERE k.id IN ? AND k.ended_at IS NULL " +
		"AND k.expires_at > ? ORDER BY k.id"
	if err := c.confirm(ctx, selectLive+c.db.ForShare("k"), ids, c.clock.Now()); err != nil {
		return err
	}
	for id, one := range all {
		one.standing = ids[id]
		if one.good && len(one.asked) > 0 {
			err := c.db.From(ctx).Raw(selectCovered, one.asked, id).Scan(&one.covered).Error
			if err != nil {
				return err
			}
		}
		all[id] = one
	}
	return nil
}

var selectCovered = "SELECT c.id FROM contributors c WHERE c.id IN ? AND " + access.Consented("c.id")

// earlier returns the earlier of two ends, of which nil never comes.
func earlier(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.Before(*a) {
		return b
	}
	return a
}
