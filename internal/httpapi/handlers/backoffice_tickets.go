package handlers

import (
	"context"
	"net/http"

	"diresco/api"
	"diresco/internal/dossier/ticket"
	"diresco/internal/httpapi/etag"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/review"
)

// TicketDeskHandlers has the operations with which an office deals with tickets.
type TicketDeskHandlers struct{ Desk *ticket.Desk }

const (
	officeTicketsPath  = "/backoffice/tickets"
	replyTemplatesPath = "/backoffice/reply-templates"
)

// ListOfficeTickets implements api.StrictServerInterface.
func (h TicketDeskHandlers) ListOfficeTickets(
	ctx context.Context, r api.ListOfficeTicketsRequestObject,
) (api.ListOfficeTicketsResponseObject, error) {
	p := r.Params
	found, err := h.Desk.OfOffice(ctx, reqctx.ActorOf(ctx), ticket.DeskFilter{
		State: ticket.State(value(p.State)), Topic: value(p.Topic), Kind: ticket.Kind(value(p.Kind)),
		Assigned: review.Assignment(value(p.AssignedTo)), Overdue: ticket.Overdue(value(p.Overdue)),
	}, pageRequest(ctx, p.Limit, p.Cursor))
	if err != nil {
		return nil, err
	}
	query := queryOf(map[string]*string{
		"state": (*string)(p.State), "topic": p.Topic, "kind": (*string)(p.Kind), "assigned_to": (*string)(p.AssignedTo),
		"overdue": (*string)(p.Overdue),
	})
	return api.ListOfficeTickets200JSONResponse(pageOf(
		ctx, items(found.Items, viewOfficeTicketItem), officeTicketsPath, query, found.Next, p.Limit,
	)), nil
}

