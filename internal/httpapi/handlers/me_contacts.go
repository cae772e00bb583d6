package handlers

import (
	"context"

	"diresco/api"
	"diresco/internal/httpapi/etag"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/look"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/secret"
)

// ContactHandlers has the operations of the section Me about contacts, preferences and activity.
type ContactHandlers struct {
	Book   *person.AddressBook
	People *person.Service
	Looks  *look.Service
}

const contactsPath = "/me/contacts"

// ListContacts implements api.StrictServerInterface.
func (h ContactHandlers) ListContacts(ctx context.Context, r api.ListContactsRequestObject) (api.ListContactsResponseObject, error) {
	found, err := h.Book.List(ctx, reqctx.ActorOf(ctx), pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListContacts200JSONResponse(pageOf(
		ctx, items(found.Items, viewContact), contactsPath, "", found.Next, r.Params.Limit,
	)), nil
}

// AddContact implements api.StrictServerInterface.
func (h ContactHandlers) AddContact(ctx context.Context, r api.AddContactRequestObject) (api.AddContactResponseObject, error) {
	c, err := h.Book.Add(ctx, reqctx.ActorOf(ctx), person.NewContact{Kind: person.ContactKind(r.Body.Kind), Value: r.Body.Value})
	if err != nil {
		return nil, err
	}
	return api.AddContact201JSONResponse{
		Body: viewContact(c), Headers: api.AddContact201ResponseHeaders{Location: reqctx.BasePath + idPath(contactsPath, c.ID)},
	}, nil
}

// ShowContact implements api.StrictServerInterface.
func (h ContactHandlers) ShowContact(ctx context.Context, r api.ShowContactRequestObject) (api.ShowContactResponseObject, error) {
	c, err := h.Book.Show(ctx, reqctx.ActorOf(ctx), r.ContactId)
	if err != nil {
		return nil, err
	}
	return api.ShowContact200JSONResponse(viewContact(c)), nil
}

// RemoveContact implements api.StrictServerInterface.
func (h ContactHandlers) RemoveContact(ctx context.Context, r api.RemoveContactRequestObject) (api.RemoveContactResponseObject, error) {
	if err := h.Book.Remove(ctx, reqctx.ActorOf(ctx), r.ContactId); err != nil {
		return nil, err
	}
	return api.RemoveContact204Response{}, nil
}

// VerifyContact implements api.StrictServerInterface.
func (h ContactHandlers) VerifyContact(ctx context.Context, r api.VerifyContactRequestObject) (api.VerifyContactResponseObject, error) {
	c, err := h.Book.Verify(ctx, reqctx.ActorOf(ctx), r.ContactId, secret.Text(r.Body.Code))
	if err != nil {
		return nil, err
	}
	return api.VerifyContact200JSONResponse(viewContact(c)), nil
}

// ResendContactCode implements api.StrictServerInterface.
func (h ContactHandlers) ResendContactCode(
	ctx context.Context, r api.ResendContactCodeRequestObject,
) (api.ResendContactCodeResponseObject, error) {
	c, err := h.Book.Resend(ctx, reqctx.ActorOf(ctx), r.ContactId)
	if err != nil {
		return nil, err
	}
	return api.ResendContactCode202JSONResponse{
		Body: viewContact(c), Headers: api.ResendContactCode202ResponseHeaders{Location: reqctx.BasePath + idPath(contactsPath, c.ID)},
	}, nil
}

// ShowNotificationPreferences implements api.StrictServerInterface.
func (h ContactHandlers) ShowNotificationPreferences(
	ctx context.Context, _ api.ShowNotificationPreferencesRequestObject,
) (api.ShowNotificationPreferencesResponseObject, error) {
	p, err := h.People.Preferences(ctx, reqctx.ActorOf(ctx).PersonID)
	if err != nil {
		return nil, err
	}
	return api.ShowNotificationPreferences200JSONResponse{
		Body: viewPreferences(p), Headers: api.ShowNotificationPreferences200ResponseHeaders{ETag: etag.Version(p.Version)},
	}, nil
}

// ReplaceNotificationPreferences implements api.StrictServerInterface.
func (h ContactHandlers) ReplaceNotificationPreferences(
	ctx context.Context, r api.ReplaceNotificationPreferencesRequestObject,
) (api.ReplaceNotificationPreferencesResponseObject, error) {
	in := person.Preferences{Language: string(r.Body.Language), PreferredChannel: (*outbox.Channel)(r.Body.PreferredChannel)}
	for _, m := range r.Body.Muted {
		in.Muted = append(in.Muted, outbox.Category(m))
	}
	expected, err := etag.Expected(value(r.Params.IfMatch), func() (int, error) {
		shown, err := h.People.Preferences(ctx, reqctx.ActorOf(ctx).PersonID)
		return shown.Version, err
	})
	if err != nil {
		return nil, err
	}
	p, err := h.People.ReplacePreferences(ctx, reqctx.ActorOf(ctx), expected, in)
	if err != nil {
		return nil, err
	}
	return api.ReplaceNotificationPreferences200JSONResponse{
		Body: viewPreferences(p), Headers: api.ReplaceNotificationPreferences200ResponseHeaders{ETag: etag.Version(p.Version)},
	}, nil
}

// ListMyActivity implements api.StrictServerInterface.
func (h ContactHandlers) ListMyActivity(ctx context.Context, r api.ListMyActivityRequestObject) (api.ListMyActivityResponseObject, error) {
	found, err := h.Looks.Activity(ctx, reqctx.ActorOf(ctx), pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListMyActivity200JSONResponse(pageOf(
		ctx, items(found.Items, viewActivity), "/me/activity", "", found.Next, r.Params.Limit,
	)), nil
}

func viewContact(c person.Contact) api.MyContact {
	view := api.MyContact{
		ContactId: c.ID, Kind: api.ContactKind(c.Kind), Value: c.Value, State: api.ContactState(c.State()), VerifiedAt: c.VerifiedAt,
		CreatedAt: c.CreatedAt,
	}
	if c.State() == person.Verified {
		view.CountsForRecoveryFrom = c.RecoveryFrom
	}
	return view
}

func viewPreferences(p person.Preferences) api.NotificationPreferences {
	return api.NotificationPreferences{
		Language: api.Language(p.Language), PreferredChannel: (*api.PreferredChannel)(p.PreferredChannel),
		Muted: items(p.Muted, func(c outbox.Category) api.MutableCategory { return api.MutableCategory(c) }),
	}
}

// outcomeRead is how a look ended.
const outcomeRead = "read"

func viewActivity(e look.Entry) api.Activity {
	if l := e.Look; l != nil {
		return api.Activity{
			ActivityId: l.ID, At: l.At, Operation: l.Operation, Outcome: outcomeRead, RequestId: l.RequestID,
			Staff: &api.StaffPost{UserClass: api.StaffClass(l.UserClass), OfficeCode: l.OfficeCode},
		}
	}
	r := e.Record
	view := api.Activity{
		ActivityId: r.ID, At: r.At, Operation: r.Operation, Outcome: r.Outcome, Address: r.Address, RequestId: r.RequestID,
		SessionId: r.SessionID, ApplicationId: r.ApplicationID, ContributorId: r.ContributorID,
		SubjectKind: r.SubjectKind, SubjectId: r.SubjectID,
	}
	if r.ActingAs != nil {
		as := api.ActingAs(*r.ActingAs)
		view.ActingAs = &as
	}
	return view
}
