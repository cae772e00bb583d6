package application

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/review"
	"diresco/internal/masterdata/intermediary"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// Why what people let an application do ends with it.
const (
	EndedBySuspension = "application-suspended"
	EndedByRemoval    = "application-removed"
)

// Rights knows what somebody may do where.
type Rights interface {
	// Rights returns what the actor may do for each of the contributors.
	Rights(ctx context.Context, by access.Actor, contributorIDs []uuid.UUID) (map[uuid.UUID][]access.Right, error)
	// Memberships returns what the actor is at intermediaries.
	Memberships(ctx context.Context, by access.Actor) ([]access.Membership, error)
}

// Deps are what the service works with.
type Deps struct {
	Runner *operation.Runner
	Rights Rights
	Outbox *outbox.Outbox
	// Instant approves what is registered and changed at once, as a sandbox does.
	Instant bool
	// Ended ends what people let an application do, in the context's transaction: some of it at a
	// time. It reports whether there is more, which is void until it is ended. It may be nil.
	Ended func(ctx context.Context, applicationID uuid.UUID, reason string) (more bool, err error)
}

// Service has the use cases of applications.
type Service struct {
	run     *operation.Runner
	repo    repository
	rights  Rights
	outbox  *outbox.Outbox
	instant bool
	ended   func(ctx context.Context, applicationID uuid.UUID, reason string) (more bool, err error)
}

// NewService returns the service.
func NewService(d Deps) *Service {
	ended := d.Ended
	if ended == nil {
		ended = func(context.Context, uuid.UUID, string) (bool, error) { return false, nil }
	}
	return &Service{
		run: d.Runner, repo: repository{d.Runner.DB}, rights: d.Rights, outbox: d.Outbox, instant: d.Instant, ended: ended,
	}
}

// Client returns the application that names itself so. It returns fault.NotFound for one that is
// not approved, or was removed.
func (s *Service) Client(ctx context.Context, clientID string) (Application, error) {
	a, err := s.repo.client(ctx, clientID)
	if err == nil && !a.Live() {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return Application{}, err
	}
	return a, nil
}

// NotLive returns those of the client ids that no application has which is approved.
func (s *Service) NotLive(ctx context.Context, clientIDs []string) (missing []string, err error) {
	for _, id := range clientIDs {
		_, err := s.Client(ctx, id)
		switch {
		case fault.Is(err, fault.NotFound):
			missing = append(missing, id)
		case err != nil:
			return nil, err
		}
	}
	return missing, nil
}

// IDOf returns the id of the application with a client id, in whatever state, or fault.NotFound.
func (s *Service) IDOf(ctx context.Context, clientID string) (uuid.UUID, error) {
	a, err := s.repo.client(ctx, clientID)
	return a.ID, err
}

// ByID returns an application in whatever state, removed ones too, or fault.NotFound.
func (s *Service) ByID(ctx context.Context, id uuid.UUID) (Application, error) {
	return s.repo.one(ctx, id)
}

// Register registers an application. It returns these faults:
//   - fault.DispositiveRequired: the actor's credentials are ordinary;
//   - fault.Invalid: fields are wrong, or the organisation is not the actor's to manage;
//   - fault.Conflict: the owner has as many as allowed.
func (s *Service) Register(ctx context.Context, by access.Actor, in Input) (Application, error) {
	if err := requireDispositive(by); err != nil {
		return Application{}, err
	}
	in, err := in.normal()
	if err != nil {
		return Application{}, err
	}
	now := s.run.Clock.Now()
	id := uuid.Must(uuid.NewV7())
	a := Application{
		ID: id, ClientID: strings.ReplaceAll(id.String(), "-", ""), Kind: in.Kind, AuthMethod: in.AuthMethod, ContactEmail: in.ContactEmail,
		State: Submitted, PersonID: by.PersonID, ContributorID: in.ContributorID, DelegateID: in.DelegateID, CreatedAt: now, UpdatedAt: now,
		SubmittedAt: now, Version: 1,
	}.with(in.Profile)
	if s.instant {
		a.State = Approved
	}
	replay := s.replay(by)
	registered, err := operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (Application, error) {
		trace.SubjectKind = SubjectKind
		right, err := s.managing(ctx, by, a)
		if fault.Is(err, fault.NotFound) {
			err = a.refuseOrganisation()
		}
		if err != nil {
			return Application{}, err
		}
		a.trace(trace, right)
		if err := s.makeRoom(ctx, a); err != nil {
			return Application{}, err
		}
		return a, s.repo.create(ctx, a)
	}, replay)
	return registered, operation.ReplayIfVisible(ctx, err, replay)
}

