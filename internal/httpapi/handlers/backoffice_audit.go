package handlers

import (
	"context"

	"diresco/api"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/look"
)

// AuditHandlers has the operations by which administrators look at the trail.
type AuditHandlers struct{ Trail *look.Service }

// SearchAuditRecords implements api.StrictServerInterface.
func (h AuditHandlers) SearchAuditRecords(
	ctx context.Context, r api.SearchAuditRecordsRequestObject,
) (api.SearchAuditRecordsResponseObject, error) {
	b := r.Body
	found, err := h.Trail.Search(ctx, reqctx.ActorOf(ctx), audit.Query{
		From: value(b.From), To: value(b.To), PersonID: b.PersonId, ContributorID: b.ContributorId,
		Operation: b.Operation, Outcome: b.Outcome,
		SubjectKind: b.SubjectKind, SubjectID: b.SubjectId,
	}, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.SearchAuditRecords200JSONResponse(pageOf(
		ctx, items(found.Items, viewAuditRecord), "/backoffice/audit-searches", "", found.Next, r.Params.Limit,
	)), nil
}

func viewAuditRecord(r audit.Record) api.AuditRecord {
	return api.AuditRecord{
		RecordId: r.ID, At: r.At, Operation: r.Operation, Outcome: r.Outcome, Address: r.Address, RequestId: r.RequestID,
		PersonId: r.PersonID, SessionId: r.SessionID, ApplicationId: r.ApplicationID, ContributorId: r.ContributorID,
		ActingAs: (*api.ActingAs)(r.ActingAs), RightId: r.RightID, SubjectKind: r.SubjectKind, SubjectId: r.SubjectID,
		LoginMethod: r.LoginMethod, LoginLevel: viewLevel(r.LoginLevel), LoginProvider: r.LoginProvider, Detail: r.Detail,
	}
}