// SearchOfficeTickets implements api.StrictServerInterface.
func (h TicketDeskHandlers) SearchOfficeTickets(
	ctx context.Context, r api.SearchOfficeTicketsRequestObject,
) (api.SearchOfficeTicketsResponseObject, error) {
	b := r.Body
	filter := ticket.DeskFilter{
		State: ticket.State(value(b.State)), Any: true, Topic: value(b.Topic), Kind: ticket.Kind(value(b.Kind)),
		Assigned: review.Assignment(value(b.AssignedTo)), Overdue: ticket.Overdue(value(b.Overdue)),
		PositionNumber: value(b.PositionNumber), ProtocolNumber: value(b.ProtocolNumber),
	}
	if b.ContributorTaxCode != nil {
		code, err := parseTaxCode(*b.ContributorTaxCode, "/contributor_tax_code")
		if err != nil {
			return nil, err
		}
		filter.ContributorTaxCode = code.Clear()
	}
	found, err := h.Desk.OfOffice(ctx, reqctx.ActorOf(ctx), filter, pageRequest(ctx, r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return api.SearchOfficeTickets200JSONResponse(pageOf(
		ctx, items(found.Items, viewOfficeTicketItem), "/backoffice/ticket-searches", "", found.Next, r.Params.Limit,
	)), nil
}

// ShowOfficeTicket implements api.StrictServerInterface.
func (h TicketDeskHandlers) ShowOfficeTicket(
	ctx context.Context, r api.ShowOfficeTicketRequestObject,
) (api.ShowOfficeTicketResponseObject, error) {
	d, err := h.Desk.OpenAtOffice(ctx, reqctx.ActorOf(ctx), r.TicketId)
	if err != nil {
		return nil, err
	}
	return api.ShowOfficeTicket200JSONResponse{
		Body: viewOfficeTicket(d), Headers: api.ShowOfficeTicket200ResponseHeaders{ETag: deskTag(d)},
	}, nil
}

// DownloadOfficeTicketAttachments implements api.StrictServerInterface.
func (h TicketDeskHandlers) DownloadOfficeTicketAttachments(
	ctx context.Context, r api.DownloadOfficeTicketAttachmentsRequestObject,
) (api.DownloadOfficeTicketAttachmentsResponseObject, error) {
	found, content, err := h.Desk.Archive(ctx, reqctx.ActorOf(ctx), r.TicketId)
	if err != nil {
		return nil, err
	}
	return downloadOf(ctx, found, content, r.Params.Range, r.Params.IfRange), nil
}

// VisitDownloadOfficeTicketAttachmentsResponse implements
// api.DownloadOfficeTicketAttachmentsResponseObject.
func (d download) VisitDownloadOfficeTicketAttachmentsResponse(w http.ResponseWriter) error {
	return d.VisitDownloadTicketAttachmentsResponse(w)
}

// TakeTicketInCharge implements api.StrictServerInterface.
func (h TicketDeskHandlers) TakeTicketInCharge(
	ctx context.Context, r api.TakeTicketInChargeRequestObject,
) (api.TakeTicketInChargeResponseObject, error) {
	d, err := h.Desk.TakeInCharge(ctx, reqctx.ActorOf(ctx), r.TicketId)
	if err != nil {
		return nil, err
	}
	return api.TakeTicketInCharge200JSONResponse{
		Body: viewOfficeTicket(d), Headers: api.TakeTicketInCharge200ResponseHeaders{ETag: deskTag(d)},
	}, nil
}

// ReleaseTicket implements api.StrictServerInterface.
func (h TicketDeskHandlers) ReleaseTicket(
	ctx context.Context, r api.ReleaseTicketRequestObject,
) (api.ReleaseTicketResponseObject, error) {
	if err := h.Desk.Release(ctx, reqctx.ActorOf(ctx), r.TicketId); err != nil {
		return nil, err
	}
	return api.ReleaseTicket204Response{}, nil
}

// CommentTicket implements api.StrictServerInterface.
func (h TicketDeskHandlers) CommentTicket(
	ctx context.Context, r api.CommentTicketRequestObject,
) (api.CommentTicketResponseObject, error) {
	d, err := h.Desk.Comment(ctx, reqctx.ActorOf(ctx), r.TicketId, r.Body.Text, ticket.Visibility(r.Body.Visibility))
	if err != nil {
		return nil, err
	}
	return api.CommentTicket200JSONResponse{
		Body: viewOfficeTicket(d), Headers: api.CommentTicket200ResponseHeaders{ETag: deskTag(d)},
	}, nil
}

// RouteTicket implements api.StrictServerInterface.
func (h TicketDeskHandlers) RouteTicket(
	ctx context.Context, r api.RouteTicketRequestObject,
) (api.RouteTicketResponseObject, error) {
	d, err := h.Desk.Route(ctx, reqctx.ActorOf(ctx), r.TicketId, ticket.Routing{
		OfficeCode: value(r.Body.OfficeCode), Topic: value(r.Body.Topic), Reason: value(r.Body.Reason),
	})
	if err != nil {
		return nil, err
	}
	return api.RouteTicket200JSONResponse{
		Body: viewOfficeTicket(d), Headers: api.RouteTicket200ResponseHeaders{ETag: deskTag(d)},
	}, nil
}

// CloseTicket implements api.StrictServerInterface.
func (h TicketDeskHandlers) CloseTicket(
	ctx context.Context, r api.CloseTicketRequestObject,
) (api.CloseTicketResponseObject, error) {
	d, err := h.Desk.Close(ctx, reqctx.ActorOf(ctx), r.TicketId, ticket.Closure{
		Outcome: ticket.Outcome(r.Body.Outcome), Text: r.Body.Text,
	})
	if err != nil {
		return nil, err
	}
	return api.CloseTicket200JSONResponse{
		Body: viewOfficeTicket(d), Headers: api.CloseTicket200ResponseHeaders{ETag: deskTag(d)},
	}, nil
}

// ReopenTicket implements api.StrictServerInterface.
func (h TicketDeskHandlers) ReopenTicket(
	ctx context.Context, r api.ReopenTicketRequestObject,
) (api.ReopenTicketResponseObject, error) {
	d, err := h.Desk.Reopen(ctx, reqctx.ActorOf(ctx), r.TicketId, r.Body.Reason)
	if err != nil {
		return nil, err
	}
	return api.ReopenTicket200JSONResponse{
		Body: viewOfficeTicket(d), Headers: api.ReopenTicket200ResponseHeaders{ETag: deskTag(d)},
	}, nil
}

// ListReplyTemplates implements api.StrictServerInterface.
func (h TicketDeskHandlers) ListReplyTemplates(
	ctx context.Context, r api.ListReplyTemplatesRequestObject,
) (api.ListReplyTemplatesResponseObject, error) {
	p := r.Params
	found, err := h.Desk.Templates(ctx, reqctx.ActorOf(ctx), value(p.Topic), pageRequest(ctx, p.Limit, p.Cursor))
	if err != nil {
		return nil, err
	}
	query := queryOf(map[string]*string{"topic": p.Topic})
	return api.ListReplyTemplates200JSONResponse(pageOf(
		ctx, items(found.Items, viewTemplate), replyTemplatesPath, query, found.Next, p.Limit,
	)), nil
}

// ShowReplyTemplate implements api.StrictServerInterface.
func (h TicketDeskHandlers) ShowReplyTemplate(
	ctx context.Context, r api.ShowReplyTemplateRequestObject,
) (api.ShowReplyTemplateResponseObject, error) {
	t, err := h.Desk.Template(ctx, reqctx.ActorOf(ctx), r.TemplateCode)
	if err != nil {
		return nil, err
	}
	return api.ShowReplyTemplate200JSONResponse{
		Body: viewTemplate(t), Headers: api.ShowReplyTemplate200ResponseHeaders{ETag: etag.Version(t.Version)},
	}, nil
}

// ReplaceReplyTemplate implements api.StrictServerInterface.
func (h TicketDeskHandlers) ReplaceReplyTemplate(
	ctx context.Context, r api.ReplaceReplyTemplateRequestObject,
) (api.ReplaceReplyTemplateResponseObject, error) {
	by, in := reqctx.ActorOf(ctx), ticket.NewTemplate{Title: r.Body.Title, Text: r.Body.Text, Topic: value(r.Body.Topic)}
	if r.Params.IfNoneMatch != nil {
		t, err := h.Desk.CreateTemplate(ctx, by, r.TemplateCode, in)
		if err != nil {
			return nil, err
		}
		return api.ReplaceReplyTemplate201JSONResponse{Body: viewTemplate(t), Headers: api.ReplaceReplyTemplate201ResponseHeaders{
			ETag: etag.Version(t.Version), Location: reqctx.BasePath + replyTemplatesPath + "/" + t.Code,
		}}, nil
	}
	expected, err := h.expectedTemplate(ctx, r.TemplateCode, value(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	t, err := h.Desk.ReplaceTemplate(ctx, by, r.TemplateCode, expected, in)
	if err != nil {
		return nil, err
	}
	return api.ReplaceReplyTemplate200JSONResponse{
		Body: viewTemplate(t), Headers: api.ReplaceReplyTemplate200ResponseHeaders{ETag: etag.Version(t.Version)},
	}, nil
}

// RemoveReplyTemplate implements api.StrictServerInterface.
func (h TicketDeskHandlers) RemoveReplyTemplate(
	ctx context.Context, r api.RemoveReplyTemplateRequestObject,
) (api.RemoveReplyTemplateResponseObject, error) {
	ifMatch := "*"
	if r.Params.IfMatch != nil {
		ifMatch = *r.Params.IfMatch
	}
	expected, err := h.expectedTemplate(ctx, r.TemplateCode, ifMatch)
	if err != nil {
		return nil, err
	}
	if err := h.Desk.RemoveTemplate(ctx, reqctx.ActorOf(ctx), r.TemplateCode, expected); err != nil {
		return nil, err
	}
	return api.RemoveReplyTemplate204Response{}, nil
}

func (h TicketDeskHandlers) expectedTemplate(ctx context.Context, code, ifMatch string) (int, error) {
	return etag.Expected(ifMatch, func() (int, error) {
		t, err := h.Desk.Template(ctx, reqctx.ActorOf(ctx), code)
		return t.Version, err
	})
}

// ShowOfficeTicketTopic implements api.StrictServerInterface.
func (h TicketDeskHandlers) ShowOfficeTicketTopic(
	ctx context.Context, r api.ShowOfficeTicketTopicRequestObject,
) (api.ShowOfficeTicketTopicResponseObject, error) {
	t, err := h.Desk.Topic(ctx, r.TopicCode)
	if err != nil {
		return nil, err
	}
	return api.ShowOfficeTicketTopic200JSONResponse{
		Body: viewKeptTopic(t), Headers: api.ShowOfficeTicketTopic200ResponseHeaders{ETag: etag.Version(t.Edition())},
	}, nil
}

// ReplaceTicketTopic implements api.StrictServerInterface.
func (h TicketDeskHandlers) ReplaceTicketTopic(
	ctx context.Context, r api.ReplaceTicketTopicRequestObject,
) (api.ReplaceTicketTopicResponseObject, error) {
	b := r.Body
	by, in := reqctx.ActorOf(ctx), ticket.TopicSetting{
		ParentCode: b.ParentCode, TitleIT: b.TitleIt, TitleEN: b.TitleEn, OfficeCode: b.OfficeCode, Appointments: b.Appointments,
		Retired: b.Retired,
	}
	if r.Params.IfNoneMatch != nil {
		t, err := h.Desk.CreateTopic(ctx, by, r.TopicCode, in)
		if err != nil {
			return nil, err
		}
		return api.ReplaceTicketTopic201JSONResponse{Body: viewKeptTopic(t), Headers: api.ReplaceTicketTopic201ResponseHeaders{
			ETag: etag.Version(t.Edition()), Location: reqctx.BasePath + "/backoffice/ticket-topics/" + t.Code,
		}}, nil
	}
	expected, err := etag.Expected(value(r.Params.IfMatch), func() (int, error) {
		t, err := h.Desk.Topic(ctx, r.TopicCode)
		return t.Edition(), err
	})
	if err != nil {
		return nil, err
	}
	t, err := h.Desk.ReplaceTopic(ctx, by, r.TopicCode, expected, in)
	if err != nil {
		return nil, err
	}
	return api.ReplaceTicketTopic200JSONResponse{
		Body: viewKeptTopic(t), Headers: api.ReplaceTicketTopic200ResponseHeaders{ETag: etag.Version(t.Edition())},
	}, nil
}

// deskTag is the entity tag of a ticket at its office. It can become overdue without a change, and
// an internal comment is none.
func deskTag(d ticket.Details) string {
	shown := string(d.Late)
	if n := len(d.Said); n > 0 {
		shown += " " + d.Said[n-1].ID.String()
	}
	return etag.Shown(d.Version, shown)
}

func viewOfficeTicketItem(d ticket.Details) api.OfficeTicketItem {
	return api.OfficeTicketItem{
		TicketId: d.ID, Kind: api.TicketKind(d.Kind), Contributor: viewTicketContributor(d), PositionId: d.PositionID,
		PositionNumber: d.PositionNumber, OfficeCode: d.OfficeCode, Topic: d.Topic, Subject: d.ShownSubject(),
		State: api.TicketState(d.State), ProtocolNumber: d.ProtocolNumber, OpenedAt: d.OpenedAt, UpdatedAt: d.UpdatedAt,
		DueAt: d.AnswerDue(), LateAt: d.AnsweredBy(), Overdue: api.OfficeTicketOverdue(d.Late), ReopenedAt: d.ReopenedAt,
		RoutedAt: d.RoutedAt, RemindedAt: d.RemindedAt, AssignedTo: viewColleague(d.Assignee), AssignedAt: d.AssignedAt,
		Links: api.SelfLinks{Self: link(idPath(officeTicketsPath, d.ID), "")},
	}
}

func viewOfficeTicket(d ticket.Details) api.OfficeTicket {
	return api.OfficeTicket{
		TicketId: d.ID, Kind: api.TicketKind(d.Kind), Contributor: viewTicketContributor(d), PositionId: d.PositionID,
		PositionNumber: d.PositionNumber, OfficeCode: d.OfficeCode, Topic: d.Topic, Subject: d.ShownSubject(),
		State: api.TicketState(d.State), ProtocolNumber: d.ProtocolNumber, OpenedAt: d.OpenedAt, UpdatedAt: d.UpdatedAt,
		DueAt: d.AnswerDue(), LateAt: d.AnsweredBy(), Overdue: api.OfficeTicketOverdue(d.Late), ReopenedAt: d.ReopenedAt,
		RoutedAt: d.RoutedAt, RemindedAt: d.RemindedAt, AssignedTo: viewColleague(d.Assignee), AssignedAt: d.AssignedAt,
		Text: d.Text, Email: d.Email, Phone: d.Phone,
		OpenedBy: api.TicketOpener{
			PersonId: d.PersonID, TaxCode: d.OpenerTaxCode, GivenName: d.GivenName, FamilyName: d.FamilyName,
			ActingAs: api.ActingAs(d.ActingAs),
		},
		Attachments: items(d.Attachments, viewTicketFile), Comments: items(d.Said, viewSaid), Outcome: (*api.TicketOutcome)(d.Outcome),
		ClosingText: d.ClosingText, ClosedBy: viewColleague(d.Closer), ClosedAt: d.ClosedAt,
		Links: api.SelfLinks{Self: link(idPath(officeTicketsPath, d.ID), "")},
	}
}

func viewTicketContributor(d ticket.Details) api.TicketContributor {
	return api.TicketContributor{ContributorId: d.ContributorID, TaxCode: d.ContributorTaxCode, LegalName: d.LegalName}
}

func viewColleague(c *review.Colleague) *api.OfficeColleague {
	if c == nil {
		return nil
	}
	return &api.OfficeColleague{PersonId: c.ID, GivenName: c.GivenName, FamilyName: c.FamilyName}
}

func viewSaid(s ticket.Said) api.OfficeTicketComment {
	from := api.OfficeTicketCommentByPerson
	if s.ByOffice {
		from = api.OfficeTicketCommentByOffice
	}
	return api.OfficeTicketComment{
		CommentId: s.ID, Visibility: api.TicketVisibility(s.Visibility), By: from, Author: *viewColleague(&s.Author), Text: s.Text,
		At: s.At,
	}
}

func viewTemplate(t ticket.Template) api.ReplyTemplate {
	return api.ReplyTemplate{
		TemplateCode: t.Code, Title: t.Title, Text: t.Text, Topic: t.Topic, UpdatedAt: t.UpdatedAt,
		Links: api.SelfLinks{Self: link(replyTemplatesPath+"/"+t.Code, "")},
	}
}

func viewKeptTopic(t ticket.Topic) api.OfficeTicketTopic {
	return api.OfficeTicketTopic{
		TopicCode: t.Code, ParentCode: t.ParentCode, TitleIt: t.TitleIT, TitleEn: t.TitleEN, OfficeCode: t.OfficeCode,
		Appointments: t.Appointments, Retired: t.Retired,
	}
}
