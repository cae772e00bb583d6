package webhook

import (
	"context"
	"io"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/application"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/page"
	"diresco/internal/platform/secret"
)

// Deps are what the service works with.
type Deps struct {
	Runner       *operation.Runner
	Applications *application.Service
	// Events are what was made known, for replays.
	Events Events
	// Rights say who may see an event now.
	Rights Rights
	// Keys seal secrets.
	Keys *keyring.DataKeys
	// Random is what secrets and keys are drawn from.
	Random io.Reader
	// Loopback also takes http addresses of the machine itself, as a sandbox does.
	Loopback bool
}

// Service has the use cases of webhooks.
type Service struct {
	run          *operation.Runner
	repo         repository
	applications *application.Service
	events       Events
	keys         *keyring.DataKeys
	random       io.Reader
	loopback     bool
	// replayMost is how many events one replay looks at.
	replayMost int
}

// NewService returns the service.
func NewService(d Deps) *Service {
	return &Service{
		run: d.Runner, repo: repository{d.Runner.DB, d.Rights}, applications: d.Applications, events: d.Events, keys: d.Keys,
		random: d.Random, loopback: d.Loopback, replayMost: replayMost,
	}
}

// Shown is a webhook with its newest secret, which is shown when it was made and never again.
type Shown struct {
	Webhook
	Secret secret.Text
}

// Add adds a webhook to an application that the actor manages. It returns these faults:
//   - fault.NotFound: the application is not the actor's to manage;
//   - fault.DispositiveRequired: the actor's credentials are ordinary;
//   - fault.Invalid: fields are wrong;
//   - fault.Conflict: the application has as many as allowed.
func (s *Service) Add(ctx context.Context, by access.Actor, applicationID uuid.UUID, in Input) (Shown, error) {
	if _, err := s.applications.Show(ctx, by, applicationID); err != nil {
		return Shown{}, err
	}
	if wrong := in.check(s.loopback); len(wrong) > 0 {
		return Shown{}, fault.InvalidFields(wrong...)
	}
	id, now := uuid.Must(uuid.NewV7()), s.run.Clock.Now()
	w := Webhook{
		ID: id, ApplicationID: applicationID, URL: in.URL, EventTypes: orAll(in.EventTypes), State: Enabled, CreatedAt: now, UpdatedAt: now,
		Version: 1,
	}
	var err error
	if w.PrivateKey, w.PublicKey, err = newKey(s.keys, s.random, id); err != nil {
		return Shown{}, err
	}
	stored, shown, err := newSecret(s.keys, s.random, id, now)
	if err != nil {
		return Shown{}, err
	}
	replay := s.shownAgain(by, applicationID)
	made, err := operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (Shown, error) {
		if _, err := s.applications.Manage(ctx, by, applicationID, trace); err != nil {
			return Shown{}, err
		}
		trace.SubjectKind = SubjectKind
		n, err := s.repo.count(ctx, applicationID)
		if err == nil {
			err = fault.OverOpen(n, AtMost, "")
		}
		if err != nil {
			return Shown{}, err
		}
		return Shown{w, shown}, s.repo.create(ctx, w, stored)
	}, replay)
	return made, operation.ReplayIfVisible(ctx, err, replay)
}

// shownAgain shows a webhook to the repeat of a request, without a secret.
func (s *Service) shownAgain(by access.Actor, applicationID uuid.UUID) func(ctx context.Context, id string) (Shown, error) {
	return operation.ByID(func(ctx context.Context, id uuid.UUID) (Shown, error) {
		w, err := s.Show(ctx, by, applicationID, id)
		return Shown{Webhook: w}, err
	})
}

func orAll(types []string) []string {
	if types == nil {
		return []string{}
	}
	return types
}

func (in Input) check(loopback bool) []fault.Field {
	wrong := checkTypes(in.EventTypes, types())
	if code := checkURL(in.URL, loopback); code != "" {
		wrong = append([]fault.Field{{Pointer: "/url", Code: code}}, wrong...)
	}
	return wrong
}

// List lists the webhooks of an application that the actor manages, the newest first.
func (s *Service) List(
	ctx context.Context, by access.Actor, applicationID uuid.UUID, request page.Request,
) (page.Page[Webhook], error) {
	if _, err := s.applications.Show(ctx, by, applicationID); err != nil {
		return page.Page[Webhook]{}, err
	}
	all, err := s.repo.ofApplication(ctx, applicationID)
	if err != nil {
		return page.Page[Webhook]{}, err
	}
	return page.Slice(all, request, func(w Webhook) page.Key { return page.Key{At: w.CreatedAt, ID: w.ID} })
}

// Show returns a webhook of an application that the actor manages, and fault.NotFound for any other.
func (s *Service) Show(ctx context.Context, by access.Actor, applicationID, id uuid.UUID) (Webhook, error) {
	if _, err := s.applications.Show(ctx, by, applicationID); err != nil {
		return Webhook{}, err
	}
	return s.repo.one(ctx, applicationID, id)
}

// manage runs what its owner does to a webhook as one operation.
//
// Lock order: the application, the webhook, what effect locks.
func manage[T any](
	ctx context.Context, s *Service, by access.Actor, applicationID, id uuid.UUID,
	effect func(ctx context.Context, a application.Application, w Webhook, now time.Time) (T, error),
	replay func(ctx context.Context, id string) (T, error),
) (T, error) {
	return manageAs(ctx, s, by, applicationID, id, id.String(), s.repo.lock, effect, replay)
}

