package session

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
)

// Service is what can be done with sessions.
type Service struct {
	run      *operation.Runner
	repo     repository
	pins     PINs
	outbox   *outbox.Outbox
	tokens   *accessTokens
	refresh  refreshTokens
	activity *activity
	// onReuse ends a consent; see OnReuse.
	onReuse func(ctx context.Context, consentID uuid.UUID) error
}

// Deps are what the service works with.
type Deps struct {
	Runner *operation.Runner
	PINs   PINs
	// Keyring signs the access tokens.
	Keyring *keyring.Keyring
	// Keys authenticate the refresh tokens.
	Keys   *keyring.DataKeys
	Outbox *outbox.Outbox
	// PublicURL, without a path, is the issuer of the access tokens.
	PublicURL string
	Log       *slog.Logger
}

// NewService returns the service. Close it to write down the last activity.
func NewService(d Deps) *Service {
	repo := repository{d.Runner.DB}
	return &Service{
		run: d.Runner, repo: repo, pins: d.PINs, outbox: d.Outbox,
		tokens:  newAccessTokens(d.Keyring, d.Runner.Clock, strings.TrimRight(d.PublicURL, "/")),
		refresh: refreshTokens{d.Keys}, activity: newActivity(repo.saw, d.Log),
	}
}

// Close writes down what is known of activity and ends the writer.
func (s *Service) Close() { s.activity.writer.Close() }

// Flush returns once every activity noted before the call is written down.
func (s *Service) Flush(ctx context.Context) { s.activity.writer.Flush(ctx) }

// Parse returns the claims of a genuine access token that has not expired; everything else is
// fault.Unauthenticated. It does not say that the session lives.
func (s *Service) Parse(ctx context.Context, token secret.Text) (Claims, error) {
	return s.tokens.parse(ctx, token)
}

// Touch notes that the user did something in a session that lives. It never waits.
func (s *Service) Touch(sessionID uuid.UUID, now time.Time) { s.activity.touch(sessionID, now) }

// LastSeen returns when the user last did something in the session, given what its row says. It is
// exact in one process, and up to five seconds too early where another process saw it last.
func (s *Service) LastSeen(sessionID uuid.UUID, fromRow time.Time) time.Time {
	return s.activity.last(sessionID, fromRow)
}

// RequireLive returns nil if the session with this row lives at the instant now, else
// fault.SessionEnded.
func (s *Service) RequireLive(sessionID uuid.UUID, lastSeenRow, expiresAt time.Time, endedAt *time.Time, now time.Time) error {
	return State(expiresAt, endedAt, s.LastSeen(sessionID, lastSeenRow), now)
}

// subjectKind is how the audit trail names a session.
const subjectKind = "session"

// Start logs somebody in. Wrong credentials are fault.InvalidCredentials, whatever was wrong; see
// PINs.Verify for the rest. Where ten sessions of the person live, the oldest ends.
//
// Lock order: name of the person's sessions, person, PIN, sessions.
func (s *Service) Start(ctx context.Context, taxCode string, pin secret.Text, address string) (Session, error) {
	v, err := s.pins.Verify(ctx, taxCode, pin, address)
	if err != nil {
		return Session{}, err
	}
	id := uuid.Must(uuid.NewV7())
	var displaced []uuid.UUID
	opened, err := operation.Do(unclaimed(ctx), s.run, access.Actor{}, id.String(), func(
		ctx context.Context, trace *operation.Trace,
	) (Session, error) {
		trace.PersonID, trace.SessionID, trace.SubjectKind, trace.Login = v.PersonID, id, subjectKind, PINLogin
		// Of many logins at once each must see the sessions of those before it.
		if err := s.run.DB.LockName(ctx, sessionsOf(v.PersonID)); err != nil {
			return Session{}, err
		}
		if err := s.pins.StillValid(ctx, v); err != nil {
			return Session{}, err
		}
		var err error
		if displaced, err = s.makeRoom(ctx, v.PersonID); err != nil {
			return Session{}, err
		}
		return s.open(ctx, id, v, PINLogin)
	}, nil)
	if err == nil {
		s.activity.forget(displaced...)
	}
	return opened, err
}

// sessionsOf is the name that is locked where a person's sessions are counted.
func sessionsOf(personID uuid.UUID) string { return "sessions of " + personID.String() }

// unclaimed returns the context without the request's idempotency key. An answer with tokens is
// never stored, so a repeat is a request of its own.
func unclaimed(ctx context.Context) context.Context { return idempotency.WithClaim(ctx, nil) }

// displacedKind is the kind of the message about a session that ended for a newer one; its data is
// {"at"}.
var displacedKind = outbox.Declare(outbox.Kind{Name: "session.displaced"})

