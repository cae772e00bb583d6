package declaration

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/protocol"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
)

// Many are declarations that one person files for one contributor, in one transaction. Nobody is
// told of each: that is left to who files them.
type Many struct {
	// By is who files, as access.Repository.Delayed finds them.
	By            access.Actor
	ContributorID uuid.UUID
	// SessionID is the session in which they were sent, for the traces; it may have ended.
	SessionID uuid.UUID
	Origin    audit.Origin
	Inputs    []Input
	// Whole is for all or nothing: where one is refused the others are, with Other.
	Whole bool
	Other error
	// Begin runs first of all in the transaction. It takes the locks that come before all others, and
	// returns why inputs are refused, by their index.
	Begin func(ctx context.Context) (map[int]error, error)
	// End runs last in the transaction, with what became of each input.
	End func(ctx context.Context, outcomes []Outcome) error
}

// Outcome is what became of one of many inputs.
type Outcome struct {
	// ID is that of the declaration, where it was filed.
	ID uuid.UUID
	// Awaits says that it waits for dispositive credentials.
	Awaits bool
	// Err is the fault for which it was refused; nil where it was filed.
	Err error
}

// FileMany files declarations as Draft does with Submit, and checks each as if it were alone. What
// is wrong with one is its outcome, which End is given; the others are filed all the same, unless
// they are a whole. Right and credentials are checked once for all, in the transaction.
//
// Nothing is filed, and End has no effect, where an error is returned. That is one of Begin or End,
// or says that the register cannot file now.
//
// Lock order: what Begin takes, then the register's.
func (s *Service) FileMany(ctx context.Context, m Many) error {
	outcomes := make([]Outcome, len(m.Inputs))
	var filings []protocol.Filing[submission]
	var places []int
	position := s.positionsOnce()
	for i, in := range m.Inputs {
		in.Submit = true
		sub, right, err := s.prepare(ctx, m.By, m.ContributorID, in, position)
		if err != nil {
			if !refuses(err) {
				return err
			}
			outcomes[i].Err = err
			continue
		}
		sub.untold = true
		f := filingOf(sub, m.By, right, nil, m.Origin)
		f.Trace.SessionID = m.SessionID
		filings, places = append(filings, f), append(places, i)
	}
	if len(filings) == 0 || m.Whole && len(filings) < len(m.Inputs) {
		return s.fileNone(ctx, m, outcomes)
	}
	_, err := s.lane.FileTogether(ctx, protocol.Group[submission]{
		Filings: filings, Whole: m.Whole, Other: m.Other,
		Begin: func(ctx context.Context, entries []*protocol.Entry[submission]) error {
			refused, err := m.Begin(ctx)
			for n, e := range entries {
				if refused[places[n]] != nil {
					e.Refuse(refused[places[n]])
				}
			}
			for i := range outcomes {
				if outcomes[i].Err != nil && refused[i] != nil {
					outcomes[i].Err = refused[i]
				}
			}
			return err
		},
		End: func(ctx context.Context, entries []*protocol.Entry[submission]) error {
			all := append([]Outcome(nil), outcomes...)
			for n, e := range entries {
				if e.Err != nil && !refuses(e.Err) {
					return e.Err
				}
				all[places[n]] = Outcome{Err: e.Err}
				if e.Err == nil {
					d := e.Content.declaration
					all[places[n]] = Outcome{ID: d.ID, Awaits: d.State == AwaitingCredentials}
				}
			}
			return m.End(ctx, all)
		},
	})
	return err
}

// fileNone notes what became of inputs of which none can be filed.
func (s *Service) fileNone(ctx context.Context, m Many, outcomes []Outcome) error {
	return s.run.DB.InTx(ctx, func(ctx context.Context) error {
		refused, err := m.Begin(ctx)
		if err != nil {
			return err
		}
		for i := range outcomes {
			switch {
			case refused[i] != nil:
				outcomes[i].Err = refused[i]
			case outcomes[i].Err == nil:
				outcomes[i].Err = m.Other
			}
		}
		return m.End(ctx, outcomes)
	})
}

// refuses reports whether an error says what is wrong with a declaration. Others say that it cannot
// be filed now.
func refuses(err error) bool {
	var f *fault.Fault
	return errors.As(err, &f) && f.Code != fault.Unavailable && f.Code != fault.Busy && f.Code != fault.Internal
}

// positionsOnce is position for many declarations: each is looked up once.
func (s *Service) positionsOnce() positionFinder {
	type found struct {
		position contributor.Position
		owner    contributor.Contributor
		err      error
	}
	known := map[uuid.UUID]found{}
	return func(ctx context.Context, contributorID, positionID uuid.UUID) (contributor.Position, contributor.Contributor, error) {
		f, seen := known[positionID]
		if !seen {
			f.position, f.owner, f.err = s.position(ctx, contributorID, positionID)
			known[positionID] = f
		}
		return f.position, f.owner, f.err
	}
}