// manageAs is manage for what a repeat is shown by another id than the webhook's. What does not
// change the webhook reads it without a lock: what is sent to it is looked at before it is sent.
func manageAs[T any](
	ctx context.Context, s *Service, by access.Actor, applicationID, id uuid.UUID, made string,
	read func(ctx context.Context, applicationID, id uuid.UUID) (Webhook, error),
	effect func(ctx context.Context, a application.Application, w Webhook, now time.Time) (T, error),
	replay func(ctx context.Context, id string) (T, error),
) (T, error) {
	var none T
	if _, err := s.Show(ctx, by, applicationID, id); err != nil {
		return none, err
	}
	return operation.Do(ctx, s.run, by, made, func(ctx context.Context, trace *operation.Trace) (T, error) {
		a, err := s.applications.Manage(ctx, by, applicationID, trace)
		if err != nil {
			return none, err
		}
		trace.SubjectKind, trace.SubjectID = SubjectKind, id.String()
		w, err := read(ctx, applicationID, id)
		if err != nil {
			return none, err
		}
		return effect(ctx, a, w, s.run.Clock.Now())
	}, replay)
}

// save stores a webhook as a new version.
func (s *Service) save(ctx context.Context, w Webhook, now time.Time) (Webhook, error) {
	w.UpdatedAt, w.Version = now, w.Version+1
	return w, s.repo.save(ctx, w)
}

// Change changes a webhook of an application that the actor manages. It returns these faults:
//   - fault.NotFound: there is none, or it is not theirs to manage;
//   - fault.DispositiveRequired: the actor's credentials are ordinary;
//   - fault.PreconditionFailed: it has another version than expected;
//   - fault.Invalid: fields are wrong.
func (s *Service) Change(ctx context.Context, by access.Actor, applicationID, id uuid.UUID, expected int, c Change) (Webhook, error) {
	return manage(ctx, s, by, applicationID, id, func(
		ctx context.Context, _ application.Application, w Webhook, now time.Time,
	) (Webhook, error) {
		if err := fault.RequireVersion(expected, w.Version); err != nil {
			return w, err
		}
		if c.URL != nil {
			w.URL = *c.URL
		}
		if c.EventTypes != nil {
			w.EventTypes = orAll(*c.EventTypes)
		}
		if wrong := (Input{w.URL, w.EventTypes}).check(s.loopback); len(wrong) > 0 {
			return w, fault.InvalidFields(wrong...)
		}
		switch {
		case c.State == nil || *c.State == w.State:
		case *c.State == Enabled:
			w = w.enabled()
		default:
			w = w.disabled(DisabledByOwner, now)
			if err := s.repo.cancel(ctx, w.ID, now); err != nil {
				return w, err
			}
		}
		return s.save(ctx, w, now)
	}, nil)
}

// Remove removes a webhook, and ends what waits to be sent to it. Its faults are those of Change.
func (s *Service) Remove(ctx context.Context, by access.Actor, applicationID, id uuid.UUID) error {
	_, err := manage(ctx, s, by, applicationID, id, func(
		ctx context.Context, _ application.Application, w Webhook, now time.Time,
	) (Webhook, error) {
		if w.State == Enabled {
			w = w.disabled(DisabledByOwner, now)
		}
		w.RemovedAt = &now
		if err := s.repo.cancel(ctx, w.ID, now); err != nil {
			return w, err
		}
		if err := s.repo.forgetSecrets(ctx, w.ID); err != nil {
			return w, err
		}
		return s.save(ctx, w, now)
	}, nil)
	return err
}

// Rotate gives a webhook another secret; those before stay in force for SecretOverlap. It returns
// fault.Conflict where as many as allowed are in force; its other faults are those of Change.
func (s *Service) Rotate(ctx context.Context, by access.Actor, applicationID, id uuid.UUID) (Shown, error) {
	replay := s.shownAgain(by, applicationID)
	made, err := manage(ctx, s, by, applicationID, id, func(
		ctx context.Context, _ application.Application, w Webhook, now time.Time,
	) (Shown, error) {
		live, err := s.repo.secrets(ctx, w.ID, now)
		if err == nil {
			err = fault.OverOpen(len(live), maxSecrets, "")
		}
		if err != nil {
			return Shown{}, err
		}
		stored, shown, err := newSecret(s.keys, s.random, w.ID, now)
		if err != nil {
			return Shown{}, err
		}
		if err := s.repo.follow(ctx, stored, now.Add(SecretOverlap)); err != nil {
			return Shown{}, err
		}
		w, err = s.save(ctx, w, now)
		return Shown{w, shown}, err
	}, replay)
	return made, operation.ReplayIfVisible(ctx, err, replay)
}

// requireSending returns fault.Conflict where nothing is sent to a webhook.
func requireSending(a application.Application, w Webhook) error {
	switch {
	case !a.Live():
		return fault.Because(fault.Conflict, "application-not-approved")
	case w.State != Enabled:
		return fault.Because(fault.Conflict, "webhook-disabled")
	}
	return nil
}
