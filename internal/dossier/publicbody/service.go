package publicbody

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"slices"

	"github.com/google/uuid"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"diresco/internal/dossier/publicbody/dma"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/masterdata/servicecatalog"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// Contributors knows positions.
type Contributors interface {
	// Position returns a position of a contributor with that contributor, or fault.NotFound.
	Position(ctx context.Context, contributorID, positionID uuid.UUID) (contributor.Position, contributor.Contributor, error)
}

// Channels knows by which ways a service is open now.
type Channels interface {
	// Enter returns a channel that is open, or fault.ChannelClosed.
	Enter(ctx context.Context, service, channel string) (servicecatalog.ChannelView, error)
}

// Deps are what the service works with.
type Deps struct {
	Runner       *operation.Runner
	Register     *protocol.Register
	Outbox       *outbox.Outbox
	Contributors Contributors
	Channels     Channels
	// CatchUp does what the funds owe until now, so that what fell due is counted as such.
	CatchUp func(ctx context.Context) error
	// Blobs keeps the files.
	Blobs *blob.Bucket
	Log   *slog.Logger
}

// Service has the use cases of public bodies.
type Service struct {
	run          *operation.Runner
	repo         repository
	lane         *protocol.Lane[filing]
	awaiting     *protocol.Awaiting[Submission]
	contributors Contributors
	channels     Channels
	catchUp      func(ctx context.Context) error
	blobs        *blob.Bucket
	log          *slog.Logger
	// turns are for files that are read: each takes a processor for as long as it is long.
	turns chan struct{}
}

