package smarttask

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/mandate/delegation"
	"diresco/internal/mandate/grant"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
)

// rule is what a type examines and brings about.
type rule struct {
	// contacts says that the content has contacts, one at least.
	contacts bool
	// position chooses the position that a task is about, for an actor with these rights; nil for
	// the whole contributor. The faults are for who asks.
	position func(ctx context.Context, s *Service, by access.Actor, c content) (*uuid.UUID, error)
	// decide examines a task and does what is asked, in the context's transaction. It returns a
	// *refusal before anything is written.
	decide func(ctx context.Context, s *Service, e examination) (effect, error)
}

// examination is what is decided, for whom.
type examination struct {
	by      access.Actor
	right   access.Right
	content content
	now     time.Time
}

// effect is what was done, as the trail is told.
type effect struct {
	// right is that by which it was done.
	right access.Right
	// held says that the right was locked before the effect, which may have ended it.
	held                            bool
	subjectKind, subjectID, outcome string
}

// The outcomes of effects in the trail. They are stored.
const (
	revokedOutcome = "revoked"
	changedOutcome = "contacts-changed"
	deletedOutcome = "deleted"
)

var rules = map[string]rule{
	"revoke-intermediary-delegation": {position: ofDelegation, decide: revokeDelegation},
	"revoke-employee-delegation":     {position: ofNone, decide: withdrawRole},
	"change-intermediary-contacts":   {contacts: true, position: ofDelegation, decide: changeDelegation},
	"change-employee-contacts":       {contacts: true, position: ofNone, decide: changeRole},
	"delete-rectification-contacts":  {position: ofContent, decide: deleteContacts},
}

func ofNone(context.Context, *Service, access.Actor, content) (*uuid.UUID, error) { return nil, nil }