// replay shows an application again to who manages it.
func (s *Service) replay(by access.Actor) func(ctx context.Context, id string) (Application, error) {
	return operation.ByID(func(ctx context.Context, id uuid.UUID) (Application, error) { return s.Show(ctx, by, id) })
}

// refuseOrganisation is the fault for an organisation that is not the actor's to manage.
func (a Application) refuseOrganisation() error {
	if a.ContributorID != nil {
		return fault.InvalidFields(fault.Field{Pointer: "/contributor_id", Code: fault.FieldUnknownContributor})
	}
	return fault.InvalidFields(fault.Field{Pointer: "/delegate_id", Code: fault.FieldUnknownDelegate})
}

// trace completes the trace of what the owner does.
func (a Application) trace(trace *operation.Trace, right access.Right) {
	trace.SubjectKind, trace.Right = SubjectKind, right
	if a.ContributorID != nil {
		trace.ContributorID = *a.ContributorID
	}
}

// makeRoom returns fault.Conflict where the owner of an application has as many as allowed. Those
// of one owner are registered one after the other.
func (s *Service) makeRoom(ctx context.Context, a Application) error {
	if err := s.run.DB.LockName(ctx, "applications of "+a.owner().String()); err != nil {
		return err
	}
	n, err := s.repo.count(ctx, a)
	if err != nil {
		return err
	}
	return fault.OverOpen(n, AtMost, "")
}

// owner is the id of the organisation that the application belongs to, or of the person.
func (a Application) owner() uuid.UUID {
	switch {
	case a.ContributorID != nil:
		return *a.ContributorID
	case a.DelegateID != nil:
		return *a.DelegateID
	}
	return a.PersonID
}

// managers are those roles at an organisation whose holders manage its users, and so its
// applications. A professional is an intermediary of their own.
var managers = []access.ActingAs{access.LegalRepresentative, access.UserAdministrator, access.Employer}

// managing returns the right by which the actor manages an application; it is zero for the actor's
// own. It returns fault.NotFound to who does not manage it.
func (s *Service) managing(ctx context.Context, by access.Actor, a Application) (access.Right, error) {
	switch {
	case a.ContributorID != nil:
		rights, err := s.rights.Rights(ctx, by, []uuid.UUID{*a.ContributorID})
		if err != nil {
			return access.Right{}, err
		}
		for _, right := range rights[*a.ContributorID] {
			if slices.Contains(managers, right.ActingAs) {
				return right, nil
			}
		}
	case a.DelegateID != nil:
		memberships, err := s.rights.Memberships(ctx, by)
		if err != nil {
			return access.Right{}, err
		}
		for _, m := range memberships {
			if m.DelegateID == *a.DelegateID && manages(m) {
				return m.Right(), nil
			}
		}
	case a.PersonID == by.PersonID:
		return access.Right{}, nil
	}
	return access.Right{}, fault.New(fault.NotFound)
}

// manages reports whether who has the membership manages the intermediary's users, or is the
// intermediary.
func manages(m access.Membership) bool {
	kind := intermediary.Kind(m.Kind)
	return kind.HasUsers() && slices.Contains(managers, m.ActingAs) || kind == intermediary.Professional
}

// AnsweredAt reports whether an approved application may be answered at an address: one of those
// with the client ids, or any.
func (s *Service) AnsweredAt(ctx context.Context, uri string, clientIDs []string, everybody bool) (bool, error) {
	candidates, err := s.repo.answeredAt(ctx, uri)
	return slices.ContainsFunc(candidates, func(a Application) bool {
		return (everybody || slices.Contains(clientIDs, a.ClientID)) && a.AllowsRedirect(uri)
	}), err
}

