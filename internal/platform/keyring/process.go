package keyring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/clock"
)

const (
	// BeatEvery is how often a process says that it is there, and looks at what the others know.
	BeatEvery = 5 * time.Second
	// gone is after how long without a word a process counts as ended, for one that listened so
	// long.
	gone = 30 * time.Second
	// forgotten is after how long its row is dropped.
	forgotten = 24 * time.Hour
	// patience is how long a start waits until the others know a key that it can sign with.
	patience = 45 * time.Second
	// goodbye bounds how long the end of a process waits for the database.
	goodbye = 2 * time.Second
)

// Settings are what a process brings with it, beside its keys.
type Settings struct {
	Clock clock.Clock
	// Database is the clock of the database, which orders processes; nil means its own.
	Database clock.Clock
	// Name tells operators which process it is.
	Name string
	Log  *slog.Logger
	// Samples returns what was sealed, for each data key one. It is asked once in the life of a
	// database that kept no list of its keys; nil means that there is nothing.
	Samples func(ctx context.Context) ([]Sample, error)
}

// Process is one of those that serve a database, with its keys. It tells the others which keys it
// knows, and uses one only when all know it.
type Process struct {
	Ring *Keyring
	Data *DataKeys

	repo     repository
	settings Settings
	row      processRow

	mu sync.Mutex
	// listening is since when this process has seen the others without a gap, heard when it last
	// did. Both go by the clock of the database.
	listening, heard time.Time

	// lacking is what this process has not got though it is used. Whoever asks does not wait for a
	// beat.
	lacking atomic.Pointer[error]
}

// Recorded reports whether a database knows keys, so that nobody makes new ones for it.
func Recorded(ctx context.Context, d *db.DB) (bool, error) {
	r := repository{d}
	signing, err := r.published(ctx)
	if err != nil || len(signing) > 0 {
		return len(signing) > 0, err
	}
	data, err := r.dataKeys(ctx)
	return len(data) > 0, err
}

// Missing is the error of a start without the keys that a database knows. What says which: "signing
// keys in PATH", for example.
func Missing(ctx context.Context, d *db.DB, what string) error {
	r := repository{d}
	signing, err := r.published(ctx)
	if err != nil {
		return err
	}
	data, err := r.dataKeys(ctx)
	if err != nil {
		return err
	}
	var ids []string
	for _, k := range data {
		if k.inUse() {
			ids = append(ids, k.ID)
		}
	}
	for _, k := range signing {
		ids = append(ids, k.Kid)
	}
	return missing("there are no %s, and new ones would not fit: it knows %s", what, atMost(ids))
}

// Enter lets a process work on a database, and tells the others. It returns
//   - ErrKeyMissing where something was written with a key that the process has not got,
//   - ErrNoSigningKey when the others do not learn of any of its signing keys in time.
//
// Its Ring and Data use what all know; call Beat every BeatEvery and Leave at the end.
func Enter(ctx context.Context, d *db.DB, s Settings, set *Private, data *DataKeys) (*Process, error) {
	p := &Process{
		Ring: &Keyring{repo: repository{d}, clock: s.Clock, own: set.keys}, Data: data, repo: repository{d}, settings: s,
		row: processRow{ID: uuid.Must(uuid.NewV7()), Name: s.Name},
	}
	err := d.InTx(ctx, func(ctx context.Context) error { return p.enter(ctx, set) })
	if err != nil {
		return nil, err
	}
	if err := p.Beat(ctx); err != nil {
		return nil, errors.Join(err, p.Leave())
	}
	if err := p.await(ctx); err != nil {
		return nil, errors.Join(err, p.Leave())
	}
	return p, nil
}

// enter checks and records the keys in the context's transaction. Nobody else starts, or begins to
// use a key, meanwhile.
func (p *Process) enter(ctx context.Context, set *Private) error {
	if err := p.repo.lock(ctx); err != nil {
		return err
	}
	now, err := p.now(ctx)
	if err != nil {
		return err
	}
	known, err := p.repo.published(ctx)
	if err != nil {
		return err
	}
	data, err := p.repo.dataKeys(ctx)
	if err != nil {
		return err
	}
	if err := admitSigning(set.keys, known); err != nil {
		return err
	}
	if err := p.admitData(ctx, data, len(known) > 0, now); err != nil {
		return err
	}
	rows, err := signingRows(set, p.settings.Clock.Now())
	if err != nil {
		return err
	}
	if err := p.repo.record(ctx, rows); err != nil {
		return err
	}
	if known, err = p.repo.published(ctx); err != nil {
		return err
	}
	if err := p.Ring.begin(known); err != nil {
		return err
	}
	p.row.StartedAt, p.listening, p.heard = now, now, now
	return p.announce(ctx, now)
}

// admitData checks and records the data keys. One that nobody used yet becomes the first.
func (p *Process) admitData(ctx context.Context, known []dataKeyRow, older bool, now time.Time) error {
	if len(known) == 0 && older {
		writtenWith, err := p.repo.writtenWith(ctx, p.settings.Clock.Now())
		if err != nil {
			return err
		}
		var samples []Sample
		if p.settings.Samples != nil {
			if samples, err = p.settings.Samples(ctx); err != nil {
				return err
			}
		}
		rows, err := adopt(p.Data, writtenWith, samples, now)
		if err != nil {
			return err
		}
		return p.repo.recordData(ctx, rows)
	}
	if err := admitData(p.Data, known); err != nil {
		return err
	}
	if err := p.repo.recordData(ctx, p.Data.unrecorded(known, now)); err != nil {
		return err
	}
	if slices.ContainsFunc(known, dataKeyRow.inUse) {
		return nil
	}
	return p.repo.use(ctx, p.Data.all()[0].id, now)
}

