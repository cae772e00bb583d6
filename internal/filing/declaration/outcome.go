package declaration

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/filing/fund"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/clock"
)

// because returns the declaration with reasons for what was decided.
func (d Declaration) because(codes ...ReasonCode) Declaration {
	d.Reasons = nil
	if len(codes) == 0 {
		return d
	}
	reasons := make([]Reason, len(codes))
	for i, code := range codes {
		reasons[i] = Reason{Code: code}
	}
	text, err := json.Marshal(reasons)
	if err != nil {
		// It is texts alone: they always encode.
		panic(err)
	}
	written := string(text)
	d.Reasons = &written
	return d
}

// refused returns the declaration as it is where requirements are not met.
func (d Declaration) refused(at time.Time, codes ...ReasonCode) Declaration {
	d = d.because(codes...)
	d.State, d.DecidedAt, d.EndsAt = NotAccepted, &at, nil
	return d
}

// as returns the declaration with what became of its claim.
func (d Declaration) as(o fund.Decision) Declaration {
	at := o.At
	switch o.Outcome {
	case fund.Served:
		amount := o.Amount
		d = d.because()
		d.State, d.Amount, d.DecidedAt, d.HireBy, d.ConfirmBy, d.EndsAt = Accepted, &amount, &at, o.HireBy, o.EndsAt, o.EndsAt
	case fund.Held:
		d = d.because(ReasonFundExhausted)
		d.State, d.DecidedAt, d.EndsAt = ProvisionallyNotAccepted, &at, o.EndsAt
	case fund.WaitedInVain, fund.Missed:
		d.State, d.EndsAt = Lapsed, nil
	}
	return d
}

// after is as for a declaration that is stored already.
func (d Declaration) after(o fund.Decision) Declaration {
	d = d.as(o)
	d.Version, d.UpdatedAt = d.Version+1, o.At
	return d
}

// atFiling returns the declaration without what became of it since it was filed in the state that it
// has. What is accepted keeps amount and terms for ever, and what is not accepted its reasons.
func (d Declaration) atFiling() Declaration {
	d.SupersededByID, d.AssignedTo, d.AssignedAt, d.DecidedBy, d.EndsAt = nil, nil, nil, nil, nil
	switch d.State {
	case Accepted:
		if d.Step == catalogue.Reservation {
			d.EndsAt = d.ConfirmBy
		}
		return d.because()
	case NotAccepted:
	case ProvisionallyNotAccepted:
		ends := fund.WaitsUntil(*d.SubmittedAt)
		d = d.because(ReasonFundExhausted)
		d.DecidedAt, d.EndsAt = d.SubmittedAt, &ends
		d.Amount, d.HireBy, d.ConfirmBy = nil, nil, nil
	default:
		d.Amount, d.Reasons, d.DecidedAt, d.HireBy, d.ConfirmBy = nil, nil, nil, nil, nil
	}
	return d
}

// decider writes what became of declarations by itself, with trace and message.
type decider struct {
	repo   *repository
	types  *Types
	trail  *audit.Trail
	outbox *outbox.Outbox
	clock  clock.Clock
}

// operations are the trail's words for what becomes of a declaration by itself.
var operations = map[State]string{
	Accepted: "acceptDeclaration", ProvisionallyNotAccepted: "holdDeclaration", Lapsed: "lapseDeclaration", Confirmed: "confirmReservation",
	Superseded: "supersedeDeclaration",
}

// Decided writes decisions of funds, in the context's transaction and with the funds locked.
func (x decider) Decided(ctx context.Context, decisions []fund.Decision) error {
	if len(decisions) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, 0, len(decisions))
	for _, o := range decisions {
		ids = append(ids, o.SubjectID)
	}
	all, err := x.repo.lockAll(ctx, ids)
	if err != nil {
		return err
	}
	changed := make([]Declaration, 0, len(all))
	records := make([]audit.Record, 0, len(decisions))
	var messages []outbox.Message
	for _, o := range decisions {
		d := all[o.SubjectID].after(o)
		all[o.SubjectID] = d
		records = append(records, recordOf(d, o.At))
		message, err := x.message(ctx, d, o.At)
		if err != nil {
			return err
		}
		messages = append(messages, message...)
	}
	for _, d := range all {
		changed = append(changed, d)
	}
	if err := x.repo.saveOutcomes(ctx, changed); err != nil {
		return err
	}
	if err := x.trail.Write(ctx, records...); err != nil {
		return err
	}
	return x.outbox.Add(ctx, messages...)
}

