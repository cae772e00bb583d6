//go:build peers

package clients

import (
	"strings"
	"testing"
)

// TestOAuthClients_AreLetIn: two clients that nobody here wrote go through all that the metadata
// announce.
func TestOAuthClients_AreLetIn(t *testing.T) {
	w := newWorkshop(t, "oauth", newService(t))
	w.run("npm", "ci", "--no-audit", "--no-fund")
	if printed := w.run("node", "oauth.mjs"); !strings.Contains(printed, "let in") {
		t.Error(printed)
	}
}
