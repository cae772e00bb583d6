package session

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
)

// OnlineGrant is how long a grant lives that was given without offline access.
const OnlineGrant = 24 * time.Hour

// Grant is a consent for which a session is opened.
type Grant struct {
	ConsentID     uuid.UUID
	ApplicationID uuid.UUID
	PersonID      uuid.UUID
	ClientID      string
	// Scopes are those of the consent.
	Scopes []string
	// ExpiresAt is no later than the end of the consent.
	ExpiresAt time.Time
	// Refreshable grants come with a refresh token.
	Refreshable bool
	// Binding is what the access token is bound to.
	Binding access.Binding
	// BindRefresh binds the refresh token to it, too: where nothing else proves whose it is.
	BindRefresh bool
}

// Renewal is what an application sends with a refresh token.
type Renewal struct {
	Refresh  secret.Text
	ClientID string
	// Scopes may be fewer than those of the consent; none are all.
	Scopes []string
	// IdempotencyKey may be "".
	IdempotencyKey string
	// Binding is what the application proved to hold: the next access token is bound to it.
	Binding access.Binding
	// Admit is told of which grant the token is.
	Admit Admit
}

// GrantTokens is what an application is given.
type GrantTokens struct {
	ConsentID   uuid.UUID
	SessionID   uuid.UUID
	AccessToken secret.Text
	// RefreshToken is empty where there is none.
	RefreshToken secret.Text
	// ExpiresIn is the life of the access token, in whole seconds.
	ExpiresIn time.Duration
	// Scopes are those of the access token.
	Scopes []string
	// Binding is what the access token is bound to.
	Binding access.Binding
	// Login is how the person had logged in who gave the consent.
	Login access.Login
}

// Admit is asked whether a grant may go on, by its session.
type Admit func(ctx context.Context, sessionID uuid.UUID) error

// OnReuse names who ends a consent whose refresh token was used a second time. It is called in a
// transaction that holds the session and has ended it.
func (s *Service) OnReuse(end func(ctx context.Context, consentID uuid.UUID) error) { s.onReuse = end }

// OpenGrant opens the session of a consent, in the caller's transaction and operation. It has no
// limit of inactivity, and is as good as the login in which the consent was given. A grant of nothing is fault.Forbidden.
func (s *Service) OpenGrant(ctx context.Context, g Grant) (GrantTokens, error) {
	if len(g.Scopes) == 0 || g.ClientID == "" || g.ClientID == Portal {
		return GrantTokens{}, fault.Because(fault.Forbidden, access.ReasonScope)
	}
	now := s.run.Clock.Now()
	id := uuid.Must(uuid.NewV7())
	r := row{
		ID: id, PersonID: g.PersonID, CreatedAt: now, AuthenticatedAt: now, LastSeenAt: now,
		ExpiresAt: g.ExpiresAt, ConsentID: &g.ConsentID, RefreshHash: noRefresh,
	}
	given, err := s.repo.givenBy(ctx, g.ConsentID)
	if err != nil {
		return GrantTokens{}, err
	}
	r.by(given)
	if g.BindRefresh {
		r.bind(g.Binding)
	}
	var token secret.Text
	if g.Refreshable {
		if token, err = s.refresh.fresh(grantVersion, id, 0); err != nil {
			return GrantTokens{}, err
		}
		r.RefreshHash = digest(token.Reveal())
	}
	if err := s.repo.insert(ctx, r); err != nil {
		return GrantTokens{}, err
	}
	return s.handGrant(grantRow{Session: r, ClientID: g.ClientID}, token, g.Scopes, g.Binding, now)
}

// noRefresh stands where a session has no refresh token. No text has it as its digest.
const noRefresh = "none"

// handGrant makes what an application is given. The access token never outlives the grant.
func (s *Service) handGrant(
	r grantRow, refresh secret.Text, scopes []string, binding access.Binding, now time.Time,
) (GrantTokens, error) {
	token, life, err := s.tokens.issue(Claims{
		SessionID: r.Session.ID, PersonID: r.Session.PersonID, ClientID: r.ClientID, Scopes: scopes, Binding: binding,
	}, now, r.Session.ExpiresAt)
	return GrantTokens{
		ConsentID: *r.Session.ConsentID, SessionID: r.Session.ID, AccessToken: token, RefreshToken: refresh, ExpiresIn: life,
		Scopes: scopes, Binding: binding, Login: r.Session.login(),
	}, err
}

