package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"

	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/translog"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
	"diresco/internal/platform/keyring"
)

// VerifyTrail checks the trail of the database that the configuration names; see translog.Verify.
// The public keys of the log are those that are given, else those of the configuration.
func VerifyTrail(
	ctx context.Context, c config.Config, public []string, checkpoint string, progress func(part string, done, total int64),
) (report translog.Report, err error) {
	v := translog.Verification{Checkpoint: checkpoint, Clock: clock.System{}.Now, Progress: progress}
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
		kind, subject, text := "key", strings.Join(keys.Public(), " "), string(detail)
		return audit.NewTrail(d).Write(ctx, audit.Record{
			ID: uuid.Must(uuid.NewV7()), At: clock.System{}.Now(), Operation: "acceptLogKeys", SubjectKind: &kind, SubjectID: &subject,
			Outcome: "done", RequestID: "command-line", Address: "local", Detail: &text,
		})
	})
}
