// Package identity is who somebody is and how they prove it. It has people and their contacts,
// PINs, sessions, one-time codes, the limiter of tries, applications of others with the consents by
// which they act, and the staff that looks after all that.
//
// For whom somebody may act belongs to mandate.
//
// Its packages import platform, kernel and masterdata.
package identity
