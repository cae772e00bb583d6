package handlers

import (
	"context"
	"errors"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/session"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/secret"
)

// What stands here are the logins with national identities.

// ListIdentityProviders implements api.StrictServerInterface.
func (h SessionHandlers) ListIdentityProviders(
	ctx context.Context, r api.ListIdentityProvidersRequestObject,
) (api.ListIdentityProvidersResponseObject, error) {
	request := pageRequest(ctx, r.Params.Limit, r.Params.Cursor)
	found, err := page.Slice(h.Federation.Providers(), request, func(p federation.About) page.Key { return page.Key{Text: p.ID} })
	if err != nil {
		return nil, err
	}
	return api.ListIdentityProviders200JSONResponse(pageOf(
		ctx, items(found.Items, viewProvider), "/identity-providers", "", found.Next, r.Params.Limit,
	)), nil
}

// ListIdentityMismatches implements api.StrictServerInterface.
func (h SessionHandlers) ListIdentityMismatches(
	ctx context.Context, r api.ListIdentityMismatchesRequestObject,
) (api.ListIdentityMismatchesResponseObject, error) {
	found, err := h.Federation.Mismatches(ctx, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListIdentityMismatches200JSONResponse(pageOf(
		ctx, items(found.Items, viewMismatch), "/backoffice/identity-mismatches", "", found.Next, r.Params.Limit,
	)), nil
}

func viewMismatch(m federation.Mismatch) api.IdentityMismatch {
	return api.IdentityMismatch{
		MismatchId: m.ID, PersonId: m.PersonID, At: m.At, LoginMethod: (*api.LoginMethod)(unlessEmpty(m.Method)),
		LoginProvider: unlessEmpty(m.Provider),
		DiffersFrom:   items(m.DiffersFrom, func(p federation.Place) api.NamePlace { return api.NamePlace(p) }),
	}
}

func viewProvider(p federation.About) api.IdentityProvider {
	return api.IdentityProvider{
		ProviderId: p.ID, Kind: api.IdentityProviderKind(p.Kind), DisplayName: p.DisplayName, LogoUri: unlessEmpty(p.LogoURI),
		Levels: items(p.Levels, func(l federation.Level) api.IdentityLevel { return api.IdentityLevel(l) }), //nolint:gosec // 1 to 3
	}
}

// StartFederatedLogin implements api.StrictServerInterface.
func (h SessionHandlers) StartFederatedLogin(
	ctx context.Context, r api.StartFederatedLoginRequestObject,
) (api.StartFederatedLoginResponseObject, error) {
	begun, err := h.Federation.Begin(ctx, federation.Request{
		ProviderID: r.Body.ProviderId, Level: federation.Level(r.Body.Level), ReturnURL: r.Body.ReturnUrl,
		CodeChallenge: r.Body.CodeChallenge,
	})
	if err != nil {
		return nil, err
	}
	return api.StartFederatedLogin201JSONResponse{LoginId: begun.LoginID, Url: begun.URL}, nil
}

// StartFederatedSession implements api.StrictServerInterface.
func (h SessionHandlers) StartFederatedSession(
	ctx context.Context, r api.StartFederatedSessionRequestObject,
) (api.StartFederatedSessionResponseObject, error) {
	s, err := h.Federation.Redeem(ctx, secret.Text(r.Body.Code), secret.Text(r.Body.CodeVerifier))
	if err != nil {
		return nil, refusedLogin(err)
	}
	return api.StartFederatedSession201JSONResponse{
		Body:    viewSession(s),
		Headers: api.StartFederatedSession201ResponseHeaders{Location: reqctx.BasePath + idPath("/sessions", s.SessionID)},
	}, nil
}

// refusedLogin shows a login that did not succeed as a wrong PIN is shown, with other words.
func refusedLogin(err error) error {
	var refusal *federation.Refusal
	switch {
	case fault.Is(err, fault.InvalidCredentials):
		return fault.Because(fault.InvalidCredentials, "federated-code")
	case !errors.As(err, &refusal):
		return err
	case refusal.Outcome == federation.Unavailable:
		return fault.Wrap(fault.Unavailable, err)
	}
	return fault.Wrap(fault.InvalidCredentials, err)
}

// Reauthenticate implements api.StrictServerInterface.
func (h SessionHandlers) Reauthenticate(ctx context.Context, r api.ReauthenticateRequestObject) (api.ReauthenticateResponseObject, error) {
	s, err := h.reauthenticate(ctx, r.Body)
	if err != nil {
		return nil, err
	}
	return api.Reauthenticate200JSONResponse(viewSession(s)), nil
}

func (h SessionHandlers) reauthenticate(ctx context.Context, proof *api.PresenceProof) (session.Session, error) {
	by := reqctx.ActorOf(ctx)
	switch {
	case proof.Pin != nil && proof.Code == nil && proof.CodeVerifier == nil:
		return h.Sessions.Reauthenticate(ctx, by, secret.Text(*proof.Pin))
	case proof.Pin == nil && proof.Code != nil && proof.CodeVerifier != nil:
		s, err := h.Federation.Reauthenticate(ctx, by, secret.Text(*proof.Code), secret.Text(*proof.CodeVerifier))
		if err != nil {
			return session.Session{}, refusedLogin(err)
		}
		return s, nil
	}
	return session.Session{}, fault.InvalidFields(fault.Field{Code: fault.FieldEitherProof})
}
