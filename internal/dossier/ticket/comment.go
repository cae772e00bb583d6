package ticket

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/plaintext"
)

// Visibility says who reads a comment.
type Visibility string

// The visibilities.
const (
	// Visible comments are for both sides.
	Visible Visibility = "visible"
	// Internal comments are for the office alone.
	Internal Visibility = "internal"
)

// Comment is what is said about a ticket after it was opened.
type Comment struct {
	ID            uuid.UUID
	TicketID      uuid.UUID
	AuthorID      uuid.UUID
	ApplicationID *uuid.UUID
	// ByOffice says that the office said it.
	ByOffice   bool
	Visibility Visibility
	Text       string
	At         time.Time
}

// TableName tells GORM the table.
func (Comment) TableName() string { return "ticket_comments" }

// CommentView is a comment with who wrote it: for the contributor's side a person, and the
// application that did it for them, if any. The office is one voice.
type CommentView struct {
	Comment
	GivenName, FamilyName string
	ClientID              string
}

// maxComment is how long a comment is at most, in characters.
const maxComment = 2000

// comment is a comment on the ticket with an id. It returns fault.Invalid for a text that is none, and
// fault.Conflict where the ticket is closed.
func (t Ticket) comment(id uuid.UUID, by access.Actor, text string, now time.Time) (Comment, error) {
	if !plaintext.IsText(text, maxComment) {
		return Comment{}, fault.InvalidFields(fault.Field{Pointer: "/text", Code: fault.FieldPattern})
	}
	if err := t.requireLive(); err != nil {
		return Comment{}, err
	}
	return Comment{
		ID: id, TicketID: t.ID, AuthorID: by.PersonID, ApplicationID: by.ApplicationID(), Visibility: Visible,
		Text: text, At: now,
	}, nil
}

// Comment adds a comment of the contributor's side. It returns the faults of Ticket.comment and of
// access.Actor.RightAbout.
func (s *Service) Comment(ctx context.Context, by access.Actor, id uuid.UUID, text string) (CommentView, error) {
	commentID := uuid.Must(uuid.NewV7())
	return operation.Do(ctx, s.run, by, commentID.String(), func(ctx context.Context, trace *operation.Trace) (CommentView, error) {
		t, err := s.lockFor(ctx, by, id, trace)
		if err != nil {
			return CommentView{}, err
		}
		now := s.run.Clock.Now()
		c, err := t.comment(commentID, by, text, now)
		if err != nil {
			return CommentView{}, err
		}
		if err := s.repo.addComment(ctx, c); err != nil {
			return CommentView{}, err
		}
		if err := s.repo.save(ctx, t.changed(now)); err != nil {
			return CommentView{}, err
		}
		return s.repo.comment(ctx, c.ID)
	}, operation.ByID(s.repo.comment))
}

// lockFor reads a ticket for somebody of the contributor's side who changes it, locked, and begins
// the trace.
func (s *Service) lockFor(ctx context.Context, by access.Actor, id uuid.UUID, trace *operation.Trace) (Ticket, error) {
	t, err := s.repo.lock(ctx, id)
	if err == nil {
		err = t.RequireSeen(by)
	}
	if err != nil {
		return t, err
	}
	right, err := by.RightAbout(access.Dossier, t.PositionID)
	trace.Right, trace.ContributorID, trace.SubjectKind, trace.SubjectID = right, t.ContributorID, SubjectKind, t.ID.String()
	return t, err
}

// Comments lists the comments on a ticket, the earliest first. Internal ones are shown to who enters
// as an operator of its office, and it is a look at who did. It returns the faults of Show.
func (s *Service) Comments(ctx context.Context, by access.Actor, id uuid.UUID, request page.Request) (page.Page[CommentView], error) {
	if _, err := s.Show(ctx, by, id); err != nil {
		return page.Page[CommentView]{}, err
	}
	return s.repo.comments(ctx, id, by.Consults(), request)
}

var selectComment = "SELECT " + db.Columns[Comment]("m") + `, p.given_name, p.family_name, COALESCE(a.client_id, '') AS client_id
	FROM ticket_comments m JOIN people p ON p.id = m.author_id LEFT JOIN applications a ON a.id = m.application_id WHERE `

func (r repository) addComment(ctx context.Context, c Comment) error {
	return r.db.From(ctx).Create(&c).Error
}

// comment returns a comment, or fault.NotFound.
func (r repository) comment(ctx context.Context, id uuid.UUID) (CommentView, error) {
	var c CommentView
	err := r.db.From(ctx).Raw(selectComment+"m.id = ?", id).Take(&c).Error
	return c, notFound(err)
}

// comments lists those of a ticket, the earliest first; all has internal ones too.
func (r repository) comments(ctx context.Context, ticketID uuid.UUID, all bool, request page.Request) (page.Page[CommentView], error) {
	after, err := request.After()
	if err != nil {
		return page.Page[CommentView]{}, err
	}
	where, args := "m.ticket_id = ?", []any{ticketID}
	if !all {
		where += " AND m.visibility = 'visible'"
	}
	if after != nil {
		where, args = where+" AND (m.at, m.id) > (?, ?)", append(args, after.At.UTC(), after.ID)
	}
	var rows []CommentView
	err = r.db.From(ctx).Raw(selectComment+where+" ORDER BY m.at, m.id LIMIT ?", append(args, request.Size()+1)...).Scan(&rows).Error
	if err != nil {
		return page.Page[CommentView]{}, err
	}
	return page.Cut(rows, request.Size(), func(c CommentView) page.Key { return page.Key{At: c.At, ID: c.ID} }), nil
}