// requireDispositive returns fault.DispositiveRequired to who has ordinary credentials.
func requireDispositive(by access.Actor) error {
	if by.CredentialLevel != access.Dispositive {
		return fault.New(fault.DispositiveRequired)
	}
	return nil
}

// Show returns an application that the actor manages, and fault.NotFound for any other.
func (s *Service) Show(ctx context.Context, by access.Actor, id uuid.UUID) (Application, error) {
	a, err := s.repo.one(ctx, id)
	if err == nil && a.RemovedAt != nil {
		err = fault.New(fault.NotFound)
	}
	if err == nil {
		_, err = s.managing(ctx, by, a)
	}
	if err != nil {
		return Application{}, err
	}
	return a, nil
}

// Mine lists the applications that the actor manages, the newest first.
func (s *Service) Mine(ctx context.Context, by access.Actor, request page.Request) (page.Page[Application], error) {
	memberships, err := s.rights.Memberships(ctx, by)
	if err != nil {
		return page.Page[Application]{}, err
	}
	delegates := []uuid.UUID{}
	for _, m := range memberships {
		if manages(m) && !slices.Contains(delegates, m.DelegateID) {
			delegates = append(delegates, m.DelegateID)
		}
	}
	return s.repo.managed(ctx, by.PersonID, delegates, request)
}

// Change changes an application that the actor manages. What was approved stays in force until a
// change of it is approved too, but for keys that take the place of others: whoever entered the PIN a
// moment ago exchanges a key that got out at once, and all who manage the application are told. It
// returns these faults:
//   - fault.NotFound: the application is not the actor's to manage;
//   - fault.DispositiveRequired: the actor's credentials are ordinary;
//   - fault.PreconditionFailed: it has another version than expected;
//   - fault.Invalid: fields are wrong.
func (s *Service) Change(ctx context.Context, by access.Actor, id uuid.UUID, expected int, c Change) (Application, error) {
	return s.manage(ctx, by, id, func(ctx context.Context, a Application, now time.Time) (Application, error) {
		if err := fault.RequireVersion(expected, a.Version); err != nil {
			return a, err
		}
		var wrong, more []fault.Field
		if c.ContactEmail != nil {
			a.ContactEmail, wrong = normalEmail(*c.ContactEmail)
		}
		wrong = append(wrong, tooManyNames(c.CertificateNames)...)
		before := a.profile()
		if a.Pending != nil {
			before = *a.Pending
		}
		after, more := c.on(before).normal(a.Kind, a.AuthMethod)
		if wrong = append(wrong, more...); len(wrong) > 0 {
			return a, fault.InvalidFields(wrong...)
		}
		fresh := now.Sub(by.AuthenticatedAt) <= access.FreshFor
		if keys, wrong := c.on(a.profile()).normal(a.Kind, a.AuthMethod); fresh && !s.instant && len(wrong) == 0 && a.replacesKeys(keys) {
			a = a.with(keys)
			if err := s.tellKeysReplaced(ctx, a, now); err != nil {
				return a, err
			}
		}
		if a.Pending != nil {
			// What is only taken away from what is in force does not wait for the change that waits.
			if less, wrong := c.on(a.profile()).normal(a.Kind, a.AuthMethod); len(wrong) == 0 && less.within(a.profile()) {
				a = a.with(less)
			}
		}
		return a.change(after, s.instant, now), nil
	})
}

// tellKeysReplaced tells those who manage an application that it has other keys now.
func (s *Service) tellKeysReplaced(ctx context.Context, a Application, now time.Time) error {
	told, err := s.repo.managers(ctx, a)
	if err != nil {
		return err
	}
	return s.tell(ctx, KeysReplacedKind, told, map[string]string{
		"display_name": a.DisplayName, "at": now.Format(time.RFC3339Nano),
	}, now)
}

