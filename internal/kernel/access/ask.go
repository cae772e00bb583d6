package access

import (
	"context"

	"diresco/db"
	"diresco/db/direct"
	"diresco/internal/platform/batch"
)

const (
	// The groups are as large as the number of requests that a busy process has under way. Where this is
	// all that a request asks, two are asked at a time, so that one is read while the other is asked.
	// Others have more to do: fewer and larger groups leave more time for that.
	questionsTogether = 128
	shownLanes        = 2
	questionLanes     = 1
)

// subject is what a statement about sessions and rights is about.
type subject struct {
	to To
	// shown says that the target itself is read as well.
	shown bool
}

// Attachment is what the package of a target reads of it in the statement about rights, so that a
// request that shows the target makes one journey. Who may see it is decided afterwards: whoever
// reads Actor.Shown decides as if they had read the target by themselves.
type Attachment struct {
	// Columns are further columns, each behind a comma. The first is NULL if there is no target.
	Columns string
	// Joins join their tables with a.target_id; they add no rows.
	Joins string
	// Read reads the columns, all of them.
	Read func(r *direct.Row) any
	// Before is done before the statement, if it is set.
	Before func(ctx context.Context) error
}

// Attach has operations that show a target of this kind read it in the statement about rights. Call
// it before anything else. It does nothing on SQLite, where a statement is no journey.
func (r *Repository) Attach(to To, a Attachment) {
	if r.asks != nil {
		r.asks[subject{to, true}] = r.newAsk(to, &a)
	}
}

// ask is one statement about sessions and rights, asked for many requests together.
type ask struct {
	loader *batch.Loader[question, findings]
	before func(ctx context.Context) error
}

// askAbout returns how to ask about a target; nil on SQLite.
func (r *Repository) askAbout(to To, shown bool) *ask {
	if a := r.asks[subject{to, shown}]; a != nil {
		return a
	}
	return r.asks[subject{to: to}]
}

func (a *ask) load(ctx context.Context, q question) (findings, bool, error) {
	if a.before != nil {
		if err := a.before(ctx); err != nil {
			return findings{}, false, err
		}
	}
	return a.loader.Load(ctx, q)
}

// newAsk prepares the statement, on PostgreSQL.
func (r *Repository) newAsk(to To, attached *Attachment) *ask {
	a := new(ask)
	var more Attachment
	lanes := questionLanes
	if attached != nil {
		more, a.before, lanes = *attached, attached.Before, shownLanes
	}
	source := "unnest((SELECT $1::uuid[]), (SELECT $2::uuid[])) AS v (session_id, target_id)"
	statement := direct.Numbered(r.question(to, source, more), 3)
	a.loader = batch.NewLoader(questionsTogether, lanes, func(
		ctx context.Context, asked []question,
	) (map[question]findings, error) {
		sessions, targets := make(db.UUIDs, len(asked)), make(db.UUIDs, len(asked))
		for i, q := range asked {
			sessions[i], targets[i] = q.session, q.target
		}
		args := []any{sessions, targets}
		if to.byRight() {
			args = append(args, r.clock.Now())
		}
		rows, err := direct.All(ctx, r.db, func(d *direct.Row) row {
			found := readRow(d, to)
			if more.Read == nil {
				return found
			}
			if d.Null() {
				d.SkipRest()
				return found
			}
			found.Attached = more.Read(d)
			return found
		}, statement, args...)
		if err != nil {
			return nil, err
		}
		return r.answers(to, rows), nil
	})
	return a
}

// readRow reads the columns that question names, in their order.
func readRow(d *direct.Row, to To) row {
	r := row{
		SessionID: d.UUID(), TargetID: d.UUID(), PersonID: d.UUID(), PinChangeRequired: d.Bool(),
		Login:           Login{Method: d.Text(), Level: d.IntOrNil(), Provider: d.TextOrNil()},
		AuthenticatedAt: d.Time(), LastSeenAt: d.Time(), ExpiresAt: d.Time(), EndedAt: d.TimeOrNil(),
	}
	d.Fail(r.TaxCode.Scan(d.Text()))
	r.GivenName, r.FamilyName, r.UserClass, r.CredentialLevel = d.Text(), d.Text(), UserClass(d.Text()), CredentialLevel(d.Text())
	r.OfficeCode, r.SuspendedAt, r.PostGivenBy = d.TextOrNil(), d.TimeOrNil(), d.UUIDOrNil()
	r.ConsentID, r.Consent = d.UUIDOrNil(), d.TextOrNil()
	if !to.byRight() {
		return r
	}
	r.ContributorID, r.PositionID, r.State = d.UUIDOrNil(), d.UUIDOrNil(), d.TextOrNil()
	r.MakerID, r.MakerRightID = d.UUIDOrNil(), d.UUIDOrNil()
	r.InOffice, r.Excluded = d.Int(), d.Int()
	r.Right = rightRow{
		RightID: d.UUIDOrNil(), Role: d.TextOrNil(), Services: d.TextOrNil(), OwnServices: d.TextOrNil(), Positions: d.TextOrNil(),
		DelegationID: d.UUIDOrNil(), DelegateRoleID: d.UUIDOrNil(), SubDelegationID: d.UUIDOrNil(),
	}
	return r
}
