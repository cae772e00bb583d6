package handlers

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/google/uuid"

	"diresco/api"
	"diresco/internal/httpapi/etag"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/application"
	"diresco/internal/platform/certname"
)

// ApplicationHandlers has the operations of the section Applications.
type ApplicationHandlers struct{ Applications *application.Service }

const applicationsPath = "/applications"

// RegisterApplication implements api.StrictServerInterface.
func (h ApplicationHandlers) RegisterApplication(
	ctx context.Context, r api.RegisterApplicationRequestObject,
) (api.RegisterApplicationResponseObject, error) {
	b := r.Body
	a, err := h.Applications.Register(ctx, reqctx.ActorOf(ctx), application.Input{
		Profile: application.Profile{
			DisplayName: b.DisplayName, RedirectURIs: b.RedirectUris, JWKS: value(b.Jwks), JWKSURI: value(b.JwksUri),
			Scopes: converted[string](b.Scopes), LogoURI: value(b.LogoUri), DPoPBound: value(b.DpopBoundAccessTokens),
			CertificateBound: value(b.TlsClientCertificateBoundAccessTokens),
		},
		Kind: application.Kind(b.Kind), AuthMethod: application.AuthMethod(b.TokenEndpointAuthMethod), ContactEmail: b.ContactEmail,
		ContributorID: b.ContributorId, DelegateID: b.DelegateId,
		CertificateNames: namesOf(
			b.TlsClientAuthSubjectDn, b.TlsClientAuthSanDns, b.TlsClientAuthSanUri, b.TlsClientAuthSanIp, b.TlsClientAuthSanEmail,
		),
	})
	if err != nil {
		return nil, err
	}
	return api.RegisterApplication201JSONResponse{
		Body: viewApplication(a),
		Headers: api.RegisterApplication201ResponseHeaders{
			ETag: etag.Version(a.Version), Location: reqctx.BasePath + idPath(applicationsPath, a.ID),
		},
	}, nil
}

