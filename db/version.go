package db

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// TargetVersion is the version of the schema that this program works with, whatever the dialect.
func TargetVersion() (int64, error) {
	entries, err := migrations.ReadDir("migrations/" + string(Postgres))
	if err != nil {
		return 0, err
	}
	var last int64
	for _, entry := range entries {
		number, _, _ := strings.Cut(entry.Name(), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("migration %s has no number", entry.Name())
		}
		last = max(last, version)
	}
	return last, nil
}

// Version is the version of the database's schema; 0 is that of an empty database.
func (d *DB) Version(ctx context.Context) (int64, error) {
	provider, err := d.provider()
	if err != nil {
		return 0, err
	}
	current, _, err := provider.GetVersions(ctx)
	return current, err
}
