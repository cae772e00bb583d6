package ticket

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"gocloud.dev/blob"

	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/look"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/kernel/scan"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/plaintext"
)

// Contributors knows the positions of contributors and their offices.
type Contributors interface {
	// Position returns a position of the contributor with its contributor, or fault.NotFound.
	Position(ctx context.Context, contributorID, positionID uuid.UUID) (contributor.Position, contributor.Contributor, error)
	// Office returns the office with the code, or fault.NotFound.
	Office(ctx context.Context, code string) (contributor.Office, error)
	// OfficesOf lists the offices of a contributor's positions, that of the first active position
	// first.
	OfficesOf(ctx context.Context, contributorID uuid.UUID) ([]contributor.Office, error)
}

// Deps are what the service works with.
type Deps struct {
	Runner       *operation.Runner
	Register     *protocol.Register
	Outbox       *outbox.Outbox
	Rights       *access.Repository
	Contributors Contributors
	Topics       *Topics
	Blobs        *blob.Bucket
	// Looks keeps at whom the operators look who come in where users do.
	Looks *look.Service
	// Scans keeps files closed until they were scanned; it may be nil.
	Scans *scan.Service
	Log   *slog.Logger
}

// Service has the use cases of tickets.
type Service struct {
	run          *operation.Runner
	repo         repository
	lane         *protocol.Lane[filing]
	outbox       *outbox.Outbox
	rights       *access.Repository
	contributors Contributors
	topics       *Topics
	files        archive
	looks        *look.Service
	scans        *scan.Service
	// stride is how a list over all of somebody's contributors goes.
	stride access.Stride
	log    *slog.Logger
}

// NewService returns the service.
func NewService(d Deps) *Service {
	repo := repository{d.Runner.DB}
	s := &Service{
		run: d.Runner, repo: repo, lane: protocol.NewLane(d.Register, SubjectKind, handler{repo, d.Scans}), outbox: d.Outbox,
		rights:       d.Rights,
		contributors: d.Contributors, topics: d.Topics, files: archive{d.Blobs}, looks: d.Looks, scans: d.Scans,
		stride: access.DefaultStride(), log: d.Log,
	}
	if d.Scans != nil {
		d.Scans.OnRefused(SubjectKind, func(ctx context.Context, id uuid.UUID, now time.Time) error {
			return s.tell(ctx, id, attachmentsRefusedKind, now)
		})
	}
	return s
}

// New is what is asked in a ticket.
type New struct {
	// Kind is Request unless it says otherwise.
	Kind          Kind
	ContributorID uuid.UUID
	// PositionID is nil for what is about the whole contributor.
	PositionID *uuid.UUID
	// Reserved is that of the ticket.
	Reserved bool
	Topic    string
	// Section is where it is written; "" for nowhere in particular.
	Section       Section
	Subject, Text string
	// Email and Phone are where its opener is told of it. A request names one at least; the phone
	// is a mobile, since it gets an SMS.
	Email, Phone *string
	Files        []*attachment.Upload
	// Content is what the system is asked to decide, as the register's digest has it; nil for a
	// Request.
	Content any
}

const (
	maxSubject = 200
	maxText    = 5000
)

// fileTypes are the types of files that come with a ticket.
var fileTypes = slices.Concat(
	attachment.Documents(), attachment.Signed(), []attachment.MediaType{attachment.XML, attachment.Text, attachment.ZIP},
)

