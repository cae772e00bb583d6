// Package chaos tests the program as it is run: the real binary as processes of its own. They are
// killed under load, work side by side on one database, and lose that database. It has no code
// beside its tests.
package chaos
