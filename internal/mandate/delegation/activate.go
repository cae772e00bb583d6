package delegation

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/otp"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
)

// Send sends the contributor a code: to its certified e-mail, else to a verified contact of the
// signatory. It returns fault.Forbidden for who works for none of the delegation's intermediary, or
// for one that is off its register, fault.ServiceNotDelegated for who does not manage its
// delegations, and fault.DispositiveRequired; fault.RateLimited for the fourth code of one
// delegation, the fifth of the intermediary and the eleventh of all to one contributor in 24 hours;
// and fault.Conflict when there is nowhere to send it, the delegation has gone on or is past its
// end, or its signatory does not represent the contributor any more.
func (s *Service) Send(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	right, err := delegateRight(by)
	if err != nil {
		return View{}, err
	}
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (View, error) {
		old, now, err := s.repo.lock(ctx, id, s.run.Clock)
		if err != nil {
			return View{}, err
		}
		trace.Right, trace.SubjectKind, trace.ContributorID = right, SubjectKind, old.ContributorID
		d, err := old.send(now)
		if err != nil {
			return View{}, err
		}
		if err := s.mayStillSign(ctx, old); err != nil {
			return View{}, err
		}
		if err := s.maySend(ctx, old, now); err != nil {
			return View{}, err
		}
		channel, to, err := s.recipient(ctx, old)
		if err != nil {
			return View{}, err
		}
		code, err := s.makeOTP(ctx, old, by.PersonID, string(channel), to)
		if err != nil {
			return View{}, err
		}
		called, err := s.serviceTitles(ctx, old)
		if err != nil {
			return View{}, err
		}
		message, err := outbox.NewMessage(otpKind, old.SignatoryID, old.data(called), now)
		if err != nil {
			return View{}, err
		}
		message, err = message.To(channel, to).Until(now.Add(OTPLife)).Seal(s.keys, map[string]secret.Text{"otp": code})
		if err != nil {
			return View{}, err
		}
		if err := s.outbox.Add(ctx, message); err != nil {
			return View{}, err
		}
		if err := s.repo.save(ctx, d); err != nil {
			return View{}, err
		}
		return s.shown(ctx, by, id, now)
	}, s.replay(by))
}

// mayStillSign refuses a delegation whose signatory does not represent the contributor any more.
func (s *Service) mayStillSign(ctx context.Context, d View) error {
	signatories, err := s.contributors.Signatories(ctx, d.ContributorID)
	if err == nil && !slices.ContainsFunc(signatories, func(p contributor.Signatory) bool { return p.PersonID == d.SignatoryID }) {
		err = fault.Because(fault.Conflict, "signatory-gone")
	}
	return err
}

func (s *Service) maySend(ctx context.Context, d View, now time.Time) error {
	all, err := s.repo.sent(ctx, d.ContributorID, now.Add(-fault.Day))
	if err != nil {
		return err
	}
	var own, same []time.Time
	for _, code := range all {
		if code.DelegateID == d.DelegateID {
			own = append(own, code.SentAt)
		}
		if code.DelegationID == d.ID {
			same = append(same, code.SentAt)
		}
	}
	sent := make([]time.Time, len(all))
	for i, code := range all {
		sent[i] = code.SentAt
	}
	return cmp.Or(
		fault.OverDaily(same, sendsADay, now), fault.OverDaily(own, delegateSendsADay, now),
		fault.OverDaily(sent, contributorSendsADay, now),
	)
}

// recipient is where the contributor gets its code: never where the intermediary says.
func (s *Service) recipient(ctx context.Context, d View) (outbox.Channel, string, error) {
	pec, err := s.contributors.PEC(ctx, d.ContributorID)
	if err != nil {
		return "", "", err
	}
	if pec != "" {
		return outbox.PEC, pec, nil
	}
	contacts, err := s.people.Contacts(ctx, d.SignatoryID)
	if err != nil {
		return "", "", err
	}
	for _, wanted := range []struct {
		kind    person.ContactKind
		channel outbox.Channel
	}{{person.PEC, outbox.PEC}, {person.Email, outbox.Email}, {person.Mobile, outbox.SMS}} {
		for _, c := range contacts {
			if c.Kind == wanted.kind && c.State() == person.Verified {
				return wanted.channel, c.Value, nil
			}
		}
	}
	return "", "", fault.Because(fault.Conflict, "no-verified-contact")
}

// Activation is what activates a delegation.
type Activation struct {
	OTP secret.Text
	// SignatureDeclared is the intermediary's declaration, under its own responsibility, that the
	// contributor signed the form.
	SignatureDeclared bool
}

