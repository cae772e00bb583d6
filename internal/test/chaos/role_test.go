package chaos

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

const securityPage = "docs/security.md"

// TestRole_OfThePageServes: the owner is no superuser. The service works, cleans up and hires
// administrators as the role that the page makes.
func TestRole_OfThePageServes(t *testing.T) {
	_, database := postgres(t)
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	superuser, ctx := open(t, database), context.Background()
	owner := "owner_of" + strings.TrimPrefix(u.Path, "/")
	for _, statement := range []string{
		"CREATE ROLE " + owner + " LOGIN CREATEROLE", "ALTER DATABASE " + u.Path[1:] + " OWNER TO " + owner,
	} {
		if err := superuser.From(ctx).Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
	u.User = url.User(owner)
	h := newHouse(t, u.String())
	blocks := shellBlocks(t, securityPage)
	if len(blocks) != 1 {
		t.Fatalf("%d shell blocks", len(blocks))
	}
	h.common["MIGRATION_DATABASE_URL"] = h.common["DATABASE_URL"]
	if out := h.shell(blocks[0] + blocks[0]); strings.Count(out, "was made") > 1 || strings.Count(out, "has its rights") != 2 {
		t.Errorf("twice it says:\n%s", out)
	}
	u.User = url.User("diresco_app")
	h.common["DATABASE_URL"] = u.String()

	// What is old is dropped at the start, and every ten minutes after.
	h.seed.do(func(ctx context.Context) error {
		return h.seed.db.From(ctx).Exec("INSERT INTO address_failures (id, address, at) VALUES (?, '192.0.2.1', ?)",
			uuid.Must(uuid.NewV7()), time.Unix(0, 0)).Error
	})
	filers := h.seed.filers(4)
	a, b := h.server(), h.server()
	a.start()
	b.start()
	h.sessions(a.site, b.site)
	h.limits(a.site, b.site)
	h.administrator(a.site, b.site)
	l := newLoad(t, filers, a.site, b.site)
	once := h.oneKey(filers[0], l.example, a.site, b.site)
	h.receipts(once, a.site, b.site)
	l.begin(8)
	l.advance(40)
	acknowledged := append(l.end(), once)
	eventually(t, patience, "what is old was dropped", func() bool {
		var left int
		err := h.seed.db.From(ctx).Raw("SELECT count(*) FROM address_failures WHERE address = '192.0.2.1'").Scan(&left).Error
		return err == nil && left == 0
	})
	a.terminate()
	b.terminate()
	checkRegister(t, h.seed.db, acknowledged)
	for _, s := range []*server{a, b} {
		if log := s.stderr.String(); strings.Contains(log, "permission denied") || strings.Contains(log, "42501") {
			t.Errorf("something was refused: %s", log)
		}
	}
}
