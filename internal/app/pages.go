package app

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/httpapi/pages"
	"diresco/internal/httpapi/pages/account"
	"diresco/internal/httpapi/pages/identityprovider"
	"diresco/internal/identity/application"
	"diresco/internal/identity/browser"
	"diresco/internal/kernel/access"
)

// newPages makes the pages on which people log in and let applications in, and those of a sandbox's
// identity provider.
func (a *App) newPages(p platform, g groups) ([]pages.Page, error) {
	id, rights := g.identity, g.kernel.rights
	guard := access.NewGuard(rights, id.sessions, p.clock, false)
	shown, err := account.New(account.Config{PublicURL: p.config.PublicURL, Institution: p.config.Institution()}, account.Deps{
		Sessions: id.sessions, Federation: id.federation, PINs: id.pins,
		Enter: func(ctx context.Context, sessionID uuid.UUID, rule access.Rule) (access.Actor, error) {
			return guard.Enter(ctx, sessionID, rule, access.Target{})
		},
		Browsers: browser.NewService(browser.Deps{DB: p.db, Clock: p.clock, Random: p.random}),
		Flows:    id.oauth, Consents: id.consents, Applications: id.applications, Contributors: g.masterdata.contributors,
		Owner: func(ctx context.Context, a application.Application) (string, error) {
			details, err := id.applications.ShowAtOffice(ctx, a.ID)
			return details.LegalName, err
		},
		Reach: func(ctx context.Context, by access.Actor) (access.ServiceSet, error) {
			var services access.ServiceSet
			reached, err := rights.Reach(ctx, by)
			for _, r := range reached {
				services = services.Union(r.Services)
			}
			return services, err
		},
		Titles: g.masterdata.services.Titles, Clock: p.clock, Random: p.random,
	})
	if err != nil || p.trial == nil {
		return shown, err
	}
	trial, err := identityprovider.New(identityprovider.Deps{Provider: p.trial, People: a.Sandbox})
	return append(shown, trial...), err
}
