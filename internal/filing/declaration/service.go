package declaration

import (
	"context"
	"io"
	"slices"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/uuid"
	"gocloud.dev/blob"

	"diresco/internal/filing/fund"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/institution"
	"diresco/internal/platform/page"
)

// Deps are what the service works with.
type Deps struct {
	Runner       *operation.Runner
	Types        *Types
	Contributors *contributor.Service
	Register     *protocol.Register
	// Funds has the money of capped types.
	Funds *fund.Service
	// Rights knows for which positions somebody may declare.
	Rights *access.Repository
	Outbox *outbox.Outbox
	Signer Signer
	// Blobs keeps the printed receipts.
	Blobs *blob.Bucket
	// Random is where salts come from.
	Random io.Reader
	// PublicURL is the portal's address, without a slash at its end; receipts name it as their
	// issuer.
	PublicURL string
	// Institution is in whose name receipts are printed.
	Institution institution.Institution
}

// Service has the use cases of declarations.
type Service struct {
	run          *operation.Runner
	repo         *repository
	lane         *protocol.Lane[submission]
	awaiting     *protocol.Awaiting[waitingRow]
	types        *Types
	funds        *fund.Service
	contributors *contributor.Service
	rights       *access.Repository
	outbox       *outbox.Outbox
	signer       Signer
	blobs        *blob.Bucket
	publicURL    string
	institution  institution.Institution
	exports      slots
}

// NewService returns the service.
func NewService(d Deps) *Service {
	repo := newRepository(d.Runner.DB, d.Types)
	x := decider{repo, d.Types, d.Runner.Trail, d.Outbox, d.Runner.Clock}
	d.Funds.Tell(x.Decided)
	s := &Service{
		run: d.Runner, repo: repo,
		lane:     protocol.NewLane(d.Register, Kind, handler{repo, d.Types, d.Funds, x, d.Signer, d.Random, d.PublicURL}),
		awaiting: protocol.NewAwaiting(d.Runner, d.Outbox, "declaration.lapsed", Kind, awaited{repo, d.Types, d.Funds, x, d.Runner.Clock}),
		types:    d.Types, funds: d.Funds, contributors: d.Contributors, rights: d.Rights, outbox: d.Outbox,
		signer: d.Signer, blobs: d.Blobs, publicURL: d.PublicURL, institution: d.Institution,
	}
	d.Rights.Attach(access.ToDeclaration, s.attachment())
	return s
}

// Draft makes a draft for the contributor or, where asked, files it at once. It returns these
// faults:
//   - fault.NotFound: the actor has nothing to do with the contributor;
//   - fault.Forbidden, fault.ServiceNotDelegated: the actor may not declare for it, or not this type;
//   - fault.Invalid: fields are wrong, and it names them;
//   - fault.Conflict: the type's window is not open, or the actor has as many drafts for the
//     contributor as may be.
func (s *Service) Draft(ctx context.Context, by access.Actor, contributorID uuid.UUID, in Input) (View, error) {
	sub, right, err := s.prepare(ctx, by, contributorID, in, s.position)
	if err != nil {
		return View{}, err
	}
	if in.Submit {
		return s.file(ctx, by, right, sub)
	}
	d := sub.declaration
	return operation.Do(ctx, s.run, by, d.ID.String(), func(ctx context.Context, trace *operation.Trace) (View, error) {
		trace.ContributorID, trace.Right, trace.SubjectKind = contributorID, right, Kind
		if err := s.mayOpen(ctx, d); err != nil {
			return View{}, err
		}
		if err := s.checkSuperseded(ctx, d); err != nil {
			return View{}, err
		}
		return named(d, sub.typ, by), s.repo.create(ctx, d)
	}, operation.ByID(s.repo.filed))
}

