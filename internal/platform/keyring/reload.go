package keyring

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Reload lets a process go on with other keys than those with which it began. Where it returns an
// error the old ones stay in force:
//   - ErrKeyMissing where something was written with a key that is not among the new ones, or was
//     published under the id of one of them;
//   - ErrNoSigningKey when the others do not know any of the new signing keys yet.
func (p *Process) Reload(ctx context.Context, set *Private, data *DataKeys) error {
	if err := p.reload(ctx, set, data); err != nil {
		return err
	}
	// The new ones are in force. If this fails, the others hear of them from the next beat.
	_ = p.Beat(ctx)
	return nil
}

func (p *Process) reload(ctx context.Context, set *Private, data *DataKeys) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var next *published
	err := p.repo.db.InTx(ctx, func(ctx context.Context) error {
		// Nobody else starts, or begins to use a key, meanwhile.
		if err := p.repo.lock(ctx); err != nil {
			return err
		}
		now, err := p.now(ctx)
		if err != nil {
			return err
		}
		recorded, err := p.repo.dataKeys(ctx)
		if err != nil {
			return err
		}
		if err := admitData(data, recorded); err != nil {
			return err
		}
		if err := p.repo.recordData(ctx, data.unrecorded(recorded, now)); err != nil {
			return err
		}
		rows, err := signingRows(set, p.settings.Clock.Now())
		if err != nil {
			return err
		}
		if err := p.repo.record(ctx, rows); err != nil {
			return err
		}
		known, err := p.repo.published(ctx)
		if err != nil {
			return err
		}
		if next, err = readPublished(known); err != nil {
			return err
		}
		if err := next.matches(set.keys); err != nil {
			return err
		}
		return p.signsWith(ctx, set, next.revoked)
	})
	if err != nil {
		return err
	}
	if err := p.Data.replace(data.all()); err != nil {
		return err
	}
	p.Ring.public.Store(next) // not before: what was refused is gone with its transaction
	p.Ring.own = set.keys
	return nil
}

// signsWith fails unless there is a key for each purpose that all know and nobody revoked.
func (p *Process) signsWith(ctx context.Context, set *Private, revoked map[string]time.Time) error {
	others, err := p.repo.processes(ctx)
	if err != nil {
		return err
	}
	for _, purpose := range []Purpose{ForSessions, ForReceipts} {
		if !slices.ContainsFunc(set.keys, func(k keyPair) bool {
			_, gone := revoked[k.kid]
			return purposeOf(k.kid) == purpose && !gone && p.knownToAll(others, processRow.signing, k.kid, p.heard)
		}) {
			return fmt.Errorf("%w for %ss: the other processes do not know those of the file yet", ErrNoSigningKey, purpose)
		}
	}
	return nil
}