// Activate gives the intermediary its rights. It returns fault.Forbidden, fault.ServiceNotDelegated
// and fault.DispositiveRequired as Send does; fault.Invalid at /signature_declared without the
// declaration, which costs no try; fault.OTPInvalid for a wrong code, fault.OTPExhausted after five
// of them, fault.OTPExpired after 7 days; fault.RateLimited after ten wrong ones in a row of this
// intermediary for this contributor; fault.Conflict when the delegation does not wait for a code or
// is past its end, the intermediary has left its register, or the signatory does not represent the
// contributor any more; and fault.ExclusiveExists while another's exclusive delegation covers a
// position, or this one is exclusive and another is active there. For a household employer the
// earlier ones end instead.
func (s *Service) Activate(ctx context.Context, by access.Actor, id uuid.UUID, in Activation) (View, error) {
	right, err := delegateRight(by)
	if err != nil {
		return View{}, err
	}
	if !in.SignatureDeclared {
		return View{}, fault.InvalidFields(fault.Field{Pointer: "/signature_declared", Code: fault.FieldNotDeclared})
	}
	// A repeat needs no attempt.
	if err := s.run.Keys.ReplayOf(ctx, idempotency.ClaimOf(ctx)); err != nil {
		return operation.Replay(ctx, err, s.replay(by))
	}
	d, err := s.repo.one(ctx, id, s.run.Clock.Now())
	if err != nil {
		return View{}, err
	}
	activated, err := s.redeem(ctx, by, right, d, in.OTP)
	if err != nil {
		return operation.Replay(ctx, err, s.replay(by))
	}
	return activated, nil
}

// redeem activates the delegation if the code is right.
//
// The request's key is taken first of all: a concurrent duplicate waits there for this request,
// before it costs a try or is refused for what this one did. A wrong try stays on record, the key
// does not.
//
// Lock order: key, name of the contributor's delegations, delegation, those that it replaces, code.
func (s *Service) redeem(ctx context.Context, by access.Actor, right access.Right, d View, entered secret.Text) (View, error) {
	claim := idempotency.ClaimOf(ctx)
	take := func(ctx context.Context) error {
		return s.run.Keys.Take(ctx, idempotency.Want{Claim: claim, ResourceID: d.ID.String()})
	}
	var now time.Time
	var old, shown View
	var activated Delegation
	err := s.codes.Redeem(ctx, otp.Redemption{
		// Without an address: an intermediary's people share one, and each of them has logged in.
		Purpose: otpPurpose, Name: secret.Text(d.DelegateID.String() + " " + d.ContributorID.String()), SubjectID: d.ID, Code: entered,
		Before: func(ctx context.Context) (err error) {
			if err := take(ctx); err != nil {
				return err
			}
			if old, now, err = s.repo.lock(ctx, d.ID, s.run.Clock); err != nil {
				return err
			}
			if old.ContributorKind == contributor.Household {
				// The earlier ones end by it, after whatever is filed under them at this moment.
				if err := s.repo.holdActive(ctx, old.ContributorID); err != nil {
					return err
				}
				now = s.run.Clock.Now()
			}
			activated, err = old.activate(by.PersonID, now)
			return err
		},
		Bound: func() [][]byte { return bound(old) },
		Wrong: func(ctx context.Context) error {
			// Who may not enter it any more has not tried.
			if err := s.run.Recheck.InTx(ctx, by, right); err != nil {
				return err
			}
			return s.run.Keys.Release(ctx, claim)
		},
	}, func(ctx context.Context) (err error) {
		unclaimed := idempotency.WithClaim(ctx, nil)
		shown, err = operation.Do(unclaimed, s.run, by, d.ID.String(), func(ctx context.Context, trace *operation.Trace) (View, error) {
			trace.Right, trace.SubjectKind, trace.ContributorID = right, SubjectKind, activated.ContributorID
			return s.activate(ctx, by, right, old, activated, now)
		}, nil)
		return err
	})
	switch {
	case errors.Is(err, otp.ErrNoCode):
		return View{}, fault.Because(fault.Conflict, "delegation-state")
	case fault.Is(err, fault.RateLimited), fault.Is(err, fault.Busy):
		// The limiter refused it before it came to the key. The reason may be what a concurrent
		// duplicate did, so it waits for that one, and is answered alike.
		refused := err
		return View{}, s.run.DB.InTx(ctx, func(ctx context.Context) error { return cmp.Or(take(ctx), refused) })
	}
	return shown, err
}

// activate makes a delegation whose code was right an active one. An error undoes the try as well:
// what stands in the way is no wrong code.
func (s *Service) activate(ctx context.Context, by access.Actor, right access.Right, old View, d Delegation, now time.Time) (View, error) {
	if old.StruckOffAt != nil {
		return View{}, fault.Because(fault.Conflict, "delegate-not-listed")
	}
	if err := s.mayStillSign(ctx, old); err != nil {
		return View{}, err
	}
	if err := s.resolveConflicts(ctx, old, by, right, now); err != nil {
		return View{}, err
	}
	if err := s.repo.save(ctx, d); err != nil {
		return View{}, err
	}
	shown, err := s.shown(ctx, by, d.ID, now)
	if err != nil {
		return View{}, err
	}
	return shown, s.notify(ctx, activatedKind, "", now, shown)
}

