package operation_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/recheck"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
)

// An operation gives its effect and how to show again what it made. Its repeat has no second
// effect.
func ExampleDo() {
	d, closeAll := exampleDatabase()
	defer closeAll()
	monday := clock.NewManual(time.Date(2026, 3, 16, 8, 15, 0, 0, time.UTC))
	runner := &operation.Runner{
		DB: d, Clock: monday, Keys: idempotency.NewStore(d, monday, nil), Trail: audit.NewTrail(d), Recheck: recheck.New(d, monday),
	}
	open := func(ctx context.Context, code, title string) (string, error) {
		return operation.Do(ctx, runner, access.Actor{}, code, func(ctx context.Context, trace *operation.Trace) (string, error) {
			trace.SubjectKind = "office"
			if title == "" {
				return "", fault.InvalidFields(fault.Field{Pointer: "/title", Code: fault.FieldTooShort})
			}
			return title, d.From(ctx).Exec("INSERT INTO offices (code, title) VALUES (?, ?)", code, title).Error
		}, func(ctx context.Context, code string) (title string, err error) {
			err = d.From(ctx).Raw("SELECT title FROM offices WHERE code = ?", code).Scan(&title).Error
			return title, err
		})
	}

	request := idempotency.WithClaim(audit.WithOrigin(context.Background(), audit.Origin{Operation: "openOffice"}), &idempotency.Claim{
		Scope: "example", Key: "0190163d", Operation: "openOffice", RequestMAC: "of the request",
	})
	fmt.Println(open(request, "7000", "Roma"))
	fmt.Println(open(request, "7000", "Roma"))
	fmt.Println(open(context.Background(), "4900", ""))
	var trail string
	if err := d.From(request).Raw("SELECT operation || ' ' || subject_kind || ' ' || subject_id || ' ' || outcome " +
		"FROM audit_records").Scan(&trail).Error; err != nil {
		panic(err)
	}
	fmt.Println(trail)
	// Output:
	// Roma <nil>
	// Roma <nil>
	//  validation-failed
	// openOffice office 7000 done
}

// exampleDatabase makes an empty database.
func exampleDatabase() (d *db.DB, closeAll func()) {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "diresco-example-")
	if err == nil {
		d, err = db.Open(ctx, "sqlite:"+filepath.Join(dir, "diresco.db"))
	}
	if err == nil {
		err = d.Migrate(ctx)
	}
	if err != nil {
		panic(err)
	}
	return d, func() { _ = errors.Join(d.Close(), os.RemoveAll(dir)) }
}