// RenewGrant gives the next pair of tokens to the application whose refresh token it is. Within 60
// seconds the same refresh token with
// the same idempotency key gives the same successor, since an answer may be lost; any other second
// use ends the consent. Before anything is done Admit is told of which grant the token is, once it is
// known to be the one that the application may use now, and may refuse. It returns its fault or these:
//   - fault.Unauthenticated: the text is no refresh token of this application's, or is bound to
//     something else than the application proved to hold;
//   - fault.SessionEnded: the grant has ended, or ends thereby;
//   - fault.Forbidden, for access.ReasonScope: a scope is not one of the consent's.
func (s *Service) RenewGrant(ctx context.Context, renewal Renewal) (GrantTokens, error) {
	id, genuine := s.refresh.openGrant(renewal.Refresh)
	if !genuine {
		return GrantTokens{}, errNoRefresh()
	}
	tokens, err := s.renewGrant(ctx, id, renewal)
	if !errors.Is(err, errReused) {
		return tokens, err
	}
	// Somebody else holds a copy of the token, or did: nobody can tell who is the right one.
	err = s.run.DB.InTx(ctx, func(ctx context.Context) error {
		r, found, err := s.repo.findGrant(ctx, id, true)
		if err != nil || !found || r.Session.EndedAt != nil {
			return err
		}
		if _, err := s.repo.end(ctx, id, EndedRefreshUsed, s.run.Clock.Now()); err != nil {
			return err
		}
		if s.onReuse != nil {
			if err := s.onReuse(ctx, *r.Session.ConsentID); err != nil {
				return err
			}
		}
		return s.traceGrant(ctx, r, EndedRefreshUsed)
	})
	if err != nil {
		return GrantTokens{}, err
	}
	s.activity.forget(id)
	return GrantTokens{}, fault.New(fault.SessionEnded)
}

// errNoRefresh is the fault of a text that is no refresh token of who sent it.
func errNoRefresh() error { return fault.Because(fault.Unauthenticated, "refresh-token") }

func (s *Service) renewGrant(ctx context.Context, id uuid.UUID, renewal Renewal) (GrantTokens, error) {
	refresh, key := renewal.Refresh, renewal.IdempotencyKey
	if key == "" {
		// Nobody can repeat what has no name.
		key = uuid.NewString()
	}
	used := digest(refresh.Reveal())
	for range 2 {
		now := s.run.Clock.Now()
		r, err := s.liveGrant(ctx, id, now)
		if err != nil {
			return GrantTokens{}, err
		}
		if r.ClientID != renewal.ClientID || !r.Session.boundTo(renewal.Binding) {
			// It is not theirs: they learn nothing, and end nothing.
			return GrantTokens{}, errNoRefresh()
		}
		current := r.Session.RefreshHash == used
		var successor secret.Text
		repeats := false
		if !current {
			successor, repeats = s.repeated(r.Session, refresh, key, used, now)
		}
		if current || repeats {
			if err := renewal.Admit(ctx, id); err != nil {
				return GrantTokens{}, err
			}
		}
		granted, err := r.narrowed(renewal.Scopes)
		switch {
		case err != nil:
			return GrantTokens{}, err
		case repeats:
			return s.handGrant(r, successor, granted, renewal.Binding, now)
		case !current:
			return GrantTokens{}, errReused
		}
		next := s.refresh.successors(refresh, key, id, r.Session.RefreshGeneration+1)[0]
		won, err := s.advanceGrant(ctx, r, next, used, digest(key), now)
		if err != nil {
			return GrantTokens{}, err
		}
		if won {
			s.Touch(id, now)
			return s.handGrant(r, next, granted, renewal.Binding, now)
		}
		// Another use of the same token was quicker: this one is its repeat.
	}
	return GrantTokens{}, errReused
}

// boundTo reports whether who proved to hold this may use the refresh token.
func (r row) boundTo(proved access.Binding) bool {
	return (r.BoundKey == nil || *r.BoundKey == proved.Key) && (r.BoundCertificate == nil || *r.BoundCertificate == proved.Certificate)
}

// bind binds the refresh token.
func (r *row) bind(to access.Binding) {
	if to.Key != "" {
		r.BoundKey = &to.Key
	}
	if to.Certificate != "" {
		r.BoundCertificate = &to.Certificate
	}
}

// advanceGrant replaces the current refresh token and reports whether it was still the current one.
func (s *Service) advanceGrant(ctx context.Context, r grantRow, next secret.Text, used, key string, now time.Time) (bool, error) {
	r.Session.RefreshGeneration++
	r.Session.RefreshHash, r.Session.RenewedAt, r.Session.RenewedHash, r.Session.RenewedKey = digest(next.Reveal()), &now, &used, &key
	won := false
	err := s.run.DB.InTx(ctx, func(ctx context.Context) (err error) {
		if won, err = s.repo.renew(ctx, r.Session, used); err != nil || !won {
			return err
		}
		return s.traceGrant(ctx, r, "")
	})
	return won, err
}

// EndGrantsOf ends the sessions of consents, in the context's transaction. Call it before the
// consents are locked: whoever acts by one holds first its session, then itself.
//
// Lock order: sessions, then the consents.
func (s *Service) EndGrantsOf(ctx context.Context, reason string, consentIDs ...uuid.UUID) error {
	if len(consentIDs) == 0 {
		return nil
	}
	if err := s.repo.holdGrants(ctx, consentIDs); err != nil {
		return err
	}
	return s.repo.endGrants(ctx, consentIDs, reason, s.run.Clock.Now())
}

