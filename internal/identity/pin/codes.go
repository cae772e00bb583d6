package pin

import (
	"time"

	"diresco/internal/identity/otp"
	"diresco/internal/identity/throttle"
)

const (
	codeLength = 8
	codeLife   = 24 * time.Hour
)

// The codes that act on a PIN without a login. Whatever ends a PIN ends them.
var (
	// RecoveryCode brings a lost PIN back.
	RecoveryCode = otp.Purpose{Kind: throttle.RecoveryCode, Label: "one-time code recovery-code", Length: codeLength, Life: codeLife}
	// RevocationCode revokes a PIN.
	RevocationCode = otp.Purpose{Kind: throttle.RevocationCode, Label: "one-time code revocation-code", Length: codeLength, Life: codeLife}
)