// ListApplications implements api.StrictServerInterface.
func (h ApplicationHandlers) ListApplications(
	ctx context.Context, r api.ListApplicationsRequestObject,
) (api.ListApplicationsResponseObject, error) {
	found, err := h.Applications.Mine(ctx, reqctx.ActorOf(ctx), pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListApplications200JSONResponse(pageOf(
		ctx, items(found.Items, viewApplication), applicationsPath, "", found.Next, r.Params.Limit,
	)), nil
}

// ShowApplication implements api.StrictServerInterface.
func (h ApplicationHandlers) ShowApplication(
	ctx context.Context, r api.ShowApplicationRequestObject,
) (api.ShowApplicationResponseObject, error) {
	a, err := h.Applications.Show(ctx, reqctx.ActorOf(ctx), r.ApplicationId)
	if err != nil {
		return nil, err
	}
	return api.ShowApplication200JSONResponse{
		Body: viewApplication(a), Headers: api.ShowApplication200ResponseHeaders{ETag: etag.Version(a.Version)},
	}, nil
}

// ChangeApplication implements api.StrictServerInterface.
func (h ApplicationHandlers) ChangeApplication(
	ctx context.Context, r api.ChangeApplicationRequestObject,
) (api.ChangeApplicationResponseObject, error) {
	b := r.Body
	change := application.Change{
		DisplayName: b.DisplayName, RedirectURIs: value(b.RedirectUris), JWKS: value(b.Jwks), JWKSURI: b.JwksUri,
		ContactEmail: b.ContactEmail, DPoPBound: b.DpopBoundAccessTokens, CertificateBound: b.TlsClientCertificateBoundAccessTokens,
		CertificateNames: namesOf(
			b.TlsClientAuthSubjectDn, b.TlsClientAuthSanDns, b.TlsClientAuthSanUri, b.TlsClientAuthSanIp, b.TlsClientAuthSanEmail,
		),
	}
	if b.Scopes != nil {
		change.Scopes = converted[string](*b.Scopes)
	}
	if b.LogoUri.IsNull() {
		change.LogoURI = new("")
	} else if uri, err := b.LogoUri.Get(); err == nil {
		change.LogoURI = &uri
	}
	expected, err := etag.Expected(value(r.Params.IfMatch), func() (int, error) {
		shown, err := h.Applications.Show(ctx, reqctx.ActorOf(ctx), r.ApplicationId)
		return shown.Version, err
	})
	if err != nil {
		return nil, err
	}
	a, err := h.Applications.Change(ctx, reqctx.ActorOf(ctx), r.ApplicationId, expected, change)
	if err != nil {
		return nil, err
	}
	return api.ChangeApplication200JSONResponse{
		Body: viewApplication(a), Headers: api.ChangeApplication200ResponseHeaders{ETag: etag.Version(a.Version)},
	}, nil
}

// RemoveApplication implements api.StrictServerInterface.
func (h ApplicationHandlers) RemoveApplication(
	ctx context.Context, r api.RemoveApplicationRequestObject,
) (api.RemoveApplicationResponseObject, error) {
	if err := h.Applications.Remove(ctx, reqctx.ActorOf(ctx), r.ApplicationId); err != nil {
		return nil, err
	}
	return api.RemoveApplication204Response{}, nil
}

// keysShown returns a key set that may be missing.
func keysShown(set json.RawMessage) *json.RawMessage {
	if len(set) == 0 {
		return nil
	}
	return &set
}

// namesOf lists the names of a certificate that are given.
func namesOf(dn, dns, uri, ip, email *string) (names []certname.Name) {
	for i, text := range []*string{dn, dns, uri, ip, email} {
		if text != nil {
			names = append(names, certname.Name{Kind: certname.Kinds()[i], Value: *text})
		}
	}
	return names
}

// nameShown returns the name of a certificate, if it is of the kind.
func nameShown(name *certname.Name, kind certname.Kind) *string {
	if name == nil || name.Kind != kind {
		return nil
	}
	return &name.Value
}

func viewApplication(a application.Application) api.Application {
	n := a.CertificateName
	return api.Application{
		ApplicationId: a.ID, ClientId: a.ClientID, DisplayName: a.DisplayName, Kind: api.ApplicationKind(a.Kind),
		TokenEndpointAuthMethod: api.TokenEndpointAuthMethod(a.AuthMethod), RedirectUris: a.RedirectURIs,
		Jwks: keysShown(a.JWKS), JwksUri: unlessEmpty(a.JWKSURI), Scopes: converted[api.Scope](a.Scopes), ContactEmail: a.ContactEmail,
		LogoUri: unlessEmpty(a.LogoURI), State: api.ApplicationState(a.State), ContributorId: a.ContributorID, DelegateId: a.DelegateID,
		DpopBoundAccessTokens: a.DPoPBound, TlsClientCertificateBoundAccessTokens: &a.CertificateBound,
		TlsClientAuthSubjectDn: nameShown(n, certname.DN), TlsClientAuthSanDns: nameShown(n, certname.DNS),
		TlsClientAuthSanUri: nameShown(n, certname.URI), TlsClientAuthSanIp: nameShown(n, certname.IP),
		TlsClientAuthSanEmail: nameShown(n, certname.Email),
		PendingChange:         viewPending(a), CreatedAt: a.CreatedAt, UpdatedAt: a.UpdatedAt, DecidedAt: a.DecidedAt,
		Reason: a.DecisionReason,
	}
}

func viewPending(a application.Application) *api.PendingApplicationChange {
	p := a.Pending
	if p == nil {
		return nil
	}
	n := p.CertificateName
	return &api.PendingApplicationChange{
		DisplayName: p.DisplayName, RedirectUris: p.RedirectURIs, Jwks: keysShown(p.JWKS), JwksUri: unlessEmpty(p.JWKSURI),
		Scopes: converted[api.Scope](p.Scopes), LogoUri: unlessEmpty(p.LogoURI), DpopBoundAccessTokens: p.DPoPBound,
		TlsClientCertificateBoundAccessTokens: &p.CertificateBound, SubmittedAt: a.SubmittedAt,
		TlsClientAuthSubjectDn: nameShown(n, certname.DN), TlsClientAuthSanDns: nameShown(n, certname.DNS),
		TlsClientAuthSanUri: nameShown(n, certname.URI), TlsClientAuthSanIp: nameShown(n, certname.IP),
		TlsClientAuthSanEmail: nameShown(n, certname.Email),
	}
}

// OfficeApplicationHandlers has the operations with which administrators decide about applications.
type OfficeApplicationHandlers struct{ AtOffice *application.Service }

const officeApplicationsPath = "/backoffice/applications"

// ListOfficeApplications implements api.StrictServerInterface.
func (h OfficeApplicationHandlers) ListOfficeApplications(
	ctx context.Context, r api.ListOfficeApplicationsRequestObject,
) (api.ListOfficeApplicationsResponseObject, error) {
	p := r.Params
	found, err := h.AtOffice.AtOffice(ctx, application.Filter{
		State: application.State(value(p.State)), Waiting: value(p.Waiting),
	}, pageRequest(ctx, p.Limit, p.Cursor))
	if err != nil {
		return nil, err
	}
	var waiting *string
	if p.Waiting != nil {
		waiting = new(strconv.FormatBool(*p.Waiting))
	}
	query := queryOf(map[string]*string{"state": (*string)(p.State), "waiting": waiting})
	return api.ListOfficeApplications200JSONResponse(pageOf(
		ctx, items(found.Items, viewOfficeApplication), officeApplicationsPath, query, found.Next, p.Limit,
	)), nil
}

// ShowOfficeApplication implements api.StrictServerInterface.
func (h OfficeApplicationHandlers) ShowOfficeApplication(
	ctx context.Context, r api.ShowOfficeApplicationRequestObject,
) (api.ShowOfficeApplicationResponseObject, error) {
	d, err := h.AtOffice.ShowAtOffice(ctx, r.ApplicationId)
	if err != nil {
		return nil, err
	}
	return api.ShowOfficeApplication200JSONResponse{
		Body: viewOfficeApplication(d), Headers: api.ShowOfficeApplication200ResponseHeaders{ETag: etag.Version(d.Version)},
	}, nil
}

// DecideApplication implements api.StrictServerInterface.
func (h OfficeApplicationHandlers) DecideApplication(
	ctx context.Context, r api.DecideApplicationRequestObject,
) (api.DecideApplicationResponseObject, error) {
	named := "*"
	if r.Params.IfMatch != nil {
		named = *r.Params.IfMatch
	}
	expected, err := etag.Expected(named, h.version(ctx, r.ApplicationId))
	if err != nil {
		return nil, err
	}
	d, err := h.AtOffice.Decide(ctx, reqctx.ActorOf(ctx), r.ApplicationId, expected, application.Decision{
		Outcome: application.State(r.Body.Outcome), Reason: r.Body.Reason,
	})
	if err != nil {
		return nil, err
	}
	return api.DecideApplication200JSONResponse{
		Body: viewOfficeApplication(d), Headers: api.DecideApplication200ResponseHeaders{ETag: etag.Version(d.Version)},
	}, nil
}

// version finds the present version of an application.
func (h OfficeApplicationHandlers) version(ctx context.Context, id uuid.UUID) func() (int, error) {
	return func() (int, error) {
		d, err := h.AtOffice.ShowAtOffice(ctx, id)
		return d.Version, err
	}
}

// SuspendApplication implements api.StrictServerInterface.
func (h OfficeApplicationHandlers) SuspendApplication(
	ctx context.Context, r api.SuspendApplicationRequestObject,
) (api.SuspendApplicationResponseObject, error) {
	d, err := h.AtOffice.Suspend(ctx, reqctx.ActorOf(ctx), r.ApplicationId, r.Body.Reason)
	if err != nil {
		return nil, err
	}
	return api.SuspendApplication200JSONResponse{
		Body: viewOfficeApplication(d), Headers: api.SuspendApplication200ResponseHeaders{ETag: etag.Version(d.Version)},
	}, nil
}

// ReadmitApplication implements api.StrictServerInterface.
func (h OfficeApplicationHandlers) ReadmitApplication(
	ctx context.Context, r api.ReadmitApplicationRequestObject,
) (api.ReadmitApplicationResponseObject, error) {
	if err := h.AtOffice.Readmit(ctx, reqctx.ActorOf(ctx), r.ApplicationId); err != nil {
		return nil, err
	}
	return api.ReadmitApplication204Response{}, nil
}

func viewOfficeApplication(d application.Details) api.OfficeApplication {
	a := viewApplication(d.Application)
	return api.OfficeApplication{
		ApplicationId: a.ApplicationId, ClientId: a.ClientId, DisplayName: a.DisplayName, Kind: a.Kind,
		TokenEndpointAuthMethod: a.TokenEndpointAuthMethod, RedirectUris: a.RedirectUris, Jwks: a.Jwks, JwksUri: a.JwksUri,
		Scopes: a.Scopes, ContactEmail: a.ContactEmail, LogoUri: a.LogoUri, State: a.State,
		DpopBoundAccessTokens: a.DpopBoundAccessTokens, TlsClientCertificateBoundAccessTokens: a.TlsClientCertificateBoundAccessTokens,
		TlsClientAuthSubjectDn: a.TlsClientAuthSubjectDn, TlsClientAuthSanDns: a.TlsClientAuthSanDns,
		TlsClientAuthSanUri: a.TlsClientAuthSanUri,
		TlsClientAuthSanIp:  a.TlsClientAuthSanIp, TlsClientAuthSanEmail: a.TlsClientAuthSanEmail,
		Owner:         api.PersonReference{PersonId: d.PersonID, GivenName: d.GivenName, FamilyName: d.FamilyName},
		ContributorId: a.ContributorId, DelegateId: a.DelegateId, LegalName: unlessEmpty(d.LegalName), PendingChange: a.PendingChange,
		SubmittedAt: d.SubmittedAt, CreatedAt: a.CreatedAt, UpdatedAt: a.UpdatedAt, DecidedAt: a.DecidedAt, Reason: a.Reason,
	}
}