func ofContent(ctx context.Context, s *Service, by access.Actor, c content) (*uuid.UUID, error) {
	_, _, err := s.contributors.Position(ctx, by.ContributorID, c.PositionID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	if err != nil || !slices.ContainsFunc(by.Rights, func(r access.Right) bool { return r.About(c.PositionID) }) {
		return nil, fault.InvalidFields(fault.Field{Pointer: "/content/position_id", Code: fault.FieldUnknownPosition})
	}
	return &c.PositionID, nil
}

// ofDelegation makes a task of the contributor's side one about the contributor. Who acts for some
// positions alone asks about the first of them that the delegation has.
func ofDelegation(ctx context.Context, s *Service, by access.Actor, c content) (*uuid.UUID, error) {
	if slices.ContainsFunc(by.Rights, func(r access.Right) bool { return r.Positions == nil }) {
		return nil, nil
	}
	positions, err := s.delegations.PositionsOf(ctx, by.ContributorID, c.DelegationID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	for _, id := range positions {
		if slices.ContainsFunc(by.Rights, func(r access.Right) bool { return r.About(id) }) {
			return &id, nil
		}
	}
	return nil, fault.InvalidFields(fault.Field{Pointer: "/content/delegation_id", Code: fault.FieldUnknownDelegation})
}

var delegationRefusals = map[fault.Code]refusal{
	fault.NotFound:  {SubjectCheck, []Reason{{Code: DelegationUnknown}}},
	fault.Forbidden: {AuthorityCheck, []Reason{{Code: NotAuthorised}}},
	fault.Conflict:  {StateCheck, []Reason{{Code: DelegationEnded}}},
}

func revokeDelegation(ctx context.Context, s *Service, e examination) (effect, error) {
	right, err := s.delegations.RevokeInTx(ctx, e.by, e.content.DelegationID, e.content.Reason)
	return effect{
		right: right, subjectKind: delegation.SubjectKind, subjectID: e.content.DelegationID.String(), outcome: revokedOutcome,
	}, refused(err, delegationRefusals)
}

func changeDelegation(ctx context.Context, s *Service, e examination) (effect, error) {
	right, err := s.delegations.ChangeContactsInTx(ctx, e.by, e.content.DelegationID, delegation.Contacts{
		Email: e.content.ContactEmail.value, Phone: e.content.ContactPhone.value,
	})
	return effect{
		right: right, subjectKind: delegation.SubjectKind, subjectID: e.content.DelegationID.String(), outcome: changedOutcome,
	}, refused(err, delegationRefusals)
}

var roleRefusals = map[fault.Code]refusal{
	fault.NotFound:             {StateCheck, []Reason{{Code: RoleEnded}}},
	fault.Forbidden:            {AuthorityCheck, []Reason{{Code: NotAuthorised}}},
	fault.IdentityNotConfirmed: {AuthorityCheck, []Reason{{Code: IdentityNotConfirmed}}},
}

// employee returns a refusal unless the role is, or was, an employee's at the contributor.
func employee(ctx context.Context, s *Service, e examination) error {
	known, err := s.grants.Known(ctx, e.by.ContributorID, e.content.GrantID)
	switch {
	case fault.Is(err, fault.NotFound):
		return refuse(SubjectCheck, RoleUnknown)
	case err != nil:
		return err
	case known.Role != access.EmployeeDelegate:
		return refuse(SubjectCheck, RoleOfAnotherKind)
	case known.WithdrawnAt != nil:
		return refuse(StateCheck, RoleEnded)
	}
	return nil
}

func withdrawRole(ctx context.Context, s *Service, e examination) (effect, error) {
	if err := employee(ctx, s, e); err != nil {
		return effect{}, err
	}
	right, err := s.grants.WithdrawInTx(ctx, e.by, e.by.ContributorID, e.content.GrantID, e.content.Reason)
	return effect{
		right: right, held: true, subjectKind: grant.SubjectKind, subjectID: e.content.GrantID.String(), outcome: revokedOutcome,
	}, refused(err, roleRefusals)
}

func changeRole(ctx context.Context, s *Service, e examination) (effect, error) {
	if err := employee(ctx, s, e); err != nil {
		return effect{}, err
	}
	right, err := s.grants.ChangeContactsInTx(ctx, e.by, e.by.ContributorID, e.content.GrantID, grant.Contacts{
		Email: e.content.ContactEmail.value, Phone: e.content.ContactPhone.value,
	})
	return effect{
		right: right, held: true, subjectKind: grant.SubjectKind, subjectID: e.content.GrantID.String(), outcome: changedOutcome,
	}, refused(err, roleRefusals)
}

// rectificationKind is the trail's word for contacts for notices of rectification. The subject is
// their position.
const rectificationKind = "rectification-contacts"

func deleteContacts(ctx context.Context, s *Service, e examination) (effect, error) {
	c := e.content
	if !e.right.About(c.PositionID) {
		return effect{}, refuse(SubjectCheck, PositionUnknown)
	}
	found, err := s.contributors.LockRectificationContacts(ctx, c.PositionID, c.ContactIDs)
	if err != nil {
		return effect{}, err
	}
	if r := refuseContacts(c.ContactIDs, found); r != nil {
		return effect{}, r
	}
	return effect{
		right: e.right, subjectKind: rectificationKind, subjectID: c.PositionID.String(), outcome: deletedOutcome,
	}, s.contributors.DeleteRectificationContacts(ctx, c.ContactIDs, e.now)
}

// refuseContacts returns why contacts of a position may not be deleted, each that may not, or nil.
// Which are not there comes first: of the others nothing is examined then.
func refuseContacts(wanted []uuid.UUID, found []contributor.RectificationContact) error {
	var unknown, usable []Reason
	for _, id := range wanted {
		i := slices.IndexFunc(found, func(c contributor.RectificationContact) bool { return c.ID == id })
		switch {
		case i < 0:
			unknown = append(unknown, Reason{ContactUnknown, &id})
		case found[i].DeletedAt != nil:
			usable = append(usable, Reason{ContactDeleted, &id})
		case !found[i].Unusable():
			usable = append(usable, Reason{ContactUsable, &id})
		}
	}
	switch {
	case len(unknown) > 0:
		return &refusal{SubjectCheck, unknown}
	case len(usable) > 0:
		return &refusal{StateCheck, usable}
	}
	return nil
}
