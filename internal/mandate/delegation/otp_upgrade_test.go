package delegation_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/mandate/delegation"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
)

// The row is written as releases wrote it before one machine made all codes. Table, columns, the
// label of the digest and the order of what it is made over must stay. Otherwise the codes that
// contributors have in their mailboxes are worth nothing after an upgrade.
func TestOTP_OfAnEarlierReleaseActivates(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		draft := w.draft(w.professional, nil)
		w.Exec(t, "UPDATE delegations SET state = 'pending' WHERE id = ?", draft.ID)

		id, now := uuid.Must(uuid.NewV7()), w.Clock.Now()
		over := [][]byte{id[:], []byte("04711815"), draft.ID[:], w.company.ID[:], w.delegate[:]}
		positions := []uuid.UUID{w.company.Positions[0].ID, w.company.Positions[1].ID}
		slices.SortFunc(positions, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
		for _, p := range positions {
			over = append(over, p[:])
		}
		key, mac := w.keys.MAC("delegation otp", over...)
		w.Exec(t, `INSERT INTO delegation_otps (id, delegation_id, contributor_id, mac_key, mac, tries, channel, recipient, sent_by,
			sent_at, expires_at, used_at, ended_at)
			VALUES (?, ?, ?, ?, ?, 2, 'pec', 'azienda@pec.example', ?, ?, ?, NULL, NULL)`,
			id, draft.ID, w.company.ID, key, mac, w.signatory.ID, now, now.Add(7*24*time.Hour))

		shown, err := w.service.Show(ctx, draft.ID)
		if err != nil || shown.OTP == nil ||
			*shown.OTP != (delegation.OTP{
				SentAt: now, ExpiresAt: now.Add(7 * 24 * time.Hour), Channel: "pec", Recipient: "azienda@pec.example", TriesLeft: 3,
			}) {
			t.Errorf("it is shown as %+v, %v", shown.OTP, err)
		}
		_, err = w.activate(w.professional, draft.ID, "04711816")
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != fault.OTPInvalid || f.TriesLeft == nil || *f.TriesLeft != 2 {
			t.Errorf("a wrong one: %v", err)
		}
		if got, err := w.activate(w.professional, draft.ID, "0471 1815"); err != nil || got.State != delegation.Active {
			t.Errorf("the right one: %s, %v", got.State, err)
		}
		if n := w.Count(t, "delegation_otps WHERE id = ? AND tries = 4 AND used_at IS NOT NULL AND ended_at IS NULL", id); n != 1 {
			t.Error("it is not used up in its place")
		}
	})
}

// What is written is what earlier releases read: a process that was not upgraded yet activates it
// as well.
func TestOTP_IsKeptAsEarlierReleasesReadIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		draft := w.draft(w.professional, nil)
		otp := w.send(w.professional, draft.ID)
		var row struct {
			ID            uuid.UUID
			ContributorID uuid.UUID
			MACKey        string `gorm:"column:mac_key"`
			MAC           string `gorm:"column:mac"`
			Tries         int
			Channel       string
			Recipient     string
			SentAt        time.Time
			ExpiresAt     time.Time
		}
		if err := d.From(ctx).Raw("SELECT * FROM delegation_otps WHERE delegation_id = ? AND used_at IS NULL AND "+
			"ended_at IS NULL", draft.ID).Scan(&row).Error; err != nil {
			t.Fatal(err)
		}
		over := [][]byte{row.ID[:], []byte(otp.Reveal()), draft.ID[:], w.company.ID[:], w.delegate[:]}
		positions := []string{w.company.Positions[0].ID.String(), w.company.Positions[1].ID.String()}
		slices.Sort(positions)
		for _, p := range positions {
			id := uuid.MustParse(p)
			over = append(over, id[:])
		}
		if !w.keys.CheckMAC(row.MACKey, row.MAC, "delegation otp", over...) {
			t.Error("the digest is another's")
		}
		if row.ContributorID != w.company.ID || row.Tries != 0 || row.Channel != "email" || !strings.HasSuffix(
			row.Recipient, "@posta.example",
		) ||
			!row.SentAt.Equal(w.Clock.Now()) || !row.ExpiresAt.Equal(row.SentAt.Add(7*24*time.Hour)) {
			t.Errorf("it is kept as %+v", row)
		}
	})
}