// check returns what is asked with its addresses in their normal form. It returns fault.Invalid
// naming each field that is wrong.
func (in New) check() (New, error) {
	var wrong []fault.Field
	refuse := func(refused bool, pointer, code string) {
		if refused {
			wrong = append(wrong, fault.Field{Pointer: pointer, Code: code})
		}
	}
	if in.Kind == "" {
		in.Kind = Request
	}
	refuse(!plaintext.IsLine(in.Subject, maxSubject), "/subject", fault.FieldPattern)
	refuse(!plaintext.IsText(in.Text, maxText), "/text", fault.FieldPattern)
	if in.Section != "" {
		_, known := sectionTitles[in.Section]
		refuse(!known, "/section", fault.FieldEnum)
	}
	refuse(in.Kind == Request && in.Email == nil && in.Phone == nil, "/email", fault.FieldEmailOrPhone)
	var ok bool
	in.Email, ok = normal(person.Email, in.Email)
	refuse(!ok, "/email", fault.FieldFormat)
	in.Phone, ok = normal(person.Mobile, in.Phone)
	refuse(!ok, "/phone", fault.FieldFormat)
	refuse(len(in.Files) > MaxFiles, "/attachments", fault.FieldTooMany)
	if len(wrong) > 0 {
		return in, fault.InvalidFields(wrong...)
	}
	return in, nil
}

// normal returns an address in its normal form, and whether there is one or none was given.
func normal(kind person.ContactKind, value *string) (*string, bool) {
	if value == nil {
		return nil, true
	}
	n, ok := person.NewContact{Kind: kind, Value: *value}.Normalise()
	return &n.Value, ok
}

// File opens a ticket: its number of the protocol register, its row and files, and the messages to
// who opens it. also runs in the same transaction after the row was written, and may refuse the
// ticket with a fault; it may be nil. It returns
//   - fault.Invalid with the wrong fields, files, topic and position among them,
//   - the faults of access.Actor.RightAbout,
//   - fault.Conflict for one ticket more than may be open.
func (s *Service) File(
	ctx context.Context, by access.Actor, in New, also func(ctx context.Context, t Ticket) error,
) (Ticket, error) {
	v, err := s.Open(ctx, by, in, also)
	return v.Ticket, err
}

// Open is File, and returns the ticket as it is shown.
func (s *Service) Open(
	ctx context.Context, by access.Actor, in New, also func(ctx context.Context, t Ticket) error,
) (View, error) {
	right, err := by.RightAbout(access.Dossier, in.PositionID)
	if err != nil {
		return View{}, err
	}
	if in, err = in.check(); err != nil {
		return View{}, err
	}
	topic, err := s.topics.of(ctx, in)
	if err != nil {
		return View{}, err
	}
	files, err := attachment.CheckUpTo(MaxFileSize, in.Files, "/attachments", fileTypes...)
	if err != nil {
		return View{}, err
	}
	// They are called what they are called in the archive.
	for i, name := range distinct(files) {
		files[i].Name = name
	}
	office, err := s.office(ctx, in, topic)
	if err != nil {
		return View{}, err
	}
	f := filing{also: also, content: in.Content, view: View{
		Ticket: Ticket{
			ID: uuid.Must(uuid.NewV7()), Kind: in.Kind, ContributorID: in.ContributorID, PositionID: in.PositionID, Reserved: in.Reserved,
			OfficeCode: office.Code,
			Topic:      topic.Code, Subject: in.Subject, Text: in.Text, Email: in.Email, Phone: in.Phone, PersonID: by.PersonID,
			RightID: right.ID, ActingAs: right.ActingAs, ApplicationID: by.ApplicationID(), Attachments: files,
		},
		TopicIT: topic.TitleIT, TopicEN: topic.TitleEN, ParentTopic: *topic.ParentCode, OfficeTitle: office.Title,
		GivenName: by.GivenName, FamilyName: by.FamilyName,
	}}
	if in.Section != "" {
		f.view.Section = &in.Section
	}
	return s.file(ctx, by, right, f, in.Files)
}