// announce tells the others what this process knows, in the context's transaction.
func (p *Process) announce(ctx context.Context, now time.Time) error {
	p.row.SeenAt = now
	own := p.Data.all()
	ids := make([]string, len(own))
	for i, key := range own {
		ids[i] = key.id
	}
	p.row.DataKeys = strings.Join(ids, " ")
	public := p.Ring.public.Load()
	kids := make([]string, 0, len(public.keys))
	for kid := range public.keys {
		kids = append(kids, kid)
	}
	slices.Sort(kids)
	p.row.SigningKeys = strings.Join(kids, " ")
	return p.repo.announce(ctx, p.row)
}

// now is the time by which processes are ordered: the database's.
func (p *Process) now(ctx context.Context) (time.Time, error) {
	if p.settings.Database != nil {
		return p.settings.Database.Now(), nil
	}
	return p.repo.db.Now(ctx)
}

// Beat says that the process is there, reads what the others know, and begins to use what all know.
func (p *Process) Beat(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 2*BeatEvery)
	defer cancel()
	var known []publishedKey
	var data []dataKeyRow
	var others []processRow
	var now time.Time
	// What is published is read before it is said to be known.
	err := p.repo.db.InTx(ctx, func(ctx context.Context) (err error) {
		if now, err = p.now(ctx); err != nil {
			return err
		}
		if known, err = p.repo.published(ctx); err != nil {
			return err
		}
		if err = p.Ring.publish(known); err != nil {
			return err
		}
		if err = p.announce(ctx, now); err != nil {
			return err
		}
		if data, err = p.repo.dataKeys(ctx); err != nil {
			return err
		}
		if others, err = p.repo.processes(ctx); err != nil {
			return err
		}
		return p.repo.forget(ctx, now.Add(-forgotten))
	})
	if err != nil {
		return err
	}
	if now.Sub(p.heard) > gone/2 {
		// Whoever seems to have gone may have been cut off as this process was.
		p.listening = now
	}
	p.heard = now
	p.lack(admitData(p.Data, data))
	if err := p.Ring.choose(func(kid string) bool { return p.knownToAll(others, processRow.signing, kid, now) }); err != nil {
		return err
	}
	return p.chooseData(ctx, data, others, now)
}

// lack notes what the process has not got, or nil.
func (p *Process) lack(err error) {
	if err == nil {
		p.lacking.Store(nil)
		return
	}
	if p.lacking.Swap(&err) == nil {
		p.settings.Log.Error("this process cannot go on", "error", err)
	}
}

func (r processRow) signing() string { return r.SigningKeys }

func (r processRow) data() string { return r.DataKeys }

// knownToAll reports whether all others that may be alive know a key.
func (p *Process) knownToAll(others []processRow, announced func(processRow) string, id string, now time.Time) bool {
	return !slices.ContainsFunc(others, func(o processRow) bool {
		if o.ID == p.row.ID || slices.Contains(strings.Fields(announced(o)), id) {
			return false
		}
		return now.Sub(o.SeenAt) < gone || now.Sub(p.listening) < gone
	})
}

// chooseData makes the first data key current that is in use, or can be from now on.
func (p *Process) chooseData(ctx context.Context, known []dataKeyRow, others []processRow, now time.Time) error {
	byID := map[string]dataKeyRow{}
	lasting := ""
	for _, row := range known {
		byID[row.ID] = row
		if lasting == "" && row.inUse() && p.Data.holds(row.ID) {
			lasting = row.ID
		}
	}
	for _, key := range p.Data.all() {
		row := byID[key.id]
		if row.RetiredAt != nil {
			continue
		}
		if !row.inUse() {
			if !p.knownToAll(others, processRow.data, key.id, now) {
				continue
			}
			begun, err := p.beginToUse(ctx, key.id)
			if err != nil {
				return err
			}
			if !begun {
				continue
			}
			p.settings.Log.Info("a new data key is used from now on", "key", key.id)
		}
		p.Data.assign(key.id, lasting)
		return nil
	}
	return nil
}

// beginToUse notes that a data key is used from now on. It does not where a process came meanwhile
// that does not know it.
func (p *Process) beginToUse(ctx context.Context, id string) (begun bool, err error) {
	err = p.repo.db.InTx(ctx, func(ctx context.Context) error {
		if err := p.repo.lock(ctx); err != nil {
			return err
		}
		others, err := p.repo.processes(ctx)
		if err != nil {
			return err
		}
		now, err := p.now(ctx)
		if err != nil {
			return err
		}
		if begun = p.knownToAll(others, processRow.data, id, now); !begun {
			return nil
		}
		return p.repo.use(ctx, id, now)
	})
	return begun, err
}

// await returns once there is a key to sign with for each purpose.
func (p *Process) await(ctx context.Context) error {
	if p.signs() {
		return nil
	}
	p.settings.Log.Info("waiting until the other processes know this one's signing keys")
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for !p.signs() {
		select {
		case <-tick.C:
			if err := p.Beat(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("%w: those of this process were revoked, or another process does not know them: `diresco keys list` "+
				"says which", ErrNoSigningKey)
		}
	}
	return nil
}

func (p *Process) signs() bool { return p.Ring.signs(ForSessions) && p.Ring.signs(ForReceipts) }

// Ready reports whether the process can go on. One that was cut off may find that the others use a
// key meanwhile that it has not got.
func (p *Process) Ready() error {
	if lacking := p.lacking.Load(); lacking != nil {
		return *lacking
	}
	if !p.signs() {
		return ErrNoSigningKey
	}
	return nil
}

// Leave tells the others that the process ends, so that they need not wait for it.
func (p *Process) Leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	return p.repo.db.InTx(ctx, func(ctx context.Context) error { return p.repo.leave(ctx, p.row.ID) })
}
