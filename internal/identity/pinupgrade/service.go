package pinupgrade

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/look"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/kernel/review"
	"diresco/internal/kernel/scan"
	"diresco/internal/masterdata/residents"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"
)

// Offices knows the offices and which of them looks after somebody.
type Offices interface {
	// HasOffice reports whether there is an office with the code.
	HasOffice(ctx context.Context, code string) (bool, error)
	// OfficeFor returns the office of the first position of a contributor at which the person has a
	// role, or "".
	OfficeFor(ctx context.Context, personID uuid.UUID) (string, error)
}

// Residents knows where people live.
type Residents interface {
	// Find returns what the register of persons (anagrafe) says of a person, if anything.
	Find(ctx context.Context, code taxcode.Code) (residents.Entry, bool, error)
}

// People makes credentials dispositive.
type People interface {
	// MakeDispositive does so in the context's transaction, which holds the person's row from then
	// on. It reports whether the credentials were ordinary before.
	MakeDispositive(ctx context.Context, id uuid.UUID) (became bool, err error)
}

// Declarations completes what waits for dispositive credentials.
type Declarations interface {
	// CompleteFor does so for one person, in the context's transaction.
	CompleteFor(ctx context.Context, personID uuid.UUID) error
}

// Deps are what the service works with.
type Deps struct {
	Runner       *operation.Runner
	Register     *protocol.Register
	Outbox       *outbox.Outbox
	Files        *attachment.Store
	Offices      Offices
	Residents    Residents
	People       People
	Declarations Declarations
	Looks        *look.Service
	// Scans keeps files closed until they were scanned; it may be nil.
	Scans *scan.Service
	Log   *slog.Logger
}

// Service has the use cases of requests for a dispositive PIN.
type Service struct {
	run          *operation.Runner
	repo         repository
	lane         *protocol.Lane[filing]
	outbox       *outbox.Outbox
	files        *attachment.Store
	offices      Offices
	residents    Residents
	people       People
	declarations Declarations
	looks        *look.Service
	scans        *scan.Service
	log          *slog.Logger
}

// NewService returns the service.
func NewService(d Deps) *Service {
	repo := repository{d.Runner.DB}
	s := &Service{
		run: d.Runner, repo: repo, lane: protocol.NewLane(d.Register, Kind, handler{repo, d.Scans}), outbox: d.Outbox, files: d.Files,
		offices: d.Offices, residents: d.Residents, people: d.People, declarations: d.Declarations, looks: d.Looks, scans: d.Scans,
		log: d.Log,
	}
	if d.Scans != nil {
		d.Scans.OnRefused(subjectKind, s.tellRefused)
	}
	return s
}

// tellRefused promises the holder the news that the office cannot read the files.
func (s *Service) tellRefused(ctx context.Context, id uuid.UUID, now time.Time) error {
	u, err := s.repo.one(ctx, id)
	if err != nil {
		return err
	}
	message, err := outbox.NewMessage(FilesRefused, u.PersonID, map[string]string{"protocol_number": u.ProtocolNumber}, now)
	if err != nil {
		return err
	}
	return s.outbox.Add(ctx, message)
}

// subjectKind is how the audit trail names a request.
const subjectKind = "pin-upgrade"

// Request files a request for a dispositive PIN. It returns fault.Invalid with the wrong fields,
// files and the office among them, and fault.Conflict for who has a dispositive PIN or a request
// that waits.
func (s *Service) Request(ctx context.Context, by access.Actor, in Input) (Upgrade, error) {
	if err := in.check(calendar.DateIn(s.run.Clock.Now())); err != nil {
		return Upgrade{}, err
	}
	files, err := attachment.Check(in.Files, "/files", attachment.Documents()...)
	if err != nil {
		return Upgrade{}, err
	}
	office, err := s.office(ctx, by, in.OfficeCode)
	if err != nil {
		return Upgrade{}, err
	}
	f := filing{upgrade: Upgrade{
		ID: uuid.Must(uuid.NewV7()), PersonID: by.PersonID, OfficeCode: office, DocumentKind: in.DocumentKind,
		DocumentNumber: in.DocumentNumber,
		IssuedBy:       in.IssuedBy, IssuedOn: in.IssuedOn, ExpiresOn: in.ExpiresOn, Attachments: files,
	}}
	digest, err := f.upgrade.digest()
	if err != nil {
		return Upgrade{}, err
	}
	standings, err := s.repo.standings(ctx, by.PersonID)
	if err != nil {
		return Upgrade{}, err
	}
	if f.refusal = standings[by.PersonID].refuse(); f.refusal == nil {
		// Before the number is given: what has one must have its files.
		if err := s.files.Put(ctx, folder(f.upgrade.ID), files, in.Files); err != nil {
			return Upgrade{}, err
		}
	}
	return s.file(ctx, by, f, digest)
}

