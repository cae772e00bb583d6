package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// The tables in which the role of the service may do less than read, add, change and delete.
var (
	// keptAsWritten are never changed and never deleted from.
	keptAsWritten = []string{"audit_records", "access_log", "protocol_entries", "receipts", "signing_keys", "staff_looks", "log_entries"}
	// ofOwner are written by the owner's commands alone.
	ofOwner = []string{
		"goose_db_version", "schema_compatibility", "signing_key_revocations", "protocol_reserves", "receipts_ahead", "log_erasures",
	}
	// neverDeleted are changed, and not deleted from.
	neverDeleted = []string{
		"people", "contributors", "positions", "contributor_roles", "protocol_counters", "data_keys", "installation", "offices",
		"log_tiles", "log_offices", "log_state", "log_cosignatures",
	}
)

// roleName is a name that needs no quotes in SQL.
var roleName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// CreateRole gives a role of the server what `diresco serve` needs and no more. That is on all
// tables, and on those that later migrations of the same owner make. It makes the role where there
// is none; that one may log in and has no password yet. It may be called again.
func (d *DB) CreateRole(ctx context.Context, name string) (made bool, err error) {
	if d.dialect != Postgres {
		return false, errors.New("SQLite has no roles")
	}
	if !roleName.MatchString(name) {
		return false, errors.New("a role is named by small letters, digits and underscores")
	}
	err = d.granting(ctx, func(ctx context.Context) error {
		var known int
		if err := d.From(ctx).Raw("SELECT count(*) FROM pg_roles WHERE rolname = ?", name).Scan(&known).Error; err != nil {
			return err
		}
		if made = known == 0; made {
			if err := d.From(ctx).Exec("CREATE ROLE " + name + " LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE").Error; err != nil {
				return fmt.Errorf("role %s: %w", name, err)
			}
		}
		var mighty bool
		if err := d.From(ctx).Raw("SELECT r.rolsuper OR r.rolcreaterole OR pg_has_role(r.rolname, c.relowner, 'MEMBER') "+
			"FROM pg_roles r, pg_class c WHERE r.rolname = ? AND c.oid = 'audit_records'::regclass", name).Scan(&mighty).Error; err != nil {
			return err
		}
		if mighty {
			return fmt.Errorf("role %s owns the tables, may become who does, or is a superuser: nothing could be kept from it", name)
		}
		if err := d.grant(ctx, name, true); err != nil {
			return err
		}
		return d.withheld(ctx, name)
	})
	return made, err
}

// granting runs what gives rights, one at a time: PostgreSQL lets one of two fail that give some on
// the same table.
func (d *DB) granting(ctx context.Context, fn func(ctx context.Context) error) error {
	return d.InTx(ctx, func(ctx context.Context) error {
		if err := d.LockName(ctx, "rights of roles"); err != nil {
			return err
		}
		return fn(ctx)
	})
}

// withheld fails where a role may do by another way what its own rights leave out. Such a way is a
// group that it is in, or what everybody may.
func (d *DB) withheld(ctx context.Context, role string) error {
	for _, w := range []struct {
		tables         []string
		whole, columns string
	}{
		{keptAsWritten, "UPDATE, DELETE, TRUNCATE, TRIGGER", "UPDATE"},
		{ofOwner, "INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER", "INSERT, UPDATE"},
		{neverDeleted, "DELETE, TRUNCATE, TRIGGER", ""},
	} {
		for _, table := range w.tables {
			var may bool
			err := d.From(ctx).Raw("SELECT has_table_privilege(?, ?, ?) OR ? <> '' AND has_any_column_privilege(?, ?, ?)",
				role, table, w.whole, w.columns, role, table, cmp.Or(w.columns, "SELECT")).Scan(&may).Error
			if err != nil {
				return err
			}
			if may {
				return fmt.Errorf("role %s may change %s by the rights of a group or of everybody: take them away first", role, table)
			}
		}
	}
	return nil
}

// grant gives a role its rights in the context's transaction; later says whether also those on
// tables to come.
func (d *DB) grant(ctx context.Context, role string, later bool) error {
	statements := []string{
		// What somebody gave it before goes, such as a trigger, by which nothing would be written.
		"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM " + role,
		"REVOKE ALL ON SCHEMA public FROM " + role,
		"GRANT USAGE ON SCHEMA public TO " + role,
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO " + role,
		"REVOKE UPDATE, DELETE ON " + strings.Join(keptAsWritten, ", ") + " FROM " + role,
		"REVOKE INSERT, UPDATE, DELETE ON " + strings.Join(ofOwner, ", ") + " FROM " + role,
		"REVOKE DELETE ON " + strings.Join(neverDeleted, ", ") + " FROM " + role,
	}
	if later {
		statements = append(
			statements, "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "+role,
		)
	}
	for _, s := range statements {
		if err := d.From(ctx).Exec(s).Error; err != nil {
			return err
		}
	}
	return nil
}

// grantAgain gives every role of the service its rights on the tables that there are now. Such a
// role is one that may add to the trail and is not the owner.
func (d *DB) grantAgain(ctx context.Context) error {
	if d.dialect != Postgres {
		return nil
	}
	return d.granting(ctx, func(ctx context.Context) error {
		var roles []string
		err := d.From(ctx).Raw(`SELECT DISTINCT quote_ident(r.rolname) FROM pg_class c
			CROSS JOIN aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
			WHERE c.oid = 'audit_records'::regclass AND a.privilege_type = 'INSERT' AND a.grantee <> c.relowner
			AND pg_has_role(c.relowner, 'USAGE') ORDER BY 1`).
			Scan(&roles).Error
		if err != nil {
			return err
		}
		for _, role := range roles {
			if err := d.grant(ctx, role, false); err != nil {
				return err
			}
		}
		return nil
	})
}