// prepare makes a declaration of what was given, with the right by which it is made. position looks
// its position up. It returns the faults of Draft that need no look at other declarations.
func (s *Service) prepare(
	ctx context.Context, by access.Actor, contributorID uuid.UUID, in Input, position positionFinder,
) (sub submission, right access.Right, err error) {
	right, err = by.RightToFile(contributorID, in.PositionID, in.RightID)
	if err != nil {
		return sub, right, err
	}
	t, err := s.types.Get(ctx, in.Type)
	if fault.Is(err, fault.NotFound) {
		return sub, right, fault.InvalidFields(fault.Field{
			Pointer: "/type", Code: fault.FieldUnknownType, Right: &fault.Right{Meant: s.types.nearest(in.Type)},
		})
	}
	if err != nil {
		return sub, right, err
	}
	if err := t.requireSubmitter(right); err != nil {
		return sub, right, err
	}
	if in.Step == "" {
		in.Step = t.Steps[0].Step
	}
	if !t.hasStep(in.Step) {
		return sub, right, fault.InvalidFields(fault.Field{
			Pointer: "/step", Code: fault.FieldUnknownStep, Right: &fault.Right{Allowed: t.stepNames()},
		})
	}
	if err := s.checkReservation(ctx, contributorID, in); err != nil {
		return sub, right, err
	}
	content, err := ParseContent(t, in.Content, in.Submit)
	if err != nil {
		return sub, right, err
	}
	at, owner, err := position(ctx, contributorID, in.PositionID)
	if err != nil {
		return sub, right, err
	}
	now := s.run.Clock.Now()
	d := Declaration{
		ID: uuid.Must(uuid.NewV7()), ContributorID: contributorID, PositionID: at.ID, OfficeCode: at.OfficeCode,
		Type: t.Code, Step: in.Step, State: Draft, PersonID: by.PersonID, ActingAs: right.ActingAs, RightID: right.ID,
		ApplicationID: by.ApplicationID(),
		SupersedesID:  in.SupersedesID, ReservationID: in.ReservationID,
		Version: 1, CreatedAt: now, UpdatedAt: now, ListedAt: now,
	}.with(content)
	sub = submission{declaration: d, typ: t, current: t, owner: owner.TaxCode}
	if in.Submit {
		sub.asked, err = ask(t, d.Step, d.Content)
	}
	return sub, right, err
}

// positionFinder returns a position of a contributor, or says which field is wrong.
type positionFinder func(ctx context.Context, contributorID, positionID uuid.UUID) (contributor.Position, contributor.Contributor, error)

// mayOpen refuses one more draft where the person has as many for the contributor as may be.
// Whoever comes at the same time waits.
func (s *Service) mayOpen(ctx context.Context, d Declaration) error {
	if err := s.run.DB.LockName(ctx, "drafts of "+d.PersonID.String()+" for "+d.ContributorID.String()); err != nil {
		return err
	}
	open, err := s.repo.drafts(ctx, d.ContributorID, d.PersonID)
	if err != nil {
		return err
	}
	return fault.OverOpen(open, mostDrafts, "")
}

// position looks the position up and says which field is wrong when it is not the contributor's.
func (s *Service) position(
	ctx context.Context, contributorID, positionID uuid.UUID,
) (contributor.Position, contributor.Contributor, error) {
	position, owner, err := s.contributors.Position(ctx, contributorID, positionID)
	switch {
	case fault.Is(err, fault.NotFound):
		err = fault.InvalidFields(fault.Field{Pointer: "/position_id", Code: fault.FieldUnknownPosition})
	case err == nil && position.State != contributor.PositionActive:
		err = fault.InvalidFields(fault.Field{Pointer: "/position_id", Code: fault.FieldPositionCeased})
	}
	return position, owner, err
}

