package main

import (
	"testing"

	"github.com/pocketbase/pocketbase/core"
)

func TestPeers_PocketBaseIsDurableAndKeepsARow(t *testing.T) {
	app := newApp(t.TempDir())
	if err := app.Bootstrap(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.ResetBootstrapState() })
	if err := app.RunAllMigrations(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // as when it is started again
		if err := addCollection(app); err != nil {
			t.Fatal(err)
		}
	}
	const full = 2
	var synchronous int
	if err := app.NonconcurrentDB().NewQuery("PRAGMA synchronous").Row(&synchronous); err != nil || synchronous != full {
		t.Fatalf("synchronous is %d, not %d: %v", synchronous, full, err)
	}
	rows, err := app.FindCollectionByNameOrId(collection)
	if err != nil {
		t.Fatal(err)
	}
	row := core.NewRecord(rows)
	row.Load(map[string]any{"type": "RIOC", "position_id": "1", "content": map[string]any{"a": 1}, "submit": true})
	if err := app.Save(row); err != nil {
		t.Fatal(err)
	}
	found, err := app.FindRecordById(rows, row.Id)
	if err != nil || found.GetString("type") != "RIOC" || found.GetString("content") != `{"a":1}` {
		t.Errorf("found %v: %v", found, err)
	}
}
