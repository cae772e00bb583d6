package handlers

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"diresco/api"
	"diresco/internal/dossier/smarttask"
	"diresco/internal/httpapi/etag"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/page"
)

// SmartTaskHandlers has the operations of the section Smart tasks, and what says to whom they are
// open.
type SmartTaskHandlers struct {
	SmartTasks *smarttask.Service
	// Positions knows the contacts of positions.
	Positions *contributor.Service
}

const (
	smartTasksPath     = "/smart-tasks"
	smartTaskTypesPath = "/smart-task-types"
)

// ListSmartTaskTypes implements api.StrictServerInterface.
func (h SmartTaskHandlers) ListSmartTaskTypes(
	ctx context.Context, r api.ListSmartTaskTypesRequestObject,
) (api.ListSmartTaskTypesResponseObject, error) {
	open, err := h.SmartTasks.Types(ctx, reqctx.ActorOf(ctx))
	if err != nil {
		return nil, err
	}
	// A type has a code and no id; any id that is not nil makes the cursor whole.
	found, err := page.Slice(open, pageRequest(ctx, r.Params.Limit, r.Params.Cursor), func(t smarttask.Type) page.Key {
		return page.Key{Text: t.Code, ID: uuid.NameSpaceOID}
	})
	if err != nil {
		return nil, err
	}
	shown := make(api.List[api.SmartTaskType], len(found.Items))
	for i, t := range found.Items {
		if shown[i], err = viewSmartTaskType(t, inEnglish(ctx)); err != nil {
			return nil, err
		}
	}
	return api.ListSmartTaskTypes200JSONResponse(pageOf(ctx, shown, smartTaskTypesPath, "", found.Next, r.Params.Limit)), nil
}

// ShowSmartTaskType implements api.StrictServerInterface.
func (h SmartTaskHandlers) ShowSmartTaskType(
	ctx context.Context, r api.ShowSmartTaskTypeRequestObject,
) (api.ShowSmartTaskTypeResponseObject, error) {
	t, err := h.SmartTasks.Type(ctx, reqctx.ActorOf(ctx), string(r.Type))
	if err != nil {
		return nil, err
	}
	view, err := viewSmartTaskType(t, inEnglish(ctx))
	return api.ShowSmartTaskType200JSONResponse(view), err
}

// RequestSmartTask implements api.StrictServerInterface.
func (h SmartTaskHandlers) RequestSmartTask(
	ctx context.Context, r api.RequestSmartTaskRequestObject,
) (api.RequestSmartTaskResponseObject, error) {
	filed, err := h.SmartTasks.Request(ctx, reqctx.ActorOf(ctx), smarttask.Input{
		Type: r.Body.Type, Content: r.Body.Content, Email: r.Body.Email, Phone: r.Body.Phone,
	})
	if err != nil {
		return nil, err
	}
	return api.RequestSmartTask202JSONResponse{
		Body:    viewSmartTask(filed, inEnglish(ctx)),
		Headers: api.RequestSmartTask202ResponseHeaders{Location: reqctx.BasePath + idPath(smartTasksPath, filed.ID)},
	}, nil
}

