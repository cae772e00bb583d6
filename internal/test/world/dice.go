package world

import (
	"testing"

	"diresco/db"
)

// Dice throw the same numbers for the same seed (SplitMix64), so that a game is played again by its
// seed.
type Dice uint64

// IntN returns a number from 0 on that is below n.
func (d *Dice) IntN(n int) int {
	*d += 0x9e3779b97f4a7c15
	x := uint64(*d)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return int((x ^ x>>31) >> 33 % uint64(n)) //nolint:gosec // it is below n
}

// Break makes every write to a table fail, as if the process died there, until it is mended. The
// verb is INSERT or UPDATE.
func (a *App) Break(t testing.TB, verb, table string) (mend func()) {
	t.Helper()
	if a.DB.Dialect() == db.Postgres {
		a.Exec(t, "CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$")
		a.Exec(t, "CREATE TRIGGER broken BEFORE "+verb+" ON "+table+" FOR EACH ROW EXECUTE FUNCTION broken()")
		return func() { a.Exec(t, "DROP TRIGGER broken ON "+table) }
	}
	a.Exec(t, "CREATE TRIGGER broken BEFORE "+verb+" ON "+table+" BEGIN SELECT RAISE(ABORT, 'broken'); END")
	return func() { a.Exec(t, "DROP TRIGGER broken") }
}