// office chooses the office to which a ticket goes: the topic's own, else the position's. About the
// whole contributor it is that of its first active position.
func (s *Service) office(ctx context.Context, in New, topic Topic) (contributor.Office, error) {
	competent := ""
	if in.PositionID != nil {
		position, _, err := s.contributors.Position(ctx, in.ContributorID, *in.PositionID)
		if fault.Is(err, fault.NotFound) {
			err = fault.InvalidFields(fault.Field{Pointer: "/position_id", Code: fault.FieldUnknownPosition})
		}
		if err != nil {
			return contributor.Office{}, err
		}
		competent = position.OfficeCode
	}
	if topic.OfficeCode != nil {
		// An installation need not have the office that a topic names.
		office, err := s.contributors.Office(ctx, *topic.OfficeCode)
		if !fault.Is(err, fault.NotFound) {
			return office, err
		}
	}
	if competent != "" {
		return s.contributors.Office(ctx, competent)
	}
	offices, err := s.contributors.OfficesOf(ctx, in.ContributorID)
	if err != nil {
		return contributor.Office{}, err
	}
	if len(offices) == 0 && in.Kind == SmartTask {
		// Its asker names no position.
		return contributor.Office{}, fault.InvalidFields(fault.Field{Code: fault.FieldOfficeNeeded})
	}
	if len(offices) == 0 {
		return contributor.Office{}, fault.InvalidFields(fault.Field{Pointer: "/position_id", Code: fault.FieldOfficeNeeded})
	}
	return offices[0], nil
}

// file stores the files, hands the ticket to the register and waits for its number. The files of
// one that was not filed are removed.
func (s *Service) file(
	ctx context.Context, by access.Actor, right access.Right, f filing, uploads []*attachment.Upload,
) (View, error) {
	t := &f.view.Ticket
	digest, err := t.digest(f.content)
	if err != nil {
		return View{}, err
	}
	if t.Kind == Request {
		open, err := s.repo.open(ctx, t.PersonID, t.ContributorID)
		if err != nil {
			return View{}, err
		}
		f.refusal = fault.OverOpen(open, mostOpen, "")
	}
	stored := f.refusal == nil && len(uploads) > 0
	switch {
	case stored:
		// Before the number is given: what has one must have its files.
		digest, size, err := s.files.put(ctx, t.ID, t.Attachments, uploads, s.run.Clock.Now())
		if err != nil {
			return View{}, err
		}
		t.ArchiveDigest, t.ArchiveSize = &digest, &size
		// Who goes away now leaves files: what becomes of the ticket is waited for all the same.
		ctx = context.WithoutCancel(ctx)
	case len(uploads) == 0:
		t.Attachments = []attachment.File{}
	}
	entry, err := s.lane.File(ctx, protocol.Filing[filing]{Content: f, Header: protocol.Header{
		Office: t.OfficeCode, SubjectID: t.ID, By: by, Right: right, Claim: idempotency.ClaimOf(ctx), Origin: audit.OriginOf(ctx),
		Digest: digest,
		Trace: operation.Trace{
			ContributorID: t.ContributorID, Right: right, SubjectKind: SubjectKind, SubjectID: t.ID.String(), Detail: `{"state":"open"}`,
		},
	}})
	if err == nil {
		return entry.Content.view, nil
	}
	if stored {
		s.forget(ctx, t.ID, err)
	}
	return operation.Replay(ctx, err, operation.ByID(s.first))
}

// forget removes the files of a ticket that was not filed, as far as that is known.
func (s *Service) forget(ctx context.Context, id uuid.UUID, why error) {
	var replay *idempotency.Replay
	var refused *fault.Fault
	if !errors.As(why, &replay) && !errors.As(why, &refused) {
		// Any other error leaves it open whether it was filed: then the files stay.
		return
	}
	if err := s.files.remove(ctx, id); err != nil {
		s.log.WarnContext(ctx, "files of a refused ticket left behind", "ticket_id", id, "error", err)
	}
}

