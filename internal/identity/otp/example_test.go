package otp_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/otp"
	"diresco/internal/identity/throttle"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/keyring"
)

// A purpose is declared beside the rules that it belongs to. Its code is made in one transaction
// and redeemed in another, together with the effect that it allows.
func Example() {
	ctx, d, codes, end := exampleCodes()
	defer end()
	purpose := otp.Purpose{Kind: throttle.ContactCode, Label: "one-time code contact-code", Length: 8, Life: day}
	contact := uuid.Must(uuid.NewV7())

	redemption := otp.Redemption{Purpose: purpose, Name: "RSSMRA80A01H501U", SubjectID: contact, Address: "192.0.2.1"}
	if err := d.InTx(ctx, func(ctx context.Context) (err error) {
		redemption.Code, err = codes.Make(ctx, otp.Issue{Purpose: purpose, SubjectID: contact})
		return err
	}); err != nil {
		panic(err)
	}
	verify := func(context.Context) error { fmt.Println("the contact is verified"); return nil }
	fmt.Println(codes.Redeem(ctx, redemption, verify))
	fmt.Println(codes.Redeem(ctx, redemption, verify))
	// Output:
	// the contact is verified
	// <nil>
	// code-invalid
}

// exampleCodes are the codes of an empty database.
func exampleCodes() (ctx context.Context, d *db.DB, codes *otp.Codes, end func()) {
	ctx = context.Background()
	dir, err := os.MkdirTemp("", "diresco-otp-")
	if err != nil {
		panic(err)
	}
	if d, err = db.Open(ctx, "sqlite:"+dir+"/diresco.db"); err != nil {
		panic(err)
	}
	if err := d.Migrate(ctx); err != nil {
		panic(err)
	}
	keys, err := keyring.ParseDataKeys("k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	if err != nil {
		panic(err)
	}
	codes = otp.New(
		d, clock.System{}, keys, throttle.NewLimiter(d, clock.System{}, keys, outbox.New(d)),
		throttle.NewAddressLimit(d, clock.System{}, true), rand.Reader,
	)
	return ctx, d, codes, func() {
		_ = d.Close()
		_ = os.RemoveAll(dir)
	}
}