// makeRoom ends the oldest live sessions of a person, so that one more makes MostAtOnce at most. It
// tells the person. It returns which those were. The name of the person's sessions is locked.
func (s *Service) makeRoom(ctx context.Context, personID uuid.UUID) ([]uuid.UUID, error) {
	now := s.run.Clock.Now()
	rows, err := s.repo.ofPerson(ctx, personID, now)
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(r row) bool {
		return State(r.ExpiresAt, r.EndedAt, s.LastSeen(r.ID, r.LastSeenAt), now) != nil
	})
	if len(rows) < MostAtOnce {
		return nil, nil
	}
	var displaced []uuid.UUID
	for _, oldest := range rows[MostAtOnce-1:] {
		displaced = append(displaced, oldest.ID)
	}
	if err := s.repo.hold(ctx, displaced...); err != nil {
		return nil, err
	}
	now = s.run.Clock.Now()
	for _, id := range displaced {
		if _, err := s.repo.end(ctx, id, EndedDisplaced, now); err != nil {
			return nil, err
		}
	}
	m, err := outbox.NewMessage(displacedKind, personID, map[string]string{"at": now.Format(time.RFC3339Nano)}, now)
	if err != nil {
		return nil, err
	}
	return displaced, s.outbox.Add(ctx, m)
}

// open inserts a new session in the context's transaction.
func (s *Service) open(ctx context.Context, id uuid.UUID, v Verified, login access.Login) (Session, error) {
	now := s.run.Clock.Now()
	token, err := s.refresh.fresh(refreshVersion, id, 0)
	if err != nil {
		return Session{}, err
	}
	r := row{
		ID: id, PersonID: v.PersonID, CredentialLevel: v.CredentialLevel, PINChangeRequired: v.PINChangeRequired,
		CreatedAt: now, AuthenticatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(AbsoluteAfter), RefreshHash: digest(token.Reveal()),
	}
	r.by(login)
	if err := s.repo.insert(ctx, r); err != nil {
		return Session{}, err
	}
	return s.hand(r, token, now, now)
}

// hand makes what the holder of a session is given.
func (s *Service) hand(r row, refresh secret.Text, lastSeen, now time.Time) (Session, error) {
	idle := idleExpiry(lastSeen, r.ExpiresAt)
	token, life, err := s.tokens.issue(Claims{SessionID: r.ID, PersonID: r.PersonID, ClientID: Portal}, now, idle)
	return Session{
		SessionID: r.ID, AccessToken: token, RefreshToken: refresh, ExpiresIn: life, IdleExpiresAt: idle, ExpiresAt: r.ExpiresAt,
		PINChangeRequired: r.PINChangeRequired, CredentialLevel: r.login().Raise(r.CredentialLevel), LoginMethod: r.LoginMethod,
		LoginLevel: r.LoginLevel, LoginProvider: r.LoginProvider,
	}, err
}

// Replace ends every session of the actor's own and starts a new one; applications' grants go on.
// It runs inside the caller's transaction and operation: the actor has just proved to hold a new
// PIN, and the session is as the one before was begun. It returns fault.SessionEnded when the actor's own session has ended meanwhile.
func (s *Service) Replace(ctx context.Context, by access.Actor, reason string) (Session, error) {
	ended, err := s.endAll(ctx, by.PersonID, reason, false)
	if err != nil {
		return Session{}, err
	}
	if !slices.Contains(ended, by.SessionID) {
		return Session{}, fault.New(fault.SessionEnded)
	}
	login := by.Login
	if login.Method == "" {
		login = PINLogin
	}
	return s.open(ctx, uuid.Must(uuid.NewV7()), Verified{PersonID: by.PersonID, CredentialLevel: by.CredentialLevel}, login)
}

// EndAllOf ends every session of a person, those of applications too, inside the caller's
// transaction and operation. Their consents are the caller's to end.
func (s *Service) EndAllOf(ctx context.Context, personID uuid.UUID, reason string) error {
	_, err := s.endAll(ctx, personID, reason, true)
	return err
}

// endAll ends every session of a person, on request those of applications too, and returns which
// those were. What a session let in holds it, so the clock is read once all are locked: what was let
// in comes before the end.
func (s *Service) endAll(ctx context.Context, personID uuid.UUID, reason string, grants bool) ([]uuid.UUID, error) {
	if err := s.repo.holdAll(ctx, personID); err != nil {
		return nil, err
	}
	return s.repo.endAll(ctx, personID, reason, s.run.Clock.Now(), grants)
}

// HoldAllOf keeps every session of a person until the end of the context's transaction. What they
// let in has ended when it returns.
func (s *Service) HoldAllOf(ctx context.Context, personID uuid.UUID) error {
	return s.repo.holdAll(ctx, personID)
}

var errReused = errors.New("refresh token used before")

