package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/protocol"
	"diresco/internal/kernel/recheck"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
)

func ExampleDigestOf() {
	digest, err := protocol.DigestOf(map[string]any{"form": "SC65", "services": []string{}, "notes": nil})
	fmt.Println(digest, err)
	// The canonical form has the members in the order of their names, and no spaces.
	fmt.Println(protocol.DigestOfCanonical([]byte(`{"form":"SC65","notes":null,"services":[]}`)) == digest)
	// Output:
	// sha-256:60b9abb2f733ae145e13a2938af57c0813c13b41ccda2671ba23f1afaacebd15 <nil>
	// true
}

// note is what somebody files.
type note struct{ text string }

// notes is the handler of notes.
type notes struct{}

// Check refuses notes without a text.
func (notes) Check(_ context.Context, entries []*protocol.Entry[note]) error {
	for _, e := range entries {
		if e.Content.text == "" {
			e.Refuse(fault.Because(fault.Conflict, "note-empty"))
		}
	}
	return nil
}

// Store would write the notes that are filed, each with its number, into a table of theirs.
func (notes) Store(context.Context, []*protocol.Entry[note]) error { return nil }

// A kind of filing has a handler and a lane. What one group holds is filed in the order of its
// arrival; what is refused takes no number.
func ExampleLane() {
	d, by, closeAll := exampleOffice()
	defer closeAll()
	monday := clock.NewManual(time.Date(2026, 3, 16, 8, 15, 0, 0, time.UTC))
	keys, checker := idempotency.NewStore(d, monday, nil), recheck.New(d, monday)
	register := protocol.NewRegister(d, protocol.Time{Process: monday, Database: monday}, keys, checker, nil, slog.New(slog.DiscardHandler))
	defer register.Close()
	lane := protocol.NewLane(register, "note", notes{})
	for _, text := range []string{"Buongiorno", "", "Arrivederci"} {
		id := uuid.Must(uuid.NewV7())
		filed, err := lane.File(context.Background(), protocol.Filing[note]{Content: note{text}, Header: protocol.Header{
			Office: "7000", SubjectID: id, By: by, Digest: protocol.DigestOfCanonical([]byte(text)),
			Trace: operation.Trace{SubjectKind: "note", SubjectID: id.String()},
		}})
		if err != nil {
			fmt.Println("refused:", err)
			continue
		}
		fmt.Println(filed.Number, filed.Content.text)
	}
	// Output:
	// INPS.7000.16/03/2026.0000001 Buongiorno
	// refused: conflict (note-empty)
	// INPS.7000.16/03/2026.0000002 Arrivederci
}

// exampleOffice makes a database with one office and one person, who is logged in.
func exampleOffice() (d *db.DB, by access.Actor, closeAll func()) {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "diresco-example-")
	if err == nil {
		d, err = db.Open(ctx, "sqlite:"+filepath.Join(dir, "diresco.db"))
	}
	if err == nil {
		err = d.Migrate(ctx)
	}
	if err != nil {
		panic(err)
	}
	by = access.Actor{PersonID: uuid.Must(uuid.NewV7()), SessionID: uuid.Must(uuid.NewV7())}
	err = d.InTx(ctx, func(ctx context.Context) error {
		now := time.Unix(0, 0).UTC()
		return errors.Join(
			d.From(ctx).Exec("INSERT INTO offices (code, title) VALUES ('7000', 'Roma')").Error,
			d.From(ctx).Exec(`INSERT INTO people (id, tax_code, given_name, family_name, user_class, credential_level, created_at)
				VALUES (?, 'RSSMRA80A01H501U', 'Mario', 'Rossi', 'citizen', 'dispositive', ?)`, by.PersonID, now).Error,
			d.From(ctx).Exec(`INSERT INTO sessions (id, person_id, login_method, pin_change_required,
				created_at, authenticated_at, last_seen_at, expires_at, refresh_generation, refresh_hash)
				VALUES (?, ?, 'pin', FALSE, ?, ?, ?, ?, 0, '')`, by.SessionID, by.PersonID, now, now, now, now).Error,
		)
	})
	if err != nil {
		panic(err)
	}
	return d, by, func() { _ = errors.Join(d.Close(), os.RemoveAll(dir)) }
}
