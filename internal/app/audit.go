package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/metric"
	"golang.org/x/mod/sumdb/note"

	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/look"
	"diresco/internal/kernel/translog"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/witness"
)

// Held is what the trail of a database is held against.
type Held struct {
	// Keys are the public keys of the log; those of the configuration where none are given.
	Keys []string
	// Checkpoint is one that was kept elsewhere; empty for none.
	Checkpoint string
	// Mirror is where the log was copied to, as DIRESCO_AUDIT_MIRROR names it; empty for nowhere.
	Mirror string
}

// VerifyTrail checks the trail of the database that the configuration names; see translog.Verify.
func VerifyTrail(
	ctx context.Context, c config.Config, against Held, progress func(part string, done, total int64),
) (report translog.Report, err error) {
	v, public := translog.Verification{Clock: clock.System{}.Now, Progress: progress}, against.Keys
	if against.Checkpoint != "" {
		v.Checkpoints = append(v.Checkpoints, against.Checkpoint)
	}
	if against.Mirror != "" {
		if v.Mirror, err = openBucket(ctx, against.Mirror); err != nil {
			return report, err
		}
		defer func() { err = errors.Join(err, v.Mirror.Close()) }()
		kept, err := translog.CheckpointOf(ctx, v.Mirror)
		if err != nil {
			return report, err
		}
		v.Checkpoints = append(v.Checkpoints, kept)
	}
	if len(public) == 0 {
		keys, err := keyring.LoadLog(c.AuditKeysPath())
		if err != nil {
			return report, ifMissing(err, "keys of the log", c.AuditKeysPath())
		}
		public = keys.Public()
	}
	for _, key := range public {
		verifier, err := note.NewVerifier(key)
		if err != nil {
			return report, errors.New("a public key of the log has the form that `diresco keys log` prints")
		}
		v.Name, v.Verifiers = verifier.Name(), append(v.Verifiers, verifier)
	}
	if v.DB, err = openAsOwner(ctx, c); err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, v.DB.Close()) }()
	receipts, err := keyring.Reader(ctx, v.DB, clock.System{})
	if err != nil {
		return report, err
	}
	v.Receipt = func(ctx context.Context, jws string) error {
		_, err := receipts.VerifyReceipt(ctx, jws)
		return err
	}
	return translog.Verify(ctx, v)
}

// AcceptLogKeys signs the newest tree with the configuration's keys of the log, though none of them
// signed it before, and returns the public keys. Whoever keeps the ones of before is not deceived.
func AcceptLogKeys(ctx context.Context, c config.Config, reason string) (public []string, err error) {
	path := c.AuditKeysPath()
	if path == "" {
		return nil, errors.New("DIRESCO_AUDIT_KEYS names the file with the keys")
	}
	keys, err := keyring.LoadOrCreateLog(path, logName(c))
	if err != nil {
		return nil, err
	}
	d, err := openAsOwner(ctx, c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	detail, err := json.Marshal(map[string]string{"reason": reason})
	if err != nil {
		return nil, err
	}
	return keys.Public(), d.InTx(ctx, func(ctx context.Context) error {
		if err := translog.Accept(ctx, d, keys); err != nil {
			return fmt.Errorf("the log was not signed: %w", err)
		}
		record := audit.ByCommand("acceptLogKeys").Record("key", clock.System{}.Now())
		subject, text := strings.Join(keys.Public(), " "), string(detail)
		record.SubjectID, record.Detail = &subject, &text
		return audit.NewTrail(d).Write(ctx, record)
	})
}

// minDays is how old a record of the trail must be before it can be erased: limits that go by what
// somebody did lately are counted by it.
const minDays = 90

// EraseTrail erases personal data from the trail of the database that the configuration names, and
// from the logs beside it: what is older than so many days, of one person where one is named. It
// tells how many records that are by now after each step.
func EraseTrail(
	ctx context.Context, c config.Config, days int, personID *uuid.UUID, reason string, tell func(records int64),
) (done Erased, err error) {
	if days < minDays {
		return done, fmt.Errorf("what is erased must be older than %d days", minDays)
	}
	d, err := openAsOwner(ctx, c)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	now, err := d.Now(ctx)
	if err != nil {
		return done, err
	}
	e := translog.Erasure{Before: now.AddDate(0, 0, -days), PersonID: personID, Reason: reason}
	if done.Records, err = e.Erase(ctx, d, now, tell); err != nil {
		return done, err
	}
	if done.Unsealed, err = e.Unsealed(ctx, d); err != nil {
		return done, err
	}
	beside := audit.Erasure{Before: e.Before, PersonID: personID, At: now, Reason: reason}
	if done.Accesses, err = audit.EraseAccesses(ctx, d, beside); err != nil {
		return done, err
	}
	done.Looks, err = look.Erase(ctx, d, beside)
	return done, err
}

// Erased is how much was erased.
type Erased struct {
	// Records are audit records, Unsealed those that must be sealed first.
	Records, Unsealed int64
	// Accesses are rows of the access log, Looks those of staff who looked at people.
	Accesses, Looks int64
}

// mirrorTrail copies the trail's log, and has it cosigned, where the configuration says so.
func (a *App) mirrorTrail(ctx context.Context, c config.Config, meter metric.Meter) error {
	if c.AuditMirror != "" {
		bucket, err := openBucket(ctx, c.AuditMirror)
		if err != nil {
			return err
		}
		a.closers = append(a.closers, func() { _ = bucket.Close() })
		mirror := translog.NewMirror(a.sealed, bucket)
		if err := mirror.Observe(meter); err != nil {
			return err
		}
		a.background(mirror.Run)
	}
	witnesses, err := c.Witnesses()
	if err != nil {
		return err
	}
	for _, address := range witnesses {
		w := witness.New(address, c.EgressAllow)
		a.background(func(ctx context.Context) { a.sealed.AskWitness(ctx, w) })
	}
	return nil
}

// trail tries where the trail's log goes. Witnesses are not tried: they would have to be shown a
// checkpoint.
func (k *checker) trail(ctx context.Context) {
	if k.config.AuditMirror != "" {
		k.bucket(ctx, "mirror", k.config.AuditMirror)
	} else {
		k.add(Noted, "mirror", "not configured: nobody outside of the database keeps its trail's checkpoints")
	}
}