// resolveConflicts refuses a delegation that does not go together with others of the contributor. A
// household employer has one intermediary, so there the earlier delegations end, each with a record
// of its own.
func (s *Service) resolveConflicts(ctx context.Context, d View, by access.Actor, right access.Right, now time.Time) error {
	others, err := s.repo.activeOf(ctx, d.ContributorID, d.ID, now)
	if err != nil {
		return err
	}
	for _, other := range others {
		if d.ContributorKind == contributor.Household {
			if err := s.end(ctx, other, by, ByReplacement, "", now); err != nil {
				return err
			}
			replaced := operation.Trace{
				ContributorID: other.ContributorID, Right: right, SubjectKind: SubjectKind, SubjectID: other.ID.String(),
				Outcome: "replaced",
			}
			if err := s.run.Trail.Write(ctx, replaced.Record(ctx, by, s.run.Clock)); err != nil {
				return err
			}
			continue
		}
		if other.DelegateID != d.DelegateID && (other.Exclusive || d.Exclusive) && overlaps(d.positionIDs(), other.positionIDs()) {
			return fault.New(fault.ExclusiveExists)
		}
	}
	return nil
}

// end revokes a delegation in the context's transaction and tells both sides, with the words that
// somebody gave for it.
func (s *Service) end(ctx context.Context, d View, by access.Actor, cause EndCause, words string, now time.Time) error {
	ended, err := d.revoke(by.PersonID, cause, words, now)
	if err != nil {
		return err
	}
	if err := s.endOTP(ctx, d.ID); err != nil {
		return err
	}
	if err := s.repo.save(ctx, ended); err != nil {
		return err
	}
	if d.State == Draft {
		return nil
	}
	d.Delegation = ended
	return s.notify(ctx, revokedKind, words, now, d)
}

// Revoke ends a delegation, from either side, at once; a draft is discarded. words say why, and may
// be empty. It returns fault.Conflict when it has ended already.
func (s *Service) Revoke(ctx context.Context, by access.Actor, id uuid.UUID, words string) (View, error) {
	right, cause, err := revoker(by)
	if err != nil {
		return View{}, err
	}
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (View, error) {
		d, now, err := s.repo.lock(ctx, id, s.run.Clock)
		if err != nil {
			return View{}, err
		}
		trace.Right, trace.SubjectKind, trace.ContributorID = right, SubjectKind, d.ContributorID
		if err := s.end(ctx, d, by, cause, words, now); err != nil {
			return View{}, err
		}
		return s.shown(ctx, by, id, now)
	}, s.replay(by))
}

// revoker is the right by which the actor ends a delegation, and from which side. It returns
// fault.Forbidden for who manages the delegations of neither.
func revoker(by access.Actor) (access.Right, EndCause, error) {
	if right, represents := representing(by); represents {
		return right, ByContributor, nil
	}
	at := slices.IndexFunc(by.Memberships, manages)
	if at < 0 {
		return access.Right{}, "", fault.New(fault.Forbidden)
	}
	// Who leaves the register may give back what was delegated all the same.
	membership := by.Memberships[at]
	membership.Listed = false
	return membership.Right(), ByIntermediary, nil
}

// notify promises both sides a message about each of the delegations, with the words that somebody
// gave for what happened.
func (s *Service) notify(ctx context.Context, kind outbox.Kind, words string, now time.Time, about ...View) error {
	delegates, contributors := make([]uuid.UUID, len(about)), make([]uuid.UUID, len(about))
	for i, d := range about {
		delegates[i], contributors[i] = d.DelegateID, d.ContributorID
	}
	people, err := access.AffairsContacts(ctx, s.run.DB, delegates)
	if err != nil {
		return err
	}
	signatories, err := s.contributors.SignatoriesOfEach(ctx, contributors)
	if err != nil {
		return err
	}
	called, err := s.serviceTitles(ctx, about...)
	if err != nil {
		return err
	}
	var messages []outbox.Message
	for _, d := range about {
		data := d.data(called)
		if d.EndCause != nil {
			data["end_cause"] = string(*d.EndCause)
		}
		if words != "" {
			data["reason"] = words
		}
		told := slices.Clone(people[d.DelegateID])
		for _, p := range signatories[d.ContributorID] {
			if !slices.Contains(told, p.PersonID) {
				told = append(told, p.PersonID)
			}
		}
		for _, personID := range told {
			m, err := outbox.NewMessage(kind, personID, data, now)
			if err != nil {
				return err
			}
			messages = append(messages, m)
		}
	}
	return s.outbox.Add(ctx, messages...)
}
