package pinrecovery_test

import (
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

// The rows are written as earlier releases wrote them: a code that somebody has in their mailbox
// outlives an upgrade.
func TestRecoveryCode_OfAnEarlierReleaseIsGood(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d, mobile, pec)
		w.codeOfAnEarlierRelease(t, "recovery-code", "K7Q3W9ZP")
		_, err := w.recovery.ConfirmRecovery(ctx, pintest.Mario, "K7Q3W9ZQ")
		want(t, err, fault.CodeInvalid)
		_, err = w.recovery.ConfirmRecovery(ctx, pintest.Mario, "k7q3-w9zp")
		want(t, err, "")
	})
}

func TestRevocationCode_OfAnEarlierReleaseIsGood(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d, mobile, pec)
		w.codeOfAnEarlierRelease(t, "revocation-code", "K7Q3W9ZP")
		_, err := w.recovery.ConfirmRevocation(ctx, pintest.Mario, "K7Q3W9ZQ")
		want(t, err, fault.CodeInvalid)
		_, err = w.recovery.ConfirmRevocation(ctx, pintest.Mario, "K7Q3W9ZP")
		want(t, err, "")
	})
}

// codeOfAnEarlierRelease writes a live code of Mario's: the digest is made over its id and its
// characters.
func (w *fixture) codeOfAnEarlierRelease(t *testing.T, purpose string, code secret.Text) {
	t.Helper()
	id, now := uuid.Must(uuid.NewV7()), w.Clock.Now()
	key, mac := w.DataKeys.MAC("one-time code "+purpose, id[:], []byte(code.Reveal()))
	w.Exec(t, `INSERT INTO one_time_codes (id, purpose, subject_id, mac_key, mac, created_at, expires_at, used_at, ended_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)`,
		id, purpose, w.who.ID, key, mac, now, now.Add(day))
}