// recordOf is the trace of what became of a declaration by itself. No request did this, so it names
// none.
func recordOf(d Declaration, at time.Time) audit.Record {
	if d.State == Superseded {
		// What was decided before is told where it was.
		d.Amount, d.Reasons = nil, nil
	}
	kind, subject, detail := Kind, d.ID.String(), d.changed()
	return audit.Record{
		ID: uuid.Must(uuid.NewV7()), At: at, Operation: operations[d.State], ContributorID: &d.ContributorID, SubjectKind: &kind,
		SubjectID: &subject, Outcome: "done", Detail: &detail,
	}
}

func (x decider) message(ctx context.Context, d Declaration, at time.Time) ([]outbox.Message, error) {
	t, err := x.types.Version(ctx, d.Type, d.TypeVersion)
	if err != nil {
		return nil, err
	}
	if now := x.clock.Now(); now.After(at) {
		at = now
	}
	message, told, err := outcomeOf(d, t.Title.IT, at)
	if err != nil || !told {
		return nil, err
	}
	return []outbox.Message{message}, nil
}

// outcomeOf tells who filed a declaration what became of it by itself. It reports false where there
// is nothing to tell.
func outcomeOf(d Declaration, title string, at time.Time) (outbox.Message, bool, error) {
	kind := map[State]outbox.Kind{
		Accepted: acceptedKind, ProvisionallyNotAccepted: provisionalKind, NotAccepted: notAcceptedKind, Lapsed: fundLapsedKind,
	}[d.State]
	if d.State == Accepted && d.Step == catalogue.Confirmation {
		kind = confirmedKind
	}
	if kind.Name == "" {
		return outbox.Message{}, false, nil
	}
	facts := map[string]string{
		"protocol_number": *d.ProtocolNumber, "type": d.Type, "title": title, "submitted_at": d.SubmittedAt.Format(time.RFC3339Nano),
	}
	if d.Amount != nil {
		facts["amount"] = d.Amount.String()
	}
	for _, r := range d.Because() {
		facts[string(r.Code)] = "yes"
	}
	for name, term := range map[string]*time.Time{"hire_by": d.HireBy, "confirm_by": d.ConfirmBy, "ends_at": d.EndsAt} {
		if term != nil {
			facts[name] = term.Format(time.RFC3339Nano)
		}
	}
	message, err := outbox.NewMessage(kind, d.PersonID, facts, at)
	return message, true, err
}

// outcomeRow is what may change in a declaration that was filed.
type outcomeRow struct {
	ID             uuid.UUID  `json:"id"`
	State          State      `json:"state"`
	SupersededByID *uuid.UUID `json:"superseded_by_id"`
	Amount         *int64     `json:"amount"`
	Reasons        *string    `json:"reasons"`
	DecidedAt      *time.Time `json:"decided_at"`
	HireBy         *time.Time `json:"hire_by"`
	ConfirmBy      *time.Time `json:"confirm_by"`
	EndsAt         *time.Time `json:"ends_at"`
	Version        int        `json:"version"`
	UpdatedAt      time.Time  `json:"updated_at"`
}

var outcomeColumns = []string{
	"state", "superseded_by_id", "amount", "reasons", "decided_at", "hire_by", "confirm_by", "ends_at", "version", "updated_at",
}

const updateOutcomes = `UPDATE declarations AS d SET state = x.state, superseded_by_id = x.superseded_by_id, amount = x.amount,
	reasons = x.reasons, decided_at = x.decided_at, hire_by = x.hire_by, confirm_by = x.confirm_by, ends_at = x.ends_at,
	version = x.version, updated_at = x.updated_at
	FROM json_to_recordset(?::json) AS x (id uuid, state text, superseded_by_id uuid, amount bigint, reasons text, decided_at timestamptz,
	hire_by timestamptz, confirm_by timestamptz, ends_at timestamptz, version integer, updated_at timestamptz) WHERE d.id = x.id`

// saveOutcomes writes what became of declarations, over rows that the caller holds locked. On
// PostgreSQL it is one statement.
func (r *repository) saveOutcomes(ctx context.Context, declarations []Declaration) error {
	if len(declarations) == 0 {
		return nil
	}
	if r.db.Dialect() != db.Postgres {
		for _, d := range declarations {
			err := r.db.From(ctx).Model(&Declaration{}).Where("id = ?", d.ID).Select(outcomeColumns).UpdateColumns(&d).Error
			if err != nil {
				return err
			}
		}
		return nil
	}
	rows := make([]outcomeRow, len(declarations))
	for i, d := range declarations {
		rows[i] = outcomeRow{
			d.ID, d.State, d.SupersededByID, (*int64)(d.Amount), d.Reasons, d.DecidedAt, d.HireBy, d.ConfirmBy, d.EndsAt, d.Version,
			d.UpdatedAt,
		}
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	return r.db.From(ctx).Exec(updateOutcomes, string(text)).Error
}