// Remove removes an application that the actor manages, and ends what people let it do. It returns
// fault.NotFound for any other and fault.DispositiveRequired to who has ordinary credentials.
func (s *Service) Remove(ctx context.Context, by access.Actor, id uuid.UUID) error {
	_, err := s.manage(ctx, by, id, func(ctx context.Context, a Application, now time.Time) (Application, error) {
		a.RemovedAt, a.Pending = &now, nil
		_, err := s.ended(ctx, a.ID, EndedByRemoval)
		return a, err
	})
	return err
}

// manage runs what its owner does to an application as one operation.
//
// Lock order: the application's name, the application, what effect locks.
func (s *Service) manage(
	ctx context.Context, by access.Actor, id uuid.UUID, effect func(ctx context.Context, a Application, now time.Time) (Application, error),
) (Application, error) {
	if _, err := s.Show(ctx, by, id); err != nil {
		return Application{}, err
	}
	if err := requireDispositive(by); err != nil {
		return Application{}, err
	}
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (Application, error) {
		a, err := s.hold(ctx, id)
		if err != nil {
			return Application{}, err
		}
		right, err := s.managing(ctx, by, a)
		if err != nil {
			return Application{}, err
		}
		a.trace(trace, right)
		now := s.run.Clock.Now()
		if a, err = effect(ctx, a, now); err != nil {
			return Application{}, err
		}
		return s.save(ctx, a, now)
	}, nil)
}

// hold is lock for what may take something from the application. What it does now is waited for,
// and it is kept from doing more.
func (s *Service) hold(ctx context.Context, id uuid.UUID) (Application, error) {
	if err := s.run.Recheck.HoldApplication(ctx, id); err != nil {
		return Application{}, err
	}
	return s.lock(ctx, id)
}

// lock returns an application that was not removed, and keeps everybody else from changing it.
func (s *Service) lock(ctx context.Context, id uuid.UUID) (Application, error) {
	a, err := s.repo.lock(ctx, id)
	if err == nil && a.RemovedAt != nil {
		err = fault.New(fault.NotFound)
	}
	return a, err
}

// save stores an application as a new version.
func (s *Service) save(ctx context.Context, a Application, now time.Time) (Application, error) {
	a.UpdatedAt, a.Version = now, a.Version+1
	return a, s.repo.save(ctx, a)
}

// Filter narrows a list for administrators down.
type Filter struct {
	// State is "" for all.
	State State
	// Waiting leaves what waits for a decision.
	Waiting bool
}

// AtOffice lists the applications for administrators, the longest submitted first.
func (s *Service) AtOffice(ctx context.Context, f Filter, request page.Request) (page.Page[Details], error) {
	return s.repo.atOffice(ctx, f, request)
}

// ShowAtOffice returns an application to administrators, or fault.NotFound.
func (s *Service) ShowAtOffice(ctx context.Context, id uuid.UUID) (Details, error) {
	d, err := s.repo.details(ctx, id)
	if err == nil && d.RemovedAt != nil {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return Details{}, err
	}
	return d, nil
}

// Decide decides about an application, or its pending change, and tells who manages it. It returns
// these faults:
//   - fault.NotFound: there is no such application;
//   - fault.Invalid: fields of the decision are wrong;
//   - fault.PreconditionFailed: it has another version than expected;
//   - fault.Forbidden: the application is the actor's own, or of an organisation that they manage;
//   - fault.Conflict: nothing waits for a decision.
func (s *Service) Decide(ctx context.Context, by access.Actor, id uuid.UUID, expected int, d Decision) (Details, error) {
	if err := d.check(); err != nil {
		return Details{}, err
	}
	return s.judge(ctx, by, id, func(ctx context.Context, a Application, told []uuid.UUID, now time.Time) (Application, error) {
		if err := fault.RequireVersion(expected, a.Version); err != nil {
			return a, err
		}
		if err := review.RequireSecond(by, append(told, a.PersonID)...); err != nil {
			return a, err
		}
		subject := "application"
		if a.State != Submitted {
			subject = "change"
		}
		decided, err := a.decide(d, by.PersonID, now)
		if err != nil {
			return a, err
		}
		return decided, s.tell(ctx, DecidedKind, told, map[string]string{
			"display_name": a.DisplayName, "subject": subject, "outcome": string(d.Outcome), "reason": d.Reason,
		}, now)
	})
}