// office chooses the office to which the request goes. It is the one that is named, else that of a
// contributor for which the person has a role, else that of their residence.
func (s *Service) office(ctx context.Context, by access.Actor, named string) (string, error) {
	if named != "" {
		exists, err := s.offices.HasOffice(ctx, named)
		if err == nil && !exists {
			err = fault.InvalidFields(fault.Field{Pointer: "/office_code", Code: fault.FieldUnknownOffice})
		}
		return named, err
	}
	code, err := s.offices.OfficeFor(ctx, by.PersonID)
	if err != nil || code != "" {
		return code, err
	}
	resident, found, err := s.residents.Find(ctx, by.TaxCode)
	if err != nil {
		return "", err
	}
	if found && resident.OfficeCode != nil {
		return *resident.OfficeCode, nil
	}
	return "", fault.InvalidFields(fault.Field{Pointer: "/office_code", Code: fault.FieldOfficeNeeded})
}

// file hands a request to the register and waits for its number. The files of one that was not
// filed are removed.
func (s *Service) file(ctx context.Context, by access.Actor, f filing, digest string) (Upgrade, error) {
	u := f.upgrade
	entry, err := s.lane.File(ctx, protocol.Filing[filing]{Content: f, Header: protocol.Header{
		Office: u.OfficeCode, SubjectID: u.ID, By: by, Claim: idempotency.ClaimOf(ctx), Origin: audit.OriginOf(ctx), Digest: digest,
		Trace: operation.Trace{SubjectKind: subjectKind, SubjectID: u.ID.String()},
	}})
	if err == nil {
		return entry.Content.upgrade, nil
	}
	var replay *idempotency.Replay
	var refused *fault.Fault
	if f.refusal == nil && (errors.As(err, &replay) || errors.As(err, &refused)) {
		// Any other error leaves it open whether it was filed: then the files stay.
		if err := s.files.Remove(context.WithoutCancel(ctx), folder(u.ID), u.Attachments); err != nil {
			s.log.WarnContext(ctx, "files of a refused request left behind", "upgrade_id", u.ID, "error", err)
		}
	}
	return operation.Replay(ctx, err, operation.ByID(s.first))
}

// first returns what an earlier, equal request filed, as it was then.
func (s *Service) first(ctx context.Context, id uuid.UUID) (Upgrade, error) {
	h, err := s.repo.one(ctx, id)
	return h.asFiled(), err
}

// asFiled is the request as it was when it was filed, whatever was decided since.
func (u Upgrade) asFiled() Upgrade {
	u.State, u.Verdict, u.Version = Submitted, review.Verdict{}, 1
	return u
}

// Show returns a request of the actor's own, and fault.NotFound for any other.
func (s *Service) Show(ctx context.Context, by access.Actor, id uuid.UUID) (Upgrade, error) {
	h, err := s.repo.one(ctx, id)
	if err == nil && h.PersonID != by.PersonID {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return Upgrade{}, err
	}
	return h.Upgrade, nil
}

// Mine lists the actor's own requests, the newest first.
func (s *Service) Mine(ctx context.Context, by access.Actor, request page.Request) (page.Page[Upgrade], error) {
	return s.repo.ofPerson(ctx, by.PersonID, request)
}

// OfOffice lists the requests at the operator's office, the oldest first; an empty state stands for
// all.
func (s *Service) OfOffice(ctx context.Context, by access.Actor, state State, request page.Request) (page.Page[Details], error) {
	return s.repo.ofOffice(ctx, by.OfficeCode, state, request)
}

