package dbtest

import (
	"context"
	"net/url"
	"testing"
)

// Restricted returns the URL of a PostgreSQL database as the role that the service needs. The role
// is made by the service's own command. The role goes when the test ends.
func Restricted(t testing.TB, rawURL string) string {
	t.Helper()
	address := parse(t, rawURL)
	owner := Open(t, rawURL)
	role := "r_" + randomHex(t)
	if _, err := owner.CreateRole(context.Background(), role); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, statement := range []string{"DROP OWNED BY " + role, "DROP ROLE " + role} {
			administer(t, parse(t, rawURL), statement)
		}
	})
	address.User = url.User(role)
	return address.String()
}

// RoleOf returns the user that a URL names.
func RoleOf(t testing.TB, rawURL string) string {
	t.Helper()
	return parse(t, rawURL).User.Username()
}

func parse(t testing.TB, rawURL string) *url.URL {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
