package keyring

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"diresco/db"
	"diresco/internal/platform/fault"
)

// ErrKeyNeeded means that a key cannot be given up yet.
var ErrKeyNeeded = errors.New("the key is still needed")

// retirable is how long after its successor a data key may still be needed. Messages that wait to
// be sent are the last that it opens.
const retirable = 72 * time.Hour

// Listed is a key that a database knows, as operators see it.
type Listed struct {
	ID string
	// Kind is data, session or receipt.
	Kind  string
	State string
	// Since is when it came to that state.
	Since time.Time
	// Unknown names the processes that do not know it.
	Unknown []string
}

// Manager does what operators do with the keys that a database knows. Its methods that change
// something work in the context's transaction.
type Manager struct{ repo repository }

// NewManager returns the manager of a database.
func NewManager(d *db.DB) Manager { return Manager{repository{d}} }

// List returns all keys, data keys first, and who does not know each.
func (m Manager) List(ctx context.Context) ([]Listed, error) {
	data, err := m.repo.dataKeys(ctx)
	if err != nil {
		return nil, err
	}
	signing, err := m.repo.published(ctx)
	if err != nil {
		return nil, err
	}
	processes, err := m.repo.processes(ctx)
	if err != nil {
		return nil, err
	}
	unknown := func(announced func(processRow) string, id string) []string {
		var names []string
		for _, p := range processes {
			if !strings.Contains(" "+announced(p)+" ", " "+id+" ") {
				names = append(names, p.Name)
			}
		}
		return names
	}
	var all []Listed
	for _, k := range data {
		l := Listed{ID: k.ID, Kind: "data", State: "known", Since: k.CreatedAt}
		switch {
		case k.RetiredAt != nil:
			l.State, l.Since = "retired", *k.RetiredAt
		case k.UsedAt != nil:
			l.State, l.Since = "used", *k.UsedAt
		}
		if k.RetiredAt == nil {
			l.Unknown = unknown(processRow.data, k.ID)
		}
		all = append(all, l)
	}
	for _, k := range signing {
		l := Listed{ID: k.Kid, Kind: k.Purpose, State: "published", Since: k.CreatedAt}
		if k.RevokedAt != nil {
			l.State, l.Since = "revoked", *k.RevokedAt
		} else {
			l.Unknown = unknown(processRow.signing, k.Kid)
		}
		all = append(all, l)
	}
	return all, nil
}

// Accept lets a database know keys that no process which it knows has. It is for when the others
// were lost, or are believed no more. It returns the ids of those that it did not know.
func (m Manager) Accept(ctx context.Context, set *Private, data *DataKeys, now time.Time) ([]string, error) {
	if err := m.repo.lock(ctx); err != nil {
		return nil, err
	}
	known, err := m.repo.published(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := signingRows(set, now)
	if err != nil {
		return nil, err
	}
	var fresh []string
	for _, row := range rows {
		found := false
		for _, k := range known {
			found = found || k.Kid == row.Kid
		}
		if !found {
			fresh = append(fresh, row.Kid)
		}
	}
	if err := m.repo.record(ctx, rows); err != nil {
		return nil, err
	}
	recorded, err := m.repo.dataKeys(ctx)
	if err != nil {
		return nil, err
	}
	unrecorded := data.unrecorded(recorded, now)
	for _, row := range unrecorded {
		fresh = append(fresh, row.ID)
	}
	return fresh, m.repo.recordData(ctx, unrecorded)
}

// Retire lets processes do without a data key. What it sealed can be opened no more, and what it
// checked is void; so unless it was lost another one must have been used for three days.
func (m Manager) Retire(ctx context.Context, id string, lost bool, now time.Time) error {
	if err := m.repo.lock(ctx); err != nil {
		return err
	}
	keys, err := m.repo.dataKeys(ctx)
	if err != nil {
		return err
	}
	var of *dataKeyRow
	for i := range keys {
		if keys[i].ID == id {
			of = &keys[i]
		}
	}
	if of == nil {
		return fault.New(fault.NotFound)
	}
	if !lost && of.UsedAt != nil {
		succeeded := false
		for _, k := range keys {
			succeeded = succeeded || k.ID != id && k.inUse() && !k.UsedAt.Before(*of.UsedAt) && now.Sub(*k.UsedAt) >= retirable
		}
		if !succeeded {
			return fmt.Errorf("%w: no other data key has been used for three days: what %s sealed may still be needed", ErrKeyNeeded, id)
		}
	}
	done, err := m.repo.retire(ctx, id, now)
	if err == nil && !done {
		return fault.New(fault.Conflict)
	}
	return err
}

// Revocation says from when on a signing key is believed no more, and why.
type Revocation struct {
	Kid    string
	From   time.Time
	Reason string
}

// Revoke lets a signing key be believed no more. It signs nothing from now on; its tokens are
// refused from that instant, and its receipts count if the register has them. Unless it is forced
// there must be another key that all processes know.
func (m Manager) Revoke(ctx context.Context, v Revocation, forced bool, now time.Time) error {
	if err := m.repo.lock(ctx); err != nil {
		return err
	}
	keys, err := m.List(ctx)
	if err != nil {
		return err
	}
	var of *Listed
	another := false
	for i, k := range keys {
		if k.ID == v.Kid && k.Kind != "data" {
			of = &keys[i]
		}
	}
	if of == nil {
		return fault.New(fault.NotFound)
	}
	if of.State == "revoked" {
		return fault.New(fault.Conflict)
	}
	for _, k := range keys {
		another = another || k.Kind == of.Kind && k.ID != of.ID && k.State != "revoked" && len(k.Unknown) == 0
	}
	if !another && !forced {
		return fmt.Errorf("%w: no other key for the same purpose is known to all processes", ErrKeyNeeded)
	}
	return m.repo.revoke(ctx, v, now)
}