// Suspend suspends an application, ends what people let it do, and tells who manages it. It returns
// fault.NotFound where there is none, fault.Invalid for a wrong reason, and fault.Conflict for one
// that is not approved.
func (s *Service) Suspend(ctx context.Context, by access.Actor, id uuid.UUID, reason string) (Details, error) {
	if wrong := checkReason(reason); len(wrong) > 0 {
		return Details{}, fault.InvalidFields(wrong...)
	}
	return s.judge(ctx, by, id, func(ctx context.Context, a Application, told []uuid.UUID, now time.Time) (Application, error) {
		suspended, err := a.suspend(reason, by.PersonID, now)
		if err == nil {
			_, err = s.ended(ctx, a.ID, EndedBySuspension)
		}
		if err != nil {
			return a, err
		}
		return suspended, s.tell(ctx, SuspendedKind, told, map[string]string{
			"display_name": a.DisplayName, "reason": reason, "at": now.Format(time.RFC3339Nano),
		}, now)
	})
}

// Readmit readmits a suspended application, and tells who manages it. What people let it do before
// stays ended. It returns fault.NotFound where there is none, fault.Forbidden as Decide, and
// fault.Conflict for one that is not suspended.
func (s *Service) Readmit(ctx context.Context, by access.Actor, id uuid.UUID) error {
	if err := s.endRest(ctx, id); err != nil {
		return err
	}
	_, err := s.judge(ctx, by, id, func(ctx context.Context, a Application, told []uuid.UUID, now time.Time) (Application, error) {
		if err := review.RequireSecond(by, append(told, a.PersonID)...); err != nil {
			return a, err
		}
		readmitted, err := a.readmit(by.PersonID, now)
		if err != nil {
			return a, err
		}
		return readmitted, s.tell(ctx, ReadmittedKind, told, map[string]string{
			"display_name": a.DisplayName, "at": now.Format(time.RFC3339Nano),
		}, now)
	})
	return err
}

// endRest ends what is left of what people let a suspended application do, so that nothing of it
// comes back to life.
//
// Lock order: the application's name, the application, what is ended.
func (s *Service) endRest(ctx context.Context, id uuid.UUID) error {
	for more := true; more; {
		if err := s.run.DB.InTx(ctx, func(ctx context.Context) error {
			a, err := s.hold(ctx, id)
			if more = err == nil && a.State == Suspended; !more {
				return err
			}
			more, err = s.ended(ctx, id, EndedBySuspension)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// judge runs what an administrator does to an application as one operation. effect is given who
// manages the application.
//
// Lock order: the application's name, the application, what effect locks.
func (s *Service) judge(
	ctx context.Context, by access.Actor, id uuid.UUID,
	effect func(ctx context.Context, a Application, told []uuid.UUID, now time.Time) (Application, error),
) (Details, error) {
	if _, err := s.ShowAtOffice(ctx, id); err != nil {
		return Details{}, err
	}
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (Details, error) {
		trace.SubjectKind, trace.Right = SubjectKind, by.Office()
		a, err := s.hold(ctx, id)
		if err != nil {
			return Details{}, err
		}
		told, err := s.repo.managers(ctx, a)
		if err != nil {
			return Details{}, err
		}
		now := s.run.Clock.Now()
		if a, err = effect(ctx, a, told, now); err != nil {
			return Details{}, err
		}
		if _, err := s.save(ctx, a, now); err != nil {
			return Details{}, err
		}
		return s.ShowAtOffice(ctx, id)
	}, operation.ByID(s.ShowAtOffice))
}

// tell promises a message to each of those who manage an application.
func (s *Service) tell(ctx context.Context, kind outbox.Kind, people []uuid.UUID, data map[string]string, now time.Time) error {
	messages, err := outbox.NewMessages(kind, people, data, now)
	if err != nil {
		return err
	}
	return s.outbox.Add(ctx, messages...)
}
