package taxcode_test

import (
	"fmt"

	"diresco/internal/platform/taxcode"
)

// A code prints itself masked; Clear is for where it must stand whole.
func ExampleParse() {
	code, err := taxcode.Parse("rssmra80a01h501u")
	fmt.Println(code, code.Clear(), code.IsPerson(), err)
	_, err = taxcode.Parse("RSSMRA80A01H501X")
	fmt.Println(err)
	// Output:
	// RSS••••••••••••U RSSMRA80A01H501U true <nil>
	// tax code: check character is wrong
}
