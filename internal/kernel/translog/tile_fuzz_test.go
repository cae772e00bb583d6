package translog_test

import (
	"testing"

	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
)

// FuzzTile looks whether a path that leads to no tile can end the program, or fail.
func FuzzTile(f *testing.F) {
	for _, path := range []string{
		"tile/0/000", "tile/entries/x001/234.p/5", "tile/63/000", "tile/data/000", "tile/0/../000", "checkpoint", "",
	} {
		f.Add(path)
	}
	h := newHouse(f, dbtest.Open(f, dbtest.SQLite(f)))
	f.Fuzz(func(t *testing.T, path string) {
		if tile, err := h.log.Tile(t.Context(), path); err != nil && !fault.Is(err, fault.NotFound) || err == nil && len(tile.Content) == 0 {
			t.Errorf("%q: %v", path, err)
		}
	})
}
