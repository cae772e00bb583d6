package fault

// AnyVersion is the version that a caller expects who takes whatever is there (If-Match: *, RFC
// 9110 section 13.1.1).
const AnyVersion = -1

// RequireVersion returns PreconditionFailed where the caller expects another version than the
// present one.
func RequireVersion(expected, present int) error {
	if expected == AnyVersion || expected == present {
		return nil
	}
	return New(PreconditionFailed)
}
