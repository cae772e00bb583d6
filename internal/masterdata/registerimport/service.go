package registerimport

import (
	"context"
	"errors"
	"io"

	"github.com/google/uuid"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/installation"
	"diresco/internal/platform/page"
)

// Deps are what the service works with.
type Deps struct {
	Runner *operation.Runner
	// Blobs keeps the files until they are worked off.
	Blobs *blob.Bucket
}

// Service has the use cases of imports.
type Service struct {
	run   *operation.Runner
	repo  repository
	blobs *blob.Bucket
}

// NewService returns the service.
func NewService(d Deps) *Service {
	return &Service{run: d.Runner, repo: repository{d.Runner.DB}, blobs: d.Blobs}
}

// File is a file that a register sent.
type File struct {
	Register Register
	Format   Format
	// Charset is what the sender calls its characters, as csvfile.Charset names it.
	Charset string
	// Digest is "sha-256:" and the hexadecimal SHA-256 of the content.
	Digest string
	// Open returns the content from its start.
	Open func() io.Reader
}

// errOvertaken means that the same file was taken by another request meanwhile, or another file
// after it.
var errOvertaken = errors.New("another file was taken meanwhile")

// Take keeps a file and queues it. A file that is the last one of its register which counts, or
// will be worked off, is not taken again: its import is returned.
func (s *Service) Take(ctx context.Context, by access.Actor, f File) (Import, error) {
	// Before the file is kept for nothing.
	if err := s.run.Keys.ReplayOf(ctx, idempotency.ClaimOf(ctx)); err != nil {
		return operation.Replay(ctx, err, operation.ByID(s.repo.one))
	}
	const tries = 5
	for range tries {
		i, err := s.take(ctx, by, f)
		if !errors.Is(err, errOvertaken) {
			return i, err
		}
	}
	return Import{}, fault.New(fault.Unavailable)
}

func (s *Service) take(ctx context.Context, by access.Actor, f File) (_ Import, err error) {
	there, known, err := s.repo.same(ctx, Import{Register: f.Register, Format: f.Format, Charset: f.Charset, Digest: f.Digest})
	if err != nil {
		return Import{}, err
	}
	if known {
		i, _, err := s.queue(ctx, by, there, true)
		return i, err
	}
	i := Import{
		ID: newID(), Register: f.Register, Format: f.Format, Charset: f.Charset, Digest: f.Digest, State: Queued, Step: stepCheck,
		Errors:     "[]",
		ImportedBy: by.PersonID,
	}
	added := false
	defer func() {
		if !added {
			err = errors.Join(err, forget(context.WithoutCancel(ctx), s.blobs, i.ID))
		}
	}()
	if err := s.blobs.Upload(ctx, blobKey(i.ID), f.Open(), &blob.WriterOptions{ContentType: "application/octet-stream"}); err != nil {
		return Import{}, fault.Wrap(fault.Unavailable, err)
	}
	var taken Import
	taken, added, err = s.queue(ctx, by, i, false)
	return taken, err
}

// queue adds an import, or shows the one that there is, and reports whether it was added.
func (s *Service) queue(ctx context.Context, by access.Actor, i Import, known bool) (Import, bool, error) {
	added := false
	taken, err := operation.Do(ctx, s.run, by, i.ID.String(), func(ctx context.Context, trace *operation.Trace) (Import, error) {
		trace.Right, trace.SubjectKind = by.Office(), "register-import"
		// Files are taken one after the other, so that each sees the one before.
		if _, err := installation.Lock(ctx, s.run.DB); err != nil {
			return i, err
		}
		same, still, err := s.repo.same(ctx, i)
		switch {
		case err != nil:
			return i, err
		case still != known || still && same.ID != i.ID:
			return i, errOvertaken
		case known:
			return same, nil
		}
		i.CreatedAt = s.run.Clock.Now()
		s.run.DB.Announce(ctx, queuedTopic)
		added = true
		return i, s.repo.add(ctx, i)
	}, operation.ByID(s.repo.one))
	return taken, added && err == nil, err
}

// forget deletes the file of an import; one that is not there is deleted already.
func forget(ctx context.Context, blobs *blob.Bucket, id uuid.UUID) error {
	if err := blobs.Delete(ctx, blobKey(id)); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return err
	}
	return nil
}

// Show returns an import, or fault.NotFound.
func (s *Service) Show(ctx context.Context, id uuid.UUID) (Import, error) { return s.repo.one(ctx, id) }

// List returns imports, the newest first.
func (s *Service) List(ctx context.Context, request page.Request) (page.Page[Import], error) {
	return s.repo.page(ctx, request)
}