// checkSuperseded refuses a draft that would supersede what it cannot.
func (s *Service) checkSuperseded(ctx context.Context, d Declaration) error {
	if d.SupersedesID == nil {
		return nil
	}
	old, err := s.repo.lock(ctx, *d.SupersedesID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	return supersedes(d, old)
}

// supersedes refuses what is not a live submitted declaration of the same contributor, position and
// type.
func supersedes(d, old Declaration) error {
	if old.ContributorID != d.ContributorID || old.PositionID != d.PositionID || old.Type != d.Type || old.Step != d.Step ||
		old.State == Draft {
		return fault.InvalidFields(fault.Field{Pointer: "/supersedes_id", Code: fault.FieldUnknownDeclaration})
	}
	if !old.mayBeSuperseded() {
		return fault.Because(fault.Conflict, "supersedes-not-possible")
	}
	return nil
}

// Show returns one declaration, and fault.NotFound where the actor may not see it.
func (s *Service) Show(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	d, err := s.shown(ctx, by, id)
	if err == nil && !visible(d.Declaration, by) {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return View{}, err
	}
	if !by.Consults() || d.AssignedTo == nil {
		return d, nil
	}
	one := []View{d}
	err = s.repo.nameAssignees(ctx, one)
	return one[0], err
}

// shown is what was read with the actor's rights, else it is read now.
func (s *Service) shown(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	if read, is := by.Shown.(*View); is && read.ID == id {
		return s.repo.typed(ctx, *read)
	}
	if err := s.funds.CatchUp(ctx); err != nil {
		return View{}, err
	}
	return s.repo.filed(ctx, id)
}

// visible is the rule that the guard has applied to the path. It is asked again where the row is
// read.
func visible(d Declaration, by access.Actor) bool {
	if d.ContributorID != by.ContributorID || len(by.Rights) == 0 {
		return false
	}
	if d.State != Draft {
		return by.Consults() && d.OfficeCode == by.OfficeCode || slices.ContainsFunc(by.Rights, func(r access.Right) bool {
			return r.ActingAs != access.OfficeOperator && r.About(d.PositionID)
		})
	}
	if d.PersonID == by.PersonID {
		return true
	}
	for _, id := range by.RightIDs() {
		if id == d.RightID {
			return true
		}
	}
	return false
}

// Change changes a draft that the caller read at the expected version. It returns these faults:
//   - fault.PreconditionFailed: somebody changed the draft since;
//   - fault.Conflict: the draft was submitted already.
func (s *Service) Change(ctx context.Context, by access.Actor, id uuid.UUID, expected int, in Change) (View, error) {
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (View, error) {
		trace.SubjectKind = Kind
		d, right, err := s.lockDraft(ctx, by, id, &expected)
		if err != nil {
			return View{}, err
		}
		if in.PositionID != nil {
			position, _, err := s.position(ctx, d.ContributorID, *in.PositionID)
			if err != nil {
				return View{}, err
			}
			d.PositionID, d.OfficeCode = position.ID, position.OfficeCode
			if right, err = rightFor(by, d); err != nil {
				return View{}, err
			}
		}
		if d, err = s.patch(ctx, d, right, in.Content); err != nil {
			return View{}, err
		}
		d.Version++
		d.UpdatedAt = s.run.Clock.Now()
		if err := s.repo.saveDraft(ctx, d); err != nil {
			return View{}, err
		}
		trace.ContributorID, trace.Right = d.ContributorID, right
		return s.repo.filed(ctx, id)
	}, nil)
}

// patch merges a change into the content and checks the result by the current version of the type.
// Without a change it moves the draft there all the same.
func (s *Service) patch(ctx context.Context, d Declaration, right access.Right, change []byte) (Declaration, error) {
	t, err := s.types.Get(ctx, d.Type)
	if err == nil {
		err = t.requireSubmitter(right)
	}
	if err != nil {
		return d, err
	}
	if !t.hasStep(d.Step) {
		d.Step = t.Steps[0].Step
	}
	if change == nil {
		change = []byte("{}")
	}
	merged, err := jsonpatch.MergePatch([]byte(d.Content), change)
	if err != nil {
		return d, &fault.Fault{Code: fault.Invalid, Fields: []fault.Field{{Pointer: "/content", Code: fault.FieldType}}, Err: err}
	}
	content, err := ParseContent(t, merged, false)
	if err != nil {
		return d, err
	}
	return d.with(content), nil
}

// lockDraft reads a draft that the actor may change, locked, with the right by which.
func (s *Service) lockDraft(ctx context.Context, by access.Actor, id uuid.UUID, expected *int) (Declaration, access.Right, error) {
	d, err := s.repo.lock(ctx, id)
	if err == nil && !visible(d, by) {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return d, access.Right{}, err
	}
	right, err := rightFor(by, d)
	if err != nil {
		return d, right, err
	}
	if err := d.requireDraft(); err != nil {
		return d, right, err
	}
	if expected != nil {
		err = d.requireVersion(*expected)
	}
	return d, right, err
}

// rightFor is the right under which the draft was made. Where its maker holds another one by now,
// it is that one.
func rightFor(by access.Actor, d Declaration) (access.Right, error) {
	for _, r := range by.Rights {
		if r.ID == d.RightID {
			return by.RightToFile(d.ContributorID, d.PositionID, &d.RightID)
		}
	}
	return by.RightToFile(d.ContributorID, d.PositionID, nil)
}