// NewService returns the service.
func NewService(d Deps) *Service {
	repo := repository{d.Runner.DB}
	awaiting := protocol.NewAwaiting(d.Runner, d.Outbox, "dma.lapsed", Kind, awaited{repo})
	return &Service{
		run: d.Runner, repo: repo, awaiting: awaiting,
		lane:         protocol.NewLane(d.Register, Kind, handler{d.Runner, repo, awaiting}),
		contributors: d.Contributors, channels: d.Channels, catchUp: d.CatchUp, blobs: d.Blobs, log: d.Log,
		turns: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
}

// Filter narrows a list of submissions down. Periods are months, YYYY-MM; empty stands for any.
type Filter struct {
	PeriodFrom, PeriodTo string
	State                State
}

// FileCompiled files a list that was compiled by hand. The body is that of the position. It returns
//   - fault.Invalid with what is wrong in the list, or if what it supersedes is unknown;
//   - fault.Conflict if the position is no public body's, or if another list counts for the month;
//   - fault.ChannelClosed if lists are not compiled here now.
func (s *Service) FileCompiled(
	ctx context.Context, by access.Actor, positionID uuid.UUID, supersedes *uuid.UUID, list dma.List,
) (View, error) {
	f := filing{field: fault.Field{Pointer: "/supersedes_id", Code: fault.FieldUnknownSubmission}}
	return s.file(ctx, by, positionID, supersedes, f, func(c contributor.Contributor, made *Submission) (io.ReadSeeker, error) {
		list.BodyTaxCode, list.BodyName = c.TaxCode.Clear(), c.LegalName
		sum, err := list.Check(s.rules(c))
		if err != nil {
			return nil, err
		}
		var file bytes.Buffer
		if err := list.WriteXML(&file); err != nil {
			return nil, err
		}
		// What is longer as a file than the reader takes could never be shown again.
		if _, _, err := dma.ReadXML(bytes.NewReader(file.Bytes()), s.rules(c), nil); err != nil {
			return nil, fault.InvalidFields(fault.Field{Pointer: "/workers", Code: fault.FieldTooLong})
		}
		made.Form, made.Period, made.VariationsOnly, made.Totals = Compiled, list.Period, list.VariationsOnly, sum
		made.Size, made.Digest = int64(file.Len()), protocol.DigestOfCanonical(file.Bytes())
		return bytes.NewReader(file.Bytes()), nil
	})
}

// FileXML files a list that came as a file. It returns the faults of FileCompiled.
func (s *Service) FileXML(
	ctx context.Context, by access.Actor, positionID uuid.UUID, supersedes *uuid.UUID, file *attachment.Upload,
) (View, error) {
	f := filing{field: fault.Field{In: fault.InParameter, Pointer: "supersedes_id", Code: fault.FieldUnknownSubmission}}
	return s.file(ctx, by, positionID, supersedes, f, func(c contributor.Contributor, made *Submission) (io.ReadSeeker, error) {
		select {
		case s.turns <- struct{}{}:
			defer func() { <-s.turns }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		header, sum, err := dma.ReadXML(file.Open(), s.rules(c), nil)
		if err != nil {
			return nil, err
		}
		made.Form, made.Period, made.VariationsOnly, made.Totals = XML, header.Period, header.VariationsOnly, sum
		made.Size, made.Digest = file.Size(), file.Digest()
		return file.Open(), nil
	})
}

func (s *Service) rules(c contributor.Contributor) dma.Rules {
	return dma.Rules{BodyTaxCode: c.TaxCode.Clear(), Now: s.run.Clock.Now()}
}

// file checks whether a list may be filed, keeps it, hands it to the register and waits for its
// number. A repeat is answered before anything of that is done again.
func (s *Service) file(
	ctx context.Context, by access.Actor, positionID uuid.UUID, supersedes *uuid.UUID, f filing,
	read func(c contributor.Contributor, made *Submission) (io.ReadSeeker, error),
) (View, error) {
	claim := idempotency.ClaimOf(ctx)
	if err := s.run.Keys.ReplayOf(ctx, claim); err != nil {
		return operation.Replay(ctx, err, operation.ByID(s.first))
	}
	right, err := rightFor(by)
	if err != nil {
		return View{}, err
	}
	p, c, err := s.contributors.Position(ctx, by.ContributorID, positionID)
	if err != nil {
		return View{}, err
	}
	if c.Kind != contributor.PublicBody {
		return View{}, fault.Because(fault.Conflict, "not-a-public-body")
	}
	if _, err := s.channels.Enter(ctx, string(access.CompileDMA), "api"); err != nil {
		return View{}, err
	}
	made := Submission{
		ID: uuid.Must(uuid.NewV7()), ContributorID: c.ID, PositionID: p.ID, OfficeCode: p.OfficeCode, SupersedesID: supersedes,
		PersonID: by.PersonID, ActingAs: right.ActingAs, RightID: right.ID, ApplicationID: by.ApplicationID(),
	}
	content, err := read(c, &made)
	if err != nil {
		return View{}, err
	}
	// Before the number is given: what has one must have its file.
	if err := s.blobs.Upload(ctx, blobKey(made.ID), content, &blob.WriterOptions{ContentType: MediaType, IfNotExist: true}); err != nil {
		return View{}, errors.Join(fault.Wrap(fault.Unavailable, err), s.forget(ctx, made.ID))
	}
	// Who goes away now leaves a file: what becomes of the list is waited for all the same.
	ctx = context.WithoutCancel(ctx)
	f.submission = made
	entry, err := s.lane.File(ctx, protocol.Filing[filing]{Content: f, Header: protocol.Header{
		Office: made.OfficeCode, SubjectID: made.ID, By: by, Right: right, Claim: claim, Origin: audit.OriginOf(ctx), Digest: made.Digest,
		Trace: operation.Trace{ContributorID: c.ID, Right: right, SubjectKind: Kind, SubjectID: made.ID.String()},
	}})
	if err == nil {
		return View{
			Submission: entry.Content.submission, GivenName: by.GivenName, FamilyName: by.FamilyName, ClientID: by.ClientID(),
		}, nil
	}
	var replay *idempotency.Replay
	var refused *fault.Fault
	if errors.As(err, &replay) || errors.As(err, &refused) {
		// Any other error leaves it open whether it was filed: then the file stays.
		if failed := s.forget(ctx, made.ID); failed != nil {
			s.log.WarnContext(ctx, "the file of a refused list left behind", "dma_id", made.ID, "error", failed)
		}
	}
	return operation.Replay(ctx, err, operation.ByID(s.first))
}

// MediaType is that of the files.
const MediaType = "application/xml"

// blobKey is where a file lies.
func blobKey(id uuid.UUID) string { return "dma/" + id.String() }

// forget deletes a file; one that is not there is deleted already.
func (s *Service) forget(ctx context.Context, id uuid.UUID) error {
	err := s.blobs.Delete(context.WithoutCancel(ctx), blobKey(id))
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return err
}

// first returns what an earlier, equal request filed, as it was then.
func (s *Service) first(ctx context.Context, id uuid.UUID) (View, error) {
	v, err := s.repo.one(ctx, id)
	v.Submission = v.asFiled()
	return v, err
}

// OfPosition lists the submissions of a position, the newest first. The position is that which the
// actor's rights were read for.
func (s *Service) OfPosition(ctx context.Context, positionID uuid.UUID, f Filter, request page.Request) (page.Page[View], error) {
	now := s.run.Clock.Now()
	found, err := s.repo.ofPosition(ctx, positionID, f, now, request)
	for i, v := range found.Items {
		found.Items[i].Submission = v.at(now)
	}
	return found, err
}

// Show returns a submission, and fault.NotFound where the actor may not see it.
func (s *Service) Show(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	v, err := s.repo.one(ctx, id)
	if err == nil && !visible(v.Submission, by) {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return View{}, err
	}
	v.Submission = v.at(s.run.Clock.Now())
	return v, nil
}

// visible is the rule that the guard has applied to the path: it is seen by who views lists, and by
// who compiles them and filed it. It is asked again where the row is read.
func visible(s Submission, by access.Actor) bool {
	return s.ContributorID == by.ContributorID && slices.ContainsFunc(by.Rights, func(r access.Right) bool {
		return r.About(s.PositionID) && (r.Covers(access.ViewDMA) || s.PersonID == by.PersonID && r.Covers(access.CompileDMA))
	})
}

// Content returns the list of a submission that was compiled by hand, read from its file.
func (s *Service) Content(ctx context.Context, v View) (list dma.List, err error) {
	file, err := s.File(ctx, v)
	if err != nil {
		return list, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	list.Header, _, err = dma.ReadXML(file, dma.Rules{Now: s.run.Clock.Now()}, func(w *dma.Worker) {
		list.Workers = append(list.Workers,
			*w)
	})
	var refused *fault.Fault
	if errors.As(err, &refused) {
		// It was right when it was filed: this is no fault of who asks.
		return list, errors.New("a list that was filed cannot be read")
	}
	return list, err
}

// File returns the file of a submission that Show returned, to be closed.
func (s *Service) File(ctx context.Context, v View) (io.ReadSeekCloser, error) {
	return s.blobs.NewReader(ctx, blobKey(v.ID), nil)
}
