package handlers

import (
	"context"
	"strings"

	"diresco/api"
	"diresco/internal/httpapi/etag"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/masterdata/servicecatalog"
)

// ServiceHandlers has the operations of the section Services.
type ServiceHandlers struct{ Services *servicecatalog.Catalogue }

// ListServices implements api.StrictServerInterface.
func (h ServiceHandlers) ListServices(ctx context.Context, r api.ListServicesRequestObject) (api.ListServicesResponseObject, error) {
	found, err := h.Services.List(ctx, inEnglish(ctx), pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	view := func(s servicecatalog.View) api.Service { return viewService(ctx, s) }
	return api.ListServices200JSONResponse(pageOf(
		ctx, items(found.Items, view), "/services", "", found.Next, r.Params.Limit,
	)), nil
}

// ShowServiceChannel implements api.StrictServerInterface.
func (h ServiceHandlers) ShowServiceChannel(
	ctx context.Context, r api.ShowServiceChannelRequestObject,
) (api.ShowServiceChannelResponseObject, error) {
	c, err := h.Services.Enter(ctx, r.ServiceCode, r.Channel)
	if err != nil {
		return nil, err
	}
	return api.ShowServiceChannel200JSONResponse(viewChannel(c)), nil
}

// ListMyServices implements api.StrictServerInterface.
func (h ServiceHandlers) ListMyServices(ctx context.Context, r api.ListMyServicesRequestObject) (api.ListMyServicesResponseObject, error) {
	p := r.Params
	found, err := h.Services.Mine(ctx, reqctx.ActorOf(ctx), servicecatalog.Chosen{
		ContributorID: p.ContributorId, PositionID: p.PositionId,
	}, inEnglish(ctx), pageRequest(ctx, p.Limit, p.Cursor))
	if err != nil {
		return nil, err
	}
	params := map[string]*string{"contributor_id": idText(p.ContributorId), "position_id": idText(p.PositionId)}
	view := func(m servicecatalog.Mine) api.MyService {
		s := viewService(ctx, m.View)
		return api.MyService{
			ServiceCode: s.ServiceCode, Title: s.Title, Section: s.Section, Links: s.Links, Channels: s.Channels, Pinned: m.Pinned,
			Settings: m.Settings,
			Order:    int32(m.Order), //nolint:gosec // a menu is short
		}
	}
	return api.ListMyServices200JSONResponse(pageOf(
		ctx, items(found.Items, view), "/me/services", queryOf(params), found.Next, p.Limit,
	)), nil
}

// ShowMyMenu implements api.StrictServerInterface.
func (h ServiceHandlers) ShowMyMenu(ctx context.Context, _ api.ShowMyMenuRequestObject) (api.ShowMyMenuResponseObject, error) {
	m, err := h.Services.Menu(ctx, reqctx.ActorOf(ctx), inEnglish(ctx))
	if err != nil {
		return nil, err
	}
	tag := etag.Version(m.Version)
	if m.Version == servicecatalog.Unarranged {
		// What is shown then follows from the rights.
		tag = etag.Shown(m.Version, strings.Join(items(m.Entries, func(e servicecatalog.Entry) string { return e.ServiceCode }), " "))
	}
	return api.ShowMyMenu200JSONResponse{Body: viewMenu(m), Headers: api.ShowMyMenu200ResponseHeaders{ETag: tag}}, nil
}

// ReplaceMyMenu implements api.StrictServerInterface.
func (h ServiceHandlers) ReplaceMyMenu(ctx context.Context, r api.ReplaceMyMenuRequestObject) (api.ReplaceMyMenuResponseObject, error) {
	entries := make([]servicecatalog.Entry, len(r.Body.Entries))
	for i, e := range r.Body.Entries {
		entries[i] = servicecatalog.Entry{ServiceCode: e.ServiceCode, Pinned: e.Pinned, Settings: e.Settings}
	}
	expected, err := etag.Expected(value(r.Params.IfMatch), func() (int, error) {
		shown, err := h.Services.Menu(ctx, reqctx.ActorOf(ctx), inEnglish(ctx))
		return shown.Version, err
	})
	if err != nil {
		return nil, err
	}
	m, err := h.Services.ReplaceMenu(ctx, reqctx.ActorOf(ctx), expected, entries)
	if err != nil {
		return nil, err
	}
	return api.ReplaceMyMenu200JSONResponse{
		Body: viewMenu(m), Headers: api.ReplaceMyMenu200ResponseHeaders{ETag: etag.Version(m.Version)},
	}, nil
}

func viewService(ctx context.Context, s servicecatalog.View) api.Service {
	return api.Service{
		ServiceCode: s.Code, Title: s.Title(inEnglish(ctx)), Section: s.Section,
		Links: items(s.Links, func(l servicecatalog.Link) api.ServiceLink {
			return api.ServiceLink{Rel: l.Rel, Href: l.Href, Method: api.ServiceLinkMethod(l.Method)}
		}),
		Channels: items(s.Channels, viewChannel),
	}
}

func viewChannel(c servicecatalog.ChannelView) api.ServiceChannel {
	return api.ServiceChannel{Channel: c.Code, OpensAt: c.OpensAt, ClosesAt: c.ClosesAt, Open: c.Open, Href: c.Href}
}

func viewMenu(m servicecatalog.Menu) api.Menu {
	return api.Menu{Entries: items(m.Entries, func(e servicecatalog.Entry) api.MenuEntry {
		return api.MenuEntry{ServiceCode: e.ServiceCode, Pinned: e.Pinned, Settings: e.Settings}
	})}
}