// ListSmartTasks implements api.StrictServerInterface.
func (h SmartTaskHandlers) ListSmartTasks(
	ctx context.Context, r api.ListSmartTasksRequestObject,
) (api.ListSmartTasksResponseObject, error) {
	found, err := h.SmartTasks.OfContributor(ctx, reqctx.ActorOf(ctx), pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	view := func(v smarttask.View) api.SmartTask { return viewSmartTask(v, inEnglish(ctx)) }
	return api.ListSmartTasks200JSONResponse(pageOf(
		ctx, items(found.Items, view), idPath("/contributors", r.ContributorId)+smartTasksPath, "", found.Next, r.Params.Limit,
	)), nil
}

// ShowSmartTask implements api.StrictServerInterface.
func (h SmartTaskHandlers) ShowSmartTask(ctx context.Context, r api.ShowSmartTaskRequestObject) (api.ShowSmartTaskResponseObject, error) {
	found, err := h.SmartTasks.Show(ctx, reqctx.ActorOf(ctx), r.SmartTaskId)
	if err != nil {
		return nil, err
	}
	return api.ShowSmartTask200JSONResponse(viewSmartTask(found, inEnglish(ctx))), nil
}

// ListRectificationContacts implements api.StrictServerInterface.
func (h SmartTaskHandlers) ListRectificationContacts(
	ctx context.Context, r api.ListRectificationContactsRequestObject,
) (api.ListRectificationContactsResponseObject, error) {
	found, err := h.Positions.RectificationContacts(ctx, r.PositionId, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	view := func(c contributor.RectificationContact) api.RectificationContact {
		return api.RectificationContact{
			ContactId: c.ID, Kind: api.RectificationContactKind(c.Kind), Value: c.Value, State: api.ContactState(c.State),
			Unusable: c.Unusable(), UpdatedAt: c.UpdatedAt,
		}
	}
	return api.ListRectificationContacts200JSONResponse(pageOf(
		ctx, items(found.Items, view), idPath("/positions", r.PositionId)+"/rectification-contacts", "", found.Next, r.Params.Limit,
	)), nil
}

// ShowSmartTaskAccess implements api.StrictServerInterface.
func (h SmartTaskHandlers) ShowSmartTaskAccess(
	ctx context.Context, r api.ShowSmartTaskAccessRequestObject,
) (api.ShowSmartTaskAccessResponseObject, error) {
	found, err := h.SmartTasks.Access(ctx, string(r.Type))
	if err != nil {
		return nil, err
	}
	return api.ShowSmartTaskAccess200JSONResponse{
		Body: viewSmartTaskAccess(found), Headers: api.ShowSmartTaskAccess200ResponseHeaders{ETag: etag.Version(found.Version)},
	}, nil
}

// ReplaceSmartTaskAccess implements api.StrictServerInterface.
func (h SmartTaskHandlers) ReplaceSmartTaskAccess(
	ctx context.Context, r api.ReplaceSmartTaskAccessRequestObject,
) (api.ReplaceSmartTaskAccessResponseObject, error) {
	expected, err := etag.Expected(value(r.Params.IfMatch), func() (int, error) {
		found, err := h.SmartTasks.Access(ctx, string(r.Type))
		return found.Version, err
	})
	if err != nil {
		return nil, err
	}
	changed, err := h.SmartTasks.ReplaceAccess(
		ctx, reqctx.ActorOf(ctx), string(r.Type), expected, smarttask.OpenTo(r.Body.OpenTo), value(r.Body.TaxCodes),
	)
	if err != nil {
		return nil, err
	}
	return api.ReplaceSmartTaskAccess200JSONResponse{
		Body: viewSmartTaskAccess(changed), Headers: api.ReplaceSmartTaskAccess200ResponseHeaders{ETag: etag.Version(changed.Version)},
	}, nil
}

func viewSmartTaskAccess(a smarttask.AccessView) api.SmartTaskAccess {
	return api.SmartTaskAccess{
		Type: api.SmartTaskTypeCode(a.Type), OpenTo: api.SmartTaskOpenTo(a.OpenTo),
		TaxCodes: items(a.TaxCodes, func(code string) string { return code }),
	}
}

func viewSmartTaskType(t smarttask.Type, english bool) (api.SmartTaskType, error) {
	schema, err := t.ContentSchema(english)
	return api.SmartTaskType{
		Type: api.SmartTaskTypeCode(t.Code), Title: t.Title(english), ActingAs: converted[api.ActingAs](t.ActingAs), Topic: t.Topic,
		Examined: t.Examined(english), Effect: t.Effect(english), ContentSchema: schema, ContentExample: t.Example,
		Checks: items(smarttask.Checks(), func(c smarttask.CheckCode) api.SmartTaskTypeCheck {
			return api.SmartTaskTypeCheck{Check: api.SmartTaskCheckCode(c), Title: c.Title(english)}
		}),
		Links: api.SelfLinks{Self: link(smartTaskTypesPath+"/"+t.Code, "")},
	}, err
}

func viewSmartTask(v smarttask.View, english bool) api.SmartTask {
	return api.SmartTask{
		SmartTaskId: v.ID, ContributorId: v.ContributorID, PositionId: v.PositionID, Type: api.SmartTaskTypeCode(v.Type),
		Title: smarttask.Known(v.Type).Title(english), Content: json.RawMessage(v.Content), Email: v.Email, Phone: v.Phone,
		State: api.SmartTaskState(v.State), ProtocolNumber: v.ProtocolNumber, OfficeCode: v.OfficeCode, SubmittedAt: v.SubmittedAt,
		DecidedAt: v.DecidedAt,
		Checks: items(v.Checks, func(c smarttask.Check) api.SmartTaskCheck {
			return api.SmartTaskCheck{
				Check: api.SmartTaskCheckCode(c.Code), Title: c.Code.Title(english), Result: api.SmartTaskCheckResult(c.Result),
			}
		}),
		Reasons: items(v.Reasons, func(r smarttask.Reason) api.SmartTaskReason {
			return api.SmartTaskReason{Code: api.SmartTaskReasonCode(r.Code), Text: r.Code.Text(english), SubjectId: r.SubjectID}
		}),
		History: items(v.History(), func(s smarttask.Step) api.SmartTaskStep {
			return api.SmartTaskStep{State: api.SmartTaskState(s.State), At: s.At}
		}),
		Links: api.SmartTaskLinks{
			Self: link(idPath(smartTasksPath, v.ID), ""), Ticket: link(idPath("/tickets", v.ID), ""),
		},
	}
}