// first returns what an earlier, equal request opened, as it was then.
func (s *Service) first(ctx context.Context, id uuid.UUID) (View, error) {
	v, err := s.repo.one(ctx, id)
	if err != nil {
		return View{}, err
	}
	v.Ticket = v.asFiled()
	if v.Scan != "" {
		v.Scan = scan.Waiting
	}
	routings, err := s.repo.routings(ctx, id)
	if err != nil || len(routings) == 0 {
		return v, err
	}
	topic, err := s.topics.choose(ctx, routings[0].FromTopic, everChosen)
	if err != nil {
		return View{}, err
	}
	office, err := s.contributors.Office(ctx, routings[0].FromOffice)
	v.OfficeCode, v.OfficeTitle = office.Code, office.Title
	v.Topic, v.TopicIT, v.TopicEN, v.ParentTopic = topic.Code, topic.TitleIT, topic.TitleEN, *topic.ParentCode
	return v, err
}

// Show returns a ticket to whom the guard let in to it. An operator of its office looks at who
// opened it by that, and gets the faults of requirePost and of look.Service.At.
func (s *Service) Show(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	v, err := s.repo.one(ctx, id)
	if err == nil {
		err = s.lookAt(ctx, by, v)
	}
	if err != nil {
		return View{}, err
	}
	return v, nil
}

// lookAt keeps that an operator looks at who opened a ticket. It returns fault.NotFound to anybody
// else who may not see it.
func (s *Service) lookAt(ctx context.Context, by access.Actor, v View) error {
	if !consults(by) {
		return v.RequireSeen(by)
	}
	if err := requirePost(by); err != nil {
		return err
	}
	return s.looks.At(ctx, by, v.PersonID)
}

// consults reports whether the actor came in as an operator of the office where users do. At the
// desk nobody has rights, and it keeps looks itself.
func consults(by access.Actor) bool { return len(by.Rights) > 0 && by.Consults() }

// requirePost returns the faults by which the guard refuses what is done by a post here to an
// operator whose post is unconfirmed, or who has no dispositive credentials.
func requirePost(by access.Actor) error {
	if by.Unconfirmed {
		return fault.Because(fault.Forbidden, "post-unconfirmed")
	}
	if by.CredentialLevel != access.Dispositive {
		return fault.New(fault.DispositiveRequired)
	}
	return nil
}

// HoldInTx locks a ticket until the context's transaction ends. Who changes rights as well holds the
// ticket first, as whoever comments on it does.
func (s *Service) HoldInTx(ctx context.Context, id uuid.UUID) error {
	_, err := s.repo.lock(ctx, id)
	return err
}

// TakeInTx puts a ticket in somebody's charge, or with nil in the system's, in the context's
// transaction. It returns fault.Conflict for one that is closed, or in another's charge. The trace
// is the caller's.
func (s *Service) TakeInTx(ctx context.Context, id uuid.UUID, by *uuid.UUID, now time.Time) (Ticket, error) {
	t, err := s.repo.lock(ctx, id)
	if err != nil {
		return t, err
	}
	version := t.Version
	if t, err = t.takenBy(by, now); err != nil || t.Version == version {
		return t, err
	}
	return t, s.repo.save(ctx, t)
}

// CloseInTx closes a ticket in the context's transaction, whoever has it in charge, and tells who
// opened it. It returns fault.Conflict for one that is closed. The trace is the caller's.
func (s *Service) CloseInTx(ctx context.Context, id uuid.UUID, c Closure, now time.Time) (Ticket, error) {
	t, err := s.repo.lock(ctx, id)
	if err == nil {
		t, err = t.closedWith(c, now)
	}
	if err == nil {
		err = s.repo.save(ctx, t)
	}
	if err != nil {
		return t, err
	}
	return t, s.tell(ctx, id, closedKind, now)
}

// tell promises the messages of a kind about a ticket, as it stands in the context's transaction.
func (s *Service) tell(ctx context.Context, id uuid.UUID, kind outbox.Kind, now time.Time) error {
	v, err := s.repo.one(ctx, id)
	if err != nil {
		return err
	}
	messages, err := v.told(kind, now)
	if err != nil {
		return err
	}
	return s.outbox.Add(ctx, messages...)
}
