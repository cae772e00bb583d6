package handlers

import (
	"bytes"
	"context"
	"time"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/taxcode"
	"diresco/internal/sandbox"
)

// SandboxHandlers has the operations of the section Sandbox. Outside a sandbox the edge answers 404
// before they are reached.
type SandboxHandlers struct{ Sandbox *sandbox.Service }

// ListSandboxPeople implements api.StrictServerInterface.
func (h SandboxHandlers) ListSandboxPeople(
	ctx context.Context, r api.ListSandboxPeopleRequestObject,
) (api.ListSandboxPeopleResponseObject, error) {
	found, err := h.Sandbox.People(ctx, value(r.Params.Key), pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	query := queryOf(map[string]*string{"key": r.Params.Key})
	return api.ListSandboxPeople200JSONResponse(pageOf(
		ctx, items(found.Items, viewSandboxPerson), "/sandbox/people", query, found.Next, r.Params.Limit,
	)), nil
}

// CreateSandboxPerson implements api.StrictServerInterface.
func (h SandboxHandlers) CreateSandboxPerson(
	ctx context.Context, r api.CreateSandboxPersonRequestObject,
) (api.CreateSandboxPersonResponseObject, error) {
	body := value(r.Body)
	code, err := optionalTaxCode(body.TaxCode, "/tax_code")
	if err != nil {
		return nil, err
	}
	input := sandbox.PersonInput{
		TaxCode: code, GivenName: value(body.GivenName), FamilyName: value(body.FamilyName),
		UserClass:       access.UserClass(value(body.UserClass)),
		CredentialLevel: access.CredentialLevel(value(body.CredentialLevel)), PIN: sandbox.PINKind(value(body.Pin)),
		OfficeCode: value(body.OfficeCode), Register: string(value(body.Register)),
	}
	if body.Contacts != nil {
		input.Contacts = []person.NewContact{}
		for _, c := range *body.Contacts {
			input.Contacts = append(input.Contacts, person.NewContact{Kind: person.ContactKind(c.Kind), Value: c.Value})
		}
	}
	for _, role := range value(body.Roles) {
		input.Roles = append(input.Roles, sandbox.Role{
			ContributorID: role.ContributorId, Role: access.ActingAs(role.Role), Services: servicesOf(role.Services),
		})
	}
	for _, role := range value(body.IntermediaryRoles) {
		input.IntermediaryRoles = append(input.IntermediaryRoles, sandbox.IntermediaryRole{
			DelegateID: role.DelegateId, Role: access.ActingAs(role.Role), Services: servicesOf(role.Services),
		})
	}
	p, err := h.Sandbox.CreatePerson(ctx, input)
	if err != nil {
		return nil, err
	}
	return api.CreateSandboxPerson201JSONResponse{
		Body: viewSandboxPerson(p), Headers: api.CreateSandboxPerson201ResponseHeaders{Location: reqctx.BasePath + "/sandbox/people"},
	}, nil
}

// OpenSandboxSession implements api.StrictServerInterface.
func (h SandboxHandlers) OpenSandboxSession(
	ctx context.Context, r api.OpenSandboxSessionRequestObject,
) (api.OpenSandboxSessionResponseObject, error) {
	s, err := h.Sandbox.OpenSession(ctx, r.Key, audit.OriginOf(ctx).Address)
	if err != nil {
		return nil, err
	}
	return api.OpenSandboxSession201JSONResponse{
		Body:    viewSession(s),
		Headers: api.OpenSandboxSession201ResponseHeaders{Location: reqctx.BasePath + idPath("/sessions", s.SessionID)},
	}, nil
}

// CreateSandboxContributor implements api.StrictServerInterface.
func (h SandboxHandlers) CreateSandboxContributor(
	ctx context.Context, r api.CreateSandboxContributorRequestObject,
) (api.CreateSandboxContributorResponseObject, error) {
	body := value(r.Body)
	code, err := optionalTaxCode(body.TaxCode, "/tax_code")
	if err != nil {
		return nil, err
	}
	representative, err := optionalTaxCode(body.LegalRepresentativeTaxCode, "/legal_representative_tax_code")
	if err != nil {
		return nil, err
	}
	input := sandbox.ContributorInput{
		TaxCode: code, LegalName: value(body.LegalName), Kind: contributor.Kind(value(body.Kind)), LegalRepresentative: representative,
	}
	for _, p := range value(body.Positions) {
		input.Positions = append(input.Positions, sandbox.PositionInput{Scheme: value(p.Scheme), OfficeCode: value(p.OfficeCode)})
	}
	c, err := h.Sandbox.CreateContributor(ctx, input)
	if err != nil {
		return nil, err
	}
	return api.CreateSandboxContributor201JSONResponse{
		Body: api.SandboxContributor{
			ContributorId: c.ID, TaxCode: c.TaxCode.Clear(), LegalName: c.LegalName, Kind: api.ContributorKind(c.Kind),
			Positions: items(c.Positions, viewPosition),
		},
		Headers: api.CreateSandboxContributor201ResponseHeaders{Location: reqctx.BasePath + idPath("/contributors", c.ID)},
	}, nil
}

// ListSandboxMessages implements api.StrictServerInterface.
func (h SandboxHandlers) ListSandboxMessages(
	ctx context.Context, r api.ListSandboxMessagesRequestObject,
) (api.ListSandboxMessagesResponseObject, error) {
	found, err := h.Sandbox.Messages(ctx, sandbox.MessageFilter{
		To: value(r.Params.To), Channel: string(value(r.Params.Channel)),
	}, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	query := queryOf(map[string]*string{"to": r.Params.To, "channel": (*string)(r.Params.Channel)})
	return api.ListSandboxMessages200JSONResponse(pageOf(
		ctx, items(found.Items, viewSandboxMessage), "/sandbox/messages", query, found.Next, r.Params.Limit,
	)), nil
}

// ShowSandboxLetter implements api.StrictServerInterface.
func (h SandboxHandlers) ShowSandboxLetter(
	ctx context.Context, r api.ShowSandboxLetterRequestObject,
) (api.ShowSandboxLetterResponseObject, error) {
	letter, err := h.Sandbox.Letter(ctx, r.MessageId)
	if err != nil {
		return nil, err
	}
	disposition := `inline; filename="letter-` + r.MessageId.String() + `.pdf"`
	return api.ShowSandboxLetter200ApplicationpdfResponse{
		Body: bytes.NewReader(letter), ContentLength: int64(len(letter)),
		Headers: api.ShowSandboxLetter200ResponseHeaders{ContentDisposition: &disposition},
	}, nil
}

// ShowSandboxClock implements api.StrictServerInterface.
func (h SandboxHandlers) ShowSandboxClock(context.Context, api.ShowSandboxClockRequestObject) (api.ShowSandboxClockResponseObject, error) {
	return api.ShowSandboxClock200JSONResponse(viewClock(h.Sandbox.Clock())), nil
}

// MoveSandboxClock implements api.StrictServerInterface.
func (h SandboxHandlers) MoveSandboxClock(
	ctx context.Context, r api.MoveSandboxClockRequestObject,
) (api.MoveSandboxClockResponseObject, error) {
	moved, err := h.Sandbox.Move(ctx, sandbox.Move{Advance: value(r.Body.Advance), Now: r.Body.Now})
	if err != nil {
		return nil, err
	}
	return api.MoveSandboxClock200JSONResponse(viewClock(moved)), nil
}

// ResetSandbox implements api.StrictServerInterface.
func (h SandboxHandlers) ResetSandbox(ctx context.Context, _ api.ResetSandboxRequestObject) (api.ResetSandboxResponseObject, error) {
	if err := h.Sandbox.Reset(ctx); err != nil {
		return nil, err
	}
	return api.ResetSandbox204Response{}, nil
}

func viewSandboxMessage(m sandbox.Message) api.SandboxMessage {
	view := api.SandboxMessage{
		MessageId: m.ID, Channel: api.MessageChannel(m.Channel), To: m.To, Subject: m.Subject, Text: m.Text, SentAt: m.SentAt,
	}
	if view.Channel == api.MessageChannelLetter {
		letter := reqctx.BasePath + idPath("/sandbox/messages", m.ID) + "/letter"
		view.Letter = &letter
	}
	return view
}

func optionalTaxCode(text *string, pointer string) (taxcode.Code, error) {
	if text == nil {
		return taxcode.Code{}, nil
	}
	return parseTaxCode(*text, pointer)
}

func viewClock(t sandbox.Time) api.SandboxClock {
	return api.SandboxClock{Now: t.Now, OffsetSeconds: int64(t.Offset / time.Second)}
}

func viewSandboxPerson(p sandbox.Person) api.SandboxPerson {
	return api.SandboxPerson{
		PersonId: p.ID, Key: p.Key, TaxCode: p.TaxCode.Clear(), GivenName: p.GivenName, FamilyName: p.FamilyName, Pin: p.PIN.Reveal(),
		UserClass:       api.UserClass(p.UserClass),
		CredentialLevel: api.CredentialLevel(p.CredentialLevel), Description: p.Description, OfficeCode: p.OfficeCode,
		ContributorIds: p.ContributorIDs(),
		Roles: items(p.Roles, func(r sandbox.Role) api.SandboxRole {
			services := viewServices(r.Services)
			return api.SandboxRole{ContributorId: r.ContributorID, Role: api.ActingAs(r.Role), Services: &services}
		}),
		IntermediaryRoles: items(p.IntermediaryRoles, func(r sandbox.IntermediaryRole) api.SandboxIntermediaryRole {
			return api.SandboxIntermediaryRole{
				DelegateId: r.DelegateID, Role: api.IntermediaryRole(r.Role), Services: viewServices(r.Services),
			}
		}),
		Contacts: items(p.Contacts, func(c person.NewContact) api.Contact {
			return api.Contact{Kind: api.ContactKind(c.Kind), Value: c.Value}
		}),
	}
}
