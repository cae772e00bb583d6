package handlers

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/api"
	"diresco/internal/dossier/ticket"
	"diresco/internal/httpapi/etag"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/page"
)

// TicketHandlers has the operations of the section Tickets.
type TicketHandlers struct {
	Tickets *ticket.Service
	Topics  *ticket.Topics
	Clock   clock.Clock
}

const ticketsPath = "/tickets"

// ListTicketTopics implements api.StrictServerInterface.
func (h TicketHandlers) ListTicketTopics(
	ctx context.Context, r api.ListTicketTopicsRequestObject,
) (api.ListTicketTopicsResponseObject, error) {
	found, err := h.Topics.List(ctx, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	english := inEnglish(ctx)
	return api.ListTicketTopics200JSONResponse(pageOf(ctx, items(found.Items, func(t ticket.Topic) api.TicketTopic {
		view := api.TicketTopic{Code: t.Code, ParentCode: t.ParentCode, Title: t.Title(english), OfficeCode: t.OfficeCode}
		if t.ParentCode != nil {
			view.Appointments = &t.Appointments
		}
		return view
	}), "/ticket-topics", "", found.Next, r.Params.Limit)), nil
}

// OpenTicket implements api.StrictServerInterface: what is asked as JSON, or as a form with files,
// which the edge has read.
func (h TicketHandlers) OpenTicket(ctx context.Context, r api.OpenTicketRequestObject) (api.OpenTicketResponseObject, error) {
	in := ticket.New{ContributorID: r.ContributorId}
	if b := r.JSONBody; b != nil {
		in.PositionID, in.Topic, in.Section = b.PositionId, b.Topic, ticket.Section(value(b.Section))
		in.Subject, in.Text, in.Email, in.Phone = b.Subject, b.Text, b.Email, b.Phone
	} else {
		form := reqctx.FormOf(ctx)
		in.Topic, in.Section = form.Text("topic"), ticket.Section(form.Text("section"))
		in.Subject, in.Text = form.Text("subject"), form.Text("text")
		in.Email, in.Phone, in.Files = form.Optional("email"), form.Optional("phone"), form.Files("attachments")
		if id, err := uuid.Parse(form.Text("position_id")); err == nil {
			in.PositionID = &id
		}
	}
	opened, err := h.Tickets.Open(ctx, reqctx.ActorOf(ctx), in, nil)
	if err != nil {
		return nil, err
	}
	return api.OpenTicket201JSONResponse{
		Body: h.view(ctx, opened),
		Headers: api.OpenTicket201ResponseHeaders{
			ETag: h.tag(opened), Location: reqctx.BasePath + idPath(ticketsPath, opened.ID),
		},
	}, nil
}

// ListTickets implements api.StrictServerInterface.
func (h TicketHandlers) ListTickets(ctx context.Context, r api.ListTicketsRequestObject) (api.ListTicketsResponseObject, error) {
	p := r.Params
	filter, query := ticketFilter(p.PositionId, p.Topic, p.State, p.Kind, p.OpenedFrom, p.UpdatedFrom)
	found, err := h.Tickets.OfContributor(ctx, reqctx.ActorOf(ctx), r.ContributorId, filter, pageRequest(ctx, p.Limit, p.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListTickets200JSONResponse(viewTickets(
		ctx, found, idPath("/contributors", r.ContributorId)+ticketsPath, query, p.Limit,
	)), nil
}

// ListMyTickets implements api.StrictServerInterface.
func (h TicketHandlers) ListMyTickets(ctx context.Context, r api.ListMyTicketsRequestObject) (api.ListMyTicketsResponseObject, error) {
	p := r.Params
	filter, query := ticketFilter(p.PositionId, p.Topic, p.State, p.Kind, p.OpenedFrom, p.UpdatedFrom)
	found, err := h.Tickets.Mine(ctx, reqctx.ActorOf(ctx), filter, pageRequest(ctx, p.Limit, p.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListMyTickets200JSONResponse(viewTickets(ctx, found, ticketsPath, query, p.Limit)), nil
}

func ticketFilter(
	position *uuid.UUID, topic *string, state *api.TicketState, kind *api.TicketKind, opened, updated *time.Time,
) (ticket.Filter, string) {
	var about *string
	if position != nil {
		about = new(position.String())
	}
	query := queryOf(map[string]*string{
		"position_id": about, "topic": topic, "state": (*string)(state), "kind": (*string)(kind), "opened_from": instantText(opened),
		"updated_from": instantText(updated),
	})
	return ticket.Filter{
		PositionID: position, Topic: value(topic), State: ticket.State(value(state)), Kind: ticket.Kind(value(kind)), OpenedFrom: opened,
		UpdatedFrom: updated,
	}, query
}

func viewTickets(ctx context.Context, found page.Page[ticket.View], path, query string, limit *int32) api.TicketList {
	english := inEnglish(ctx)
	view := func(v ticket.View) api.TicketSummary { return viewTicketSummary(v, english) }
	return pageOf(ctx, items(found.Items, view), path, query, found.Next, limit)
}

// ShowTicket implements api.StrictServerInterface.
func (h TicketHandlers) ShowTicket(ctx context.Context, r api.ShowTicketRequestObject) (api.ShowTicketResponseObject, error) {
	found, err := h.Tickets.Show(ctx, reqctx.ActorOf(ctx), r.TicketId)
	if err != nil {
		return nil, err
	}
	return api.ShowTicket200JSONResponse{
		Body: h.view(ctx, found), Headers: api.ShowTicket200ResponseHeaders{ETag: h.tag(found)},
	}, nil
}

// RemindTicket implements api.StrictServerInterface.
func (h TicketHandlers) RemindTicket(ctx context.Context, r api.RemindTicketRequestObject) (api.RemindTicketResponseObject, error) {
	found, err := h.Tickets.Remind(ctx, reqctx.ActorOf(ctx), r.TicketId)
	if err != nil {
		return nil, err
	}
	return api.RemindTicket200JSONResponse{
		Body: h.view(ctx, found), Headers: api.RemindTicket200ResponseHeaders{ETag: h.tag(found)},
	}, nil
}

// AddTicketComment implements api.StrictServerInterface.
func (h TicketHandlers) AddTicketComment(
	ctx context.Context, r api.AddTicketCommentRequestObject,
) (api.AddTicketCommentResponseObject, error) {
	said, err := h.Tickets.Comment(ctx, reqctx.ActorOf(ctx), r.TicketId, r.Body.Text)
	if err != nil {
		return nil, err
	}
	return api.AddTicketComment201JSONResponse{
		Body:    viewTicketComment(said),
		Headers: api.AddTicketComment201ResponseHeaders{Location: reqctx.BasePath + idPath(ticketsPath, r.TicketId) + "/comments"},
	}, nil
}

// ListTicketComments implements api.StrictServerInterface.
func (h TicketHandlers) ListTicketComments(
	ctx context.Context, r api.ListTicketCommentsRequestObject,
) (api.ListTicketCommentsResponseObject, error) {
	found, err := h.Tickets.Comments(ctx, reqctx.ActorOf(ctx), r.TicketId, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.ListTicketComments200JSONResponse(pageOf(
		ctx, items(found.Items, viewTicketComment), idPath(ticketsPath, r.TicketId)+"/comments", "", found.Next, r.Params.Limit,
	)), nil
}

// tag is the version of a ticket, together with what becomes of it as time goes by.
func (h TicketHandlers) tag(v ticket.View) string {
	now, shown := h.Clock.Now(), ""
	if v.MayRemind(now) {
		shown = "remind"
	}
	if v.AllowsAppointment(now) {
		shown += " book"
	}
	if v.Scan != "" {
		shown += " files " + string(v.Scan)
	}
	return etag.Shown(v.Version, shown)
}

func viewTicketSummary(v ticket.View, english bool) api.TicketSummary {
	view := api.TicketSummary{
		TicketId: v.ID, Kind: api.TicketKind(v.Kind), ContributorId: v.ContributorID, PositionId: v.PositionID, OfficeCode: v.OfficeCode,
		OfficeTitle: v.OfficeTitle, Topic: v.Topic, TopicTitle: v.TopicTitle(english), ParentTopic: v.ParentTopic,
		Section: (*api.TicketSection)(v.Section), Subject: v.ShownSubject(), ProtocolNumber: v.ProtocolNumber,
		State: api.TicketState(v.State), OpenedBy: viewOpener(v), OpenedAt: v.OpenedAt, UpdatedAt: v.UpdatedAt, RoutedAt: v.RoutedAt,
		ReopenedAt: v.ReopenedAt, Outcome: (*api.TicketOutcome)(v.Outcome), ClosedAt: v.ClosedAt, RemindedAt: v.RemindedAt,
		Links: api.SelfLinks{Self: link(idPath(ticketsPath, v.ID), "")},
	}
	if v.Kind == ticket.Request && v.State != ticket.Closed {
		view.DueAt = new(v.DueAt())
	}
	return view
}

func viewOpener(v ticket.View) api.FiledBy {
	return api.FiledBy{
		PersonId: v.PersonID, GivenName: v.GivenName, FamilyName: v.FamilyName, ActingAs: api.ActingAs(v.ActingAs), RightId: v.RightID,
		ClientId: unlessEmpty(v.ClientID),
	}
}

func (h TicketHandlers) view(ctx context.Context, v ticket.View) api.Ticket {
	now, brief := h.Clock.Now(), viewTicketSummary(v, inEnglish(ctx))
	self := idPath(ticketsPath, v.ID)
	view := api.Ticket{
		TicketId: brief.TicketId, Kind: brief.Kind, ContributorId: brief.ContributorId, PositionId: brief.PositionId,
		OfficeCode: brief.OfficeCode, OfficeTitle: brief.OfficeTitle, Topic: brief.Topic, TopicTitle: brief.TopicTitle,
		ParentTopic: brief.ParentTopic, Section: brief.Section, Subject: brief.Subject, Text: v.Text, Email: v.Email, Phone: v.Phone,
		ProtocolNumber: brief.ProtocolNumber, Digest: v.Digest, State: brief.State, OpenedBy: brief.OpenedBy,
		Attachments: items(v.Attachments, viewTicketFile), OpenedAt: brief.OpenedAt, DueAt: brief.DueAt, UpdatedAt: brief.UpdatedAt,
		RoutedAt: brief.RoutedAt, ReopenedAt: brief.ReopenedAt, Outcome: brief.Outcome, ClosedAt: brief.ClosedAt,
		ClosingText: v.ClosingText,
		RemindedAt:  brief.RemindedAt,
		MayRemind:   v.MayRemind(now), AllowsAppointment: v.AllowsAppointment(now),
		Links: api.TicketLinks{
			Self: link(self, ""), Contributor: link(idPath("/contributors", v.ContributorID), ""), Comments: link(self+"/comments", ""),
		},
	}
	if brief.DueAt != nil {
		view.AnsweredBy = new(v.AnsweredBy())
	}
	if v.Scan != "" {
		view.AttachmentsScan = new(api.TicketAttachmentsScan(v.Scan))
	}
	if v.HandsFilesOut() {
		view.Links.Attachments = new(link(self+"/attachments", ""))
	}
	if view.MayRemind {
		view.Links.Reminders = new(link(self+"/reminders", ""))
	}
	return view
}

func viewTicketFile(f attachment.File) api.TicketAttachment {
	return api.TicketAttachment{
		Number: int32(f.Number), FileName: f.Name, MediaType: api.TicketAttachmentMediaType(f.MediaType), //nolint:gosec // three at most
		Size: int32(f.Size), Digest: f.Digest, //nolint:gosec // 3 MiB at most
	}
}

func viewTicketComment(c ticket.CommentView) api.TicketComment {
	view := api.TicketComment{
		CommentId: c.ID, TicketId: c.TicketID, ByOffice: c.ByOffice, Visibility: api.TicketVisibility(c.Visibility), Text: c.Text, At: c.At,
	}
	if !c.ByOffice {
		view.Author = &api.PersonReference{PersonId: c.AuthorID, GivenName: c.GivenName, FamilyName: c.FamilyName}
		view.ClientId = unlessEmpty(c.ClientID)
	}
	return view
}
