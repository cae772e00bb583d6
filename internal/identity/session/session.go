// Package session keeps working sessions and the tokens that stand for them. A short-lived access
// token is sent with every request; a refresh token gives the next pair. Whether a session lives is
// decided by its row, never by a token alone.
package session

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
)

const (
	// IdleAfter is the inactivity after which the working session is closed (INPS rules of access:
	// 30 minutes).
	IdleAfter = access.IdleAfter
	// AbsoluteAfter is the age at which a session ends however active it is.
	AbsoluteAfter = 12 * time.Hour
	// AccessLife is the longest life of an access token.
	AccessLife = 15 * time.Minute
	// MostAtOnce is how many sessions of one person live at the same time.
	MostAtOnce = 10
	// RenewalRepeat is how long the exact repeat of a renewal is answered the same.
	RenewalRepeat = 60 * time.Second
)

// LoginMethod is how somebody logged in.
type LoginMethod string

// The ways of logging in.
const (
	ByPIN  LoginMethod = "pin"
	BySPID LoginMethod = "spid"
	ByCIE  LoginMethod = "cie"
	ByCNS  LoginMethod = "cns"
)

// The reasons for which a session ends before its time.
const (
	EndedByHolder    = "ended-by-holder"
	EndedPINChanged  = "pin-changed"
	EndedPINReplaced = "pin-replaced"
	EndedPINRevoked  = "pin-revoked"
	EndedRefreshUsed = "refresh-reuse"
	EndedSuspended   = "suspended"
	EndedPostLeft    = "post-left"
	EndedDisplaced   = "displaced"
)

// Session is what its holder is given at login, renewal and re-authentication.
type Session struct {
	SessionID    uuid.UUID
	AccessToken  secret.Text
	RefreshToken secret.Text
	// ExpiresIn is the life of the access token, in whole seconds.
	ExpiresIn         time.Duration
	IdleExpiresAt     time.Time
	ExpiresAt         time.Time
	PINChangeRequired bool
	CredentialLevel   access.CredentialLevel
	LoginMethod       LoginMethod
	// LoginLevel and LoginProvider are those of a national identity; nil for a PIN.
	LoginLevel    *int
	LoginProvider *string
}

// Info describes a live session, without its tokens.
type Info struct {
	SessionID         uuid.UUID
	Current           bool
	LoginMethod       LoginMethod
	LoginLevel        *int
	LoginProvider     *string
	CredentialLevel   access.CredentialLevel
	CreatedAt         time.Time
	AuthenticatedAt   time.Time
	LastSeenAt        time.Time
	IdleExpiresAt     time.Time
	ExpiresAt         time.Time
	PINChangeRequired bool
}

// PINLogin is the login with tax code and PIN.
var PINLogin = access.Login{Method: string(ByPIN)}

// Verified is a person whose PIN was right.
type Verified struct {
	PersonID          uuid.UUID
	CredentialLevel   access.CredentialLevel
	PINChangeRequired bool
	// PINChangedAt says which PIN it was, so that one that is replaced meanwhile opens no session.
	PINChangedAt time.Time
}

// PINs verifies PINs for sessions.
type PINs interface {
	// Verify returns the person with this tax code and PIN. It returns these faults:
	//   - fault.InvalidCredentials: the PIN is wrong, or there is no such person, which nobody can
	//     tell apart;
	//   - fault.PINLocked: too many tries about this tax code were wrong;
	//   - fault.RateLimited: too many tries from this address were wrong;
	//   - fault.Busy: too many PINs are being compared at once;
	//   - fault.PINExpired: the PIN is right but expired unused.
	Verify(ctx context.Context, taxCode string, pin secret.Text, address string) (Verified, error)
	// VerifyPerson is Verify for somebody who is known already.
	VerifyPerson(ctx context.Context, personID uuid.UUID, pin secret.Text, address string) (Verified, error)
	// StillValid returns fault.InvalidCredentials when what Verify verified no longer holds. That
	// is so when that PIN was replaced or revoked, or its holder suspended. Otherwise none of this
	// can happen until the end of the context's transaction.
	StillValid(ctx context.Context, v Verified) error
}

// State returns nil for a session that lives at the instant now, else fault.SessionEnded. At
// exactly 30 minutes without activity, or 12 hours of age, it has ended.
func State(expiresAt time.Time, endedAt *time.Time, lastSeen, now time.Time) error {
	if endedAt != nil || !now.Before(idleExpiry(lastSeen, expiresAt)) {
		return fault.New(fault.SessionEnded)
	}
	return nil
}

// idleExpiry is when the session ends if nothing more is done in it.
func idleExpiry(lastSeen, expiresAt time.Time) time.Time {
	idle := lastSeen.Add(IdleAfter)
	if idle.After(expiresAt) {
		return expiresAt
	}
	return idle
}

// row is a session as it is kept.
type row struct {
	ID                uuid.UUID
	PersonID          uuid.UUID
	LoginMethod       LoginMethod
	LoginLevel        *int
	LoginProvider     *string
	PINChangeRequired bool `gorm:"column:pin_change_required"`
	CreatedAt         time.Time
	AuthenticatedAt   time.Time
	LastSeenAt        time.Time
	ExpiresAt         time.Time
	EndedAt           *time.Time
	EndReason         *string
	RefreshGeneration uint32
	// RefreshHash is the SHA-256 of the one refresh token that is good now.
	RefreshHash string
	// RenewedAt is the time of the last renewal. RenewedHash is the SHA-256 of the token it used
	// up, RenewedKey that of its Idempotency-Key.
	RenewedAt   *time.Time
	RenewedHash *string
	RenewedKey  *string
	// ConsentID is that by which an application acts; nil for a person's own session.
	ConsentID *uuid.UUID
	// BoundKey and BoundCertificate are what the refresh token is bound to; nil for none.
	BoundKey         *string
	BoundCertificate *string
	// What tokens need to know of the person; read with the session, never written.
	CredentialLevel access.CredentialLevel `gorm:"->"`
	SuspendedAt     *time.Time             `gorm:"->"`
}

// login is how the session was begun, or raised.
func (r row) login() access.Login {
	return access.Login{Method: string(r.LoginMethod), Level: r.LoginLevel, Provider: r.LoginProvider}
}

// by makes the session one that was begun so.
func (r *row) by(l access.Login) {
	r.LoginMethod, r.LoginLevel, r.LoginProvider = LoginMethod(l.Method), l.Level, l.Provider
}

// raise takes a further login over, unless what the session has is of a higher level.
func (r *row) raise(l access.Login) {
	if r.LoginLevel == nil || l.Level == nil || *r.LoginLevel <= *l.Level {
		r.by(l)
	}
}

// TableName tells GORM the table.
func (row) TableName() string { return "sessions" }

func (r row) info(lastSeen time.Time, current uuid.UUID) Info {
	return Info{
		SessionID: r.ID, Current: r.ID == current, LoginMethod: r.LoginMethod, LoginLevel: r.LoginLevel, LoginProvider: r.LoginProvider,
		CredentialLevel: r.login().Raise(r.CredentialLevel), CreatedAt: r.CreatedAt, AuthenticatedAt: r.AuthenticatedAt,
		LastSeenAt: lastSeen, IdleExpiresAt: idleExpiry(lastSeen, r.ExpiresAt), ExpiresAt: r.ExpiresAt,
		PINChangeRequired: r.PINChangeRequired,
	}
}
