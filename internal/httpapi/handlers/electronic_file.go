package handlers

import (
	"bufio"
	"context"
	"net/http"

	"diresco/api"
	"diresco/internal/dossier/timeline"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/clock"
)

// ElectronicFileHandlers has the operations of the section Electronic file.
type ElectronicFileHandlers struct{ Timeline *timeline.Service }

// ListDossierEntries implements api.StrictServerInterface.
func (h ElectronicFileHandlers) ListDossierEntries(
	ctx context.Context, r api.ListDossierEntriesRequestObject,
) (api.ListDossierEntriesResponseObject, error) {
	p, by := r.Params, reqctx.ActorOf(ctx)
	filter := timeline.Filter{Kind: timeline.Kind(value(p.Kind)), PositionID: p.PositionId, From: p.From, To: p.To}
	found, err := h.Timeline.Of(ctx, by, filter, pageRequest(ctx, p.Limit, p.Cursor))
	if err != nil {
		return nil, err
	}
	query := queryOf(map[string]*string{
		"kind": (*string)(p.Kind), "position_id": idText(p.PositionId), "from": instantText(p.From), "to": instantText(p.To),
	})
	shown := items(found.Items, func(e timeline.Entry) api.DossierEntry { return viewDossierEntry(e, by) })
	return api.ListDossierEntries200JSONResponse(pageOf(
		ctx, shown, idPath("/contributors", r.ContributorId)+"/dossier-entries", query, found.Next, p.Limit,
	)), nil
}

func viewDossierEntry(e timeline.Entry, by access.Actor) api.DossierEntry {
	view := api.DossierEntry{
		EntryId: e.ID, Kind: api.DossierEntryKind(e.Kind), Happened: api.DossierHappening(e.Happened), At: clock.Normal(e.At),
		Subject: api.DossierSubject{Kind: api.DossierEntryKind(e.Kind), Id: e.SubjectID}, State: unlessEmpty(e.State),
		Code: unlessEmpty(e.Code), PositionId: e.PositionID, ProtocolNumber: unlessEmpty(e.ProtocolNumber), By: viewDossierAuthor(e.By),
	}
	if path := dossierSubjectPath(e, by); path != "" {
		view.Links.Subject = new(link(path, ""))
	}
	if e.Filed {
		view.Links.Receipt = new(link(idPath("/declarations", e.SubjectID)+"/receipt", ""))
	}
	return view
}

// dossierSubjectPath is where the actor reads what an entry is about; it may be empty.
func dossierSubjectPath(e timeline.Entry, by access.Actor) string {
	switch e.Kind {
	case timeline.Declaration:
		return idPath("/declarations", e.SubjectID)
	case timeline.Ticket:
		return idPath("/tickets", e.SubjectID)
	case timeline.SmartTask:
		return idPath("/smart-tasks", e.SubjectID)
	case timeline.Appointment:
		if by.Consults() {
			return idPath("/backoffice"+appointmentsPath, e.SubjectID)
		}
		return idPath(appointmentsPath, e.SubjectID)
	case timeline.DMA:
		return idPath("/dma-submissions", e.SubjectID)
	case timeline.Delegation:
		return idPath("/delegations", e.SubjectID)
	case timeline.Role:
		return idPath("/contributors", by.ContributorID) + "/users"
	case timeline.Enrolment:
		switch {
		case by.Consults():
			return idPath("/backoffice/enrolments", e.SubjectID)
		case e.OwnerID == by.PersonID:
			return idPath("/enrolments", e.SubjectID)
		}
	}
	return ""
}

func viewDossierAuthor(a timeline.Author) api.DossierAuthor {
	view := api.DossierAuthor{Kind: api.DossierAuthorKindSystem, OfficeCode: unlessEmpty(a.Office), ClientId: unlessEmpty(a.ClientID)}
	switch {
	case a.AtOffice:
		view.Kind = api.DossierAuthorKindOffice
	case a.PersonID != nil:
		view.Kind = api.DossierAuthorKindPerson
	}
	if a.PersonID != nil {
		view.Person = &api.PersonReference{PersonId: *a.PersonID, GivenName: a.GivenName, FamilyName: a.FamilyName}
	}
	if a.ActingAs != "" {
		view.ActingAs = new(api.ActingAs(a.ActingAs))
	}
	return view
}

// ExportDossier implements api.StrictServerInterface: an archive that is written while it is read.
func (h ElectronicFileHandlers) ExportDossier(
	ctx context.Context, r api.ExportDossierRequestObject,
) (api.ExportDossierResponseObject, error) {
	export, err := h.Timeline.Export(reqctx.ActorOf(ctx), r.Params.From, r.Params.To)
	if err != nil {
		return nil, err
	}
	return dossierAnswer{ctx, export}, nil
}

// dossierAnswer is written while the entries are read. One that breaks off is cut by the edge, so
// that nobody takes a part for the whole.
type dossierAnswer struct {
	ctx    context.Context //nolint:containedctx // the generated code writes an answer without one
	export *timeline.Export
}

// VisitExportDossierResponse implements api.ExportDossierResponseObject.
func (a dossierAnswer) VisitExportDossierResponse(w http.ResponseWriter) error {
	defer a.export.Close()
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", `attachment; filename="dossier.zip"`)
	w.WriteHeader(http.StatusOK)
	answer := reqctx.AnswerOf(a.ctx)
	if answer.HeadersOnly {
		return nil
	}
	const piece = 32 << 10
	buffered := bufio.NewWriterSize(pieces{w, answer.Extend}, piece)
	if err := a.export.Write(a.ctx, buffered); err != nil {
		return err
	}
	return buffered.Flush()
}
