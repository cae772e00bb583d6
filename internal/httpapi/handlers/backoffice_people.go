package handlers

import (
	"context"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/person"
	"diresco/internal/identity/staff"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
)

// PeopleHandlers has the operations of the section Back office about people and those who work
// here.
type PeopleHandlers struct{ BackOffice *staff.Service }

// SearchPeople implements api.StrictServerInterface.
func (h PeopleHandlers) SearchPeople(ctx context.Context, r api.SearchPeopleRequestObject) (api.SearchPeopleResponseObject, error) {
	code, err := parseTaxCode(r.Body.TaxCode, "/tax_code")
	if err != nil {
		return nil, err
	}
	// There is one page: a cursor can only be one that this list never gave.
	if _, err := pageRequest(ctx, r.Params.Limit, r.Params.Cursor).After(); err != nil {
		return nil, err
	}
	found, err := h.BackOffice.Find(ctx, reqctx.ActorOf(ctx), code)
	if err != nil {
		return nil, err
	}
	for _, p := range found {
		reqctx.NoteFound(ctx, p.ID)
	}
	return api.SearchPeople200JSONResponse(pageOf(
		ctx, items(found, viewRecord), "/backoffice/people-searches", "", "", r.Params.Limit,
	)), nil
}

// RegisterPerson implements api.StrictServerInterface.
func (h PeopleHandlers) RegisterPerson(ctx context.Context, r api.RegisterPersonRequestObject) (api.RegisterPersonResponseObject, error) {
	code, err := parseTaxCode(r.Body.TaxCode, "/tax_code")
	if err != nil {
		return nil, err
	}
	p, err := h.BackOffice.Register(ctx, reqctx.ActorOf(ctx), staff.Registration{
		TaxCode: code, GivenName: r.Body.GivenName, FamilyName: r.Body.FamilyName,
		Contacts: items(value(r.Body.Contacts), electronicContact),
	})
	if err != nil {
		return nil, err
	}
	return api.RegisterPerson201JSONResponse{
		Body: viewRecord(p), Headers: api.RegisterPerson201ResponseHeaders{Location: reqctx.BasePath + idPath("/backoffice/people", p.ID)},
	}, nil
}

// ShowPerson implements api.StrictServerInterface.
func (h PeopleHandlers) ShowPerson(ctx context.Context, r api.ShowPersonRequestObject) (api.ShowPersonResponseObject, error) {
	p, err := h.BackOffice.Open(ctx, reqctx.ActorOf(ctx), r.PersonId)
	if err != nil {
		return nil, err
	}
	return api.ShowPerson200JSONResponse(viewRecord(p)), nil
}

// IssuePin implements api.StrictServerInterface. The document's number goes no further: that one
// was shown is what counts.
func (h PeopleHandlers) IssuePin(ctx context.Context, r api.IssuePinRequestObject) (api.IssuePinResponseObject, error) {
	handed, err := h.BackOffice.IssuePIN(ctx, reqctx.ActorOf(ctx), r.PersonId)
	if err != nil {
		return nil, err
	}
	return api.IssuePin201JSONResponse{
		Body: api.IssuedPin{
			Pin: handed.PIN.Reveal(), PersonId: r.PersonId, CredentialLevel: api.CredentialLevelOrdinary, ExpiresAt: handed.ExpiresAt,
			DispositiveAt: handed.DispositiveAt, CodeTo: unlessEmpty(handed.CodeTo),
		},
		Headers: api.IssuePin201ResponseHeaders{Location: reqctx.BasePath + idPath("/backoffice/people", r.PersonId)},
	}, nil
}

// ConfirmIssuedPin implements api.StrictServerInterface.
func (h PeopleHandlers) ConfirmIssuedPin(
	ctx context.Context, r api.ConfirmIssuedPinRequestObject,
) (api.ConfirmIssuedPinResponseObject, error) {
	p, err := h.BackOffice.ConfirmPIN(ctx, reqctx.ActorOf(ctx), r.PersonId, secret.Text(value(r.Body.Code)))
	if err != nil {
		return nil, err
	}
	return api.ConfirmIssuedPin200JSONResponse(viewRecord(p)), nil
}

