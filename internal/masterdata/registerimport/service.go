package registerimport

import (
	"context"
	"errors"
	"io"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/installation"
	"diresco/internal/platform/page"

	"github.com/google/uuid"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// Deps are what the service works with.
type Deps struct {
	Runner *operation.Runner
	// Blobs keeps the files until they are worked off.
	Blobs *blob.Bucket
}

// Service has the use cases of imports.
type Service struct {
	Deps
	repo repository
}

// NewService returns the service.
func NewService(d Deps) *Service { return &Service{d, repository{d.Runner.DB}} }

// File is a file that a register sent.
type File struct {
	Register Register
	Format   Format
	// Digest is "sha-256:" and the hexadecimal SHA-256 of the content.
	Digest string
	// Open returns the content from its start.
	Open func() io.Reader
}

// errOvertaken means that the same file was taken by another request meanwhile, or another file after it.
var errOvertaken = errors.New("another file was taken meanwhile")

// Take keeps a file and queues it. A file that is the last one of its register which counts, or will be worked off, is not
// taken again: its import is returned.
func (s *Service) Take(ctx context.Context, by access.Actor, f File) (Import, error) {
	again := func(ctx context.Context, id string) (Import, error) {
		parsed, err := uuid.Parse(id)
		if err != nil {
			return Import{}, err
		}
		return s.repo.one(ctx, parsed)
	}
	// Before the file is kept for nothing.
	if err := s.Runner.Keys.ReplayOf(ctx, idempotency.ClaimOf(ctx)); err != nil {
		return operation.Replay(ctx, err, again)
	}
	const tries = 5
	for range tries {
		i, err := s.take(ctx, by, f, again)
		if !errors.Is(err, errOvertaken) {
			return i, err
		}
	}
	return Import{}, fault.New(fault.Unavailable)
}

func (s *Service) take(ctx context.Context, by access.Actor, f File, again func(context.Context, string) (Import, error)) (_ Import, err error) {
	there, known, err := s.repo.same(ctx, f.Register, f.Format, f.Digest)
	if err != nil {
		return Import{}, err
	}
	if known {
		i, _, err := s.queue(ctx, by, there, true, again)
		return i, err
	}
	i := Import{ID: newID(), Register: f.Register, Format: f.Format, Digest: f.Digest, State: Queued, Step: stepCheck, Errors: "[]", ImportedBy: by.PersonID}
	added := false
	defer func() {
		if !added {
			err = errors.Join(err, forget(context.WithoutCancel(ctx), s.Blobs, i.ID))
		}
	}()
	if err := s.Blobs.Upload(ctx, blobKey(i.ID), f.Open(), &blob.WriterOptions{ContentType: "application/octet-stream"}); err != nil {
		return Import{}, fault.Wrap(fault.Unavailable, err)
	}
	var taken Import
	taken, added, err = s.queue(ctx, by, i, false, again)
	return taken, err
}

// queue adds an import, or shows the one that there is, and reports whether it was added.
func (s *Service) queue(ctx context.Context, by access.Actor, i Import, known bool, again func(context.Context, string) (Import, error)) (Import, bool, error) {
	added := false
	taken, err := operation.Do(ctx, s.Runner, by, i.ID.String(), func(ctx context.Context) (Import, operation.Trace, error) {
		trace := operation.Trace{Right: by.Office(), SubjectKind: "register-import", SubjectID: i.ID.String()}
		// Files are taken one after the other, so that each sees the one before.
		if _, err := installation.Lock(ctx, s.Runner.DB); err != nil {
			return i, trace, err
		}
		same, still, err := s.repo.same(ctx, i.Register, i.Format, i.Digest)
		switch {
		case err != nil:
			return i, trace, err
		case still != known || still && same.ID != i.ID:
			return i, trace, errOvertaken
		case known:
			return same, trace, nil
		}
		i.CreatedAt = s.Runner.Clock.Now()
		s.Runner.DB.Announce(ctx, queuedTopic)
		added = true
		return i, trace, s.repo.add(ctx, i)
	}, again)
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