// InspectRefresh returns what a refresh token stands for while it is the current one of a grant
// that lives. It returns the faults of RenewGrant.
func (s *Service) InspectRefresh(ctx context.Context, refresh secret.Text) (Claims, error) {
	id, genuine := s.refresh.openGrant(refresh)
	if !genuine {
		return Claims{}, errNoRefresh()
	}
	r, err := s.liveGrant(ctx, id, s.run.Clock.Now())
	if err != nil {
		return Claims{}, err
	}
	if r.Session.RefreshHash != digest(refresh.Reveal()) {
		return Claims{}, fault.New(fault.SessionEnded)
	}
	scopes, err := r.narrowed(nil)
	issued := r.Session.CreatedAt
	if r.Session.RenewedAt != nil {
		issued = *r.Session.RenewedAt
	}
	return Claims{
		SessionID: id, PersonID: r.Session.PersonID, ClientID: r.ClientID, Scopes: scopes, IssuedAt: issued, ExpiresAt: r.Session.ExpiresAt,
	}, err
}

// GrantOf returns of which live grant a refresh token is or was, the current one or an older one:
// whoever gives back a token of a grant gives back the grant. It returns the faults of
// InspectRefresh.
func (s *Service) GrantOf(ctx context.Context, refresh secret.Text) (Claims, error) {
	id, genuine := s.refresh.openGrant(refresh)
	if !genuine {
		return Claims{}, errNoRefresh()
	}
	r, err := s.liveGrant(ctx, id, s.run.Clock.Now())
	return Claims{SessionID: id, PersonID: r.Session.PersonID, ClientID: r.ClientID}, err
}

// InspectAccess returns what an access token of an application stands for while its grant lives. It
// returns what Parse does, and fault.SessionEnded.
func (s *Service) InspectAccess(ctx context.Context, token secret.Text) (Claims, error) {
	claims, err := s.Parse(ctx, token)
	if err != nil {
		return Claims{}, err
	}
	r, err := s.liveGrant(ctx, claims.SessionID, s.run.Clock.Now())
	if err != nil {
		return Claims{}, err
	}
	if r.ClientID != claims.ClientID || r.Session.PersonID != claims.PersonID {
		return Claims{}, errInvalid()
	}
	return claims, nil
}

// liveGrant returns the session of a grant that lives, else fault.SessionEnded.
func (s *Service) liveGrant(ctx context.Context, id uuid.UUID, now time.Time) (grantRow, error) {
	r, found, err := s.repo.findGrant(ctx, id, false)
	if err == nil && (!found || !r.live(now)) {
		err = fault.New(fault.SessionEnded)
	}
	return r, err
}

// traceGrant writes the audit record of something that an application did with a refresh token.
func (s *Service) traceGrant(ctx context.Context, r grantRow, outcome string) error {
	t := operation.Trace{SubjectKind: subjectKind, SubjectID: r.Session.ID.String(), Outcome: outcome}
	by := access.Actor{
		PersonID: r.Session.PersonID, SessionID: r.Session.ID, Login: r.Session.login(),
		Grant: &access.Grant{ConsentID: *r.Session.ConsentID, ApplicationID: r.ApplicationID, ClientID: r.ClientID},
	}
	return s.run.Trail.Write(ctx, t.Record(ctx, by, s.run.Clock))
}

// grantRow is the session of a grant, with what is known of its consent and application.
type grantRow struct {
	Session       row `gorm:"embedded"`
	ApplicationID uuid.UUID
	ClientID      string
	// ConsentScopes are what the person gave, RegisteredScopes what the application may still ask
	// for.
	ConsentScopes    []string `gorm:"serializer:json"`
	RegisteredScopes []string `gorm:"serializer:json"`
	ConsentExpires   time.Time
	ConsentEnded     *time.Time
	ApplicationLive  int
}

// live reports whether the grant, its consent and its application stand, and the person is not
// suspended.
func (r grantRow) live(now time.Time) bool {
	return r.Session.EndedAt == nil && r.Session.SuspendedAt == nil && now.Before(r.Session.ExpiresAt) && r.ConsentEnded == nil &&
		now.Before(r.ConsentExpires) && r.ApplicationLive == 1
}

// narrowed returns the scopes that a token gets; none asks for all of the consent's that the
// application still has.
func (r grantRow) narrowed(asked []string) ([]string, error) {
	taken := func(scope string) bool { return !slices.Contains(r.RegisteredScopes, scope) }
	given := slices.DeleteFunc(slices.Clone(r.ConsentScopes), taken)
	if len(asked) == 0 {
		return given, nil
	}
	for _, scope := range asked {
		if !slices.Contains(given, scope) {
			return nil, &fault.Fault{Code: fault.Forbidden, Reason: access.ReasonScope, Allowed: given}
		}
	}
	return asked, nil
}

// scopeText writes scopes as tokens have them (RFC 6749 section 3.3).
func scopeText(scopes []string) string { return strings.Join(scopes, " ") }