// Discard deletes a draft. It returns fault.Conflict once it was submitted.
func (s *Service) Discard(ctx context.Context, by access.Actor, id uuid.UUID) error {
	_, err := operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (struct{}, error) {
		d, right, err := s.lockDraft(ctx, by, id, nil)
		if err != nil {
			return struct{}{}, err
		}
		trace.ContributorID, trace.Right, trace.SubjectKind = d.ContributorID, right, Kind
		return struct{}{}, s.repo.remove(ctx, id)
	}, nil)
	return err
}

// Submit files a draft: its number, time and signed receipt are in the result. It returns these
// faults:
//   - fault.Invalid: the content is not complete;
//   - fault.Conflict: the draft was submitted before, or its type is not open.
func (s *Service) Submit(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	d, err := s.Show(ctx, by, id)
	if err != nil {
		return View{}, err
	}
	right, err := rightFor(by, d.Declaration)
	if err != nil {
		return View{}, err
	}
	// A draft is filed under the version that checked it. The window is that of the current one.
	t, err := s.types.Version(ctx, d.Type, d.TypeVersion)
	if err != nil {
		return View{}, err
	}
	if err := t.requireSubmitter(right); err != nil {
		return View{}, err
	}
	current, err := s.types.Get(ctx, d.Type)
	if err != nil {
		return View{}, err
	}
	sub := submission{declaration: d.Declaration, typ: t, current: current, draftVersion: d.Version}
	// What is no draft any more goes on to the register, which knows whether this is the same
	// request again.
	if d.State == Draft {
		content, err := completeContent(t, d.Content)
		if err != nil {
			return View{}, err
		}
		_, owner, err := s.position(ctx, d.ContributorID, d.PositionID)
		if err != nil {
			return View{}, err
		}
		sub.declaration, sub.owner = sub.declaration.with(content), owner.TaxCode
		if sub.asked, err = ask(t, d.Step, sub.declaration.Content); err != nil {
			return View{}, err
		}
	}
	return s.file(ctx, by, right, sub)
}

// file hands a submission to the register and waits for its number.
func (s *Service) file(ctx context.Context, by access.Actor, right access.Right, sub submission) (View, error) {
	entry, err := s.lane.File(ctx, filingOf(sub, by, right, idempotency.ClaimOf(ctx), audit.OriginOf(ctx)))
	if err != nil {
		return operation.Replay(ctx, err, operation.ByID(s.repo.asFiled))
	}
	filed := named(entry.Content.declaration, sub.typ, by)
	filed.JWS = entry.Content.jws
	return filed, nil
}

// filingOf is what the register is handed of a submission.
func filingOf(
	sub submission, by access.Actor, right access.Right, claim *idempotency.Claim, origin audit.Origin,
) protocol.Filing[submission] {
	d := &sub.declaration
	d.PersonID, d.ActingAs, d.RightID, d.ApplicationID = by.PersonID, right.ActingAs, right.ID, by.ApplicationID()
	return protocol.Filing[submission]{Content: sub, Header: protocol.Header{
		Office: d.OfficeCode, SubjectID: d.ID, By: by, Right: right, Claim: claim, Origin: origin,
		Trace:  operation.Trace{ContributorID: d.ContributorID, Right: right, SubjectKind: Kind, SubjectID: d.ID.String()},
		Digest: digestOf(d.Type, d.TypeVersion, d.ContributorID, d.PositionID, d.Content),
	}}
}

// OfContributor lists what was submitted for the actor's contributor, by whomever, and the actor's
// drafts; the latest first.
func (s *Service) OfContributor(ctx context.Context, by access.Actor, f Filter, request page.Request) (page.Page[View], error) {
	if err := s.funds.CatchUp(ctx); err != nil {
		return page.Page[View]{}, err
	}
	return s.repo.list(ctx, ofContributor(by), f, request)
}

// Mine lists what was submitted for every contributor that the actor may declare for. The actor's
// drafts are among them; the latest come first.
func (s *Service) Mine(ctx context.Context, by access.Actor, f Filter, request page.Request) (page.Page[View], error) {
	if err := s.funds.CatchUp(ctx); err != nil {
		return page.Page[View]{}, err
	}
	return s.repo.ofRights(ctx, s.rights, by, f, request)
}

func named(d Declaration, t *Type, by access.Actor) View {
	return View{
		Declaration: d, GivenName: by.GivenName, FamilyName: by.FamilyName, ClientID: by.ClientID(), Withdrawal: t.Withdrawal,
	}
}
