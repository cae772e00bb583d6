package app

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"diresco"
	"diresco/internal/httpapi/edge"
	"diresco/internal/httpapi/handlers"
	endpoints "diresco/internal/httpapi/oauth"
	"diresco/internal/httpapi/pages/entity"
	"diresco/internal/httpapi/pages/national"
	"diresco/internal/httpapi/pages/tiles"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/config"
	"diresco/internal/platform/secret"
)

// newHTTP puts the edge before the handlers, and telemetry before the edge.
func (a *App) newHTTP(p platform, g groups) (http.Handler, error) {
	spool, err := spoolDir(p.config)
	if err != nil {
		return nil, err
	}
	deps := a.newEdgeDeps(p, g)
	if deps.Pages, err = endpoints.New(g.identity.oauth); err != nil {
		return nil, err
	}
	shown, err := a.newPages(p, g)
	if err != nil {
		return nil, err
	}
	deps.Pages = append(append(deps.Pages, shown...), g.cards.pages(p)...)
	if p.openID != nil {
		deps.Pages = append(deps.Pages, entity.New(p.openID)...)
	}
	deps.Pages = append(deps.Pages, tiles.New(g.kernel.log)...)
	var saml national.SAML
	if p.spid != nil {
		saml = p.spid
	}
	if shown, err = national.New(g.identity.federation, saml, p.config.Institution()); err != nil {
		return nil, err
	}
	deps.Pages = append(deps.Pages, shown...)
	handler, err := edge.New(edge.Config{
		PublicURL: p.config.PublicURL, Contract: diresco.Contract, Sandbox: p.sandbox, CORSOrigins: p.config.CORSOrigins,
		TrustedProxies: p.config.TrustedProxies,
		PersonRate:     p.config.RatePerson, ApplicationRate: p.config.RateApplication, AddressRate: p.config.RateAddress, SpoolDir: spool,
		Institution: p.config.Institution(),
	}, deps, a.newHandlers(p, g))
	if err != nil {
		return nil, err
	}
	measured := a.telemetry.HTTP(handler, func(r *http.Request) string {
		// The edge notes the pattern as net/http does: the method, a space, the path.
		_, path, _ := strings.Cut(r.Pattern, " ")
		return path
	})
	return measured, a.takeCertificates(p, g, measured)
}

// newEdgeDeps makes what the edge works with beside the handlers.
func (a *App) newEdgeDeps(p platform, g groups) edge.Deps {
	return edge.Deps{
		Tokens: func(ctx context.Context, token string) (access.Caller, error) {
			c, err := g.identity.sessions.Parse(ctx, secret.Text(token))
			return c.Caller(), err
		},
		Proofs:    g.identity.proofs,
		Guard:     access.NewGuard(g.kernel.rights, g.identity.sessions, p.clock, p.config.DelegationLogin == config.StrongLogin),
		AccessLog: g.kernel.accessLog, Answers: g.kernel.answers, Log: p.log, Meter: a.telemetry.Meter(),
		MACs: func(parts ...[]byte) []string {
			digests := p.dataKeys.Lasting("request", parts...)
			macs := make([]string, len(digests))
			for i, d := range digests {
				macs[i] = d.String()
			}
			return macs
		},
		Sights:        sights(g),
		ApplicationOf: g.identity.applications.IDOf,
		PublicKeys:    func(ctx context.Context) (any, error) { return p.keys.PublicSet(ctx) },
	}
}

// sights are those of the resources about which a service decides who sees them.
func sights(g groups) map[string]edge.Sight {
	return map[string]edge.Sight{
		"/sessions/{session_id}":                    sight(g.identity.sessions.Show),
		"/me/consents/{consent_id}":                 sight(g.identity.consents.Show),
		"/me/contacts/{contact_id}":                 sight(g.identity.contacts.Show),
		"/me/pin/upgrades/{upgrade_id}":             sight(g.credentials.upgrades.Show),
		"/backoffice/pin-upgrades/{upgrade_id}":     sight(g.credentials.upgrades.ShowAtOffice),
		"/enrolments/{enrolment_id}":                sight(g.mandate.enrolments.Show),
		"/backoffice/declarations/{declaration_id}": sight(g.filing.declarations.ShowAtOffice),
		"/backoffice/enrolments/{enrolment_id}":     sight(g.mandate.enrolments.ShowAtOffice),
		"/backoffice/tickets/{ticket_id}":           sight(g.dossier.desk.Visible),
		"/delegation-batches/{batch_id}":            sight(g.mandate.batches.Show),
		"/sub-delegations/{sub_delegation_id}":      sight(g.mandate.subDelegations.Show),
		"/declaration-batches/{batch_id}":           sight(g.filing.batches.Visible),
		"/appointments/{appointment_id}":            sight(g.dossier.appointments.Show),
		"/backoffice/appointments/{appointment_id}": sight(g.dossier.appointments.ShowAtOffice),
		"/backoffice/slots/{slot_id}":               sight(g.dossier.appointments.ShowSlot),
		"/surveys/{survey_id}": func(ctx context.Context, _ access.Actor, id uuid.UUID) error {
			_, err := g.dossier.surveys.Show(ctx, id)
			return err
		},
		"/applications/{application_id}": sight(g.identity.applications.Show),
		"/backoffice/applications/{application_id}": func(ctx context.Context, _ access.Actor, id uuid.UUID) error {
			_, err := g.identity.applications.ShowAtOffice(ctx, id)
			return err
		},
	}
}

