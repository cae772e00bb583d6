// Command peers runs PocketBase with one collection that anybody may write and read. The load
// generator of the product compares with it (make bench-peers).
//
//	peers ADDRESS DIRECTORY
//
// Only what would make the comparison unfair differs from PocketBase's defaults: its database is as
// durable as the product's.
package main

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/pocketbase/dbx"
	"github.com/pocketbase/pocketbase/apis"
	"github.com/pocketbase/pocketbase/core"
	// The tables that PocketBase keeps for itself.
	_ "github.com/pocketbase/pocketbase/migrations"
	"github.com/pocketbase/pocketbase/tools/types"
	_ "modernc.org/sqlite"
)

// collection is where the rows are.
const collection = "declarations"

// pragmas are PocketBase's own but for synchronous, which is NORMAL there: with that a commit may be
// lost when the machine loses power. The product has FULL.
var pragmas = []string{
	"busy_timeout(10000)", "journal_mode(WAL)", "journal_size_limit(200000000)", "synchronous(FULL)", "foreign_keys(ON)",
	"temp_store(MEMORY)", "cache_size(-32000)",
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: peers ADDRESS DIRECTORY")
		os.Exit(2)
	}
	if err := serve(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// serve listens at the address until it is told to end.
func serve(address, dir string) error {
	app := newApp(dir)
	told := make(chan os.Signal, 1)
	signal.Notify(told, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-told
		// The server waits for this before it returns.
		err := app.OnTerminate().Trigger(&core.TerminateEvent{App: app}, func(*core.TerminateEvent) error { return nil })
		if err != nil {
			fmt.Fprintln(os.Stderr, "peers:", err)
		}
	}()
	if err := app.Bootstrap(); err != nil {
		return err
	}
	if err := app.RunAllMigrations(); err != nil {
		return err
	}
	if err := addCollection(app); err != nil {
		return err
	}
	return apis.Serve(app, apis.ServeConfig{HttpAddr: address})
}

func newApp(dir string) core.App {
	return core.NewBaseApp(core.BaseAppConfig{DataDir: dir, DBConnect: connect})
}

func connect(path string) (*dbx.DB, error) {
	return dbx.Open("sqlite", path+"?_pragma="+strings.Join(pragmas, "&_pragma="))
}

// addCollection makes a table with the fields of a declaration that a client sends, once.
func addCollection(app core.App) error {
	if _, err := app.FindCollectionByNameOrId(collection); err == nil {
		return nil
	} else if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	rows := core.NewBaseCollection(collection)
	rows.Fields.Add(
		&core.TextField{Name: "type", Max: 40, Required: true}, &core.TextField{Name: "position_id", Max: 40, Required: true},
		&core.JSONField{Name: "content"}, &core.BoolField{Name: "submit"},
	)
	// An empty rule lets everybody: nothing is looked up.
	rows.CreateRule, rows.ViewRule = types.Pointer(""), types.Pointer("")
	return app.Save(rows)
}
