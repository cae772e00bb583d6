// Package identity is who somebody is and how they prove it: people and their contacts, PINs,
// sessions, codes that are good once, the limiter of tries, and the staff that looks after all
// that.
//
// For whom somebody may act belongs to mandate.
//
// Its packages import platform, kernel and masterdata.
package identity
