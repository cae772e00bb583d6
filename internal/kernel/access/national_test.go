package access_test

import (
	"context"
	"testing"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// A session that a national identity began is as good as one with a dispositive PIN, wherever that
// is asked for.
func TestGuard_ANationalIdentityIsDispositive(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		ctx := context.Background()
		office := world.Rome
		p := w.Person(t, func(p *world.Person) {
			p.UserClass, p.CredentialLevel, p.OfficeCode = access.Operator, access.Ordinary, &office
		})
		byPIN := w.Session(t, p.ID, nil)
		bySPID := w.Session(t, p.ID, func(s *world.Session) { s.LoginMethod = "spid" })
		w.Exec(t, "UPDATE sessions SET login_level = 3, login_provider = 'spid-prova' WHERE id = ?", bySPID)
		atOffice := access.Rule{To: access.ToOffice, Dispositive: true}
		if _, err := w.Guard.Enter(ctx, byPIN, atOffice, access.Target{}); !fault.Is(err, fault.DispositiveRequired) {
			t.Errorf("with the PIN: %v", err)
		}
		by, err := w.Guard.Enter(ctx, bySPID, atOffice, access.Target{})
		if err != nil || by.CredentialLevel != access.Dispositive || by.ByPIN || by.Login.Method != "spid" || *by.Login.Level != 3 ||
			*by.Login.Provider != "spid-prova" {
			t.Errorf("with SPID: %+v %v", by, err)
		}
		// So the post lets them see a contributor of the office.
		of := access.Target{ContributorID: w.company.ID}
		if _, err := w.Guard.Enter(ctx, byPIN, toContributor, of); !fault.Is(err, fault.NotFound) {
			t.Errorf("a contributor, with the PIN: %v", err)
		}
		if by, err := w.Guard.Enter(ctx, bySPID, toContributor, of); err != nil || !by.Consults() {
			t.Errorf("a contributor, with SPID: %+v %v", by, err)
		}
		// What was asked for in it stays so later, when it has ended.
		w.Exec(t, "UPDATE sessions SET ended_at = ?, end_reason = 'x' WHERE id = ?", w.Clock.Now(), bySPID)
		for session, want := range map[*access.Later]access.CredentialLevel{
			{PersonID: p.ID, ContributorID: w.company.ID, SessionID: bySPID}: access.Dispositive,
			{PersonID: p.ID, ContributorID: w.company.ID, SessionID: byPIN}:  access.Ordinary,
			{PersonID: p.ID, ContributorID: w.company.ID}:                    access.Ordinary,
		} {
			if by, err := w.Rights.Delayed(ctx, *session); err != nil || by.CredentialLevel != want {
				t.Errorf("later: %s %v, want %s", by.CredentialLevel, err, want)
			}
		}
		// Nobody uses another person's session for that.
		other := w.Person(t, func(p *world.Person) { p.CredentialLevel = access.Ordinary })
		if by, err := w.Rights.Delayed(ctx, access.Later{PersonID: other.ID, ContributorID: w.company.ID, SessionID: bySPID}); err != nil ||
			by.CredentialLevel != access.Ordinary {
			t.Errorf("by another's session: %s %v", by.CredentialLevel, err)
		}
	})
}