// ShowAtOffice returns a request at the operator's office, and fault.NotFound for any other.
func (s *Service) ShowAtOffice(ctx context.Context, by access.Actor, id uuid.UUID) (Details, error) {
	h, err := s.repo.one(ctx, id)
	if err == nil {
		err = review.RequireOffice(by, h.OfficeCode)
	}
	if err != nil {
		return Details{}, err
	}
	return h, nil
}

// OpenAtOffice is ShowAtOffice for an operator who looks at the person by that. It also returns the
// faults of look.Service.At.
func (s *Service) OpenAtOffice(ctx context.Context, by access.Actor, id uuid.UUID) (Details, error) {
	h, err := s.ShowAtOffice(ctx, by, id)
	if err == nil {
		err = s.looks.At(ctx, by, h.PersonID)
	}
	if err != nil {
		return Details{}, err
	}
	return h, nil
}

// File returns one of the files of a request at the operator's office, and fault.NotFound for any
// other. It is a look at the person: it also returns the faults of look.Service.At and of
// scan.Service.Require.
func (s *Service) File(ctx context.Context, by access.Actor, id uuid.UUID, number int) (attachment.File, error) {
	h, err := s.OpenAtOffice(ctx, by, id)
	if err != nil {
		return attachment.File{}, err
	}
	if number < 1 || number > len(h.Attachments) {
		return attachment.File{}, fault.New(fault.NotFound)
	}
	return h.Attachments[number-1], s.scans.Require(ctx, id)
}

// Content returns the content of a file that File returned, to be closed.
func (s *Service) Content(ctx context.Context, id uuid.UUID, f attachment.File) (io.ReadCloser, error) {
	return s.files.Open(ctx, folder(id), f.Number)
}

// Decide decides a request at the operator's office. Accepted, the holder's credentials are
// dispositive at once, and what waited for that is completed at its original protocol number, in
// the same transaction. It returns the faults of review.Decide, and fault.Conflict for one that is
// decided already.
func (s *Service) Decide(ctx context.Context, by access.Actor, id uuid.UUID, d review.Decision) (Details, error) {
	show := func(ctx context.Context) (Details, error) { return s.ShowAtOffice(ctx, by, id) }
	return review.Decide(ctx, s.run, by, id, d, show, func(ctx context.Context, trace *operation.Trace, h Details) (Details, error) {
		trace.Right, trace.SubjectKind = by.Office(), subjectKind
		return s.decide(ctx, by, h, d)
	})
}

// decide decides a request with all that follows from it. Lock order: the holder, the request.
func (s *Service) decide(ctx context.Context, by access.Actor, h Details, d review.Decision) (Details, error) {
	var err error
	became := false
	if d.Outcome == review.Accepted {
		if became, err = s.people.MakeDispositive(ctx, h.PersonID); err != nil {
			return Details{}, err
		}
	}
	if h.Upgrade, err = s.repo.lock(ctx, h.ID); err != nil {
		return Details{}, err
	}
	now := s.run.Clock.Now()
	if h.Upgrade, err = h.decide(d, by.PersonID, now); err != nil {
		return Details{}, err
	}
	if err := s.repo.save(ctx, h.Upgrade); err != nil {
		return Details{}, err
	}
	if err := s.notify(ctx, h.Upgrade, became, now); err != nil || !became {
		return h, err
	}
	return h, s.declarations.CompleteFor(ctx, h.PersonID)
}

// notify promises the holder the outcome and, where it makes the difference, the news about the
// PIN.
func (s *Service) notify(ctx context.Context, u Upgrade, became bool, now time.Time) error {
	decided, err := outbox.NewMessage(Decided, u.PersonID, map[string]string{
		"protocol_number": u.ProtocolNumber, "outcome": string(u.State), "reason": *u.Reason,
	}, now)
	if err != nil {
		return err
	}
	if !became {
		return s.outbox.Add(ctx, decided)
	}
	dispositive, err := outbox.NewMessage(BecameDispositive, u.PersonID, map[string]string{"at": now.Format(time.RFC3339Nano)}, now)
	if err != nil {
		return err
	}
	return s.outbox.Add(ctx, decided, dispositive)
}
