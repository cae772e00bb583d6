package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"diresco/db"
)

// version and commit are set by the linker. Without a commit it is the one that the Go tool noted.
var (
	version = "development"
	commit  string
)

type versionCommand struct{}

// Run prints which program this is.
func (versionCommand) Run() error {
	build, _ := debug.ReadBuildInfo()
	return writeVersion(os.Stdout, build)
}

// writeVersion says which program this is, what it was made of, and which schema it works with.
func writeVersion(w io.Writer, build *debug.BuildInfo) error {
	schema, err := db.TargetVersion()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(
		w, "diresco %s\ncommit  %s\nschema  %d\n%s %s/%s\n", version, commitOf(build), schema, runtime.Version(), runtime.GOOS,
		runtime.GOARCH,
	)
	return err
}

// commitOf returns the commit of a build, and whether files had been changed since.
func commitOf(build *debug.BuildInfo) string {
	if commit != "" {
		return commit
	}
	revision, changed := "unknown", ""
	if build != nil {
		for _, s := range build.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				changed = " (with changes)"
			}
		}
	}
	return revision + changed
}