// Renew gives the next pair of tokens. Within 60 seconds the same refresh token with the same
// idempotency key gives the same successor; any other second use ends the session. It is no
// activity. A text that is no refresh token of ours is fault.Unauthenticated; a session that has
// ended, or ends thereby, is fault.SessionEnded.
func (s *Service) Renew(ctx context.Context, token secret.Text, idempotencyKey string) (Session, error) {
	id, _, genuine := s.refresh.open(token)
	if !genuine {
		return Session{}, fault.Because(fault.Unauthenticated, "refresh-token")
	}
	renewed, err := s.renew(ctx, id, token, idempotencyKey)
	if !errors.Is(err, errReused) {
		return renewed, err
	}
	// Somebody else holds a copy of the token, or did: nobody can tell who is the right one.
	err = s.run.DB.InTx(ctx, func(ctx context.Context) error {
		r, found, err := s.repo.find(ctx, id, true)
		if err != nil || !found || r.EndedAt != nil {
			return err
		}
		if _, err := s.repo.end(ctx, id, EndedRefreshUsed, s.run.Clock.Now()); err != nil {
			return err
		}
		return s.trace(ctx, r, EndedRefreshUsed)
	})
	if err != nil {
		return Session{}, err
	}
	s.activity.forget(id)
	return Session{}, fault.New(fault.SessionEnded)
}

func (s *Service) renew(ctx context.Context, id uuid.UUID, token secret.Text, key string) (Session, error) {
	used := digest(token.Reveal())
	now := s.run.Clock.Now()
	r, lastSeen, err := s.alive(ctx, id, false, now)
	if err != nil {
		return Session{}, err
	}
	if r.RefreshHash == used {
		next, err := s.advance(ctx, r, token, key, now)
		if err != nil {
			return Session{}, err
		}
		if next != "" {
			return s.hand(r, next, lastSeen, now)
		}
		// Another use of the same token was quicker.
		if r, lastSeen, err = s.alive(ctx, id, false, now); err != nil {
			return Session{}, err
		}
	}
	if successor, ok := s.repeated(r, token, key, used, now); ok {
		return s.hand(r, successor, lastSeen, now)
	}
	return Session{}, errReused
}

// advance replaces the current refresh token and returns the next one. It returns "" when the token
// is no longer the current one.
func (s *Service) advance(ctx context.Context, r row, token secret.Text, key string, now time.Time) (secret.Text, error) {
	next, err := s.next(r, token, key)
	if err != nil {
		return "", err
	}
	used := r.RefreshHash
	r.RefreshGeneration++
	r.RefreshHash, r.RenewedAt, r.RenewedHash, r.RenewedKey = digest(next.Reveal()), &now, &used, nil
	if key != "" {
		hashed := digest(key)
		r.RenewedKey = &hashed
	}
	won := false
	err = s.run.DB.InTx(ctx, func(ctx context.Context) (err error) {
		if won, err = s.repo.renew(ctx, r, used); err != nil || !won {
			return err
		}
		return s.trace(ctx, r, "")
	})
	if err != nil || !won {
		return "", err
	}
	return next, nil
}

// next returns the token that follows: a derived one if the request may be repeated, else a random
// one.
func (s *Service) next(r row, token secret.Text, key string) (secret.Text, error) {
	if key == "" {
		return s.refresh.fresh(refreshVersion, r.ID, r.RefreshGeneration+1)
	}
	return s.refresh.successors(token, key, r.ID, r.RefreshGeneration+1)[0], nil
}

// repeated returns the successor again if this is the exact repeat of the last renewal.
func (s *Service) repeated(r row, token secret.Text, key, used string, now time.Time) (secret.Text, bool) {
	if key == "" || r.RenewedAt == nil || r.RenewedHash == nil || r.RenewedKey == nil ||
		*r.RenewedHash != used || *r.RenewedKey != digest(key) || !now.Before(r.RenewedAt.Add(RenewalRepeat)) {
		return "", false
	}
	return s.successor(r, token, key)
}

// successor returns the current refresh token, if it follows the one given under the key.
func (s *Service) successor(r row, token secret.Text, key string) (secret.Text, bool) {
	for _, successor := range s.refresh.successors(token, key, r.ID, r.RefreshGeneration) {
		if digest(successor.Reveal()) == r.RefreshHash {
			return successor, true
		}
	}
	return "", false
}

// alive returns a session of a person's own that lives, and its last activity, else
// fault.SessionEnded.
func (s *Service) alive(ctx context.Context, id uuid.UUID, lock bool, now time.Time) (row, time.Time, error) {
	r, found, err := s.repo.find(ctx, id, lock)
	if err != nil {
		return row{}, time.Time{}, err
	}
	if !found || r.SuspendedAt != nil || r.ConsentID != nil {
		return row{}, time.Time{}, fault.New(fault.SessionEnded)
	}
	lastSeen := s.LastSeen(id, r.LastSeenAt)
	return r, lastSeen, State(r.ExpiresAt, r.EndedAt, lastSeen, now)
}