func sight[T any](show func(context.Context, access.Actor, uuid.UUID) (T, error)) edge.Sight {
	return func(ctx context.Context, by access.Actor, id uuid.UUID) error {
		_, err := show(ctx, by, id)
		return err
	}
}

// newHandlers gives each section of the contract the services that it maps to.
func (a *App) newHandlers(p platform, g groups) handlers.Handlers {
	id, m, ma, declarations := g.identity, g.masterdata, g.mandate, g.filing.declarations
	return handlers.Handlers{
		StatusHandlers:            handlers.StatusHandlers{Ready: a.Ready},
		SessionHandlers:           handlers.SessionHandlers{Sessions: id.sessions, Federation: id.federation},
		CardHandlers:              handlers.CardHandlers{Cards: g.cards.service},
		PINHandlers:               handlers.PINHandlers{PINs: id.pins},
		PINRecoveryHandlers:       handlers.PINRecoveryHandlers{PINs: id.pins, Recovery: id.recovery},
		PINRequestHandlers:        handlers.PINRequestHandlers{PINRequests: id.requests},
		OfficePINRequestHandlers:  handlers.OfficePINRequestHandlers{Requests: id.requests},
		PINUpgradeHandlers:        handlers.PINUpgradeHandlers{PINUpgrades: g.credentials.upgrades},
		OfficePINUpgradeHandlers:  handlers.OfficePINUpgradeHandlers{Upgrades: g.credentials.upgrades},
		MeHandlers:                handlers.MeHandlers{People: id.people, PINs: id.pins, Rights: g.kernel.rights},
		ContactHandlers:           handlers.ContactHandlers{Book: id.contacts, People: id.people, Looks: id.looks},
		AuditHandlers:             handlers.AuditHandlers{Trail: id.looks},
		ConsentHandlers:           handlers.ConsentHandlers{Consents: id.consents},
		PeopleHandlers:            handlers.PeopleHandlers{BackOffice: g.credentials.staff},
		OfficeHandlers:            handlers.OfficeHandlers{Contributors: m.contributors, Details: m.offices},
		ContributorHandlers:       handlers.ContributorHandlers{Contributors: m.contributors},
		ServiceHandlers:           handlers.ServiceHandlers{Services: m.services},
		RegisterImportHandlers:    handlers.RegisterImportHandlers{RegisterImports: m.imports},
		UserHandlers:              handlers.UserHandlers{Users: ma.grants, Intermediaries: m.intermediaries},
		EnrolmentHandlers:         handlers.EnrolmentHandlers{Enrolments: ma.enrolments},
		OfficeEnrolmentHandlers:   handlers.OfficeEnrolmentHandlers{AtOffice: ma.enrolments},
		DelegationHandlers:        handlers.DelegationHandlers{Delegations: ma.delegations},
		DelegationBatchHandlers:   handlers.DelegationBatchHandlers{Batches: ma.batches},
		SubDelegationHandlers:     handlers.SubDelegationHandlers{SubDelegations: ma.subDelegations},
		TypeHandlers:              handlers.TypeHandlers{Types: g.filing.types, Publisher: g.filing.publisher},
		DeclarationHandlers:       handlers.DeclarationHandlers{Declarations: declarations},
		ReceiptHandlers:           handlers.ReceiptHandlers{Declarations: declarations, Log: g.kernel.log},
		FundHandlers:              handlers.FundHandlers{Funds: g.filing.funds},
		MessageHandlers:           handlers.MessageHandlers{Messages: g.messaging.deliveries},
		SMSReportHandlers:         handlers.SMSReportHandlers{Reports: g.messaging.smsReports},
		ApplicationHandlers:       handlers.ApplicationHandlers{Applications: id.applications},
		WebhookHandlers:           handlers.WebhookHandlers{Webhooks: g.webhooks.service},
		OfficeApplicationHandlers: handlers.OfficeApplicationHandlers{AtOffice: id.applications},
		EventHandlers:             handlers.EventHandlers{Events: g.kernel.events},
		ElectronicFileHandlers:    handlers.ElectronicFileHandlers{Timeline: g.dossier.timeline},
		SurveyHandlers:            handlers.SurveyHandlers{Surveys: g.dossier.surveys},
		OfficeSurveyHandlers:      handlers.OfficeSurveyHandlers{OfficeSurveys: g.dossier.surveys},
		SandboxHandlers:           handlers.SandboxHandlers{Sandbox: a.Sandbox},
		DeclarationDeskHandlers:   handlers.DeclarationDeskHandlers{AtOffice: declarations},
		TicketDeskHandlers:        handlers.TicketDeskHandlers{Desk: g.dossier.desk},
		SmartTaskHandlers:         handlers.SmartTaskHandlers{SmartTasks: g.dossier.smartTasks, Positions: m.contributors},
		PublicBodyHandlers:        handlers.PublicBodyHandlers{PublicBodies: g.dossier.publicBodies},
		TicketHandlers:            handlers.TicketHandlers{Tickets: g.dossier.tickets, Topics: g.dossier.topics, Clock: p.clock},
		DeclarationBatchHandlers:  handlers.DeclarationBatchHandlers{DeclarationBatches: g.filing.batches},
		AppointmentHandlers:       handlers.AppointmentHandlers{Appointments: g.dossier.appointments},
		OfficeAppointmentHandlers: handlers.OfficeAppointmentHandlers{AtDesk: g.dossier.appointments},
	}
}
