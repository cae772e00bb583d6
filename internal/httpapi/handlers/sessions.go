package handlers

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/secret"
)

// SessionHandlers has the operations of the section Sessions.
type SessionHandlers struct {
	Sessions   *session.Service
	Federation *federation.Service
}

// currentSession is how a caller names the session of the token.
const currentSession = "current"

// StartSession implements api.StrictServerInterface.
func (h SessionHandlers) StartSession(ctx context.Context, r api.StartSessionRequestObject) (api.StartSessionResponseObject, error) {
	s, err := h.Sessions.Start(ctx, r.Body.TaxCode, secret.Text(r.Body.Pin), audit.OriginOf(ctx).Address)
	if err != nil {
		return nil, err
	}
	return api.StartSession201JSONResponse{
		Body: viewSession(s), Headers: api.StartSession201ResponseHeaders{Location: reqctx.BasePath + idPath("/sessions", s.SessionID)},
	}, nil
}

// RenewSession implements api.StrictServerInterface.
func (h SessionHandlers) RenewSession(ctx context.Context, r api.RenewSessionRequestObject) (api.RenewSessionResponseObject, error) {
	s, err := h.Sessions.Renew(ctx, secret.Text(r.Body.RefreshToken), value(r.Params.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return api.RenewSession200JSONResponse(viewSession(s)), nil
}

// ListSessions implements api.StrictServerInterface.
func (h SessionHandlers) ListSessions(ctx context.Context, r api.ListSessionsRequestObject) (api.ListSessionsResponseObject, error) {
	all, err := h.Sessions.List(ctx, reqctx.ActorOf(ctx))
	if err != nil {
		return nil, err
	}
	found, err := page.Slice(all, pageRequest(ctx, r.Params.Limit, r.Params.Cursor), func(s session.Info) page.Key {
		return page.Key{ID: s.SessionID}
	})
	if err != nil {
		return nil, err
	}
	return api.ListSessions200JSONResponse(pageOf(
		ctx, items(found.Items, viewSessionInfo), "/sessions", "", found.Next, r.Params.Limit,
	)), nil
}

// ShowSession implements api.StrictServerInterface.
func (h SessionHandlers) ShowSession(ctx context.Context, r api.ShowSessionRequestObject) (api.ShowSessionResponseObject, error) {
	by := reqctx.ActorOf(ctx)
	id, err := sessionID(r.SessionId, by.SessionID)
	if err != nil {
		return nil, err
	}
	s, err := h.Sessions.Show(ctx, by, id)
	if err != nil {
		return nil, err
	}
	return api.ShowSession200JSONResponse(viewSessionInfo(s)), nil
}

// EndSession implements api.StrictServerInterface.
func (h SessionHandlers) EndSession(ctx context.Context, r api.EndSessionRequestObject) (api.EndSessionResponseObject, error) {
	by := reqctx.ActorOf(ctx)
	id, err := sessionID(r.SessionId, by.SessionID)
	if err != nil {
		return nil, err
	}
	if err := h.Sessions.End(ctx, by, id); err != nil {
		return nil, err
	}
	return api.EndSession204Response{}, nil
}

func sessionID(named string, current uuid.UUID) (uuid.UUID, error) {
	if named == currentSession {
		return current, nil
	}
	id, err := uuid.Parse(named)
	if err != nil {
		return id, fault.New(fault.NotFound)
	}
	return id, nil
}

func viewSession(s session.Session) api.Session {
	return api.Session{
		SessionId: s.SessionID, AccessToken: s.AccessToken.Reveal(), TokenType: api.SessionTokenTypeBearer,
		ExpiresIn:    int32(s.ExpiresIn / time.Second), //nolint:gosec // 15 minutes at most
		RefreshToken: s.RefreshToken.Reveal(), IdleExpiresAt: s.IdleExpiresAt, ExpiresAt: s.ExpiresAt,
		PinChangeRequired: s.PINChangeRequired,
		CredentialLevel:   api.CredentialLevel(s.CredentialLevel), LoginMethod: api.LoginMethod(s.LoginMethod),
		LoginLevel: viewLevel(s.LoginLevel), LoginProvider: s.LoginProvider,
	}
}

func viewSessionInfo(s session.Info) api.SessionSummary {
	return api.SessionSummary{
		SessionId: s.SessionID, Current: s.Current, LoginMethod: api.LoginMethod(s.LoginMethod), CreatedAt: s.CreatedAt,
		LoginLevel: viewLevel(s.LoginLevel), LoginProvider: s.LoginProvider,
		CredentialLevel: api.CredentialLevel(s.CredentialLevel), LastSeenAt: s.LastSeenAt,
		IdleExpiresAt: s.IdleExpiresAt, ExpiresAt: s.ExpiresAt, PinChangeRequired: s.PINChangeRequired,
	}
}

func viewLevel(level *int) *int32 {
	if level == nil {
		return nil
	}
	return new(int32(*level)) //nolint:gosec // 1 to 3
}