// trace writes the audit record of something that the holder of a refresh token did.
func (s *Service) trace(ctx context.Context, r row, outcome string) error {
	t := operation.Trace{SubjectKind: subjectKind, SubjectID: r.ID.String(), Outcome: outcome}
	return s.run.Trail.Write(ctx, t.Record(ctx, access.Actor{PersonID: r.PersonID, SessionID: r.ID, Login: r.login()}, s.run.Clock))
}

// Reauthenticate proves by the PIN that the holder of a session is still there. Attempts go to the
// same counter as at login. The session goes on with new tokens. A wrong PIN is
// fault.InvalidCredentials.
func (s *Service) Reauthenticate(ctx context.Context, by access.Actor, pin secret.Text) (Session, error) {
	v, err := s.pins.VerifyPerson(ctx, by.PersonID, pin, audit.OriginOf(ctx).Address)
	if err != nil {
		return Session{}, err
	}
	return s.again(ctx, by, func(ctx context.Context) (access.Login, error) { return by.Login, s.pins.StillValid(ctx, v) })
}

// again goes on with a session, with new tokens, once prove has proved in the transaction that its
// holder is there. How they proved it is how the session was begun from then on.
func (s *Service) again(
	ctx context.Context, by access.Actor, prove func(ctx context.Context) (access.Login, error),
) (Session, error) {
	again, err := operation.Do(unclaimed(ctx), s.run, by, by.SessionID.String(), func(
		ctx context.Context, trace *operation.Trace,
	) (Session, error) {
		trace.SubjectKind = subjectKind
		login, err := prove(ctx)
		if err != nil {
			return Session{}, err
		}
		now := s.run.Clock.Now()
		r, _, err := s.alive(ctx, by.SessionID, true, now)
		if err != nil {
			return Session{}, err
		}
		token, err := s.refresh.fresh(refreshVersion, r.ID, r.RefreshGeneration+1)
		if err != nil {
			return Session{}, err
		}
		r.RefreshGeneration++
		r.RefreshHash, r.AuthenticatedAt, r.LastSeenAt = digest(token.Reveal()), now, now
		if login.National() {
			r.raise(login)
			r.PINChangeRequired, trace.Login = false, login
		}
		if err := s.repo.reauthenticate(ctx, r); err != nil {
			return Session{}, err
		}
		return s.hand(r, token, now, now)
	}, nil)
	if err == nil {
		s.Touch(by.SessionID, s.run.Clock.Now())
	}
	return again, err
}

// List returns the live sessions of the actor, newest first.
func (s *Service) List(ctx context.Context, by access.Actor) ([]Info, error) {
	now := s.run.Clock.Now()
	rows, err := s.repo.ofPerson(ctx, by.PersonID, now)
	if err != nil {
		return nil, err
	}
	infos := make([]Info, 0, len(rows))
	for _, r := range rows {
		lastSeen := s.LastSeen(r.ID, r.LastSeenAt)
		if State(r.ExpiresAt, r.EndedAt, lastSeen, now) == nil {
			infos = append(infos, r.info(lastSeen, by.SessionID))
		}
	}
	return infos, nil
}

// Show returns a live session of the actor; any other is fault.NotFound.
func (s *Service) Show(ctx context.Context, by access.Actor, id uuid.UUID) (Info, error) {
	r, lastSeen, err := s.own(ctx, by, id)
	if err != nil {
		return Info{}, err
	}
	return r.info(lastSeen, by.SessionID), nil
}

func (s *Service) own(ctx context.Context, by access.Actor, id uuid.UUID) (row, time.Time, error) {
	r, lastSeen, err := s.alive(ctx, id, false, s.run.Clock.Now())
	if fault.Is(err, fault.SessionEnded) || err == nil && r.PersonID != by.PersonID {
		err = fault.New(fault.NotFound)
	}
	return r, lastSeen, err
}

// End ends a live session of the actor, the current one or another; any other is fault.NotFound.
func (s *Service) End(ctx context.Context, by access.Actor, id uuid.UUID) error {
	_, err := operation.Do(unclaimed(ctx), s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (struct{}, error) {
		trace.SubjectKind, trace.Unchecked = subjectKind, id == by.SessionID
		// Two that end each other come one after the other.
		if err := s.repo.hold(ctx, id, by.SessionID); err != nil {
			return struct{}{}, err
		}
		if _, _, err := s.own(ctx, by, id); err != nil {
			return struct{}{}, err
		}
		ended, err := s.repo.end(ctx, id, EndedByHolder, s.run.Clock.Now())
		if err == nil && !ended {
			err = fault.New(fault.NotFound)
		}
		return struct{}{}, err
	}, nil)
	if err == nil {
		s.activity.forget(id)
	}
	return err
}