// KeepPinDocument implements api.StrictServerInterface. The edge has read the form: there is
// nothing left in the body.
func (h PeopleHandlers) KeepPinDocument(
	ctx context.Context, r api.KeepPinDocumentRequestObject,
) (api.KeepPinDocumentResponseObject, error) {
	p, err := h.BackOffice.KeepDocument(ctx, reqctx.ActorOf(ctx), r.PersonId, reqctx.FormOf(ctx).Files("files"))
	if err != nil {
		return nil, err
	}
	return api.KeepPinDocument200JSONResponse(viewRecord(p)), nil
}

// DownloadPinDocument implements api.StrictServerInterface: the file in the form that it has, or
// nothing.
func (h PeopleHandlers) DownloadPinDocument(
	ctx context.Context, r api.DownloadPinDocumentRequestObject,
) (api.DownloadPinDocumentResponseObject, error) {
	f, open, err := h.BackOffice.Document(ctx, reqctx.ActorOf(ctx), r.PersonId, int(r.Number))
	if err != nil {
		return nil, err
	}
	if !reqctx.MayAnswer(ctx, string(f.MediaType)) {
		return nil, fault.New(fault.NotAcceptable)
	}
	content, err := open()
	if err != nil {
		return nil, err
	}
	return storedFile{f, content}, nil
}

// RevokePersonPin implements api.StrictServerInterface.
func (h PeopleHandlers) RevokePersonPin(
	ctx context.Context, r api.RevokePersonPinRequestObject,
) (api.RevokePersonPinResponseObject, error) {
	if err := h.BackOffice.RevokePIN(ctx, reqctx.ActorOf(ctx), r.PersonId, staff.RevocationReason(r.Params.Reason)); err != nil {
		return nil, err
	}
	return api.RevokePersonPin204Response{}, nil
}

// SuspendPerson implements api.StrictServerInterface.
func (h PeopleHandlers) SuspendPerson(ctx context.Context, r api.SuspendPersonRequestObject) (api.SuspendPersonResponseObject, error) {
	p, err := h.BackOffice.Suspend(ctx, reqctx.ActorOf(ctx), r.PersonId, r.Body.Reason)
	if err != nil {
		return nil, err
	}
	return api.SuspendPerson200JSONResponse(viewRecord(p)), nil
}

// ReadmitPerson implements api.StrictServerInterface.
func (h PeopleHandlers) ReadmitPerson(ctx context.Context, r api.ReadmitPersonRequestObject) (api.ReadmitPersonResponseObject, error) {
	if err := h.BackOffice.Readmit(ctx, reqctx.ActorOf(ctx), r.PersonId); err != nil {
		return nil, err
	}
	return api.ReadmitPerson204Response{}, nil
}

func viewRecord(r staff.Record) api.PersonRecord {
	view := api.PersonRecord{
		PersonId: r.ID, TaxCode: r.TaxCode.Clear(), GivenName: r.GivenName, FamilyName: r.FamilyName, UserClass: api.UserClass(r.UserClass),
		CredentialLevel: api.CredentialLevel(r.CredentialLevel), OfficeCode: r.OfficeCode, PinState: api.PinState(r.PINState),
		Suspended: r.SuspendedAt != nil,
		Contacts:  items(r.Contacts, viewMaskedContact),
	}
	if c := r.CounterPIN; c != nil {
		view.CounterPin = &api.CounterPin{
			IssuedBy: api.PersonReference{PersonId: c.IssuedBy, GivenName: c.GivenName, FamilyName: c.FamilyName},
			IssuedAt: c.IssuedAt, DispositiveAt: c.DispositiveAt, Document: items(c.Attachments, viewFile),
		}
	}
	return view
}

func viewMaskedContact(c person.Contact) api.PersonContact {
	return api.PersonContact{Kind: api.ContactKind(c.Kind), To: c.Masked(), State: api.ContactState(c.State())}
}
